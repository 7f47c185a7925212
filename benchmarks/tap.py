"""Measures what a tap adds to each acknowledged event, over either transport, beside a direct connection.

Run `python -m benchmarks.tap`, and `python -m benchmarks.tap --suite` for the whole suite through a tap, in front of
the reference server and of one in Node.js, with the same verdicts. Server, tap and client are processes of their own.
Direct and tapped events take turns, so that a busy machine disturbs both alike; the figure is the difference of the
medians.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import socketio
from benchmarks.delivery import bare
from tests.other_stacks.judge import served

from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.verdict import Outcome, VerdictKey

EVENTS = 3000  # of each way, over each transport
ADDED = 0.3  # milliseconds at the median that a tap may add
LONGER = 1.5  # times as long as without a tap that the suite may take


@contextmanager
def tapped(url: str) -> Iterator[str]:
    """Run a tap before a server while the block runs; yields its URL."""
    words = [sys.executable, "-m", "dungeonlab_conformance", "tap", url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


@asynccontextmanager
async def connected(url: str, transport: str) -> AsyncIterator[socketio.AsyncClient]:
    """Connect a client while the block runs."""
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, transports=[transport])
    try:
        yield client
    finally:
        await client.shutdown()


async def added(direct: str, through: str, transport: str) -> tuple[float, float]:
    """Return the medians of an event directly and through a tap, in milliseconds."""
    took: dict[str, list[float]] = {direct: [], through: []}
    async with connected(direct, transport) as one, connected(through, transport) as other:
        for _ in range(EVENTS):
            for url, client in ((direct, one), (through, other)):
                begin = time.perf_counter()
                await client.call("chat-message", {"sessionId": "none", "message": "hello"})
                took[url].append((time.perf_counter() - begin) * 1000)
    return statistics.median(took[direct]), statistics.median(took[through])


def suite(url: str, transport: str) -> tuple[float, dict[VerdictKey, Outcome]]:
    """Judge a server; return how long that took, in seconds, and the verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        words = ["run", url, "--transport", transport, "-q", "--json", str(file)]
        begin = time.monotonic()
        subprocess.run([sys.executable, "-m", "dungeonlab_conformance", *words], stdout=subprocess.PIPE, check=False)
        return time.monotonic() - begin, {verdict.key: verdict.outcome for verdict in load_run(file).verdicts}


def compared(name: str, url: str) -> bool:
    """Judge a server directly and through a tap, over either transport, and print that; says whether all was good."""
    good = True
    for transport in ("websocket", "polling"):
        with tapped(url) as through:
            (direct, verdicts), (longer, others) = suite(url, transport), suite(through, transport)
        differ = sum(verdicts[key] != others.get(key) for key in verdicts)
        took = f"{direct:.1f} s directly, {longer:.1f} s through a tap ({longer / direct:.2f} times)"
        print(f"{name}, {transport}: {took}; {differ} of {len(verdicts)} verdicts differ", flush=True)
        good = good and not differ and longer <= LONGER * direct
    return good


@contextmanager
def reference_server() -> Iterator[str]:
    """Run the reference server while the block runs; yields its URL."""
    words = [sys.executable, "-m", "dungeonlab_reference_server", "--port", "0", "--log-level", "error"]
    with subprocess.Popen([*words, "--scrypt-n", "2"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


def main() -> int:
    """Print the figures; the exit code is 1 if a tap adds more than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tap", description="Measure what a tap adds.")
    parser.add_argument("--suite", action="store_true", help="how much longer the whole suite takes")
    too_much = False
    if parser.parse_args().suite:
        with reference_server() as url, served() as another:
            good = [compared("the reference server", url), compared("one in Node.js", another)]
        return int(not all(good))
    with bare() as (url, _), tapped(url) as through:
        for transport in ("websocket", "polling"):
            direct, longer = asyncio.run(added(url, through, transport))
            more = longer - direct
            print(f"{transport}: {direct:.2f} ms directly, {longer:.2f} ms through a tap: {more:.2f} ms more")
            too_much = too_much or more > ADDED
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
