"""File names on the command line: empty ones, and reports that would take the place of what is read."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.conformance.command import command

ONE = "--only names"
EMPTY = (
    f"run {ONE} --json ''",
    f"run {ONE} --ndjson ' '",
    f"run {ONE} --known-failures ''",
    f"run {ONE} --write-known-failures ''",
    "run --target ''",
    "probe --target ''",
    "replay '' names/kebab-case",
    "report ''",
    "report r.json --html ''",
    "diff '' r.json",
    "validate chat-message ''",
    "init ''",
    "export report-schema ''",
)


@pytest.mark.parametrize("words", EMPTY)
def test_an_empty_file_name_is_wrong_usage(tmp_path: Path, words: str) -> None:
    """It comes of a variable that is not set: said before anything runs, and never taken for the working folder."""
    done = command(*shlex.split(words), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(
        "it is empty, as if the variable that it comes from were not set; name a file"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "run --json dungeonlab-target.toml",
        "run --write-known-failures ./dungeonlab-target.toml",
        "run http://127.0.0.1:1 --target other.toml --html other.toml",
        "run http://127.0.0.1:1 --known-failures known.toml --markdown known.toml",
        "run http://127.0.0.1:1 --known-failures known.toml --ndjson linked.toml",
        "report known.toml --junit known.toml",
    ],
)
def test_no_report_takes_the_place_of_what_is_read(tmp_path: Path, words: str) -> None:
    """Of a target file, a list of known failures or a result: wrong usage, and the file is left as it is."""
    for name in ("dungeonlab-target.toml", "other.toml", "known.toml"):
        (tmp_path / name).write_text("# precious\n", "utf-8")
    (tmp_path / "linked.toml").symlink_to("known.toml")
    done = command(*words.split(), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "is read by this command; name another file" in done.stderr
    assert {file.read_text("utf-8") for file in tmp_path.iterdir()} == {"# precious\n"}


def test_a_list_may_be_rewritten_in_its_place(tmp_path: Path) -> None:
    """The same file behind --known-failures and --write-known-failures is what the guide recommends."""
    (tmp_path / "known.toml").write_text("", "utf-8")
    words = f"run {ONE} --known-failures known.toml --write-known-failures known.toml"
    done = command(*words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_quiet_and_verbose_contradict_each_other(tmp_path: Path) -> None:
    """Nobody can want both, so neither is dropped in silence."""
    done = command("run", "--quiet", "--verbose", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--quiet and --verbose contradict each other" in done.stderr


def test_the_next_command_that_init_names_can_be_pasted(tmp_path: Path) -> None:
    """A space in the file's name is quoted."""
    done = command("init", "my server.toml", cwd=tmp_path)
    assert done.stdout.endswith("--target 'my server.toml'\n")


def test_standard_input_is_called_so(tmp_path: Path) -> None:
    """Not by what it might be elsewhere."""
    done = command("validate", "chat-message", "-", cwd=tmp_path, PYTHONIOENCODING="utf-8")
    assert "standard input:1: holds no JSON" in done.stderr
