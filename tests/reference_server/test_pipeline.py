"""What a connection receives, and what it does not: over real sockets, everything sent checked against the schemas."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import aiohttp
import pytest
import socketio
from tests.reference_server.people import House, draft, eventually, house

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission
from dungeonlab_reference_server.settings import Settings
from dungeonlab_spec import Catalogue

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])


@TRANSPORTS
async def test_a_conversation(here: House, transport: str) -> None:
    """Joining, chat and a token's life, over either transport."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    encounter = (await gm.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "Cave"}, expect=201))["id"]
    place = {"sessionId": session, "encounterId": encounter}
    master, member = await gm.joins(session, transport), await bob.joins(session, transport)
    said = await master.does("chat-message", {"sessionId": session, "message": "Roll!"})
    token = (await member.does("token:create", {**place, "token": draft()}))["token"]
    moved = await master.does("token:move", {**place, "tokenId": token["id"], "position": {"x": 5, "y": 6}})
    assert moved["version"] == 2
    updated = await member.does("token:update", {**place, "tokenId": token["id"], "updates": {"name": "Orc"}})
    assert (updated["token"]["name"], updated["token"]["position"]["x"]) == ("Orc", 5)
    await master.does("token:delete", {**place, "tokenId": token["id"]})
    gone = {**place, "tokenId": token["id"], "position": {"x": 1, "y": 1}}
    assert await member.is_refused("token:move", gone) == "TOKEN_NOT_FOUND"
    await eventually(lambda: member.events("token:delete"))
    assert [event for event, _ in member.heard] == ["chat-message", "token:move", "token:delete"]
    assert member.events("chat-message")[0]["messageId"] == said["messageId"]
    assert [event for event, _ in master.heard if event != "user-joined"] == ["token:create", "token:update"]


async def test_who_may_not(here: House) -> None:
    """Outsiders, members who have not joined, unknown sessions, encounters and tokens: each has its own code."""
    gm, bob, mallory = await here.person(), await here.person(), await here.person()
    session, other = await here.table(gm, bob), await here.table(gm)
    foreign = (await gm.asks("POST", f"/api/game-sessions/{other}/encounters", {"name": "x"}, expect=201))["id"]
    member, stranger = await bob.connects(), await mallory.connects()
    chat = {"sessionId": session, "message": "hi"}
    assert await stranger.is_refused("join-session", {"sessionId": session}) == "PERMISSION_DENIED"
    assert await stranger.is_refused("chat-message", chat) == "PERMISSION_DENIED"
    assert await stranger.is_refused("join-session", {"sessionId": "nowhere"}) == "SESSION_NOT_FOUND"
    assert await member.is_refused("chat-message", chat) == "NOT_JOINED"
    await member.does("join-session", {"sessionId": session})
    create = {"sessionId": session, "encounterId": foreign, "token": draft()}
    assert await member.is_refused("token:create", create) == "ENCOUNTER_NOT_FOUND"
    assert await member.is_refused("get-user-data", {"userId": mallory.id}) == "PERMISSION_DENIED"
    assert (await member.does("get-user-data", {"userId": gm.id}))["user"]["username"] == gm.name


async def test_a_question_is_answered_and_has_no_effect(here: House) -> None:
    """validate-action says yes, or no and why, also of an encounter that is not there."""
    gm = await here.person()
    session = await here.table(gm)
    encounter = (await gm.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "x"}, expect=201))["id"]
    master = await gm.joins(session)
    asked: dict[str, Any] = {"sessionId": session, "encounterId": encounter, "token": draft()}
    question = {"sessionId": session, "action": {"type": "token:create", "payload": asked}}
    assert await master.does("validate-action", question) == {"valid": True, "errors": []}
    asked["encounterId"] = "nowhere"
    answer = await master.does("validate-action", question)
    assert answer["valid"] is False
    assert answer["errors"] == ["there is no such encounter in this session"]


