"""What an adapter's own code makes of requests, events and acknowledgements; whatever it does, the suite goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import command

from dungeonlab_conformance.adapter import Adapter
from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.target.dialect.translation import Dialect
from dungeonlab_conformance.target.target import Target

URL = "http://127.0.0.1:1"
OK = ({"success": True, "data": {}},)


class Wrapping(Adapter):
    """Puts each request into a wrapper, takes events out of one, and knows what a bare text acknowledges."""

    def encode(self, _: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return ({"body": args[0]},) if args else args

    def decode(self, _: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0]["body"],)

    def decode_answer(self, _: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return OK if args == ("ok",) else args


def test_own_code_comes_before_the_tables_and_after_them() -> None:
    """It sees the protocol's names, whatever the server calls an event."""
    dialect = Dialect(events={"chat-message": "say"}, broadcasts={"chat-message": "said"})
    target = Target(URL, dialect=dialect, adapter=Wrapping)
    assert target.on_the_wire("chat-message", ({"message": "hi"},)) == ("say", ({"body": {"message": "hi"}},))
    assert target.dialect.received("said", ({"body": {"message": "hi"}},)) == ("chat-message", ({"message": "hi"},))
    assert target.dialect.answer("chat-message", ("ok",)) == OK


def test_an_adapter_without_such_code_translates_nothing() -> None:
    """The dialect is the file's, and where that is none there is none."""
    assert not Target(URL, adapter=type("Other", (Adapter,), {})).dialect


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (lambda *_: 1 / 0, "the adapter's encode raised ZeroDivisionError"),
        (lambda *_: None, "the adapter's encode returned nothing, and should return a tuple of arguments"),
        (lambda *_: ({"x": object()},), "the adapter's encode returned what is of type object, and should return what"),
        (lambda *_: exec("raise SystemExit"), "the adapter's encode raised SystemExit"),
    ],
)
def test_whatever_it_does_the_request_cannot_be_judged(code: Any, said: str) -> None:
    """It is said which method failed, and how."""
    target = Target(URL, adapter=type("Failing", (Adapter,), {"encode": code}))
    with pytest.raises(Unjudged, match=said):
        target.on_the_wire("chat-message", ({},))


def test_a_request_that_had_to_be_put_otherwise_is_a_difference() -> None:
    """Where it was accepted: then the documented one is not what the server takes."""
    target = Target(URL, adapter=Wrapping)
    journal = Journal()
    args = ({"message": "hi"},)
    wire = target.on_the_wire("chat-message", args)
    journal.write("alice", 1, "sends", "chat-message", args, wire=wire)
    assert not list(deviations(target.dialect, journal.observations))
    journal.write("alice", 1, "is answered", "chat-message", OK)
    [found] = deviations(target.dialect, journal.observations)
    assert (found.requirement, found.event) == ("payloads/valid-accepted", "chat-message")
    assert found.broken.got == 'it takes {"body": {"message": "hi"}}'


@pytest.mark.parametrize("method", ["encode", "decode", "decode_answer"])
def test_a_run_with_code_that_fails(tmp_path: Path, reference_url: str, method: str) -> None:
    """Exit code 3, with the method named, and no verdict against the server."""
    code = f"    def {method}(self, event, args):\n        return 1 / 0\n"
    (tmp_path / "theirs.py").write_text(
        f"from dungeonlab_conformance.adapter import Adapter\nclass Theirs(Adapter):\n{code}", "utf-8"
    )
    (tmp_path / "t.toml").write_text(f'adapter = "theirs:Theirs"\n[server]\nurl = "{reference_url}"\n', "utf-8")
    done = command(
        "run",
        "--target",
        "t.toml",
        "--timeout",
        "0.5",
        "--only",
        "rooms/game-master-hears",
        "--json",
        "r.json",
        cwd=tmp_path,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"the adapter's {method} raised ZeroDivisionError" in done.stdout + done.stderr
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["counts"]["fail"] == 0
    assert "Traceback" not in done.stdout + done.stderr
