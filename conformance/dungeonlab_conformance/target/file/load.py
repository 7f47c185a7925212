"""Finds a target's file and makes a `Target` of it. What it takes to read one is imported when there is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dungeonlab_conformance.target.file.advice import NAME

if TYPE_CHECKING:
    from dungeonlab_conformance.target.target import Target


def find() -> Path | None:
    """Return the file of the working directory, if there is one; also if it cannot be read."""
    return Path(NAME) if os.path.lexists(NAME) else None


def unused() -> str:
    """Return in one sentence that the file of the working directory is not used beside a URL; "" if there is none."""
    return f"{NAME} is not used, since a URL was given; --target {NAME} uses it with that URL" if find() else ""


def load_target(
    path: Path,
    *,
    url: str | None = None,
    transport: str | None = None,
    scale: float = 1.0,
    references: bool = False,
) -> Target:
    """Return the target that a file describes.

    `url` and `transport` take the place of what the file says, `scale` is multiplied into its time limits. With
    `references`, `${NAME}` stays in place of the value of a variable that is set.
    Raises `FileFault`: one sentence that begins with file and line.
    """
    from dungeonlab_conformance.target.file.build import build
    from dungeonlab_conformance.target.file.document import read
    from dungeonlab_conformance.target.file.faults import fit
    from dungeonlab_conformance.target.file.rules import check

    environment = {name: f"${{{name}}}" if references else value for name, value in os.environ.items() if value}
    document = read(path, environment if references else os.environ)
    file = fit(document)
    check(document, file)
    return build(document, file, url=url, transport=transport, scale=scale)
