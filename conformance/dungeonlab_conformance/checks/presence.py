"""Presence events, which a server may send and no client may rely on."""

from __future__ import annotations

import asyncio
import contextlib

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import let_a_moment_pass


async def _must_be_announced(listener: Actor, event: str) -> None:
    await _hear_perhaps(listener, event)
    if not any(o.event == event for o in listener.journal.heard(listener.connection)):
        raise Broken(f"perhaps a {event} event", "none, which is allowed")


async def _hear_perhaps(listener: Actor, event: str) -> None:
    """Make a round trip, and wait a moment more for what a cluster passes on late, or the server holds back."""
    await listener.fence()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(listener.target.limits.quiet):
            await listener.try_observe(lambda seen: seen.act == "hears" and seen.event == event)


@check("presence/joining-announced")
async def joining_may_be_announced(stage: Stage) -> None:
    """Bob is in the room when carol joins; he may be sent user-joined."""
    stage.target.needs("presence")
    bob = await stage.joined("bob")
    await stage.joined("carol")
    await _must_be_announced(bob, "user-joined")


@check("presence/names-who-joined")
async def who_joins_may_be_named(stage: Stage) -> None:
    """Bob is in the room when carol joins; he may be sent one user-joined, which names her."""
    stage.target.needs("presence")
    bob = await stage.joined("bob")
    start = len(bob.journal.heard(bob.connection))
    carol = await stage.joined("carol")
    await _hear_perhaps(bob, "user-joined")
    heard = [o for o in bob.journal.heard(bob.connection)[start:] if o.event == "user-joined"]
    named = [o.args[0].get("userId") for o in heard if o.args and isinstance(o.args[0], dict)]
    others = [user for user in named if user != carol.user]
    if named.count(carol.user) != 1 or (others and stage.game.exclusive):
        raise Broken(f"perhaps one user-joined, of {carol.user!r}", f"{len(named)}, of {named}", "$.userId")


@check("presence/leaving-announced")
async def leaving_may_be_announced(stage: Stage) -> None:
    """Bob is in the room when carol leaves; he may be sent user-left."""
    stage.target.needs("presence")
    bob, carol = await stage.joined("bob", "carol")
    await carol.leave()
    await _must_be_announced(bob, "user-left")


@check("presence/true-user")
async def who_went_goes_no_second_time(stage: Stage) -> None:
    """Carol switches to the second session, and her connection ends; in the first, her going is said once at most.

    What is said of her otherwise is an invariant.
    """
    if not stage.target.offers("presence") or not stage.game.exclusive:
        return  # where others are, she may come and go in another scene
    bob, carol = await stage.joined("bob", "carol")
    start = len(bob.journal.heard(bob.connection))
    await carol.join((await stage.other_game()).session)
    await _hear_perhaps(bob, "user-left")
    await carol.disconnect_cleanly()
    await let_a_moment_pass()
    await bob.fence()
    heard = [o for o in bob.journal.heard(bob.connection)[start:] if o.event == "user-left" and o.args]
    said = [o.args[0] for o in heard if isinstance(o.args[0], dict) and o.args[0].get("userId") == carol.user]
    if len([body for body in said if body.get("sessionId") == stage.session]) > 1:
        raise Broken("one user-left of carol, who went once", f"{len(said)}: {said}")


@check("presence/removal-announced")
async def removal_may_be_announced(stage: Stage) -> None:
    """Bob is in the room when his membership is revoked; he may be sent session-removed."""
    stage.target.needs("presence")
    bob = await stage.joined("bob")
    await stage.revoke(bob)
    await _must_be_announced(bob, "session-removed")
