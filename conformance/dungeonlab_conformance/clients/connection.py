"""One real Socket.IO connection: opening it, sending on it, and closing it. What comes in is `receiver`'s business."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.engine_io import Closed, EngineIO
from dungeonlab_conformance.clients.handshake import BUSY, Handshake, handshake, reach
from dungeonlab_conformance.clients.receiver import NUMBERS, Callback, Receiver, Refused
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, TurnedAway, Unjudged, Unreachable
from dungeonlab_conformance.target.dialect.event_answers import EventAnswers
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent

_USER_HEADERS = ("X-User-Id", "X-User", "X-Forwarded-User", "X-Remote-User")


def _numbers(connection: int) -> Iterator[int]:
    """Yield what the requests of a connection are numbered by.

    The first is 0, as clients have it. No other connection has the others: an answer that goes astray shows.
    """
    return itertools.chain((0,), itertools.count(1000 * connection))


@dataclass(eq=False)
class Connection(Receiver):
    """A user's connection, seen from the user's end: it is opened, sends requests, and is closed."""

    async def connect(
        self,
        *,
        transport: str | None = None,
        headers: dict[str, str] | None = None,
        claims: dict[str, Any] | None = None,
    ) -> None:
        """Connect to the default namespace.

        `claims` are sent along in the handshake's query and in the CONNECT packet, as clients do that
        authenticate otherwise than by the cookie; a `userId` also in headers, as proxies do that know the user.

        Raises `Refused` if the server says no, `Gone` if it cannot be reached, `Unjudged` if it takes too long.
        """
        self.target.capacity.check()
        transports = self.target.transports_for(transport)
        limit = 2 * self.target.limits.answer
        self._line = EngineIO(self.target, self.identity)
        self._entered = asyncio.get_running_loop().create_future()
        self._ids, self._asked, self._answered, self._recovers = _numbers(self.connection), {}, {}, False
        self._by_event = EventAnswers()
        try:
            async with asyncio.timeout(limit):
                await self._line.open(transports, {**_headers(claims), **(headers or {})}, _texts(claims))
                self._reader = asyncio.create_task(self._read(self._line, self._entered))
                await self._line.send(*packets.encode(packets.CONNECT, claims))
                await asyncio.shield(self._entered)
        except TimeoutError:
            await self.close()
            raise Unjudged(f"{self.name}'s connection took longer than {limit:.1f} s") from None
        except Refused as refused:
            await self.close()
            self.journal.write(self.name, self.connection, "is refused", "connect", (refused.reason,))
            raise
        except Closed as closed:
            await self.close()
            raise await self._why_not(closed, transports[0], headers) from None
        self.closed, self.transport = False, transports[0]
        self.journal.rooms.connected(self.connection, self.user)
        self.journal.write(self.name, self.connection, "connects", transports[0], (headers,) if headers else ())

    async def _why_not(self, closed: Closed, transport: str, headers: dict[str, str] | None) -> Exception:
        """Tell a refusal from a server that is not there; only a second look at the HTTP side can."""
        if closed.status in BUSY:
            return TurnedAway(
                f"{self.name} could not connect: {closed}; if the server limits connections, raise that for the run"
            )
        answer = await self._asks_again(transport, headers)
        if answer is None:
            self.journal.write(self.name, self.connection, "is refused", "connect", ("closed without an answer",))
            return Refused(None)
        if answer.status in (400, 401, 403):
            self.journal.write(self.name, self.connection, "is refused", f"HTTP {answer.status}", (answer.text,))
            return Refused(answer.text, answer.status, names_the_code=answer.names_the_code)
        return Gone(f"{self.name} could not connect: {closed}")

    async def _asks_again(self, transport: str, headers: dict[str, str] | None) -> Handshake | None:
        """Return what a handshake like that of this connection is answered; None if it is dropped.

        It is if that happens each time, and others are answered: a network may drop one, and a server that starts anew
        as well. Raises `TargetFault` if the server is not there.
        """
        ask = partial(handshake, self.target, self.identity, transport=transport, headers=headers)
        try:
            return await ask()
        except Unreachable:
            await reach(self.target)
        try:
            return await ask()
        except Unreachable:
            return None

    # -- what goes out -------------------------------------------------------------------------------

    async def emit(self, request: Request, callback: Callback | None = None) -> None:
        """Send a request, in the server's dialect. Raises `Gone` if the connection cannot carry it any more."""
        event, args = self.target.on_the_wire(request.event, request.args)
        self.target.capacity.check()
        if self._line is None or self.closed:
            raise Gone(f"{self.name} could not send {request.event}: the connection is closed")
        number, how = None, self.target.dialect.answer_to(request.event)
        if isinstance(how, AnswerByEvent):
            self._by_event.expect(request, how, callback)
        elif callback is not None:
            number = next(self._ids)
            self._asked[number] = request, callback
        frames = packets.encode(packets.EVENT, [event, *args], number=number)
        try:
            async with asyncio.timeout(self.target.limits.answer_to(args)):
                await self._line.send(*frames)
        except TimeoutError:
            raise Gone(f"{self.name} could not send {request.event}: the server takes nothing any more") from None
        except Closed as closed:
            if self._reader is not None:  # which observes the end; what came before it is still read
                await asyncio.wait([self._reader], timeout=self.target.limits.answer)
            raise Gone(f"{self.name} could not send {request.event}: {closed}") from None

    async def asks_for_no_namespace(self) -> bool:
        """Ask to enter a namespace that does not exist; returns whether there was any answer, which is a refusal."""
        if self._line is None or self.closed:
            return False
        name = f"/fence-{next(self._ids)}"
        refused = self._namespaces[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.target.limits.answer):
                await self._line.send(*packets.encode(packets.CONNECT, namespace=name))
                await refused
        except (TimeoutError, Closed):
            return False
        finally:
            del self._namespaces[name]
        return True

    # -- the end -------------------------------------------------------------------------------------

    async def disconnect(self) -> None:
        """Close this connection at once, as a client does whose page crashes; what is under way gets lost."""
        await self._end(taking_leave=False)

    async def _end(self, *, taking_leave: bool) -> None:
        if self._line is not None:
            self._line.takes_leave = taking_leave and not self.closed
        self._close("disconnects")
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._line is not None:
            await self._line.close()

    async def disconnect_cleanly(self) -> None:
        """Close this connection so that the server learns of it at once, over long-polling too."""
        self.journal.rooms.leaving(self.connection)
        try:
            async with asyncio.timeout(self.target.limits.answer):
                if self._line is not None:
                    await self._line.send(*packets.encode(packets.DISCONNECT))
                    await self._line.flush()
        except (TimeoutError, Closed):
            pass  # it has noticed already
        await self.close()

    async def close(self) -> None:
        """Close whatever is left of the connection, and say so; never raises on what the server does meanwhile."""
        try:
            async with asyncio.timeout(2):
                await self._end(taking_leave=True)
        except TimeoutError:
            pass

    async def renew(self) -> None:
        """Give this connection up, and connect again over the same transport: a new one, which has joined nothing."""
        await self.close()
        self.connection = next(NUMBERS)
        await self.connect(transport=self.transport if self.transport != self.target.transport else None)


def _headers(claims: dict[str, Any] | None) -> dict[str, str]:
    user = _texts(claims).get("userId", "")
    return dict.fromkeys(_USER_HEADERS, user) if user and user.isascii() and user.isprintable() else {}


def _texts(claims: dict[str, Any] | None) -> dict[str, str]:
    return {key: value for key, value in (claims or {}).items() if isinstance(value, str)}
