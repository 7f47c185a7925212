"""docs/exports.md: what it shows is followed to the letter."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conformance.command import command
from tests.other_stacks.judge import NODE, is_required, why_not

GUIDE = (Path(__file__).parents[3] / "docs" / "exports.md").read_text("utf-8")
MISSING = why_not()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, or of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return [text for kind, text in fenced if kind == language]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a client's folder with what the page says to write into it, and fixtures, one of them invalid."""
    folder = tmp_path_factory.mktemp("client")
    for line in blocks("")[0].splitlines():
        if line.startswith("dungeonlab-conformance"):
            done = command(*shlex.split(line)[1:], cwd=folder)
            assert done.returncode == 0, done.stderr
    fixtures = folder / "fixtures" / "chat-message"
    fixtures.mkdir(parents=True)
    for name, message in {"full": "Hi", "empty": None}.items():
        text = json.dumps({"sessionId": "s1", "message": message}, indent=2)
        (fixtures / f"{name}.json").write_text(text, "utf-8")
    moved = json.loads((folder / "examples/token-move/valid/emission.minimal.json").read_text("utf-8"))
    (folder / "recorded.ndjson").write_text(f"{json.dumps(moved)}\n" * 2, "utf-8")
    return folder


def test_the_unit_tests_in_javascript_pass(project: Path) -> None:
    """With ajv, the schemas and the examples as they were written."""
    if MISSING:
        assert not is_required(), MISSING
        pytest.skip(MISSING)
    (project / "node_modules").symlink_to(NODE / "node_modules")
    [text] = blocks("js")
    (project / "client.test.mjs").write_text(text, "utf-8")
    done = subprocess.run(
        ["node", "--test", "client.test.mjs"], cwd=project, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"pass 2\b", done.stdout)


def test_the_unit_test_in_python_passes() -> None:
    """Defined and called."""
    [text] = blocks("python")
    defined: dict[str, Any] = {}
    exec(text, defined)
    tests: list[Callable[[], None]] = [value for name, value in defined.items() if name.startswith("test_")]
    for test in tests:
        test()
    assert len(tests) == 1


def test_the_commands_of_ci_say_what_is_shown(project: Path) -> None:
    """The sample to the letter; of the workflow, which steps fail."""
    [shown] = [block for block in blocks("") if block.startswith("$ ")]
    first, *rest = shown.splitlines()
    done = command(*shlex.split(first)[2:], cwd=project)
    assert (done.returncode, done.stdout.splitlines()) == (1, rest)
    steps = [shlex.split(step["run"]) for step in yaml.safe_load(blocks("yaml")[0])["steps"]]
    assert [command(*words[1:], cwd=project).returncode for words in steps] == [1, 0]


def test_the_hook_names_the_file_that_is_wrong(project: Path) -> None:
    """With the arguments of the page, for the files that its pattern selects."""
    [hook] = yaml.safe_load(blocks("yaml")[1])["repos"][0]["hooks"]
    files = [str(file.relative_to(project)) for file in sorted((project / "fixtures").rglob("*.json"))]
    selected = [file for file in files if re.search(hook["files"], file)]
    words = [sys.executable, "-m", hook["id"].replace("-", "_"), *hook["args"], *selected]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.findall(r"fixtures/\S+\.json", done.stdout) == ["fixtures/chat-message/empty.json"]


def test_the_editor_finds_the_schemas(project: Path) -> None:
    """Each path of the settings is a file that was written."""
    [settings] = blocks("json")
    for row in json.loads(settings)["json.schemas"]:
        assert (project / row["url"]).is_file()


def test_the_page_counts_the_examples(project: Path) -> None:
    """As many as there are."""
    count = len(json.loads((project / "examples" / "index.json").read_text("utf-8"))["examples"])
    assert f"| {count:,} payloads, valid and invalid" in GUIDE
