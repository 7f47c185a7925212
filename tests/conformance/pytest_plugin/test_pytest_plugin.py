"""The checks as pytest items, in somebody else's folder, under somebody else's configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.conformance.command import PYTEST, WITHOUT_OTHERS
from tests.mutants.judge import served

SOME = "rooms and chat"
HOSTILE = """
import pytest

@pytest.fixture(autouse=True)
def trap():
    raise RuntimeError("a fixture of the user's own")
"""
DYING = """
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.results.verdict import Outcome

play = Runner.play

async def dying(runner):
    run = await play(runner)
    run.fault = "the server went away"
    for verdict in run.verdicts:
        if verdict.outcome is Outcome.PASS:
            verdict.outcome, verdict.reason = Outcome.UNJUDGED, run.fault
    return run

Runner.play = dying
"""


def run(folder: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does; the asyncio plugin has demands of its own on that user's configuration."""
    command = [*PYTEST, "-p", "no:cacheprovider"]
    named = any(word.startswith("dungeonlab_conformance::") for word in options)
    command += [f"--dungeonlab-url={url}", "--pyargs", *([] if named else ["dungeonlab_conformance"]), *options]
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project whose configuration makes the most of every warning, marker and fixture."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n", "utf-8")
    (tmp_path / "conftest.py").write_text(HOSTILE, "utf-8")
    return tmp_path


def test_a_selection_passes(folder: Path, reference_url: str) -> None:
    """`-k` picks verdicts by area and event; JUnit XML names requirement, level and outcome."""
    result = run(folder, reference_url, "-k", SOME, "--junit-xml", "found.xml")
    assert result.returncode == 0, result.stdout
    cases = ElementTree.parse(folder / "found.xml").findall(".//testcase")
    assert len(cases) == 10
    assert {case.get("classname") for case in cases} == {"dungeonlab_conformance"}
    first = {p.get("name"): p.get("value") for p in cases[0].iter("property")}
    assert first == {"requirement": "rooms/every-other-member-hears-once", "level": "MUST", "outcome": "pass"}


def test_a_broken_requirement_fails_with_its_transcript(folder: Path) -> None:
    """The failure tells what the command line tells, and `-x` stops there; our stack is never shown."""
    with served("EchoesToTheSender") as url:
        result = run(folder, url, "-x", "-k", "sender-hears-nothing")
    assert result.returncode == 1, result.stdout
    assert "A broadcast MUST NOT reach the connection that caused it." in result.stdout
    assert "transcript of the_sender_hears_nothing[chat-message]" in result.stdout
    assert "1 failed" in result.stdout
    assert "Traceback" not in result.stdout
    assert "pytest_plugin.py" not in result.stdout


KNOWN = """
[[known]]
id = "rooms/sender-hears-nothing"
reason = "ticket 41"
"""


def test_known_failures_work_both_ways(folder: Path, reference_url: str) -> None:
    """What is listed and fails is an expected failure with its reason; what is listed and holds fails the session."""
    (folder / "known.toml").write_text(KNOWN, "utf-8")
    options = "--dungeonlab-known-failures=known.toml", "-k", "sender-hears-nothing and token:move", "-rx"
    with served("EchoesToTheSender") as url:
        accepted = run(folder, url, *options)
    assert accepted.returncode == 0, accepted.stdout
    assert "1 xfailed" in accepted.stdout
    assert "known: ticket 41" in accepted.stdout
    held = run(folder, reference_url, *options)
    assert held.returncode == 1, held.stdout
    assert "1 passed" in held.stdout
    assert "known failures: known.toml:2: rooms/sender-hears-nothing is listed as failing, but" in held.stdout


def test_what_waits_for_a_known_failure_is_expected_too(folder: Path) -> None:
    """It is listed nowhere; its reason names the cause, and why that is known."""
    (folder / "known.toml").write_text('[[known]]\nid = "join/game-master-admitted"\nreason = "ticket 41"\n', "utf-8")
    wanted = "(game-master-allowed and chat-message) or game-master-admitted"
    with served("LocksTheGameMasterOut") as url:
        result = run(folder, url, "--dungeonlab-known-failures=known.toml", "-k", wanted, "-rx")
    assert result.returncode == 0, result.stdout
    assert "2 xfailed" in result.stdout
    assert "known: waits for join/game-master-admitted, which is known: ticket 41" in result.stdout


@pytest.mark.parametrize(("text", "said"), [("[[known", "known.toml:1: this is no TOML"), (None, "does not exist")])
def test_a_list_that_cannot_be_read_is_wrong_usage(folder: Path, text: str | None, said: str) -> None:
    """Pytest's own exit code for that, and one sentence, before anything is judged."""
    if text is not None:
        (folder / "known.toml").write_text(text, "utf-8")
    result = run(folder, "http://127.0.0.1:1", "--dungeonlab-known-failures", "known.toml")
    assert result.returncode == 4
    assert said in result.stderr


