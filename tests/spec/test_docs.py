"""The generated pages are what the data makes of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import generate_docs

from dungeonlab_conformance.text.documents import PROTOCOL
from dungeonlab_spec import Catalogue

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_are_fresh() -> None:
    """If this fails, run tools/generate_docs.py and look at what changed."""
    assert generate_docs.stale() == []


def test_a_stale_or_missing_page_is_noticed(tmp_path: Path) -> None:
    """Each page that differs, or is not there, is named."""
    assert generate_docs.stale(tmp_path) == list(generate_docs.PAGES)
    generate_docs.write(tmp_path)
    assert generate_docs.stale(tmp_path) == []
    (tmp_path / "docs" / "events.md").write_text("old", "utf-8")
    assert generate_docs.stale(tmp_path) == ["docs/events.md"]


def test_check_tells_a_stale_page_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` exits with 1 and says what to do."""
    monkeypatch.setattr(generate_docs, "stale", lambda: ["docs/events.md"])
    assert generate_docs.main(["--check"]) == 1
    assert capsys.readouterr().err == "Out of date: docs/events.md; run python tools/generate_docs.py.\n"


def test_the_command_line() -> None:
    """As a program it checks the pages, and refuses what it does not know."""
    script = str(ROOT / "tools" / "generate_docs.py")
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0
    unknown = subprocess.run([sys.executable, script, "--what"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("usage:")


def test_every_event_and_requirement_has_a_row() -> None:
    """Nothing of the catalogue is left out."""
    catalogue = Catalogue.load()
    assert all(f"| `{event.name}`" in generate_docs.events() for event in catalogue)
    assert all(f"| `{id_}` |" in generate_docs.requirements() for id_ in catalogue.requirements)


def test_links_lead_to_headings() -> None:
    """Each link into the protocol ends at one of its headings, as GitHub names them."""
    prose = (ROOT / PROTOCOL).read_text("utf-8")
    anchors = {
        "".join(c for c in title.lower() if c.isalnum() or c in " -").replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }
    links = re.findall(r"protocol\.md#([^)]+)\)", generate_docs.requirements())
    assert links
    assert set(links) <= anchors
