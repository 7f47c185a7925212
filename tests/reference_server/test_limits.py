"""What one client may have the server keep for it: connections, polls, uploads, unsent packets. None lasts for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.reference_server.people import PATIENCE, Frames, House, Person, eventually, house

from dungeonlab_reference_server import tcp
from dungeonlab_reference_server.settings import Settings

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


def limited(**limits: Any) -> Any:
    """Return a server with such limits."""
    return house(Settings(check_outgoing=True, **limits))


@asynccontextmanager
async def line(url: str, sent: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a TCP connection and send something."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        yield reader, writer
    finally:
        writer.transport.abort()


async def answered(reader: asyncio.StreamReader) -> str:
    """Return the status line of an answer; empty if the connection is closed without one."""
    async with asyncio.timeout(PATIENCE):
        return (await reader.readline()).decode().strip()


async def handshake(http: aiohttp.ClientSession) -> str:
    """Open an Engine.IO session over polling; returns its URL."""
    async with http.get(POLLING) as answer:
        return f"{POLLING}&sid={json.loads((await answer.text())[1:])['sid']}"


async def entered(person: Person) -> str:
    """Open an Engine.IO session over polling and enter the namespace; returns its URL."""
    url = await handshake(person.http)
    await uploads(person, url, "40")
    assert (await polls(person, url)).startswith("40")
    return url


async def uploads(person: Person, url: str, body: str) -> None:
    async with person.http.post(url, data=body) as answer:
        assert answer.status == 200


async def polls(person: Person, url: str) -> str:
    async with person.http.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


def head(person: Person, method: str, path: str, more: str = "") -> bytes:
    """Return the head of a request with a person's cookie."""
    cookies = "; ".join(f"{c.key}={c.value}" for c in person.http.cookie_jar)
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n{more}\r\n".encode()


# -- polls -------------------------------------------------------------------------------------------


async def test_two_polls_at_once_end_the_session(here: House) -> None:
    """As with socket.io: the second is answered 400, the first learns that it is over, and no packet went to either."""
    bob = await here.person()
    url = await entered(bob)
    first = asyncio.create_task(polls(bob, url))
    await eventually(lambda: here.pipeline.sockets.eio._polls)
    async with bob.http.get(url) as second:
        assert second.status == 400
        assert "a poll under way" in (await second.json())["error"]
    assert await first == "1"
    await eventually(lambda: not here.pipeline.users)
    async with bob.http.post(url, data="42[]") as answer:
        assert answer.status == 400


async def test_an_aborted_poll_loses_nothing(here: House) -> None:
    """What comes after the client has gone waits for its next poll."""
    bob = await here.person()
    url = await entered(bob)
    async with line(here.url, head(bob, "GET", url)):
        await eventually(lambda: here.pipeline.sockets.eio._polls)
    await eventually(lambda: next(iter(here.pipeline.sockets.eio._polls.values())).transport is None)
    await uploads(bob, url, '427["get-user-data",{}]')
    assert (await polls(bob, url)).startswith('437[{"success":true')
    await uploads(bob, url, '428["get-user-data",{}]')
    assert (await polls(bob, url)).startswith('438[{"success":true')


async def test_a_client_that_takes_its_leave_ends_its_poll(here: House) -> None:
    """A poll does not wait for what cannot come any more."""
    bob = await here.person()
    url = await entered(bob)
    poll = asyncio.create_task(bob.http.get(url))
    await eventually(lambda: here.pipeline.sockets.eio._polls)
    await uploads(bob, url, "1")
    async with asyncio.timeout(PATIENCE), await poll as answer:
        assert answer.status == 400


async def test_the_last_packets_of_a_session_can_still_be_polled(here: House) -> None:
    """An answer that was given before the server closed the session is not lost with it."""
    bob = await here.person()
    url = await entered(bob)
    await uploads(bob, url, '427["chat-message"]')
    await here.pipeline.end_user(bob.id)
    last = await polls(bob, url)
    assert last.startswith("437[")
    assert last.endswith("\x1e1")


