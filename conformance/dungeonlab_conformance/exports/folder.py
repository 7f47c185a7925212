"""Folders that an export writes: made anew, renewed if they are such a folder already, and refused otherwise.

Foreign    a folder holds something that no export has written; the message is one sentence
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dungeonlab_conformance.text import files

_MOST = 4 << 20  # bytes of a file by which a folder is known
_EXAMPLE = re.compile(r"[a-z-]+/(?:valid|invalid)/[A-Za-z0-9.-]+\.json\Z")


class Foreign(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A folder is not one that this export wrote; one sentence that says what to do."""


def write(texts: Mapping[str, str], folder: Path, known_by: str, *, force: bool = False) -> None:
    """Write texts by their paths below a folder, and remove the examples that an earlier index names and none has now.

    A folder that is not empty must have the file `known_by`, with the same `$id` or `kind` as the one to be written,
    in any version; `force` writes into any other too, and removes nothing there. Raises `Foreign` or `OSError`.
    """
    before = _earlier(folder / known_by)
    is_known = _identity(before) == _identity(files.from_json(texts[known_by]))
    if not is_known and not force and folder.exists() and any(folder.iterdir()):
        raise Foreign(f"{folder} holds other files; name an empty folder, or write into it all the same with --force")
    for name in sorted(texts, key=lambda name: name != known_by):  # first that one: what is interrupted can be renewed
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write(texts[name], file)
    if is_known:
        _remove(folder, before, texts)


def _earlier(file: Path) -> Any:
    try:
        return files.from_json(files.read(file, _MOST))
    except ValueError:  # there is none, or it is something else
        return None


def _identity(known: Any) -> str | None:
    """Return what a file of an export is known by: its kind, or its id without the version."""
    if not isinstance(known, dict):
        return None
    found = known.get("kind", known.get("$id"))
    return re.sub(r":[0-9.]+(?=:)", "", found) if isinstance(found, str) else None


def _remove(folder: Path, index: Any, kept: Collection[str]) -> None:
    rows = index.get("examples")
    for row in rows if isinstance(rows, list) else ():
        name = row.get("file") if isinstance(row, dict) else None
        if isinstance(name, str) and _EXAMPLE.match(name) and name not in kept:
            (folder / name).unlink(missing_ok=True)
