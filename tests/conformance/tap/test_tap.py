"""What a tap notes of a conversation, over each transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import socketio
from aiohttp import web
from tests.serving import running

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.link import End, Link
from dungeonlab_conformance.tap.tap import Tap


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server that answers `echo` with what it was sent, and sends the same as an event."""
    sockets = socketio.AsyncServer(async_mode="aiohttp", async_handlers=False, ping_interval=1, ping_timeout=1)

    @sockets.on("echo")  # type: ignore[untyped-decorator]
    async def echo(sid: str, payload: Any) -> Any:
        await sockets.emit("echoed", {"sent": payload}, to=sid)
        return {"success": True, "data": payload}

    app = web.Application()
    sockets.attach(app)
    async with running(app) as found:
        yield found


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
async def test_a_conversation_is_noted(url: str, transports: list[str]) -> None:
    """From the handshake to the end, each packet with its sender, and each ack with the event that it answers."""
    journal = TapJournal()
    async with Tap(url, journal) as tap:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(tap.url, transports=transports, headers={"Cookie": "session=very-secret"})
        assert await client.call("echo", {"a": b"bytes"}) == {"success": True, "data": {"a": b"bytes"}}
        await client.disconnect()
    last = transports[-1]
    noted = [(seen.sender, seen.kind, seen.event, seen.ack_id) for seen in journal.packets]
    placeholder = '{"_placeholder":true,"num":0}'
    upgrade = [("client", "upgrade", "", None)] if len(transports) == 2 else []
    assert noted[: 7 + len(upgrade)] == [
        ("client", "handshake", "", None),
        ("server", "open", "", None),
        *upgrade,
        ("client", "connect", "", None),
        ("server", "connected", "", None),
        ("client", "event", "echo", 1),
        ("server", "event", "echoed", None),
        ("server", "ack", "echo", 1),
    ]
    asked = next(seen for seen in journal.packets if seen.event == "echo")
    assert asked.text == f'[{{"a":{placeholder}}}]'
    assert journal.packets[-1].kind == "close"
    assert {(seen.connection, seen.user) for seen in journal.packets} == {(1, "user-1")}
    assert {seen.transport for seen in list(journal.packets)[2:]} == {last}
    assert "very-secret" not in repr(journal.packets)


async def test_who_falls_silent_first_has_ended_a_connection(url: str) -> None:
    """The client's end is the client's, also where the server's answer to it is the last that comes."""
    journal = TapJournal()
    async with Tap(url, journal) as tap:
        address = urlsplit(tap.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        asks = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address.netloc}\r\n"
        more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        writer.write(f"{asks}{more}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        await reader.readuntil(b'"sid"')
        writer.write_eof()
        await reader.read()  # until the server has closed
        writer.close()
        await writer.wait_closed()
    assert [(seen.sender, seen.kind) for seen in journal.packets if seen.kind == "close"] == [("client", "close")]


async def test_what_is_not_read_any_more_passes_all_the_same(url: str) -> None:
    """Nothing is noted of it, nor of the end."""
    journal = TapJournal()
    async with Tap(url, journal) as tap:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(tap.url, transports=["websocket"])
        tap.read_no_more()
        before = journal.last
        assert await client.call("echo", "hello") == {"success": True, "data": "hello"}
        await client.disconnect()
    assert journal.last == before


async def test_a_little_is_taken_at_a_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large comes in pieces, between which others have their turn, however long it takes to read them."""
    sizes: list[int] = []
    received = Link.received

    def noting(link: Link, end: End, data: bytes) -> None:
        sizes.append(len(data))
        received(link, end, data)

    monkeypatch.setattr(Link, "received", noting)
    async with Tap(url, TapJournal()) as tap:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(tap.url, transports=["websocket"])
        assert await client.call("echo", "x" * 500_000) == {"success": True, "data": "x" * 500_000}
        await client.disconnect()
    assert sum(sizes) > 1_000_000
    assert max(sizes) <= 20_000