async def test_an_upload_to_a_session_that_has_ended_is_answered_400(here: House) -> None:
    """Also if it ended while the upload was on its way, and though its last packets still wait to be polled."""
    bob = await here.person()
    url = await entered(bob)
    async with line(here.url, head(bob, "POST", url, "Content-Length: 2\r\n") + b"4") as (reader, writer):
        await eventually(lambda: here.pipeline.sockets.eio._uploads)
        await here.pipeline.end_user(bob.id)
        async with bob.http.post(url + "x", data="3") as answer:
            assert answer.status == 400
        writer.write(b"2")
        assert " 400 " in await answered(reader)
    async with bob.http.post(url, data="3") as answer:
        assert answer.status == 400


async def test_half_an_upgrade_is_answered_400(here: House) -> None:
    """An Upgrade header that Connection does not name asks for nothing."""
    bob = await here.person()
    for sid in ("", "&sid=nobody"):
        async with line(here.url, head(bob, "GET", WEBSOCKET + sid, "Upgrade: websocket\r\n")) as (reader, _):
            assert " 400 " in await answered(reader)


async def test_too_many_uploads_at_once_end_the_session(here: House) -> None:
    """A few wait for each other; none of those that wait is read."""
    bob = await here.person()
    url = await entered(bob)
    unfinished = head(bob, "POST", url, "Content-Length: 100\r\n")
    async with line(here.url, unfinished):
        lines = [line(here.url, unfinished) for _ in range(20)]
        opened = [await each.__aenter__() for each in lines]
        await eventually(lambda: sum(here.pipeline.sockets.eio._uploads.values()) == 21)
        async with line(here.url, unfinished) as (reader, _):
            assert " 400 " in await answered(reader)
        await eventually(lambda: not here.pipeline.users)
        for each in lines:
            await each.__aexit__(None, None, None)
    assert opened
    await eventually(lambda: not here.pipeline.sockets.eio._uploads)


# -- connections that do not enter -------------------------------------------------------------------


async def test_a_websocket_that_never_enters_is_closed() -> None:
    """Whether it is silent, was refused, or has left: each is closed when its time is over, and who entered stays."""
    async with limited(connect_timeout=0.2) as strict:
        bob = await strict.person()
        inside = await bob.connects()
        left = await bob.frames()
        await left.socket.send_str("41")
        async with (
            aiohttp.ClientSession(strict.url) as stranger,
            stranger.ws_connect(WEBSOCKET) as silent,
            stranger.ws_connect(WEBSOCKET) as refused,
        ):
            await refused.send_str("40")
            await Frames(refused).until("44")
            for each in (silent, refused):
                await Frames(each).is_closed()
        await left.is_closed()
        await eventually(lambda: len(strict.pipeline.sockets.eio.sockets) == 1)
        await inside.does("get-user-data", {})
        assert not strict.pipeline.sockets._outside


async def test_a_polling_session_that_never_enters_is_forgotten() -> None:
    """Its next poll is answered 400."""
    async with limited(connect_timeout=0.1) as strict:
        bob = await strict.person()
        url = await handshake(bob.http)
        await eventually(lambda: not strict.pipeline.sockets.eio.sockets)
        async with bob.http.get(url) as answer:
            assert answer.status == 400


async def test_many_handshakes_push_out_the_oldest() -> None:
    """Strangers that do not enter are kept in limited number, and who enters at once is served meanwhile."""
    async with limited(most_connections=40) as strict:
        bob = await strict.person()
        url = await entered(bob)
        async with aiohttp.ClientSession(strict.url) as stranger:
            for _ in range(60):
                await handshake(stranger)
        assert len(strict.pipeline.sockets.eio.sockets) <= 21
        await uploads(bob, url, '427["get-user-data",{}]')
        assert (await polls(bob, url)).startswith("437[")


