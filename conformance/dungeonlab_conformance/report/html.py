"""The run as one HTML file that needs nothing else: no network, no second file. The page itself is in `page/`."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from dungeonlab_conformance.report.content.grouping import WORST_FIRST, Area, RequirementVerdicts, areas, to_mend
from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.report.content.sequence_diagram import diagram
from dungeonlab_conformance.report.content.usual_cause import usual_cause
from dungeonlab_conformance.report.content.wording import repeat, sent_text, transcript_lines
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, printable, shortened
from dungeonlab_spec import Catalogue

MARKS = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.WARN: "!",
    Outcome.NOTE: "i",
    Outcome.SKIPPED: "-",
    Outcome.UNJUDGED: "?",
    Outcome.ERROR: "‼",
}
MEANINGS = {
    Outcome.PASS: "the requirement was shown to hold",
    Outcome.FAIL: "a MUST was broken",
    Outcome.WARN: "a SHOULD was broken",
    Outcome.NOTE: "a MAY was not taken up",
    Outcome.SKIPPED: "the target lacks what it takes",
    Outcome.UNJUDGED: "nothing could be shown either way",
    Outcome.ERROR: "the suite's own fault",
}
_OPEN = 8  # broken requirements that are open from the start; with more, the list above them is the way in
_DRAWN = 60  # broken verdicts up to which each of their findings is drawn; with more, the first of each
_LINE = 300  # characters of a payload; the result has it whole
_LONGEST = 4000  # characters of what was expected or got


def write(run: Run, file: Path) -> None:
    """Write the run to a file, or to standard output."""
    files.write(page(run), file)


def page(run: Run) -> str:
    """Return the page. The same run gives the same text."""
    import jinja2
    from markupsafe import Markup

    folder = resources("dungeonlab_conformance.report") / "page"
    source, style, script = ((folder / f"page.{end}").read_text("utf-8") for end in ("html.jinja", "css", "js"))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    found, rows = areas(run), to_mend(run)
    anchors = _Anchors()
    open_all = len(rows) <= _OPEN
    catalogue = Catalogue.load()
    return environment.from_string(source).render(
        run=run,
        headline=headline(run),
        tone=_tone(run),
        protocol=run.protocol,
        counts=counts(run.verdicts),
        requirements=sum(len(area.judged) for area in found),
        areas=[_area(area, anchors, run, open_all=open_all) for area in found],
        broken=[_mend(judged, anchors) for judged in rows],
        levels=("MUST", "SHOULD", "MAY"),
        untested=[r for r in catalogue.requirements.values() if r.untestable],
        worst_first=WORST_FIRST,
        marks=MARKS,
        meanings=MEANINGS,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


class _Anchors:
    """The names that links lead to: ``area/name`` of a requirement, ``area/name--event`` of one verdict."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str | None], str] = {}

    def __call__(self, requirement: str, event: str | None = None) -> str:
        """Return the anchor of a pair: always the same one, and never that of another pair."""
        if (requirement, event) not in self._names:
            name = re.sub(r"[^\w/:.-]", "_", requirement if event is None else f"{requirement}--{event}")
            while name in self._names.values():
                name += "_"
            self._names[requirement, event] = name
        return self._names[requirement, event]


def _area(area: Area, anchors: _Anchors, run: Run, *, open_all: bool) -> dict[str, Any]:
    worst_first = sorted(area.verdicts, key=lambda v: WORST_FIRST.index(v.outcome))
    return {
        "name": area.name,
        "anchor": re.sub(r"\W", "_", area.name),
        "counts": counts(area.verdicts),
        "cells": [
            {"outcome": v.outcome, "anchor": anchors(v.requirement, v.event), "title": v.title} for v in worst_first
        ],
        "rows": [_row(judged, anchors, run, open_all=open_all) for judged in area.judged],
    }


def _row(judged: RequirementVerdicts, anchors: _Anchors, run: Run, *, open_all: bool) -> dict[str, Any]:
    requirement = judged.requirement
    first = next((v for v in judged.verdicts if v.outcome in (Outcome.FAIL, Outcome.WARN)), None)
    hint = usual_cause(first or judged.verdicts[0])
    return {
        "id": requirement.id,
        "anchor": anchors(requirement.id),
        "level": requirement.level,
        "sentence": requirement.sentence,
        "section": requirement.section,
        "source": requirement.source,
        "hint": hint,
        "worst": judged.worst,
        "open": judged.broken and open_all,
        "tally": _tally(judged),
        "verdicts": [_verdict(v, anchors, run, hint, opened=v is first) for v in judged.verdicts],
    }


def _verdict(verdict: Verdict, anchors: _Anchors, run: Run, hint: str, *, opened: bool) -> dict[str, Any]:
    return {
        "title": verdict.title,
        "event": verdict.event,
        "anchor": anchors(verdict.requirement, verdict.event) if verdict.event is not None else None,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "known": verdict.known,
        "time": f"{verdict.seconds * 1000:.0f} ms" if verdict.seconds else "",
        "open": opened,
        "brief": shortened(one_line(verdict.findings[0].got), 70) if verdict.findings else "",
        "findings": list(_findings(verdict, draw_all=sum(bool(v.findings) for v in run.verdicts) <= _DRAWN)),
        "usually": cause if verdict.findings and (cause := usual_cause(verdict)) != hint else "",
        "again": repeat(verdict, run),
    }


def _findings(verdict: Verdict, *, draw_all: bool) -> Iterator[dict[str, Any]]:
    first: dict[object, int] = {}  # transcripts, and which finding showed each first
    for number, finding in enumerate(verdict.findings, 1):
        same_as = first.setdefault(finding.transcript, number) if finding.transcript else number
        fresh = bool(finding.transcript) and same_as == number
        drawn = fresh and (draw_all or number == 1)
        yield {
            "sent": sent_text(finding.sent, _LONGEST) if finding.sent else "",
            "expected": shortened(finding.expected, _LONGEST),
            "got": shortened(finding.got, _LONGEST),
            "path": finding.path,
            "scene": finding.scene,
            "same_as": None if same_as == number else same_as,
            "diagram": diagram(finding.transcript, finding.convicting) if drawn else None,
            "text": _text(finding) if fresh else "",
        }


def _text(finding: Finding) -> str:
    return "\n".join(one_line(line) for line in transcript_lines(finding, None, _LINE))


def _mend(judged: RequirementVerdicts, anchors: _Anchors) -> dict[str, Any]:
    events = [v.event for v in judged.verdicts if v.event and v.findings]
    return {
        "id": judged.requirement.id,
        "anchor": anchors(judged.requirement.id),
        "sentence": judged.requirement.sentence,
        "worst": judged.worst,
        "broken_for": ", ".join(events),
    }


def _tally(judged: RequirementVerdicts) -> str:
    """Say for how many events it holds; nothing where it is judged once."""
    if judged.verdicts[0].event is None:
        return ""
    held = sum(v.outcome is Outcome.PASS for v in judged.verdicts)
    return f"holds for {held} of {len(judged.verdicts)}"


def _tone(run: Run) -> Outcome:
    """Return the outcome whose colour the headline takes."""
    for outcome in (Outcome.ERROR, Outcome.FAIL):
        if any(v.outcome is outcome for v in run.verdicts):
            return outcome
    return Outcome.PASS if run.exit_code == 0 and run.verdicts else Outcome.UNJUDGED


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
