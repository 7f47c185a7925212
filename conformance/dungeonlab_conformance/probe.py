"""A walk through everything a run needs of its target, one step at a time. Judges nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from dungeonlab_conformance.backstage import Backstage
from dungeonlab_conformance.connection import Refused
from dungeonlab_conformance.runner import reach
from dungeonlab_conformance.stage import Cast, Stage
from dungeonlab_conformance.target import Target
from dungeonlab_conformance.verdict import Broken, TargetFault, Unjudged

NAMES = ("gamemaster", "alice", "bob", "carol", "dave", "mallory")


async def probing(target: Target) -> AsyncIterator[tuple[str, str]]:
    """Yield each step's name, and what is wrong with it (or nothing); ends at the first that fails."""
    backstage = Backstage(target)
    stage = Stage(Cast(0, backstage), target)

    async def distinct() -> None:
        users = [(await stage.cast.identity(name)).user for name in NAMES]
        if len(set(users)) != len(users):
            raise TargetFault(f"several accounts have one id: {users}")

    async def revoking() -> None:
        await stage.revoke(stage.actors[-1])

    steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        (f"{target.url}{target.path} answers a Socket.IO v4 handshake", lambda: reach(target)),
        *((f"{name} logs in", lambda name=name: stage.cast.identity(name)) for name in NAMES),
        ("each is somebody else", distinct),
        ("a session is opened, with members and an encounter", stage.set),
        ("alice connects and joins it", lambda: stage.joined("alice")),
        ("her membership is revoked", revoking),
        ("everything is cleared away", stage.strike),
    ]
    try:
        for name, act in steps:
            try:
                await act()
            except (TargetFault, Unjudged, Broken, Refused) as problem:
                yield name, str(problem)
                return
            yield name, ""
    finally:
        for actor in stage.actors:
            await actor.leave_stage()
        await backstage.close()
