"""What happens on order: to one user or to all, over both transports, with everything else as the protocol has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import socketio
from tests.reference_server.people import Connection, House, Person, eventually, house

from dungeonlab_reference_server.interventions import AddErrorEvent, Delay, Interventions, Refuse

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])
LATE = 0.2  # seconds


@dataclass
class Table:
    """Two people in one session, on a server that takes orders."""

    server: Interventions
    house: House
    session: str
    gm: Person
    bob: Person

    def chat(self, message: str = "hi") -> dict[str, Any]:
        """Return a request that is in order."""
        return {"sessionId": self.session, "message": message}

    async def joined(self, transport: str) -> tuple[Connection, Connection]:
        """Return a connection of each in the room."""
        return await self.gm.joins(self.session, transport), await self.bob.joins(self.session, transport)


@pytest.fixture
async def table() -> AsyncIterator[Table]:
    """Return a session of two people."""
    async with house(pipeline_class=Interventions) as here:
        gm, bob = await here.person(), await here.person()
        assert isinstance(here.pipeline, Interventions)
        yield Table(here.pipeline, here, await here.table(gm, bob), gm, bob)


@TRANSPORTS
async def test_the_next_request_of_one_user_is_refused(table: Table, transport: str) -> None:
    """Once, with the code, without an effect; joining and the requests of others are let through."""
    table.server.refuse_next(table.bob.id, "RATE_LIMITED")
    master, member = await table.joined(transport)
    await master.does("chat-message", table.chat("first"))
    assert await member.is_refused("chat-message", table.chat("second")) == "RATE_LIMITED"
    await member.does("chat-message", table.chat("third"))
    await eventually(lambda: master.events("chat-message"))
    assert [heard["message"] for heard in master.events("chat-message")] == ["third"]
    assert table.server.orders == []
    assert member.events("error") == []


@TRANSPORTS
async def test_the_next_request_that_wants_an_answer_is_refused(table: Table, transport: str) -> None:
    """Those before it that want none are refused as well, and do not count; what comes after it is carried out."""
    table.server.refuse_next(table.bob.id, "RATE_LIMITED", with_error_event=True, answered=True)
    _, bob = await table.joined(transport)
    for text in ("first", "second"):
        await bob.client.emit("chat-message", table.chat(text))
    assert await bob.is_refused("chat-message", table.chat("third")) == "RATE_LIMITED"
    assert [error["code"] for error in bob.events("error")] == ["RATE_LIMITED"] * 3
    assert table.server.orders == []
    await bob.does("chat-message", table.chat("fourth"))


async def test_an_order_for_an_event_waits_for_it(table: Table) -> None:
    """Other events are carried out, and so are those that the protocol never refuses with the code."""
    table.server.refuse_next(None, "SESSION_NOT_FOUND", event="join-session")
    table.server.refuse_next(table.bob.id, "TOKEN_NOT_FOUND")
    bob = await table.bob.connects()
    await bob.does("get-user-data", {})
    assert await bob.is_refused("join-session", {"sessionId": table.session}) == "SESSION_NOT_FOUND"
    await bob.does("join-session", {"sessionId": table.session})
    await bob.does("chat-message", table.chat())
    place = {"sessionId": table.session, "encounterId": "e", "tokenId": "t"}
    assert await bob.is_refused("token:delete", place) == "TOKEN_NOT_FOUND"
    assert await bob.is_refused("token:delete", place) == "ENCOUNTER_NOT_FOUND"


async def test_every_second_request(table: Table) -> None:
    """An order may stand, for one of so many requests, until it is withdrawn."""
    order = table.server.give(Refuse(code="INTERNAL_ERROR", event="chat-message", every=2))
    bob = await table.bob.joins(table.session)
    answers = [await bob.asks("chat-message", table.chat()) for _ in range(4)]
    assert [answer["success"] for answer in answers] == [True, False, True, False]
    table.server.withdraw(order)
    assert all([(await bob.asks("chat-message", table.chat()))["success"] for _ in range(2)])


@pytest.mark.parametrize(("event", "code"), [("chat-message", "TOKEN_NOT_FOUND"), (None, "OUT_OF_ORDER")])
def test_a_refusal_that_the_protocol_does_not_know_is_no_order(table: Table, event: str | None, code: str) -> None:
    """A code that the event is never refused with would make the server a faulty one."""
    with pytest.raises(ValueError, match=f"is never refused with {code}"):
        table.server.give(Refuse(event=event, code=code))


@TRANSPORTS
async def test_an_error_event_beside_the_acknowledgement(table: Table, transport: str) -> None:
    """With the same code, before it, once; to a refusal on order or to any failure, never to a success."""
    _, bob = await table.joined(transport)
    table.server.refuse_next(table.bob.id, "PERMISSION_DENIED", with_error_event=True)
    answer = await bob.asks("chat-message", table.chat())
    assert bob.events("error") == [{"event": "chat-message", "error": answer["error"], "code": "PERMISSION_DENIED"}]
    await bob.does("chat-message", table.chat())
    await bob.is_refused("chat-message", {})
    assert len(bob.events("error")) == 1
    table.server.give(AddErrorEvent(user=table.bob.id))
    await bob.is_refused("chat-message", {})
    assert [error["code"] for error in bob.events("error")] == ["PERMISSION_DENIED", "VALIDATION_ERROR"]


@TRANSPORTS
async def test_answers_are_late_and_in_order(table: Table, transport: str) -> None:
    """What is asked for is done at once; each answer comes under its number, in the order of the requests."""
    master, bob = await table.joined(transport)
    table.server.delay(table.bob.id, LATE)
    loop = asyncio.get_running_loop()
    began, ended = loop.time(), []

    async def ask(number: int) -> str:
        answer: str = (await bob.does("chat-message", table.chat(str(number))))["messageId"]
        ended.append(number)
        return answer

    asked = [asyncio.create_task(ask(number)) for number in range(20)]
    await eventually(lambda: len(master.events("chat-message")) == 20)
    assert not ended or loop.time() - began >= LATE
    table.server.delay(table.bob.id, None)
    asked.append(asyncio.create_task(ask(20)))  # not delayed itself, and still the last
    answers = await asyncio.gather(*asked)
    assert loop.time() - began >= LATE
    assert ended == list(range(21))
    await eventually(lambda: len(master.events("chat-message")) == 21)
    assert answers == [heard["messageId"] for heard in master.events("chat-message")]
    await master.does("chat-message", table.chat())


async def test_an_answer_that_waits_dies_with_its_connection(table: Table) -> None:
    """Nothing is sent to a connection that has ended, and nothing stays behind."""
    table.server.give(Delay(event="chat-message", seconds=LATE))
    bob = await table.bob.joins(table.session)
    await bob.client.emit("chat-message", table.chat(), callback=lambda *_: None)
    await eventually(lambda: table.server._held)
    await bob.leave()
    await eventually(lambda: not table.server._held)
    assert not table.server._waiting


@TRANSPORTS
async def test_a_connection_is_refused(table: Table, transport: str) -> None:
    """With `UNAUTHENTICATED`, in spite of the cookie, until that ends; others get in."""
    table.server.refuse_connects(table.bob.id)
    await table.gm.connects(transport)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await table.bob.connects(transport)
    async with table.bob.http.ws_connect("/socket.io/?EIO=4&transport=websocket") as socket:
        await socket.receive_str()
        await socket.send_str("40")
        refusal = await socket.receive_str()
    assert refusal.startswith("44")
    assert '"code":"UNAUTHENTICATED"' in refusal
    table.server.refuse_connects(table.bob.id, False)
    await table.bob.connects(transport)


@TRANSPORTS
async def test_any_event_is_sent(table: Table, transport: str) -> None:
    """To a user on every connection, or to a room; with any arguments, known or not."""
    master, bob = await table.joined(transport)
    second = await table.bob.connects()
    await table.server.emit(table.bob.id, "x-unknown:hello", {"any": ["thing"]}, 5)
    await table.server.emit(table.bob.id, "x-nothing")
    await table.server.emit_to_room(table.session, "user-joined", {"nobody": True})
    await eventually(lambda: ("user-joined", {"nobody": True}) in bob.heard and len(second.heard) == 2)
    assert bob.heard[:2] == second.heard == [("x-unknown:hello", {"any": ["thing"]}, 5), ("x-nothing",)]
    await eventually(lambda: ("user-joined", {"nobody": True}) in master.heard)
    assert not [event for event, *_ in master.heard if event.startswith("x-")]
    with pytest.raises(ValueError, match="client libraries"):
        await table.server.emit(None, "disconnect")


async def test_an_event_in_the_middle_of_an_upgrade_arrives(table: Table) -> None:
    """A client that moves from polling to WebSocket gets each event once, in order."""
    here = True

    async def send_all_the_time() -> int:
        number = 0
        while here:
            number += 1
            await table.server.emit(table.bob.id, "x-number", number)
            await asyncio.sleep(0.001)
        return number

    sending = asyncio.create_task(send_all_the_time())
    http = await table.house.stack.enter_async_context(
        aiohttp.ClientSession(cookies={c.key: c.value for c in table.bob.http.cookie_jar})
    )
    bob = Connection(socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=http))
    bob.client.on("*", bob.hear)
    table.house.stack.push_async_callback(bob.leave)
    await bob.client.connect(table.house.url, transports=["polling", "websocket"])
    assert bob.client.transport() == "websocket"
    here = False
    last = await sending
    await table.server.emit(table.bob.id, "x-number", last + 1)
    await eventually(lambda: last + 1 in bob.events("x-number"))
    numbers = bob.events("x-number")
    assert numbers == list(range(numbers[0], last + 2))


@TRANSPORTS
async def test_connections_end_as_a_broken_network_ends_them(table: Table, transport: str) -> None:
    """The client is informed by its transport alone, the room as of any connection lost; others stay."""
    master, bob = await table.joined(transport)
    second = await table.bob.connects("polling" if transport == "websocket" else "websocket")
    await table.server.end_connections(table.bob.id)
    for lost in (bob, second):
        await asyncio.wait_for(lost.closed.wait(), 10)
    await eventually(lambda: master.events("user-left"))
    assert master.events("user-left")[0]["reason"] == "disconnected"
    await master.does("chat-message", table.chat())
    again = await table.bob.connects(transport)
    assert await again.is_refused("chat-message", table.chat()) == "NOT_JOINED"


async def test_no_packet_says_that_a_connection_ends(table: Table) -> None:
    """Neither Socket.IO's DISCONNECT nor Engine.IO's CLOSE: after the first no client library would connect again."""
    frames = await table.bob.frames()
    await table.server.end_connections(None)
    await frames.is_closed()
    assert [frame[:2] for frame in frames.seen] == ["0{", "40"]


@TRANSPORTS
async def test_a_member_is_removed(table: Table, transport: str) -> None:
    """Out of the session and of the room, and informed."""
    master, bob = await table.joined(transport)
    await table.server.remove(table.bob.id, table.session)
    await eventually(lambda: bob.events("session-removed") and master.events("user-left"))
    assert bob.events("session-removed") == [{"sessionId": table.session, "reason": "removed"}]
    assert await bob.is_refused("chat-message", table.chat()) == "PERMISSION_DENIED"
    for user, session in ((table.bob.id, table.session), (table.gm.id, table.session), (table.bob.id, "nowhere")):
        with pytest.raises(ValueError, match="no participant"):
            await table.server.remove(user, session)


@pytest.mark.parametrize("as_if_cut", [False, True])
@TRANSPORTS
async def test_a_login_ends(table: Table, transport: str, as_if_cut: bool) -> None:
    """Every cookie of the user is dead, every connection closed; another login works."""
    master, bob = await table.joined(transport)
    await table.server.end_login(table.bob.id, as_if_cut=as_if_cut)
    await asyncio.wait_for(bob.closed.wait(), 10)
    await table.bob.asks("GET", "/api/auth/me", expect=401)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await table.bob.connects(transport)
    await master.does("chat-message", table.chat())


async def test_what_was_on_its_way_when_a_session_ended_is_no_fault(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    """Packets of an upload behind the one during which the session ends are dropped, and logged as nothing."""
    table.server.give(Refuse(event="chat-message", code="RATE_LIMITED"))
    path = "/socket.io/?EIO=4&transport=polling"
    async with table.bob.http.get(path) as answer:
        sid = json.loads((await answer.text())[1:])["sid"]
    async with table.bob.http.post(f"{path}&sid={sid}", data="40"):
        pass
    chat = json.dumps(["chat-message", table.chat()])
    with caplog.at_level("INFO", "dungeonlab"):
        upload = table.bob.http.post(f"{path}&sid={sid}", data="\x1e".join(f"42{n}{chat}" for n in range(500)))
        sending = asyncio.ensure_future(upload)
        await eventually(lambda: "on order Refuse" in caplog.text)
        await table.server.end_connections(table.bob.id)
        (await sending).release()
    assert caplog.text.count("on order Refuse") < 500
    assert "unreadable" not in caplog.text
