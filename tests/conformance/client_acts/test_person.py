"""A person's clients are judged as long as they are watched, however much passes, and recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dungeonlab_conformance.client_acts.person import Invitation, PersonWatcher
from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.tap.verdicts import judged

SENT = "client/sends-only-valid-payloads"
MOST = 200  # packets that are remembered


async def test_an_evening_loses_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was broken at its beginning is found at its end, when nobody remembers it; the recording is judged alike."""
    monkeypatch.setattr("dungeonlab_conformance.tap.watch._LOOK", 0.01)
    file = tmp_path / "evening.ndjson"
    ready: asyncio.Future[Invitation] = asyncio.get_running_loop().create_future()
    run = Run("the clients that were watched", side="client")
    watcher = PersonWatcher(run, seconds=None, port=0, record=file, most=MOST, on_ready=ready.set_result)
    playing = asyncio.create_task(watcher.play())
    await asyncio.wait_for(ready, 60)
    journal = watcher.journal
    for sender, kind in (("client", "handshake"), ("server", "open"), ("client", "connect"), ("server", "connected")):
        journal.add(sender, kind, connection=1, user="user-1", transport="websocket")  # type: ignore[arg-type]
    journal.add("client", "event", connection=1, user="user-1", event="chat-message", ack_id=0, text="[{}]")
    for _ in range(6 * MOST // 20):
        for _ in range(20):
            journal.add("server", "event", connection=1, user="user-1", event="user-joined", text="[{}]")
        await asyncio.sleep(0.05)
    playing.cancel()
    await playing
    assert journal.packets[0].number > 5 * MOST
    found = {verdict.requirement: verdict for verdict in run.verdicts}
    assert found[SENT].outcome is Outcome.FAIL
    assert (run.interrupted, run.fault, run.own_fault) == (False, None, "")
    again = judged("the recording", ndjson.read(file), (), directed=ndjson.is_directed(file))
    assert {v.key: v.outcome for v in again.verdicts} == {v.key: v.outcome for v in run.verdicts}
