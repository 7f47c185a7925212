"""The server under somebody's orders, which come by standard input: for a program that shows clients what may happen.

An order is a line of JSON, `{"number": 1, "order": "refuse_next", "with": ["<user id>", "RATE_LIMITED"]}`, and may have
`options` by name. It is answered by a line on standard output, `{"number": 1}`, with `error` if it cannot be carried
out. The end of standard input stops the server.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dungeonlab_reference_server.interventions import Interventions

ORDERS = (
    "refuse_next",
    "delay",
    "refuse_connects",
    "emit",
    "emit_binary",
    "end_connections",
    "end_user",
    "end_login",
)
_LONGEST = 1_000_000  # bytes of one order


async def obey(line: bytes, interventions: Interventions) -> str:
    """Carry out one order; returns the line that answers it."""
    number = None
    try:
        order = json.loads(line)
        number = order["number"]
        if order["order"] not in ORDERS:
            raise ValueError(f"there is no such order; give one of {', '.join(ORDERS)}")
        done = getattr(interventions, order["order"])(*order.get("with", ()), **order.get("options", {}))
        if inspect.isawaitable(done):
            await done
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        return json.dumps({"number": number, "error": str(problem) or type(problem).__name__})
    return json.dumps({"number": number})


def take_orders(interventions: Interventions, stop: Callable[[], object]) -> None:
    """Carry out what comes by standard input, one order after the other; then call `stop`. To be called in the loop."""
    loop, orders = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    async def carry_out() -> None:
        while line := await orders.get():
            print(await obey(line, interventions), flush=True)
        stop()

    def read() -> None:  # in a thread of its own: not every file can be waited for in an event loop
        with suppress(RuntimeError):  # the server has stopped already
            for line in _lines():
                loop.call_soon_threadsafe(orders.put_nowait, line)
            loop.call_soon_threadsafe(orders.put_nowait, b"")

    carrying: asyncio.Task[Any] = loop.create_task(carry_out())
    carrying.add_done_callback(lambda task: None if task.cancelled() else task.result())
    threading.Thread(target=read, daemon=True).start()


def _lines() -> Any:
    """Yield the lines of standard input, until it ends or one is too long."""
    rest = b""
    with suppress(OSError):  # it was closed from the start
        while len(rest) < _LONGEST and (data := os.read(0, 65_536)):  # not by sys.stdin, whose lock would be held
            *lines, rest = (rest + data).split(b"\n")
            yield from filter(None, lines)
