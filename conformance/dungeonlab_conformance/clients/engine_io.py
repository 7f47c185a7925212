"""Engine.IO from a client's end: WebSocket, long-polling, and the move from one to the other. Knows no Socket.IO.

Whatever the server sends, and whatever an HTTP library makes of it, comes out as a frame or as one exception:

    Closed    the connection is over, or was never opened; the message says why
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from dungeonlab_conformance.clients.engine_io_packets import (
    CLOSE,
    MESSAGE,
    NOOP,
    OPEN,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    Frame,
    Noise,
    as_text,
    join,
    message_in,
    split,
)
from dungeonlab_conformance.clients.http.client import Redirected, json_of, read_text, session_for
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

_STRETCH = 64  # packets that are read at a stretch; those of all connections are counted together
_steps = itertools.count(1)
_PATIENCE = 10.0  # seconds without a ping that are always borne: this side may have been too busy to see it
LARGEST = 4_000_000  # bytes of one WebSocket message that are read
TOO_LARGE = f"the server sent a message of more than {LARGEST // 1_000_000} MB, which is the most that is read at once"
_PACKETS = 16  # in one POST; python-engineio takes no more
_MANY = 10_000  # packets in one answer to a poll; more of them are counted, however small they are
PACKET = 100  # bytes of memory that a packet takes, beside its characters
_WAITING = 1_000  # packets for the next POSTs; more of them are counted among what the server makes a run keep
_ECHOED = 100  # characters of a ping that its pong repeats; the protocol knows pings with `probe` and with nothing
LEAVE = 1.0  # seconds that a server may take to hear that a client leaves
_PAUSE = (0.01, 1.0)  # seconds before asking again a server that answers polls with nothing: at first, and at most


class Closed(Exception):  # noqa: N818 - an observation, not an error of the suite
    """The connection is over. `status` is that of the HTTP answer that ended it, if one did."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Opened:
    """What an OPEN packet says, as far as it can be used; times in seconds, the largest body in bytes."""

    sid: str
    upgrades: tuple[str, ...] = ()
    silence: float = 45.0  # how long a server may send nothing: the interval of its pings, and the time for a pong
    largest: float = math.inf

    @classmethod
    def read(cls, text: Frame) -> Opened:
        """Read the OPEN packet at the beginning of a handshake's answer. Raises `Closed` if there is none."""
        try:
            said: Any = json_of(text[1:]) if isinstance(text, str) and text.startswith(OPEN) else None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise Closed(f"the handshake was answered with no OPEN packet: {text[:100]!r}", 200)
        sid, upgrades = said.get("sid"), said.get("upgrades")
        silence = _positive(said.get("pingInterval"), 25_000) + _positive(said.get("pingTimeout"), 20_000)
        return cls(
            sid if isinstance(sid, str) and _can_be_sent(sid) else "",
            tuple(each for each in upgrades if isinstance(each, str)) if isinstance(upgrades, list) else (),
            max(_PATIENCE, silence / 1000),
            _positive(said.get("maxPayload"), math.inf),
        )


