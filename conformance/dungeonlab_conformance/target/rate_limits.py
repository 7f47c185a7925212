"""Waits for a server that limits how often one may do something. Never a verdict against it."""

from __future__ import annotations

import asyncio
import math
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

LONGEST = 90.0  # seconds that one request is tried again; most limits are so many requests a minute
_FIRST, _DOUBLED_TO = 1.0, 15.0  # seconds to wait, where the server does not say how long
_SHORTEST = 0.2  # seconds, where it says that there is no need to wait
APART = (0.2, 0.5)  # seconds between two events of one user, where more would be too many: these are tried
_ALL_APART, _ALL_MOST_APART = 0.002, 0.064  # seconds between two events of anybody, at first and at most


class Limited(Protocol):
    """An HTTP answer: its status, and its headers by name, in any case."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""


_Answer = TypeVar("_Answer", bound=Limited)


def _nothing(_: float) -> None:
    pass


@dataclass(slots=True)
class Turn:
    """Requests of one kind, of which one at a time waits for a limit; `given_up` once one has waited in vain."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    given_up: bool = False


@dataclass(slots=True)
class RateLimit:
    """What is known of a server's limit: how often it was `reached` in this run.

    `on_wait` is called with the seconds of each wait before it begins, so that the run can give its scenes more
    time and play fewer at once.
    """

    reached: int = 0
    on_wait: Callable[[float], None] = _nothing

    @contextmanager
    def telling(self, on_wait: Callable[[float], None]) -> Iterator[None]:
        """Call `on_wait` while the block runs."""
        self.on_wait = on_wait
        try:
            yield
        finally:
            self.on_wait = _nothing  # a target outlives its run, and must not keep it

    async def within(self, turn: Turn, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Ask; where that was too often, wait and ask again. Returns the last answer, after `LONGEST` at most.

        Requests that share a `turn` are tried again one after the other, not all at once. Once one of them has waited
        in vain, the others do not wait any more.
        """
        answer = await ask()
        if pause_wanted(answer) is None:
            return answer
        async with turn.lock:
            waited, usual = 0.0, _FIRST
            while (wanted := pause_wanted(answer)) is not None and not turn.given_up:
                pause = usual if math.isnan(wanted) else max(wanted, _SHORTEST)
                if waited + pause > LONGEST:
                    turn.given_up = True
                    break
                self.reached += 1
                self.on_wait(pause)
                await sleep(pause)
                waited, usual = waited + pause, min(2 * usual, _DOUBLED_TO)
                answer = await ask()
        return answer


@dataclass(slots=True)
class Throttle:
    """Has each user wait before the next event is sent, so that a limit of so many a second is not reached.

    A `shared` one has all users wait for each other, as where a server counts by address; it begins with little.
    """

    apart: float = APART[0]
    shared: bool = False
    _next: dict[str, float] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Lock] = field(default_factory=dict)

    @classmethod
    def for_all(cls) -> Throttle:
        """Return a shared one."""
        return cls(_ALL_APART, shared=True)

    def slow_down(self) -> bool:
        """Send half as often from now on; returns False where that would be too seldom for a run."""
        if self.apart >= _ALL_MOST_APART:
            return False
        self.apart *= 2
        return True

    async def turn(self, user: str) -> None:
        """Wait until a user may send the next event; who is late, on a busy machine, has the others wait for longer."""
        key = "" if self.shared else user
        async with self._waiting.setdefault(key, asyncio.Lock()):
            await sleep(max(0.0, self._next.get(key, 0.0) - time.monotonic()))
            self._next[key] = time.monotonic() + self.apart


def prolong(patience: asyncio.Timeout, seconds: float) -> None:
    """Let a time limit end so many seconds later, unless it has ended."""
    if not patience.expired() and (end := patience.when()) is not None:
        patience.reschedule(end + seconds)


def pause_wanted(answer: Limited) -> float | None:
    """Return for how many seconds an answer asks to wait, NaN if it does not say; None if it does not ask for that."""
    given = answer.headers.get("Retry-After", "").strip()
    if answer.status == 503 and not given:
        return None
    if answer.status not in (429, 503):
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = _until(given, answer.headers.get("Date", ""))
    return seconds if 0 <= seconds < math.inf else math.nan


def _until(date: str, now: str) -> float:
    """Return the seconds from one HTTP date to another, which may be missing: then to this clock's. NaN for no date."""
    try:
        then = parsedate_to_datetime(date)
        try:
            since = parsedate_to_datetime(now)
        except ValueError:
            since = datetime.now(UTC)
        return max(0.0, (then.replace(tzinfo=UTC) - since.replace(tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        return math.nan
