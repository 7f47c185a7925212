"""Payloads and events that a server must refuse and survive. A scene sends many payloads of one event."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.checks.open_connections import must_stay_connected
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, Unreadable
from dungeonlab_conformance.invariants.answers import moments
from dungeonlab_conformance.invariants.content import unlike
from dungeonlab_conformance.invariants.token_state import changed, whole
from dungeonlab_conformance.payloads.invalid import SHAPES, InvalidRequest, invalid_requests
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.marks import carries, contains, new_mark
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged, Unreachable
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    need_another_cause_than_looking,
    need_versions_of_its_own,
)
from dungeonlab_conformance.stage.traffic import chat
from dungeonlab_spec import Catalogue, Event

_TRACES = ("payloads/refused-not-broadcast", "payloads/refused-not-stored")
_DEPTH = 300  # levels; JSON parsers that recurse give up around a thousand
_LENGTH, _LENGTH_FAR = 100_000, 30_000  # characters; far above every bound, far below Engine.IO's usual 1 MB

_IN_VAIN = 3  # requests in a row that are sent again and not answered either; then silence is no accident


@check(
    *SHAPES,
    "payloads/refused-not-broadcast",
    "payloads/refused-not-stored",
    "payloads/very-deep",
    "payloads/very-long",
    "payloads/missing-callback-is-harmless",
    "payloads/server-survives",
    "payloads/others-notice-nothing",
    destructive=2,
    observe_after=True,
)
async def whatever_is_sent_the_server_copes(stage: Stage, event: Event) -> None:
    """Alice's valid request is accepted, and each invalid one of hers and carol's is refused.

    Then come deep and long ones, and all of them without a callback. Bob hears none and stays connected, the token
    stays the same, and the server still answers.
    """
    enter = stage.connected if event.name == "join-session" else stage.joined  # some admit nobody who is in the room
    bob, alice, carol = await stage.joined("bob"), await enter("alice"), await stage.joined("carol")
    is_clear = event.is_broadcast  # whether what is invalid would be known among what bob hears
    left_open = (*SHAPES, *_TRACES)
    try:
        await stage.control(event, alice)
        traces = await _judge_each_refusal(stage, event, (alice, carol), bob)
        left_open = _TRACES
        await _judge_traces(stage, event, traces, alice, bob)
    except Gone:
        raise
    except Unjudged as why:  # whether the server survives shows all the same
        is_clear = False
        stage.leave_open(left_open, why)
    valid = await stage.request(event, fresh=True)
    await stage.provoke("payloads/very-deep", _must_cope_with(stage, alice, _deep(valid), "300 levels deep"))
    length = _LENGTH_FAR if stage.target.limits.far else _LENGTH
    await stage.provoke("payloads/very-long", _must_cope_with(stage, alice, _long(valid, length), "with long texts"))
    await _judge_survival(stage, bob, f"a {event.name} 300 levels deep, or with long texts")
    senders = [await stage.joined(name) for name in stage.roles.available("gamemaster", "bob")]
    if not await bob.fence():  # since another tab of his has joined, which is no matter of payloads
        bob, senders = await stage.joined("bob"), senders[:1]
    is_clear = is_clear and await _all_is_heard(stage, event, alice, bob)
    start = len(stage.journal.heard(bob.connection))
    await stage.provoke("payloads/missing-callback-is-harmless", _must_cope_without_callback(stage, event, senders))
    await _judge_survival(stage, bob, f"a {event.name} without a callback")
    if is_clear and not any(stage.judged.get(shape) for shape in SHAPES):
        await stage.judge("payloads/refused-not-broadcast", _must_hear_nothing_invalid(bob, event, start))


@dataclass(slots=True)
class _Traces:
    """What to look at after requests were refused: what bob heard from `start` on, and what `look` finds of a token.

    `before` is the token as it was; `look` is None where the event has none, or where what is answered shows nothing.
    """

    wrongs: Sequence[InvalidRequest]
    look: Request | None
    before: dict[str, Any]
    start: int

    def accepted(self, stage: Stage) -> Unjudged | None:
        """Return that one was accepted, if one was: it may be heard, and stored."""
        wrong = next((each for each in self.wrongs if stage.journal.outcome(each.request) == "accepted"), None)
        key = VerdictKey(wrong.requirement, wrong.request.event) if wrong else None
        return Unjudged(f"{wrong.name} was accepted", waits_for=key) if wrong else None


async def _all_is_heard(stage: Stage, event: Event, alice: Actor, bob: Actor) -> bool:
    """Send one request more, and wait until bob hears it, before which he hears what was sent before it."""
    try:
        await alice.send(witness := await stage.request(event, fresh=True))
        await bob.hear(witness)
    except Gone:
        raise
    except Unjudged:
        return False
    return True


async def _judge_each_refusal(stage: Stage, event: Event, senders: tuple[Actor, ...], bob: Actor) -> _Traces:
    """Let several take turns: all of it from one user may be more than a server takes in a minute."""
    alice = senders[0]
    valid = await stage.request(event)
    look = await stage.request(Catalogue.load()["token:update"]) if "token" in event.needs else None
    before: dict[str, Any] = {}
    if look is not None:
        look = look.with_properties({"tokenId": valid.args[0]["tokenId"]})
        before = acknowledged_token(await alice.send(look))
        if before.get("name") != look.args[0]["updates"].get("name"):
            look = None
            stale = VerdictKey("tokens/content-comes-back-exactly", None)
            why = Unjudged("an update was answered without what it changed", waits_for=stale)
            stage.leave_open(("payloads/refused-not-stored",), why)
    start = len(stage.journal.heard(bob.connection))
    wrongs = list(invalid_requests(event, valid))
    together = 1 if stage.target.workarounds.deadly.cautious else stage.target.limits.together
    for first in range(0, len(wrongs), together):
        # what is broken, or cannot be judged, need not be waited for once more
        batch = [wrong for wrong in wrongs[first : first + together] if not stage.has_found(wrong.requirement)]
        turns = zip(batch, senders[first % 2 :] + senders * together, strict=False)
        await _judge_each(stage, bob, event, list(turns))
    return _Traces(wrongs, look, before, start)


async def _judge_traces(stage: Stage, event: Event, traces: _Traces, alice: Actor, bob: Actor) -> None:
    """Judge whether what was refused is broadcast or stored all the same."""
    if (why := traces.accepted(stage)) is not None:
        if not event.is_broadcast:
            stage.leave_open(("payloads/refused-not-stored",), why)
            return
        if not await _all_is_heard(stage, event, alice, bob):  # what was accepted, before what is sent now
            raise why
        refused = [each for each in traces.wrongs if stage.journal.outcome(each.request) == "refused"]
        look, before = traces.look, {}
        harmless = why.waits_for is not None and why.waits_for.requirement == "payloads/extra-arguments"
        if look is not None and harmless and (answer := await alice.try_send(look)).accepted:
            before = acknowledged_token(answer)
        elif look is not None:  # what was accepted has ended the token, or made it what no token is
            look = None
            stage.leave_open(("payloads/refused-not-stored",), why)
        traces = _Traces(refused, look, before, len(stage.journal.heard(bob.connection)))
        for each in refused:
            await _judge_each(stage, bob, event, [(each, alice)])
        if (why := traces.accepted(stage)) is not None:
            raise why
    witness = await stage.request(event, fresh=True)
    await alice.send(witness)
    if event.is_broadcast:
        await stage.judge("payloads/refused-not-broadcast", _must_hear_this_only(bob, event, witness, traces.start))
    if traces.look is not None:
        await stage.judge("payloads/refused-not-stored", _must_be_untouched(stage, alice, traces.look, traces.before))


async def _judge_each(stage: Stage, bob: Actor, event: Event, turns: list[tuple[InvalidRequest, Actor]]) -> None:
    """Judge each request and who sends it; where a connection is lost over it, make sure that it is the only one."""
    done = await asyncio.gather(*(_judge_one(stage, *turn) for turn in turns), return_exceptions=True)
    for (wrong, _), result in zip(turns, done, strict=True):
        if isinstance(result, Gone):
            await _judge_survival(stage, bob, _with(event.name, wrong.name))
        elif result is not None:
            raise result


async def _judge_one(stage: Stage, wrong: InvalidRequest, actor: Actor) -> None:
    await stage.provoke(wrong.requirement, _must_be_refused(stage, actor, wrong.name, wrong.request))


def _with(event: str, fault: str) -> str:
    return f"a {event} with {fault}"


async def _must_be_refused(stage: Stage, actor: Actor, name: str, request: Request) -> None:
    try:
        with stage.provoking(_with(request.event, name)):
            answer = await _try_twice(actor, request)
    except Unanswered as none:
        if _is_silent(actor, request):
            raise
        raise Broken(f"{name} to be refused", str(none), request=request) from None
    if answer.accepted:
        raise Broken(f"{name} to be refused", answer)


async def _try_twice(actor: Actor, request: Request) -> Acknowledgement:
    """Send what may go without an answer; once more then, since a server that loses some answers loses hardly both."""
    limits = actor.target.limits
    try:
        return await actor.try_send(request)
    except Unanswered:
        if _is_silent(actor, request) or limits.repeated_in_vain >= _IN_VAIN:
            raise
    limits.repeated_in_vain += 1
    answer = await actor.try_send(request)
    limits.repeated_in_vain = 0
    return answer


def _is_silent(actor: Actor, request: Request) -> bool:
    """Whether requests of a name go without an answer even where there is nothing wrong with them."""
    target = actor.target
    return request.event in target.workarounds.silent or not target.limits.was_answered(request.event)


async def _must_hear_this_only(bob: Actor, event: Event, witness: Request, start: int) -> None:
    await bob.hear(witness)
    await _must_hear_nothing_invalid(bob, event, start)


async def _must_hear_nothing_invalid(bob: Actor, event: Event, start: int) -> None:
    await bob.fence()
    if (seen := heard_of_nothing_valid(bob, event, start)) is not None:
        raise Broken(f"bob to hear no invalid {event.name}", seen)


def heard_of_nothing_valid(bob: Actor, event: Event, start: int) -> Observation | None:
    """Return a broadcast that is of no valid request, among what bob has heard from the one numbered `start` on.

    What is late is that of a request before, such as one that looks at a token.
    """
    valid = [request for request in bob.journal.requests if request.legal or request.outcome == "accepted"]
    session = bob.stay.session if bob.stay else None
    for seen in bob.journal.heard(bob.connection)[start:]:
        body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
        if body.get("sessionId", session) != session:
            continue  # what leaks out of another session is not about this one
        if seen.event == event.name and not any(carries(seen, request) for request in valid):
            return seen
    return None


async def _must_be_untouched(stage: Stage, alice: Actor, look: Request, before: dict[str, Any]) -> None:
    """Look once more; every look is one change of the token's version, and the only one."""
    start = alice.journal.observations[-1].number
    answer = await alice.try_send(look)
    # who was refused before may be disconnected in the midst of it, and ask again
    looks = sum(o.act == "sends" and o.event == look.event and o.number > start for o in alice.journal.observations)
    if not answer.accepted:
        raise Broken("the token to be as it was", answer)
    after = acknowledged_token(answer)
    for key in changed(before, after):
        await need_another_cause_than_looking(stage, alice, alice, {key})
        raise unlike(before.get(key), after.get(key), f"$.token.{key}", "as before")
    old, new = whole(before.get("version")), whole(after.get("version"))
    if old is not None and new is not None and new - old > looks:
        await need_versions_of_its_own(stage, alice, look)
        raise Broken("one change of the token", f"{new - old}", "$.token.version")


