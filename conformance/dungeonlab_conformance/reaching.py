"""Whether there is a server to judge, and how far away it is."""

from __future__ import annotations

import time

from dungeonlab_conformance.target import Target
from dungeonlab_conformance.verdict import TargetFault

_MEASURED = 3  # round trips at most; the shortest counts, since a machine that is busy lengthens the others


async def reach(target: Target) -> None:
    """Make sure that a Socket.IO v4 server answers at the target's address.

    Raises `TargetFault` with a sentence that says what answered instead.
    """
    answer = await target.handshake(None)
    if not answer.opened and answer.status not in (401, 403):  # it may serve WebSocket all the same
        by_websocket = await target.handshake(None, transport="websocket")
        answer = by_websocket if by_websocket.opened or by_websocket.status in (401, 403) else answer
    if not answer.opened and answer.status not in (401, 403):
        raise TargetFault(
            f"{target.socket} answered HTTP {answer.status} and no Socket.IO v4 handshake; "
            "is the path right, and is it a Socket.IO server?"
        )


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
