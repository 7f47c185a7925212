"""The run as one HTML file that needs nothing else: no network, no second file. The page itself is in `page/`."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dungeonlab_conformance.report.content.excerpt import ACTS, acts_excerpt
from dungeonlab_conformance.report.content.grouping import WORST_FIRST, Area, RequirementVerdicts, areas, to_mend
from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.report.content.sequence_diagram import MOST, Diagram, diagram
from dungeonlab_conformance.report.content.usual_cause import usual_cause
from dungeonlab_conformance.report.content.wording import cause_in_words, reason_in_words, repeat, sent_text
from dungeonlab_conformance.results.causes import Cause, causes
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import counts
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.documents import section_links
from dungeonlab_conformance.text.printable import one_line, printable, shortened

if TYPE_CHECKING:
    from markupsafe import Markup

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
_DRAWN = 60  # findings up to which each is drawn; with more, the first of each verdict
_ROWS, _FEWEST_ROWS = 900, 6  # lines of transcripts in all, as far as each diagram may have the fewest
_TEXT = 24_000  # characters of what was sent in all, as of what was expected, and of what came
_LONGEST, _SHORTEST = 4_000, 150  # characters of each


def write(run: Run, file: Path) -> None:
    """Write the run to a file, or to standard output."""
    files.write(page(run), file)


def page(run: Run) -> str:
    """Return the page. The same run gives the same text."""
    import jinja2
    from markupsafe import Markup

    folder = resources("dungeonlab_conformance.report") / "page"
    source, style, script = ((folder / f"page.{end}").read_text("utf-8") for end in ("html.jinja", "css", "js"))
    style = (resources("dungeonlab_conformance.results") / "colours.css").read_text("utf-8") + style
    style += "".join(f".l{lane} {{ --i: {lane}; }} .n{lane + 1} {{ --n: {lane + 1}; }}\n" for lane in range(MOST + 1))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
    )
    environment.filters["inside"] = _inside
    found, rows = areas(run), to_mend(run)
    anchors, room = _Anchors(), _Room(run)
    open_all = len(rows) <= _OPEN
    flush_left = re.sub("^ +", "", source, flags=re.MULTILINE)
    return environment.from_string(flush_left).render(
        run=run,
        headline=headline(run),
        tone=_tone(run),
        protocol=run.protocol,
        counts=counts(run.verdicts),
        requirements=sum(len(area.judged) for area in found),
        areas=[_area(area, anchors, room, open_all=open_all) for area in found],
        causes=[_cause(cause, anchors) for cause in causes(run.verdicts) if not cause.is_known],
        broken=[_mend(judged, anchors) for judged in rows],
        levels=("MUST", "SHOULD", "MAY"),
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


def _area(area: Area, anchors: _Anchors, room: _Room, *, open_all: bool) -> dict[str, Any]:
    worst_first = sorted(area.verdicts, key=lambda v: WORST_FIRST.index(v.outcome))
    return {
        "name": area.name,
        "anchor": re.sub(r"\W", "_", area.name),
        "counts": counts(area.verdicts),
        "cells": [
            {"outcome": v.outcome, "anchor": anchors(v.requirement, v.event), "title": v.title} for v in worst_first
        ],
        "rows": [_row(judged, anchors, room, open_all=open_all) for judged in area.judged],
    }


def _row(judged: RequirementVerdicts, anchors: _Anchors, room: _Room, *, open_all: bool) -> dict[str, Any]:
    requirement = judged.requirement
    first = next((v for v in judged.verdicts if v.outcome in (Outcome.FAIL, Outcome.WARN)), None)
    hint = usual_cause(first or judged.verdicts[0])
    return {
        "id": requirement.id,
        "anchor": anchors(requirement.id),
        "level": requirement.level,
        "sentence": requirement.sentence,
        "section": requirement.section,
        "protocol": section_links().get(requirement.section),
        "source": requirement.source,
        "hint": hint,
        "worst": judged.worst,
        "open": judged.broken and open_all,
        "tally": _tally(judged),
        "verdicts": [_verdict(v, anchors, room, hint, opened=v is first) for v in judged.verdicts],
    }


def _verdict(verdict: Verdict, anchors: _Anchors, room: _Room, hint: str, *, opened: bool) -> dict[str, Any]:
    cause, anchor = usual_cause(verdict), anchors(verdict.requirement, verdict.event)
    return {
        "event": verdict.event,
        "anchor": anchor if verdict.event is not None else None,
        "outcome": verdict.outcome,
        "reason": reason_in_words(verdict),
        "known": verdict.known,
        "time": f"{verdict.seconds * 1000:.0f} ms" if verdict.seconds else "",
        "open": opened,
        "brief": shortened(one_line(verdict.findings[0].got), 70) if verdict.findings else "",
        "findings": [room.finding(verdict, number, anchor) for number in range(len(verdict.findings))],
        "usually": cause if verdict.findings and cause != hint else "",
        "again": repeat(verdict, room.run),
    }


class _Room:
    """How much of each finding a page shows, so that one of very many stays light; transcripts alike are drawn once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        findings = sum(len(verdict.findings) for verdict in run.verdicts)
        self._draw_all = findings <= _DRAWN
        drawn = findings if self._draw_all else sum(bool(verdict.findings) for verdict in run.verdicts)
        self._rows = max(_FEWEST_ROWS, min(MOST, _ROWS // max(1, drawn)))
        self._text = max(_SHORTEST, min(_LONGEST, _TEXT // max(1, drawn)))
        self._drawn: dict[Diagram, tuple[str, str]] = {}  # and where: an anchor, and the name of what is there

    def finding(self, verdict: Verdict, number: int, anchor: str) -> dict[str, Any]:
        """Return what is shown of a verdict's finding, which is counted from 0."""
        finding = verdict.findings[number]
        text, drawn, before = self._text if self._draw_all or number == 0 else _SHORTEST, None, None
        if finding.transcript and (self._draw_all or number == 0):
            drawn = diagram(finding.transcript, finding.convicting, self._rows)
            before = self._drawn.get(drawn)
            self._drawn.setdefault(drawn, (anchor, verdict.title))
        return {
            "acts": acts_excerpt(finding, ACTS if self._draw_all or number == 0 else 0),
            "how_often": finding.how_often,
            "sent": sent_text(finding.sent, text) if finding.sent else "",
            "expected": shortened(finding.expected, text),
            "got": shortened(finding.got, text),
            "path": finding.path,
            "scene": finding.scene,
            "diagram": None if before else drawn,
            "same_as": before,
            "has_lines": bool(finding.transcript),
            "lost": finding.left_out,
        }


def _cause(cause: Cause, anchors: _Anchors) -> dict[str, Any]:
    """Return a cause with what waits for it, one line for each requirement."""
    waiting: dict[str, list[str]] = {}
    for verdict in cause.waiting:
        waiting.setdefault(verdict.requirement, []).extend([verdict.event] if verdict.event else [])
    return {
        "words": cause_in_words(cause),
        "anchor": anchors(cause.own.requirement, cause.own.event) if cause.own else None,
        "waiting": [(name, anchors(name), ", ".join(events)) for name, events in waiting.items()],
    }


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


def _inside(text: str) -> Markup:
    """Return a text as the content of an element, where a quotation mark is no markup; never for an attribute."""
    from markupsafe import Markup

    return Markup(html.escape(printable(text), quote=False))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