class EngineIO:
    """One Engine.IO connection. Frames are sent in order, and received in order; pings are answered on the way.

    Over long-polling, a server learns of the end only from one that `takes_leave`; others it keeps for some time.
    """

    def __init__(self, target: Target, identity: Identity | None) -> None:
        self.target = target
        self.takes_leave = False
        self.opened = Opened("")
        self._http = session_for(target, identity)
        self._url = URL(target.socket)
        self._headers: Mapping[str, str] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._early: list[str] = []  # packets that came with the handshake
        self._outbox: list[str] = []  # for the next POST
        self._posting: asyncio.Task[None] | None = None
        self._unsent: asyncio.Future[str] = asyncio.get_running_loop().create_future()  # fails as the first POST does
        self._pause = 0.0
        self._clock: asyncio.TimerHandle | None = None  # runs once a WebSocket is read
        self._heard_at = 0.0
        self._ending: asyncio.Task[None] | None = None  # of a connection on which nothing came for too long

    async def open(
        self,
        transports: Sequence[str],
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Open the first transport, and move to WebSocket if that is the second. Raises `Closed`."""
        self._headers = headers or {}
        self._url = self._url.with_query({**(query or {}), "EIO": "4"})
        if transports[0] == "websocket":
            self._socket = await self._open_websocket()
            self.opened = Opened.read(await next_message(self._socket))
            return
        first, *self._early = split(await self._request("GET"))
        self.opened = Opened.read(first)
        if not self.opened.sid:
            raise Closed("the OPEN packet has no sid, without which nothing can be polled", 200)
        self._url = self._url.update_query(sid=self.opened.sid)
        if "websocket" in transports and "websocket" in self.opened.upgrades:
            await self._upgrade()

    async def send(self, *frames: Frame) -> None:
        """Send frames; over long-polling they are on their way when this returns, `flush` waits for them.

        Raises `Closed`.
        """
        if self._socket is not None:
            with foreign():
                for frame in frames:
                    if isinstance(frame, bytes):
                        await self._socket.send_bytes(frame)
                    else:
                        await self._socket.send_str(MESSAGE + frame)
            return
        self._post(*(as_text(frame) for frame in frames))

    async def flush(self) -> None:
        """Wait until everything has been sent. Raises `Closed`."""
        if (posting := self._posting) is not None:
            await asyncio.wait([posting])
            if posting.cancelled():
                raise Closed("the connection was given up before everything was sent")
            posting.result()

    async def receive(self) -> list[Frame]:
        """Wait for frames; there may be none. Raises `Closed` once there will be no more."""
        if self._early:
            early, self._early = self._early, []
            return await self._received(early)
        if self._socket is not None:
            return await self._received([await self._next_message(self._socket)])
        packets = split(await self._poll())
        if len(packets) > _MANY:
            self._take_room(PACKET * len(packets))
        idle = all(packet in ("", NOOP) for packet in packets)  # and soon asked again, if the server does so each time
        self._pause = min(_PAUSE[1], max(_PAUSE[0], 2 * self._pause)) if idle else 0.0
        await asyncio.sleep(self._pause)
        return await self._received(packets if packets != [""] else [])

    async def _next_message(self, socket: aiohttp.ClientWebSocketResponse) -> Frame:
        """Wait for the next message of the WebSocket, for as long as a server may be silent.

        One clock runs for the whole connection: to start and to stop one takes as long as to read a message.
        """
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        if self._clock is None:
            self._clock = loop.call_later(self.opened.silence, self._look_at_the_clock, socket)
        try:
            return await next_message(socket)
        except Closed:
            if self._ending is None:
                raise
            raise Closed("the server sent nothing for too long, not even a ping") from None

    def _look_at_the_clock(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Close a WebSocket on which nothing came for too long; else look again when that may be so."""
        loop = asyncio.get_running_loop()
        left = self._heard_at + self.opened.silence - loop.time()
        if left > 0:
            self._clock = loop.call_later(left, self._look_at_the_clock, socket)
        else:
            self._ending = loop.create_task(_hang_up(socket))

    async def close(self) -> None:
        """End the connection at once; nobody but this side needs to agree."""
        if self._clock is not None:
            self._clock.cancel()
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)
        if self._unsent.done():
            self._unsent.exception()
        try:
            if self._socket is not None:
                await _hang_up(self._socket)
            elif self.takes_leave and self.opened.sid:
                self.takes_leave = False
                async with asyncio.timeout(LEAVE):
                    await self._request("POST", CLOSE)
        except (Closed, TimeoutError):
            pass  # that is what was wanted
        finally:
            await self._http.close()

    # -- what comes ----------------------------------------------------------------------------------

    async def _received(self, packets: Sequence[Frame]) -> list[Frame]:
        frames: list[Frame] = []
        for packet in packets:
            if isinstance(packet, bytes):
                frames.append(packet)
            elif (message := message_in(packet)) is not None:
                frames.append(message)
            elif packet.startswith(PING):
                await self._pong(packet)
            elif packet.startswith(CLOSE):
                if frames:
                    self._early = [packet]  # those before it come first
                    break
                raise Closed("the server sent a CLOSE packet")
            elif packet not in (NOOP, PONG):
                frames.append(Noise(packet))
        return frames

    async def _pong(self, ping: str) -> None:
        pong = PONG + ping[1:_ECHOED]
        if self._socket is None:
            self._post(pong)
            return
        with foreign():
            await self._socket.send_str(pong)

    def _take_room(self, weight: int) -> None:
        """Count among what is kept of the server something of so many bytes. Raises `Closed` if there is no room."""
        if not self.target.capacity.takes(weight):
            raise Closed("no more is kept of what the server sends")

    # -- WebSocket -----------------------------------------------------------------------------------

    async def _open_websocket(self) -> aiohttp.ClientWebSocketResponse:
        return await open_websocket(self._http, self._url.update_query(transport="websocket"), self._headers)

    async def _upgrade(self) -> None:
        """Move to WebSocket; a server that will not after all is polled on."""
        socket = None
        try:
            async with asyncio.timeout(self.target.limits.answer):
                socket = await self._open_websocket()
                with foreign():
                    await socket.send_str(PING + PROBE)
                if await next_message(socket) == PONG + PROBE:
                    with foreign():
                        await socket.send_str(UPGRADE)
                    self._socket, socket = socket, None
        except (Closed, TimeoutError):
            pass
        if socket is not None:
            await socket.close()

    # -- long-polling --------------------------------------------------------------------------------

    def _post(self, *packets: str) -> None:
        if self._unsent.done():
            self._unsent.result()
        for packet in packets:  # a server may send pings without end, and take no pong
            if len(self._outbox) > _WAITING:
                self._take_room(len(packet))
            self._outbox.append(packet)
        if self._posting is None or self._posting.done():
            self._posting = asyncio.create_task(self._post_all())

    async def _post_all(self) -> None:
        try:
            while self._outbox:
                body, self._outbox = self._batch()
                await self._request("POST", body)
        except Closed as closed:
            if not self._unsent.done():
                self._unsent.set_exception(closed)
            raise

    def _batch(self) -> tuple[str, list[str]]:
        """Return what goes into one POST, and what is left: so many packets and bytes as any server takes."""
        count, size = 1, len(self._outbox[0].encode())
        while count < min(len(self._outbox), _PACKETS):
            size += len(self._outbox[count].encode()) + 1
            if size > self.opened.largest:
                break
            count += 1
        return join(self._outbox[:count]), self._outbox[count:]

    async def _poll(self) -> str:
        """Return the body of one poll. Raises `Closed` as well when something could not be sent meanwhile."""
        poll = asyncio.create_task(self._request("GET"))
        limit = self.opened.silence + self.target.limits.answer
        try:
            done, _ = await asyncio.wait((poll, self._unsent), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise Closed("a poll was not answered in time")
            return done.pop().result()
        finally:
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)

    async def _request(self, method: str, body: str | None = None) -> str:
        headers = {**self._headers, **({} if body is None else {"Content-Type": "text/plain;charset=UTF-8"})}
        url = self._url.update_query(transport="polling")
        with foreign():
            async with self._http.request(
                method, url, data=None if body is None else body.encode(), headers=headers, allow_redirects=False
            ) as answer:
                if 300 <= answer.status < 400:
                    raise Redirected(answer.status, answer.headers.get("Location", ""))
                text = await read_text(answer)
        if answer.status != 200:
            raise Closed(f"{method} was answered HTTP {answer.status}", answer.status)
        return text


