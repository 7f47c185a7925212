"""Lays out the documentation site (hooks of mkdocs.yml): the folders of the repository, and pages for the Python API.

Every page is where it is in the repository, so that relative links among pages hold. A link to a file that is no page,
such as `action.yml`, leads to that file in the repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
API = {  # page: its title, what it says, and the objects that users import
    "adapter": (
        "Adapter",
        "For what a [target file](../docs/target-file.md#an-adapter) cannot say.",
        ("dungeonlab_conformance.adapter.Adapter",),
    ),
    "spec": (
        "The protocol as data",
        "Events, requirements and schemas of [the protocol](../spec/protocol.md), and what validates a payload.",
        tuple(
            f"dungeonlab_spec.{name}"
            for name in (
                "Catalogue",
                "Event",
                "Requirement",
                "Violation",
                "validate",
                "accepts",
                "Direction",
                "Level",
                "Side",
            )
        ),
    ),
    "reference-server": (
        "Reference server",
        "To start [the reference server](../docs/reference-server.md) from Python.",
        (
            "dungeonlab_reference_server.settings.Settings",
            "dungeonlab_reference_server.app.make_app",
            "dungeonlab_reference_server.app.serve",
        ),
    ),
}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def pages() -> Iterator[str]:
    """Yield the path of every document of the repository that is a page."""
    for pattern in ("*.md", "spec/*.md", "docs/*.md", "examples/*/README.md"):
        yield from sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob(pattern))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the documents where they are in the repository; what the theme brings along stays."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for name in pages():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for name, (title, text, objects) in API.items():
        content = "\n\n".join([f"# {title}", text, *(f"::: {each}" for each in objects)])
        files.append(File.generated(config, f"api/{name}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to what is no page lead into the repository; a folder stands for its README."""

    def led(found: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath(page.file.src_uri).parent / found[1])
        if files.get_file_from_path(path) is not None or not (ROOT / path).exists():
            return found[1]  # a page, or nothing: that is for mkdocs to find out
        if files.get_file_from_path(f"{path}/README.md") is not None:
            return f"{found[1].rstrip('/')}/README.md"
        return f"{config.repo_url}/blob/HEAD/{path}"

    return _LINK.sub(led, markdown)
