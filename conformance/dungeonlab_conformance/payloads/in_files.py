"""Payloads in files that users name: one a file, or one a line; each is judged, whatever the others are."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dungeonlab_conformance.text import files, positions
from dungeonlab_conformance.text.tree import TooDeep
from dungeonlab_spec import Direction, Violation, validate

_MOST = 16 << 20  # bytes of a payload; servers take one million or so
_OF_LINES = (".ndjson", ".jsonl")
_MAGIC = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Judged:
    """One payload: the file and the line on which it begins, and what is wrong with it, each with a line of its own."""

    file: Path
    line: int
    faults: tuple[tuple[int, Violation], ...]


@dataclass(frozen=True, slots=True)
class NotJudged:
    """What is no payload: the line and what is wrong with it, or without a line a sentence that names the file."""

    file: Path
    line: int | None
    sentence: str


def found(names: Iterable[Path]) -> Iterator[Path | NotJudged]:
    """Yield each file once in the order of names: those that are there, and those that patterns match."""
    seen: set[Path] = set()
    for name in names:
        matched = _matched(name)
        if not matched:
            yield NotJudged(name, None, f"{name} matches no file")
        for file in matched:
            if file not in seen:
                seen.add(file)
                yield file


def judged(file: Path, event: str, direction: Direction, *, of_lines: bool = False) -> Iterator[Judged | NotJudged]:
    """Judge the payload of a file, or each of a file of lines, as it comes. Raises nothing for what it holds.

    A file whose name ends in .ndjson or .jsonl is one of lines in any case. Raises `ValueError` as `validate` does.
    """
    try:
        if of_lines or file.suffix in _OF_LINES:
            yield from _lines(file, event, direction)
        else:
            yield _whole(file, event, direction)
    except files.Unreadable as fault:
        yield NotJudged(file, None, str(fault))


def _matched(name: Path) -> list[Path]:
    if name == files.STANDARD or not _MAGIC & set(str(name)) or name.exists():
        return [name]
    matched = glob.glob(str(name), recursive=True)  # noqa: PTH207 - which takes no absolute pattern
    return [path for path in map(Path, sorted(matched)) if not path.is_dir()]


def _whole(file: Path, event: str, direction: Direction) -> Judged | NotJudged:
    text = files.read(file, _MOST)
    try:
        payload = _payload(text)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        return NotJudged(file, line, f"holds no JSON: {_complaint(error)}")
    violations = validate(event, payload, direction)
    found = positions.lines(text, {violation.pointer for violation in violations}) if violations else {}
    return Judged(file, 1, tuple((found[violation.pointer], violation) for violation in violations))


def _lines(file: Path, event: str, direction: Direction) -> Iterator[Judged | NotJudged]:
    are_any = False
    for number, raw in enumerate(files.lines(file, _MOST), 1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            if not text.strip():
                continue
            payload = _payload(text)
        except UnicodeDecodeError:
            yield NotJudged(file, number, "this is no UTF-8 text")
        except ValueError as error:
            yield NotJudged(file, number, f"holds no JSON: {_complaint(error)}")
        else:
            violations = validate(event, payload, direction)
            yield Judged(file, number, tuple((number, violation) for violation in violations))
        are_any = True
    if not are_any:
        yield NotJudged(file, None, f"{files.shown(file)} holds no payload")


def _payload(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise TooDeep from None


def _complaint(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return "a number has too many digits" if "digits" in str(error) else str(error)
    if error.msg == "Extra data":
        return f"there is more behind the first value (column {error.colno}); --lines takes one value a line"
    return f"{error.msg} (column {error.colno})"
