"""Engine.IO from a client's end: what a handshake says, uploads that any server takes, polls that do not hurry."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.conformance.scripted_server import OPEN, serving

from dungeonlab_conformance.clients.engine_io import Closed, EngineIO, Opened, foreign, next_message
from dungeonlab_conformance.clients.engine_io_packets import Noise
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

ODD: list[Any] = [None, True, math.inf, -1, 0, "soon", [], {}, 1e400]


@pytest.mark.parametrize("key", ["pingInterval", "pingTimeout", "maxPayload", "upgrades"])
@pytest.mark.parametrize("value", ODD)
def test_what_an_open_packet_says_can_be_used_or_is_ignored(key: str, value: Any) -> None:
    """Intervals that are no time, limits that are none, upgrades that are no list: as if they were not there."""
    said = {"sid": "s", "pingInterval": 300, "pingTimeout": 200, "upgrades": ["websocket"], "maxPayload": 9}
    opened = Opened.read("0" + json.dumps({**said, key: value}))
    assert 0 < opened.silence < 100
    assert opened.largest > 0
    assert all(isinstance(each, str) for each in opened.upgrades)


@pytest.mark.parametrize("key", ["pingInterval", "pingTimeout", "maxPayload"])
def test_an_integer_beyond_any_float_is_a_long_time(key: str) -> None:
    """JSON has no largest number; hours are waited for at the most."""
    opened = Opened.read(json.dumps({"sid": "s", key: 10**400}).join(["0", ""]))
    assert opened.silence <= 20_000
    assert opened.largest > 0


@pytest.mark.parametrize("text", ["", "1", "0", "0null", "0[]", "0{", "40{}", "0" + "[" * 100_000, b"0{}"])
def test_a_handshake_without_an_open_packet_says_so(text: str) -> None:
    """Whatever stands in its place."""
    with pytest.raises(Closed, match="OPEN"):
        Opened.read(text)


async def test_a_session_that_cannot_be_named_in_an_address_cannot_be_polled() -> None:
    """Half a surrogate pair stands in no URL."""
    with pytest.raises(Closed, match="no sid"):
        async with polled('0{"sid":"\\ud800"}', []):
            pass


@asynccontextmanager
async def polled(opening: str, answers: list[str]) -> AsyncIterator[tuple[EngineIO, list[str], list[str]]]:
    """Connect by polling to a server that gives these answers; also the bodies of all POSTs, and of all GETs but one.

    When the answers are used up, polls are answered with nothing, at once.
    """
    posted: list[str] = []
    polls: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        if request.method == "POST":
            posted.append(await request.text())
            return web.Response(text="ok")
        if "sid" not in request.query:
            return web.Response(text=opening)
        polls.append(answers.pop(0) if answers else "")
        return web.Response(text=polls[-1])

    async with serving(handle) as url:
        line = EngineIO(Target(url, transport="polling", limits=Limits(0.5)), None)
        try:
            await line.open(["polling"])
            yield line, posted, polls
        finally:
            await line.close()


async def test_uploads_are_split() -> None:
    """Forty packets sent at once arrive in order, at most 16 and at most maxPayload bytes in one POST."""
    opening = "0" + json.dumps({"sid": "s", "maxPayload": 60})
    async with polled(opening, []) as (line, posted, _):
        await line.send(*(f'2["{number:02}é"]' for number in range(40)))
        await line.flush()
    frames = [packet for body in posted for packet in body.split("\x1e")]
    assert frames == [f'42["{number:02}é"]' for number in range(40)]
    assert max(len(body.encode()) for body in posted) <= 60
    async with polled(OPEN, []) as (line, posted, _):
        await line.send(*("2[]" for _ in range(40)))
        await line.flush()
    assert [body.count("\x1e") + 1 for body in posted] == [16, 16, 8]


async def test_empty_polls_are_paced() -> None:
    """A server that answers polls with nothing is asked ever less often: a few dozen times in a second at most."""
    async with polled(OPEN, []) as (line, _, polls):

        async def listen() -> None:
            while True:
                assert await line.receive() == []

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(listen(), 1)
        assert 1 < len(polls) < 30


async def test_frames_come_in_order_and_pings_are_answered() -> None:
    """Text, bytes and what is neither, from one poll; a CLOSE ends it after what came before."""
    async with polled(OPEN, ["2\x1e4a\x1ebYWI=\x1eb%%\x1e7x\x1e6", "4last\x1e1"]) as (line, posted, _):
        frames = await line.receive()
        assert frames == ["a", b"ab", "b%%", "7x"]
        assert [isinstance(frame, Noise) for frame in frames] == [False, False, True, True]
        assert await line.receive() == ["last"]
        with pytest.raises(Closed, match="CLOSE"):
            await line.receive()
        await line.flush()
        assert posted == ["3"]


async def test_pongs_do_not_pile_up() -> None:
    """A server that sends pings without end has the run's room for what it sends; long pings are not repeated."""
    async with polled(OPEN, ["2" + "x" * 1_000, "\x1e".join(["2"] * 3_000)]) as (line, posted, _):
        line.target.capacity.left = 1_000_000
        assert await line.receive() == []
        await line.flush()
        assert len(posted[0]) == 100
        with pytest.raises(Closed, match="no more is kept"):
            await line.receive()
        with pytest.raises(TargetFault, match="does it send without end"):
            line.target.capacity.check()