async def test_too_many_sessions_are_answered_503() -> None:
    """Those that are there go on."""
    async with limited(most_connections=3) as strict:
        bob = await strict.person()
        urls = [await entered(bob) for _ in range(3)]
        async with bob.http.get(POLLING) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        for url in urls:
            await uploads(bob, url, '427["get-user-data",{}]')


async def test_sessions_that_are_over_make_room() -> None:
    """One that leaves is not counted any more, though the library forgets a session only some seconds later."""
    async with limited(most_connections=3) as strict:
        bob = await strict.person()
        for _ in range(10):
            await uploads(bob, await entered(bob), "1")


async def test_a_user_has_so_many_connections() -> None:
    """One more is refused with a reason; another user is let in."""
    async with limited(connections_per_user=2) as strict:
        bob, carol = await strict.person(), await strict.person()
        for _ in range(2):
            await bob.connects()
        url = await handshake(bob.http)
        await uploads(bob, url, "40")
        assert "more than 2 connections" in await polls(bob, url)
        await carol.connects()


async def test_connect_packets_without_end_end_the_connection(here: House) -> None:
    """A client sends one for each namespace it wants, not hundreds."""
    frames = await (await here.person()).frames()
    for number in range(200):
        await frames.socket.send_str(f"40/{number},")
    await frames.is_closed()


# -- what is received --------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "&sid=nobody", "&sid=%FF%ED%A0%80"])
async def test_an_upload_that_belongs_to_nobody_is_not_read(here: House, query: str) -> None:
    """It is answered 400 before any of it has come."""
    bob = await here.person()
    async with line(here.url, head(bob, "POST", POLLING + query, "Content-Length: 3900000\r\n")) as (reader, _):
        assert " 400 " in await answered(reader)


