"""The documentation site has every document, the API that users import, and links that lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dungeonlab_spec

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built strictly: every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    """Each lies where it is in the repository, and the README is the first page."""
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "spec" / "protocol.md"]:
        name = file.relative_to(ROOT).with_suffix("")
        assert (site / "index.html" if file.name == "README.md" else site / name / "index.html").is_file(), file


def test_the_api_that_users_import_is_described(site: Path) -> None:
    """All that `dungeonlab_spec` exports, and each method of an adapter."""
    text = (site / "api" / "spec" / "index.html").read_text("utf-8")
    assert [name for name in dungeonlab_spec.__all__ if f'id="dungeonlab_spec.{name}"' not in text] == []
    text = (site / "api" / "adapter" / "index.html").read_text("utf-8")
    assert 'id="dungeonlab_conformance.adapter.Adapter.open_session"' in text


def test_links_lead_to_pages_or_into_the_repository(site: Path) -> None:
    """A link to a page stays in the site; one to another file leads to where the repository shows it."""
    text = (site / "docs" / "ci" / "index.html").read_text("utf-8")
    assert re.search(r'href="https://github\.com/[\w-]+/dungeonlab-conformance/blob/HEAD/action\.yml"', text)
    assert 'href="../../examples/tavern/"' in (site / "docs" / "ten-minutes" / "index.html").read_text("utf-8")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No page needs another host for fonts, scripts or styles."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="([^"]+)"', page.read_text("utf-8")
        )
        assert [url for url in loaded if url.startswith(("http", "//"))] == [], page
