"""One real Socket.IO connection: opening and closing it, and what comes in. Knows no request and no answer.

The only file that knows python-socketio's client.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import socketio
from engineio.payload import Payload
from socketio import packet
from socketio.exceptions import SocketIOError
from yarl import URL

from dungeonlab_conformance.journal import Journal, Said, Seat
from dungeonlab_conformance.target import Identity, Target
from dungeonlab_conformance.verdict import Gone, Unjudged

# One answer to a poll holds whatever has gathered since the last; the library hangs up above 16 packets.
Payload.max_decode_packets = 10_000

_NUMBERS = itertools.count(1)


class Refused(Unjudged):
    """The server refused the connection. `reason` is the CONNECT_ERROR payload, if there was one."""

    def __init__(self, reason: Any, status: int | None = None) -> None:
        super().__init__(f"the connection was refused: {reason}")
        self.reason = reason
        self.status = status


@dataclass(eq=False)
class Connection:
    """A user's connection, seen from the user's end. `connection` is its number in the run, a new one each time."""

    name: str
    identity: Identity | None
    target: Target
    journal: Journal
    connection: int = field(default_factory=lambda: next(_NUMBERS))
    closed: bool = True
    seat: Seat | None = None
    _client: Any = None
    _http: aiohttp.ClientSession | None = None
    _refusal: Any = None
    _got_in: bool = False  # past the Engine.IO handshake, before it was refused
    _ended: bool = False  # by ourselves; whatever is still under way is not for us any more

    @property
    def user(self) -> str | None:
        """The user's id, as the server under test calls it."""
        return self.identity.user if self.identity else None

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
        transports = self.target.transports_for(transport)
        limit = self.target.limits.answer
        self._http = self.target.http_session(self.identity)
        # request_timeout also bounds each long poll, which lasts as long as the server's ping interval
        self._client = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            http_session=self._http,
            ssl_verify=self.target.verify is not False,  # a file of authorities is in the HTTP session
            request_timeout=limit + 60,
        )
        connection = self.connection  # what an earlier one still has to say does not concern the next

        def hear(event: str, *args: Any) -> None:
            if connection == self.connection and not self._ended:
                name, translated = self.target.dialect.heard(event, args)
                self.journal.write(self.name, connection, "hears", name, translated, wire=(event, args))

        def close(reason: str = "") -> None:
            if connection == self.connection:
                self._close("is closed", reason)

        self._ended = False
        self._client.on("*", hear)
        self._client.on("disconnect", close)
        self._client.on("connect_error", self._refuse)
        try:
            async with asyncio.timeout(2 * limit):
                await self._client.connect(
                    str(URL(self.target.url).with_query(_texts(claims))),
                    headers=dict(headers or {}),
                    auth=claims,
                    transports=transports,
                    socketio_path=URL(self.target.socket).path,
                    wait_timeout=2 * limit,
                )
        except TimeoutError:
            await self.leave_stage()
            raise Unjudged(f"{self.name}'s connection took longer than {2 * limit:.1f} s") from None
        except (SocketIOError, aiohttp.ClientError, OSError, ValueError) as error:
            await self.leave_stage()
            raise await self._why_not(error, transports[0], headers) from None
        self.closed = False
        self.journal.users[self.connection] = self.user
        self.journal.write(self.name, self.connection, "connects", transports[0], (headers,) if headers else ())

    async def _why_not(self, error: Exception, transport: str, headers: dict[str, str] | None) -> Exception:
        """Tell a refusal from a server that is not there; only a second look at the HTTP side can."""
        if isinstance(self._refusal, dict) and self._got_in:
            self.journal.write(self.name, self.connection, "is refused", "connect", (self._refusal,))
            return Refused(self._refusal)
        answer = await self.target.handshake(self.identity, transport=transport, headers=headers)
        if answer.status in (400, 401, 403):
            self.journal.write(self.name, self.connection, "is refused", f"HTTP {answer.status}", (answer.text,))
            return Refused(answer.text, answer.status)
        if self._refusal is not None and answer.status == 200:
            self.journal.write(self.name, self.connection, "is refused", "connect", (self._refusal,))
            return Refused(self._refusal)
        return Gone(f"{self.name} could not connect: {error}")

    async def _refuse(self, reason: Any = None, *_: Any) -> None:
        self._refusal, self._got_in = reason, self._client.eio.sid is not None
        await self._client.eio.disconnect(abort=True)  # or it would wait for a server that may leave its poll open

    def _close(self, act: Literal["is closed", "disconnects"], reason: str = "") -> None:
        if self.closed:
            return
        self.closed = True
        seen = self.journal.write(self.name, self.connection, act, reason)
        if self.seat and self.seat.until is None:
            asked = self.seat.ending  # by a goodbye
            if act == "is closed":
                self.seat.end("closed", seen.at, asked)
            else:
                self.seat.end("gone", seen.at, asked or seen.at)

    async def disconnect(self) -> None:
        """Close this connection in an orderly way, as a client does that leaves the page."""
        self._close("disconnects")
        self._ended = True
        if self._client is not None:
            await self._client.eio.disconnect(abort=True)
        if self._http is not None:
            await self._http.close()

    async def say_goodbye(self) -> None:
        """Close this connection so that the server learns of it at once, over long-polling too."""
        if self.seat:
            self.seat.ending = time.monotonic()
        try:
            async with asyncio.timeout(self.target.limits.answer):
                await self._client._send_packet(self._client.packet_class(packet.DISCONNECT, namespace="/"))
                await self._client.eio.queue.join()
        except (TimeoutError, SocketIOError, aiohttp.ClientError, OSError):
            pass  # it has noticed already
        await self.leave_stage()

    async def leave_stage(self) -> None:
        """Close whatever is left of the connection; never raises on what the server does meanwhile."""
        try:
            async with asyncio.timeout(2):
                await self.disconnect()
        except (TimeoutError, SocketIOError, aiohttp.ClientError, OSError):
            pass

    async def renew(self) -> None:
        """Give this connection up, and connect again as the same user: a new one, which sits nowhere."""
        await self.leave_stage()
        self.connection = next(_NUMBERS)
        self.seat = None
        await self.connect()

    async def emit(self, said: Said, callback: Callable[..., None] | None = None) -> None:
        """Send a request, in the server's dialect. Raises `Gone` if the connection cannot carry it any more."""
        event, args = self.target.on_the_wire(said.event, said.args)
        try:
            await self._client.emit(event, args, callback=callback)
        except (SocketIOError, aiohttp.ClientError, OSError) as error:
            raise Gone(f"{self.name} could not send {said.event}: {error}") from None


def _texts(claims: dict[str, Any] | None) -> dict[str, str]:
    return {key: value for key, value in (claims or {}).items() if isinstance(value, str)}
