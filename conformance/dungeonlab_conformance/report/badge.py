"""The run as a badge: JSON for the endpoint of shields.io, or an SVG of our own. Claims no more than was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from dungeonlab_conformance.report.content.grouping import areas
from dungeonlab_conformance.results.claim import musts
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened

COLOURS = {
    "brightgreen": "#2b7a4b",
    "yellowgreen": "#63731a",
    "blue": "#2a6296",
    "orange": "#a2580f",
    "red": "#b3362b",
    "lightgrey": "#62686e",
}  # shields' name, and our own fill, dark enough for white text
_LETTER, _PAD = 6.6, 7  # px
_ADDRESS = 48  # characters of the server's address; more would make a badge that no page has room for


def write(run: Run, file: Path) -> None:
    """Write SVG to a file whose name ends in ``.svg``, the endpoint's JSON to any other.

    Raises `ValueError` for a run of the bundled server: its badge would be taken for one of somebody's own.
    """
    if run.bundled:
        raise ValueError("there is no badge of the bundled reference server")
    content = svg(run) if file.suffix == ".svg" else json.dumps(endpoint(run)) + "\n"
    files.write(content, file)


def endpoint(run: Run) -> dict[str, Any]:
    """Return what https://shields.io/badges/endpoint-badge expects."""
    message, colour = state(run)
    return {"schemaVersion": 1, "label": _label(run), "message": message, "color": colour}


def state(run: Run) -> tuple[str, str]:
    """Return the message and the name of its colour. Green is only for a run that may claim conformance."""
    judged = [row for area in areas(run) for row in area.judged]
    outcomes = [row.worst for row in judged]
    fails = sum(any(v.outcome is Outcome.FAIL for v in row.verdicts) for row in judged)
    if Outcome.ERROR in outcomes or run.own_fault:
        return "suite error", "lightgrey"
    if fails:
        return f"{fails} of {len(judged)} broken", "red"
    if run.fault or run.interrupted:
        return "cut short", "lightgrey"
    unshown = outcomes.count(Outcome.UNJUDGED)
    if unshown:
        return f"{unshown} of {len(judged)} not shown", "orange"
    if not run.claim:
        held = {(v.requirement, v.event) for v in run.verdicts if v.outcome is Outcome.PASS}
        wanted = musts(run.protocol)
        missing = {name for name, event in wanted if (name, event) not in held}
        every = len({name for name, _ in wanted})
        return f"{every - len(missing)} of {every} MUSTs shown", "blue"
    warnings = sum(row.worst is Outcome.WARN for row in judged)
    if warnings:
        return f"conformant, {warnings} to improve", "yellowgreen"
    return "conformant", "brightgreen"


def svg(run: Run) -> str:
    """Return the badge as an SVG document; it loads nothing."""
    label, (message, colour) = _label(run), state(run)
    left, right = (round(len(part) * _LETTER) + 2 * _PAD for part in (label, message))
    wide, spoken = left + right, escape(f"{label}: {message}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="20" role="img" aria-label="{spoken}">'
        f"<title>{spoken}</title>"
        f'<clipPath id="round"><rect width="{wide}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#round)"><rect width="{left}" height="20" fill="#3b4248"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLOURS[colour]}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f"{_text(label, left / 2, left)}{_text(message, left + right / 2, right)}</g></svg>\n"
    )


def _text(words: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{width - 2 * _PAD}">{escape(words)}</text>'


def _label(run: Run) -> str:
    """Return the protocol with the server's address, without the scheme and without credentials."""
    address = one_line(run.target).partition("://")[2].rpartition("@")[2]
    return f"DungeonLab {run.protocol} at {shortened(address, _ADDRESS)}"
