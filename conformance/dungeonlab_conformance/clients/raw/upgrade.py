"""A connection that starts on long-polling and moves to WebSocket, one step at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

import aiohttp

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.engine_io import (
    LEAVE,
    PACKET,
    Closed,
    Opened,
    foreign,
    next_message,
    open_websocket,
)
from dungeonlab_conformance.clients.engine_io_packets import (
    CLOSE,
    ENTER_NOTHING,
    MESSAGE,
    NOOP,
    NOTHING_ENTERED,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    join,
    split,
)
from dungeonlab_conformance.clients.http.client import read_text, session_for
from dungeonlab_conformance.clients.obstacles import not_accepted
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, Limited, Unjudged
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

_PAUSE = 0.01  # seconds before polling again a server that answers with nothing


class Upgrade:
    """One connection that sends frames as they are; `frames` holds what it was sent over either transport, in order.

    Whatever it waits for raises `Unjudged` if it does not come in time, and `Gone` if the connection is closed.
    """

    def __init__(self, name: str, identity: Identity, target: Target, journal: Journal) -> None:
        self.name = name
        self.identity = identity
        self.target = target
        self.journal = journal
        self.frames: list[str] = []
        self._http = session_for(target, identity)
        self._url = f"{target.socket}?EIO=4&transport=polling"
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._polling: asyncio.Task[None] | None = None
        self._is_open = self._upgraded = False
        self._numbers = itertools.count(100)  # of requests whose answers are not waited for

    async def open(self) -> bool:
        """Shake hands; returns whether the server offers an upgrade."""
        try:
            opened = Opened.read((await self._poll())[0])
        except Closed as closed:
            raise Unjudged(str(closed)) from None
        self._url += f"&sid={quote(opened.sid)}"
        self._is_open = True
        return "websocket" in opened.upgrades

    async def enter(self, session: str) -> None:
        """Enter the namespace and join a session, over polling. A refusal leaves the scene unjudged.

        Where nobody is answered who asks to join, whether that was granted is for the caller to find out.
        """
        await self._post("40")
        await self._await("40")
        joining = self._event("join-session", ({"sessionId": session},), 1)
        self.journal.write(self.name, 0, "sends", "a frame", (joining,))
        await self._post(joining)
        if "join-session" not in self.target.workarounds.silent:
            how = self.target.dialect.answer_to("join-session")
            answers = (how.success, how.failure) if isinstance(how, AnswerByEvent) else ()
            prefixes = tuple(map(packets.beginning, answers)) or ("431[",)
            await self._await(*prefixes)
            self._look_whether_let_in(session, next(f for f in self.frames if f.startswith(prefixes)))

    def _look_whether_let_in(self, session: str, frame: str) -> None:
        """Raise `Unjudged` where the answer to the request to join is a refusal."""
        dialect = self.target.dialect
        how = dialect.answer_to("join-session")
        try:
            found = tuple(json.loads(frame[frame.index("[") :]))
        except (ValueError, RecursionError):
            return  # another requirement sees to what cannot be read
        if isinstance(how, AnswerByEvent):
            args = dialect.acknowledgement("join-session", how, found[0], found[1:])
        else:
            args = dialect.answer("join-session", found)
        answer = Acknowledgement(Request.naming("join-session", session), Arguments(args))
        if answer.readable and not answer.accepted:
            why = f"{self.name} could not join over polling: join-session was refused ({answer.shown})"
            if answer.limited:
                raise Limited(why)
            raise Unjudged(why, waits_for=not_accepted(answer, by_game_master=False))

    async def send(self, request: Request) -> str:
        """Send a request over the transport in use, and leave its answer among the frames; returns how that begins."""
        self.journal.sent(request, self.name, self.identity.user)
        number = next(self._numbers)
        frame = self._event(request.event, request.args, number)
        if self._upgraded:
            await self._send(frame)
        else:
            await self._post(frame)
        return f"43{number}["

    async def send_together(self, *requests: Request) -> None:
        """Send requests in one upload, over polling, and leave their answers among the frames."""
        for request in requests:
            self.journal.sent(request, self.name, self.identity.user)
        await self._post(join([self._event(each.event, each.args, next(self._numbers)) for each in requests]))

    async def steps(self) -> AsyncIterator[str]:
        """Upgrade, stopping before each step for whatever is to happen meanwhile."""
        self._polling = asyncio.create_task(self._poll_until_noop())
        yield "polling"
        with self._waiting("the WebSocket was not opened in time"):
            async with asyncio.timeout(self.target.limits.answer):
                self._socket = await open_websocket(self._http, self._url.replace("=polling", "=websocket"))
        yield "opened"
        await self._send(PING + PROBE)
        yield "probed"
        await self._until_begun(PONG + PROBE)
        yield "answered"
        with self._waiting("polling was not released in time"):
            async with asyncio.timeout(self.target.limits.answer):
                await self._polling
        await self._send(UPGRADE)
        self._upgraded = True
        yield "upgraded"

    async def fence(self) -> None:
        """Make a round trip over the WebSocket."""
        asked, answered = self._round_trip()
        await self._send(asked)
        await self._until_begun(answered)
        self.frames = [frame for frame in self.frames if not frame.startswith(answered)]

    async def try_catch_up(self, marks: Iterable[str | int]) -> None:
        """Read on until all marks have been heard, for as long as an answer may take; what is late is not lost."""
        with contextlib.suppress(Unjudged):
            for mark in marks:
                if not any(packets.tells(frame, mark) for frame in self.frames):
                    await self._until(partial(packets.tells, mark=mark), "event with what was sent last")

    async def poll_once_around(self) -> None:
        """Make a round trip by polling, which brings what was sent before."""
        asked, answered = self._round_trip()
        known = len(self.frames)  # among which there may be the answer of an earlier one
        await self._post(asked)
        await self._poll_until(lambda _: any(frame.startswith(answered) for frame in self.frames[known:]))

    async def poll_until_heard(self, mark: str | int, name: str = "") -> None:
        """Poll until an event comes that has a mark in it, and a name if one is given; or until time is up."""
        await self._poll_until(partial(packets.tells, mark=mark, name=name, received=self.target.dialect.received))

    async def _poll_until(self, is_wanted: Callable[[str], bool]) -> None:
        with self._waiting("nothing is heard over polling, even without an upgrade"):
            async with asyncio.timeout(self.target.limits.answer):
                while not any(map(is_wanted, self.frames)):
                    await self._poll()

    async def close(self) -> None:
        """Close whatever is open; where that was to be polled, a server learns of it only if it is said."""
        try:
            if self._polling is not None:
                self._polling.cancel()
                await asyncio.gather(self._polling, return_exceptions=True)
            if self._is_open and not self._upgraded:
                with contextlib.suppress(Unjudged, TimeoutError):
                    async with asyncio.timeout(LEAVE):
                        await self._post(CLOSE)
            if self._socket is not None:
                with contextlib.suppress(Closed), foreign():
                    await self._socket.close()
        finally:
            await self._http.close()

    def _round_trip(self) -> tuple[str, str]:
        """Return what to send for a round trip, and how its answer begins."""
        by_event = isinstance(self.target.dialect.answer_to("get-user-data"), AnswerByEvent)
        if by_event or "get-user-data" in self.target.workarounds.silent:
            return MESSAGE + ENTER_NOTHING, MESSAGE + NOTHING_ENTERED
        return self._event("get-user-data", ({},), 9), "439["

    def _event(self, name: str, args: tuple[object, ...], number: int) -> str:
        event, arguments = self.target.on_the_wire(name, args)
        by_event = isinstance(self.target.dialect.answer_to(name), AnswerByEvent)
        frames = packets.encode(packets.EVENT, [event, *arguments], number=None if by_event else number)
        return MESSAGE + str(frames[0])

    async def _send(self, frame: str) -> None:
        assert self._socket is not None
        with self._waiting("the WebSocket takes nothing any more"):
            async with asyncio.timeout(self.target.limits.answer):
                await self._socket.send_str(frame)

    @contextmanager
    def _waiting(self, late: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise Unjudged(late) from None
        except (Closed, aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            raise Gone(f"the connection that is to be upgraded was closed: {error}") from None

    async def _poll_until_noop(self) -> None:
        while NOOP not in await self._poll():
            pass

    async def _poll(self) -> list[str]:
        with self._waiting("polling was not answered in time"):
            async with asyncio.timeout(self.target.limits.answer), self._http.get(self._url) as answer:
                if answer.status != 200:
                    raise Unjudged(f"polling was answered HTTP {answer.status}")
                frames = split(await read_text(answer))
        if frames == [""]:
            await asyncio.sleep(_PAUSE)
        if PING in frames:
            await self._post(PONG)
        self._keep(frames)
        return frames

    def _keep(self, frames: list[str]) -> None:
        self.target.capacity.check()
        self.target.capacity.takes(sum(map(len, frames)) + PACKET * len(frames))
        self.frames += map(packets.plain, frames)

    async def _post(self, frame: str) -> None:
        with self._waiting("polling was not answered in time"):
            async with asyncio.timeout(self.target.limits.answer), self._http.post(self._url, data=frame) as answer:
                if answer.status != 200:
                    raise Unjudged(f"polling was answered HTTP {answer.status}")

    async def _await(self, *prefixes: str) -> None:
        while not any(frame.startswith(prefixes) for frame in self.frames):
            await self._poll()

    async def _until_begun(self, prefix: str) -> None:
        await self._until(lambda frame: frame.startswith(prefix), f"{prefix}…")

    async def _until(self, is_wanted: Callable[[str], bool], shown: str) -> None:
        """Read frames from the WebSocket up to one that is wanted."""
        assert self._socket is not None
        with self._waiting(f"the upgraded connection received no {shown} in time"):
            async with asyncio.timeout(self.target.limits.answer):
                while True:
                    frame = await next_message(self._socket)
                    if frame == PING:
                        await self._socket.send_str(PONG)
                    elif isinstance(frame, str):
                        frame = packets.plain(frame)
                        self._keep([frame])
                        if is_wanted(frame):
                            return
