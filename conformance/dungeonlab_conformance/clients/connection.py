"""One real Socket.IO connection: opening and closing it, and what comes in. Knows no request and no answer."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.engine_io import Closed, EngineIO
from dungeonlab_conformance.clients.handshake import handshake
from dungeonlab_conformance.clients.packets import Decoder, Packet, Unreadable
from dungeonlab_conformance.record.arguments import storable
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request, RoomStay
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue

_NUMBERS = itertools.count(1)
_OWN_EVENTS = 100  # of a name that the catalogue does not know, or of all such names, that one connection keeps
_LONGEST_NAME = 200  # characters of an event's name that are kept

Callback = Callable[..., None]


class Refused(Unjudged):
    """The server refused the connection. `reason` is the CONNECT_ERROR payload, if there was one."""

    def __init__(self, reason: Any, status: int | None = None) -> None:
        super().__init__(f"the connection was refused: {reason}")
        self.reason = reason
        self.status = status


@dataclass(eq=False)
class Connection:
    """A user's connection, seen from the user's end. `connection` is its number in the run, a new one each time.

    `failure` is what the suite itself failed at while it read what came in, if it did.
    """

    name: str
    identity: Identity | None
    target: Target
    journal: Journal
    connection: int = field(default_factory=lambda: next(_NUMBERS))
    closed: bool = True
    failure: Exception | None = None
    _line: EngineIO | None = None
    _reader: asyncio.Task[None] | None = None
    _entered: asyncio.Future[None] | None = None  # the namespace; fails with `Refused` or `Closed`
    _recovers: bool = False  # whether the server adds an offset to each event, for recovering the connection's state
    _ids: itertools.count[int] = field(default_factory=itertools.count)
    _asked: dict[int, tuple[Request, Callback]] = field(default_factory=dict)  # by the number that its answer will have
    _answered: dict[int, Request] = field(default_factory=dict)
    _strangers: Counter[str] = field(default_factory=Counter)  # how often events came that the catalogue does not know

    @property
    def user(self) -> str | None:
        """The user's id, as the server under test calls it."""
        return self.identity.user if self.identity else None

    @property
    def stay(self) -> RoomStay | None:
        """The stay in a room that this connection was granted last, unless it has left since."""
        return self.journal.rooms.stay_of(self.connection)

    async def connect(
        self,
        *,
        transport: str | None = None,
        headers: dict[str, str] | None = None,
        claims: dict[str, Any] | None = None,
    ) -> None:
        """Connect to the default namespace.

        `claims` are sent along in the handshake's query and in the CONNECT packet, as clients do that
        authenticate otherwise than by the cookie.

        Raises `Refused` if the server says no, `Gone` if it cannot be reached, `Unjudged` if it takes too long.
        """
        self.target.capacity.check()
        transports = self.target.transports_for(transport)
        limit = 2 * self.target.limits.answer
        self._line = EngineIO(self.target, self.identity)
        self._entered = asyncio.get_running_loop().create_future()
        self._ids, self._asked, self._answered, self._recovers = itertools.count(), {}, {}, False
        try:
            async with asyncio.timeout(limit):
                await self._line.open(transports, headers, _texts(claims))
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
        self.closed = False
        self.journal.rooms.connected(self.connection, self.user)
        self.journal.write(self.name, self.connection, "connects", transports[0], (headers,) if headers else ())

    async def _why_not(self, closed: Closed, transport: str, headers: dict[str, str] | None) -> Exception:
        """Tell a refusal from a server that is not there; only a second look at the HTTP side can."""
        answer = await handshake(self.target, self.identity, transport=transport, headers=headers)
        if answer.status in (400, 401, 403):
            self.journal.write(self.name, self.connection, "is refused", f"HTTP {answer.status}", (answer.text,))
            return Refused(answer.text, answer.status)
        return Gone(f"{self.name} could not connect: {closed}")

    # -- what comes in -------------------------------------------------------------------------------

    async def _read(self, line: EngineIO, entered: asyncio.Future[None]) -> None:
        """Take whatever the server sends, until the connection is over."""
        decoder, connection = Decoder(), self.connection
        try:
            while True:
                for frame in await line.receive():
                    for found in decoder.decode(frame):
                        await self._take(found, connection, line, entered)
                    if decoder.weight:  # a packet whose attachments may never come
                        self._keep(decoder.weight if isinstance(frame, str) else len(frame))
        except (Closed, Refused) as over:
            if not entered.done():
                entered.set_exception(over)
            self._close("is closed", str(over))
        except Exception as error:  # the suite's own fault, which must not pass for a server's silence
            self.failure = error
            self._close("is closed")
        finally:
            if not entered.done():
                entered.set_exception(Closed("the connection was given up"))
            entered.exception()
            await line.close()

    async def _take(
        self, found: Packet | Unreadable, connection: int, line: EngineIO, entered: asyncio.Future[None]
    ) -> None:
        if isinstance(found, Unreadable):
            self._cannot_read(found, connection)
        elif found.namespace != "/":
            return  # which no client of the protocol enters
        elif found.kind == packets.EVENT:
            self._hear(found, connection)
            if found.number is not None:
                await line.send(*packets.encode(packets.ACK, [], number=found.number))
        elif found.kind == packets.ACK:
            self._be_answered(found, connection)
        elif found.kind == packets.CONNECT and not entered.done():
            self._recovers = isinstance(found.data, dict) and isinstance(found.data.get("pid"), str)
            entered.set_result(None)
        elif found.kind == packets.CONNECT_ERROR and not entered.done():
            raise Refused(found.data)
        elif found.kind == packets.DISCONNECT:
            raise Closed("io server disconnect")

    def _hear(self, found: Packet, connection: int) -> None:
        name, *args = found.data
        if self._recovers and args and isinstance(args[-1], str):
            args.pop()  # the packet's offset, which is for the client's library
            self.target.recovers = True
        if not isinstance(name, str):
            name = storable(json.dumps(name))
        if len(name) > _LONGEST_NAME:
            name = name[:_LONGEST_NAME] + "…"
        event, translated = self.target.dialect.received(name, tuple(args))
        if event not in Catalogue.load():
            self._strangers[name if len(self._strangers) < _OWN_EVENTS else ""] += 1
            if self._strangers[name] > _OWN_EVENTS or self._strangers[""]:
                return
        self._keep(found.weight)
        self.journal.write(self.name, connection, "hears", event, translated, wire=(name, tuple(args)))

    def _be_answered(self, found: Packet, connection: int) -> None:
        assert found.number is not None
        self._keep(found.weight)
        if (asked := self._asked.pop(found.number, None)) is not None:
            request, callback = asked
            self._answered[found.number] = request
            callback(*found.data)
        elif (before := self._answered.get(found.number)) is not None:
            self.journal.write(self.name, connection, "is answered again", before.event, found.data, before)
        else:
            self.journal.write(self.name, connection, "is sent", f"an answer to request {found.number}", found.data)

    def _cannot_read(self, found: Unreadable, connection: int) -> None:
        self._keep(len(found.text))
        self.journal.write(self.name, connection, "cannot read", f"a packet: {found.why}", (found.text,))
        if found.number in self._asked:  # then it is an answer, though none that says yes or no
            request, callback = self._asked.pop(found.number)
            self._answered[found.number] = request
            callback(found.text)

    def _keep(self, weight: int) -> None:
        if not self.target.capacity.takes(weight):
            raise Closed("no more is kept of what the server sends")

    # -- what goes out -------------------------------------------------------------------------------

    async def emit(self, request: Request, callback: Callback | None = None) -> None:
        """Send a request, in the server's dialect. Raises `Gone` if the connection cannot carry it any more."""
        event, args = self.target.on_the_wire(request.event, request.args)
        self.target.capacity.check()
        if self._line is None or self.closed:
            raise Gone(f"{self.name} could not send {request.event}: the connection is closed")
        number = None
        if callback is not None:
            number = next(self._ids)
            self._asked[number] = request, callback
        frames = packets.encode(packets.EVENT, [event, *args], number=number)
        try:
            async with asyncio.timeout(self.target.limits.answer_to(args)):
                await self._line.send(*frames)
        except TimeoutError:
            raise Gone(f"{self.name} could not send {request.event}: the server takes nothing any more") from None
        except Closed as closed:
            raise Gone(f"{self.name} could not send {request.event}: {closed}") from None

    # -- the end -------------------------------------------------------------------------------------

    def _close(self, act: Literal["is closed", "disconnects"], reason: str = "") -> None:
        if self.closed:
            return
        self.closed = True
        seen = self.journal.write(self.name, self.connection, act, reason)
        self.journal.rooms.closed(self.connection, seen.at, by_server=act == "is closed")

    async def disconnect(self) -> None:
        """Close this connection at once, as a client does that leaves the page; what is under way gets lost."""
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
        """Close whatever is left of the connection; never raises on what the server does meanwhile."""
        try:
            async with asyncio.timeout(2):
                await self.disconnect()
        except TimeoutError:
            pass

    async def renew(self) -> None:
        """Give this connection up, and connect again as the same user: a new one, which has joined nothing."""
        await self.close()
        self.connection = next(_NUMBERS)
        await self.connect()


def _texts(claims: dict[str, Any] | None) -> dict[str, str]:
    return {key: value for key, value in (claims or {}).items() if isinstance(value, str)}