async def test_presence(here: House) -> None:
    """The room hears of a user's first connection that comes and the last that goes, with the reason."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master = await gm.joins(session)
    one, two = await bob.joins(session), await bob.joins(session)
    await one.leave()
    await two.does("leave-session", {"sessionId": session})
    await eventually(lambda: master.events("user-left"))
    assert [p["userId"] for p in master.events("user-joined")] == [bob.id]
    assert [p["reason"] for p in master.events("user-left")] == ["left"]
    three = await bob.joins(session)
    await three.leave()
    await eventually(lambda: len(master.events("user-left")) == 2)
    assert master.events("user-left")[1]["reason"] == "disconnected"


async def test_joining_elsewhere_moves_every_connection_of_the_user(here: House) -> None:
    """One session at a time: the others are removed and notified."""
    gm, bob = await here.person(), await here.person()
    first, second = await here.table(gm, bob), await here.table(gm, bob)
    master = await gm.joins(first)
    old, new = await bob.joins(first), await bob.joins(first)
    await new.does("join-session", {"sessionId": second})
    await eventually(lambda: old.events("session-removed"))
    assert old.events("session-removed") == [{"sessionId": first, "reason": "switched"}]
    assert await old.is_refused("chat-message", {"sessionId": first, "message": "x"}) == "NOT_JOINED"
    await eventually(lambda: master.events("user-left"))
    assert [p["reason"] for p in master.events("user-left")] == ["switched"]
    assert sorted(here.pipeline.seats.values()) == sorted([first, second])


async def test_revoking_throws_out_at_once(here: House) -> None:
    """When the HTTP answer is there, no connection of the user is in the room; the room hears of it."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master, member = await gm.joins(session), await bob.joins(session)
    await gm.asks("DELETE", f"/api/game-sessions/{session}/participants/{bob.id}", expect=204)
    assert list(here.pipeline.seats.values()) == [session]
    await master.does("chat-message", {"sessionId": session, "message": "he is gone"})
    assert await member.is_refused("chat-message", {"sessionId": session, "message": "x"}) == "PERMISSION_DENIED"
    assert [event for event, _ in member.heard] == ["session-removed"]
    assert master.events("user-left")[0]["reason"] == "removed"
    await gm.asks("DELETE", f"/api/game-sessions/{session}/participants/{gm.id}", expect=204)
    await master.does("chat-message", {"sessionId": session, "message": "I stay"})


async def test_a_connection_that_left_by_itself_is_not_removed(here: House) -> None:
    """A connection that left in the meantime receives nothing: there is no session to name."""
    bob = await here.person()
    connection = await bob.connects()
    (known,) = here.pipeline.users
    await here.pipeline.remove_from_room(known, "removed")
    await connection.does("get-user-data", {})
    assert connection.heard == []


async def test_deleting_a_session_empties_its_room(here: House) -> None:
    """Everybody is notified, and the session is no more."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master, member = await gm.joins(session), await bob.joins(session)
    await gm.asks("DELETE", f"/api/game-sessions/{session}", expect=204)
    for connection in (master, member):
        await eventually(partial(connection.events, "session-removed"))
        assert await connection.is_refused("join-session", {"sessionId": session}) == "SESSION_NOT_FOUND"
    assert not here.pipeline.seats


@TRANSPORTS
async def test_logging_out_ends_every_connection_of_the_user(here: House, transport: str) -> None:
    """Also those of other tabs; others keep theirs, and nothing of the user's is left behind."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master = await gm.joins(session)
    tabs = [await bob.joins(session, transport), await bob.connects(transport)]
    await bob.asks("POST", "/api/auth/logout", expect=204)
    for tab in tabs:
        await asyncio.wait_for(tab.closed.wait(), 10)
    assert list(here.pipeline.users.values()) == [gm.id]
    assert [p["reason"] for p in master.events("user-left")] == ["disconnected"]
    await master.does("chat-message", {"sessionId": session, "message": "alone"})


