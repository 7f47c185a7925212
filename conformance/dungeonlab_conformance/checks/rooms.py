"""Rooms: which connections receive a broadcast, and which do not."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from dungeonlab_conformance.checks.acks import as_many_as_it_has_time_for
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, not_heard, not_refused
from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, TargetFault, Unjudged
from dungeonlab_conformance.stage.sessions import GameSession
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import is_own_event

AT_ONCE = 5  # requests sent without waiting for an answer in between
TIMES = 4  # that the same request is sent


async def _join_in_turn(stage: Stage, event: Event, *names: str) -> list[Actor]:
    """Seat people one after the other; the encounter that an event needs has been there before they come."""
    if "encounter" in event.needs:
        await stage.encounter(stage.game)
    return [await stage.joined(name) for name in names]


@check("rooms/every-other-member-hears-once")
async def every_other_member_hears_it_once(stage: Stage, event: Event) -> None:
    """Alice sends one request, then several at once; bob and carol, in the room, hear each of them once.

    The token that the first one needs was there before they came. Then she sends the last one again, and again: what is
    sent several times is heard so many times, also when bob has done something else meanwhile. And when the game master
    has come and left, and come and gone, they hear what the game master sends who is back.
    """
    (alice,) = await _join_in_turn(stage, event, "alice")
    early = await stage.request(event, fresh=True)
    bob, carol = await stage.joined("bob", "carol")
    await _each_must_be_heard_once(alice, (bob, carol), [early])
    burst = [await stage.request(event) for _ in range(AT_ONCE)]
    await _each_must_be_heard_once(alice, (bob, carol), burst)
    if event.effect != "removes-token":
        last = await stage.request(event)
        await _each_must_be_heard_once(alice, (bob, carol), [last])
        await _must_be_heard_again(alice, (bob, carol), last, await stage.request(event))
    later = await stage.request(event)
    gamemaster = await _after_coming_and_going(stage, "gamemaster") if stage.roles.can_play("gamemaster") else None
    if gamemaster is not None and (await gamemaster.try_send(later)).accepted:
        for listener in (bob, carol):
            await listener.must_hear(later)


async def _after_coming_and_going(stage: Stage, name: str) -> Actor | None:
    """Have somebody join and leave, join and disconnect, and come back; None where any of that is not accepted."""
    visitor = await stage.connected(name)
    requests = ["join-session"]
    if stage.target.offers("leave-session"):
        requests += ["leave-session", "join-session"]
    with contextlib.suppress(Unanswered):
        for request in requests:
            if not (await visitor.try_send(Request.naming(request, stage.session), expected=True)).accepted:
                return None
        await visitor.disconnect_cleanly()
        back = await stage.other_tab(visitor)
        return back if (await back.try_join(stage.session, expected=True)).accepted else None
    return None


async def _each_must_be_heard_once(alice: Actor, listeners: tuple[Actor, ...], done: list[Request]) -> None:
    await asyncio.gather(*map(alice.send, done))
    for listener in listeners:
        for request in done:
            await listener.must_hear(request)
        await listener.fence()
        for request in done:
            count = len(listener.deliveries_of(request))
            if count != 1:
                raise Broken(f"{listener.name} to hear alice's {request.event} once", f"{count} deliveries")


async def _must_be_heard_again(alice: Actor, listeners: tuple[Actor, ...], request: Request, other: Request) -> None:
    bob, *_ = listeners
    before = bob.connection
    for _ in range(2, TIMES):
        await alice.send(replace(request))
    await bob.try_send(other)
    if bob.connection != before:  # what it did not hear shows nothing, and he has asked on another one
        raise bob.gone(f"{bob.name}'s connection was closed")
    await alice.send(replace(request))
    for listener in listeners:
        await _must_hear_each_time(listener, request)


async def _must_hear_each_time(listener: Actor, request: Request) -> None:
    await listener.try_observe_fenced(lambda _: len(listener.deliveries_of(request)) >= TIMES)
    await listener.fence()
    count = len(listener.deliveries_of(request))
    if count < TIMES:
        listener.needs_to_be_open()
    if count != TIMES:
        raise Broken(f"{listener.name} to hear {TIMES} times what alice did {TIMES} times", f"{count} deliveries")


@check("rooms/sender-hears-nothing")
async def the_sender_hears_nothing(stage: Stage, event: Event) -> None:
    """Alice sends the request; bob hears the broadcast, and alice's own connection does not."""
    alice, bob = await _join_in_turn(stage, event, "alice", "bob")
    request = await stage.request(event)
    await alice.send(request)
    await bob.hear(request)
    await alice.must_not_hear(request)


