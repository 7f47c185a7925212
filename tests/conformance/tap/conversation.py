"""Conversations over TCP, byte for byte: played directly or through a tap, and what came at both ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.tap import Tap

PATIENCE = 10.0  # seconds for which an end waits for what it expects
HOST = b"@HOST@"  # in what a client sends: the address that it has connected to


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes, `pieces` at a time where that is not 0."""

    data: bytes
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Await:
    """Receive until these bytes have come since the last wait."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing until the other end has been silent, or held up, for a moment."""

    seconds: float = 0.05


Act = Send | Await | Pause | Literal["half-close", "close", "reset", "read to the end"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What both ends do, in order. Neither knows what the other does, but by what comes."""

    name: str
    client: tuple[Act, ...]
    server: tuple[Act, ...]


@dataclass
class Received:
    """What one end has received, and how that ended: "open", "end" or "reset"."""

    data: bytes = b""
    end: str = "open"
    seen: int = field(default=0, compare=False)  # bytes that were waited for already


@dataclass(frozen=True, slots=True)
class Outcome:
    """What both ends have received."""

    client: Received
    server: Received


async def played(conversation: Conversation, *, tapped: bool, journal: TapJournal | None = None) -> Outcome:
    """Play a conversation on loopback; with `tapped`, through a tap."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        direct = listening.getsockname()
        if not tapped:
            return await _between(conversation, listening, direct, direct)
        async with Tap(f"http://{direct[0]}:{direct[1]}", journal or TapJournal()) as tap:
            parts = urlsplit(tap.url)
            assert parts.hostname
            assert parts.port
            outcome = await _between(conversation, listening, (parts.hostname, parts.port), direct)
            assert loop.is_running()
            return outcome


async def _between(
    conversation: Conversation, listening: socket.socket, where: tuple[str, int], server: tuple[str, int]
) -> Outcome:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, where)
        accepted, _ = await asyncio.wait_for(loop.sock_accept(listening), PATIENCE)
        with accepted:
            accepted.setblocking(False)
            address = f"{where[0]}:{where[1]}".encode()
            outcome = Outcome(Received(), Received())
            async with asyncio.timeout(3 * PATIENCE):
                await asyncio.gather(
                    _act(client, conversation.client, outcome.client, address),
                    _act(accepted, conversation.server, outcome.server, b""),
                )
            # where the server is, is all that may differ from run to run
            outcome.server.data = outcome.server.data.replace(f"{server[0]}:{server[1]}".encode(), HOST)
            return outcome


async def _act(sock: socket.socket, acts: tuple[Act, ...], received: Received, address: bytes) -> None:
    for act in acts:
        match act:
            case Send(data, pieces):
                await _send(sock, data.replace(HOST, address) if address else data, pieces)
            case Await(data):
                await _receive(sock, received, data)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case "half-close":
                sock.shutdown(socket.SHUT_WR)
            case "close":
                sock.close()
            case "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
            case "read to the end":
                await _receive(sock, received, None)


async def _send(sock: socket.socket, data: bytes, pieces: int) -> None:
    loop = asyncio.get_running_loop()
    size = pieces or len(data)
    for begin in range(0, len(data), size):
        try:
            await loop.sock_sendall(sock, data[begin : begin + size])
        except OSError:
            return  # the other end has gone; what it received is compared
        if pieces:
            await asyncio.sleep(0)


async def _receive(sock: socket.socket, received: Received, until: bytes | None) -> None:
    loop = asyncio.get_running_loop()
    while received.end == "open":
        if until is not None and (at := received.data.find(until, received.seen)) >= 0:
            received.seen = at + len(until)
            return
        try:
            data = await asyncio.wait_for(loop.sock_recv(sock, 1 << 16), PATIENCE)
        except ConnectionError:
            received.end = "reset"
            return
        if not data:
            received.end = "end"
        received.data += data
