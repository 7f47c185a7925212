"""What the end of a connection does to the room and to the membership, and what a user finds who connects again."""

import contextlib
import itertools
import json
import time

from dungeonlab_conformance.checks.open_connections import joined_tab
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.packets import beginning, tells
from dungeonlab_conformance.clients.raw.websocket_frames import RawConnection
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.payloads.requests import profile_request
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.marks import marked
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import chat, everything, let_time_pass
from dungeonlab_spec import Catalogue, Event

_CLEANED_UP = 0.5  # seconds in which a server gets around to what is left of a lost connection


@check("rooms/every-other-member-hears-once", event="chat-message", slow=True)
async def who_is_back_at_once_hears_a_while_later(stage: Stage, event: Event) -> None:
    """Bob leaves and joins again at once; carol goes to another session and back. They hear alice then, and later.

    So does the game master, who stays in the room. What a server still does about those who went must not concern who
    is back, nor what it does about those who are there for a while who is.
    """
    alice, bob, gamemaster = await stage.joined("alice", "bob", "gamemaster")
    back = [bob]
    if stage.target.offers("leave-session"):
        await bob.leave()
        await bob.join(stage.session)
    with contextlib.suppress(Missing):
        carol = await stage.connected("carol")
        if not carol.is_game_master:
            for session in (stage.session, (await stage.other_game()).session, stage.session):
                await carol.join(session)
            back.append(carol)
    await alice.send(now := await stage.request(event))
    back = [member for member in back if await member.try_hear(now) is not None]  # or they are not let in again
    await let_time_pass()
    anew = await joined_tab(stage, gamemaster)
    await alice.send(said := await stage.request(event))
    await anew.hear(said)
    for member in back:
        await member.must_hear(said)
    with contextlib.suppress(Gone):  # a new tab may close the one before
        await gamemaster.must_hear(said)


@check("join/disconnect-leaves-the-room", slow=True)
async def a_new_connection_is_in_no_room(stage: Stage) -> None:
    """Carol's connection ends and she connects again, over either transport; she hears nothing until she joins.

    She takes leave, or does not. Nor does she hear anything if she sends the id by which Socket.IO recovers the state
    of a connection.
    """
    alice, bob = await stage.joined("alice", "bob")
    await stage.roles.member("carol")  # before somebody less needed is cast
    gamemaster = await stage.onlooker("gamemaster")
    for transport, takes_leave in itertools.product(stage.target.transports, (True, False)):
        try:
            carol = await stage.joined("carol", transport=transport)
        except Refused:
            continue  # another requirement sees to it that this transport is served
        await (carol.disconnect_cleanly if takes_leave else carol.close)()
        anew = await stage.connected("carol", transport=transport)
        for request in await everything(stage, alice, bob):
            await anew.must_not_hear(request, unlike=gamemaster)
        await anew.close()
    raw = await stage.raw("carol")
    if pid := raw.entered.get("pid"):
        await _must_recover_nothing(stage, alice, raw, pid)


async def _must_recover_nothing(stage: Stage, alice: Actor, raw: RawConnection, pid: str) -> None:
    await raw.try_join(stage.session)
    heard, missed, later = [await chat(stage) for _ in range(3)]
    await alice.send(heard)
    broadcast = stage.target.dialect.broadcasts.get(heard.event, heard.event)
    frame = await raw.receive(beginning(broadcast))
    try:
        offset = json.loads(frame[2:])[-1]
    except (ValueError, RecursionError):
        raise Unjudged("what carol heard cannot be read") from None
    await raw.close()
    await alice.send(missed)
    anew = await stage.raw("carol", entered=False)
    await anew.connect(pid=pid, offset=offset)
    await alice.send(later)
    await anew.try_send(profile_request())
    if any(tells(frame, marked(request)) for request in (missed, later) for frame in anew.frames):
        raise Broken("carol to be in no room and to be sent nothing she missed", "both were recovered")


@check("join/disconnect-leaves-the-room")
async def who_enters_the_namespace_again_is_in_no_room(stage: Stage) -> None:
    """Carol leaves the namespace, and enters it again over the same transport; she hears nothing until she joins.

    A server may close the transport instead.
    """
    alice, bob = await stage.joined("alice", "bob")
    raw = await stage.raw("carol")
    strangers = [await stage.onlooker(name) for name in ("gamemaster", "mallory")]  # to the room, by what they did
    await raw.try_join(stage.session)
    later = await chat(stage)
    try:
        await raw.send_frame("41")
        raw.frames.clear()
        await raw.connect()
    except (Gone, Unjudged):
        return  # there is no second stay in the namespace on this transport
    await alice.send(later)
    await bob.hear(later)
    with contextlib.suppress(Gone):
        await raw.fence(profile_request())
    for stranger in strangers:
        if stranger is not None:
            await stranger.must_not_hear(later, unlike=stranger)  # or who has left the room hears it as everybody does
    if any(tells(frame, marked(later)) for frame in raw.frames):
        raise Broken("carol to be in no room after entering the namespace again", "she hears alice")


@check("rooms/every-other-member-hears-once", event="chat-message")
async def who_numbers_requests_anew_is_heard(stage: Stage, event: Event) -> None:
    """Carol, back on a new connection, numbers her requests from 1 on, as on the one before; alice hears her again."""
    if "websocket" not in stage.target.transports:
        return
    alice = await stage.joined("alice")
    before = await _joined_by_bare_frames(stage)
    if before is None or not await _is_heard(alice, before, await stage.request(event)):
        return  # for another reason, of which other scenes say more
    await before.close()
    if (anew := await _joined_by_bare_frames(stage)) is None:
        return
    said, more = [await stage.request(event) for _ in range(2)]
    if not await _is_heard(alice, anew, said) and await _is_heard(alice, anew, more):
        raise Broken("alice to hear what carol says under a number of her connection before", "nothing")


