"""What any store owes. A further one is a further entry of STORES."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
from tests.reference_server.people import SlowStore

from dungeonlab_reference_server.rules import Session
from dungeonlab_reference_server.store import MemoryStore, Store, User

STORES: dict[str, Callable[[], Store]] = {"memory": MemoryStore, "slow": SlowStore}
ALICE, BOB = User("a", "alice", "Alice", "hash"), User("b", "bob", None, "hash")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """Return an empty store of each kind."""
    return STORES[request.param]()


async def test_an_account_is_found_by_id_and_by_name(store: Store) -> None:
    """What was kept comes back, and nothing for an unknown id or name."""
    assert await store.add_user(ALICE)
    assert await store.user("a") == ALICE == await store.user_named("alice")
    assert await store.user("x") is await store.user_named("x") is None


async def test_a_username_is_taken_once(store: Store) -> None:
    """Of several at the same time, one gets the name."""
    rivals = [User(str(i), "alice", None, "hash") for i in range(8)]
    assert sorted(await asyncio.gather(*map(store.add_user, rivals))) == [False] * 7 + [True]
    winner = await store.user_named("alice")
    assert winner in rivals
    found = await asyncio.gather(*(store.user(rival.id) for rival in rivals))
    assert [user for user in found if user] == [winner]


def test_a_profile_holds_no_secret() -> None:
    """Others see id, username and display name, the last only if there is one."""
    assert ALICE.profile() == {"id": "a", "username": "alice", "displayName": "Alice"}
    assert BOB.profile() == {"id": "b", "username": "bob"}


async def test_a_cookie_stands_for_a_user_until_it_is_closed(store: Store) -> None:
    """Closing one login leaves the user's others alone; closing an unknown one is harmless."""
    await store.open_login("c1", "a")
    await store.open_login("c2", "a")
    await store.close_login("c1")
    await store.close_login("nothing")
    assert [await store.login(cookie) for cookie in ("c1", "c2", "")] == [None, "a", None]


async def test_membership_comes_and_goes(store: Store) -> None:
    """Enrolling twice is enrolling once; revoking a stranger is harmless."""
    await store.save_session(Session("s", "Table", "gm"))
    await asyncio.gather(*(store.enrol("s", user) for user in ("a", "b", "a")))
    session = await store.session("s")
    assert session is not None
    assert sorted(session.participants) == ["a", "b"]
    await store.revoke("s", "a")
    await store.revoke("s", "x")
    assert await store.session("s") == Session("s", "Table", "gm", ("b",))


async def test_there_is_no_membership_without_a_session(store: Store) -> None:
    """Enrolling into nothing, or revoking from it, does nothing."""
    await store.enrol("nowhere", "a")
    await store.revoke("nowhere", "a")
    await store.delete_session("nowhere")
    assert await store.session("nowhere") is None
    assert not await store.share_session("a", "a")


async def test_sharing_a_session(store: Store) -> None:
    """Members of one session share it, the game master included, until one of them goes or the session does."""
    await store.save_session(Session("s", "Table", "gm"))
    await store.save_session(Session("t", "Other", "x"))
    await store.enrol("s", "a")
    await store.enrol("s", "b")
    assert await store.share_session("a", "gm")
    assert await store.share_session("a", "b")
    assert not await store.share_session("a", "x")
    await store.revoke("s", "b")
    await store.revoke("s", "gm")  # a game master stays a member
    assert not await store.share_session("a", "b")
    assert await store.share_session("a", "gm")
    await store.delete_session("s")
    assert not await store.share_session("a", "gm")


async def test_a_session_takes_its_encounters_and_tokens_along(store: Store) -> None:
    """What belongs to another session stays."""
    for name in ("s", "t"):
        await store.save_session(Session(name, "Table", "gm"))
        await store.save_encounter(f"e{name}", name)
        await store.save_token({"id": f"k{name}", "encounterId": f"e{name}"})
    await store.delete_session("s")
    assert await store.session("s") is None
    assert await store.encounter_session("es") is None
    assert await store.token("ks") is None
    assert await store.encounter_session("et") == "t"
    assert await store.token("kt") == {"id": "kt", "encounterId": "et"}


async def test_a_token_is_a_copy_both_ways(store: Store) -> None:
    """Changing what was put in, or what came out, changes nothing that is stored."""
    token = {"id": "k", "encounterId": "e", "data": {"hp": 1}}
    await store.save_token(token)
    token["data"]["hp"] = 2  # type: ignore[index]
    out = await store.token("k")
    assert out is not None
    out["data"]["hp"] = 3
    assert await store.token("k") == {"id": "k", "encounterId": "e", "data": {"hp": 1}}


async def test_a_deleted_token_is_gone(store: Store) -> None:
    """Deleting once is enough, and twice is harmless."""
    await store.save_token({"id": "k", "encounterId": "e"})
    await store.delete_token("k")
    await store.delete_token("k")
    assert await store.token("k") is None


async def test_a_turn_is_one_at_a_time(store: Store) -> None:
    """A task that reads, decides and writes within a turn loses nothing."""
    await store.save_token({"id": "k", "encounterId": "e", "version": 0})

    async def count() -> None:
        async with store.turn("s"):
            token = await store.token("k")
            assert token is not None
            await asyncio.sleep(0)
            await store.save_token({**token, "version": token["version"] + 1})

    await asyncio.gather(*(count() for _ in range(20)))
    assert (await store.token("k") or {})["version"] == 20


async def test_turns_of_others_are_not_waited_for(store: Store) -> None:
    """Two sessions do not hold each other up."""
    async with asyncio.timeout(5), store.turn("s"), store.turn("t"):
        pass


async def test_a_turn_ends_with_an_exception_too(store: Store) -> None:
    """A block that fails lets the next one in."""
    with pytest.raises(ZeroDivisionError):
        async with store.turn("s"):
            raise ZeroDivisionError
    async with asyncio.timeout(5), store.turn("s"):
        pass


async def test_turns_leave_nothing_behind() -> None:
    """Memory does not grow with the number of keys that were ever asked for."""
    store = MemoryStore()
    for i in range(50):
        async with store.turn(str(i)):
            pass
    gc.collect()
    assert not store._turns
