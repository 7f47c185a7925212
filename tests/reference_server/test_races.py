"""What holds when things happen at once, over a store of which every method takes its time.

Each is tried several times: the store never takes the same time twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.reference_server.people import Connection, House, Person, draft, eventually

TRIES = 6


@pytest.fixture(autouse=True)
def no_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Hold everything here to: no race is logged as a fault of the server's own."""
    yield
    assert not [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]


async def settle(*acts: Any) -> list[Any]:
    """Do things at once and see them through; a connection may end while it asks."""
    return await asyncio.gather(*acts, return_exceptions=True)


async def scene(house: House) -> tuple[Person, Person, dict[str, str], Connection, Connection]:
    """Return a game master and a member, joined, with an encounter."""
    gm, bob = await house.person(), await house.person()
    session = await house.table(gm, bob)
    made = await gm.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "x"}, expect=201)
    return gm, bob, {"sessionId": session, "encounterId": made["id"]}, await gm.joins(session), await bob.joins(session)


async def test_each_change_counts_once(slow: House) -> None:
    """Changes of one token by several people: the version grows by one each, and the last heard is what is stored."""
    _, _, place, master, member = await scene(slow)
    token = (await master.does("token:create", {**place, "token": draft()}))["token"]["id"]

    def move(who: Connection, x: int) -> Any:
        return who.does("token:move", {**place, "tokenId": token, "position": {"x": x, "y": 0}})

    answers = await asyncio.gather(*(move(who, x) for x in range(10) for who in (master, member)))
    assert sorted(a["version"] for a in answers) == list(range(2, 22))
    stored = await slow.store.token(token)
    assert stored is not None
    assert stored["version"] == 21
    last = max(answers, key=lambda a: a["version"])
    assert last["position"] == stored["position"]
    await eventually(lambda: len(master.events("token:move")) == len(member.events("token:move")) == 10)
    for who in (master, member):
        heard = [p["version"] for p in who.events("token:move")]
        assert heard == sorted(heard)


async def test_a_deleted_token_does_not_come_back(slow: House) -> None:
    """A move at the same time comes before, or is refused; either way the token is gone."""
    _, _, place, master, member = await scene(slow)
    for _ in range(TRIES):
        token = (await master.does("token:create", {**place, "token": draft()}))["token"]["id"]
        asked = {**place, "tokenId": token}
        move = member.asks("token:move", {**asked, "position": {"x": 5, "y": 5}})
        moved, _ = await asyncio.gather(move, master.does("token:delete", asked))
        assert moved["success"] or moved["code"] == "TOKEN_NOT_FOUND"
        assert await slow.store.token(token) is None
        await member.does("get-user-data", {})


async def test_a_revoked_member_has_no_effect_and_no_seat(slow: House) -> None:
    """Once revoking is answered, what the member had under way is done or refused, and no join has got through."""
    gm, bob, place, master, member = await scene(slow)
    session = place["sessionId"]
    second = await bob.connects()
    for _ in range(TRIES):
        chats = [member.asks("chat-message", {"sessionId": session, "message": "x"}) for _ in range(4)]
        revoke = gm.asks("DELETE", f"/api/game-sessions/{session}/participants/{bob.id}", expect=204)
        running = asyncio.gather(*chats, second.asks("join-session", {"sessionId": session}))
        await revoke
        heard = len(master.events("chat-message"))
        assert [slow.pipeline.users[c] for c in slow.pipeline.seats] == [gm.id]
        await running
        await master.does("get-user-data", {})
        assert len(master.events("chat-message")) == heard
        await gm.asks("PUT", f"/api/game-sessions/{session}/participants/{bob.id}", expect=204)
        await member.does("join-session", {"sessionId": session})


async def test_a_deleted_session_keeps_nothing(slow: House) -> None:
    """Tokens, encounters and members made at the same time are gone with it, and nobody sits in it."""
    for _ in range(TRIES):
        gm, bob, place, master, member = await scene(slow)
        path = f"/api/game-sessions/{place['sessionId']}"
        await settle(
            master.asks("token:create", {**place, "token": draft()}),
            bob.asks("POST", f"{path}/encounters", {"name": "y"}, expect=403),
            gm.asks("DELETE", path, expect=204),
            gm.http.post(f"{path}/encounters", json={"name": "y"}),
            gm.http.put(f"{path}/participants/{bob.id}"),
            member.asks("token:create", {**place, "token": draft()}),
            member.asks("join-session", {"sessionId": place["sessionId"]}),
        )
        assert not slow.store._tokens
        assert not slow.store._encounters
        assert not slow.store._sessions
        assert not slow.pipeline.seats


