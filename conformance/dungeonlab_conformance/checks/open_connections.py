"""Other tabs that join, whether a connection stays open, and whether it may be such a tab that closes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Broken, Gone, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage


async def must_stay_connected(stage: Stage, bob: Actor, what: str) -> None:
    """Insist that bob's connection is open. Where each tab that joins closes the others, that shows nothing."""
    if not bob.closed and await bob.fence():
        return
    if await joining_closes_other_tabs(stage, bob):
        tabs = VerdictKey("join/tabs-are-independent")
        raise Gone("bob's connection was closed, as each is when another tab joins", waits_for=tabs)
    raise Broken(f"bob's connection to stay open after {what}", "it was closed", is_cut=True)


async def joining_closes_other_tabs(stage: Stage, actor: Actor) -> bool:
    """Whether a user's connection is closed when another tab joins, and nothing else is done."""
    try:
        earlier = await joined_tab(stage, actor)
        await joined_tab(stage, actor)
        return not await earlier.fence()
    except (Unjudged, TargetFault):  # a server that is gone is another requirement's matter
        return False


async def joined_tab(stage: Stage, actor: Actor, transport: str | None = None) -> Actor:
    """Connect a user once more and join; over another transport than asked for, where that one lets nobody in."""
    try:
        tab = await stage.other_tab(actor, transport=transport)
    except (Refused, Gone):
        if transport is None:
            raise
        tab = await stage.other_tab(actor)
    await tab.join(stage.session)
    return tab


async def joined_tabs(stage: Stage, actor: Actor, transports: Iterable[str]) -> list[Actor]:
    """Connect a user once more over each transport and join; none over one that lets nobody in.

    Another requirement sees to it that the transport is served.
    """
    tabs: list[Actor] = []
    for transport in transports:
        with contextlib.suppress(Refused):
            tab = await stage.other_tab(actor, transport=transport)
            await tab.join(stage.session)
            tabs.append(tab)
    return tabs
