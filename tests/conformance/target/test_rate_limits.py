"""A server that limits how often one may register, log in or open sessions is waited for, and never convicted."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from tests.serving import running

from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.diagnostics.probe import probing
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target import rate_limits
from dungeonlab_conformance.target.rate_limits import RateLimit, Turn, pause_wanted
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.app import make_app
from dungeonlab_spec import Catalogue

NOW = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(200, {"Retry-After": "5"}), None),
        (Answer(503), None),
        (Answer(403, {"Retry-After": "5"}), None),
        (Answer(429), math.nan),
        (Answer(429, {"Retry-After": "5"}), 5),
        (Answer(503, {"Retry-After": " 1.5 "}), 1.5),
        (Answer(429, {"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": NOW}), 30),
        (Answer(429, {"Retry-After": "Thu, 01 Jan 2026 00:00:30 -0000", "Date": NOW}), 30),
        (Answer(429, {"Retry-After": "Wed, 31 Dec 2025 00:00:30 GMT", "Date": NOW}), 0),
        (Answer(429, {"Retry-After": "Thu, 01 Jan 2015 00:00:30 GMT", "Date": "none"}), 0),
        *((Answer(429, {"Retry-After": odd}), math.nan) for odd in ("-1", "nan", "inf", "1e999", "soon", "9" * 5000)),
        (Answer(429, {"Retry-After": "Fri, 99 Foo 9999999999 99:99:99 GMT"}), math.nan),
    ],
)
def test_how_long_a_server_asks_to_wait(answer: Answer, seconds: float | None) -> None:
    """Seconds or a date, by the server's own clock; what is neither is as if nothing was said."""
    assert pause_wanted(answer) == (seconds if seconds is None else pytest.approx(seconds, nan_ok=True))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits, which take no time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(rate_limits, "sleep", sleep)
    return waits


async def asked(*answers: Answer) -> Answer:
    """Return what comes of asking a server that answers so, the last time and time again."""
    left = deque(answers)

    async def ask() -> Answer:
        return left.popleft() if len(left) > 1 else left[0]

    return await RateLimit().within(Turn(), ask)


async def test_one_waits_as_long_as_is_asked(slept: list[float]) -> None:
    """And a little where that is no time at all, and longer and longer where nothing is said."""
    last = await asked(
        Answer(429, {"Retry-After": "3"}), Answer(503, {"Retry-After": "0"}), Answer(429), Answer(429), Answer(201)
    )
    assert last.status == 201
    assert slept == [3, 0.2, 4, 8]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "7"}])
async def test_waiting_has_an_end(slept: list[float], headers: dict[str, str]) -> None:
    """Then the refusal is the answer."""
    assert (await asked(Answer(429, headers))).status == 429
    assert 60 < sum(slept) <= rate_limits.LONGEST


async def test_what_waits_in_vain_lets_nobody_else_wait(slept: list[float]) -> None:
    """Six accounts that cannot be made take no longer than one; another kind of request has its own turn."""
    limit, turn = RateLimit(), Turn()

    async def ask() -> Answer:
        return Answer(429, {"Retry-After": "10"})

    await asyncio.gather(*(limit.within(turn, ask) for _ in range(6)))
    assert sum(slept) <= rate_limits.LONGEST
    await limit.within(Turn(), ask)
    assert sum(slept) > rate_limits.LONGEST


async def test_what_asks_for_too_much_is_not_waited_for(slept: list[float]) -> None:
    """An hour is no use to anybody."""
    assert (await asked(Answer(429, {"Retry-After": "3600"}))).status == 429
    assert slept == []


@asynccontextmanager
async def limited(*paths: str, most: int, seconds: float, tell: bool) -> Any:
    """Serve a reference server that answers so many requests to these paths in so many seconds; yields its URL."""
    times: deque[float] = deque()

    @web.middleware
    async def limit(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST" and request.path in paths:
            now = time.monotonic()
            while times and now - times[0] > seconds:
                times.popleft()
            if len(times) >= most:
                wait = {"Retry-After": str(math.ceil(seconds))} if tell else {}
                return web.json_response({"error": "slowly"}, status=429, headers=wait)
            times.append(now)
        answer: web.StreamResponse = await handler(request)
        return answer

    app = make_app()
    app.middlewares.append(limit)
    async with running(app) as url:
        yield url


@pytest.mark.parametrize("tell", [True, False])
async def test_a_limited_server_is_judged_all_the_same(tell: bool) -> None:
    """With or without Retry-After, all is judged; one lane remains, and nothing counts against the server."""
    paths = ("/api/auth/register", "/api/auth/login")
    async with limited(*paths, most=5, seconds=1, tell=tell) as url:
        target = Target(url)
        run = await Runner(target, scenes(Selection(only=("chat", "auth/logged-out*")), Catalogue.load())).play()
    assert run.fault is None
    assert {v.requirement: v.reason for v in run.verdicts if v.outcome is not Outcome.PASS} == {}
    assert target.rate_limit.reached > 0


async def test_a_limit_that_lasts_ends_the_run_with_what_to_do() -> None:
    """Exit code 3: the limit is named, and how to get past it."""
    async with limited("/api/auth/register", most=0, seconds=3600, tell=True) as url:
        run = await Runner(Target(url), scenes(Selection(only=("chat",)), Catalogue.load())).play()
    assert run.exit_code == 3
    assert "was answered 429" in str(run.fault)
    assert "raise the server's rate limit for the run" in str(run.fault)
    assert {v.outcome for v in run.verdicts} == {Outcome.UNJUDGED}


async def test_a_probe_waits_too() -> None:
    """Every step is done in the end."""
    async with limited("/api/auth/register", most=3, seconds=1, tell=True) as url:
        assert {step.state async for step in probing(Target(url))} == {"done"}
