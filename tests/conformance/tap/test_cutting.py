"""What a tap does on order: it cuts connections, by each kind of end, and refuses new ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import socketio
from aiohttp import web
from tests.serving import running

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.tap.link import Cut
from dungeonlab_conformance.tap.tap import Tap


def app() -> web.Application:
    """Return a server that answers `echo`, and notices quickly who is silent."""
    sockets = socketio.AsyncServer(async_mode="aiohttp", ping_interval=1, ping_timeout=1)

    @sockets.on("echo")  # type: ignore[untyped-decorator]
    async def echo(sid: str, payload: Any) -> Any:
        return payload

    made = web.Application()
    sockets.attach(made)
    return made


async def seen(journal: TapJournal, kind: str) -> TappedPacket:
    """Wait for a packet of a kind."""
    async with asyncio.timeout(10):
        while True:
            if found := [packet for packet in journal.packets if packet.kind == kind]:
                return found[0]
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["fin", "rst", "silence"])
async def test_a_session_is_cut(how: Cut) -> None:
    """Its client notices at once, or when the pings fail to come; another session goes on."""
    journal = TapJournal()
    async with running(app()) as url, Tap(url, journal) as tap:
        clients = [socketio.AsyncClient(reconnection=False) for _ in range(2)]
        ended = asyncio.Event()
        clients[0].on("disconnect", lambda *_: ended.set())
        for client in clients:
            await client.connect(tap.url, transports=["websocket"])
        await tap.cut(1, how)
        async with asyncio.timeout(10):
            await ended.wait()
        assert await clients[1].call("echo", 1) == 1
        over = await seen(journal, "close")
        assert (over.connection, over.sender) == (1, "client" if how == "silence" else "tap")
        await clients[0].eio.ws.close()  # which the library leaves open when no pings come
        await clients[1].disconnect()


async def test_new_connections_are_refused_for_a_while() -> None:
    """Each attempt is noted; afterwards clients come in again."""
    journal = TapJournal()
    async with running(app()) as url, Tap(url, journal) as tap:
        tap.refuse(None)
        client = socketio.AsyncClient(reconnection=False)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(tap.url)
        assert {packet.kind for packet in journal.packets} == {"attempt"}
        tap.refuse(0)
        await client.connect(tap.url, transports=["websocket"])
        await client.disconnect()
        await seen(journal, "close")