@pytest.mark.parametrize("framing", ["Content-Length: 200000\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_an_upload_without_a_login_is_small(here: House, framing: str) -> None:
    """A session without a cookie gets 413 for what is larger than a handshake needs."""
    async with aiohttp.ClientSession(here.url) as stranger:
        url = await handshake(stranger)
    request = f"POST {url} HTTP/1.1\r\nHost: x\r\n{framing}\r\n".encode()
    chunk = b"186a0\r\n" + b"x" * 100_000 + b"\r\n" if "chunked" in framing else b""
    async with line(here.url, request + chunk) as (reader, _):
        assert " 413 " in await answered(reader)


async def test_unfinished_uploads_are_limited_in_all(here: House) -> None:
    """Beyond the limit large ones are answered 503, small ones go on, and what broke off is given back."""
    pool = here.pipeline.sockets.uploads.pool
    pool.most = 300_000
    bob, carol = await here.person(), await here.person()
    url, other = await entered(bob), await entered(carol)
    large = "Content-Length: 500000\r\n"
    async with line(here.url, head(bob, "POST", url, large) + b"4" * 250_000):
        await eventually(lambda: pool.taken[bob.id] > 100_000)
        async with line(here.url, head(carol, "POST", other, large) + b"4" * 400_000) as (reader, _):
            assert " 503 " in await answered(reader)
        await uploads(carol, other, '427["get-user-data",{}]')
    await eventually(lambda: not pool.taken)


async def test_unfinished_messages_are_limited_in_all(here: House) -> None:
    """A WebSocket that sends fragments without end is closed; what was sent whole is given back at once."""
    pool = here.pipeline.sockets.uploads.pool
    pool.most_each = 300_000
    bob = await here.person()
    frames = await bob.frames()
    await frames.socket.send_str('427["chat-message",{"x":"' + "x" * 250_000 + '"}]')
    await frames.until("437[")
    assert not pool.taken
    fragment = bytes((0x80 | 126,)) + (50_000).to_bytes(2, "big") + b"\0\0\0\0" + b"4" * 50_000
    transport: Any = frames.socket._response.connection.transport  # type: ignore[union-attr]
    transport.write(b"\x01" + fragment + (b"\0" + fragment) * 20)  # a text that begins, and its continuations
    await frames.is_closed()
    await eventually(lambda: not pool.taken)


async def test_a_message_without_a_login_is_small(here: House) -> None:
    """Who is not logged in is closed with 1009 for a large one."""
    async with aiohttp.ClientSession(here.url) as stranger, stranger.ws_connect(WEBSOCKET) as opened:
        await opened.send_str("42" + "x" * 100_000)
        assert await Frames(opened).is_closed() == 1009


async def test_pings_without_end_end_the_connection(here: House) -> None:
    """A ping is answered; hundreds with nothing in between are too many."""
    frames = await (await here.person()).frames()
    for _ in range(300):
        await frames.socket.ping()
    await frames.is_closed()


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_a_head_takes_only_so_long(begun: bytes) -> None:
    """A connection that is silent, begins a request, or has made one, is closed if no head becomes complete."""
    async with limited(idle_timeout=0.2) as strict, line(strict.url, begun) as (reader, _):
        async with asyncio.timeout(PATIENCE):
            rest = await reader.read()
        assert rest.startswith(b"HTTP/1.1 200" if b"healthz" in begun else b"")


@pytest.mark.parametrize("framing", ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_a_body_takes_only_so_long(framing: str) -> None:
    """Over HTTP and over polling it is answered 400 when its time is over."""
    async with limited(upload_timeout=0.2) as strict:
        bob = await strict.person()
        for path in ("/api/auth/login", await entered(bob)):
            async with line(strict.url, head(bob, "POST", path, framing)) as (reader, _):
                assert " 400 " in await answered(reader)


# -- what is sent ------------------------------------------------------------------------------------


async def test_a_client_that_does_not_poll_is_let_go(here: House) -> None:
    """What waits to be sent to it does not grow for ever; the others in the room go on."""
    here.pipeline.sockets.eio.most_unsent = 10_000
    gm, bob = await here.person(), await here.person()
    session = await here.table(gm, bob)
    master = await gm.joins(session)
    url = await entered(bob)
    await uploads(bob, url, json.dumps(["join-session", {"sessionId": session}]).join(("42", "")))
    for _ in range(30):
        await master.does("chat-message", {"sessionId": session, "message": "x" * 1000})
    await eventually(lambda: list(here.pipeline.users.values()) == [gm.id])
    async with bob.http.get(url) as answer:
        assert answer.status == 400


async def test_an_answer_that_is_not_read_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session whose poll it was is over too: something of it is lost."""
    monkeypatch.setattr(tcp, "_SLOWEST", 1e9)
    async with limited(write_timeout=0.2) as strict:
        bob = await strict.person()
        url = await entered(bob)
        connection = next(iter(strict.pipeline.users))
        for _ in range(12):
            await strict.pipeline.sockets.emit("x-large", "x" * 1_000_000, to=connection)
        async with line(strict.url, head(bob, "GET", url)) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await eventually(lambda: not strict.pipeline.users)


# -- TCP ---------------------------------------------------------------------------------------------


async def test_too_many_connections_push_out_the_idle_ones() -> None:
    """The oldest that is between two requests makes room for one more; who waits for an answer is not touched."""
    async with limited(most_connections=5) as strict:
        bob = await strict.person()
        url = await entered(bob)
        async with line(strict.url, head(bob, "GET", url)) as (waiting, _):
            await eventually(lambda: strict.pipeline.sockets.eio._polls)
            idle = [line(strict.url) for _ in range(6)]
            opened = [await each.__aenter__() for each in idle]
            async with asyncio.timeout(PATIENCE):
                assert await opened[0][0].read() == b""
            async with line(strict.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as (reader, _):
                assert " 200 " in await answered(reader)
            await uploads(bob, url, '427["get-user-data",{}]')
            assert " 200 " in await answered(waiting)
            for each in idle:
                await each.__aexit__(None, None, None)


async def test_one_connection_too_many_is_answered_503() -> None:
    """If none of those that are there is idle."""
    async with limited(most_connections=3) as strict:
        bob = await strict.person()
        for _ in range(3):
            await bob.frames()
        async with line(strict.url) as (reader, _):
            assert " 503 " in await answered(reader)
