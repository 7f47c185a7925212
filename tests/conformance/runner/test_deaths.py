"""Servers that really die, of payloads or of valid requests, and are started again: who is blamed, what goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import unused_port, wait_until
from tests.mutants.combination import fault_named
from tests.serving import Variant
from tests.supervised import remember, supervised

from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.interruptions import deaths
from dungeonlab_conformance.runner.interruptions.survival import SURVIVAL
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Catalogue

ROOT = Path(__file__).parents[3]
SURVIVES = "payloads/server-survives"


def dying(*deadly: tuple[str, list[Any]], memory: Path | None = None) -> Variant:
    """Return a server that dies of requests with just these arguments."""

    class Dies(Pipeline):
        async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
            if data and (data[0], list(data[1:])) in deadly:
                if memory is not None:
                    remember(self.store, memory)
                os._exit(1)
            await super().on_event(connection, data, where)

    return Variant(pipeline=Dies)


def _is_first(flag: Path) -> bool:
    """Whether there is no such file yet; there is one then."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def dying_of_moves(flag: Path | None = None) -> Variant:
    """Return a server that dies of a valid move; of the first one only, if there is a file that says whether it was."""

    def is_deadly(data: Sequence[Any]) -> bool:
        body = data[1] if len(data) == 2 and isinstance(data[1], dict) else {}
        position = body.get("position")
        return data[0] == "token:move" and isinstance(position, dict) and type(position.get("x")) is int

    class Dies(Pipeline):
        async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
            if is_deadly(data) and (flag is None or _is_first(flag)):
                os._exit(1)
            await super().on_event(connection, data, where)

    return Variant(pipeline=Dies)


def judged(url: str, *only: str, wait: float | None = 20.0) -> Run:
    target = Target(url, limits=Limits(1.0))
    chosen = scenes(Selection(only=only), Catalogue.load())
    return play(target, chosen, target.new_run(RunOptions(restart_wait=wait)))


def broken(run: Run) -> dict[tuple[str, str | None], list[str]]:
    return {
        (v.requirement, v.event): [f"{f.expected}; {f.got}" for f in v.findings]
        for v in run.verdicts
        if v.outcome in (Outcome.FAIL, Outcome.WARN, Outcome.ERROR)
    }


@pytest.mark.parametrize("remembers", [False, True])
def test_two_deadly_payloads_are_named_and_all_else_is_judged(tmp_path: Path, remembers: bool) -> None:
    """Whether the server remembers everybody after its death or nobody."""
    memory = tmp_path / "memory" if remembers else None
    with supervised(dying(("token:move", [None]), ("chat-message", []), memory=memory), memory) as server:
        run = judged(server.url)
        died = server.deaths
    found = broken(run)
    assert found.keys() == {(SURVIVES, "token:move"), (SURVIVES, "chat-message")}, (run.fault, found)
    assert all(len(findings) == 1 for findings in found.values())
    assert "a token:move with not-an-object-null" in found[SURVIVES, "token:move"][0]
    assert "a chat-message with no argument" in found[SURVIVES, "chat-message"][0]
    outcomes = Counter(v.outcome for v in run.verdicts)
    assert outcomes[Outcome.UNJUDGED] <= 10, [(v.title, v.reason) for v in run.verdicts if v.outcome == "unjudged"]
    assert (run.exit_code, run.fault) == (1, None)
    assert died <= 3
    assert len(run.leftovers) <= 1


def test_a_valid_request_that_is_deadly_is_found_although_many_were_under_way() -> None:
    """Each scene of that moment is played again alone; in the end the request is convicted once, and sent no more."""
    with supervised(dying_of_moves()) as server:
        run = judged(server.url)
        died = server.deaths
    found = broken(run)
    assert found.keys() == {(SURVIVES, "token:move")}, (run.fault, found)
    [finding] = [each for each in found[SURVIVES, "token:move"] if "twice" in each]  # others are of other payloads
    assert "token:move {" in finding
    unjudged = [v for v in run.verdicts if v.outcome == "unjudged"]
    said = {v.title: v.reason for v in unjudged if v.waits_for != (SURVIVES, "token:move")}
    assert len(said) <= 1, said  # of a scene for which the server was back before anybody missed it
    assert all("closed before token:move was answered" in why for why in said.values()), said
    assert died <= 14
    assert (run.exit_code, run.fault) == (1, None)


