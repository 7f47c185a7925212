"""What is written about judging a client in ten minutes is true, followed with a browser."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.test_ten_minutes import ROOT, assert_as_written, steps, typed

PAGE = ROOT / "docs" / "client.md"
NEEDED = ("node", "npm", "chromium")


def missing() -> str | None:
    """Say what is not there to follow the page."""
    names = [name for name in NEEDED if shutil.which(name) is None]
    return f"{', '.join(names)} missing: apt-get install nodejs npm chromium" if names else None


def test_every_command_on_the_page(tmp_path: Path) -> None:
    """Typed in a copy of the example, each does what the page says; at its end there is a report."""
    if why := missing():
        if os.environ.get("CI") in ("1", "true"):
            pytest.fail(why)
        pytest.skip(why)
    example = tmp_path / "examples" / "table-page"
    shutil.copytree(ROOT / "examples" / "table-page", example, ignore=shutil.ignore_patterns("node_modules"))
    page = list(steps(PAGE.read_text("utf-8")))
    installed = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    assert_as_written(page, typed(page, tmp_path, 0, PATH=installed))
    report = (example / "report.html").read_text("utf-8")
    assert "client/rejoins-after-reconnect" in report
    assert "dungeonlab_session=" not in report
