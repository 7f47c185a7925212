"""`run` when things go wrong half-way: the server dies or hangs, or somebody interrupts. It always reports."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.conformance.command import COMMAND, command, environment, lines, started, wait_until
from tests.serving import reference_server

from dungeonlab_conformance.results.load import load_run

BUNDLED = ("json", "ndjson", "junit", "markdown", "html")  # the bundled server gets no badge
REPORTS = (*BUNDLED, "badge")
SOME = 30  # verdicts that are in before the accident; far fewer than there are

pytestmark = pytest.mark.usefixtures("heeded_signals")


def files(folder: Path, reports: Sequence[str] = REPORTS) -> list[str]:
    return [word for name in reports for word in (f"--{name}", str(folder / f"r.{name}"))]


def follows_from_what_was_recorded(result: Path) -> bool:
    """Say whether the verdicts can be computed again; a stream has nothing from which."""
    assert command("recheck", result.with_suffix(".ndjson")).returncode == 2
    return command("recheck", result).returncode == 0


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and output; fails if the process hangs."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


@pytest.mark.parametrize("accident", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_server_that_goes_away_ends_the_run(tmp_path: Path, accident: signal.Signals) -> None:
    """Exit code 3 whether it died or hangs: no traceback, a sentence, every report, and nobody is convicted."""
    with (
        reference_server() as (server, url),
        started("run", url, "--timeout", "0.2", "--concurrency", "2", *files(tmp_path)) as run,
    ):
        wait_until(lambda: lines(tmp_path / "r.ndjson") > SOME)
        server.send_signal(accident)
        code, said = ended(run)
    assert code == 3, said
    assert f"cut short: {url} stopped answering during the run" in said
    assert "Traceback" not in said
    assert all((tmp_path / f"r.{name}").stat().st_size for name in REPORTS)
    result = load_run(tmp_path / "r.json")
    assert result == load_run(tmp_path / "r.ndjson")
    assert {v.outcome for v in result.verdicts} <= {"pass", "unjudged"}
    assert sum(v.outcome == "pass" for v in result.verdicts) >= SOME / 2
    assert follows_from_what_was_recorded(tmp_path / "r.json")


@pytest.mark.parametrize("accident", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_tells_what_it_found(reference_url: str, tmp_path: Path, accident: signal.Signals) -> None:
    """Exit code 130 for Ctrl-C, SIGTERM and a closed terminal; what was judged stands, nothing is claimed."""
    with started("run", reference_url, "--concurrency", "2", *files(tmp_path)) as run:
        wait_until(lambda: lines(tmp_path / "r.ndjson") > SOME)
        run.send_signal(accident)
        code, said = ended(run)
    assert code == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    result = load_run(tmp_path / "r.json")
    assert (result.interrupted, result.claim, result.exit_code) == (True, "", 130)
    assert load_run(tmp_path / "r.ndjson").verdicts == result.verdicts
    assert {v.outcome for v in result.verdicts} == {"pass", "unjudged"}
    assert result.leftovers == []
    assert follows_from_what_was_recorded(tmp_path / "r.json")


def test_ctrl_c_on_a_terminal_leaves_the_embedded_server_to_be_cleared_up(tmp_path: Path) -> None:
    """The terminal sends it to every process in the foreground; the server must outlive the judge's clearing away."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(
            COMMAND[0], [*COMMAND, "run", "--concurrency", "2", *files(tmp_path, BUNDLED)], environment(TERM="xterm")
        )
    wait_until(lambda: lines(tmp_path / "r.ndjson") > SOME)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(terminal, 65536):
            pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert load_run(tmp_path / "r.json").leftovers == []


def test_an_embedded_run_can_be_interrupted_while_its_server_starts(tmp_path: Path) -> None:
    """Whenever it comes, Ctrl-C ends with 130 and a result."""
    with started("run", *files(tmp_path, BUNDLED)) as run:
        wait_until(lambda: lines(tmp_path / "r.ndjson") >= 1)
        run.send_signal(signal.SIGINT)
        code, said = ended(run)
    assert code == 130, said
    assert load_run(tmp_path / "r.json").interrupted


