"""A slow network on loopback: a TCP proxy that delays and throttles what goes through, keeps its order, or fails."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

_CHUNK = 1024  # bytes that travel together, about one packet
_BUFFER = 64  # chunks under way before the sender must wait, as in a router
_WEBSOCKET = b"upgrade: websocket"  # in the head of what begins one
_CHANCE = random.Random(20)  # by which connections are cut

Chunk = tuple[float, bytes]  # when it arrives, on the loop's clock; empty at the end


@dataclass(frozen=True, slots=True)
class Link:
    """What a connection is like, in each direction: `latency` and `jitter` in seconds, `rate` in bytes a second.

    `loss` is the chance of each chunk of a WebSocket to be lost, and the connection with it.
    """

    latency: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0  # 0 for no limit
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """A link for all connections, but for those whose first request contains `mark`: these have the `special` link."""

    link: Link
    mark: bytes = b""
    special: Link = Link()

    async def before(self, port: int) -> int:
        """Open the network before a port of this machine, for good; returns the port at its far end."""
        server = await self.open(port)
        _OPEN.add(server)
        return port_of(server)

    async def open(self, port: int) -> asyncio.Server:
        """Open the network before a port of this machine until the server returned is closed."""

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._connection(port, reader, writer))
            _CARRIED.add(task)  # the loop alone would let go of it while it waits
            task.add_done_callback(_CARRIED.discard)

        return await asyncio.start_server(connected, "127.0.0.1", 0)

    async def _connection(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            first = await reader.read(4 * _CHUNK)
            link = self.special if self.mark and self.mark in first else self.link
            if _WEBSOCKET not in first.lower():
                link = replace(link, loss=0.0)
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writers.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(link, reader, back, first))
                both.create_task(_carry(link, there, writer))
        except* (OSError, EOFError):
            pass  # one end has gone, and takes the other along
        finally:
            for end in writers:
                end.close()


_OPEN: set[asyncio.Server] = set()
_CARRIED: set[asyncio.Task[None]] = set()  # connections under way


def port_of(server: asyncio.Server) -> int:
    """Return the port that a server listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _carry(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b"") -> None:
    """Carry what comes from `reader` to `writer`, each chunk no earlier than the link allows."""
    under_way: asyncio.Queue[Chunk] = asyncio.Queue(_BUFFER)
    async with asyncio.TaskGroup() as ends:
        ends.create_task(_deliver(under_way, writer, link.loss))
        now = asyncio.get_running_loop().time
        free = arrival = 0.0  # when the line is free again; when the last chunk arrives
        data = first or await reader.read(_CHUNK)
        while data:
            free = max(free, now()) + (len(data) / link.rate if link.rate else 0.0)
            arrival = max(arrival, free + link.latency + random.uniform(0, link.jitter))
            await under_way.put((arrival, data))
            data = await reader.read(_CHUNK)
        await under_way.put((arrival, b""))


async def _deliver(under_way: asyncio.Queue[Chunk], writer: asyncio.StreamWriter, loss: float) -> None:
    while True:
        arrival, data = await under_way.get()
        await asyncio.sleep(arrival - asyncio.get_running_loop().time())
        if not data:
            writer.write_eof()
            return
        if loss and _CHANCE.random() < loss:
            raise ConnectionAbortedError
        writer.write(data)
        await writer.drain()
