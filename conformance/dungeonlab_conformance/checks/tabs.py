"""Several connections at once: those of one user, and those over different transports."""

from __future__ import annotations

import asyncio

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_heard
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue, Event

AT_ONCE = 3  # requests sent without waiting for an answer in between: who polls is away meanwhile


@check("rooms/every-tab-hears")
async def each_of_a_users_tabs_hears(stage: Stage, event: Event) -> None:
    """Alice sends the request; each of bob's three tabs hears it, as carol does, who joins last."""
    if "encounter" in event.needs:
        await stage.encounter(stage.game)
    alice, bob = await stage.joined("alice"), await stage.joined("bob")
    tabs = [bob, *[await _joined_tab(stage, bob) for _ in range(2)]]
    carol = await stage.joined("carol")
    request = await stage.request(event)
    await alice.send(request)
    await carol.hear(request)
    for tab in tabs:
        await tab.must_hear(request)


async def _joined_tab(stage: Stage, actor: Actor) -> Actor:
    tab = await stage.other_tab(actor)
    await tab.join(stage.session)
    return tab


@check("rooms/every-transport-hears")
async def every_transport_hears(stage: Stage, event: Event) -> None:
    """Alice sends a few requests at once; bob, who polls, hears each of them, as carol does over WebSocket.

    If one of them does not, somebody joins last over the other's transport: who hears it may be a matter of the order.
    """
    alice = await stage.joined("alice")
    listeners = [await _joined_over(stage, *who) for who in (("bob", "polling"), ("carol", "websocket"))]
    missed = await _missed_of_a_burst(stage, alice, event, listeners)
    if not any(missed.values()):
        return
    deaf, hearing = sorted(listeners, key=lambda listener: not missed[listener])
    late = await stage.other_tab(hearing, transport="websocket" if hearing.name == "carol" else "polling")
    await late.join(stage.session)
    again = await _missed_of_a_burst(stage, alice, event, [deaf, hearing, late])
    if missed[hearing] or again[hearing] or again[late]:
        raise Unjudged(f"{event.name} is missed over the other transport, too", waits_for=not_heard(event.name))
    if again[deaf]:
        expected = f"{deaf.name} to hear alice's {event.name} as {hearing.name} does over another transport"
        raise Broken(expected, "nothing", request=again[deaf][0])


async def _missed_of_a_burst(
    stage: Stage, alice: Actor, event: Event, listeners: list[Actor]
) -> dict[Actor, list[Request]]:
    """Have alice send a few requests at once; returns those that each listener does not hear."""
    burst = [await stage.request(event) for _ in range(AT_ONCE)]
    await asyncio.gather(*map(alice.send, burst))
    pairs = [(listener, request) for listener in listeners for request in burst]
    heard = await asyncio.gather(*(_hears(*pair) for pair in pairs))
    missed = [pair for pair, is_heard in zip(pairs, heard, strict=True) if not is_heard]
    return {each: [request for listener, request in missed if listener is each] for each in listeners}


async def _joined_over(stage: Stage, name: str, transport: str) -> Actor:
    try:
        actor: Actor = await stage.joined(name, transport=transport)
    except Refused as refused:
        why = f"{name} is not served over {transport}: {refused}"
        raise Unjudged(why, waits_for=VerdictKey(f"connect/{transport}")) from None
    return actor


async def _hears(listener: Actor, request: Request) -> bool:
    def is_wanted(seen: Observation) -> bool:
        return seen.act == "hears" and carries(seen, request)

    return await listener.try_observe_fenced(is_wanted) is not None


@check("join/tabs-are-independent")
async def what_one_tab_does_concerns_that_tab(stage: Stage) -> None:
    """Carol has three tabs in the room. One leaves, then one is closed; after each, the third hears and may act.

    So it does after a tab that never joined asks to leave, and is closed.
    """
    alice, carol = await stage.joined("alice", "carol")
    first, second = await _joined_tab(stage, carol), await _joined_tab(stage, carol)
    idle = await stage.other_tab(carol)
    bob = await stage.joined("bob")
    for listener in (carol, bob):
        await alice.send(said := await _chat(stage))
        await listener.hear(said)
    await carol.send(await _chat(stage))
    leaves = stage.target.offers("leave-session")
    if leaves:
        await first.leave()
        await _must_be_as_before(stage, alice, carol, bob, "her other tab has left")
    await second.disconnect_cleanly()
    await _must_be_as_before(stage, alice, carol, bob, "her other tab is closed")
    if leaves:
        await idle.try_send(Request.naming("leave-session", stage.session))
    if leaves and not carol.closed:  # a server may disconnect the user whom it refuses
        await _must_be_as_before(stage, alice, carol, bob, "a tab that has not joined asked to leave")
    await idle.disconnect_cleanly()
    if not carol.closed:
        await _must_be_as_before(stage, alice, carol, bob, "a tab that has not joined is closed")


async def _chat(stage: Stage) -> Request:
    return await stage.request(Catalogue.load()["chat-message"])


async def _must_be_as_before(stage: Stage, alice: Actor, carol: Actor, bob: Actor, after: str) -> None:
    """Alice speaks twice, since a server may take a moment; carol hears both, as bob does, and may speak."""
    for _ in range(2):
        await alice.send(said := await _chat(stage))
        await bob.hear(said)
        await carol.must_hear(said)
    answer = await carol.try_send(await _chat(stage))
    if not answer.accepted:
        raise Broken(f"carol's message to be accepted after {after}", answer)
