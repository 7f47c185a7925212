"""`run` as a user sees it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests import serving
from tests.conformance.command import COMMAND, command, environment, unused_port
from tests.mutants.judge import served

from dungeonlab_conformance.results.load import load_run, problem
from dungeonlab_reference_server.pipeline import Pipeline

QUICK = ("--only", "connect/websocket")
ECHO = ("--only", "rooms/sender-hears-nothing", "--event", "chat-message", "--timeout", "2")
REPORTS = ("json", "ndjson", "junit", "markdown", "html", "badge")


class TellsNobodyOfAnybody(Pipeline):
    """A server that does not take up the MAY of announcing who comes and goes."""

    async def announce(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    """Return the URL of a server that echoes."""
    with served("EchoesToTheSender") as url:
        yield url


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """Return the URL of an HTTP server that has never heard of Socket.IO."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"Hello")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_obeys_ends_well(reference_url: str) -> None:
    """Exit code 0; the first and the last line name the server, the last has the sum; a part claims nothing."""
    done = command("run", reference_url, *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"Judging {reference_url}"
    whole = rf"{re.escape(reference_url)}: 1 requirement, 1 verdict in \d+\.\d s: 1 pass, 0 fail"
    assert re.fullmatch(whole, last)
    assert "onformant" not in done.stdout


def test_a_broken_must_fails_the_run_and_can_be_mended_from_what_is_printed(echoing: str) -> None:
    """Exit code 1; id, sentence, section, expected, got, transcript, hint and the command that repeats it."""
    done = command("run", echoing, *ECHO)
    assert done.returncode == 1
    for part in (
        "FAIL  rooms/sender-hears-nothing [chat-message]",
        "A broadcast MUST NOT reach the connection that caused it. (section 5)",
        "expected: alice to hear nothing of alice's chat-message",
        'got: {"sessionId": ',
        " alice hears chat-message ",
        "usually: io.to(room) in place of socket.to(room).",
        f"dungeonlab-conformance run {echoing} --timeout 2 --only rooms/sender-hears-nothing --event chat-message",
    ):
        assert part in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("0 pass, 1 fail")


def test_the_printed_command_finds_the_failure_again(echoing: str) -> None:
    """Copied and pasted, it judges exactly that verdict and comes to the same."""
    printed = command("run", echoing, *ECHO).stdout
    [again] = re.findall(r"again: dungeonlab-conformance (.*)", printed)
    assert command(*again.split()).returncode == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--only", "nothing/*"], "selects no check at all"),
        (["--only", "connect", "--except", "connect"], "selects no check at all"),
        (["--only", "client"], "selects no check at all: it is for clients"),
        (["--only", "http"], "judged only with --http"),
        (["--only", "connect", "--only", "conect"], "--only 'conect' selects no check at all: there is no such"),
        (["--only", "rooms/sender-hear-nothing"], "did you mean rooms/sender-hears-nothing?"),
        (["--except", "rooms", "--except", "Auht"], "did you mean auth?"),
        (["--only", ""], "--only '' selects no check at all"),
        (["--event", "chat-message", "--event", "token:moved"], "did you mean token:move?"),
        (["--event", "user-joined"], "no requirement is judged for that event"),
        (["--only", "chat", "--only", "rooms", "--event", "chat-message"], "--only 'chat' selects no check at all"),
        (["--only", "auth", "--level", "must", "--level", "may"], "--level 'may' selects no check at all"),
        (["--protocol-version", "9.9"], "there is no version '9.9'; there is 1.0"),
        (["--level", "shall"], "shall"),
        (["--fail-on", "never"], "never"),
        (["--concurrency", "0"], "0"),
        (["--timeout", "0"], "0"),
        (["--transport", "pigeon"], "pigeon"),
        (["--json", "no/such/folder/r.json"], "there is no folder"),
        (["--html", "."], "directory"),
        (["--json", "same", "--html", "./same"], "two reports"),
        (["--json", "same", "--ndjson", "same"], "two reports"),
        (["--badge", "badge.svg"], "no SVG; name badge.json instead"),
        (["--known-failures", "missing.toml"], "missing.toml cannot be read"),
        (["--known-failures", "unreasoned.toml"], "unreasoned.toml:1: connect/websocket has no reason"),
        (["--write-known-failures", "no/known.toml"], "there is no folder"),
        (["--write-known-failures", "known.toml", "--reason", " "], "--reason is empty"),
        (["--reason", "ticket 41"], "--reason is for the list that --write-known-failures writes"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_wrong_usage_ends_before_the_run(tmp_path: Path, args: list[str], said: str) -> None:
    """Exit code 2 and a sentence; the server, which is not there, is not even asked, and nothing is written."""
    (tmp_path / "unreasoned.toml").write_text('[[known]]\nid = "connect/websocket"\n')
    done = command("run", f"http://127.0.0.1:{unused_port()}", *args, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["unreasoned.toml"]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:3000", "http://", "nonsense"])
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    """Exit code 2, and the sentence shows what one looks like."""
    done = command("run", url, *QUICK)
    assert done.returncode == 2
    assert "is no server URL" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2, before the run."""
    tmp_path.chmod(0o500)
    done = command("run", "http://127.0.0.1:1", "--json", tmp_path / "r.json")
    assert (done.returncode, "permission denied" in done.stderr) == (2, True)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    """Exit code 3; nothing else is printed, and no list of what was not judged."""
    url = f"http://127.0.0.1:{unused_port()}"
    done = command("run", url)
    assert done.returncode == 3
    said = f"cut short: {url} cannot be reached (Connection refused); is the server running?"
    assert done.stdout.splitlines() == [f"Judging {url}", said]
    assert done.stderr == ""


def test_a_plain_http_server_is_one_sentence(plain: str) -> None:
    """Exit code 3; it says what answered in place of a handshake."""
    done = command("run", plain)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert "no Socket.IO v4 handshake" in done.stdout


def test_what_could_not_be_judged_is_not_green() -> None:
    """Exit code 3 when a MUST was neither held nor broken, and the reason is printed."""
    with served("LostTheLogin") as url:
        done = command("run", url, "--only", "rooms/game-master-hears", "--timeout", "2")
    assert done.returncode == 3
    assert "UNJUDGED  5 verdicts on rooms/game-master-hears: " in done.stdout


@pytest.mark.parametrize("spoilt", ["scene", "ledger"])
def test_the_suites_own_fault_is_not_the_servers(reference_url: str, tmp_path: Path, spoilt: str) -> None:
    """Exit code 4, whether one scene or the run as a whole fails; every report is written all the same."""
    spoil = {
        "scene": "actor.Actor.connect = lambda *_, **__: 1 / 0",
        "ledger": "deliveries.Ledger.__init__ = lambda *_: 1 / 0",
    }
    code = (
        "from dungeonlab_conformance import cli\n"
        "from dungeonlab_conformance.clients import actor\n"
        "from dungeonlab_conformance.invariants import deliveries\n"
        f"{spoil[spoilt]}\ncli.main()"
    )
    files = [word for name in REPORTS for word in (f"--{name}", f"r.{name}")]
    done = command("run", reference_url, *QUICK, *files, cwd=tmp_path, code=code)
    assert done.returncode == 4
    assert "ZeroDivisionError" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert all((tmp_path / f"r.{name}").stat().st_size for name in REPORTS)
    assert load_run(tmp_path / "r.json").exit_code == load_run(tmp_path / "r.ndjson").exit_code == 4


def test_every_report_is_written(echoing: str, tmp_path: Path) -> None:
    """One run, six files, each of which opens in what it is for and tells of the failure."""
    files = [word for name in REPORTS for word in (f"--{name}", f"r.{name}")]
    assert command("run", echoing, *ECHO, *files, cwd=tmp_path).returncode == 1
    assert problem(json.loads((tmp_path / "r.json").read_text())) is None
    assert load_run(tmp_path / "r.ndjson").verdicts == load_run(tmp_path / "r.json").verdicts
    assert ET.parse(tmp_path / "r.junit").getroot().get("failures") == "1"
    assert "rooms/sender-hears-nothing" in (tmp_path / "r.markdown").read_text()
    assert "rooms/sender-hears-nothing" in (tmp_path / "r.html").read_text()
    assert json.loads((tmp_path / "r.badge").read_text())["message"] == "1 of 1 broken"


def test_a_report_that_cannot_be_written_is_reported(reference_url: str) -> None:
    """The run is not lost: it is printed, then a sentence says what is missing, and the end is not a good one."""
    done = command("run", reference_url, *QUICK, "--json", "/dev/full")
    assert done.returncode == 2
    assert "1 pass" in done.stdout
    assert done.stderr == "/dev/full could not be written: No space left on device\n"


def test_known_failures_work_both_ways(echoing: str, reference_url: str, tmp_path: Path) -> None:
    """Written, given reasons, they let the run pass; against a server that is right they make it fail."""
    listing = tmp_path / "known.toml"
    done = command("run", echoing, *ECHO, "--write-known-failures", listing)
    assert (done.returncode, "give each entry a reason (1 without)" in done.stderr) == (1, True)
    assert command("run", echoing, *ECHO, "--known-failures", listing).returncode == 2
    listing.write_text(listing.read_text().replace('reason = ""', 'reason = "ticket 41"'))
    done = command("run", echoing, *ECHO, "--known-failures", listing)
    assert (done.returncode, "KNOWN  rooms/sender-hears-nothing [chat-message]: ticket 41" in done.stdout) == (0, True)
    done = command("run", reference_url, *ECHO, "--known-failures", listing)
    assert (done.returncode, "take it off the list" in done.stdout) == (1, True)


def test_a_list_that_is_rewritten_is_not_complained_of(echoing: str, reference_url: str, tmp_path: Path) -> None:
    """What the old list has wrong is put right, not printed; the reason given stands at each new entry."""
    listing = tmp_path / "known.toml"
    both = ("--known-failures", listing, "--write-known-failures", tmp_path / "." / "known.toml")
    done = command("run", echoing, *ECHO, *both, "--reason", "ticket 41")
    assert (done.returncode, done.stderr) == (1, "")
    assert command("run", echoing, *ECHO, "--known-failures", listing).returncode == 0
    listing.write_text(listing.read_text() + '[[known]]\nid = "rooms/sender-hear-nothing"\nreason = "r"\n')
    done = command("run", echoing, *ECHO, "--known-failures", listing)
    assert (done.returncode, "did you mean rooms/sender-hears-nothing" in done.stdout) == (1, True)
    done = command("run", reference_url, *ECHO, *both)
    assert (done.returncode, done.stderr, "listed" in done.stdout) == (0, "", False)
    assert "[[known]]" not in listing.read_text()


def test_a_weaker_level_fails_the_run_where_it_is_asked_to() -> None:
    """A MAY that is not taken up is a note, unless the user wants it to fail."""
    with serving.served(serving.Variant(pipeline=TellsNobodyOfAnybody)) as url:
        part = ("--only", "presence/joining-announced", "--timeout", "0.3")
        assert command("run", url, *part).returncode == 0
        assert command("run", url, *part, "--fail-on", "may").returncode == 1


def test_output_to_a_file_is_plain(echoing: str) -> None:
    """No escape sequence, no progress bar, and no line that ends in blanks."""
    done = command("run", echoing, *ECHO, TERM="xterm-256color")
    assert "\x1b" not in done.stdout + done.stderr
    assert "judging" not in done.stderr
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_shows_progress_and_fits_80_columns(echoing: str, colour: bool) -> None:
    """A bar while it runs, colours unless NO_COLOR says otherwise, and lines that are not wrapped by a table."""
    env = {"TERM": "xterm-256color", "COLUMNS": "80"} | ({} if colour else {"NO_COLOR": "1"})
    shown = on_a_terminal(["run", echoing, *ECHO], env)
    assert "judging" in shown
    assert bool(re.search("\x1b\\[[0-9;]*3[0-7]m", shown)) is colour
    text = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", shown)
    transcript = [line for line in text.splitlines() if re.match(r" +\d+\.\d ms", line)]
    assert transcript
    assert all(len(line) <= 80 for line in transcript)


def on_a_terminal(args: list[str], env: dict[str, str]) -> str:
    """Run the command on a pseudo terminal; return what it wrote there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(COMMAND[0], [*COMMAND, *args], environment(**env))
    shown = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        shown += read
    os.close(terminal)
    os.waitpid(pid, 0)
    return shown.decode()


def test_a_run_on_github_is_reported_there_unasked(echoing: str, tmp_path: Path) -> None:
    """Where Actions says that it is Actions: an annotation and a job summary, without any option."""
    summary = tmp_path / "summary.md"
    done = command("run", echoing, *ECHO, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.stdout.splitlines()[-1].startswith("::error title=rooms/sender-hears-nothing::")
    assert summary.read_text().startswith("## 1 requirement is broken")
    assert "::error" not in command("run", echoing, *ECHO).stdout


def test_a_quiet_run_names_what_failed(echoing: str, reference_url: str) -> None:
    """One id a line, then the last line, which is all that a good run prints; a verbose one names what passed."""
    failed, last = command("run", echoing, *ECHO, "-q").stdout.splitlines()
    assert failed == "FAIL  rooms/sender-hears-nothing [chat-message]"
    assert last.startswith(f"{echoing}: 1 requirement")
    assert len(command("run", reference_url, *QUICK, "-q").stdout.splitlines()) == 1
    assert "PASS  connect/websocket" in command("run", echoing, *QUICK, "-v").stdout