# -- whether it lives ------------------------------------------------------------------------------------


async def _judge_survival(stage: Stage, bob: Actor, what: str) -> None:
    """Make sure that the server is there after what it was sent, for a newcomer and for bob; if not, stop here."""
    await stage.judge("payloads/others-notice-nothing", must_stay_connected(stage, bob, what))
    await stage.judge("payloads/server-survives", _must_still_answer(stage, what))
    if any(isinstance(found, Broken) for found in stage.judged.get("payloads/server-survives", ())):
        raise Gone(f"the server was gone after {what}")


async def _must_still_answer(stage: Stage, what: str) -> None:
    try:
        anew: Actor = await stage.connected("alice")
        if not await anew.fence():
            raise Broken(f"a new connection to be answered after {what}", "it was closed", is_cut=True)
    except Unreachable as fault:
        raise Broken(f"the server to go on answering after {what}", str(fault)) from None


def _deep(valid: Request) -> Request:
    """Nest something deep into every object of a request; where an object may hold anything, that is valid."""
    nested: Any = "bottom"
    for _ in range(_DEPTH):
        nested = {"deeper": nested}
    whole: dict[str, Any] = {**valid.args[0], "data": nested}
    for key, part in valid.args[0].items():
        if isinstance(part, dict):
            whole[key] = {**part, "data": nested}
    return Request(valid.event, (whole,), valid.mark, valid.session, legal=False)  # though some servers may take it


