"""The project's own workflows name what there is: tox environments, Python versions and folders."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")


def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((ROOT / "tox.ini").read_text("utf-8"))
    return parser


def env_list() -> set[str]:
    return {name.strip() for name in tox()["tox"]["env_list"].split(",")}


def environments() -> set[str]:
    """Return every environment that tox can run by name."""
    sections = {name.removeprefix("testenv:") for name in tox().sections() if name.startswith("testenv:")}
    return sections | {name for name in env_list() if re.fullmatch(r"py\d+", name)}


def rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of every job's matrix: `env` for tox, and the `python` that runs it."""
    workflow: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return [row for job in workflow["jobs"].values() for row in job["strategy"]["matrix"]["include"]]


def version(env: str) -> str:
    """Return the Python version that an environment such as `py311` stands for."""
    return re.sub(r"^py(\d)(\d+)$", r"\1.\2", env)


def test_there_are_workflows() -> None:
    """One for each change, one for each night."""
    assert [file.name for file in FILES] == ["ci.yml", "nightly.yml"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_may_do_no_more_than_it_must(file: Path) -> None:
    """It reads the repository, ends when a newer one begins, is limited in time, and each action is pinned."""
    text = file.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 180
        assert all("${{" not in step.get("run", "") for step in job["steps"])
    lines = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not _PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_environment_that_a_workflow_names_exists(file: Path) -> None:
    """Each row of a matrix names an environment of tox.ini, which tox gets from the row."""
    assert {row["env"] for row in rows(file)} <= environments()
    for job in yaml.safe_load(file.read_text("utf-8"))["jobs"].values():
        [running] = [step for step in job["steps"] if step.get("run", "").startswith("tox run")]
        assert running["env"] == {"TOXENV": "${{ matrix.env }}"}


def test_what_tox_runs_by_default_runs_for_each_change() -> None:
    """Each environment of `env_list` has a row in ci.yml, and no other has one."""
    assert env_list() == {row["env"] for row in rows(ROOT / ".github" / "workflows" / "ci.yml")}


def test_the_python_versions_agree() -> None:
    """Workflow, tox and classifiers name the same versions, from the oldest that pip accepts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    classified = [found[1] for row in project["classifiers"] if (found := re.search(r":: (3\.\d+)$", row))]
    assert {version(env) for env in env_list() if re.fullmatch(r"py\d+", env)} == set(classified)
    for row in (row for file in FILES for row in rows(file)):
        assert row["python"] in classified
        if row["env"].startswith("py"):
            assert row["python"] == version(row["env"])
    assert project["requires-python"] == f">={classified[0]}"


def test_each_folder_that_npm_works_in_exists() -> None:
    """Workflows and tox.ini name folders that hold a lock file."""
    for file in [*FILES, ROOT / "tox.ini", ROOT / ".ci" / "run"]:
        for folder in re.findall(r"npm ci .*--prefix (\S+)", file.read_text("utf-8")):
            assert (ROOT / folder / "package-lock.json").is_file(), f"{file.name}: {folder}"
