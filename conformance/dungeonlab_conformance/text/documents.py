"""Where the protocol's text and the guides are: in the wheel as in the repository, so that links among them hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
PROTOCOL = Path("spec", "protocol").with_suffix(".md").as_posix()  # in no message: not in each installation


def folder() -> Path:
    """Return the folder that holds the documents as the repository does."""
    packaged = _PACKAGE / "documentation"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1]


def anchors(text: str) -> Mapping[str, str]:
    """Return the anchor of each numbered section of a document in Markdown, by its number."""
    found = re.findall(r"^## ((\d+)\. .+)$", text, re.MULTILINE)
    return {number: re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title, number in found}


@cache
def section_links() -> Mapping[str, str]:
    """Return the address of each section of the protocol in the project's repository, by its number.

    There are none where the text is not installed, or no repository is named.
    """
    try:
        text = (folder() / PROTOCOL).read_text("utf-8")
    except OSError:
        return {}
    urls = dict(line.split(", ", 1) for line in metadata("dungeonlab-conformance").get_all("Project-URL") or ())
    return {
        number: f"{urls['Repository']}/blob/HEAD/{PROTOCOL}#{anchor}"
        for number, anchor in anchors(text).items()
        if "Repository" in urls
    }
