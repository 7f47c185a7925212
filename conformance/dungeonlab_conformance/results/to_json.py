"""The run as JSON: what `--json` writes, and what every later report is made from. `load` reads it back."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

from dungeonlab_conformance.results.causes import causes
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import escaped
from dungeonlab_spec import Catalogue

FORMAT = 1


def to_json(run: Run) -> dict[str, Any]:
    """Return the run as one JSON object; times are in seconds, those of transcripts in milliseconds."""
    return {
        "format": FORMAT,
        "suite": run.suite,
        "protocol": run.protocol,
        "began": run.began,
        "target": run.target,
        "targetFile": run.target_file,
        "bundled": run.bundled,
        "side": run.side,
        "again": run.again,
        "options": _options(run.options),
        "exitCode": run.exit_code,
        "failOn": run.fail_on,
        "claim": run.claim,
        **({"caveat": run.caveat} if run.caveat else {}),
        "fault": run.fault,
        "ownFault": run.own_fault,
        "interrupted": run.interrupted,
        "seconds": round(run.seconds, 3),
        "scenes": run.scenes,
        "concurrency": run.concurrency,
        "counts": counts(run.verdicts),
        "causes": [cause.key._asdict() | {"waiting": len(cause.waiting)} for cause in causes(run.verdicts)],
        "stale": run.stale,
        "leftovers": run.leftovers,
        "notes": run.notes,
        "plays": run.plays,
        **({"recording": run.recording} if run.recording else {}),
        "verdicts": [verdict_to_json(v) for v in run.verdicts],
    }


def _options(options: RunOptions) -> dict[str, Any]:
    found = dataclasses.asdict(options)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def counts(verdicts: list[Verdict]) -> dict[str, int]:
    """Return how many verdicts there are of each outcome, zeros included."""
    found = Counter(v.outcome for v in verdicts)
    return {str(outcome): found[outcome] for outcome in Outcome}


def text(run: Run) -> str:
    """Return the run as a JSON text that a strict reader takes, every file can hold, and a terminal may be shown."""
    return escaped(json.dumps(to_json(run), indent=1, ensure_ascii=False)) + "\n"


def write(run: Run, file: Path) -> None:
    """Write the run to a file, or to standard output."""
    files.write(text(run), file)


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """Return one verdict as a JSON object, with its requirement's sentence and section, and scenes by name."""
    requirement = Catalogue.load().requirements.get(verdict.requirement)
    row = dataclasses.asdict(verdict)
    row["scene"] = verdict.scene
    row["waits_for"] = verdict.waits_for and verdict.waits_for._asdict()
    row["seconds"] = round(verdict.seconds, 4)
    row["sentence"] = requirement.sentence if requirement else ""
    row["section"] = requirement.section if requirement else ""
    for found, finding in zip(row["findings"], verdict.findings, strict=True):
        found["scene"] = finding.scene
    return row
