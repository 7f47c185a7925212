"""Measures what a delivery and an acknowledged event cost the server, beside a bare python-socketio server.

Run `python -m benchmarks.delivery`. The bare server has no cookies, schemas, rooms of its own or store: it relays.
Counted is the processor time of the server's process, so that a busy machine, and the clients, matter little.
The figure is the ratio of the two servers, measured in turns in one run. Linux only.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import aiohttp
import socketio
from aiohttp import web

ROOM = 50  # connections
MESSAGES = 200  # chat messages in a round, each delivered to all but one of the room
REQUESTS = 4000  # acknowledged events in a round, of one connection alone in its room
WINDOW = 25  # events under way at once
ROUNDS = 3  # the best of them counts: the others were disturbed


def serve_bare(port: Any) -> None:
    """Serve join and chat with nothing around them; puts the port into `port` when it listens."""
    sockets = socketio.AsyncServer(async_mode="aiohttp", async_handlers=False)

    @sockets.on("join-session")  # type: ignore[untyped-decorator]
    async def join(sid: str, payload: Any) -> Any:
        await sockets.enter_room(sid, payload["sessionId"])
        return {"success": True, "data": payload}

    @sockets.on("chat-message")  # type: ignore[untyped-decorator]
    async def chat(sid: str, payload: Any) -> Any:
        await sockets.emit("chat-message", payload, room=payload["sessionId"], skip_sid=sid)
        return {"success": True, "data": payload}

    async def forever() -> None:
        app = web.Application()
        sockets.attach(app)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(forever())


@contextmanager
def bare() -> Iterator[tuple[str, int]]:
    """Run the bare server; yields its URL and process id."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(theirs,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}", process.pid or 0
    finally:
        process.terminate()
        process.join()


@contextmanager
def reference() -> Iterator[tuple[str, int]]:
    """Run the reference server; yields its URL and process id."""
    command = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--rate-limit", "0"]
    with Popen([*command, "--log-level", "error"], stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("Listening on ").strip(), process.pid
        finally:
            process.terminate()


def processor_time(pid: int) -> float:
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Guest:
    """A bare WebSocket in a room, which counts what it is sent."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.deliveries = self.answers = 0
        self.came = asyncio.Event()
        self.reader = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        """Count deliveries and answers; answer pings."""
        async for message in self.socket:
            if message.data.startswith("42"):
                self.deliveries += 1
            elif message.data.startswith("43"):
                self.answers += 1
            elif message.data == "2":
                await self.socket.send_str("3")
            self.came.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that depends on what came."""
        while not holds():
            self.came.clear()
            await self.came.wait()

    async def send(self, name: str, payload: Any, count: int) -> None:
        """Send an event many times, some of them under way at once, and await every answer."""
        begin, frame = self.answers, f"421{json.dumps([name, payload])}"
        for i in range(count):
            await self.until(lambda i=i: i - (self.answers - begin) < WINDOW)  # type: ignore[misc]
            await self.socket.send_str(frame)
        await self.until(lambda: self.answers - begin == count)


async def enter(http: aiohttp.ClientSession, session: str) -> Guest:
    """Connect and join."""
    guest = Guest(await http.ws_connect("/socket.io/?EIO=4&transport=websocket"))
    await guest.socket.send_str("40")
    await guest.send("join-session", {"sessionId": session}, 1)
    return guest


async def measure(url: str, pid: int) -> tuple[float, float]:
    """Return deliveries, and acknowledged events, per second of the server's processor time."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, cookie_jar=jar, connector=aiohttp.TCPConnector(limit=0)) as http:
        account = {"username": f"guest-{os.urandom(4).hex()}", "password": "a password"}
        sessions = []
        async with http.post("/api/auth/register", json=account):
            pass
        for name in ("crowded", "quiet"):
            async with http.post("/api/game-sessions", json={"name": name}) as answer:
                sessions.append((await answer.json())["id"] if answer.status == 201 else name)
        crowded, quiet = sessions
        guests = [await enter(http, crowded) for _ in range(ROOM)]

        async def deliver() -> None:
            await guests[0].send("chat-message", {"sessionId": crowded, "message": "x" * 100}, MESSAGES)
            await asyncio.gather(*(g.until(lambda g=g: g.deliveries >= MESSAGES) for g in guests[1:]))  # type: ignore[misc]

        deliveries = MESSAGES * (ROOM - 1) / await _cost(pid, deliver)
        for guest in guests:
            await guest.socket.close()
        alone = await enter(http, quiet)
        acknowledged = REQUESTS / await _cost(
            pid, lambda: alone.send("chat-message", {"sessionId": quiet, "message": "x" * 100}, REQUESTS)
        )
        await alone.socket.close()
    return deliveries, acknowledged


async def _cost(pid: int, act: Callable[[], Awaitable[None]]) -> float:
    before = processor_time(pid)
    await act()
    return processor_time(pid) - before


def main() -> None:
    """Measure both servers in turns and print how they compare."""
    best: dict[str, tuple[float, float]] = {}
    with bare() as plain, reference() as obedient:
        for _ in range(ROUNDS):
            for name, server in (("bare", plain), ("reference", obedient)):
                found = asyncio.run(measure(*server))
                best[name] = tuple(map(max, found, best.get(name, found)))  # type: ignore[assignment]
    for i, what in enumerate((f"deliveries in a room of {ROOM}", "acknowledged events")):
        print(f"{what:<30}{best['reference'][i] / best['bare'][i]:>7.0%} of the bare server's")


if __name__ == "__main__":
    main()
