"""The known failures of a server or client, which work both ways: a listed failure is accepted, a success is not.

The file is TOML, one table for each entry:

    [[known]]
    id = "rooms/sender-hears-nothing"    # a requirement, or a glob over their ids
    event = "token:delete"               # optional, a glob too; without it, every event of the requirement
    reason = "Echoes, see ticket 41."    # required: why this is accepted for now
    expires = 2027-03-01                 # optional: the last day on which it is
    flaky = true                         # optional: it is no error if it holds
"""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dungeonlab_conformance.record.arguments import body
from dungeonlab_conformance.results.causes import Cause, causes
from dungeonlab_conformance.results.run import JUDGED_BY, Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey, fails, verdict_title
from dungeonlab_conformance.text import toml
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_conformance.text.spelling import did_you_mean
from dungeonlab_spec import Catalogue, Side

ACCEPTED = (Outcome.FAIL, Outcome.WARN, Outcome.NOTE, Outcome.UNJUDGED)  # what an entry can stand for
_KEYS = {"id": str, "event": str, "reason": str, "expires": datetime.date, "flaky": bool}
_SHAPES = {str: "a text", datetime.date: "a date such as 2027-03-01", bool: "true or false"}
_MOST = 1 << 20  # bytes of a file


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One entry. `where` is its file and line, for messages."""

    id: str
    reason: str
    event: str | None = None
    expires: datetime.date | None = None
    flaky: bool = False
    where: str = ""

    def __str__(self) -> str:
        return verdict_title(self.id, self.event)

    def names(self, requirement: str, event: str | None) -> bool:
        """Whether the entry is about a requirement, judged for an event or for none."""
        return fnmatch.fnmatchcase(requirement, self.id) and (
            self.event is None or (event is not None and fnmatch.fnmatchcase(event, self.event))
        )

    def expired(self, today: datetime.date) -> bool:
        """Whether the entry's last day is over."""
        return self.expires is not None and self.expires < today


def load_known_failures(file: Path, *, needs_reasons: bool = True) -> list[KnownFailure]:
    """Read a file. Raises `ValueError` with one sentence, file and line if it is not as it should be."""
    text, document = toml.read(file, _MOST)
    rows = document.get("known", [])
    strange = [key for key in document if key != "known"]
    if strange or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        what = repr(strange[0]) if strange else "'known' as something else"
        raise ValueError(f"{file} holds [[known]] tables and nothing else, but has {what}")
    lines = toml.lines_of_tables(text, "known")
    numbered = lines if len(lines) == len(rows) else [0] * len(rows)
    entries = [_entry(row, f"{file}:{line}" if line else str(file)) for row, line in zip(rows, numbered, strict=True)]
    for entry in entries:
        if needs_reasons and not entry.reason.strip():
            raise ValueError(f"{entry.where}: {entry} has no reason; write down why this failure is accepted")
    return entries