async def test_a_session_may_close_while_its_members_go(slow: House) -> None:
    """Some leave, some are cut off, some are removed: each once, and nobody is notified of a session that is none."""
    gm = await slow.person()
    people = [await slow.person() for _ in range(6)]
    session = await slow.table(gm, *people)
    seated = [await person.joins(session) for person in people]
    await settle(
        gm.asks("DELETE", f"/api/game-sessions/{session}", expect=204),
        *(member.leave() for member in seated[:3]),
        *(member.client.emit("leave-session", {"sessionId": session}) for member in seated[3:]),
    )
    await eventually(lambda: len(slow.pipeline.users) == 3)
    assert not slow.pipeline.seats
    for member in seated[3:]:
        removals = [p for event, p in member.heard if event == "session-removed"]
        assert removals in ([], [{"sessionId": session, "reason": "removed"}])


async def test_of_two_joins_at_once_one_wins(slow: House) -> None:
    """Two connections of a user that join different sessions: exactly one sits, and the other was notified."""
    gm, bob = await slow.person(), await slow.person()
    first, second = await slow.table(gm, bob), await slow.table(gm, bob)
    one, two = await bob.connects(), await bob.connects()
    for _ in range(TRIES):
        for connection in (one, two):
            connection.heard.clear()
        joins = one.does("join-session", {"sessionId": first}), two.does("join-session", {"sessionId": second})
        await asyncio.gather(*joins)
        assert len(slow.pipeline.seats) == 1
        await eventually(lambda: len(one.heard) + len(two.heard) >= 1)
        for connection, session in ((one, first), (two, second)):
            data = {"sessionId": session, "message": "x"}
            seated = (await connection.asks("chat-message", data))["success"]
            assert seated == (not connection.events("session-removed"))
            await connection.asks("leave-session", {"sessionId": session})


async def test_a_user_who_leaves_while_joining_is_forgotten(slow: House) -> None:
    """A connection cut in the middle of a join sits nowhere, and everything of it is forgotten."""
    gm, bob = await slow.person(), await slow.person()
    session = await slow.table(gm, bob)
    for pause in (0.0, 0.003, 0.006, 0.009, 0.012, 0.02):
        member = await bob.connects()
        await member.client.emit("join-session", {"sessionId": session}, callback=lambda *_: None)
        await asyncio.sleep(pause)  # where it is cut is what is tried out
        await member.leave()
        await eventually(lambda: not slow.pipeline.users)
        assert not slow.pipeline.seats
    await eventually(lambda: not slow.pipeline.sockets.manager.rooms)


async def test_a_logout_ends_what_is_under_way(slow: House) -> None:
    """Once it is answered nothing more is carried out, and no connection that was being made is let in."""
    for _ in range(TRIES):
        gm, bob, place, master, member = await scene(slow)
        chat = {"sessionId": place["sessionId"], "message": "x"}
        acts = [member.client.emit("chat-message", chat) for _ in range(3)]
        acts += [bob.connects(wait=False), bob.connects(wait=False)]
        running = asyncio.ensure_future(settle(*acts))
        await bob.asks("POST", "/api/auth/logout", expect=204)
        assert bob.id not in slow.pipeline.users.values()
        await running
        await eventually(lambda: not slow.pipeline.sockets.manager.pending_connect)
        assert bob.id not in slow.pipeline.users.values()
        assert [slow.pipeline.users[c] for c in slow.pipeline.seats] == [gm.id]
        await master.leave()
        await eventually(lambda: not slow.pipeline.users)


async def test_a_connection_lost_while_it_is_let_in_is_forgotten(slow: House) -> None:
    """The cookie is looked up, and meanwhile the transport is closed."""
    bob = await slow.person()
    for pause in (0.0, 0.002, 0.004, 0.006):
        url = "/socket.io/?EIO=4&transport=polling"
        async with bob.http.get(url) as answer:
            url += f"&sid={json.loads((await answer.text())[1:])['sid']}"
        entering = asyncio.ensure_future(bob.http.post(url, data="40"))
        await asyncio.sleep(pause)  # where it is cut is what is tried out
        async with bob.http.post(url, data="1"):
            (await entering).release()
        manager = slow.pipeline.sockets.manager
        await eventually(lambda m=manager: not m.rooms and not m.pending_connect and not slow.pipeline.users)  # type: ignore[misc]
    assert not slow.pipeline.sockets.environ


async def test_enrolling_at_once_loses_nobody(slow: House) -> None:
    """Every one of several is a participant afterwards."""
    gm = await slow.person()
    session = await slow.table(gm)
    people = [await slow.person() for _ in range(6)]
    path = f"/api/game-sessions/{session}"
    await asyncio.gather(*(gm.asks("PUT", f"{path}/participants/{p.id}", expect=204) for p in people))
    assert sorted((await gm.asks("GET", path))["participantIds"]) == sorted(p.id for p in people)
