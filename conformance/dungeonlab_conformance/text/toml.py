"""TOML as people write it: what a text holds, and the line of everything that stands in it.

    NoToml    the text is no TOML; the message is the end of a sentence that begins with file and line
    TooDeep   it is nested too deeply to be read (of `tree`)

What it means is its reader's business.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import Any

from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.tree import Key, TooDeep, deeper_than

KeyPath = tuple[Key, ...]  # the keys and indices that lead to something in a text

_DEEPEST = 100  # levels of tables and lists; what looks through them recurses
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*"|'[^'\n]*')[ \t]*+\.[ \t]*+){100}""")
_WHERE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")  # at the end of a message of tomllib


class NoToml(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A text is no TOML; `line` is where that shows."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"this is no TOML: {what}")
        self.line = line


def read(path: Path, most: int) -> tuple[str, dict[str, Any]]:
    """Return the text of a file, of so many bytes at most, and what it holds. Raises `files.Unreadable`."""
    text = files.read(path, most)
    try:
        return text, parse(text)
    except NoToml as error:
        raise files.Unreadable(path, str(error), error.line) from None
    except ValueError as error:
        raise files.Unreadable(path, f"cannot be read as TOML: {error}") from None


def parse(text: str) -> dict[str, Any]:
    """Return what a text holds. Raises `NoToml` or `TooDeep`, or another `ValueError` for a number too large."""
    if _LONG_KEY.search(text):  # the parser takes the square of its length
        raise TooDeep
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(text, str(error)) from None
    except RecursionError:
        raise TooDeep from None
    if deeper_than(found, _DEEPEST):
        raise TooDeep
    return found


def _no_toml(text: str, message: str) -> NoToml:
    """Turn ``Expected '=' after a key (at line 3, column 5)`` into the end of a sentence, and a line."""
    found = _WHERE.search(message)
    what = message[: found.start()] if found else message
    return NoToml(what[:1].lower() + what[1:], int((found and found[1]) or len(text.splitlines())))


def line_of(text: str, where: KeyPath) -> int:
    """Return the line on which something begins, or else what it would stand in; 1 if nothing of it is there."""
    while where:
        if (found := _line(text, where)) is not None:
            return found
        where = where[:-1]
    return 1


def lines_of_tables(text: str, name: str) -> list[int]:
    """Return the lines on which ``[[name]]`` stands, in one pass; also where a text of several lines holds that."""
    headers = re.finditer(rf"^\s*\[\[\s*{re.escape(name)}\s*\]\]", text, re.MULTILINE)
    return [text.count("\n", 0, found.start()) + 1 + found[0].count("\n") for found in headers]


def _line(text: str, where: KeyPath) -> int | None:
    """Return the line on which a statement begins after which `where` exists.

    TOML's parser gives no positions. So this asks it: of the beginnings of the text that end with a statement, which
    is the first to hold what is looked for?
    """
    lines = text.split("\n")
    ends = _statements(text)
    there = bisect_left(ends, True, key=lambda end: _holds(tomllib.loads("\n".join(lines[:end])), where))
    if there == len(ends):
        return None
    after = ends[there - 1] if there else 0  # lines that belong to earlier statements
    begins = (n for n in range(after, ends[there]) if lines[n].strip() and not lines[n].lstrip().startswith("#"))
    return next(begins, ends[there] - 1) + 1


@lru_cache(maxsize=4)
def _statements(text: str) -> list[int]:
    """Return after how many lines each statement of a text ends."""
    lines = text.split("\n")
    ends: list[int] = []
    for number in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[ends[-1] if ends else 0 : number]))
        except ValueError:
            continue  # in the middle of a statement
        ends.append(number)
    return ends


def _holds(data: Any, where: KeyPath) -> bool:
    for key in where:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