def test_a_server_that_is_killed_from_outside_and_comes_back_is_not_blamed(tmp_path: Path) -> None:
    """While many scenes are being played: they are played again, and nobody is convicted."""
    with supervised(dying_of_moves(tmp_path / "flag")) as server:
        run = judged(server.url, "acks", "rooms", "tokens")
        died = server.deaths
    assert died == 1
    assert broken(run) == {}
    assert {v.outcome for v in run.verdicts} == {"pass"}, [(v.title, v.reason) for v in run.verdicts]
    assert (run.exit_code, run.fault) == (0, None)


@pytest.mark.parametrize("name", ["DiesWithoutACallback", "DiesOfAnUnknownEvent"])
def test_faulty_servers_that_die_are_judged_as_if_alone(name: str) -> None:
    """What is broken is found, nothing is blamed but what a server has to survive, and the run goes on."""
    expected = fault_named(name)
    with supervised(expected.variant) as server:
        run = judged(server.url)
    found = {requirement for requirement, _ in broken(run)}
    assert expected.breaks <= found <= {*SURVIVAL}, (run.fault, broken(run))
    assert (run.exit_code, run.fault) == (1, None)


SERVER = """
from tests.conformance.runner.test_deaths import dying
from tests.supervised import serve_alone
serve_alone(dying(("token:move", [None])), {port})
"""


def restarting(tmp_path: Path, port: int, command: str) -> Target:
    """Return a target whose file says how the server is started again."""
    (tmp_path / "server.py").write_text(SERVER.format(port=port))
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(f'[server]\nurl = "http://127.0.0.1:{port}"\nrestart = {command}\nrestart-wait = 20\n')
    return load_target(file, scale=1.0)


@contextmanager
def started_alone(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server of the folder, which nobody supervises, while the block runs."""
    words = [sys.executable, "server.py"]
    with subprocess.Popen(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        port = int((folder / "server.py").read_text().split()[-1].rstrip(")"))
        try:
            wait_until(lambda: _listens(port))
            yield process
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_command_starts_a_dead_server_again_and_is_ended_with_the_run(tmp_path: Path) -> None:
    """A command that is the server itself runs for as long as the run."""
    port = unused_port()
    target = restarting(tmp_path, port, f'["env", "PYTHONPATH={ROOT}", "{sys.executable}", "server.py"]')
    with started_alone(tmp_path) as first:
        run = play(target, scenes(Selection(only=("payloads", "acks")), Catalogue.load()))
        assert first.poll() is not None
    assert broken(run).keys() == {(SURVIVES, "token:move")}, (run.fault, broken(run))
    assert (run.exit_code, run.fault) == (1, None)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('["sh", "-c", "echo nothing to see; echo no such service >&2; exit 3"]', "ended with 3: no such service"),
        ('["no-such-program"]', "the restart command 'no-such-program' could not be run: No such file or directory"),
    ],
)
def test_a_command_that_fails_ends_the_run_with_what_it_said_last(tmp_path: Path, command: str, said: str) -> None:
    """What was found before stands."""
    target = restarting(tmp_path, unused_port(), command)
    with started_alone(tmp_path):
        run = play(target, scenes(Selection(only=("payloads/*",), events=("token:move",)), Catalogue.load()))
    assert run.fault is not None
    assert said in run.fault
    assert broken(run).keys() == {(SURVIVES, "token:move")}
    assert run.exit_code == 1


def test_a_server_that_does_not_come_back_ends_the_run(tmp_path: Path) -> None:
    """With one sentence that says how long it was waited for."""
    target = restarting(tmp_path, unused_port(), '["true"]')
    target.restart, target.restart_wait = (), 0.3
    with started_alone(tmp_path):
        run = play(target, scenes(Selection(only=("payloads/*",), events=("token:move",)), Catalogue.load()))
    assert run.fault is not None
    assert "the server died and was not back within 0.3 s: " in run.fault
    assert broken(run).keys() == {(SURVIVES, "token:move")}
    assert len(run.leftovers) <= 1


def test_a_server_that_dies_again_and_again_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a number of deaths nothing more is tried; each that was found stands."""
    monkeypatch.setattr(deaths, "_MOST", 1)
    with supervised(dying(("token:move", [None]), ("chat-message", []))) as server:
        run = judged(server.url, "payloads/*")
    assert run.fault == "the server died 2 times in this run; no more of it was tried"
    assert broken(run).keys() <= {(SURVIVES, "token:move"), (SURVIVES, "chat-message")}
