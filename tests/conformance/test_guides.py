"""The guides: every example in them is one that works."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.report.github import result
from dungeonlab_conformance.results.known_failures import load_known_failures
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_spec import Catalogue

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = (
    "../README.md",
    "ci.md",
    "client.md",
    "develop-against.md",
    "exports.md",
    "known-failures.md",
    "live-page.md",
    "reading-a-report.md",
    "tap.md",
)
ACTION: dict[str, Any] = yaml.safe_load((DOCS.parent / "action.yml").read_text("utf-8"))


def blocks(guide: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / guide).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Return every command of the project's that a guide shows, in blocks and in running text."""
    texts = [(DOCS / guide).read_text("utf-8").replace("\n      --", " --") for guide in GUIDES]
    found = [
        m[0]
        for text in texts
        for m in re.finditer(rf"dungeonlab-conformance ({'|'.join(main.commands)})\b[^\n`|]*", text)
    ]
    return [shlex.split(line.replace("…", "").partition(" -- ")[0], comments=True) for line in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_the_options_it_is_shown_with(words: list[str]) -> None:
    """Anyone who copies a line does not meet a usage error."""
    group: click.Command = main
    for word in words[1:]:
        if isinstance(group, click.Group):
            assert word in group.commands
            group = group.commands[word]
    known = {name for parameter in group.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_sample_list_is_one(tmp_path: Path) -> None:
    """It is read as a list of known failures, and each of its entries names a requirement and an event."""
    [sample] = blocks("known-failures.md", "toml")
    (tmp_path / "known.toml").write_text(sample)
    entries = load_known_failures(tmp_path / "known.toml")
    assert len(entries) == len(tomllib.loads(sample)["known"]) == 2
    catalogue = Catalogue.load()
    assert all(entry.id in catalogue.requirements for entry in entries)
    assert all(entry.event is None or entry.event in catalogue for entry in entries)


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    """Its inputs and outputs are those of action.yml, and whatever else it uses is pinned to a commit."""
    workflow = yaml.safe_load(blocks("ci.md", "yaml")[0])
    steps = workflow["jobs"]["conformance"]["steps"]
    [judging] = [step for step in steps if "dungeonlab-conformance@" in step.get("uses", "")]
    assert judging["with"].keys() <= ACTION["inputs"].keys()
    named = set(re.findall(r"steps\.conformance\.outputs\.(\w+)", str(steps)))
    assert named
    assert named <= ACTION["outputs"].keys()
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps if "uses" in step)
    assert "${{" not in "".join(step.get("run", "") for step in steps)
    [keeping] = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert keeping["with"]["path"] == ACTION["inputs"]["reports"]["default"]


@pytest.mark.parametrize("text", blocks("ci.md", "yaml"), ids=lambda text: text.strip().splitlines()[0])
def test_every_piece_of_yaml_can_be_read(text: str) -> None:
    """Copied into a file it is what it looks like."""
    assert yaml.safe_load(text)


def test_every_outcome_and_act_is_explained() -> None:
    """Whatever stands in a report stands in the guide to it."""
    text = (DOCS / "reading-a-report.md").read_text("utf-8")
    assert [o for o in Outcome if f"| {o} |" not in text] == []
    assert [act for act in ("sends", "tells", "is closed", "disconnects") if f"*{act}*" not in text] == []
    assert "sends" in Act.__args__  # type: ignore[attr-defined]


def test_every_result_of_the_action_is_explained() -> None:
    """In the guide and in the action's own description."""
    words = {result(run) for run in (Run("u"), Run("u", claim="c"), Run("u", fault="f"), Run("u", own_fault="f"))}
    for word in words | {result(Run("u", interrupted=True)), result(Run("u", stale=["s"])), "unusable"}:
        assert f"`{word}`" in (DOCS / "ci.md").read_text("utf-8")
        assert word in ACTION["outputs"]["result"]["description"]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_leads_somewhere(guide: str) -> None:
    """Within the repository, to a file that is there."""
    page = DOCS / guide
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_readme_lists_every_command() -> None:
    """The table has one row or another for each, and names none that there is not."""
    table = (DOCS.parent / "README.md").read_text("utf-8").partition("\n## Commands\n")[2].partition("\n\nIn Python")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(name for cell in cells for name in re.findall(r"`([a-z]+)", cell)) == sorted(main.commands)