def _entry(row: dict[str, Any], where: str) -> KnownFailure:
    for key, value in row.items():
        if key not in _KEYS:
            raise ValueError(f"{where}: a known failure has no {key!r}; it has {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, datetime.datetime):
            raise ValueError(
                f"{where}: {key} is {shortened(body((value,))[0], 80)}, and should be {_SHAPES[_KEYS[key]]}"
            )
    if not row.get("id"):
        raise ValueError(f"{where}: a known failure needs an id")
    return KnownFailure(**{"reason": "", **row}, where=where)


def compare_with_known_failures(run: Run, known: Sequence[KnownFailure], today: datetime.date | None = None) -> None:
    """Mark what is listed as accepted, with what waits for it, and record in `run.stale` what the list has wrong."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    standing = [entry for entry in known if entry.reason.strip() and not entry.expired(today)]
    for verdict in run.verdicts:
        if verdict.outcome in ACCEPTED:
            verdict.known = _reason(standing, verdict.key)
    for cause in causes(run.verdicts):
        if reason := cause.own.known if cause.own else _reason(standing, cause.key):
            for verdict in cause.waiting:
                verdict.known = verdict.known or f"waits for {cause.key.title}, which is known: {reason}"
    there = _judgeable(run)
    for entry in known:
        named = [v for v in run.verdicts if entry.names(v.requirement, v.event)]
        held = [v for v in named if v.outcome is Outcome.PASS]
        if not any(entry.names(*pair) for pair in there):
            run.stale.append(
                f"{entry.where}: {entry} is listed and matches no requirement that is judged{_hint(entry, run.side)}"
            )
        elif named and entry.expired(today):
            run.stale.append(f"{entry.where}: {entry} was accepted until {entry.expires}; mend it, or decide again")
        elif held and not entry.flaky:
            events = ", ".join(v.title for v in held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
            run.stale.append(f"{entry.where}: {entry} is listed as failing, but {events} held; take it off the list")


def _reason(entries: Sequence[KnownFailure], key: VerdictKey) -> str:
    """Return why something is accepted; empty if it is not."""
    return next((entry.reason for entry in entries if entry.names(*key)), "")


def _hint(entry: KnownFailure, side: Side) -> str:
    """Return what an entry that matches nothing may have meant, or why that is not judged."""
    requirements = Catalogue.load().requirements
    named = [requirement for requirement in requirements.values() if fnmatch.fnmatchcase(requirement.id, entry.id)]
    if not named:
        return f"; {did_you_mean(entry.id, requirements)}"
    if all(requirement.side != side for requirement in named):
        return f": it is {JUDGED_BY[named[0].side]}"
    return f" for this event; {did_you_mean(entry.event or '', Catalogue.load().events)}"


def _judgeable(run: Run) -> list[tuple[str, str | None]]:
    catalogue = Catalogue.load()
    return [
        (requirement.id, event.name if event else None)
        for requirement in catalogue.requirements.values()
        if requirement.side == run.side or run.watched
        for event in catalogue.events_for(requirement)
    ]


def is_outlived(run: Run, entry: KnownFailure) -> bool:
    """Whether a run shows that an entry matches nothing, or that part of what it lists holds."""
    if not any(entry.names(*pair) for pair in _judgeable(run)):
        return True
    named = [v for v in run.verdicts if entry.names(v.requirement, v.event)]
    return any(v.outcome is Outcome.PASS for v in named) and not entry.flaky


def new_failures(run: Run, listed: Collection[KnownFailure], reason: str = "") -> list[tuple[KnownFailure, Verdict]]:
    """Return an entry for each failure that is not listed, with a verdict that it stands for.

    What waits for a cause has none of its own: the cause has one, even if it would not fail the run by itself. Each has
    the reason for which it was accepted until now, if it was, or else `reason`.
    """
    cause_of = {verdict.key: cause for cause in causes(run.verdicts) for verdict in cause.waiting}
    wanted: set[VerdictKey] = set()
    for verdict in run.verdicts:
        cause = cause_of.get(verdict.key)
        ways = [verdict.key, *_listable(cause)]
        counts = fails(verdict, run.fail_on) and not (run.watched and verdict.outcome is Outcome.UNJUDGED)
        if counts and not any(entry.names(*key) for key in ways for entry in listed):
            wanted.add(ways[-1] if cause and cause.own else verdict.key)
    found: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.key in wanted:
            found.setdefault(verdict.requirement, []).append(verdict)
    entries: list[tuple[KnownFailure, Verdict]] = []
    for name, verdicts in found.items():
        whole = {v.event for v in verdicts} == {event for known, event in _judgeable(run) if known == name}
        for verdict in verdicts[:1] if whole else verdicts:
            entry = KnownFailure(name, verdict.known or reason, None if whole else verdict.event)
            entries.append((entry, verdict))
    return entries


def _listable(cause: Cause | None) -> Iterator[VerdictKey]:
    """Yield what an entry has to name for a cause to be accepted with all that waits for it; nothing if none can."""
    if cause is not None and cause.own is None:
        yield cause.key
    elif cause is not None and cause.own is not None and cause.own.outcome in ACCEPTED:
        yield cause.own.key
