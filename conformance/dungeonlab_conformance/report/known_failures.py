"""The failures of a run as a list of known ones, in TOML, for a person to give the reasons.

A list that is there already stays as its authors wrote it, with their comments: entries that are outlived go, and new
ones are added at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dungeonlab_conformance.results.known_failures import (
    KnownFailure,
    is_outlived,
    load_known_failures,
    new_failures,
)
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Verdict
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened
from dungeonlab_spec import Catalogue

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import AoT

_HEAD = """\
# Failures that are known and accepted for now. A run fails when one of these holds after all, is over its
# `expires = 2027-03-01`, or names nothing; `flaky = true` allows it to hold at times.
# Every entry needs a reason: an empty one is refused.
"""
_LONGEST = 160  # characters of a comment
Body = list[tuple[Any, Any]]  # of a table or a document: keys with their items; None where an item has no key


def write(run: Run, file: Path, reason: str = "") -> int:
    """Bring the list in a file up to date, or begin it; returns how many of its entries still need a reason.

    `reason` is for every entry without one. Raises `OSError`, or `ValueError` with one sentence if what stands in the
    file by now is no such list.
    """
    import tomlkit

    there = file != files.STANDARD and file.exists()
    before = load_known_failures(file, needs_reasons=False) if there else []
    text = files.read(file) if there else f"{_HEAD}# Judged: {shortened(one_line(run.subject), _LONGEST)}\n"
    document = tomlkit.parse(text if not text or text.endswith("\n") else f"{text}\n")
    if "known" not in document:
        document.append("known", tomlkit.aot())
    rows: Any = document["known"]
    if isinstance(rows, tomlkit.items.AoT):
        _give_comments_to_their_entries(document, rows)
    outlived = [is_outlived(run, entry) for entry in before]
    kept = [entry for entry, over in zip(before, outlived, strict=True) if not over]
    for number in reversed(range(len(before))):  # from the end: the numbers before it stay right
        if outlived[number]:
            del rows[number]
        elif not before[number].reason.strip():
            rows[number]["reason"] = reason
    fresh = new_failures(run, kept, reason)
    for entry, verdict in fresh:
        rows.append(_table(entry, verdict) if isinstance(rows, tomlkit.items.AoT) else _inline(entry))
    files.write(document.as_string(), file)
    return sum(not (entry.reason.strip() or reason.strip()) for entry in [*kept, *(entry for entry, _ in fresh)])


def _give_comments_to_their_entries(document: TOMLDocument, rows: AoT) -> None:
    """Have each entry hold the comments above it: TOML's parser takes them for the end of what stands before."""
    if not rows:
        return
    begins = next(place for place, (key, _) in enumerate(document.body) if key is not None)
    blanks = [place for place in range(begins) if _is_blank(document.body[place])]
    if blanks:  # what stands above the first blank line is about the list as a whole
        rows[0].trivia.indent = _take(document.body, blanks[-1] + 1, begins) + rows[0].trivia.indent
    for before, after in pairwise(rows):
        body = before.value.body
        ends = max((place + 1 for place, (key, _) in enumerate(body) if key is not None), default=0)
        begins = next((place for place in range(ends, len(body)) if _is_blank(body[place])), len(body))
        after.trivia.indent = _take(body, begins, len(body)) + after.trivia.indent


def _is_blank(item: tuple[Any, Any]) -> bool:
    from tomlkit.items import Whitespace

    return isinstance(item[1], Whitespace) and "\n" in item[1].as_string()


def _take(body: Body, begins: int, ends: int) -> str:
    """Return the text of some items, which are not there any more."""
    from tomlkit.items import Null

    taken = "".join(item.as_string() for _, item in body[begins:ends])
    body[begins:ends] = [(None, Null())] * (ends - begins)
    return taken


def _table(entry: KnownFailure, verdict: Verdict) -> Any:
    import tomlkit

    table = tomlkit.table()
    table.trivia.indent = "\n"
    for key, value in _values(entry):
        table.add(key, value)
    for fact in _facts(verdict):
        table.add(tomlkit.comment(shortened(one_line(fact), _LONGEST)))
    return table


def _inline(entry: KnownFailure) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    table.update(dict(_values(entry)))
    return table


def _values(entry: KnownFailure) -> Iterator[tuple[str, str]]:
    yield "id", entry.id
    if entry.event is not None:
        yield "event", entry.event
    yield "reason", entry.reason


def _facts(verdict: Verdict) -> Iterator[str]:
    known = Catalogue.load().requirements.get(verdict.requirement)
    if known:
        yield known.sentence
    for finding in verdict.findings[:1]:
        yield f"expected {finding.expected}; got {finding.got}"
    if verdict.reason:
        yield f"{verdict.outcome}: {verdict.reason}"
