"""The mutating proxy itself, and a handful of runs and searches through it; `python -m tests.hostile` does many."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.hostile.damage import KINDS
from tests.hostile.pieces import Binary, Cutter, Frame, Message
from tests.hostile.proxy import Plan, mutating
from tests.hostile.suite_run import judge, search

ANSWER = Message(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 26\r\n\r\n",
    b'431[{"a":1}]\x1e42["event",2]',
)
OPEN = Frame(0x81, b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
ACK = Frame(0x81, b'431[{"success":true}]')
ASKED = Frame(0x81, b'421["chat-message",{}]', b"\x01\x02\x03\x04")


async def pieces(data: bytes) -> list[object]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    cutter, found = Cutter(reader), list[object]()
    while piece := await cutter.next():
        found.append(piece)
    return found


async def test_a_stream_is_cut_into_its_messages_and_frames() -> None:
    """Heads with and without a body, chunks, the switch to frames, masks, all three sizes; a rest that is no piece."""
    chunked = Message(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n")
    switch = Message(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    frames = [OPEN, ASKED, Frame(0x82, b"x" * 300), Frame(0x81, b"y" * 70_000)]
    whole: list[Message | Frame] = [ANSWER, chunked, switch, *frames]
    assert await pieces(b"".join(piece.raw() for piece in whole) + b"\x81\x7e\x00") == [*whole, b"\x00"]


async def test_packets_change_while_the_framing_stays_intact() -> None:
    """A message states its new length, a frame too; bytes travel in base64, or in a binary frame."""
    changed = ANSWER.with_packets([b"2", Binary(b"\x00\x01")])
    assert changed.body == b"2\x1ebAAE="
    assert b"Content-Length: 7\r\n" in changed.head
    switch = Message(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    raw = switch.raw() + ASKED.with_packets([b"2" * 200, Binary(b"x")]).raw()
    assert await pieces(raw) == [switch, Frame(0x81, b"2" * 200, ASKED.mask), Frame(0x82, b"x", ASKED.mask)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_damage_does_harm_and_is_repeatable(kind: str) -> None:
    """The same dice give the same; and some piece does not get through as it was, in twenty throws."""
    harmed = False
    for seed in range(20):
        for piece in (OPEN, ACK, ASKED, ANSWER):
            done = KINDS[kind](random.Random(seed), piece)
            assert done == KINDS[kind](random.Random(seed), piece)
            harmed = harmed or done != [piece.raw()]
    assert harmed


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_proxy_that_damages_nothing_is_not_noticed(reference_url: str, transport: str) -> None:
    """What is found through the proxy is therefore the damage, and not the proxy."""
    with mutating(reference_url, Plan(1, "bytes", 0.0)) as (url, proxy):
        run = judge(url, "--only", "connect", "--only", "rooms", "--transport", transport)
    assert (run.code, run.problem, proxy.done.total()) == (0, "", 0), run.said


@pytest.mark.parametrize("kind", ["dropping", "order", "delaying", "head", "cutting"])
def test_damaged_traffic_ends_a_run_in_order(reference_url: str, kind: str) -> None:
    """Whatever it finds: no fault of the suite, no traceback, no hang, no more memory than a run may have."""
    with mutating(reference_url, Plan(3, kind, 0.02)) as (url, proxy):
        run = judge(url, "--only", "acks", "--event", "chat-message", "--timeout", "0.2")
    assert proxy.done.total(), run.said
    assert not run.problem, run.said


def test_damaged_traffic_ends_a_search_in_order(reference_url: str) -> None:
    """Whatever it finds, it is not interrupted by that, and its verdicts follow from what it recorded."""
    few = ("--plays", "4", "--length", "12", "--minutes", "0.02", "--seed", "1", "--timeout", "0.2")
    with mutating(reference_url, Plan(3, "payload", 0.05)) as (url, proxy):
        run = search(url, *few)
    assert proxy.done.total(), run.said
    assert not run.problem, run.said
