"""People who use a reference server that runs in this process: accounts, sessions, real connections, bare frames."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import socketio

from dungeonlab_reference_server.app import make_app, serve
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore

PASSWORD = "correct horse"
PATIENCE = 60  # seconds until a test gives up; nothing here takes long
_NAMES = itertools.count(1)


class SlowStore(MemoryStore):
    """A store of which each method takes a while, as one behind a network does, and never the same while."""

    dice = random.Random(7)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not inspect.iscoroutinefunction(found):
            return found

        async def slowly(*args: Any) -> Any:
            await asyncio.sleep(self.dice.uniform(0, 0.004))
            result = await found(*args)
            await asyncio.sleep(self.dice.uniform(0, 0.004))
            return result

        return slowly


@dataclass
class House:
    """A running server, and everybody who came to it."""

    url: str
    pipeline: Pipeline
    store: MemoryStore
    stack: AsyncExitStack

    async def person(self, name: str = "") -> Person:
        """Register somebody."""
        http = await self.stack.enter_async_context(
            aiohttp.ClientSession(self.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        )
        person = Person(self, http, name or f"somebody-{next(_NAMES)}")
        body = {"username": person.name, "password": PASSWORD}
        person.id = (await person.asks("POST", "/api/auth/register", body, expect=201))["id"]
        return person

    async def table(self, *members: Person) -> str:
        """Open a session whose game master is the first of the members; return its id."""
        host = members[0]
        session: str = (await host.asks("POST", "/api/game-sessions", {"name": "A table"}, expect=201))["id"]
        for member in members[1:]:
            await host.asks("PUT", f"/api/game-sessions/{session}/participants/{member.id}", expect=204)
        return session


@dataclass
class Person:
    """Somebody with an account and a cookie."""

    house: House
    http: aiohttp.ClientSession
    name: str
    id: str = ""

    async def asks(self, method: str, path: str, body: Any = None, *, expect: int = 200, **options: Any) -> Any:
        """Make an HTTP request; returns the JSON of the answer, if there is any."""
        async with self.http.request(method, path, json=body, **options) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{answer.status} {text}"
            return await answer.json() if text else None

    async def connects(self, transport: str = "websocket", *, wait: bool = True) -> Connection:
        """Open a Socket.IO connection, and wait until it is let in."""
        http = await self.house.stack.enter_async_context(
            aiohttp.ClientSession(cookies={c.key: c.value for c in self.http.cookie_jar})
        )
        connection = Connection(socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=http))
        connection.client.on("*", connection.hear)
        connection.client.on("disconnect", lambda *_: connection.closed.set())
        self.house.stack.push_async_callback(connection.leave)
        await connection.client.connect(self.house.url, transports=[transport], wait=wait, wait_timeout=PATIENCE)
        return connection

    async def joins(self, session: str, transport: str = "websocket") -> Connection:
        """Open a connection and join a session."""
        connection = await self.connects(transport)
        await connection.does("join-session", {"sessionId": session})
        return connection

    async def frames(self) -> Frames:
        """Open a WebSocket and enter the namespace, by bare frames."""
        url = "/socket.io/?EIO=4&transport=websocket"
        socket = await self.house.stack.enter_async_context(self.http.ws_connect(url, max_msg_size=0))
        frames = Frames(socket)
        await frames.until("0{")
        await socket.send_str("40")
        await frames.until("40")
        return frames


@dataclass
class Connection:
    """A Socket.IO client and what it heard."""

    client: Any
    heard: list[tuple[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: str, *args: Any) -> None:
        self.heard.append((event, *args))

    def events(self, name: str) -> list[Any]:
        """Return the payloads heard under a name."""
        return [payload for event, payload in self.heard if event == name]

    async def asks(self, event: str, *args: Any) -> Any:
        """Send a request; returns its acknowledgement."""
        return await self.client.call(event, args, timeout=PATIENCE)

    async def does(self, event: str, *args: Any) -> Any:
        """Send a request that is accepted; returns the answer's data."""
        answer = await self.asks(event, *args)
        assert answer["success"] is True, answer
        return answer["data"]

    async def is_refused(self, event: str, *args: Any) -> str:
        """Send a request that is refused; returns the code."""
        answer = await self.asks(event, *args)
        assert answer["success"] is False, answer
        code: str = answer["code"]
        return code

    async def leave(self) -> None:
        """Go, whether or not the server is still there."""
        await self.client.eio.disconnect(abort=True)


@dataclass
class Frames:
    """A WebSocket, with the text frames it received."""

    socket: aiohttp.ClientWebSocketResponse
    seen: list[str] = field(default_factory=list)

    async def until(self, prefix: str) -> str:
        """Return the next frame that begins like that."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await self.socket.receive_str()
                self.seen.append(frame)
                if frame.startswith(prefix):
                    return frame

    async def is_closed(self) -> int | None:
        """Wait for the end; returns the WebSocket's close code."""
        async with asyncio.timeout(PATIENCE):
            while (await self.socket.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        return self.socket.close_code


@asynccontextmanager
async def house(
    settings: Settings | None = None, store: MemoryStore | None = None, pipeline_class: type[Pipeline] = Pipeline
) -> AsyncIterator[House]:
    """Serve while the block runs; everything sent is checked against the schemas."""
    made: list[Pipeline] = []

    class Remembered(pipeline_class):  # type: ignore[valid-type,misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    store = store or MemoryStore()
    settings = replace(settings or Settings(check_outgoing=True), scrypt_n=2)  # a slow hash would prove nothing here
    app = make_app(settings, store=store, pipeline_class=Remembered)
    runner, port = await serve(app, "127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        yield House(f"http://127.0.0.1:{port}", made[0], store, stack)


async def eventually(holds: Callable[[], object | Awaitable[object]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.002)


def draft(**more: Any) -> dict[str, Any]:
    """Return a token as somebody would draw it up."""
    return {"name": "Goblin", "position": {"x": 1, "y": 2}, **more}
