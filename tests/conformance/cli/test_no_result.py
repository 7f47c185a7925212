"""Files that are no results: what is said of them, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conformance.command import command

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.text import files


@pytest.mark.parametrize("words", [["report"], ["recheck"]])
def test_an_empty_file_is_said_to_be_empty(words: list[str], tmp_path: Path) -> None:
    """The run that should have written it was stopped before."""
    (tmp_path / "result.json").touch()
    done = command(*words, f"{tmp_path / 'result.json'}")
    assert done.returncode == 2
    assert "it is empty, since its run was ended before" in done.stderr


def test_a_recording_is_no_result_to_recheck(tmp_path: Path) -> None:
    """It is said what it is, and which command judges it."""
    (tmp_path / "tap.ndjson").write_text(ndjson.head() + "\n", "utf-8")
    done = command("recheck", f"{tmp_path / 'tap.ndjson'}")
    assert done.returncode == 2
    assert "is a recording of a tap and no result; `report` judges it" in done.stderr


def test_a_recording_is_not_judged_through_a_pipe() -> None:
    """Who uses `report` already reads what else to do."""
    done = CliRunner().invoke(main, ["report", "-"], input=ndjson.head() + "\n")
    assert done.exit_code == 2
    assert "comes through a pipe; `report` judges one that is in a file" in done.output


def test_what_holds_too_many_values_is_not_read(tmp_path: Path) -> None:
    """Each takes much more memory than room in the file."""
    (tmp_path / "result.json").write_text(f"[{'[],' * 2_000_001}0]", "utf-8")
    done = command("report", f"{tmp_path / 'result.json'}")
    assert done.returncode == 2
    assert "it holds more than 4,000,000 values" in done.stderr


def test_a_result_is_not_read_without_memory_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the suite."""

    def too_much(_: str) -> object:
        raise MemoryError

    (tmp_path / "result.json").write_text("{}", "utf-8")
    monkeypatch.setattr(files, "from_json", too_much)
    with pytest.raises(ValueError, match="more memory than there is"):
        load_run(tmp_path / "result.json")
