"""The run as JSON: what `--json` writes, and what every later report is made from."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dungeonlab_conformance.runner import Run
from dungeonlab_conformance.verdict import Finding, Line, Outcome, Verdict
from dungeonlab_spec import Catalogue

FORMAT = 1


def to_json(run: Run) -> dict[str, Any]:
    """Return the run as one JSON object; times are in seconds, those of transcripts in milliseconds."""
    catalogue = Catalogue.load()
    return {
        "format": FORMAT,
        "suite": version("dungeonlab-conformance"),
        "protocol": catalogue.version,
        "target": run.target,
        "exitCode": run.exit_code,
        "fault": run.fault,
        "interrupted": run.interrupted,
        "seconds": round(run.seconds, 3),
        "scenes": run.scenes,
        "concurrency": run.concurrency,
        "counts": counts(run.verdicts),
        "leftovers": run.leftovers,
        "verdicts": [_verdict(v, catalogue) for v in run.verdicts],
    }


def counts(verdicts: list[Verdict]) -> dict[str, int]:
    """Return how many verdicts there are of each outcome, zeros included."""
    found = Counter(v.outcome for v in verdicts)
    return {str(outcome): found[outcome] for outcome in Outcome}


def from_json(document: dict[str, Any]) -> Run:
    """Return the run that was written. Raises `ValueError` if the document is no result of this suite."""
    if document.get("format") != FORMAT:
        raise ValueError(f"not a result in format {FORMAT} of this suite")
    run = Run(
        document["target"],
        scenes=document["scenes"],
        seconds=document["seconds"],
        concurrency=document["concurrency"],
        fault=document["fault"],
        interrupted=document["interrupted"],
        leftovers=list(document["leftovers"]),
    )
    for row in document["verdicts"]:
        findings = [
            Finding(
                f["expected"],
                f["got"],
                f["path"],
                f["scene"],
                tuple(Line(**line) for line in f["transcript"]),
            )
            for f in row["findings"]
        ]
        run.verdicts.append(
            Verdict(
                row["requirement"],
                row["event"],
                row["level"],
                Outcome(row["outcome"]),
                row["reason"],
                findings,
                row["scene"],
                row["seconds"],
            )
        )
    return run


def write(run: Run, file: Path) -> None:
    """Write the run to a file."""
    file.write_text(json.dumps(to_json(run), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _verdict(verdict: Verdict, catalogue: Catalogue) -> dict[str, Any]:
    requirement = catalogue.requirements[verdict.requirement]
    row = dataclasses.asdict(verdict)
    row["seconds"] = round(verdict.seconds, 4)
    row["sentence"] = requirement.sentence
    row["section"] = requirement.section
    return row
