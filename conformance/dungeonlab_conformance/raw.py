"""Bare Engine.IO frames over a WebSocket, for what no polite client sends and no polite client shows."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dungeonlab_conformance.journal import Journal, Said
from dungeonlab_conformance.target import Identity, Target
from dungeonlab_conformance.verdict import Gone, Unjudged

_ACK = re.compile(r"43\d+\[")


@dataclass(eq=False)
class RawConnection:
    """One WebSocket, spoken to frame by frame. Every frame received is kept in `frames`, in order."""

    name: str
    identity: Identity | None
    target: Target
    journal: Journal
    frames: list[str | bytes] = field(default_factory=list)
    _asked: dict[str, Said] = field(default_factory=dict)  # by the prefix of the answer's frame
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _http: aiohttp.ClientSession | None = None
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the transport and read frames from now on; the namespace is not entered yet."""
        self.target.transports_for("websocket")
        self._http = self.target.http_session(self.identity)
        url = f"{self.target.url}{self.target.path}?EIO=4&transport=websocket"
        try:
            async with asyncio.timeout(self.target.limits.answer):
                self._socket = await self._http.ws_connect(url)
        except TimeoutError:
            raise Unjudged(f"{self.name}'s WebSocket was not opened in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Gone(f"{self.name} could not open a WebSocket: {error}") from None
        self._reader = asyncio.create_task(self._read())

    async def connect(self, **auth: object) -> None:
        """Open the transport and enter the default namespace, with what a client may show on entering."""
        await self.open()
        await self.send("40" + (json.dumps(auth) if auth else ""))
        answer = await self.receive("40", "44")
        if not answer.startswith("40"):
            raise Unjudged(f"{self.name} was not let into the namespace: {answer}")

    @property
    def entered(self) -> dict[str, Any]:
        """What the server told on entering the default namespace."""
        told = next((f for f in self.frames if isinstance(f, str) and f.startswith("40{")), "40{}")
        found: dict[str, Any] = json.loads(told[2:])
        return found

    @property
    def closed(self) -> bool:
        """Whether the server has closed this connection."""
        return self._socket is None or self._socket.closed

    async def send(self, frame: str | bytes) -> None:
        """Send one frame as it is."""
        assert self._socket is not None
        self.journal.write(self.name, 0, "sends", "a frame", (frame,))
        try:
            if isinstance(frame, bytes):
                await self._socket.send_bytes(frame)
            else:
                await self._socket.send_str(frame)
        except (aiohttp.ClientError, OSError) as error:
            raise Gone(f"{self.name}'s connection was closed: {error}") from None

    async def emit(self, said: Said) -> str:
        """Send a request that asks for an acknowledgement; return the prefix of its answer's frame."""
        event, args = self.target.on_the_wire(said.event, said.args)
        number = next(self._ids)
        said.actor, said.user = self.name, self.identity.user if self.identity else None
        said.at = time.monotonic()
        self.journal.said.append(said)
        prefix = f"43{number}["
        self._asked[prefix] = said
        await self.send(f"42{number}" + json.dumps([event, *args]))
        return prefix

    async def asks(self, said: Said) -> list[Any]:
        """Send a request and return the arguments of its acknowledgement."""
        prefix = await self.emit(said)
        found = await self.receive(prefix)
        answered: list[Any] = json.loads(found[len(prefix) - 1 :])
        return answered

    async def joins(self, session: str) -> None:
        """Join a session, as a preparation."""
        await self.asks(Said("join-session", ({"sessionId": session},), None, session))

    def count(self, prefix: str) -> int:
        """Count the frames received so far that begin so."""
        return sum(isinstance(frame, str) and frame.startswith(prefix) for frame in self.frames)

    async def answers(self, *prefixes: str) -> str | None:
        """Wait for a frame that begins so, or so; None if the connection is closed instead."""
        try:
            return await self.receive(*prefixes)
        except Gone:
            return None

    async def receive(self, *prefixes: str) -> str:
        """Wait for a frame that begins so, or so. Raises `Gone` if the connection closes, `Unjudged` if it is late."""
        try:
            async with asyncio.timeout(self.target.limits.answer):
                while True:
                    for frame in self.frames:
                        if isinstance(frame, str) and frame.startswith(prefixes):
                            return frame
                    if self.closed:
                        raise Gone(f"{self.name}'s connection was closed")
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise Unjudged(f"{self.name} received no {'… or '.join(prefixes)}… in time") from None

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        if self._socket is not None:
            try:
                async with asyncio.timeout(2):
                    await self._socket.close()
            except TimeoutError:
                pass
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                break
            if message.data == "2":  # the server's ping
                await self._socket.send_str("3")
                continue
            self.journal.write(self.name, 0, "hears", "a frame", (message.data,))
            self._look_for_another_answer(message.data)
            self.frames.append(message.data)
            self._arrived.set()
        self._arrived.set()

    def _look_for_another_answer(self, frame: str | bytes) -> None:
        prefix = _ACK.match(frame) if isinstance(frame, str) else None
        if prefix and prefix.group() in self._asked and self.count(prefix.group()):
            said = self._asked[prefix.group()]
            self.journal.write(self.name, 0, "is answered again", said.event, (frame,), said)


class Upgrade:
    """A connection that starts on long-polling and moves to WebSocket, one step at a time."""

    def __init__(self, identity: Identity, target: Target) -> None:
        self.target = target
        self.frames: list[str] = []
        self._http = target.http_session(identity)
        self._url = f"{target.url}{target.path}?EIO=4&transport=polling"
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._polling: asyncio.Task[bool] | None = None

    async def open(self) -> bool:
        """Shake hands; returns whether the server offers an upgrade."""
        opened = json.loads((await self._poll())[0][1:])
        self._url += f"&sid={opened['sid']}"
        return "websocket" in opened.get("upgrades", ())

    async def enter(self, session: str) -> None:
        """Enter the namespace and join a session, over polling."""
        await self._post("40")
        await self._await("40")
        event, args = self.target.on_the_wire("join-session", ({"sessionId": session},))
        await self._post("421" + json.dumps([event, *args]))
        await self._await("431[")

    async def steps(self) -> AsyncIterator[str]:
        """Upgrade, stopping before each step for whatever is to happen meanwhile."""
        self._polling = asyncio.create_task(self._poll_until_noop())
        yield "polling"
        url = self._url.replace("transport=polling", "transport=websocket")
        async with asyncio.timeout(self.target.limits.answer):
            self._socket = await self._http.ws_connect(url)
        yield "opened"
        await self._socket.send_str("2probe")
        yield "probed"
        await self._until("3probe")
        yield "answered"
        async with asyncio.timeout(self.target.limits.answer):
            await self._polling
        await self._socket.send_str("5")
        yield "upgraded"

    async def fence(self) -> None:
        """Make a round trip over the WebSocket."""
        assert self._socket is not None
        event, args = self.target.on_the_wire("get-user-data", ({},))
        await self._socket.send_str("429" + json.dumps([event, *args]))
        await self._until("439[")

    async def close(self) -> None:
        """Close whatever is open."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        await self._http.close()

    async def _poll_until_noop(self) -> bool:
        while "6" not in await self._poll():
            pass
        return True

    async def _poll(self) -> list[str]:
        async with asyncio.timeout(self.target.limits.answer):
            async with self._http.get(self._url) as answer:
                if answer.status != 200:
                    raise Unjudged(f"polling was answered HTTP {answer.status}")
                frames = (await answer.text()).split("\x1e")
        if "2" in frames:
            await self._post("3")
        self.frames += frames
        return frames

    async def _post(self, frame: str) -> None:
        async with asyncio.timeout(self.target.limits.answer):
            async with self._http.post(self._url, data=frame) as answer:
                if answer.status != 200:
                    raise Unjudged(f"polling was answered HTTP {answer.status}")

    async def _await(self, prefix: str) -> None:
        while not any(frame.startswith(prefix) for frame in self.frames):
            await self._poll()

    async def polls(self, mark: str) -> None:
        """Poll until something arrives that carries a mark. Raises `Unjudged` if it does not in time."""
        try:
            async with asyncio.timeout(self.target.limits.answer):
                while not any(mark in frame for frame in self.frames):
                    await self._poll()
        except TimeoutError:
            raise Unjudged("nothing is heard over polling, even without an upgrade") from None

    async def _until(self, prefix: str) -> None:
        assert self._socket is not None
        try:
            async with asyncio.timeout(self.target.limits.answer):
                while True:
                    message = await self._socket.receive()
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        raise Gone("the upgraded connection was closed")
                    if message.data == "2":
                        await self._socket.send_str("3")
                        continue
                    self.frames.append(message.data)
                    if message.data.startswith(prefix):
                        return
        except TimeoutError:
            raise Unjudged(f"the upgraded connection received no {prefix}… in time") from None