@check("rooms/own-other-connection-hears")
async def the_senders_other_connection_hears(stage: Stage, event: Event) -> None:
    """Alice has joined on two connections; her broadcast on one reaches the other, as it reaches bob and carol."""
    alice, bob = await _join_in_turn(stage, event, "alice", "bob")
    tab = await _join_on_another_tab(stage, alice)
    carol = await stage.joined("carol")
    request = await stage.request(event)
    await alice.send(request)
    await bob.hear(request)
    await carol.hear(request)
    await tab.must_hear(request)


@check("rooms/game-master-hears")
async def the_game_master_hears(stage: Stage, event: Event) -> None:
    """Alice sends the request; the game master hears it, as bob and carol do, who joined before and after."""
    alice, bob, gamemaster = await _join_in_turn(stage, event, "alice", "bob", "gamemaster")
    carol = await (stage.joined("carol") if stage.roles.can_play("carol") else _join_on_another_tab(stage, bob))
    request = await stage.request(event)
    await alice.send(request)
    await bob.hear(request)
    await carol.hear(request)
    await gamemaster.must_hear(request)


@check("rooms/every-other-member-hears-once")
async def a_game_master_who_plays_hears_once(stage: Stage, event: Event) -> None:
    """The game master is made a participant too, where the target lets that be, and hears alice once, as bob does."""
    if stage.game in stage.pool.kept.values() or not stage.roles.can_play("gamemaster"):
        return  # ending the participation of a game master may end more, in a session that stays
    alice, bob, gamemaster = await _join_in_turn(stage, event, "alice", "bob", "gamemaster")
    assert gamemaster.identity is not None
    try:
        await stage.take_in(gamemaster.identity)
    except (Unjudged, TargetFault):
        return
    await _each_must_be_heard_once(alice, (bob, gamemaster), [await stage.request(event)])


async def _join_on_another_tab(stage: Stage, actor: Actor) -> Actor:
    tab = await stage.other_tab(actor)
    await tab.join(stage.session)
    return tab


@check(
    "rooms/outsider-hears-nothing",
    "rooms/other-session-hears-nothing",
    "rooms/member-not-joined-hears-nothing",
    observe_after=True,
)
async def nobody_else_hears_it(stage: Stage, event: Event) -> None:
    """Alice sends the request and bob hears it. Connections that are not in the room do not, now or later.

    They are: mallory, a member of no session; dave and carol, who joined another session; the game master, and alice
    on another connection, neither of whom has joined.
    """
    alice, bob = await stage.joined("alice", "bob")
    outside = {
        "rooms/outsider-hears-nothing": [await stage.onlooker("mallory")],
        "rooms/other-session-hears-nothing": [
            await stage.onlooker(name, in_other_game=True) for name in ("dave", "carol")
        ],
        "rooms/member-not-joined-hears-nothing": [await stage.onlooker("gamemaster"), await stage.other_tab(alice)],
    }
    request = await stage.request(event)
    await alice.send(request)
    await bob.hear(request)
    for requirement, onlookers in outside.items():
        there = [actor for actor in onlookers if actor is not None]
        for actor in there:
            await stage.judge(requirement, actor.must_not_hear(request))
        if not there:
            stage.cannot_judge(requirement, "mallory" if "outsider" in requirement else "dave")


@check("rooms/no-encounter-rooms")
async def every_encounter_is_heard(stage: Stage, event: Event) -> None:
    """Alice sends the request in an encounter opened after bob joined; he hears it without doing anything more."""
    await stage.encounter(stage.game)
    alice, bob = await stage.joined("alice", "bob")
    late = await stage.with_another_encounter()
    request = await stage.request(event, game=late)
    await alice.send(request)
    try:
        await bob.must_hear(request)
    except Broken as silence:
        await _rule_out_other_causes(stage, alice, bob, event, late)
        raise silence from None


async def _rule_out_other_causes(stage: Stage, alice: Actor, bob: Actor, event: Event, late: GameSession) -> None:
    """Raise `Unjudged` if bob's not hearing an event has another cause than the encounter it happened in."""
    catalogue = Catalogue.load()
    if await _try_hear(bob, alice, await stage.request(event)):  # so it is the encounter, or only its first event
        if await _try_hear(bob, alice, await stage.request(event, game=late)):
            raise Unjudged(f"bob hears the next {event.name} in the same encounter")
        return
    if not await _try_hear(bob, alice, await stage.request(catalogue["chat-message"])):
        raise Unjudged("bob hears nothing in this session at all")
    others = [other for other in catalogue.events_for(catalogue.requirements["rooms/no-encounter-rooms"]) if other]
    for other in others:
        if other is not event and await _try_hear(bob, alice, await stage.request(other, game=late)):
            why = f"bob hears {other.name} in the same encounter, but {event.name} nowhere"
            raise Unjudged(why, waits_for=not_heard(event.name))


