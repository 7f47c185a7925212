"""What people look for in a maintained project is there, and says what is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_hooks_run_what_ci_runs() -> None:
    """Each hook for the project's own commits is local, and its command is one that tox runs too."""
    tox = (ROOT / "tox.ini").read_text("utf-8")
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repository["repo"] for repository in configuration["repos"]] == ["local"]
    [hooks] = [repository["hooks"] for repository in configuration["repos"]]
    for hook in hooks:
        assert hook["language"] == "system"
        command = " ".join(word for word in shlex.split(hook["entry"]) if word != "--force-exclude")
        assert re.search(rf"^\s*(commands = )?{re.escape(command)}( |$)", tox, re.MULTILINE), hook["id"]


def test_every_text_is_as_the_editor_configuration_says() -> None:
    """UTF-8, lines that end with a line feed and nothing before it, no tabulators in front."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError:
        pytest.skip("this is no git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        text = file.read_bytes().decode("utf-8") if file.is_file() else ""
        assert not re.search(r"\r|[ \t]$|^\t|[^\n]\Z", text, re.MULTILINE), name


def test_pytest_works_under_a_debugger() -> None:
    """Of its own accord it stays in one process; where tests are shared out, tox and .ci/run do so in the same way."""
    command = [sys.executable, "-m", "pytest", "--pdb", "-q", "tests/spec/test_laws.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    shared = [
        re.findall(r"PYTEST_ADDOPTS ?= ?'?(--[^'\n]+)", (ROOT / f).read_text("utf-8")) for f in ("tox.ini", ".ci/run")
    ]
    assert shared[0] == shared[1] != []


def test_what_runs_leave_behind_is_ignored() -> None:
    """Caches, reports and builds of the tools in use do not show up as new files."""
    left = [".schemathesis/x", ".hypothesis/x", ".coverage.1", ".tox/x", ".venv/x", "site/index.html", "dist/x.whl"]
    done = subprocess.run(["git", "check-ignore", *left], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 128:
        pytest.skip("this is no git checkout")
    assert done.stdout.split() == left


def test_each_benchmark_can_be_found() -> None:
    """Its command is one of `tox -e bench`, and is named where contributors look."""
    files = sorted((ROOT / "benchmarks").iterdir())
    commands = [f"python -m benchmarks.{file.stem}" for file in files if file.is_file()]
    assert commands
    for name in ("tox.ini", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text("utf-8")
        assert [command for command in commands if command not in text] == [], name


def test_the_changelog_has_a_dated_section_for_each_version() -> None:
    """What is unreleased comes first, then the version of the package, each version with its day."""
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased"
    versions = [head.split(" - ") for head in heads[1:]]
    assert versions[0][0] == PROJECT["version"]
    days = [date.fromisoformat(day) for _, day in versions]
    assert days == sorted(days, reverse=True)


def test_the_security_policy_names_the_version_that_is_supported() -> None:
    """And where to report to: a private place of this repository."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert f"{PROJECT['urls']['Repository']}/security/advisories/new" in text
    assert f"| {'.'.join(PROJECT['version'].split('.')[:2])}.x | yes |" in text
