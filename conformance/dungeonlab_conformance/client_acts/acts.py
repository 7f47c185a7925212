"""The acts: what happens in each to a client, which connects, joins, sends a few requests and reacts, as clients do.

An act arms, has the client come, makes something happen and watches what comes of it. It judges nothing: the rules for
clients read what was seen. Each ends by itself, whatever the client does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dungeonlab_conformance.client_acts.others import Others
from dungeonlab_conformance.client_acts.performance import Performance, has_joined, is_error, is_refusal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.tap.link import Cut
from dungeonlab_conformance.text.spelling import did_you_mean
from dungeonlab_spec import Catalogue

_PAUSE, _MOST = 1.5, 4.0  # seconds without a request after which a client has done its part, and at most for that
_APART = 1.0  # seconds between what others do, or between who comes and goes, to tell by what a client ends
_SILENCE = 5.0  # seconds that show that a client has stopped, even one that sends a request in a second or two
_REFUSED = 8.0  # seconds for a request that can be refused
_KINDS = 12.0  # seconds for a request of each kind
_LEAVING = 15.0  # seconds for a client to leave by itself
_BACK = 31.0  # seconds to notice that the connection is lost, and to come back
_NOTICED = 12.0  # seconds more where it has to find out by the pings that do not come
_RETRIES = 6.0  # seconds in which a client that goes on trying shows it
_DOUBLING = 24.0  # seconds in which one shows it that waits twice as long each time
_AWAY = 10.0  # seconds for which the server is away
_TURNS = 4  # of what others do, with a pause after each
_REJOINS = "connect and join again"
_SLOW = 20.0  # seconds in which a client that waits for each answer sends requests of several kinds
_LATE = 2.0  # seconds by which answers are late
_CUTS: Mapping[Cut, str] = {
    "fin": "it is closed",
    "rst": "it is reset",
    "silence": "nothing comes any more",
}
_PRESENCE = "client/tolerates-presence-events"
_JOIN_CODES = ("INTERNAL_ERROR", "RATE_LIMITED", "PERMISSION_DENIED")  # after the last, trying again is of no use
_ALWAYS = tuple(
    f"client/{name}"
    for name in (
        "connects-with-the-cookie",
        "joins-before-it-sends",
        "waits-for-the-join",
        "puts-session-id-in-every-session-event",
        "sends-only-valid-payloads",
        "sends-one-argument",
        "sends-catalogue-events-only",
    )
)


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what happens in it, which requirements it is about, and how many seconds it takes at least.

    `name` is what the client finds in its environment, with a kind behind a slash where there are several of a family.
    """

    name: str
    what: str
    play: Callable[[Performance], Awaitable[None]]
    about: tuple[str, ...]
    seconds: float = 0.0

    @property
    def family(self) -> str:
        """The name without the kind."""
        return self.name.partition("/")[0]


async def _ordinary(client: Performance) -> None:
    await client.client_joins()
    await client.client_acts()
    for _ in range(_TURNS):  # for longer than anywhere else: one that ends by itself does so here
        await client.others.act()
        await client.may_see(lambda _: False, _APART)
    await client.others.act()
    await client.quiet(_PAUSE, _MOST)


async def _come_and_go(client: Performance, reason: str) -> None:
    await client.client_joins()
    await client.client_acts()
    await client.may_see(lambda _: False, _APART)
    await client.director.come_and_go(reason)
    await client.may_see(lambda _: False, _APART)
    await client.others.act()
    await client.goes_on(_PAUSE, _MOST)


async def _join_refused(client: Performance, code: str) -> None:
    await client.director.refuse_join(code)
    await client.client_is_turned_away()
    await client.quiet(_SILENCE, _SILENCE + _PAUSE)


async def _rejoin_refused(client: Performance) -> None:
    await client.client_joins()
    await client.client_acts()
    before = client.last
    await client.director.refuse_join()
    await client.director.cut_off("fin")
    await client.sees(_is_refused, _BACK, _REJOINS, after=before)
    await client.quiet(_SILENCE, _SILENCE + _PAUSE)


async def _refused(client: Performance, code: str) -> None:
    await client.director.refuse_each(code)
    await client.client_joins()
    await client.sees_at_last(is_refusal, _REFUSED, "send a request with a callback that could be refused")
    await client.goes_on(_PAUSE, _KINDS)


async def _both_answers(client: Performance) -> None:
    await client.director.refuse_each("INTERNAL_ERROR", with_error_event=True)  # which is no reason to go
    await client.client_joins()
    await client.sees_at_last(is_refusal, _REFUSED, "send a request with a callback that could be refused")
    await client.goes_on(_PAUSE, _KINDS)


async def _strange_events(client: Performance) -> None:
    await client.client_joins()
    await client.director.strange_event()
    await client.client_acts()
    await client.director.strange_event()
    await client.quiet(_PAUSE, _MOST)
    await client.others.act()
    await client.quiet(_PAUSE, _MOST)


async def _disconnected(client: Performance) -> None:
    await client.director.refuse_next()
    await client.client_joins()
    await client.sees_at_last(_is_refused, _REFUSED, "send what could be refused")
    await client.director.disconnect()
    if await client.may_see(has_joined, _RETRIES, after=client.last):
        await client.quiet(_PAUSE, _MOST)


async def _cut_off(client: Performance, how: Cut) -> None:
    await client.client_joins()
    await client.client_acts()
    for _ in range(1 if how == "silence" else 2):  # what works once may not work twice
        before = client.last
        await client.director.cut_off(how)
        await client.sees(has_joined, _BACK + (_NOTICED if how == "silence" else 0.0), _REJOINS, after=before)
        await client.client_acts()
    await client.quiet(_PAUSE, _MOST)


