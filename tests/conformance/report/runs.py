"""Runs written by hand, for the reports to show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.results.claim import claim
from dungeonlab_conformance.results.load import from_json
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey
from dungeonlab_spec import Catalogue

NASTY = (
    "</script><script>alert(1)</script><img src=https://evil.invalid/x onerror=alert(2)>"
    " & \"'` \x00\x1b[31m\u202e\ud800"
)
ECHO = "rooms/sender-hears-nothing"
ACTS = get_args(Act)


def broken_document() -> dict[str, Any]:
    """Return some of a real result of a server that echoes, lets strangers in and forgets to leave rooms."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("broken.json").read_text("utf-8"))
    return found


def broken_run() -> Run:
    """Return the same as a run."""
    return from_json(broken_document())


def passing_run() -> Run:
    """Return a run in which everything that can be judged held."""
    run = Run("http://127.0.0.1:3000", scenes=3, seconds=1.5, concurrency=8)
    catalogue = Catalogue.load()
    for requirement in catalogue.requirements.values():
        if requirement.side == "server":
            for event in catalogue.events_for(requirement):
                name = event.name if event else None
                run.verdicts.append(Verdict(requirement.id, name, requirement.level, Outcome.PASS, check="s"))
    run.claim = claim(run)
    return run


def nasty_run() -> Run:
    """Return a run in which every text that a server has a hand in is meant to do harm."""
    lines = tuple(
        TranscriptLine(i * 1.5, f"alice{NASTY}", act, f"{NASTY}", f'{{"a": "{NASTY}"}}') for i, act in enumerate(ACTS)
    )
    ids = {NASTY: NASTY}
    finding = Finding(NASTY, NASTY, f"$.{NASTY}", NASTY, NASTY, (NASTY,), lines, 2, ids, ids, sent=lines[0])
    finding = replace(finding, acts=(NASTY,), how_often=NASTY)
    run = Run(
        f"http://127.0.0.1:3000/{NASTY}", scenes=1, fault=NASTY, own_fault=NASTY, leftovers=[NASTY], notes=[NASTY]
    )
    run.stale, run.claim, run.options = [NASTY], NASTY, RunOptions(url=NASTY)
    run.verdicts = [
        Verdict(ECHO, "token:move", "MUST", Outcome.FAIL, findings=[finding, finding], check=NASTY),
        Verdict(ECHO, "token:delete", "MUST", Outcome.FAIL, findings=[finding], check=NASTY, known=NASTY),
        Verdict(ECHO, NASTY, "MUST", Outcome.UNJUDGED, NASTY),
        Verdict("order/one-sender-in-order", "token:move", "SHOULD", Outcome.WARN, findings=[finding], check=NASTY),
        Verdict("presence/joined-is-reported", None, "MAY", Outcome.ERROR, NASTY),
        Verdict(f"made-up/{NASTY}", None, "MUST", Outcome.SKIPPED, NASTY),
    ]
    return run


def long_finding(seed: int) -> Finding:
    """Return a finding with all that makes one large: hundreds of lines, several actors, payloads full of marks."""
    payload = json.dumps(
        {"sessionId": "s", "data": [{"<b>": "&'é☃ and more words "} for _ in range(400)]}, ensure_ascii=False
    )
    lines = tuple(
        TranscriptLine(seed + n, f"actor-{n % 6}", ACTS[n % len(ACTS)], "token:create", payload, n % 6)
        for n in range(400)
    )
    return Finding(payload, payload, "$.data", "scene", None, (), lines, 200, sent=lines[0])


def failing(requirement: str, event: str | None = None, *findings: Finding) -> Verdict:
    """Return a broken verdict."""
    level = Catalogue.load().requirements[requirement].level
    verdict = Verdict(requirement, event, level, Outcome.PASS, check="scene")
    for finding in findings or (Finding("silence", "an echo", "$.code", "scene"),):
        verdict.convict(finding)
    return verdict


CREATE = VerdictKey("acks/every-token-operation-answers", "token:create")
JOIN = VerdictKey("join/member-admitted")


def stuck_run() -> Run:
    """Return a run in which much waits for two causes, of which one was not judged, and something for none."""
    catalogue = Catalogue.load()
    broken = failing(*CREATE)
    waits = [waiting("tokens/created-once", CREATE, event.name) for event in catalogue.events.values()]
    shown = Verdict(ECHO, "token:move", "MUST", Outcome.PASS)
    unexplained = Verdict(ECHO, "token:delete", "MUST", Outcome.UNJUDGED, "too slow")
    return Run("http://u", [broken, *waits, waiting("join/outsider-refused", JOIN), shown, unexplained])


def played_run() -> Run:
    """Return a run with one finding that a play of 24 acts made."""
    acts = ("alice connect", "bob connect", *(f"alice chat-message in here, {number}" for number in range(3, 25)))
    lines = (TranscriptLine(1.5, "bob", "hears", "chat-message", "{}", 1),)
    finding = Finding("nothing", "a leak", transcript=lines, convicting=0, from_record=True, acts=acts)
    finding = replace(finding, how_often="seen 10 of 10 times")
    return Run("http://a.server", [failing("rooms/outsider-hears-nothing", "chat-message", finding)])


def waiting(requirement: str, cause: VerdictKey, event: str | None = None) -> Verdict:
    """Return a verdict on a MUST that could not be reached, and waits for a cause."""
    return Verdict(requirement, event, "MUST", Outcome.UNJUDGED, "no answer", waits_for=cause)
