"""File names on the command line. An empty one, as of a variable that is not set, is wrong usage."""

from __future__ import annotations

import os
from pathlib import Path

import click


class FileName(click.Path):
    """The name of a file or folder; ``-`` is standard input or output. An empty one never means the working folder."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = False) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, allow_dash=file_okay, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path, or fail."""
        if isinstance(value, str) and not value.strip():
            self.fail("it is empty, as if the variable that it comes from were not set; name a file", param, ctx)
        if value == "-" and not self.file_okay:
            self.fail("it is standard output, which takes no folder; name one", param, ctx)
        return super().convert(value, param, ctx)


FILE = FileName()
FOLDER = FileName(file_okay=False, dir_okay=True)
FILES = FileName(dir_okay=True)  # of which one may be a folder, and the others be read all the same