async def _joined_by_bare_frames(stage: Stage) -> RawConnection | None:
    with contextlib.suppress(Refused, Unjudged):
        raw = await stage.raw("carol")
        await raw.try_join(stage.session)
        return raw
    return None


async def _is_heard(listener: Actor, speaker: RawConnection, said: Request) -> bool:
    await speaker.emit(said)
    return await listener.try_hear(said) is not None


@check("join/disconnect-keeps-membership")
async def disconnecting_keeps_membership(stage: Stage) -> None:
    """One of carol's two connections ends; her request on the other one is accepted, and mallory's is refused.

    So it is over whatever transport it was.
    """
    bob, carol = await stage.joined("bob", "carol")
    event = await _refused_to(await stage.connected("mallory"), stage)
    for transport in stage.target.transports:
        usual = transport == stage.target.transport
        with contextlib.nullcontext() if usual else contextlib.suppress(Gone, Refused, Unjudged):
            tab = await stage.other_tab(carol, transport=transport)
            await tab.join(stage.session)
            await carol.send(await stage.request(event))
            await tab.disconnect_cleanly()
            await bob.fence()
            await bob.send(await chat(stage))
            await _must_still_be_a_member(stage, carol, event)


async def _must_still_be_a_member(stage: Stage, carol: Actor, event: Event) -> None:
    answer = await carol.try_prepare(await stage.request(event))
    if not answer.accepted and await _is_out_of_the_room_only(carol, stage, answer):
        raise Unjudged("carol's other connection is out of the room too, and whether she is a member is not asked")
    if not answer.accepted:
        raise Broken(f"carol's {event.name} to be accepted", answer)


async def _is_out_of_the_room_only(actor: Actor, stage: Stage, refused: Acknowledgement) -> bool:
    """Whether somebody was refused for not being in the room, by the code or, where that says nothing, by joining."""
    if refused.says_why:
        return refused.code == "NOT_JOINED"
    event = Catalogue.load()[refused.request.event]
    if event.name == "join-session":
        return False
    admitted = await actor.try_join(stage.session)
    return admitted.accepted and (await actor.try_send(await stage.request(event))).accepted


@check("join/disconnect-keeps-membership")
async def a_session_outlasts_the_visit_of_its_game_master(stage: Stage) -> None:
    """The game master joins, and the connection ends; alice, whose request was accepted, acts on, and bob is let in."""
    alice, bob = await stage.joined("alice"), await stage.connected("bob")
    await alice.send(await chat(stage))
    gamemaster = await stage.connected("gamemaster")
    if not (await gamemaster.try_join(stage.session, expected=True)).accepted:
        return  # which is another requirement's matter
    await gamemaster.disconnect_cleanly()
    await alice.fence()
    for answer in (await alice.try_prepare(await chat(stage)), await bob.try_join(stage.session, expected=True)):
        if not answer.accepted and not await _is_out_of_the_room_only(alice, stage, answer):
            raise Broken(f"a member's {answer.request.event} to be accepted when the game master has gone", answer)


async def _refused_to(outsider: Actor, stage: Stage) -> Event:
    """Return an operation that an outsider is refused: where anybody is accepted, being accepted shows nothing."""
    catalogue, accepted, unknown = Catalogue.load(), None, None
    for event in catalogue.events_for(catalogue.requirements["authorization/outsider-refused"]):
        if event is not None and event.name != "leave-session" and stage.target.offers(event.name):
            try:
                answer = await outsider.try_send(await stage.request(event))
            except Gone:
                return event  # who is disconnected for it is not taken for a member
            except Unjudged as why:
                unknown = why
            else:
                if not answer.accepted:
                    return event
                accepted = accepted or VerdictKey("authorization/outsider-refused", event.name)
    if accepted is None:
        raise unknown or Unjudged("there is no operation that an outsider could be refused")
    raise Unjudged(f"{outsider.name}, a member of no session, is accepted as carol is", waits_for=accepted)


@check("join/rejoin-after-reconnect")
async def a_member_joins_again_after_reconnecting(stage: Stage) -> None:
    """Carol's connection ends; on a new one she is admitted again, and hears what follows but not what she missed."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await carol.close()
    missed = await everything(stage, alice, bob)
    anew = await stage.connected("carol")
    answer = await anew.try_join(stage.session, expected=True)
    last = await stage.other_tab(bob)
    members = (await last.join(stage.session)).data.get("participantIds")
    if not answer.accepted:
        if isinstance(members, list) and carol.user not in members:
            raise Unjudged("carol is no member any more", waits_for=VerdictKey("join/disconnect-keeps-membership"))
        raise Broken("carol to be admitted again", answer)
    for request in await everything(stage, alice, bob):
        await last.hear(request)
        await anew.must_hear(request)
    for request in missed:
        await anew.must_not_hear(request)


@check("join/rejoin-after-reconnect", phase="last")
async def a_member_who_is_back_at_once_stays(stage: Stage) -> None:
    """Carol's connection ends, and she joins on a new one at once; a while later she still hears alice.

    So do bob and his other tab, which joined before her and after her.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await carol.close()
    anew = await stage.connected("carol")
    await anew.join(stage.session)
    last = await joined_tab(stage, bob)
    until = time.monotonic() + _CLEANED_UP
    while time.monotonic() < until:
        later = await everything(stage, alice, bob)
    for request in later:
        await last.hear(request)
        await anew.must_hear(request)