async def _removed(client: Performance) -> None:
    await client.client_joins()
    await client.client_acts()
    await client.may_see(lambda _: False, _APART)
    await client.director.throw_out()
    await client.quiet(_SILENCE, _SILENCE + _PAUSE)


async def _server_away(client: Performance) -> None:
    await client.client_joins()
    await client.client_acts()
    before = client.last
    await client.director.go_away(_AWAY)
    await client.sees(has_joined, _AWAY + _BACK, _REJOINS, after=before)
    await client.client_acts()
    await client.quiet(_PAUSE, _MOST)


async def _moved_on(client: Performance) -> None:
    await client.client_joins()
    await client.sees_at_last(partial(_leaves, client.world.stage.session), _LEAVING, after=client.last)
    await client.others.act()
    await client.quiet(_SILENCE, _SILENCE + _PAUSE)


async def _slow_answers(client: Performance) -> None:
    await client.director.answer_late(_LATE)
    await client.client_joins()
    await client.goes_on(_LATE + _PAUSE, _SLOW)
    if await client.may_see(_says_something, 0.0) is None:  # it does not get in as long as answers are late
        await client.director.answer_at_once()
        if await client.may_see(_says_something, _REFUSED) is not None:
            await client.director.answer_late(_LATE)
            await client.quiet(_LATE + _PAUSE, 2 * _MOST)


async def _logged_out(client: Performance) -> None:
    await client.client_joins()
    await client.client_acts()
    before = client.last
    await client.director.log_out()
    await client.sees(lambda packet: packet.kind == "connect-error", _BACK, after=before)
    await client.may_see(lambda _: False, _DOUBLING)


def _is_refused(packet: TappedPacket) -> bool:
    return is_refusal(packet) or is_error(packet)


def _says_something(packet: TappedPacket) -> bool:
    return packet.sender == "client" and packet.kind == "event" and packet.event != "join-session"


def _leaves(session: str, packet: TappedPacket) -> bool:
    """Whether a client leaves a session, or joins another one."""
    if packet.sender != "client" or packet.kind != "event":
        return False
    body = next(iter(packet.arguments or ()), None)
    other = body.get("sessionId") if isinstance(body, dict) else None
    return packet.event == "leave-session" or (packet.event == "join-session" and other not in (None, session))


def acts() -> Iterator[Act]:
    """Yield every act, the ordinary one first."""
    yield Act("ordinary", "the others talk, and make, move, change and remove tokens", _ordinary, _ALWAYS)
    for reason in Others.WAYS_TO_GO:
        what = f"somebody goes, for the reason {reason!r}, and comes back"
        yield Act(f"come-and-go/{reason}", what, partial(_come_and_go, reason=reason), (_PRESENCE,))
    for code in _JOIN_CODES:
        what = f"the first request to join is refused with {code}"
        yield Act(f"join-refused/{code}", what, partial(_join_refused, code=code), ("client/joins-before-it-sends",))
    what = "the connection is lost, and the next request to join is refused"
    yield Act("rejoin-refused", what, _rejoin_refused, ("client/joins-before-it-sends",))
    for code in _codes():
        what = f"the next request of each kind is refused with {code}"
        yield Act(f"refused/{code}", what, partial(_refused, code=code), ("client/survives-an-error-ack",))
    what = "the next request of each kind is refused, and an error event comes beside the answer"
    yield Act("both-answers", what, _both_answers, ("client/tolerates-an-error-event",))
    what = "events come that no version of the protocol knows"
    yield Act("strange-events", what, _strange_events, ("client/ignores-unknown-events",))
    what = "the next request is refused, and then the server disconnects"
    yield Act("disconnected", what, _disconnected, ("client/tolerates-being-disconnected",), _RETRIES)
    for how, said in _CUTS.items():
        back, least = ("client/connects-again", "client/rejoins-after-reconnect"), _AWAY if how == "silence" else 0.0
        yield Act(f"cut-off/{how}", f"the connection is lost: {said}", partial(_cut_off, how=how), back, least)
    yield Act("removed", "the user's membership is ended", _removed, ("client/stops-when-removed",))
    what = f"the connection is lost, and none is accepted for {_AWAY:g} seconds"
    yield Act("server-away", what, _server_away, ("client/backs-off", "client/connects-again"), _BACK)
    what = "nothing by itself: the client leaves, or joins another session"
    yield Act("moved-on", what, _moved_on, ("client/stops-sending-after-leaving",), _LEAVING)
    what = f"every answer is {_LATE:g} seconds late"
    yield Act(
        "slow-answers", what, _slow_answers, ("client/sends-no-duplicates", "client/waits-for-the-join"), _LEAVING
    )
    what = "the user's cookie dies, and the connection is lost"
    yield Act("logged-out", what, _logged_out, ("client/stops-when-unauthenticated",), _DOUBLING)


def chosen_acts(names: Sequence[str]) -> list[Act]:
    """Return the acts of these names, or of these families; all if there are none.

    Raises `ValueError` for a name of nothing.
    """
    every = list(acts())
    known = {name for act in every for name in (act.name, act.family)}
    for name in names:
        if name not in known:
            raise ValueError(
                f"there is no act {name!r}; {did_you_mean(name, known, '--list-acts prints what there is')}"
            )
    return [act for act in every if not names or {act.name, act.family} & set(names)]


def _codes() -> list[str]:
    """Return every code with which a request in a session may be refused, beside joining and leaving."""
    events = [event for event in Catalogue.load().events.values() if {"membership", "joined"} <= set(event.needs)]
    return list(dict.fromkeys(c for event in events if event.name != "leave-session" for c in event.refusals))
