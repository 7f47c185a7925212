"""The network is as slow as it says, and hands over what it was given."""

from __future__ import annotations

import asyncio
import time

from tests.false_alarms.link import Link, Network, port_of


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _round_trip(network: Network, data: bytes) -> tuple[float, bytes]:
    before = asyncio.all_tasks()
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as there, await network.open(port_of(there)) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(here))
        began = time.monotonic()
        writer.write(data)
        writer.write_eof()
        came = await reader.read(-1)
        took = time.monotonic() - began
        writer.close()
        if ends := asyncio.all_tasks() - before:
            await asyncio.wait(ends, timeout=5)  # until they have noticed
    return took, came


async def test_a_round_trip_takes_twice_the_latency() -> None:
    """There and back."""
    seconds, _ = await _round_trip(Network(Link(latency=0.05)), b"hello")
    assert seconds >= 0.1


async def test_what_is_much_takes_long_and_arrives_whole() -> None:
    """Ten thousand bytes at fifty thousand a second, there and back at the same time."""
    data = bytes(range(250)) * 40
    seconds, came = await _round_trip(Network(Link(rate=50_000, jitter=0.01)), data)
    assert seconds >= 0.2
    assert came == data


async def test_a_marked_connection_has_a_link_of_its_own() -> None:
    """The mark is in the first bytes."""
    network = Network(Link(), b"slow", Link(latency=0.1))
    slow, _ = await _round_trip(network, b"slow one")
    assert slow >= 0.2
