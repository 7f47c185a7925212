"""Several connections at once: those of one user, and those over different transports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from functools import partial

from dungeonlab_conformance.checks.open_connections import joined_tab, joining_closes_other_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.packets import tells
from dungeonlab_conformance.clients.raw.upgrade import Upgrade
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.marks import marked
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import chat, let_a_moment_pass
from dungeonlab_spec import Catalogue, Event

_DOZEN = 12  # connections in a room, beside that of who speaks
_MANY = 20  # messages between two polls: more than the 16 packets that some libraries read of one payload


@check("rooms/every-tab-hears")
async def each_of_a_users_tabs_hears(stage: Stage, event: Event) -> None:
    """Alice sends the request; each of bob's three tabs hears it, as carol does, who joins last.

    Two of them poll where she sends a message, and polling is served. Before that each tab asks something: one that
    another has put out of the room need not hear anything.
    """
    if "encounter" in event.needs:
        await stage.encounter(stage.game)
    alice, bob = await stage.joined("alice"), await stage.joined("bob")
    polls = event.name == "chat-message" and "polling" in stage.target.transports
    tabs = [bob, *[await joined_tab(stage, bob, "polling" if polls else None) for _ in range(2)]]
    carol = await stage.joined("carol")
    for tab in tabs:
        await tab.send(await stage.request(Catalogue.load()["validate-action"], fresh=True))
    request = await stage.request(event)
    await alice.send(request)
    await carol.hear(request)
    for tab in tabs:
        try:
            await tab.must_hear(request)
        except Broken:
            if polls and tab is not bob and not any(each.deliveries_of(request) for each in tabs[1:]):
                key = VerdictKey("rooms/every-transport-hears", event.name)
                raise Unjudged("neither of the two that poll hears", waits_for=key) from None
            raise


@check("rooms/every-tab-hears", event="chat-message")
async def a_dozen_connections_hear(stage: Stage, event: Event) -> None:
    """Bob and the game master have several tabs in the room, a dozen in all; alice speaks, and each hears it."""
    alice, *others = await stage.joined("alice", "bob", "gamemaster")
    tabs: list[Actor] = [*others]
    with contextlib.suppress(Unjudged):  # a server may let in no more
        while len(tabs) < _DOZEN:
            tabs.append(await joined_tab(stage, tabs[-len(others)]))
    await alice.send(said := await stage.request(event))
    if None in [await each.try_hear(said) for each in others]:
        return  # not for being one of many
    for tab in tabs:
        await tab.must_hear(said)


@check("rooms/every-transport-hears")
async def every_transport_hears(stage: Stage, event: Event) -> None:
    """Alice sends the request while bob, who polls, is between two polls; his next one brings it.

    So it is with many messages at once: the next polls bring them all. Carol, who hears them over WebSocket, is the
    witness.
    """
    stage.target.transports_for("polling")
    if "encounter" in event.needs:
        await stage.encounter(stage.game)
    alice, identity = await stage.joined("alice"), await stage.roles.member("bob")
    bob = Upgrade("bob", identity, stage.target, stage.journal)
    try:
        await bob.open()
        await bob.enter(stage.session)
        carol = await stage.joined("carol", transport="websocket")
        if "join-session" in stage.target.workarounds.silent:  # then whether bob is in the room shows only so
            await alice.send(before := await chat(stage))
            await bob.poll_until_heard(marked(before))
        request = await stage.request(event)
        await alice.send(request)
        await carol.hear(request)
        await _must_find(bob, request)
        if event.name == "chat-message" and stage.pool.throttle is None and not stage.target.limits.far:
            many = [await stage.request(event) for _ in range(_MANY)]
            await asyncio.gather(*map(alice.send, many))
            for request in many:
                await carol.hear(request)
                await _must_find(bob, request)
    finally:
        await bob.close()


async def _must_find(poller: Upgrade, request: Request) -> None:
    """Make a round trip by polling, and wait for what a cluster passes on late."""
    asked = poller.target.on_the_wire(request.event, request.args)[0]
    name = poller.target.dialect.broadcasts.get(request.event, asked)
    if any(tells(frame, marked(request), name, poller.target.dialect.received) for frame in poller.frames):
        return
    if poller.target.offers("get-user-data"):
        await poller.poll_once_around()
    try:
        await poller.poll_until_heard(marked(request), name)
    except Gone:
        raise
    except Unjudged:
        expected = f"{poller.name}, who polls, to hear alice's {request.event}"
        raise Broken(expected, "nothing", request=request) from None


@check("join/tabs-are-independent")
async def what_one_tab_does_concerns_that_tab(stage: Stage) -> None:
    """Carol has some tabs in the room. One leaves, then two are closed; each time, the oldest and the newest stay.

    They hear, and may act. One of the two that are closed takes leave, and the connection of the other just ends.

    So it is after a tab that never joined asks to leave, and is closed, and after the one that left is closed. At last
    the oldest is alone, and stays.
    """
    alice, carol = await stage.joined("alice", "carol")
    first = await joined_tab(stage, carol)
    if not await carol.fence() and await joining_closes_other_tabs(stage, carol):
        expected = "carol's connection to stay open when her other tab joins"
        raise Broken(expected, "it was closed, twice", is_cut=True)
    second, newest = [await joined_tab(stage, carol) for _ in range(2)]
    third, idle = await _if_let_in(joined_tab(stage, carol)), await _if_let_in(stage.other_tab(carol))
    bob = await stage.joined("bob")
    for listener in (carol, bob):
        await alice.send(said := await chat(stage))
        await listener.hear(said)
    await carol.send(await chat(stage))
    go_on = partial(_must_be_as_before, stage, alice, bob, (carol, newest))
    leaves = stage.target.offers("leave-session")
    if leaves:
        await first.leave()
        await go_on("her other tab has left")
    await second.disconnect_cleanly()
    await go_on("her other tab is closed")
    if third is not None:
        await third.close()
        await go_on("the connection of her other tab has ended")
    if leaves and idle is not None:
        await idle.try_send(Request.naming("leave-session", stage.session))
        if carol.closed or newest.closed:
            return  # a server may disconnect the user whom it refuses
        await go_on("a tab that has not joined asked to leave")
    if idle is not None:
        await idle.disconnect_cleanly()
        await go_on("a tab that has not joined is closed")
    if leaves:
        await first.disconnect_cleanly()
        await go_on("a tab that had left is closed")
    await newest.disconnect_cleanly()
    await _must_be_as_before(stage, alice, bob, [carol], "all her other tabs are closed")


async def _if_let_in(tab: Awaitable[Actor]) -> Actor | None:
    """Return a further connection of a user; None from a server that lets in no more of one user's."""
    try:
        return await tab
    except Refused:
        return None


async def _must_be_as_before(stage: Stage, alice: Actor, bob: Actor, tabs: Sequence[Actor], after: str) -> None:
    """Alice speaks twice, since a server may take a moment; carol's tabs hear both, as bob does, and may speak."""
    await let_a_moment_pass()
    for _ in range(2):
        await alice.send(said := await chat(stage))
        await bob.hear(said)
        for tab in tabs:
            await tab.must_hear(said)
    for tab in tabs:
        answer = await tab.try_send(await chat(stage))
        if answer.accepted:
            continue
        if not (await tab.try_join(stage.session)).accepted:
            raise Unjudged("carol is no member any more", waits_for=VerdictKey("join/disconnect-keeps-membership"))
        raise Broken(f"carol's message to be accepted after {after}", answer)
