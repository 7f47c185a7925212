"""Files that are no results: what is said of them, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.command import command

from dungeonlab_conformance.record.tapped import ndjson


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
