"""Engine.IO frames over a WebSocket: malformed ones that client libraries refuse to send, and each that is received."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.engine_io import Closed, foreign, next_message, open_websocket
from dungeonlab_conformance.clients.engine_io_packets import ENTER_NOTHING, MESSAGE, NOTHING_ENTERED, PING, PONG
from dungeonlab_conformance.clients.http.client import session_for
from dungeonlab_conformance.clients.obstacles import avoid_what_is_deadly, no_answer
from dungeonlab_conformance.record.acknowledgement import LIMITED
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

_ACK = re.compile(r"43\d+\[")
_PAUSES = (0.5, 1.0, 2.0)  # seconds before a connection that came too soon asks once more to be let in


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """How the frame that answers a request begins, and how many frames had come when that was sent."""

    prefixes: tuple[str, ...]
    since: int


@dataclass(eq=False)
class RawConnection:
    """One WebSocket that sends frames as they are. Every frame received is kept in `frames`, in order."""

    name: str
    identity: Identity | None
    target: Target
    journal: Journal
    frames: list[str | bytes] = field(default_factory=list)
    _asked: dict[str, Request] = field(default_factory=dict)  # by the prefix of the answer's frame
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _http: aiohttp.ClientSession | None = None
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _reader: asyncio.Task[None] | None = None
    _over: bool = False

    async def open(self) -> None:
        """Open the transport and read frames from now on; the namespace is not entered yet."""
        self.target.transports_for("websocket")
        self._http = session_for(self.target, self.identity)
        url = f"{self.target.socket}?EIO=4&transport=websocket"
        try:
            async with asyncio.timeout(self.target.limits.answer):
                self._socket = await open_websocket(self._http, url)
        except TimeoutError:
            raise Unjudged(f"{self.name}'s WebSocket was not opened in time") from None
        except Closed as closed:
            raise Gone(f"{self.name} could not open a WebSocket: {closed}") from None
        self._reader = asyncio.create_task(self._read())

    async def connect(self, **auth: object) -> None:
        """Open the transport, if it is not open, and enter the default namespace, with what a client may show then."""
        if self._socket is None:
            await self.open()
        await self.send_frame(enter := "40" + (json.dumps(auth) if auth else ""))
        answer = await self.receive("40", "44")
        for pause in _PAUSES if LIMITED in answer else ():  # a server may limit how often a user connects
            await asyncio.sleep(pause)
            self.frames.clear()
            await self.send_frame(enter)
            if LIMITED not in (answer := await self.receive("40", "44")):
                break
        if not answer.startswith("40"):
            raise Unjudged(f"{self.name} was not let into the namespace: {answer}")

    @property
    def entered(self) -> dict[str, Any]:
        """What the server sent when this connection entered the default namespace."""
        sent = next((f for f in self.frames if isinstance(f, str) and f.startswith("40{")), "40{}")
        found = _decoded(sent)
        return found.data if isinstance(found, packets.Packet) and isinstance(found.data, dict) else {}

    @property
    def closed(self) -> bool:
        """Whether the server has closed this connection."""
        return self._socket is None or self._socket.closed or self._over

    async def send_frame(self, frame: str | bytes) -> None:
        """Send one frame as it is."""
        assert self._socket is not None
        self.journal.write(self.name, 0, "sends", "a frame", (frame,))
        self.target.capacity.check()
        try:
            async with asyncio.timeout(self.target.limits.answer_to((frame,))):
                with foreign():
                    if isinstance(frame, bytes):
                        await self._socket.send_bytes(frame)
                    else:
                        await self._socket.send_str(frame)
        except (TimeoutError, Closed) as error:
            raise Gone(f"{self.name}'s connection was closed: {error or 'it takes nothing any more'}") from None

    async def emit(self, request: Request) -> ExpectedAnswer:
        """Send a request that asks for an acknowledgement; return what to recognise its answer by."""
        avoid_what_is_deadly(self.target, request, uncalled=False)
        event, args = self.target.on_the_wire(request.event, request.args)
        how = self.target.dialect.answer_to(request.event)
        self.journal.sent(request, self.name, self.identity.user if self.identity else None)
        number: int | None = None
        prefixes: tuple[str, ...]
        if isinstance(how, AnswerByEvent):
            prefixes = (packets.beginning(how.success), packets.beginning(how.failure))
        else:
            number = next(self._ids)
            prefixes = (f"43{number}[",)
            self._asked[prefixes[0]] = request
        since = len(self.frames)
        for frame in packets.encode(packets.EVENT, [event, *args], number=number):
            await self.send_frame(frame if isinstance(frame, bytes) else MESSAGE + frame)
        return ExpectedAnswer(prefixes, since)

    async def try_send(self, request: Request) -> list[Any]:
        """Send a request and return the arguments of what answers it, whatever they say."""
        found = _decoded(await self.receive_answer(await self.emit(request), request))
        if isinstance(found, packets.Unreadable):
            raise Unjudged(f"{request.event} was answered with what cannot be read ({found.why}): {found.text}")
        answered: list[Any] = found.data
        return answered

    async def receive_answer(self, expected: ExpectedAnswer, request: Request) -> str:
        """Wait for the frame that answers a request, not for long if there will hardly be one. Raises as `receive`."""
        limits, hardly = self.target.limits, self.target.workarounds.never_answers(request.event)
        seconds = limits.sweep if hardly else limits.answer
        try:
            return await self.receive(*expected.prefixes, seconds=seconds, since=expected.since)
        except Gone:
            raise
        except Unjudged as late:
            raise Unjudged(str(late), waits_for=no_answer(request.event)) from None

    async def try_join(self, session: str) -> None:
        """Ask to join a session; whether that was granted is for the caller to find out.

        Where nobody is answered who asks to join, this waits for a round trip.
        """
        request = Request.naming("join-session", session)
        if request.event not in self.target.workarounds.silent:
            await self.try_send(request)
            return
        await self.emit(request)
        await self._ask_for_no_namespace()

    async def fence(self, question: Request) -> None:
        """Ask something that is answered when what was sent before has arrived; no acknowledgement need come.

        Where events answer the question, they could be taken for what was asked before.
        """
        by_event = isinstance(self.target.dialect.answer_to(question.event), AnswerByEvent)
        if by_event or self.target.workarounds.never_answers(question.event):
            await self._ask_for_no_namespace()
        else:
            await self.try_send(question)

    async def _ask_for_no_namespace(self) -> None:
        await self.send_frame(MESSAGE + ENTER_NOTHING)
        await self.receive(MESSAGE + NOTHING_ENTERED)

    def count(self, expected: ExpectedAnswer) -> int:
        """Count the frames received so far that answer a request."""
        since = self.frames[expected.since :]
        return sum(isinstance(frame, str) and frame.startswith(expected.prefixes) for frame in since)

    async def try_receive(self, *prefixes: str) -> str | None:
        """Wait for a frame that begins so, or so; None if the connection is closed instead."""
        try:
            return await self.receive(*prefixes)
        except Gone:
            return None

    async def receive(self, *prefixes: str, seconds: float | None = None, since: int = 0) -> str:
        """Wait for a frame that begins so, or so, as long as an answer may take, or for so long.

        The frames that had come before, `since` of them, are passed over.

        Raises `Gone` if the connection closes, `Unjudged` if it is late.
        """
        try:
            async with asyncio.timeout(self.target.limits.answer if seconds is None else seconds):
                while True:
                    for frame in self.frames[since:]:
                        if isinstance(frame, str) and frame.startswith(prefixes):
                            return frame
                    if self.closed:
                        self.target.capacity.check()  # else it was closed for want of room
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
                    with foreign():
                        await self._socket.close()
            except (TimeoutError, Closed):
                pass
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            while True:
                frame = await next_message(self._socket)
                if frame == PING:
                    with foreign():
                        await self._socket.send_str(PONG)
                    continue
                if not self.target.capacity.takes(len(frame)):
                    break
                self.journal.write(self.name, 0, "hears", "a frame", (frame,))
                frame = packets.plain(frame) if isinstance(frame, str) else frame
                self._look_for_another_answer(frame)
                self.frames.append(frame)
                self._arrived.set()
        except Closed:
            pass
        finally:
            self._over = True
            self._arrived.set()

    def _look_for_another_answer(self, frame: str | bytes) -> None:
        prefix = _ACK.match(frame) if isinstance(frame, str) else None
        if prefix and prefix.group() in self._asked and self.count(ExpectedAnswer((prefix.group(),), 0)):
            request = self._asked[prefix.group()]
            self.journal.write(self.name, 0, "is answered again", request.event, (frame,), request)


def _decoded(frame: str) -> packets.Packet | packets.Unreadable:
    """Return what a whole frame says, of whatever type its Engine.IO packet is."""
    found, *_ = packets.Decoder().decode(frame[1:]) or [packets.Unreadable(frame, "without its attachments")]
    return found
