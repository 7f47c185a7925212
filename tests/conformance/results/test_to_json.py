"""The result as JSON: what is written fits the published schema, and comes back as it was."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from tests.conformance.report.runs import (
    CREATE,
    ECHO,
    JOIN,
    broken_document,
    broken_run,
    failing,
    nasty_run,
    passing_run,
    stuck_run,
)

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.report import html
from dungeonlab_conformance.results.load import from_json, load_run, problem, schema
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.to_json import to_json, write
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey

LINES = (
    TranscriptLine(1, "alice", "sends", "token:move", "{}", 1),
    TranscriptLine(2, "alice", "hears", "token:move", "{}", 1),
)
RUNS: list[Callable[[], Run]] = [passing_run, broken_run, lambda: Run("url"), lambda: Run("url", fault="gone")]


OPTIONS = RunOptions(
    url="http://127.0.0.1:3000",
    target_file="a file.toml",
    transport="polling",
    scale=0.5,
    protocol_version="1.0",
    only=("rooms", "chat/*"),
    fuzz=3,
    seed=7,
    http=True,
    concurrency=2,
    time_limit=60.0,
)
UNSHOWN = "\x7f\x85\x9b\u061c\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"
COMMAND = (
    "dungeonlab-conformance run http://127.0.0.1:3000 --target 'a file.toml' --transport polling --timeout 0.5 "
    "--protocol-version 1.0 --fuzz 3 --seed 7 --http"
)


def test_the_command_that_repeats_a_run_follows_from_its_options() -> None:
    """What is as usual needs no words, and reports add the selection."""
    assert OPTIONS.command == COMMAND
    assert RunOptions().command == "dungeonlab-conformance run"


def test_what_a_verdict_waits_for_comes_back_from_its_result() -> None:
    """Named by requirement and event; a result of an earlier version lacks it."""
    obstacle = VerdictKey("acks/every-token-operation-answers", "token:create")
    verdict = Verdict("tokens/delete-ends-it", None, "MUST", Outcome.UNJUDGED, "no answer", waits_for=obstacle)
    document = to_json(Run("url", verdicts=[verdict]))
    assert problem(document) is None
    assert from_json(document).verdicts[0].waits_for == obstacle
    del document["verdicts"][0]["waits_for"]
    assert from_json(document).verdicts[0].waits_for is None


def test_the_options_of_a_run_come_back_from_its_result() -> None:
    """All of them, those that the command leaves out too."""
    document = to_json(Run("url", options=OPTIONS))
    assert problem(document) is None
    assert (document["again"], document["targetFile"]) == (COMMAND, "a file.toml")
    assert from_json(json.loads(json.dumps(document))).options == OPTIONS


@pytest.mark.parametrize(
    ("again", "options"),
    [
        (COMMAND, replace(OPTIONS, only=(), concurrency=None, time_limit=600.0)),
        ("dungeonlab-conformance run", RunOptions(target_file="a file.toml")),
        ("dungeonlab-conformance run --timeout x", RunOptions(target_file="a file.toml")),
        ("an open ' quotation mark", RunOptions(target_file="a file.toml")),
    ],
)
def test_a_result_of_an_earlier_version_has_its_options_in_the_command(again: str, options: RunOptions) -> None:
    """So far as the command says them; one that cannot be read is no reason to refuse the result."""
    document = to_json(Run("url", options=OPTIONS)) | {"again": again}
    del document["options"]
    assert problem(document) is None
    assert from_json(document).options == options


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


def test_a_finding_is_written_with_what_it_takes_to_repeat_it() -> None:
    """Its check, the event, what that scene judges and the line that convicts, each by itself; the name stays, too."""
    seen = Finding("a", "b", None, "the_sender_hears_nothing", "token:move", (ECHO,), LINES, 1)
    [row] = to_json(Run("url", [failing("names/kebab-case", None, seen)]))["verdicts"]
    [found] = row["findings"]
    assert {name: found[name] for name in ("scene", "check", "event", "requirements", "convicting")} == {
        "scene": "the_sender_hears_nothing[token:move]",
        "check": "the_sender_hears_nothing",
        "event": "token:move",
        "requirements": (ECHO,),
        "convicting": 1,
    }


def test_a_result_of_an_earlier_version_is_read_as_if_it_had_the_facts() -> None:
    """It named scenes in a text; what one judged is known from its verdicts, and what convicts from what came."""
    assert "check" not in json.dumps(broken_document())
    echo = next(v for v in broken_run().verdicts if (v.requirement, v.event) == (ECHO, "token:delete"))
    found = echo.findings[0]
    assert (echo.check, echo.scene) == ("the_sender_hears_nothing", "the_sender_hears_nothing[token:delete]")
    assert (found.check, found.event, found.scene) == (echo.check, "token:delete", echo.scene)
    assert found.requirements == (ECHO,)
    assert found.convicting is not None
    line = found.transcript[found.convicting]
    assert (line.actor, line.act, line.body) == ("alice", "hears", found.got)


def test_the_request_that_a_finding_is_about_comes_back() -> None:
    """It is a line as those of a transcript; a result of an earlier version has none."""
    seen = Finding("a", "b", None, "check", None, (), LINES, 1, sent=LINES[0])
    document = json.loads(json.dumps(to_json(Run("url", [failing(ECHO, "token:move", seen)]))))
    assert from_json(document).verdicts[0].findings[0].sent == LINES[0]
    del document["verdicts"][0]["findings"][0]["sent"]
    assert from_json(document).verdicts[0].findings[0].sent is None


@pytest.mark.parametrize("convicting", [10**30, 999])
def test_a_line_that_is_not_there_convicts_in_no_report(convicting: int) -> None:
    """A result that somebody has edited may name any line."""
    seen = Finding("a", "b", None, "check", None, (), LINES, convicting)
    run = from_json(json.loads(json.dumps(to_json(Run("url", [failing(ECHO, "token:move", seen)])))))
    assert "alice" in html.page(run)


def test_a_result_from_a_hostile_server_can_be_written_and_read(tmp_path: Path) -> None:
    """Lone surrogates and control characters break neither the file nor its reader."""
    run = nasty_run()
    run.verdicts = [v for v in run.verdicts if not v.requirement.startswith("made-up")]
    write(run, tmp_path / "r.json")
    assert load_run(tmp_path / "r.json").verdicts[0].findings[0].got == run.verdicts[0].findings[0].got


def test_what_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    """What cannot be seen, or reorders a line, comes back as it was; letters stay as they are."""
    run = Run("url", [failing(ECHO, "token:move", Finding("é☃😀", UNSHOWN, None, "check"))])
    write(run, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text("utf-8")
    assert "é☃😀" in text
    assert not set(UNSHOWN) & set(text)
    assert load_run(tmp_path / "r.json") == run


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
        load_run(file)


def test_a_file_that_is_not_there_is_met_with_one_sentence(tmp_path: Path) -> None:
    """It cannot be read, and that is said."""
    with pytest.raises(ValueError, match="cannot be read"):
        load_run(tmp_path / "r.json")


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


def test_causes_are_written_by_weight_and_follow_from_the_verdicts() -> None:
    """The weightiest first; a result of an earlier version lacks them, and what somebody else counted is not read."""
    document = json.loads(json.dumps(to_json(stuck_run())))
    assert problem(document) is None
    assert [row["requirement"] for row in document["causes"]] == [CREATE.requirement, JOIN.requirement]
    assert [row["event"] for row in document["causes"]] == [CREATE.event, None]
    assert [row["waiting"] > 1 for row in document["causes"]] == [True, False]
    causes = document.pop("causes")
    assert to_json(from_json(document))["causes"] == causes
    assert to_json(from_json(document | {"causes": []}))["causes"] == causes
