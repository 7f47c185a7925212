"""Whether there is a server to judge, and how far away it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from yarl import URL

from dungeonlab_conformance.clients.http.diagnosis import may_come_up, of_answer
from dungeonlab_conformance.results.verdict import NotUp, TargetFault
from dungeonlab_conformance.target.target import Handshake, Target

_MEASURED = 3  # round trips at most; the shortest counts, since a machine that is busy lengthens the others
_REMINDER = 10.0  # seconds until the reason for waiting is told again
_PAUSE = 0.5  # seconds between two looks for a server that is not up yet


async def reach(target: Target) -> None:
    """Make sure that a Socket.IO v4 server answers at the target's address.

    Raises `TargetFault` with a sentence that says what answered instead, `NotUp` if that may change by itself.
    """
    answer = await target.handshake(None)
    if not _is_server(answer, target):  # it may serve WebSocket all the same
        by_websocket = await target.handshake(None, transport="websocket")
        answer = by_websocket if _is_server(by_websocket, target) else answer
    if not _is_server(answer, target):
        fault = NotUp if may_come_up(answer.status) else TargetFault
        raise fault(of_answer(URL(target.socket), target.path, answer.status, answer.text, answer.location))


async def wait_for(target: Target, seconds: float, tell: Callable[[str], None]) -> None:
    """Wait until a server answers at the target's address, for so many seconds at most.

    `tell` is called with each new reason why there is none yet, and from time to time with the same one. Returns early
    once the server is up, or once waiting cannot help; whether it is up, and why not, `reach` says.
    """
    end = time.monotonic() + seconds
    told, at = "", 0.0
    while (left := end - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                await reach(target)
            return
        except NotUp as fault:
            reason = target.secrets.redact(str(fault))
        except (TimeoutError, TargetFault):
            return
        if reason != told or time.monotonic() - at > _REMINDER:
            told, at = reason, time.monotonic()
            tell(f"waiting up to {max(0.0, end - at):.0f} s: {reason}")
        await asyncio.sleep(min(_PAUSE, max(0.0, end - time.monotonic())))


async def measure(target: Target) -> None:
    """Find out how long a round trip to the server takes. Raises `TargetFault` if it cannot be reached."""
    limits = target.limits
    limits.round_trip = 0.0
    for _ in range(_MEASURED):
        began = time.monotonic()
        await target.handshake(None)
        took = time.monotonic() - began
        limits.round_trip = min(took, limits.round_trip or took)
        if not limits.far:
            return


def _is_server(answer: Handshake, target: Target) -> bool:
    """Whether a Socket.IO server answers so; one that is known to be there may also say that it was asked too often."""
    known = target.limits.round_trip > 0
    return answer.opened or answer.status in (401, 403) or (known and answer.status == 429)
