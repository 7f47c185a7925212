"""Generated payloads: what only they can find is found, made small, and found again by the command that is printed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import command
from tests.mutants.servers.aftermath import CountsRefusedUpdates, MovesBeforeItLooks, RelaysBeforeItLooks
from tests.mutants.servers.payloads import LooksAtTypesOnly
from tests.serving import Variant, served

from dungeonlab_conformance.checks.generated_payloads import checks
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Emission, Payload, Refusal
from dungeonlab_spec import Catalogue


class RefusesUmlauts(Pipeline):
    """A name with a letter beyond ASCII is refused."""

    def check_shape(self, event: Any, args: Any) -> Payload:
        payload = super().check_shape(event, args)
        if not str(payload.get("token", {}).get("name", "")).isascii():
            raise Refusal("VALIDATION_ERROR", "a name is made of letters")
        return payload


class CountsIn32Bits(Pipeline):
    """A position of 2**31 or more is an error."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        if command.event == "token:move" and command.payload["position"]["x"] >= 2**31:
            raise OverflowError("integer out of range")
        return await super().take_effect(command, connection)


class FlattensData(Pipeline):
    """What is nested in a token's data is sent to nobody."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        payload = json.loads(json.dumps(emission.payload))
        data = payload.get("token", {}).get("data", {})
        for key, value in data.items():
            data[key] = None if isinstance(value, dict | list) and value else value
        await super().broadcast(Emission(emission.event, emission.session, payload), sender)


class BlamesItself(Pipeline):
    """What is invalid is reported as an internal error."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: tuple[str, int] | None) -> None:
        if envelope.get("code") == "VALIDATION_ERROR":
            envelope = {**envelope, "code": "INTERNAL_ERROR"}
        await super().acknowledge(connection, name, envelope, where)


def run(url: str, only: Sequence[str], *events: str, fuzz: int = 60) -> Run:
    """Judge with the ordinary scenes and the generated payloads that judge the same."""
    options = RunOptions(url=url, scale=2.0, fuzz=fuzz, seed=7)
    target = Target(url, limits=Limits(options.scale))
    chosen = scenes(Selection(only=tuple(only), events=events), Catalogue.load(), checks(fuzz, 7))
    return play(target, chosen, target.new_run(options))


def broken(found: Run) -> dict[tuple[str, str | None], Finding]:
    """Return what was found broken, with the last finding on it."""
    return {(v.requirement, v.event): v.findings[-1] for v in found.verdicts if v.outcome in ("fail", "warn")}


def payload(finding: Finding) -> Any:
    """Return the payload that a finding shows."""
    return json.loads(re.sub(r"^[^{]*", "", finding.expected, count=1))


@pytest.fixture
def unshrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for no smaller payload: that takes most of the time, and is for the tests that look at the payload."""
    monkeypatch.setattr("dungeonlab_conformance.payloads.strategies._SHRINKING", 0.0)


@pytest.fixture
def faulty(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a faulty server."""
    with served(Variant(pipeline=request.param)) as url:
        yield url


@pytest.mark.parametrize("faulty", [RefusesUmlauts], indirect=True)
def test_a_character_that_is_refused_is_found_made_small_and_found_again(faulty: str, tmp_path: Path) -> None:
    """The smallest payload has a name of that one character, and nothing but what is required.

    The command that is printed finds the same payload, but for the ids, which the server gives out anew.
    """
    what = ("payloads/valid-accepted", "token:create")
    first = run(faulty, what[:1], what[1])
    token = payload(broken(first)[what])["token"]
    assert len(token["name"]) == 1
    assert not token["name"].isascii()
    assert token.keys() == {"name", "position"}
    assert "--fuzz 60 --seed 7" in first.again
    only = ("--only", what[0], "--event", what[1], "-q", "--json", "again.json")
    command(*shlex.split(first.again)[1:], *only, cwd=tmp_path)
    assert payload(broken(load_run(tmp_path / "again.json"))[what])["token"] == token


@pytest.mark.parametrize("faulty", [CountsIn32Bits], indirect=True)
def test_a_number_that_is_too_large_for_the_server_is_found(faulty: str) -> None:
    """The smallest one is close to where it begins, or at least all the rest is gone."""
    result = run(faulty, ["payloads"], "token:move", fuzz=250)  # large numbers are rare
    assert result.exit_code == 1
    assert set(broken(result)) == {("payloads/valid-accepted", "token:move")}
    found = payload(broken(result)["payloads/valid-accepted", "token:move"])
    assert found["position"].keys() == {"x", "y"}
    assert found["position"]["x"] >= 2**31
    assert found["position"]["y"] == 0


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize("faulty", [FlattensData], indirect=True)
def test_what_is_broadcast_otherwise_is_found(faulty: str) -> None:
    """The finding is about the broadcast, and the path leads to the data."""
    found = broken(run(faulty, ["broadcasts/says-what-was-done"], "token:update", "token:create"))
    assert found["broadcasts/says-what-was-done", "token:update"].path == "$.updates.data"
    assert found["broadcasts/says-what-was-done", "token:create"].path == "$.token.data"


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(
    ("faulty", "requirement", "event"),
    [
        (LooksAtTypesOnly, "payloads/bound-broken", "token:create"),
        (BlamesItself, "acks/code-names-the-cause", "chat-message"),
        (RelaysBeforeItLooks, "payloads/refused-not-broadcast", "chat-message"),
        (MovesBeforeItLooks, "payloads/refused-not-stored", "token:move"),
        (CountsRefusedUpdates, "payloads/refused-not-stored", "token:update"),
    ],
    indirect=["faulty"],
)
def test_what_becomes_of_an_invalid_payload_is_found(faulty: str, requirement: str, event: str) -> None:
    """It is accepted, blamed on the server itself, relayed or stored: each is broken, for its event."""
    result = run(faulty, [requirement], event)
    assert set(broken(result)) == {(requirement, event)}
    assert result.exit_code == 1


def test_the_reference_server_stands_all_of_it(reference_url: str) -> None:
    """Nothing is found in whatever generated payloads judge; tests/reference_server has all the rest judged."""
    result = run(reference_url, [name for check in checks(1, 1) for name in check.requirements])
    assert broken(result) == {}
    assert result.exit_code == 0


def test_without_the_library_the_extra_is_named() -> None:
    """One sentence and exit code 2."""
    code = (
        "import sys; sys.modules['schemathesis'] = None; from importlib import util; find = util.find_spec;"
        "util.find_spec = lambda name, *_: None if name == 'schemathesis' else find(name);"
        "from dungeonlab_conformance.cli import main; main(['run', '--fuzz', '5'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'schemathesis>=4.10,<5'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_seed_alone_is_wrong_usage() -> None:
    """It says nothing without a number of payloads."""
    done = subprocess.run(
        [sys.executable, "-m", "dungeonlab_conformance", "run", "--seed", "5"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--fuzz" in done.stderr
