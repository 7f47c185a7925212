"""The recipes of the guides install what can be installed, and are green on a correct server when they are followed."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.environments import make_environment
from tests.workflows import bare_environment, execute

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]
GUIDE = (ROOT / "docs" / "ci.md").read_text("utf-8")
_PIN = "@" + "0" * 40


def shown() -> list[tuple[str, str]]:
    """Return every `pip install` that somebody may copy, with the file that shows it."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "action.yml", *sorted((ROOT / "docs").glob("*.md"))]
    files += [f for f in sorted((ROOT / "examples").rglob("*")) if f.suffix in (".md", ".yml")]
    files += sorted((ROOT / "conformance").rglob("*.py"))
    return [
        (file.name, found[1])
        for file in files
        for found in re.finditer(
            r"pip\"? install ((?:'[^'\n]*'|\"[^\"\n]*\"|[^\s`|&'\"]|[ ])+)", file.read_text("utf-8")
        )
    ]


@pytest.mark.parametrize(("file", "words"), shown(), ids=lambda text: str(text)[:40])
def test_nothing_is_installed_from_a_registry_that_does_not_have_it(file: str, words: str) -> None:
    """The suite comes from a checkout, from its repository, or from where a variable says; others by their names."""
    for word in shlex.split(words.strip()):
        assert _name(word) != PROJECT["name"], f"{file}: {words}"


def test_requirements_of_the_example_can_be_installed() -> None:
    """They are other people's packages alone."""
    assert PROJECT["name"] not in (ROOT / "examples" / "tavern" / "requirements.txt").read_text("utf-8")


def test_an_extra_that_a_message_names_is_that_of_the_project() -> None:
    """What `--fuzz` says to install is of the extra, and brings along all the others that the extra would install."""
    from dungeonlab_conformance.cli.options.fuzz import MISSING

    [needed] = [row for row in PROJECT["optional-dependencies"]["fuzz"] if row.startswith("schemathesis")]
    assert f"'{needed}'" in MISSING
    assert f"'{needed}'" in (ROOT / "docs" / "fuzz.md").read_text("utf-8")
    assert {_name(row) for row in PROJECT["optional-dependencies"]["fuzz"]} <= brought_by("schemathesis")


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~;@ ]", requirement)[0].lower().replace("_", "-")


def brought_by(name: str) -> set[str]:
    """Return a package and all that is installed with it, without its extras."""
    found, ahead = set[str](), [name]
    while ahead:
        found.add(one := ahead.pop())
        needed = (row for row in metadata.requires(one) or [] if ";" not in row)
        ahead += {_name(row) for row in needed} - found
    return found


def recipes() -> dict[str, str]:
    """Return the shell of each recipe that has some, with what it installs from and where its server runs."""
    [gitlab] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(conformance:\n.*?)```", GUIDE, re.DOTALL)]
    [any_other] = re.findall(r"```\n(pip install .*?)```", GUIDE, re.DOTALL)
    by_hand = re.findall(r"^      - run: (.*)$", GUIDE, re.MULTILINE)
    start = next(line for line in gitlab["conformance"]["before_script"] if line.startswith("./start-my-server"))
    return {
        "gitlab": "\n".join(gitlab["conformance"]["before_script"] + gitlab["conformance"]["script"]),
        "any other": f"{start}\n{any_other}",
        "github by hand": "\n".join([start, *by_hand]),
    }


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment, as a CI has one; whatever a recipe installs is installed into it."""
    return make_environment(tmp_path_factory.mktemp("python"))


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_is_green_on_a_correct_server(name: str, tmp_path: Path, port: int, suite: str, python: Path) -> None:
    """Followed to the letter; port, list of known failures, and the address of the suite are the reader's own."""
    script = recipes()[name].replace(f"git+{ADDRESS}{_PIN}", suite).replace("3000", str(port))
    assert suite in script
    serve = f'exec {sys.executable} -m dungeonlab_reference_server --log-level error --scrypt-n 2 "$@"\n'
    (tmp_path / "start-my-server").write_text(f"#!/bin/sh\n{serve}", "utf-8")
    (tmp_path / "start-my-server").chmod(0o755)
    (tmp_path / "known-failures.toml").touch()
    environment = bare_environment()
    environment |= {"PATH": f"{python / 'bin'}:{environment['PATH']}"}
    code, log = execute(f"set -e\n{script}", tmp_path, environment, tmp_path / "log.txt")
    assert code == 0, log
    assert "0 fail" in log
    assert list(tmp_path.glob("conformance.*"))


def test_the_pre_commit_hook_is_one_of_the_repository() -> None:
    """The configuration that the guide shows names this repository, a commit, and the hook that it has."""
    [block] = re.findall(r"```yaml\n(repos:\n.*?)```", GUIDE, re.DOTALL)
    [row] = yaml.safe_load(block)["repos"]
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (row["repo"], f"@{row['rev']}", row["hooks"][0]["id"]) == (ADDRESS, _PIN, hook["id"])