def test_a_suite_that_is_killed_leaves_what_it_streamed(reference_url: str, tmp_path: Path) -> None:
    """SIGKILL lets nobody write anything any more; `report` makes a page of the lines that are there."""
    stream = tmp_path / "r.ndjson"
    with started("run", reference_url, "--concurrency", "2", "--ndjson", stream) as run:
        wait_until(lambda: lines(stream) > SOME)
        run.kill()
        run.communicate(timeout=60)
    done = command("report", stream, "--html", tmp_path / "r.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the stream of this run ends before the run did" in (tmp_path / "r.html").read_text()


def test_what_a_cut_short_run_did_not_reach_is_not_listed_as_known(tmp_path: Path) -> None:
    """A list made of it would accept everything; none is written, and that is said."""
    listing = tmp_path / "known.toml"
    with (
        reference_server() as (server, url),
        started("run", url, "--write-known-failures", listing, "--ndjson", tmp_path / "r", "--concurrency", 1) as run,
    ):
        wait_until(lambda: lines(tmp_path / "r") > 3)
        server.kill()
        code, said = ended(run)
    assert code == 3
    assert "was not written: the run was cut short" in said
    assert not listing.exists()


def test_failing_fast_stops_at_the_first_broken_must(tmp_path: Path) -> None:
    """The rest is unjudged; the exit code is that of a broken MUST."""
    from tests.mutants.judge import served

    with served("EchoesToTheSender") as url:
        words = ("--only", "rooms", "--fail-fast", "--concurrency", 1, "--timeout", "0.3", "--json", tmp_path / "r")
        assert command("run", url, *words).returncode == 1
    outcomes = [v.outcome for v in load_run(tmp_path / "r").verdicts]
    assert "fail" in outcomes
    assert "unjudged" in outcomes


@pytest.mark.parametrize("accident", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_a_report_that_hangs(reference_url: str, tmp_path: Path, accident: signal.Signals) -> None:
    """A pipe that nobody reads takes no report; the first signal lets the report go on, the second ends it all."""
    os.mkfifo(pipe := tmp_path / "pipe")
    stream = tmp_path / "r.ndjson"
    with started("run", reference_url, "--only", "names", "--ndjson", stream, "--html", pipe) as run:
        wait_until(lambda: stream.exists() and b"exitCode" in stream.read_bytes())  # the report is next
        run.send_signal(accident)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.5)
        run.send_signal(accident)
        code, said = ended(run)
    assert code == 130, said
    assert "Traceback" not in said


def test_a_run_that_takes_too_long_ends_with_what_it_found(reference_url: str, tmp_path: Path) -> None:
    """Exit code 3 at the time limit, a sentence, every report; what was judged stands, and all is cleared away."""
    words = ("--time-limit", "8s", "--concurrency", "1")  # those that wait longest are played first
    done = command("run", reference_url, *words, *files(tmp_path))
    assert done.returncode == 3, done.stdout
    assert "cut short: the run reached its time limit of 8 s" in done.stdout
    result = load_run(tmp_path / "r.json")
    assert {v.outcome for v in result.verdicts} == {"pass", "unjudged"}
    assert result.leftovers == []
    assert result.seconds < 30
    assert all((tmp_path / f"r.{name}").stat().st_size for name in REPORTS)


@pytest.mark.parametrize(
    ("written", "right"), [("90", True), ("1.5s", True), ("10m", True), ("0", False), ("-1", False), ("ten", False)]
)
def test_a_time_limit_is_written_in_seconds_or_with_its_unit(written: str, right: bool) -> None:
    """Anything else is wrong usage, and the sentence says what to write."""
    done = command("run", "http://127.0.0.1:1", f"--time-limit={written}")
    assert done.returncode == (3 if right else 2)
    assert ("is no time greater than zero; write seconds, or 10m, or 1h" in done.stderr) is not right


@pytest.mark.parametrize("accident", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_probe_ends_with_130(accident: signal.Signals) -> None:
    """Whichever signal it is, while the server keeps it waiting: no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent, started("probe", _url_of(silent)) as probe:
        connection, _ = silent.accept()  # so it is under way
        with connection:
            probe.send_signal(accident)
            code, said = ended(probe)
    assert code == 130, said
    assert "Traceback" not in said


def _url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_ctrl_c_while_the_command_is_imported_is_an_interruption() -> None:
    """The first tenths of a second are spent on imports; they end with 130 and without a traceback too."""
    code = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from dungeonlab_conformance.__main__ import main\n"
        "main()\n"
    )
    done = command("list", code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_server_that_dies_of_a_payload_is_named_with_what_was_sent_last(tmp_path: Path) -> None:
    """By connection, in the finding; what is left on the dead server is one line."""
    from tests.mutants.judge import served

    with served("DiesOfNull") as url:
        words = ("--only", "payloads/server-survives", "--event", "token:move", "--concurrency", 1)
        done = command("run", url, *words, "--json", tmp_path / "r")
    assert done.returncode == 1, done.stdout
    result = load_run(tmp_path / "r")
    [finding] = [f for v in result.verdicts for f in v.findings]
    assert "a token:move with not-an-object-null" in finding.expected
    assert "; last sent: " in finding.got
    assert "'s token:move null, " in finding.got
    assert len(result.leftovers) <= 1


LIMITED = (
    "import resource; resource.setrlimit(resource.{kind}, ({soft}, {hard}))\n"
    "from dungeonlab_conformance.cli import main; main()"
)
PLAYING = {
    "client": ("client", "--act", "ordinary", "--", "true"),
    "compare": ("compare", "http://127.0.0.1:1", "http://127.0.0.1:2"),
    "run": ("run", "--only", "connect/websocket"),
    "search": ("search", "--plays", "1"),
}


@pytest.mark.parametrize("most", [12, 64, 511])
@pytest.mark.parametrize("words", PLAYING.values(), ids=PLAYING)
def test_too_few_open_files_are_no_fault_of_suite_or_server(words: tuple[str, ...], most: int) -> None:
    """It is said what to raise, before anything is played."""
    done = command(*words, code=LIMITED.format(kind="RLIMIT_NOFILE", soft=most, hard=most))
    assert (done.returncode, done.stdout) == (2, "")
    assert "too few files and connections; raise the limit" in done.stderr


def test_a_limit_of_open_files_that_may_be_raised_is_raised() -> None:
    """For the bundled server, too, which starts meanwhile."""
    done = command("run", "--only", "connect/websocket", code=LIMITED.format(kind="RLIMIT_NOFILE", soft=40, hard=512))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("megabytes", [300, 500, 639])
@pytest.mark.parametrize("words", PLAYING.values(), ids=PLAYING)
def test_too_little_memory_is_no_fault_of_suite_or_server(words: tuple[str, ...], megabytes: int) -> None:
    """It is said what to raise, before anything is played, which would end in the middle."""
    most = megabytes << 20
    done = command(*words, code=LIMITED.format(kind="RLIMIT_AS", soft=most, hard=most))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: it takes more memory than there is; raise the limit, as by `ulimit -v unlimited`\n"


def test_a_limit_of_memory_that_may_be_raised_is_raised() -> None:
    """For the bundled server, too."""
    done = command(
        "run", "--only", "connect/websocket", code=LIMITED.format(kind="RLIMIT_AS", soft=300 << 20, hard=1 << 30)
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [["list"], ["run", "--only", "connect/websocket"]], ids=" ".join)
@pytest.mark.parametrize("place", ["no/such/file", "."])
def test_a_log_of_keys_that_cannot_be_written_is_wrong_usage(tmp_path: Path, words: list[str], place: str) -> None:
    """Nothing is played; whatever uses TLS fails where it is imported."""
    begin = "from dungeonlab_conformance.cli import main; main()"
    done = command(*words, code=begin, cwd=tmp_path, SSLKEYLOGFILE=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: SSLKEYLOGFILE names {place}, which cannot be written: ")
    assert len(done.stderr.splitlines()) == 1
