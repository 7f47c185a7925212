"""No more judgements are under way than the limit allows, in whichever process they are."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests import turns


def take_a_turn(pipe: Connection) -> None:
    """Say when the turn has come, and keep it until something is received."""
    with turns.turn(1):
        pipe.send("begun")
        pipe.recv()


@pytest.mark.parametrize("killed", [False, True])
def test_a_turn_comes_when_another_one_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool) -> None:
    """Whether the process that had it went on or was killed; until then, there is none."""
    monkeypatch.setattr(turns, "_FOLDER", tmp_path)
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(2)]
    first, second = (context.Process(target=take_a_turn, args=(theirs,), daemon=True) for _, theirs in pipes)
    (one, _), (other, _) = pipes
    first.start()
    assert one.recv() == "begun"
    second.start()
    with (tmp_path / "0").open() as file:
        assert not turns._lock(file)
    assert not other.poll()
    if killed:
        first.kill()
    else:
        one.send("end")
    assert other.poll(60)
    other.send("end")
    for process in (first, second):
        process.join()
