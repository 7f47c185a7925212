"""Judging the HTTP side of a server that claims it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.mutants.judge import judged

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.clients.http import fuzzer
from dungeonlab_conformance.clients.http.users import Reply, must_be_described, operations
from dungeonlab_conformance.results.claim import musts
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_spec import Catalogue

HTTP = {name for name, row in Catalogue.load().requirements.items() if row.part == "http"}
SESSION = {"id": "s", "name": "n", "gameMasterId": "g", "participantIds": ["p"]}


def test_the_reference_server_keeps_what_it_claims(reference_url: str, tmp_path: Path) -> None:
    """Every requirement of the HTTP side is judged, and holds."""
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "dungeonlab_conformance", "run", reference_url, "--http", "--only", "http"]
    ended = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    verdicts = json.loads(file.read_text("utf-8"))["verdicts"]
    assert {(v["requirement"], v["outcome"]) for v in verdicts} == {(name, "pass") for name in HTTP}


def test_it_is_judged_only_where_it_is_claimed() -> None:
    """A server may have any other HTTP side: nobody asks about this one unless asked to, and no claim needs it."""
    found = {name for scene in scenes(Selection(), Catalogue.load()) for name in scene.wanted}
    assert not found & HTTP
    assert not HTTP & {name for name, _ in musts("1.0")}
    assert {name for name, _ in musts("1.0", {"http"})} >= HTTP
    result = CliRunner().invoke(main, ["run", "--only", "http"])
    assert result.exit_code == 2


def test_it_is_listed_all_the_same() -> None:
    """A user who looks for it finds it."""
    shown = CliRunner().invoke(main, ["list", "--only", "http"]).output
    assert all(name in shown for name in HTTP)


def test_without_schemathesis_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, before anything is judged."""
    monkeypatch.setattr(fuzzer, "find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["run", "--http"])
    assert result.exit_code == 2
    assert "--http needs schemathesis; install it with: pip install 'schemathesis>=4.10,<5'" in result.output


@pytest.mark.filterwarnings("ignore:.*register_random")  # schemathesis hands hypothesis a passing generator
def test_a_finding_among_generated_requests_can_be_repeated() -> None:
    """It is the smallest such request, as a command line."""
    run = judged("StumblesOverLetters", 1.0, ("http/answers-described",))
    (verdict,) = [v for v in run.verdicts if v.findings]
    (finding,) = verdict.findings
    assert finding.got.startswith("500: ")
    assert "repeat it with: curl -X POST" in finding.got
    assert "/api/game-sessions" in finding.got


def reply(status: int, body: object, *, content_type: str = "application/json") -> Reply:
    return Reply(operations()["showSession"], status, content_type, json.dumps(body))


def test_an_answer_as_described_is_none_to_speak_of() -> None:
    """Success and each refusal that the description knows."""
    must_be_described(reply(200, SESSION))
    must_be_described(reply(403, {"error": "no", "code": "PERMISSION_DENIED"}))
    must_be_described(Reply(operations()["logOut"], 204, "", ""))


@pytest.mark.parametrize(
    ("came", "path", "got"),
    [
        (reply(200, {**SESSION, "secret": 1}), "$", "secret"),
        (reply(200, {**SESSION, "participantIds": [5]}), "$.participantIds[0]", "5"),
        (reply(200, None), "$", "null"),
        (reply(201, SESSION), None, "201"),
        (reply(404, {"error": "no"}), "$", "code"),
        (reply(200, SESSION, content_type="text/html"), None, "text/html"),
    ],
)
def test_an_answer_otherwise_is_reported(came: Reply, path: str | None, got: str) -> None:
    """What was expected, what came, and where."""
    with pytest.raises(Broken) as broken:
        must_be_described(came)
    assert broken.value.path == path
    assert got in broken.value.got