async def test_without_a_cookie_nobody_gets_in(here: House) -> None:
    """The refusal says why, in words and by a code, and leaves nothing behind."""
    async with aiohttp.ClientSession() as http:
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=http)
        errors: list[Any] = []
        client.on("connect_error", errors.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(here.url, transports=["websocket"])
        await client.eio.disconnect(abort=True)
    assert errors[0]["data"] == {"code": "UNAUTHENTICATED"}
    assert "log in" in errors[0]["message"]
    assert not here.pipeline.users


async def test_a_cookie_is_read_beside_strange_neighbours(here: House) -> None:
    """What other programs on the host put into the Cookie header does not hide ours."""
    bob = await here.person()
    (ours,) = bob.http.cookie_jar
    header = {"Cookie": f'strange={{"a": 1}}; {ours.key}={ours.value}; last'}
    path = "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession(here.url, headers=header) as http, http.ws_connect(path) as socket:
        await socket.receive_str()
        await socket.send_str("40")
        assert (await socket.receive_str()).startswith('40{"sid"')


async def test_silence_and_the_error_event(here: House) -> None:
    """Without a callback success says nothing, and failure is reported to that connection alone."""
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master, member = await gm.joins(session), await bob.joins(session)
    master.heard.clear()
    await member.client.emit("chat-message", {"sessionId": session, "message": "quietly"})
    await member.client.emit("chat-message", {"sessionId": session, "message": ""})
    await member.client.emit("no-such-event", {})
    await eventually(lambda: len(member.events("error")) == 2)
    await master.does("get-user-data", {})
    assert [event for event, _ in master.heard] == ["chat-message"]
    assert [(p["event"], p["code"]) for p in member.events("error")] == [
        ("chat-message", "VALIDATION_ERROR"),
        ("no-such-event", "VALIDATION_ERROR"),
    ]


async def test_too_many_events_are_refused_per_user(here: House) -> None:
    """The limit is a user's, over all connections; another user is not concerned."""
    async with house(Settings(rate_limit=3, check_outgoing=True)) as strict:
        bob, carol = await strict.person(), await strict.person()
        one, two, other = await bob.connects(), await bob.connects(), await carol.connects()
        await one.does("get-user-data", {})
        await two.does("get-user-data", {})
        assert await one.is_refused("get-user-data", 5) == "VALIDATION_ERROR"
        assert await two.is_refused("get-user-data", {}) == "RATE_LIMITED"
        await two.client.emit("get-user-data", {})
        await eventually(lambda: two.events("error"))
        assert two.events("error")[0]["code"] == "RATE_LIMITED"
        await other.does("get-user-data", {})


async def test_a_fault_of_ours_is_answered_too(here: House, caplog: pytest.LogCaptureFixture) -> None:
    """INTERNAL_ERROR, a traceback in the log without what the client wrote, and the connection goes on."""

    class Falls(Pipeline):
        async def user_data(self, *asked: Any) -> dict[str, Any]:
            raise KeyError(f"a secret: {asked}")

    async with house(pipeline_class=Falls) as broken:
        bob = await (await broken.person()).connects()
        assert await bob.is_refused("get-user-data", {"x": "hush"}) == "INTERNAL_ERROR"
        assert await bob.is_refused("join-session", {"sessionId": "nowhere"}) == "SESSION_NOT_FOUND"
    assert "KeyError" in caplog.text
    assert "in user_data" in caplog.text
    assert "hush" not in caplog.text


async def test_the_debug_switch_notices_what_does_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    """An answer, or a broadcast, that its schema does not know is not sent, and the log says which schema."""

    class Tells(Pipeline):
        async def user_data(self, *_: Any) -> dict[str, Any]:
            return {"user": {"id": "x", "username": "x", "passwordHash": "x"}}

        async def broadcast(self, emission: Emission, sender: str) -> None:
            await super().broadcast(Emission(emission.event, emission.session, {"secret": 1}), sender)

    async with house(pipeline_class=Tells) as broken:
        gm = await broken.person()
        session = await broken.table(gm)
        master = await gm.joins(session)
        other = await gm.joins(session)
        assert await master.is_refused("get-user-data", {}) == "INTERNAL_ERROR"
        assert await master.is_refused("chat-message", {"sessionId": session, "message": "x"}) == "INTERNAL_ERROR"
        await other.does("leave-session", {"sessionId": session})
        assert other.heard == []
    for event, part in (("get-user-data", "ack"), ("chat-message", "emission")):
        assert f"schema={getattr(Catalogue.load()[event], part)}" in caplog.text


async def test_one_senders_events_keep_their_order(slow: House) -> None:
    """A burst over a store that takes its time: answers and broadcasts come in the order sent."""
    gm, bob = await slow.person(), await slow.person()
    session = await slow.table(gm, bob)
    master, member = await gm.joins(session), await bob.joins(session)
    answered: list[int] = []
    for i in range(30):
        said = {"sessionId": session, "message": str(i)}
        await member.client.emit("chat-message", said, callback=lambda _, i=i: answered.append(i))
    await eventually(lambda: len(master.events("chat-message")) == len(answered) == 30)
    assert answered == list(range(30))
    assert [p["message"] for p in master.events("chat-message")] == [str(i) for i in range(30)]


async def test_uploads_at_once_keep_their_order(slow: House) -> None:
    """Two polling uploads that overlap are carried out one after the other, as they arrived."""
    bob = await slow.person()
    session = await slow.table(bob)
    url = "/socket.io/?EIO=4&transport=polling"
    async with bob.http.get(url) as answer:
        url += f"&sid={json.loads((await answer.text())[1:])['sid']}"

    async def upload(body: str) -> None:
        async with bob.http.post(url, data=body) as answer:
            assert answer.status == 200

    await upload("40")
    join, leave = (f'42{n}["{e}-session",{{"sessionId":"{session}"}}]' for n, e in ((1, "join"), (2, "leave")))
    await asyncio.gather(*map(upload, [join, leave] * 3))
    seen = ""
    while seen.count("43") < 6:
        async with bob.http.get(url) as answer:
            seen += await answer.text()
    assert seen.count('"success":true') == 6
    assert not slow.pipeline.seats
