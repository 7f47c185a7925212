"""A target file named to pytest is the suite; lying about, it is nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.conformance.command import PYTEST


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a user's folder, without other plugins than the suite's."""
    command = [*PYTEST, "-p", "no:cacheprovider"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def folder(reference_url: str, tmp_path: Path) -> Path:
    """Return a project with tests of its own, and a target file for the reference server."""
    text = f'[server]\nurl = "{reference_url}"\n[capabilities]\npresence = false\n'
    (tmp_path / "dungeonlab-target.toml").write_text(text, "utf-8")
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n", "utf-8")
    return tmp_path


def test_a_file_that_is_named_is_the_suite(folder: Path, reference_url: str) -> None:
    """Each verdict is an item; what is not there is skipped, with the reason; the end says which server it was."""
    ended = run(folder, "dungeonlab-target.toml", "-k", "kebab or presence", "-rs")
    assert ended.returncode == 0, ended.stdout
    assert "3 passed, 4 skipped" in ended.stdout
    assert "the target offers no presence" in ended.stdout
    assert f"dungeonlab: judged {reference_url} (dungeonlab-target.toml)\n" in ended.stdout


def test_a_file_that_lies_about_is_nothing(folder: Path) -> None:
    """A run of the project's own tests does not judge a server by accident."""
    ended = run(folder)
    assert ended.returncode == 0
    assert "1 passed" in ended.stdout


def test_a_file_by_option(folder: Path) -> None:
    """Beside `--pyargs`; a URL takes the place of the file's."""
    ended = run(
        folder, "--dungeonlab-target", "dungeonlab-target.toml", "--pyargs", "dungeonlab_conformance", "-k", "chat/"
    )
    assert ended.returncode == 0, ended.stdout
    assert "6 passed" in ended.stdout
    elsewhere = ("--dungeonlab-target", "dungeonlab-target.toml", "--dungeonlab-url", "http://127.0.0.1:9")
    ended = run(folder, *elsewhere, "--pyargs", "dungeonlab_conformance", "-k", "chat/")
    assert ended.returncode == 3
    assert "http://127.0.0.1:9 cannot be reached" in ended.stdout + ended.stderr


def test_a_url_beside_a_file_takes_the_place_of_its_own(folder: Path) -> None:
    """Also where the file is named as what to collect; the file's own server is not judged then."""
    ended = run(folder, "dungeonlab-target.toml", "--dungeonlab-url", "http://127.0.0.1:9", "-k", "chat/")
    assert ended.returncode == 3, ended.stdout
    assert "http://127.0.0.1:9 cannot be reached" in ended.stdout + ended.stderr


def test_what_is_wrong_with_a_file_is_one_sentence(folder: Path) -> None:
    """With file and line, however the file was named."""
    with (folder / "dungeonlab-target.toml").open("a", encoding="utf-8") as file:
        file.write("prsence = true\n")
    ended = run(folder, "dungeonlab-target.toml")
    assert ended.returncode == 2
    assert "dungeonlab-target.toml:5: unknown key 'prsence' in [capabilities]; did you mean 'presence'?" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    ended = run(folder, "--dungeonlab-target", "dungeonlab-target.toml", "--pyargs", "dungeonlab_conformance")
    assert ended.returncode == 4
    assert ended.stderr.startswith("ERROR: dungeonlab-target.toml:5: unknown key 'prsence'")
