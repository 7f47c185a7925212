"""Whether there is a server to judge, and how far away it is."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from dungeonlab_conformance.clients.engine_io import LEAVE, Closed, Opened
from dungeonlab_conformance.clients.engine_io_packets import CLOSE
from dungeonlab_conformance.clients.http.client import Redirected, json_of, read_text, session_for
from dungeonlab_conformance.clients.http.diagnosis import may_come_up, may_pass, of_answer, of_error, of_silence
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.results.errors import NotUp, TargetFault, Unreachable
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

BUSY = (429, 503)  # HTTP statuses by which a server, or a proxy before it, takes no more for now
_MEASURED = 3  # round trips at most; the shortest counts, since a machine that is busy lengthens the others
_REMINDER = 10.0  # seconds until the reason for waiting is reported again
_PAUSE = 0.5  # seconds between two looks for a server that is not up yet
_OPEN = re.compile(r'0\s*\{\s*"')  # as JSON may be written, and no chunk of Engine.IO 3, such as `97:0{"sid"`
_CODE = "UNAUTHENTICATED"
_UPGRADE = {  # as a browser asks for a WebSocket; the key is any
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "ZHVuZ2VvbmxhYi1iZW5jaA==",
}
_KEPT = 10_000  # characters of the body that a handshake is answered with; a run makes hundreds of them


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the documented path answered to a handshake: HTTP status, and the body or the first frame."""

    status: int
    text: str
    location: str = ""  # where a redirect leads to, which is not followed
    names_the_code: bool = False  # whether the whole body of a refusal says UNAUTHENTICATED, `text` or not

    @property
    def opened(self) -> bool:
        """Whether this is an Engine.IO OPEN packet."""
        return self.status == 200 and _OPEN.match(self.text) is not None


async def handshake(
    target: Target,
    identity: Identity | None,
    *,
    transport: str = "polling",
    version: int = 4,
    headers: Mapping[str, str] | None = None,
    leaves: bool = True,
) -> Handshake:
    """Ask for an Engine.IO handshake. Raises `TargetFault` if nothing answers there, `NotUp` if it may later.

    Over long-polling the server keeps what was opened for a while, unless this `leaves` it, which takes longer.
    """
    url = f"{target.socket}?EIO={version}&transport={transport}"
    ask = _ask_by_websocket if transport == "websocket" else _ask_by_polling
    try:
        async with session_for(target, identity) as http:
            async with asyncio.timeout(target.limits.answer):
                made = await ask(http, url, dict(headers or {}))
            if leaves and made.opened and transport == "polling":
                await _leave(http, url, made.text, dict(headers or {}))
            return made
    except TimeoutError:
        raise NotUp(await of_silence(target.url, target.limits.answer, known=target.limits.round_trip > 0)) from None
    except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
        fault = Unreachable if may_pass(error) else TargetFault
        raise fault(await of_error(target.url, error)) from None


async def reach(target: Target) -> None:
    """Make sure that a Socket.IO v4 server answers at the target's address.

    Raises `TargetFault` with a sentence that says what answered instead, `NotUp` if that may change by itself.
    """
    answer = await handshake(target, None)
    if not _is_server(answer, target):  # it may serve WebSocket all the same
        with contextlib.suppress(TargetFault):  # a server may drop a WebSocket to another path than its own
            by_websocket = await handshake(target, None, transport="websocket")
            answer = by_websocket if _is_server(by_websocket, target) else answer
    if not _is_server(answer, target):
        why = of_answer(URL(target.socket), target.path, answer.status, answer.text, answer.location)
        fault = NotUp(why) if may_come_up(answer.status) else TargetFault(why)
        if isinstance(fault, NotUp):
            fault.is_busy = answer.status in BUSY
        raise fault


async def wait_for(target: Target, seconds: float, report: Callable[[str], None]) -> None:
    """Wait until a server answers at the target's address, for so many seconds at most.

    `report` is called with each new reason why there is none yet, and now and then with the same one. Returns early
    once the server is up, or once waiting cannot help; whether it is up, and why not, `reach` says.
    """
    end = time.monotonic() + seconds
    reported, at = "", 0.0
    while (left := end - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                await reach(target)
            return
        except NotUp as fault:
            reason = target.secrets.redact(str(fault))
        except (TimeoutError, TargetFault):
            return
        if reason != reported or time.monotonic() - at > _REMINDER:
            reported, at = reason, time.monotonic()
            report(f"waiting up to {max(0.0, end - at):.0f} s: {reason}")
        await asyncio.sleep(min(_PAUSE, max(0.0, end - time.monotonic())))


async def measure(target: Target) -> None:
    """Find out how long a round trip to the server takes. Raises `TargetFault` if it cannot be reached."""
    limits = target.limits
    limits.round_trip = 0.0
    for _ in range(_MEASURED):
        began = time.monotonic()
        await handshake(target, None, leaves=False)
        took = time.monotonic() - began
        limits.round_trip = min(took, limits.round_trip or took)
        if not limits.far:
            return


def _is_server(answer: Handshake, target: Target) -> bool:
    """Whether a Socket.IO server answers so; one that is known to be there may also say that it was asked too often."""
    known = target.limits.round_trip > 0
    return answer.opened or answer.status in (401, 403) or (known and answer.status == 429)


async def _ask_by_polling(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    async with http.get(url, headers=headers, allow_redirects=False) as answer:
        return await _read(answer)


async def _read(answer: aiohttp.ClientResponse) -> Handshake:
    text = await read_text(answer)
    named = answer.status != 200 and _names_the_code(text)
    return Handshake(answer.status, text[:_KEPT], answer.headers.get("Location", ""), named)


def _names_the_code(body: str) -> bool:
    """Whether a body says it, as JSON, whose letters may be escaped, or as any other text."""
    try:
        return contains(json_of(body), _CODE)
    except ValueError:
        return _CODE in body


async def _leave(http: aiohttp.ClientSession, url: str, opened: str, headers: Mapping[str, str]) -> None:
    """Say that nobody is going to poll: a server may limit how many may."""
    with contextlib.suppress(Closed, TimeoutError, aiohttp.ClientError, OSError, ValueError):
        sid = Opened.read(opened).sid
        async with asyncio.timeout(LEAVE):
            async with http.post(
                URL(url).update_query(sid=sid), data=CLOSE, headers=headers, allow_redirects=False
            ) as answer:
                await read_text(answer)


async def _ask_by_websocket(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    try:
        async with http.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket:
            first = await socket.receive()
            return Handshake(200, first.data if isinstance(first.data, str) else "")
    except aiohttp.WSServerHandshakeError as refused:
        return await _refusal(http, url, headers, refused)
    except Redirected as redirected:
        return Handshake(redirected.status, "", redirected.location)


async def _refusal(
    http: aiohttp.ClientSession, url: str, headers: Mapping[str, str], refused: aiohttp.WSServerHandshakeError
) -> Handshake:
    """Return what comes with the refusal of a WebSocket, for which one has to ask once more in a way that shows it."""
    async with http.get(url, headers={**headers, **_UPGRADE}, allow_redirects=False) as answer:
        if answer.status == refused.status and (found := await _read(answer)).text:
            return found
    return Handshake(refused.status, refused.message)
