"""Orders reach the bundled server, and what it cannot do is said."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from dungeonlab_conformance.client_acts.processes.directed_server import directed_server
from dungeonlab_conformance.results.errors import TargetFault


async def test_orders_are_carried_out_or_refused() -> None:
    """What the server knows is done; what it does not know is a `ValueError` with its reason."""
    async with directed_server() as server:
        await server.order("delay", "nobody", 2.0)
        await server.order("refuse_next", "nobody", "RATE_LIMITED", with_error_event=True)
        with pytest.raises(ValueError, match="OUT_OF_MANA"):
            await server.order("refuse_next", "nobody", "OUT_OF_MANA")


async def test_a_server_that_has_ended_takes_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order to it is a `TargetFault`, at once."""
    script = "import os; print('Listening on http://here', os.getpid(), flush=True); input()"
    monkeypatch.setattr("dungeonlab_conformance.runner.embedded.command", lambda *_: [sys.executable, "-c", script])
    async with directed_server() as server:
        os.kill(int(server.url.split()[1]), signal.SIGKILL)
        with pytest.raises(TargetFault, match="takes no orders"):
            await server.order("delay", "nobody", 1.0)
