"""The checks as pytest items in several processes: whatever the way of sharing out, a server is judged once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conformance.command import PYTEST, environment, unused_port, wait_until
from tests.conformance.target.file.servers import FOUR, prepare
from tests.mutants.judge import served

SOME = "chat/ or sender-hears-nothing or names-its-sender"
FILE = "dungeonlab-target.toml"
COUNTING = """
import os, signal
from pathlib import Path
from dungeonlab_conformance.runner.runner import Runner

play = Runner.play

async def counted(runner):
    with open(os.environ["PLAYS"], "a") as file:
        file.write(f"begins {runner.target.url} {len(runner.chosen)}\\n")
    if (fate := Path(os.environ["PLAYS"] + ".crash")).exists():
        fate.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        return await play(runner)
    finally:
        with open(os.environ["PLAYS"], "a") as file:
            file.write(f"ends {runner.target.url} {len(runner.chosen)}\\n")

Runner.play = counted
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project that notes in a file when a process begins to judge, and when it ends."""
    (tmp_path / "conftest.py").write_text(COUNTING, "utf-8")
    return tmp_path


def command(*options: str) -> list[str]:
    return [*PYTEST, *options]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does, in a folder."""
    return subprocess.run(
        command(*options),
        cwd=folder,
        env=environment(PLAYS=str(folder / "plays.txt"), PYTEST_ADDOPTS=""),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@contextmanager
def begun(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run pytest in a process group of its own while the block runs."""
    with subprocess.Popen(
        command(*options),
        cwd=folder,
        env=environment(PLAYS=str(folder / "plays.txt"), PYTEST_ADDOPTS=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def plays(folder: Path) -> list[str]:
    file = folder / "plays.txt"
    return file.read_text("utf-8").splitlines() if file.exists() else []


def clean(result: subprocess.CompletedProcess[str]) -> bool:
    """Whether nothing that was printed is a stack trace, of pytest or of the project's."""
    said = result.stdout + result.stderr
    return not any(word in said for word in ("Traceback", "INTERNALERROR", "runner.py:", "pytest_items.py:"))


@pytest.mark.parametrize(
    "options",
    [
        ("-n2", "--dist=load"),
        ("-n2", "--dist=loadfile"),
        ("-n2", "--dist=loadgroup"),
        ("-n3", "--dist=worksteal"),
        ("-n2", "--dist=each"),
        ("-n0",),
    ],
    ids=" ".join,
)
def test_a_server_is_judged_once(folder: Path, reference_url: str, options: tuple[str, ...]) -> None:
    """However many processes report it, and in sessions that are shared: a correct server passes everywhere."""
    text = asyncio.run(prepare(reference_url, FOUR, FOUR[:3], ("alice", "bob")))
    (folder / FILE).write_text(text, "utf-8")
    result = run(folder, FILE, "-k", SOME, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[0] for line in plays(folder)] == ["begins", "ends"]


def test_several_target_files_are_judged_one_after_the_other(folder: Path, reference_url: str) -> None:
    """Each once, with the scenes of its own items alone."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / FILE).write_text(f'[server]\nurl = "{reference_url}"\n', "utf-8")
    chosen = (f"one/{FILE}::chat/blank-refused", f"two/{FILE}::rooms/sender-hears-nothing")
    result = run(folder, *chosen, "-n2", "-v")
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[0] for line in plays(folder)] == ["begins", "ends", "begins", "ends"]
    assert {int(line.split()[2]) for line in plays(folder)} == {1, 5}


def test_a_worker_that_crashes_keeps_nobody_waiting(folder: Path, reference_url: str) -> None:
    """What it ran is reported as crashed; another worker judges the server, and all others pass."""
    (folder / "plays.txt.crash").touch()
    result = run(folder, "--dungeonlab-url", reference_url, "--pyargs", "dungeonlab_conformance", "-k", SOME, "-n2")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 failed" in result.stdout
    assert "crashed while running" in result.stdout
    assert [line.split()[0] for line in plays(folder)] == ["begins", "begins", "ends"]


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_server_that_is_not_there_ends_the_session(folder: Path, processes: str) -> None:
    """One sentence, exit code 3, and no stack trace: not of pytest-xdist either."""
    url = f"http://127.0.0.1:{unused_port()}"
    result = run(folder, "--dungeonlab-url", url, "--pyargs", "dungeonlab_conformance", processes)
    assert result.returncode == 3, result.stdout + result.stderr
    assert f"{url} cannot be reached" in result.stdout
    assert clean(result)
    assert len(plays(folder)) == 2


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_an_interruption_ends_the_session(folder: Path, reference_url: str, processes: str) -> None:
    """Ctrl-C while the server is judged: pytest's own exit code for it, no stack trace, the run comes to its end."""
    with begun(folder, "--dungeonlab-url", reference_url, "--pyargs", "dungeonlab_conformance", processes) as process:
        wait_until(lambda: bool(plays(folder)))
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert clean(subprocess.CompletedProcess([], 2, said, ""))


def test_a_broken_server_is_reported_by_the_session(folder: Path) -> None:
    """A broken MUST fails under any worker, its ids select it again, and `--lf` judges nothing else."""
    with served("EchoesToTheSender") as url:
        options = ("--dungeonlab-url", url, "--pyargs", "--dungeonlab-timeout=2")
        result = run(folder, *options, "-n2", "dungeonlab_conformance", "-k", SOME)
        assert result.returncode == 1, result.stdout + result.stderr
        last = run(folder, *options, "-n2", "dungeonlab_conformance", "--lf")
        assert last.returncode == 1, last.stdout + last.stderr
        assert "5 failed in" in last.stdout
        name = "dungeonlab_conformance::rooms/sender-hears-nothing[chat-message]"
        assert f"FAILED {name}" in last.stdout
        again = run(folder, *options, name)
        assert (again.returncode, "1 failed in" in again.stdout) == (1, True), again.stdout + again.stderr
    assert [int(line.split()[2]) for line in plays(folder)][1::2] == [12, 5, 1]


def test_what_a_run_leaves_and_warns_of_is_listed_once(folder: Path) -> None:
    """A broken SHOULD is reported in the summary of the session, whichever worker judged the server."""
    with served("RefusesWithoutACode") as url:
        result = run(
            folder,
            *("--dungeonlab-url", url, "--pyargs", "dungeonlab_conformance", "-n2", "-k", "refusal-names-the-code"),
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("SHOULD broken: auth/refusal-names-the-code") == 1
