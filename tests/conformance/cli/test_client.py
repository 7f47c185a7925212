"""`client`: a program is played with in acts, a person's clients are watched, and a report comes of both."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.client_acts.test_player import TINY
from tests.conformance.command import command, started, unused_port, wait_until
from tests.test_interrupted import running, wait_for

from dungeonlab_conformance.results.load import load_run

SOON = 60  # seconds, for a busy machine


def test_the_acts_are_listed() -> None:
    """With what happens in each, and which requirements it is about."""
    done = command("client", "--list-acts")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the next request of each kind is refused with RATE_LIMITED" in done.stdout
    assert "client/stops-when-removed" in done.stdout


def test_a_crash_is_reported_with_what_the_program_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1; the finding names the act's requirement, and every report is written, without the cookie.

    The live page was there, and what passed is recorded.
    """
    script = (
        "import os, sys, runpy;"
        "print('playing', os.environ['DUNGEONLAB_ACT'], os.environ['DUNGEONLAB_COOKIE'], flush=True);"
        f"sys.argv[:] = ['tiny', 'crashes']; runpy.run_path({TINY[1]!r})"
    )
    files = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "markdown", "html")}
    written = [word for name, file in files.items() for word in (f"--{name}", file)]
    written += ["--record", recording := tmp_path / "acts.ndjson", "--open"]
    opened = browser(tmp_path, monkeypatch)
    done = command("client", "--act", "refused/RATE_LIMITED", *written, "--", sys.executable, "-c", script)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL  client/survives-an-error-ack" in done.stdout
    assert "refused/RATE_LIMITED: the client ended by itself with 3; it printed:" in done.stderr
    assert "  playing refused/RATE_LIMITED dungeonlab_session=***" in done.stderr
    run = load_run(files["json"])
    assert run.side == "client"
    assert run.again.startswith("dungeonlab-conformance client --act refused/RATE_LIMITED -- ")
    assert all("client/survives-an-error-ack" in file.read_text("utf-8") for file in files.values())
    assert f"live page  {opened()}" in done.stdout
    again = command("report", recording)
    assert again.returncode == 0
    assert "FAIL  client/survives-an-error-ack" in again.stdout
    assert "dungeonlab_session" not in recording.read_text("utf-8")


def test_a_known_failure_is_accepted(tmp_path: Path) -> None:
    """The list is written, and with it the same client ends well."""
    words = ("--act", "refused/RATE_LIMITED", "--quiet", "--", *TINY, "crashes")
    listed = tmp_path / "known.toml"
    assert command("client", "--write-known-failures", listed, "--reason", "Ticket 7.", *words).returncode == 1
    done = command("client", "--known-failures", listed, *words)
    assert done.returncode == 0, done.stdout
    assert "(1 known)" in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--", "no-such-program"], "there is no program 'no-such-program'"),
        (["--", __file__], "may not be executed"),
        (["--act", "remove", "--", "true"], "no act 'remove'; did you mean removed?"),
        (["--act", "removed"], "--act is for a program"),
        (["--for", "3", "--", "true"], "--for is for a person's client"),
        (["--port", "3", "--", "true"], "--port is for a person's client"),
        (["--origin", "localhost", "--", "true"], "'localhost' is no origin"),
        (["-q", "-v", "--", "true"], "contradict"),
        (["--json", "/no/such/folder/x.json", "--", "true"], "cannot be written"),
        (["--record", "/no/such/folder/x.ndjson", "--", "true"], "cannot be written"),
        (["--record", "same.json", "--json", "same.json"], "is named for two reports"),
    ],
)
def test_wrong_usage_ends_before_anything_is_started(words: list[str], why: str) -> None:
    """Exit code 2, with one sentence that says why."""
    done = command("client", *words)
    assert done.returncode == 2, done.stdout
    assert why in " ".join(done.stderr.split())


def test_a_program_that_is_no_client_is_said(tmp_path: Path) -> None:
    """Exit code 3, and what it printed last."""
    done = command("client", "--", sys.executable, "-c", "print('usage: play HOST'); raise SystemExit(2)")
    assert done.returncode == 3
    assert "the last that it printed is: usage: play HOST" in " ".join(done.stdout.split())


def invitation(lines: Iterator[str]) -> dict[str, str]:
    """Return what a person is shown, by the first word of each line."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.strip().partition("  ")
        found[name] = value.strip()
        if name == "to do":
            break
    return found


def browser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Put a browser in the way of the real one; returns what says which page it was to open."""
    opened = folder / "xdg-open"
    opened.write_text(f'#!/bin/sh\necho "$1" > {folder}/opened\n')
    opened.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def page() -> str:
        wait_until((folder / "opened").exists)
        wait_until(lambda: (folder / "opened").read_text("utf-8").endswith("\n"))
        return (folder / "opened").read_text("utf-8").strip()

    return page


def test_a_persons_clients_are_watched_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, the users and the session are printed; Ctrl-C brings the report, and no process stays."""
    opened = browser(tmp_path, monkeypatch)
    recording = tmp_path / "by-hand.ndjson"
    with started("client", "--open", "--record", recording, "--port", port := unused_port()) as process:
        assert process.stdout is not None
        shown = invitation(iter(process.stdout.readline, ""))
        assert shown["server"] == f"http://127.0.0.1:{port}"
        assert "alice or carol, with the password open-sesame" in shown["log in"]
        body = json.dumps({"username": "alice", "password": "open-sesame"}).encode()
        with urllib.request.urlopen(f"{shown['server']}/api/auth/login", body, timeout=SOON) as answer:
            assert answer.status == 200
        page = re.findall(r"http://\S+", shown["page"])[0]
        with urllib.request.urlopen(page, timeout=SOON) as answer:
            assert answer.status == 200
        assert opened() == page
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=SOON)
    assert process.returncode == 3  # nothing that must hold was seen
    assert complained == ""
    assert "the clients that were watched: " in said
    assert "POST /api/auth/login" in recording.read_text("utf-8")
    assert command("report", recording).returncode == 0


def test_a_persons_clients_are_watched_for_some_time() -> None:
    """With ``--for`` the command ends by itself."""
    done = command("client", "--for", "1")
    assert done.returncode == 3
    assert "the report comes in 1 seconds, or with Ctrl-C" in done.stdout


def test_a_port_that_is_taken_is_said() -> None:
    """Wrong usage, as for a tap, and what to do."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command("client", "--for", "5", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "address already in use; choose another --port" in " ".join(done.stderr.split())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_is_left_behind(number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the program, which ignores SIGTERM, nor what it started, nor the server, whatever ends the suite."""
    mark = f"client-{unused_port()}"
    monkeypatch.setenv("DUNGEONLAB_TEST_MARK", mark)
    script = "trap '' TERM; sleep 300 & sleep 300"
    with started("client", "--", "/bin/sh", "-c", script) as process:
        wait_until(lambda: sum("sleep 300" in words for words in running(mark).values()) >= 2)
        process.send_signal(number)
        process.communicate(timeout=SOON)
        assert process.returncode == code
    assert wait_for(mark, 0) == {}
