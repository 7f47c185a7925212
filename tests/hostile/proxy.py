"""A mutating proxy: sits on loopback between suite and server and damages what goes through, repeatably by a seed.

with mutating(url, Plan.of(7)) as damaged_url: ...
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

from tests.hostile.damage import KINDS, Act, Cut, Later, Pause
from tests.hostile.pieces import Cutter, Piece

_HEAD = 1_000_000  # bytes of an HTTP head, or a line, that are read as a whole
_SPARED = 6  # pieces of a server's that are let through first, so that most runs begin at all


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in one run: which damage, to how many of the pieces, in which direction.

    `rate` is the share of pieces that are damaged, from 0 to 1. `kind` is one of `KINDS`, or "mixed".
    """

    seed: int
    kind: str
    rate: float
    from_server: bool = True
    spared: int = _SPARED

    @classmethod
    def of(cls, seed: int, kind: str | None = None) -> Plan:
        """Return the plan that belongs to a seed; of this kind, if one is wanted."""
        dice = random.Random(seed)
        kinds = ("mixed", *KINDS)
        drawn = kinds[seed % len(kinds)]
        rate = 10 ** dice.uniform(-3, -1)
        return cls(seed, kind or drawn, rate, dice.random() < 0.8, 0 if dice.random() < 0.2 else _SPARED)

    def __str__(self) -> str:
        whose = "server" if self.from_server else "client"
        return f"{self.kind}, {self.rate:.2%} of what the {whose} sends"


@dataclass(slots=True)
class Proxy:
    """Carries connections to one port of this machine, by a plan. `done` counts the damage by kind."""

    plan: Plan
    port: int
    done: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=count)
    _pieces: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end has gone."""
        number, writers = next(self._numbers), [writer]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port, limit=_HEAD)
            writers.append(back)
            ways = [
                asyncio.create_task(self._carry(reader, back, number, from_server=False)),
                asyncio.create_task(self._carry(there, writer, number, from_server=True)),
            ]
            try:
                done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in done:
                    way.result()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # one end has gone, or is to go, and takes the other along
        finally:
            for end in writers:
                end.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, *, from_server: bool
    ) -> None:
        dice = random.Random(f"{self.plan.seed}/{number}/{from_server}")
        cutter, later = Cutter(reader), b""
        while piece := await cutter.next():
            acts = [piece] if isinstance(piece, bytes) else self._acts(dice, piece, from_server)
            for act in acts:
                await _do(act, writer)
            if later:
                await _do(later, writer)
            later = b"".join(act.data for act in acts if isinstance(act, Later))

    def _acts(self, dice: random.Random, piece: Piece, from_server: bool) -> list[Act]:
        if from_server is not self.plan.from_server:
            return [piece.raw()]
        self._pieces += 1
        if self._pieces <= self.plan.spared or dice.random() >= self.plan.rate:
            return [piece.raw()]
        kind = dice.choice(list(KINDS)) if self.plan.kind == "mixed" else self.plan.kind
        acts = KINDS[kind](dice, piece)
        self.done[kind] += acts != [piece.raw()]
        return acts


async def _do(act: Act, writer: asyncio.StreamWriter) -> None:
    match act:
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Cut(reset):
            if reset:
                writer.transport.abort()
            raise ConnectionAbortedError
        case bytes():
            writer.write(act)
            await writer.drain()
        case Later():
            pass  # its turn comes


@contextmanager
def mutating(url: str, plan: Plan) -> Iterator[tuple[str, Proxy]]:
    """Run the proxy before a server at `url` while the block runs; yields its own URL, and the proxy."""
    proxy = Proxy(plan, urlsplit(url).port or 80)
    begun: Future[tuple[int, Callable[[], object]]] = Future()

    async def serve() -> None:
        server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0, limit=_HEAD)
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        begun.set_result((server.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(stop.set)))
        await stop.wait()
        server.close()  # the connections that are left end with the loop

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    port, stop = begun.result(60)
    try:
        yield f"http://127.0.0.1:{port}", proxy
    finally:
        stop()
        thread.join()