async def test_millions_of_packets_in_one_poll_are_too_many() -> None:
    """A body of 4 MB may hold as many that are empty, each of which takes much more memory than room in the body."""
    async with polled(OPEN, ["\x1e" * 2_000_000]) as (line, _, _):
        with pytest.raises(Closed, match="no more is kept"):
            await line.receive()


async def test_a_server_that_sends_without_end_stops_no_clock() -> None:
    """What is there already is read without waiting; a time limit is heeded all the same."""

    class Endless:
        async def receive(self) -> SimpleNamespace:
            return SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data="6")

    async def read(socket: Any) -> None:
        for _ in range(1_000_000):
            await next_message(socket)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(Endless()), 0.05)


async def listen(line: EngineIO) -> None:
    """Take whatever comes, until the connection is over."""
    while True:
        await line.receive()


@pytest.mark.parametrize("pings", [0, 8])
async def test_a_server_is_heard_as_long_as_it_is_not_silent(pings: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ping is a sign of life; the connection ends only when nothing came for as long as the server has said."""
    monkeypatch.setattr("dungeonlab_conformance.clients.engine_io._PATIENCE", 0.0)

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('0{"sid":"s","pingInterval":200,"pingTimeout":200}')
        for _ in range(pings):
            await asyncio.sleep(0.1)
            await socket.send_str("2")
        async for _ in socket:
            pass  # the pongs, and then nothing
        return socket

    async with serving(handle) as url:
        line = EngineIO(Target(url), None)
        await line.open(["websocket"])
        began = time.monotonic()
        with pytest.raises(Closed, match="nothing for too long, not even a ping"):
            await listen(line)
        assert 0.4 + 0.1 * pings <= time.monotonic() - began < 5
        await line.close()


async def test_one_that_takes_its_leave_says_so() -> None:
    """A server would keep the session over long-polling for some time otherwise. What is under way is given up."""
    async with polled(OPEN, []) as (line, posted, _):
        await line.close()
        assert posted == []
    async with polled(OPEN, []) as (line, posted, _):
        line.takes_leave = True
        await line.close()
        assert posted == ["1"]


async def test_a_server_that_hears_of_no_leave_holds_nobody_up() -> None:
    """Nor does one that is gone."""
    held = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        if request.method == "POST":
            await held.wait()
        return web.Response(text=OPEN)

    async with serving(handle) as url:
        lines = [EngineIO(Target(url, transport="polling"), None) for _ in range(2)]
        for line in lines:
            await line.open(["polling"])
            line.takes_leave = True
        async with asyncio.timeout(1.9):
            await lines[0].close()
        held.set()
    await lines[1].close()


async def test_a_refused_upload_ends_the_connection() -> None:
    """A POST that fails ends what is received as well, though the poll is still open."""

    async def handle(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.Response(status=400)
        if "sid" in request.query:
            await asyncio.sleep(30)
        return web.Response(text=OPEN)

    async with serving(handle) as url:
        line = EngineIO(Target(url, transport="polling"), None)
        await line.open(["polling"])
        await line.send("2[]")
        with pytest.raises(Closed, match="HTTP 400"):
            await line.receive()
        await line.close()


async def test_who_waits_for_an_upload_learns_that_the_connection_is_given_up() -> None:
    """It is closed by then, as by its reader once the server has ended it; nobody has cancelled who waits."""
    async with polled(OPEN, []) as (line, _, _):
        await line.send("2[]")
        waiting = asyncio.create_task(line.flush())
        await asyncio.sleep(0)
        await line.close()
        with pytest.raises(Closed, match="given up"):
            await waiting


def test_what_libraries_say_of_an_end_is_put_in_plain_words() -> None:
    """A server author reads it as the reason of a verdict."""
    with pytest.raises(Closed, match=r"\Athe server closed the connection\Z"), foreign():
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
