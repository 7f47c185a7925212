"""The commands beside `run`, as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conformance.command import command, unused_port
from tests.conformance.report.runs import broken_run, nasty_run, passing_run

from dungeonlab_conformance.results.to_json import write


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """Return the result of a run that found something."""
    write(broken_run(), tmp_path / "r.json")
    return tmp_path / "r.json"


def test_help_names_the_exit_codes_and_every_command() -> None:
    """A user who has read nothing else learns how a run ends."""
    done = command("--help")
    assert done.returncode == 0
    for word in (
        "0 every MUST held",
        "130 interrupted",
        "run",
        "report",
        "recheck",
        "replay",
        "list",
        "explain",
        "probe",
    ):
        assert word in done.stdout


def test_list_shows_level_sentence_events_and_checks() -> None:
    """Everything that `--only` can name, with what judges it."""
    done = command("list", "--only", "rooms/sender-hears-nothing")
    assert done.returncode == 0
    assert done.stdout.startswith("MUST   rooms/sender-hears-nothing\n")
    assert "token:move" in done.stdout
    assert "the_sender_hears_nothing" in done.stdout


def test_list_and_explain_know_what_is_demanded_of_clients() -> None:
    """`--for` takes one side; what is said of a requirement names the commands that judge it, and what it takes."""
    listed = command("list", "--for", "client")
    named = [line.split()[1] for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert len(named) == 19
    assert all(name.startswith("client/") for name in named)
    assert "client/" not in command("list", "--for", "server").stdout
    explained = command("explain", "client/rejoins-after-reconnect").stdout
    for word in (
        "which the commands `client` and `tap` judge",
        "checked   rejoins_after_reconnect:",
        "sendBuffer = []",
    ):
        assert word in explained
    elsewhere = command("list", "--for", "client", "--only", "rooms")
    assert elsewhere.returncode == 2
    assert "it is for servers, which the command `run` judges" in elsewhere.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--only", "nothing"],
        ["--event", "none"],
        ["--protocol-version", "0.1"],
        ["--only", "rooms", "--only", "roms"],
        ["--event", "chat-message", "--event", "chat-mesage"],
        ["--except", "roms"],
        ["--level", "may", "--only", "auth"],
    ],
)
def test_a_list_of_nothing_is_wrong_usage(words: list[str]) -> None:
    """Exit code 2 and a sentence."""
    done = command("list", *words)
    assert done.returncode == 2
    assert "Error: " in done.stderr


def test_explain_says_all_there_is_to_know() -> None:
    """Sentence, section, source, how it is checked, what usually goes wrong."""
    done = command("explain", "rooms/sender-hears-nothing")
    assert done.returncode == 0
    for word in ("MUST, since protocol 1.0", "section", "source", "checked", "usually"):
        assert word in done.stdout


def test_explain_helps_with_an_id_that_is_not_quite_right() -> None:
    """Exit code 2, and what was perhaps meant."""
    done = command("explain", "room/sender-hears-nothing")
    assert done.returncode == 2
    assert "did you mean rooms/sender-hears-nothing?" in done.stderr


def test_probe_ticks_off_what_a_run_needs(reference_url: str) -> None:
    """Exit code 0 and a tick for every step."""
    done = command("probe", reference_url)
    assert done.returncode == 0
    assert done.stdout
    assert "✗" not in done.stdout


def test_probe_stops_at_what_is_missing() -> None:
    """Exit code 3, and the step with its reason."""
    done = command("probe", f"http://127.0.0.1:{unused_port()}", "--timeout", "0.3")
    assert done.returncode == 3
    assert "is the server running?" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_terminal_that_cannot_show_a_letter_is_no_reason_to_fail(result: Path) -> None:
    """What cannot be encoded is written as an escape."""
    done = command("report", result, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


def test_report_prints_an_earlier_run(result: Path) -> None:
    """As the run itself did."""
    done = command("report", result)
    assert done.returncode == 0
    assert "FAIL  join/outsider-refused" in done.stdout


def test_report_makes_any_format_of_an_earlier_run(result: Path, tmp_path: Path) -> None:
    """The JSON comes out as it went in; the others tell of the failure; nothing is printed."""
    names = ("json", "junit", "markdown", "html", "badge")
    done = command("report", result, *(word for n in names for word in (f"--{n}", tmp_path / f"new.{n}")))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "new.json").read_text()) == json.loads(result.read_text())
    assert all("broken" in (tmp_path / f"new.{n}").read_text() for n in ("markdown", "html", "badge"))
    assert "failure" in (tmp_path / "new.junit").read_text()


def test_report_draws_no_badge(result: Path, tmp_path: Path) -> None:
    """An SVG is wrong usage, as it is in `run`."""
    done = command("report", result, "--badge", tmp_path / "a.svg")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no SVG; name a.json instead" in done.stderr
    assert not (tmp_path / "a.svg").exists()


def test_a_hostile_result_does_no_harm_to_a_terminal(tmp_path: Path) -> None:
    """No escape sequence of the server's reaches it, and no markup of the project's is taken from its words."""
    run = nasty_run()
    run.verdicts = [v for v in run.verdicts if not v.requirement.startswith("made-up")]  # no id a result may have
    write(run, tmp_path / "r.json")
    done = command("report", tmp_path / "r.json", "-v")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.parametrize("words", [["report", "{bad}"], ["diff", "{bad}", "{good}"], ["diff", "{good}", "{gone}"]])
def test_a_file_that_is_no_result_is_wrong_usage(result: Path, tmp_path: Path, words: list[str]) -> None:
    """Exit code 2 and one sentence, whatever is in it."""
    (tmp_path / "bad.json").write_text("{}")
    names = {"{bad}": tmp_path / "bad.json", "{good}": result, "{gone}": tmp_path / "gone.json"}
    done = command(*(names.get(word, word) for word in words))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_diff_fails_if_something_got_worse(result: Path, tmp_path: Path) -> None:
    """1 if it did, 0 if it did not."""
    write(passing_run(), tmp_path / "good.json")
    assert command("diff", result, tmp_path / "good.json").returncode == 0
    done = command("diff", tmp_path / "good.json", result)
    assert (done.returncode, done.stdout.startswith("worse (")) == (1, True)
    assert command("diff", result, result).stdout == "nothing changed\n"


def test_diff_says_when_two_servers_are_compared(result: Path, tmp_path: Path) -> None:
    """What differs then is the server, which nobody has changed."""
    other = passing_run()
    other.target = "the bundled reference server"
    write(other, tmp_path / "other.json")
    done = command("diff", result, tmp_path / "other.json")
    said = "two servers were compared: http://127.0.0.1:18732, then the bundled reference server"
    assert done.stdout.splitlines()[-1] == said


def test_the_schema_of_a_result_is_published() -> None:
    """As JSON on standard output, for any validator to read."""
    done = command("export", "report-schema")
    assert json.loads(done.stdout)["title"] == "A result of the conformance suite"
