"""The failures of a run as a list of known ones, in TOML, for a person to give the reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from dungeonlab_conformance.results.known_failures import Known, listed
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened
from dungeonlab_spec import Catalogue

_HEAD = """\
# Failures that are known and accepted for now. A run fails when one of these holds after all, is over its
# `expires = 2027-03-01`, or names nothing; `flaky = true` allows it to hold at times.
# Every entry needs a reason: an empty one is refused.
"""
_LONGEST = 160  # characters of a comment


def write(run: Run, file: Path, before: Iterable[Known] = (), reason: str = "") -> int:
    """Write the list to a file, `reason` where there is none; returns how many of its entries still need one."""
    entries = listed(run, before, reason)
    head = f"{_HEAD}# Judged: {shortened(one_line(run.subject), _LONGEST)}\n"
    files.write(head + "".join("\n" + "\n".join(_table(*entry)) + "\n" for entry in entries), file)
    return sum(not entry.reason.strip() for entry, _ in entries)


def _table(entry: Known, verdict: Verdict | None) -> Iterator[str]:
    yield "[[known]]"
    yield f"id = {_text(entry.id)}"
    if entry.event is not None:
        yield f"event = {_text(entry.event)}"
    yield f"reason = {_text(entry.reason)}"
    if entry.expires is not None:
        yield f"expires = {entry.expires.isoformat()}"
    if entry.flaky:
        yield "flaky = true"
    if verdict is not None:
        yield from map(_comment, _facts(verdict))


def _facts(verdict: Verdict) -> Iterator[str]:
    known = Catalogue.load().requirements.get(verdict.requirement)
    if known:
        yield known.sentence
    for finding in verdict.findings[:1]:
        yield f"expected {finding.expected}; got {finding.got}"
    if verdict.reason:
        yield f"{verdict.outcome}: {verdict.reason}"


def _comment(text: str) -> str:
    return f"# {shortened(one_line(text), _LONGEST)}"


def _text(value: str) -> str:
    """Return a TOML string; TOML takes JSON's escapes, and wants one more."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
