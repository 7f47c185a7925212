"""The suite's HTTP client: a session that follows no redirect, and a body that is read up to a limit.

Every HTTP request and every WebSocket handshake of the suite goes through a session that `new_session` made, and every
body is read by `read_text` or `read_body`. Knows nothing of verdicts. What it raises is an
`aiohttp.ClientError`:

    Redirected  a redirect, which is not followed
    Unreadable  a body that is too long, or compressed in a way that cannot be read
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import zlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from dungeonlab_conformance.clients.http.cookies import Jar
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target, tls

LONGEST_BODY = 4_000_000  # bytes of an answer, after decompression
MOST_VALUES = 200_000  # in the JSON of an answer; they take some 20 MB
LONGEST_HEADER = 65_536  # bytes of one header line; aiohttp reads 128 of them at most
IDLE = 1.0  # seconds until a connection is not used again; Node.js hangs up after 5, others after 2, unannounced
_ANSWERS = 100  # that have come on one connection, and are not looked at yet: servers send one or two of the 100s
_SHOWN = 200  # characters of a Location or of an encoding's name
_CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252", "utf-16"})  # others are costly, or are not for text


logging.getLogger("aiohttp").addHandler(logging.NullHandler())  # or each odd cookie would be a line of the output


class Redirected(aiohttp.ClientError):
    """The server answered with a redirect. `status` is the HTTP status, `location` where to, as the server wrote it."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(f"answered {status} to {location or 'nowhere'}; redirects are not followed")
        self.status = status
        self.location = location


class Unreadable(aiohttp.ClientPayloadError):
    """The body of an answer cannot be read; the message says why, as in "answered more than 4 MB"."""


class _Connection(ResponseHandler):
    """One connection of a pool, on which only so many answers of the 100s come before one that counts."""

    def data_received(self, data: bytes) -> None:
        """Take what came, if it is not too much."""
        super().data_received(data)
        waiting: Any = getattr(self, "_buffer", ())  # no public name; without it nothing is counted
        if len(waiting) > _ANSWERS and not self.upgraded:
            waiting.clear()
            self.set_exception(Unreadable("answered with heads of the 100s without an end"))
            if self.transport is not None:
                self.transport.abort()


