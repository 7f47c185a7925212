"""Reads a target's file: TOML with ``${ENV}`` and ``${ENV:-default}`` in its texts. Knows nothing of what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.text import files, toml
from dungeonlab_conformance.text.toml import KeyPath
from dungeonlab_conformance.text.tree import with_texts

_MOST = 256 << 10  # bytes of a file; that of a whole example has six thousand
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
        return toml.line_of(self.text, where)


def read(path: Path, environment: Mapping[str, str]) -> Document:
    """Read a file and put the environment in. Raises `FileFault`."""
    try:
        text, raw = toml.read(path, _MOST)
    except files.Unreadable as fault:
        missing = f"{path} does not exist; `dungeonlab-conformance init` writes one"
        raise FileFault(str(fault) if path == files.STANDARD or path.exists() else missing) from None
    document = Document(path, text)
    document.data = with_texts(raw, lambda value, where: _put_in(value, where, document, environment))
    return document


def _put_in(value: str, where: KeyPath, document: Document, environment: Mapping[str, str]) -> str:
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
