"""What scenes do to memberships and to their sessions, and what is left of that when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.target import Target


@asynccontextmanager
async def _pool(target: Target) -> AsyncIterator[AccountPool]:
    provisioner = Provisioner(target)
    try:
        yield AccountPool(0, provisioner)
    finally:
        await provisioner.close()


async def _members(pool: AccountPool, target: Target) -> list[str]:
    """Return the participants of the session, as a scene on it is answered."""
    stage = Stage(pool, target)
    await stage.set_up()
    alice = await stage.connected("alice")
    found: list[str] = (await alice.join(stage.session)).data["participantIds"]
    await stage.tear_down()
    return found


async def test_a_guest_goes_when_the_scene_is_over(reference_url: str) -> None:
    """In a session that is kept for other scenes, a guest who was not removed by then is no member any more."""
    target = Target(reference_url, keeps_sessions=True)
    async with _pool(target) as pool:
        before = await _members(pool, target)
        stage = Stage(pool, target)
        await stage.set_up()
        mallory = await stage.roles.identity("mallory")
        await stage.take_in(mallory)
        visitor = await stage.connected("mallory")
        assert mallory.user in (await visitor.join(stage.session)).data["participantIds"]
        await stage.tear_down()
        assert await _members(pool, target) == before


async def test_a_session_that_there_was_no_time_to_delete_is_known_to_be_left(
    reference_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the connections took all of the time: who met in that session may share it still."""
    target = Target(reference_url)
    async with _pool(target) as pool:
        stage = Stage(pool, target)
        await stage.set_up()
        await stage.joined("alice", "bob")
        with monkeypatch.context() as slow:
            slow.setattr(stage, "hang_up", asyncio.Event().wait)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stage.tear_down()
        assert pool.leftovers
        await stage.tear_down()


async def test_a_member_who_was_taken_in_again_remains_one(reference_url: str) -> None:
    """In a session that is kept for other scenes, bob's membership ends, begins again, and lasts."""
    target = Target(reference_url, keeps_sessions=True)
    async with _pool(target) as pool:
        stage = Stage(pool, target)
        await stage.set_up()
        bob = await stage.joined("bob")
        await stage.revoke(bob)
        await stage.take_in(bob.identity)
        await stage.tear_down()
        assert bob.user in await _members(pool, target)


async def test_a_session_is_deleted_once(reference_url: str) -> None:
    """What a scene has deleted itself is not deleted again afterwards, which would be answered 404."""
    target = Target(reference_url)
    async with _pool(target) as pool:
        stage = Stage(pool, target)
        await stage.set_up()
        alice = await stage.joined("alice")
        await stage.delete_session(alice)
        assert not (await alice.try_join(stage.session)).accepted
        await stage.tear_down()


async def test_a_session_that_other_scenes_use_is_not_deleted(reference_url: str) -> None:
    """The scene is left out, with advice."""
    target = Target(reference_url, keeps_sessions=True)
    async with _pool(target) as pool:
        stage = Stage(pool, target)
        await stage.set_up()
        with pytest.raises(Missing, match=r"add \[session.open\] and \[session.close\], with per = \"check\""):
            await stage.delete_session()
        await stage.tear_down()
        assert await _members(pool, target)
