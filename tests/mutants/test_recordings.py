"""Recordings of faulty servers are made once, and judged again by the rules as they are by then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dungeonlab_conformance.results.load import load_document
from dungeonlab_conformance.runner import evaluation
from dungeonlab_conformance.runner.recheck.recheck import recheck
from tests.mutants import recordings

SERVER = "TellsEverybody"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the run on one faulty server is recorded."""
    made = tmp_path_factory.mktemp("recordings")
    assert recordings.main(["--write", str(made), SERVER]) == 0
    return made


def test_rules_that_did_not_change_show_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code says so."""
    assert recordings.main(["--check", str(folder)]) == 0
    assert "0 of 1 recordings show other verdicts" in capsys.readouterr().out


def test_a_change_to_a_rule_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one is taken out, it is seen at once what nothing would find any more."""

    def nothing(*_: Any) -> Iterator[Any]:
        yield from ()

    monkeypatch.setattr(evaluation, "breaches", nothing)
    run, document = load_document(folder / f"{SERVER}.json")
    lines = recheck(run, document, ()).differences
    assert any("rooms/outsider-hears-nothing" in line and "nothing recorded shows" in line for line in lines)


def test_a_folder_without_recordings_shows_nothing(tmp_path: Path) -> None:
    """The exit code does not say that all is well."""
    assert recordings.main(["--check", str(tmp_path)]) == 1


@pytest.mark.parametrize("words", [[], ["--write", "x", "--check", "y"], ["--write", "x", "NoSuchServer"]])
def test_what_makes_no_sense_is_wrong_usage(words: list[str]) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as ended:
        recordings.main(words)
    assert ended.value.code == 2
