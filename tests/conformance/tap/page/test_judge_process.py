"""The rules for clients in a process of their own: what they say of what was seen, and how the process ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.conformance.tap.page.watched import EARLY

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.page.judge_process import JudgeProcess
from dungeonlab_spec import Catalogue

REJOINS = "client/rejoins-after-reconnect"


@pytest.fixture(scope="module")
def rules() -> Iterator[JudgeProcess]:
    """Start the process once: it takes a second."""
    judges = JudgeProcess()
    yield judges
    judges.close()


async def test_it_judges_what_it_was_given_so_far(rules: JudgeProcess) -> None:
    """Before anything came each requirement for clients has what to do to see it; then what broke one is named."""
    journal = TapJournal()
    of_clients = {r.id for r in Catalogue.load().requirements.values() if r.side == "client"}
    found = {each.requirement: each for each in await rules([], 0)}
    assert found.keys() == of_clients
    assert {each.state for each in found.values()} == {"not seen"}
    assert "Cut the client off" in found[REJOINS].sentence
    for sender, kind in (("client", "handshake"), ("server", "open"), ("client", "connect"), ("server", "connected")):
        journal.add(sender, kind, connection=1, user="user-1", transport="websocket")  # type: ignore[arg-type]
    await rules(list(journal.packets), 1)
    chat = json.dumps([{"sessionId": "s", "message": "early"}])
    early = journal.add("client", "event", connection=1, user="user-1", event="chat-message", ack_id=0, text=chat)
    refusal = '[{"success":false,"code":"NOT_JOINED","error":"join first"}]'
    answer = journal.add("server", "ack", connection=1, user="user-1", event="chat-message", ack_id=0, text=refusal)
    found = {each.requirement: each for each in await rules([early, answer], 1)}
    assert (found[EARLY].state, found[EARLY].packet) == ("broken", early.number)
    assert found[EARLY].sentence.startswith("Expected: ")
    found = {each.requirement: each for each in await rules([], answer.number + 1)}
    assert found[EARLY].state == "not seen"  # what showed it was to be forgotten


async def test_a_process_that_has_ended_is_an_error(rules: JudgeProcess) -> None:
    """The page says that it failed; nothing waits for it."""
    judges = JudgeProcess()
    await judges([], 0)
    assert judges._process
    judges._process.kill()
    async with asyncio.timeout(20):
        with pytest.raises((EOFError, OSError)):
            await judges([], 0)
    judges.close()
