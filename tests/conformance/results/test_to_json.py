"""The result as JSON: what is written fits the published schema, and comes back as it was."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from tests.conformance.report.runs import ECHO, broken_document, broken_run, failing, nasty_run, passing_run

from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.results.load import load
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.schema import problem, schema
from dungeonlab_conformance.results.to_json import from_json, to_json, write
from dungeonlab_conformance.results.verdict import Outcome, Verdict

RUNS: list[Callable[[], Run]] = [passing_run, broken_run, lambda: Run("url"), lambda: Run("url", fault="gone")]


def test_the_schema_is_one() -> None:
    """It is valid by the rules of JSON Schema 2020-12 and closed at the top."""
    Draft202012Validator.check_schema(schema())
    assert schema()["additionalProperties"] is False


def test_the_schema_knows_every_act() -> None:
    """What an actor can do or see is listed once in the journal; the schema says the same."""
    assert tuple(schema()["$defs"]["Line"]["properties"]["act"]["enum"]) == get_args(Act)


@pytest.mark.parametrize("made", RUNS)
def test_a_result_fits_the_published_schema(made: Callable[[], Run]) -> None:
    """What a run is written as is what the schema says, whatever the run came to."""
    document = json.loads(json.dumps(to_json(made())))
    assert problem(document) is None


@pytest.mark.parametrize("made", RUNS)
def test_a_result_comes_back_as_it_was(made: Callable[[], Run]) -> None:
    """Written and read, a run is the same run."""
    run = made()
    assert from_json(json.loads(json.dumps(to_json(run)))) == run


def test_a_result_from_a_hostile_server_can_be_written_and_read(tmp_path: Path) -> None:
    """Lone surrogates and control characters break neither the file nor its reader."""
    run = nasty_run()
    run.verdicts = [v for v in run.verdicts if not v.requirement.startswith("made-up")]
    write(run, tmp_path / "r.json")
    assert load(tmp_path / "r.json").verdicts[0].findings[0].got == run.verdicts[0].findings[0].got


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.pop("counts"), "counts"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d["verdicts"][0].update(outcome="great"), "great"),
        (lambda d: d["verdicts"][1].update(findings=[]), "findings"),
        (lambda d: d.update(format=2), "format"),
        (lambda d: d.update(exitCode=2), "exitCode"),
    ],
)
def test_a_document_that_is_no_result_is_refused(change: Callable[[Any], object], what: str) -> None:
    """The schema is not so wide that anything fits it, and one sentence says where it does not."""
    document = copy.deepcopy(broken_document())
    change(document)
    with pytest.raises(ValueError, match="no result of this suite") as raised:
        from_json(document)
    assert what in str(raised.value) or what == "findings"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "no", '{"line": 3}', '{"line": "verdict"}\n', "[" * 100_000])
def test_a_file_that_is_no_result_is_met_with_one_sentence(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, its name and the reason come back."""
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"r\.json is no result of this suite"):
        load(file)


def test_a_file_that_is_not_there_is_met_with_one_sentence(tmp_path: Path) -> None:
    """It cannot be read, and that is said."""
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "r.json")


def test_the_exit_code_is_written() -> None:
    """A machine reads from the file what the process ended with."""
    assert to_json(passing_run())["exitCode"] == 0
    assert to_json(broken_run())["exitCode"] == 1
    assert to_json(Run("url", [Verdict(ECHO, None, "MUST", Outcome.ERROR, "KeyError")]))["exitCode"] == 4


def test_a_result_names_a_failure_by_its_sentence() -> None:
    """Id, sentence and section stand together, so that nobody needs the catalogue to read it."""
    [row] = to_json(Run("url", [failing(ECHO, "token:move")]))["verdicts"]
    assert (row["requirement"], row["event"], row["outcome"]) == (ECHO, "token:move", "fail")
    assert "MUST NOT" in row["sentence"]
    assert row["section"] == "5"
