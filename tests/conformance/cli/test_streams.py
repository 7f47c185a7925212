"""What is printed: nothing in it is a workflow command, and anyone who does not read to the end breaks nothing."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import quickly
from tests.conformance.command import COMMAND, command, environment
from tests.conformance.report.runs import broken_document, nasty_run

from dungeonlab_conformance.cli.streams import Guarded
from dungeonlab_conformance.results import to_json
from dungeonlab_conformance.text.printable import without_commands

PIECES = st.lists(st.text(st.sampled_from(":#[]\r\n \t\x0b\x85\u2003\u00a0ae"), max_size=12), max_size=8)
CLOSED = "standard output could not be written: it is closed\n"
FULL = Path("/dev/full")
NEEDS_FULL = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


def heeded(text: str) -> list[str]:
    """Return the lines that the runner of GitHub Actions takes for commands."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


@quickly(500)
@given(PIECES)
def test_no_text_is_a_command_however_it_is_written(pieces: list[str]) -> None:
    """In one piece or in many; all that is added is a space between the signs of what would have been one."""
    written = io.StringIO(newline="")
    guarded = Guarded(written, "standard output", harmless=True)
    for piece in pieces:
        guarded.write(piece)
    assert heeded(written.getvalue()) == []
    assert heeded(without_commands("".join(pieces))) == []
    assert written.getvalue() == without_commands("".join(pieces))
    assert written.getvalue().replace(" ", "") == "".join(pieces).replace(" ", "")


def test_a_long_line_takes_no_longer_than_many_short_ones() -> None:
    """A result on standard output holds its recording in one line."""
    guarded = Guarded(io.StringIO(), "standard output", harmless=True)
    began = time.process_time()
    guarded.write("x" * 60_000 + "\n")
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("::error::x", ": :error::x"),
        ("a\r \t::set-output::x", "a\r \t: :set-output::x"),
        ("a ##[error]x", "a ## [error]x"),
        ("###[x ::y::", "### [x ::y::"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_what_is_shown_in_place_of_a_command(said: str, shown: str) -> None:
    """A space makes the difference; colons in the middle of a line mean nothing."""
    assert without_commands(said) == shown


def test_a_command_that_is_meant_is_one() -> None:
    """Annotations go through as they are."""
    written = io.StringIO()
    Guarded(written, "standard output", harmless=True).command("::error title=x::y")
    assert written.getvalue() == "::error title=x::y\n"


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """Return a result in which a server tries each notation of a command, in every text."""
    text = json.dumps(to_json.to_json(nasty_run()))
    for harmful in ("</script>", "alert(1)"):
        text = text.replace(harmful, r"\n::error::" + harmful + r"\r ::warning::x ##[error]y")
    document = json.loads(text)
    document["verdicts"] = [row for row in document["verdicts"] if "made-up" not in row["requirement"]]
    file = tmp_path / "nasty.json"
    file.write_text(json.dumps(document), "utf-8")
    return file


@pytest.mark.parametrize("words", [[], ["-v"], ["--markdown", "-"], ["--junit", "-"], ["--html", "-"], ["--json", "-"]])
def test_no_report_on_standard_output_holds_a_command(nasty: Path, words: list[str]) -> None:
    """Where GitHub Actions reads along, whatever the format."""
    done = command("report", nasty, *words, GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stderr
    assert heeded(done.stdout + done.stderr) == []
    assert "error]" in done.stdout
    if "--json" in words:
        json.loads(done.stdout)


SHORT = (["list"], ["--help"], ["list", "--help"], ["export", "report-schema"], ["explain", "connect/websocket"])


@pytest.mark.parametrize("words", SHORT, ids=" ".join)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads(words: list[str], stream: str) -> None:
    """No traceback, and no code that would be a verdict: 2 if it was to be printed there, and 0 if nothing was."""
    reading, writing = os.pipe()
    os.close(reading)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writing}
    done = subprocess.run([*COMMAND, *words], text=True, env=environment(), timeout=60, check=False, **streams)
    os.close(writing)
    if stream == "stdout":
        assert (done.returncode, done.stderr) == (2, "standard output could not be written: it was closed\n")
    else:
        assert done.returncode == 0


@NEEDS_FULL
@pytest.mark.parametrize("words", SHORT, ids=" ".join)
def test_a_disk_that_is_full(words: list[str]) -> None:
    """It is said once, on the other stream."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [*COMMAND, *words],
            text=True,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "standard output could not be written: No space left on device\n"


def test_standard_streams_that_are_closed() -> None:
    """Not even they need to be there."""
    closed = f"exec {' '.join(COMMAND)} list >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], env=environment(), timeout=60, check=False).returncode == 2


@pytest.mark.parametrize(("closed", "code", "said"), [("<&-", 0, ""), (">&-", 2, CLOSED), ("<&- >&-", 2, CLOSED)])
def test_a_run_whose_standard_streams_are_closed(tmp_path: Path, closed: str, code: int, said: str) -> None:
    """No socket takes their place, for which the loop would end the process; the result is written."""
    line = f"exec {' '.join(COMMAND)} run --only connect/websocket --json r.json {closed}"
    done = subprocess.run(
        ["sh", "-c", line], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(), timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (code, said)
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["exitCode"] == 0


def test_wrong_usage_that_nobody_reads_is_wrong_usage() -> None:
    """The code says it all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "list", "--nonsense"], stderr=writing, env=environment(), timeout=60, check=False)
    os.close(writing)
    assert done.returncode == 2


def test_a_fault_of_our_own_outside_of_a_run_is_one_sentence() -> None:
    """Exit code 4 and no traceback, whatever the exception is."""
    code = (
        "import dungeonlab_spec.catalogue as c\n"
        "def load(*_): raise ZeroDivisionError('ours')\n"
        "c.Catalogue.load = load\n"
        "from dungeonlab_conformance.cli import main\nmain()"
    )
    done = command("list", code=code)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "the suite itself failed: ZeroDivisionError: ours; please report it\n"


@pytest.mark.parametrize("columns", ["0", "1", "2", "19"])
@pytest.mark.parametrize("words", [[], ["-v"]])
def test_a_terminal_that_says_it_has_no_columns(tmp_path: Path, columns: str, words: list[str]) -> None:
    """A report is printed all the same, its lines no narrower than they can be read."""
    (tmp_path / "r.json").write_text(json.dumps(broken_document()), "utf-8")
    done = command("report", tmp_path / "r.json", *words, COLUMNS=columns, FORCE_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "join/outsider-refused" in done.stdout
