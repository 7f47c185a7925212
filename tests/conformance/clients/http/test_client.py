"""The HTTP client of the suite: bodies that are cut while they are read, redirects that are not followed."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator

import aiohttp
import pytest
from tests.conformance.bytes_server import bytes_server, http

from dungeonlab_conformance.clients.http.client import (
    LONGEST_BODY,
    Redirected,
    Unreadable,
    json_of,
    new_session,
    read_text,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def text_of(answer: Iterable[bytes], limit: int = LONGEST_BODY) -> str:
    """Return what the client reads of an answer."""
    async with (
        bytes_server(lambda _: answer) as server,
        new_session(server.url, {}, {}) as session,
        session.get(server.url) as came,
    ):
        return await read_text(came, limit)


def endless(sent: list[int]) -> Iterator[bytes]:
    """Yield a body without an end, and note how many bytes of it were taken."""
    yield CHUNKED
    while True:
        sent.append(65536)
        yield b"10000\r\n" + b"a" * 65536 + b"\r\n"


async def test_an_endless_body_is_cut() -> None:
    """One sentence says so, and no more than the limit and some buffers is read."""
    sent: list[int] = []
    with pytest.raises(Unreadable, match=r"^answered more than 4 MB; the rest was not read$"):
        await text_of(endless(sent))
    assert sum(sent) < LONGEST_BODY + 20_000_000  # what the kernel and the libraries buffer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip", "GZip"])
async def test_a_compressed_body_is_read(encoding: str) -> None:
    """Some servers and proxies compress whatever they are asked for."""
    body = zlib.compress(b"hello " * 9) if encoding == "deflate" else gzip.compress(b"hello " * 9)
    assert await text_of(http("200 OK", body, f"Content-Encoding: {encoding}")) == "hello " * 9


async def test_deflate_without_its_header_is_read() -> None:
    """A known habit of old servers."""
    assert await text_of(http("200 OK", zlib.compress(b"hello", wbits=-15), "Content-Encoding: deflate")) == "hello"


@pytest.mark.parametrize("size", [10_000_000, 1_000_000_000])
async def test_a_small_body_that_becomes_huge_is_cut(size: int) -> None:
    """What is decompressed is never longer than the limit, whatever the ratio."""
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(1_000_000)
    body = b"".join(packer.compress(zeros) for _ in range(size // len(zeros))) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="more than 4 MB"):
            await text_of(http("200 OK", body, "Content-Encoding: gzip"))
        assert tracemalloc.get_traced_memory()[1] < 40_000_000  # bytes at the most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("encoding", "says"), [("br", "'br'"), ("gzip, gzip", "'gzip, gzip'"), ("gzip", "not gzip")])
async def test_a_compression_that_cannot_be_undone_is_named(encoding: str, says: str) -> None:
    """None was asked for."""
    with pytest.raises(Unreadable, match=says):
        await text_of(http("200 OK", b"\x8b\x02\x80junk", f"Content-Encoding: {encoding}"))


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=iso-8859-1", b"\xe9", "é"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("application/json", b'\xef\xbb\xbf{"a":1}', '{"a":1}'),
        ("text/plain; charset=punycode", b"a-b", "a-b"),
        ("text/plain; charset=zlib", b"abc", "abc"),
        ("text/plain; charset=none-such", b"\xff", "\ufffd"),
        ("text/plain; charset=" + "x" * 5000, b"abc", "abc"),
    ],
)
async def test_a_body_is_text_whatever_its_charset(kind: str, body: bytes, text: str) -> None:
    """By the usual charsets, without a byte order mark; what names another is read as UTF-8."""
    assert await text_of(http("200 OK", body, f"Content-Type: {kind}")) == text


HEADS = {
    "one line without an end": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], itertools.repeat(b"a" * 65536)),
    "headers without an end": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X: 1\r\n" * 9999)),
    "cookies without an end": lambda: itertools.chain(
        [b"HTTP/1.1 200 OK\r\n"], (b"Set-Cookie: c%d=1\r\n" % n for n in itertools.count())
    ),
    "a status line without an end": lambda: itertools.chain([b"HTTP/1.1 200 "], itertools.repeat(b"a" * 65536)),
}


@pytest.mark.parametrize("head", HEADS)
async def test_a_head_without_an_end_is_cut(head: str) -> None:
    """It ends by itself, long before any time limit, as an error of the client."""
    async with asyncio.timeout(20):
        with pytest.raises(aiohttp.ClientError):
            await text_of(HEADS[head]())


async def test_answers_of_the_100s_without_an_end_are_cut() -> None:
    """Each takes much more memory than bytes; one before the answer that counts is fine."""
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    assert await text_of([early, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"]) == "fine"
    with pytest.raises(Unreadable, match="heads of the 100s"):
        await asyncio.wait_for(text_of(itertools.repeat(early * 2_000)), 5)


def test_json_of_very_many_values_or_levels_is_none() -> None:
    """A body of 4 MB may hold more than a million lists."""
    assert json_of('{"id": [1]}') == {"id": [1]}
    for text, why in (("[" + "[]," * 100_000 + "0]", "more than"), ("[" * 50_000, "too deeply"), ("{", "Expecting")):
        with pytest.raises(ValueError, match=why):
            json_of(text)


async def test_long_headers_of_real_servers_are_read() -> None:
    """A content security policy may have 20 kB."""
    assert await text_of(http("200 OK", b"fine", "X-Policy: " + "a" * 20_000)) == "fine"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("how", ["GET", "POST", "HEAD", "websocket"])
async def test_no_redirect_is_followed(status: int, how: str) -> None:
    """The other host is asked nothing, the caller learns where it was to go."""
    async with bytes_server(lambda _: http("200 OK", b"stolen"), host="127.0.0.2") as other:
        where = f"Location: {other.url}/there"
        async with (
            bytes_server(lambda _: http(f"{status} Moved", b"", where)) as server,
            new_session(server.url, {"sid": "secret"}, {"X-Token": "secret"}) as session,
        ):
            with pytest.raises(
                Redirected, match=f"answered {status} to {other.url}/there; redirects are not"
            ) as raised:
                await (session.ws_connect(server.url) if how == "websocket" else session.request(how, server.url))
        assert (raised.value.status, raised.value.location) == (status, f"{other.url}/there")
        assert other.asked == []
        assert len(server.asked) == 1


async def test_a_redirect_may_be_looked_at() -> None:
    """Who does not ask for it to be followed gets the answer itself."""
    async with (
        bytes_server(lambda _: http("302 Found", b"", "Location: /in")) as server,
        new_session(server.url, {}, {}) as session,
        session.get(server.url, allow_redirects=False) as answer,
    ):
        assert answer.headers["Location"] == "/in"


@pytest.mark.parametrize("body", [b"", b"hello"])
async def test_a_post_is_made_again_where_the_connection_was_closed_unannounced(body: bytes) -> None:
    """A server that ends each connection as soon as a second request comes on it loses nothing by that."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        await reader.readexactly(len(body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, new_session(url, {}, {}) as session:
        for _ in range(3):
            async with session.post(url, data=body) as answer:
                assert await read_text(answer) == "fine"
    assert len(asked) == 3


async def test_a_post_that_kills_the_connection_is_not_made_for_ever() -> None:
    """On a new connection it is made once."""
    async with bytes_server(lambda _: []) as server, new_session(server.url, {}, {}) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url, data=b"hello")
    assert len(server.asked) == 1
