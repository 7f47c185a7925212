"""Reads a target's file: TOML with ``${ENV}`` and ``${ENV:-default}`` in its texts. Knows nothing of what it means."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.text import files

KeyPath = tuple[str | int, ...]  # the keys and indices that lead to something in the file

_MOST = 256 << 10  # bytes of a file; the longest of ours has six thousand
_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


class FileFault(TargetFault):
    """Something is wrong with the target's file: one sentence that begins with file and line."""


class AdapterFault(FileFault):
    """The target's adapter fails: its author's fault, and so the target's, not that of the file that names it."""


@dataclass(slots=True)
class Document:
    """A target's file as read. `taken` are the values that came from the environment, by where they stand."""

    path: Path
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    taken: dict[KeyPath, list[str]] = field(default_factory=dict)

    def fault(self, where: KeyPath, sentence: str) -> FileFault:
        """Return the error to raise about something in the file; nothing from the environment is shown in it."""
        secrets = Secrets()
        for values in self.taken.values():
            for value in values:
                secrets.add(value)
        return FileFault(f"{self.path}:{self.line(where)}: {secrets.redact(sentence)}")

    def line(self, where: KeyPath) -> int:
        """Return the line on which something begins, or else what it would stand in."""
        while where:
            if (found := _line(self.text, where)) is not None:
                return found
            where = where[:-1]
        return 1


def read(path: Path, environment: Mapping[str, str]) -> Document:
    """Read a file and put the environment in. Raises `FileFault`."""
    try:
        text = files.read(path, _MOST)
    except files.Unreadable as fault:
        missing = f"{path} does not exist; `dungeonlab-conformance init` writes one"
        raise FileFault(str(fault) if path == files.STANDARD or path.exists() else missing) from None
    document = Document(path, text)
    try:
        raw = files.from_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(document, str(error)) from None
    except ValueError as error:
        raise FileFault(f"{path} cannot be read as TOML: {error}") from None
    document.data = _put_in(raw, (), document, environment)
    return document


def _no_toml(document: Document, message: str) -> FileFault:
    """Turn ``Expected '=' after a key (at line 3, column 5)`` into a sentence that begins with the line."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = (found and found[1]) or len(document.text.splitlines())
    what = message[: found.start()] if found else message
    return FileFault(f"{document.path}:{line}: this is no TOML: {what[:1].lower() + what[1:]}")


def _put_in(value: Any, where: KeyPath, document: Document, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _put_in(inner, (*where, key), document, environment) for key, inner in value.items()}
    if isinstance(value, list):
        return [_put_in(inner, (*where, number), document, environment) for number, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def put(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match[1], match[2]
        if name is None:
            raise document.fault(where, f"{value!r} holds a ${{ that names no variable; write $${{ for a plain one")
        found = environment.get(name)
        if found:
            document.taken.setdefault(where, []).append(found)
            return found
        if default is None:
            state = "empty" if found == "" else "not set"
            raise document.fault(where, f"the environment variable {name} is {state}; set it, or write ${{{name}:-…}}")
        return str(default)

    return _REFERENCE.sub(put, value)


def _line(text: str, where: KeyPath) -> int | None:
    """Return the line on which a statement begins after which `where` exists.

    TOML's parser gives no positions. So this asks it: of the beginnings of the file that end with a statement, which
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
    """Return after how many lines each statement of a file ends."""
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
