"""The run as a badge: the JSON of a shields.io endpoint, which draws it. Claims no more than was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dungeonlab_conformance.report.content.grouping import areas
from dungeonlab_conformance.results.claim import musts
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened

_ADDRESS = 48  # characters of the server's address; more would make a badge that no page has room for


def write(run: Run, file: Path) -> None:
    """Write the endpoint's JSON to a file, or to standard output.

    Raises `ValueError` for a run of the bundled server: its badge would pass for that of another server.
    """
    if run.bundled:
        raise ValueError("there is no badge of the bundled reference server")
    files.write(json.dumps(endpoint(run)) + "\n", file)


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
        wanted = musts(run.protocol, side=run.side)
        missing = {name for name, event in wanted if (name, event) not in held}
        every = len({name for name, _ in wanted})
        return f"{every - len(missing)} of {every} MUSTs shown", "blue"
    warnings = sum(row.worst is Outcome.WARN for row in judged)
    if warnings:
        return f"conformant, {warnings} to improve", "yellowgreen"
    if run.caveat:
        return "conformant, with a caveat", "yellowgreen"
    return "conformant", "brightgreen"


def _label(run: Run) -> str:
    """Return the protocol with the server's address, without the scheme and without credentials; or with a client."""
    if run.side == "client":
        return f"DungeonLab {run.protocol} client"
    address = one_line(run.target).partition("://")[2].rpartition("@")[2]
    return f"DungeonLab {run.protocol} at {shortened(address, _ADDRESS)}"