async def _try_hear(listener: Actor, speaker: Actor, request: Request) -> bool:
    await speaker.send(request)
    try:
        await listener.must_hear(request)
    except Broken:
        return False
    return True


@check("rooms/every-other-member-hears-once", event="chat-message", destructive=2, floods=True)
async def who_says_much_is_heard_to_the_end(stage: Stage, event: Event) -> None:
    """Alice says some hundred things, as on a long evening; bob hears the last.

    This ends where one is not accepted, as on a server that limits them.
    """
    try:
        alice, bob = await stage.joined("alice", "bob")
    except Unjudged:
        return  # such as for a limit that others have just reached; who may join is another matter
    for _ in range(await as_many_as_it_has_time_for(alice) // AT_ONCE):
        burst = [await stage.request(event) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*map(alice.try_send_once, burst))
        pairs = zip(burst, answers, strict=True)
        if not all(answer and Acknowledgement(request, answer).accepted for request, answer in pairs):
            return
    await bob.must_hear(burst[-1])


@check("rooms/refused-event-is-not-broadcast", observe_after=True)
async def a_refused_event_is_not_broadcast(stage: Stage, event: Event) -> None:
    """Mallory, dave and carol, who has not joined, are refused; alice and bob, in the room, hear nothing of it."""
    await _intruders_must_not_be_heard(stage, event, "mallory", "dave", "carol")


@check("rooms/refused-event-is-not-broadcast", phase="last", observe_after=True)
async def what_is_refused_without_a_callback_is_not_broadcast(stage: Stage, event: Event) -> None:
    """Mallory, dave and carol are refused, and send the request again without a callback; nobody hears of it."""
    await _intruders_must_not_be_heard(stage, event, "mallory", "dave", "carol", twice=True)


async def _intruders_must_not_be_heard(stage: Stage, event: Event, *names: str, twice: bool = False) -> None:
    alice, bob = await stage.joined("alice", "bob")
    refused: list[Request] = []
    for name in stage.roles.available(*names):
        intruder = await (stage.joined_other_game if name == "dave" else stage.connected)(name)
        request = await stage.request(event, fresh=True)
        if not (await intruder.try_send(request)).accepted:
            refused.append(request)
            if twice:
                refused.append(await intruder.repeat_without_callback(await stage.request(event, fresh=True)))
        elif name != "carol":  # to refuse a member is a SHOULD
            raise Unjudged(f"{intruder.name}'s {event.name} was not refused", waits_for=not_refused(name, event))
    witness = await stage.request(event)
    await alice.send(witness)
    await bob.hear(witness)
    for request in refused:
        await bob.must_not_hear(request)
        await alice.must_not_hear(request)


@check("rooms/direct-answers-stay-direct")
async def a_direct_answer_stays_direct(stage: Stage, event: Event) -> None:
    """Alice's question is answered; bob, in the same room, and her other tab are sent nothing that holds the answer."""
    alice, bob = await stage.joined("alice", "bob")
    tab = await stage.other_tab(alice)
    request = await stage.request(event)
    answer = (await alice.send(request)).data
    asked = stage.journal.last_sent(request)
    for other in (bob, tab):
        await other.fence()
        for seen in stage.journal.heard(other.connection):
            if asked and seen.at < asked.at:
                continue  # that was about something else, such as their joining
            own = is_own_event(seen.event)  # whose content the protocol leaves open
            if seen.event == event.name or (not own and _holds(seen.args, answer)):
                raise Broken(f"{other.name} to be sent nothing about alice's {event.name}", f"{seen.event} {seen.args}")


def _holds(found: object, answer: dict[str, Any]) -> bool:
    """Whether something that was sent holds an answer's data, or the one object in it, at any depth."""
    wanted = [each for each in (answer, *answer.values()) if isinstance(each, dict) and each]
    ahead = [found]
    while ahead:
        part = ahead.pop()
        if isinstance(part, dict):
            if any(same(part, each) for each in wanted):
                return True
            ahead.extend(part.values())
        elif isinstance(part, list | tuple):
            ahead.extend(part)
    return False