def _long(valid: Request, length: int) -> Request:
    text = {"message": " " * length + "a"} if "message" in valid.args[0] else {"sessionId": "a" * length}
    return Request(valid.event, ({**valid.args[0], **text},), None, valid.session, legal=False)


async def _must_cope_with(stage: Stage, alice: Actor, request: Request, how: str) -> None:
    """An answer of any kind will do, and so will a closed connection to the sender."""
    expected = f"a {request.event} {how} to be answered, or its connection closed"
    try:
        with stage.provoking(f"a {request.event} {how}"):
            await _try_twice(alice, request)
    except Unanswered as none:
        if _is_silent(alice, request):
            return  # other requests are answered meanwhile, and it is another requirement that this one should be
        raise Broken(expected, str(none), request=request) from None
    except (Gone, Unreadable):
        return


async def _must_cope_without_callback(stage: Stage, event: Event, senders: list[Actor]) -> None:
    """Two who have sent little so far send all of it once more, and a valid request, all without a callback."""
    if stage.target.workarounds.deadly.cautious:
        await _must_cope_with_each_without_callback(stage, event, senders)
        return
    valids, lasts = [[await stage.request(event) for _ in senders] for _ in range(2)]

    async def tells(number: int, sender: Actor) -> None:
        try:
            for wrong in list(invalid_requests(event, valids[number]))[number::2]:
                await sender.send_without_callback(wrong.request)
            await sender.send_without_callback(lasts[number])
            await sender.fence()
        except Gone:
            pass  # the server may close this connection

    with stage.provoking(f"a {event.name} without a callback", several=True):
        await asyncio.gather(*(tells(number, sender) for number, sender in enumerate(senders)))
    await _must_still_answer(stage, f"a {event.name} without a callback")


