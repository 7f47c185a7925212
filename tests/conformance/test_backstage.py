"""What goes on behind the scenes, when it does not go smoothly."""

from __future__ import annotations

from dungeonlab_conformance.backstage import Backstage
from dungeonlab_conformance.target import Target


async def test_an_attempt_to_register_may_be_repeated(reference_url: str) -> None:
    """An account whose making was not answered in time may exist all the same: the next attempt makes another."""
    backstage = Backstage(Target(reference_url))
    try:
        first, second = await backstage.log_in("alice", 0), await backstage.log_in("alice", 0)
    finally:
        await backstage.close()
    assert first.user != second.user
