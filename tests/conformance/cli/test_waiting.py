"""`--wait` on the command line: a server that is starting, one that never comes up, and Ctrl-C meanwhile."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.conformance.command import command, started, unused_port, wait_until

from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.runner.embedded import READY
from dungeonlab_conformance.runner.embedded import command as server_command


class Starting(BaseHTTPRequestHandler):
    """Answers as a proxy does before its server is up."""

    def do_GET(self) -> None:
        """Refuse, for now."""
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def starting(port: int) -> Iterator[None]:
    """Answer 503 at a port while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", port), Starting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to a line that has a text in it."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize("words", [("run", "--only", "chat", "--quiet"), ("probe",)], ids=["run", "probe"])
def test_a_server_that_comes_up_is_judged(words: tuple[str, ...]) -> None:
    """Each reason is reported on standard error; the exit code is that of the run."""
    port = unused_port()
    with started(*words, "--wait", 60, f"http://127.0.0.1:{port}") as process:
        assert "waiting up to 60 s: " in read_until(process, "Connection refused")
        with starting(port):
            read_until(process, "answered HTTP 503: the server is not up")
        options = ["--port", str(port)]
        with subprocess.Popen([*server_command(), *options], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(READY)
            out, err = process.communicate(timeout=60)
            server.kill()
    assert process.returncode == 0, out + err
    assert "Traceback" not in err


def test_a_server_that_never_comes_up_cannot_be_tested(tmp_path: Path) -> None:
    """Exit code 3 with the last reason, and reports as ever."""
    done = command("run", f"http://127.0.0.1:{unused_port()}", "--wait", 1, "--json", tmp_path / "r.json")
    assert done.returncode == 3
    assert "cannot be reached (Connection refused); is the server running?" in done.stdout
    assert done.stderr.startswith("waiting up to 1 s: ")
    assert "Connection refused" in str(load_run(tmp_path / "r.json").fault)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_can_be_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    """Exit code 130, with a report, at once."""
    words = ("run", f"http://127.0.0.1:{unused_port()}", "--wait", 600, "--json", tmp_path / "r.json")
    with started(*words) as process:
        read_until(process, "waiting")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in out + err) == (130, False)
    wait_until((tmp_path / "r.json").exists)
    assert load_run(tmp_path / "r.json").interrupted


@pytest.mark.parametrize("wrong", ["-1", "soon", "nan", "99999"])
def test_what_is_no_time_to_wait_is_wrong_usage(wrong: str) -> None:
    """Exit code 2, before anything is asked."""
    done = command("run", "http://127.0.0.1:1", "--wait", wrong)
    assert (done.returncode, "--wait" in done.stderr) == (2, True)


def test_what_is_no_number_scales_no_time_limit() -> None:
    """Exit code 2 for --timeout as well."""
    assert command("run", "http://127.0.0.1:1", "--timeout", "nan").returncode == 2