async def _must_cope_with_each_without_callback(stage: Stage, event: Event, senders: list[Actor]) -> None:
    """Do the same one by one, without what is known to end the server; if the valid request does, without the rest."""
    valid = await stage.request(event)
    wrongs = [w for w in invalid_requests(event, valid) if not stage.is_deadly(_with(event.name, w.name))]
    acts = {f"a valid {event.name} without a callback": valid}
    acts |= {f"{_with(event.name, wrong.name)}, without a callback": wrong.request for wrong in wrongs}
    for number, (what, request) in enumerate(acts.items()):
        if stage.is_deadly(next(iter(acts))):
            return
        if not stage.is_deadly(what):
            await _must_cope_without_callback_with(stage, senders[number % len(senders)], request, what)


async def _must_cope_without_callback_with(stage: Stage, sender: Actor, request: Request, what: str) -> None:
    try:
        with stage.provoking(what):
            await sender.send_without_callback(request)
            is_open = await sender.fence()
    except Gone:
        is_open = False
    if not is_open:  # which a server may do to this connection
        await _must_still_answer(stage, what)


# -- unknown events --------------------------------------------------------------------------------------


@check("payloads/unknown-event-is-harmless", destructive=1)
async def an_unknown_event_is_harmless(stage: Stage) -> None:
    """Alice sends unknown events; bob's connection stays open, and carol still hears him.

    Some have the names of events that only servers send; bob is sent nothing of what they say.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await bob.send(before := await chat(stage))
    await carol.hear(before)
    what, claimed = "events that nobody knows", new_mark()[:-1]
    try:
        with stage.provoking(what):
            for name in ("no-such-event", "constructor", "__proto__", "token:explode", "joinSession"):
                await alice.send_unawaited(Request(name, ({"sessionId": stage.session},), None, None))
            await alice.fence()
    except Gone:
        pass  # the server may close this connection
    await _must_still_answer(stage, what)
    await must_stay_connected(stage, bob, what)
    request = (await chat(stage)).with_properties({}, requirement="payloads/unknown-event-is-harmless")
    await bob.must_be_allowed(request)
    await carol.must_hear(request)
    with contextlib.suppress(Gone):
        await alice.must_hear(request)
    with contextlib.suppress(Gone):  # the server may close this connection
        for name, body in _server_events(stage.session, claimed).items():
            await alice.emit(Request(name, (body,), None, None), lambda *_: None)  # without one is a case of its own
        await alice.fence()
    await bob.fence()
    for seen in stage.journal.heard(bob.connection):
        if contains(seen.args, claimed):
            raise Broken("bob to be sent nothing of what alice says under the name of a server's event", seen)


def _server_events(session: str, claimed: str) -> dict[str, dict[str, str]]:
    """Return what a server might say: of a user, a session or an error that there is not."""
    somebody = {"sessionId": session, "userId": claimed, "timestamp": moments.shown(time.time())}
    return {
        "user-joined": somebody,
        "user-left": {**somebody, "reason": "left"},
        "session-removed": {"sessionId": claimed, "reason": "removed"},
        "error": {"event": "chat-message", "error": claimed, "code": "INTERNAL_ERROR"},
    }
