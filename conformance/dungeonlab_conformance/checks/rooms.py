"""Who hears a broadcast, and who does not."""

import asyncio

from dungeonlab_conformance.actor import Actor
from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken, Unjudged
from dungeonlab_spec import Event

AT_ONCE = 5  # requests sent without waiting for an answer in between


@check("rooms/every-other-member-hears-once")
async def every_other_member_hears_it_once(stage: Stage, event: Event) -> None:
    """Alice does it, once and then many times at once; bob and carol, in the room, are each sent it as often."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await _each_is_heard_once(alice, (bob, carol), [await stage.request(event)])
    burst = [await stage.request(event) for _ in range(AT_ONCE)]
    await _each_is_heard_once(alice, (bob, carol), burst)


async def _each_is_heard_once(alice: Actor, listeners: tuple[Actor, ...], done: list[Said]) -> None:
    await asyncio.gather(*map(alice.does, done))
    for listener in listeners:
        for said in done:
            await listener.hears(said)
        await listener.fence()
        for said in done:
            count = len(listener.sightings(said))
            if count != 1:
                raise Broken(f"{listener.name} to hear alice's {said.event} once", f"{count} deliveries")


@check("rooms/sender-hears-nothing")
async def the_sender_hears_nothing(stage: Stage, event: Event) -> None:
    """Alice does it; bob hears it, alice's own connection does not."""
    alice, bob = await stage.joined("alice", "bob")
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await alice.hears_nothing_of(said)


@check("rooms/own-other-connection-hears")
async def the_senders_other_connection_hears(stage: Stage, event: Event) -> None:
    """Alice has joined twice; what she does on one connection reaches the other."""
    alice, bob = await stage.joined("alice", "bob")
    tab = await stage.other_tab(alice)
    await tab.joins(stage.session)
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await tab.hears(said)


@check("rooms/game-master-hears")
async def the_game_master_hears(stage: Stage, event: Event) -> None:
    """Alice does it; the game master in the room is sent it, though not among the participants."""
    alice, bob, gamemaster = await stage.joined("alice", "bob", "gamemaster")
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await gamemaster.hears(said)


@check("rooms/outsider-hears-nothing")
async def an_outsider_hears_nothing(stage: Stage, event: Event) -> None:
    """Alice does it; bob hears it, mallory, who is connected and member of nothing, does not."""
    alice, bob = await stage.joined("alice", "bob")
    mallory = await stage.connected("mallory")
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await mallory.hears_nothing_of(said)


@check("rooms/other-session-hears-nothing")
async def another_session_hears_nothing(stage: Stage, event: Event) -> None:
    """Alice does it; bob hears it, dave and carol, who joined another session, do not."""
    alice, bob = await stage.joined("alice", "bob")
    dave, carol = await stage.elsewhere("dave"), await stage.elsewhere("carol")
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await dave.hears_nothing_of(said)
    await carol.hears_nothing_of(said)


@check("rooms/member-not-joined-hears-nothing")
async def a_member_who_has_not_joined_hears_nothing(stage: Stage, event: Event) -> None:
    """Alice does it; bob hears it, carol, a member who is connected but did not join, does not."""
    alice, bob = await stage.joined("alice", "bob")
    carol = await stage.connected("carol")
    said = await stage.request(event)
    await alice.does(said)
    await bob.witnesses(said)
    await carol.hears_nothing_of(said)


@check("rooms/no-encounter-rooms")
async def every_encounter_is_heard(stage: Stage, event: Event) -> None:
    """Alice does it in an encounter opened after bob joined; he hears it without doing anything more."""
    alice, bob = await stage.joined("alice", "bob")
    said = await stage.request(event, place=await stage.with_another_encounter())
    await alice.does(said)
    await bob.hears(said)


@check("rooms/refused-event-is-not-broadcast", lingers=True)
async def a_refused_event_is_not_broadcast(stage: Stage, event: Event) -> None:
    """Mallory and dave are refused; alice and bob, in the room, hear nothing, though they hear each other."""
    alice, bob = await stage.joined("alice", "bob")
    refused: list[Said] = []
    for name in stage.those_of("mallory", "dave"):
        intruder = await (stage.elsewhere if name == "dave" else stage.connected)(name)
        said = await stage.request(event, fresh=True)
        if (await intruder.asks(said)).accepted:
            raise Unjudged(f"{intruder.name}'s {event.name} was not refused")
        refused.append(said)
    witness = await stage.request(event)
    await alice.does(witness)
    await bob.witnesses(witness)
    for said in refused:
        await bob.hears_nothing_of(said)
        await alice.hears_nothing_of(said)


@check("rooms/direct-answers-stay-direct")
async def a_direct_answer_stays_direct(stage: Stage, event: Event) -> None:
    """Alice asks and is answered; bob, in the same room, and her other tab are sent nothing under that name."""
    alice, bob = await stage.joined("alice", "bob")
    tab = await stage.other_tab(alice)
    await alice.does(await stage.request(event))
    for other in (bob, tab):
        await other.fence()
        told = [o for o in stage.journal.heard(other.connection) if o.event == event.name]
        if told:
            raise Broken(f"{other.name} to be sent nothing about alice's {event.name}", f"{told[0].args}")