def _connection(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return _Connection(loop)


class _Connector(aiohttp.TCPConnector):
    """A pool of such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_connection, loop=self._loop)


def new_connector(verify: bool | str = True) -> aiohttp.TCPConnector:
    """Return a new pool of connections; one that is idle for longer than `IDLE` is closed. `verify` is as below."""
    return _Connector(ssl=True if verify is True else tls(verify), limit=0, keepalive_timeout=IDLE)


def new_session(
    url: str,
    cookies: Mapping[str, str],
    headers: Mapping[str, str],
    verify: bool | str = True,
    connector: aiohttp.TCPConnector | None = None,
) -> aiohttp.ClientSession:
    """Return a new HTTP session with a cookie jar of its own. It follows no redirect, on any transport.

    `url` is the server's, `cookies` those to send to it, `headers` what goes with every request. `verify` says whether
    the server's certificate must be valid, or names a file of certificate authorities. `connector` is a pool that is
    shared with other sessions, and closed by its owner; without one the session has its own. Compression is not asked
    for, and not undone: read bodies with `read_text`. A server may close a connection after any answer without saying
    so: a request that meets with that is made once more, on a new connection, as browsers do. How long a request may
    take is its caller's to say.
    """
    jar = Jar(URL(url))
    jar.update_cookies(cookies, URL(url))
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    tracing.on_connection_create_start.append(_note_new)
    tracing.on_connection_reuseconn.append(_note_used)
    return aiohttp.ClientSession(
        cookie_jar=jar,
        headers={"Accept-Encoding": "identity", **headers},
        connector=new_connector(verify) if connector is None else connector,
        connector_owner=connector is None,
        trace_configs=[tracing],
        middlewares=(_once_more,),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
    )


def session_for(
    target: Target, identity: Identity | None, connector: aiohttp.TCPConnector | None = None
) -> aiohttp.ClientSession:
    """Return a new HTTP session to a target, holding the identity's cookies; see `new_session`."""
    cookies = identity.cookies if identity else {}
    return new_session(target.url, cookies, target.headers_for(identity), target.verify, connector)


async def read_text(answer: aiohttp.ClientResponse, limit: int = LONGEST_BODY) -> str:
    """Return the body of an answer as text, by its charset if that is a usual one, and otherwise as UTF-8.

    `limit` is in bytes after decompression. What cannot be decoded is replaced. Raises `Unreadable`.
    """
    body = await read_body(answer, limit)
    try:
        return body.decode(_charset(answer.charset), errors="replace")
    except UnicodeError:  # UTF-16 without a beginning
        return body.decode(errors="replace")


def json_of(text: str) -> Any:
    """Return the JSON that a body holds. Raises `ValueError` if there is none, or one of very many values or levels."""
    if text.count(",") + text.count("[") + text.count("{") > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


async def read_body(answer: aiohttp.ClientResponse, limit: int = LONGEST_BODY) -> bytes:
    """Return the body of an answer, decompressed. Raises `Unreadable` as soon as it has more than `limit` bytes."""
    try:
        body = Body(answer.headers.get("Content-Encoding", ""), limit)
        async for piece in answer.content.iter_any():
            body.add(piece)
    except Unreadable:
        answer.close()  # or the rest would be waited for
        raise
    return bytes(body.whole)


class Body:
    """A body that is put together from the pieces in which it comes, and decompressed: `whole` is what there is."""

    def __init__(self, encoding: str, limit: int = LONGEST_BODY) -> None:
        """`encoding` is its Content-Encoding, `limit` the bytes it may have. Raises `Unreadable`."""
        self.whole = bytearray()
        self._inflate = _inflating(encoding.strip().lower())
        self._limit = limit

    def add(self, piece: bytes) -> None:
        """Add the next piece. Raises `Unreadable` as soon as there is too much."""
        self.whole += self._inflate(piece, self._limit + 1 - len(self.whole))
        if len(self.whole) > self._limit:
            raise Unreadable(f"answered more than {_size(self._limit)}; the rest was not read")


def _inflating(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return a function from a piece of a body, and how many bytes may come of it, to those bytes."""
    if encoding in ("", "identity"):
        return lambda piece, _: piece
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unreadable(f"answered with Content-Encoding {encoding[:_SHOWN]!r}, although no compression was asked for")
    inflater = None

    def inflate(piece: bytes, most: int) -> bytes:
        nonlocal inflater
        if inflater is None:  # some send deflate without its two bytes of header, whose first one ends in 8
            bare = encoding == "deflate" and piece[0] & 0x0F != 8
            inflater = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        try:
            return inflater.decompress(piece, most)
        except zlib.error:
            raise Unreadable(f"answered with a body that is not {encoding}, as its Content-Encoding says") from None

    return inflate


_used: ContextVar[bool] = ContextVar("_used", default=False)  # whether the connection carried a request before


async def _note_new(*_: object) -> None:
    _used.set(False)


async def _note_used(*_: object) -> None:
    _used.set(True)


async def _once_more(asked: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Make a request again that went to a connection which the server had closed; aiohttp does so once, not for POST.

    Each connection that was closed is used up by that, until a new one is made.
    """
    while True:
        try:
            return await handler(asked)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if not _used.get() or isinstance(asked.body, aiohttp.payload.IOBasePayload):
                raise


async def _refuse_redirect(_: object, __: object, asked: aiohttp.TraceRequestRedirectParams) -> None:
    asked.response.close()
    raise Redirected(asked.response.status, asked.response.headers.get("Location", "")[:_SHOWN])


def _charset(named: str | None) -> str:
    try:
        found = codecs.lookup(named or "utf-8").name
    except (LookupError, ValueError):
        found = "utf-8"
    return found if found in _CHARSETS - {"utf-8"} else "utf-8-sig"


def _size(limit: int) -> str:
    return f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit} bytes"