async def open_websocket(
    http: aiohttp.ClientSession, url: str | URL, headers: Mapping[str, str] | None = None
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket. Raises `Closed`."""
    with foreign():
        return await http.ws_connect(
            url, headers=headers, max_msg_size=LARGEST, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
        )


async def _hang_up(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket, whatever becomes of that."""
    with contextlib.suppress(Closed), foreign():
        await socket.close()


async def give_way() -> None:
    """Let all else go on now and then: what has come already is read without waiting, and there may be no end of it."""
    if next(_steps) % _STRETCH == 0:
        await asyncio.sleep(0)


async def next_message(socket: aiohttp.ClientWebSocketResponse) -> Frame:
    """Wait for the next message of a WebSocket, text or bytes. Raises `Closed`."""
    await give_way()
    with foreign():
        message = await socket.receive()
    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        data: Frame = message.data
        return data
    if isinstance(message.data, aiohttp.WebSocketError) and message.data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        raise Closed(TOO_LARGE)
    if message.type is aiohttp.WSMsgType.ERROR:
        raise Closed(f"the WebSocket broke: {message.data or socket.exception()}")
    raise Closed(f"the server closed the WebSocket ({socket.close_code or 'without a code'})")


@contextlib.contextmanager
def foreign() -> Iterator[None]:
    """Turn what HTTP libraries raise at a server's doings into `Closed`."""
    try:
        yield
    except aiohttp.WSServerHandshakeError as refused:
        raise Closed(f"the WebSocket handshake was answered HTTP {refused.status}", refused.status) from None
    except ConnectionResetError:
        raise Closed("the server closed the connection") from None
    except (aiohttp.ClientError, OSError, ValueError, RuntimeError, EOFError) as error:
        late = isinstance(error, TimeoutError)
        raise Closed("it took too long" if late else str(error) or type(error).__name__) from None


def _can_be_sent(text: str) -> bool:
    """Whether a text can stand in an address: half a surrogate pair cannot."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _positive(value: object, default: float) -> float:
    """Return a number of the server's if it is one that can be waited for."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        return default
    return float(min(value, 1e7))  # an integer may be larger than any float