def test_a_server_that_is_not_there_ends_the_session(folder: Path) -> None:
    """One sentence, and exit code 3 as on the command line."""
    result = run(folder, "http://127.0.0.1:1", "-k", SOME)
    assert result.returncode == 3
    assert "cannot be reached" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_what_is_no_url_is_wrong_usage(folder: Path) -> None:
    """Pytest's own exit code for wrong usage, before anything is collected."""
    result = run(folder, "nonsense")
    assert result.returncode == 4
    assert "is no server URL" in result.stderr


@pytest.mark.parametrize("url", ["", " "])
def test_an_empty_url_is_wrong_usage(folder: Path, url: str) -> None:
    """It comes of a secret that is not set: nothing would be judged, and nothing would be red."""
    result = run(folder, url)
    assert result.returncode == 4
    assert "--dungeonlab-url is empty, as if the variable it comes from were not set" in result.stderr


def test_an_empty_name_of_a_target_file_is_wrong_usage(folder: Path, reference_url: str) -> None:
    """The URL beside it is not judged in its place."""
    result = run(folder, reference_url, "--dungeonlab-target", "")
    assert result.returncode == 4
    assert "--dungeonlab-target is empty" in result.stderr


def test_a_server_that_nothing_judges_is_wrong_usage(folder: Path, reference_url: str) -> None:
    """A URL beside nothing but the project's own tests: they pass, and the server would seem to."""
    (folder / "conftest.py").unlink()
    (folder / "test_theirs.py").write_text("def test_theirs():\n    pass\n", "utf-8")
    result = subprocess.run(
        [*PYTEST, "--dungeonlab-url", reference_url],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 4
    assert "nothing here judges it; add --pyargs dungeonlab_conformance" in result.stderr


def test_the_header_says_what_is_judged(folder: Path, reference_url: str) -> None:
    """And that a target file that lies here is not used beside a URL."""
    (folder / "dungeonlab-target.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\n', "utf-8")
    result = run(folder, reference_url, "-k", "websocket")
    assert result.returncode == 0, result.stdout
    assert f"dungeonlab: judging {reference_url}\n" in result.stdout
    assert "dungeonlab: dungeonlab-target.toml is not used, since a URL was given" in result.stdout


def test_without_a_url_nothing_of_ours_is_collected(folder: Path) -> None:
    """Anyone who has the suite installed notices nothing of it in other runs."""
    (folder / "conftest.py").unlink()
    (folder / "test_theirs.py").write_text("def test_theirs():\n    pass\n", "utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "pytest", *WITHOUT_OTHERS]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert "1 passed" in result.stdout
    assert "socketio" not in result.stderr
    assert "dungeonlab_spec" not in result.stderr


def test_no_two_items_have_the_same_id(folder: Path) -> None:
    """Though several scenes judge some of the requirements: what is reported, selected and run again is one item."""
    result = run(folder, "http://127.0.0.1:1", "--collect-only", "-q")
    ids = [line for line in result.stdout.splitlines() if line.startswith("dungeonlab_conformance::")]
    assert len(ids) == len(set(ids)) == 519


def test_items_are_selected_by_their_ids(folder: Path, reference_url: str) -> None:
    """As pytest prints them, behind the package's name; without an event all events of the requirement."""
    package = "dungeonlab_conformance"
    result = run(
        folder, reference_url, f"{package}::chat/blank-refused", f"{package}::rooms/sender-hears-nothing", "-q"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout


def test_an_id_that_there_is_not_is_wrong_usage(folder: Path) -> None:
    """One sentence, with what may have been meant; nothing is judged."""
    result = run(folder, "http://127.0.0.1:1", "dungeonlab_conformance::rooms/sender-hears-nothin[chat-message]")
    assert result.returncode == 4
    assert "did you mean rooms/sender-hears-nothing[chat-message]" in result.stderr


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "fast"])
def test_a_scale_that_is_none_is_wrong_usage(folder: Path, scale: str) -> None:
    """As on the command line: pytest says which option, and what it takes."""
    result = run(folder, "http://127.0.0.1:1", f"--dungeonlab-timeout={scale}")
    assert result.returncode == 4
    assert "give a number from 0.01 to 100" in result.stderr


def test_a_server_that_dies_keeps_what_it_was_found_to_break(folder: Path) -> None:
    """What was judged before is reported as ever, what was not says why; a broken MUST outweighs the rest."""
    with served("EchoesToTheSender") as url:
        (folder / "conftest.py").write_text(DYING, "utf-8")
        result = run(folder, url, "-k", "sender-hears-nothing or chat/", "--dungeonlab-timeout=2")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "A broadcast MUST NOT reach the connection that caused it." in result.stdout
    assert "the server went away" in result.stdout
    assert "Traceback" not in result.stdout
