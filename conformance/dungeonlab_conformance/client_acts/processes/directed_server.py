"""The bundled reference server under a director's orders: it stands behind every act."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.runner.embedded import Started, started

_PATIENCE = 20.0  # seconds for an order to be carried out, on a busy machine


class DirectedServer:
    """The server. An order is named as in the server's `interventions.py`, and concerns one user, named by the id."""

    def __init__(self, server: Started) -> None:
        self.url = server.url
        self._server = server
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()

    async def order(self, name: str, *arguments: Any, **options: Any) -> None:
        """Have an order carried out; it is in force when this returns.

        Raises `TargetFault` if the server has gone, and `ValueError` if it cannot do what was ordered.
        """
        number = next(self._numbers)
        line = json.dumps({"number": number, "order": name, "with": arguments, "options": options})
        async with self._turn:
            try:
                async with asyncio.timeout(_PATIENCE):
                    self._server.input.write(line.encode() + b"\n")
                    await self._server.input.drain()
                    answer = await self._answer(number)
            except (TimeoutError, OSError, ValueError):
                raise TargetFault("the bundled server takes no orders any more: it has ended or hangs") from None
        if "error" in answer:
            raise ValueError(answer["error"])

    async def _answer(self, number: int) -> dict[str, Any]:
        """Return the answer to an order; one that was waited for in vain may come before it."""
        while True:
            answer: dict[str, Any] = json.loads(await self._server.output.readline())
            if answer.get("number") == number:
                return answer


@asynccontextmanager
async def directed_server(*options: str) -> AsyncIterator[DirectedServer]:
    """Run the server while the block runs. Raises `TargetFault` if it does not start."""
    async with started("--control", *options) as server:
        yield DirectedServer(server)
