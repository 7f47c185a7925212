"""Generated payloads: what only they can find is found, made small, and found again by the command that is printed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.mutants.in_aftermath import CountsRefusedUpdates, MovesBeforeItLooks, RelaysBeforeItLooks
from tests.mutants.in_payloads import LooksAtTypesOnly
from tests.serving import Variant, served

from dungeonlab_conformance.checks.generated_payloads import checks
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Emission, Payload, Refusal

SOME = ("--fuzz", "60", "--seed", "7", "--timeout", "2", "-q")


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


def run(url: str, *options: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]], str]:
    """Judge by the command line; returns the exit code, what was found broken, and the command that repeats it."""
    command = [sys.executable, "-m", "dungeonlab_conformance", "run", url, "--json", "/dev/stdout", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    result, _ = json.JSONDecoder().raw_decode(done.stdout)
    broken = {
        (v["requirement"], v["event"]): v["findings"][-1]
        for v in result["verdicts"]
        if v["outcome"] in ("fail", "warn")
    }
    return done.returncode, broken, result["again"]


def payload(finding: dict[str, Any]) -> Any:
    """Return the payload that a finding shows."""
    return json.loads(re.sub(r"^[^{]*", "", finding["expected"], count=1))


@pytest.fixture
def faulty(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a faulty server."""
    with served(Variant(pipeline=request.param)) as url:
        yield url


@pytest.mark.parametrize("faulty", [RefusesUmlauts], indirect=True)
def test_a_character_that_is_refused_is_found_made_small_and_found_again(faulty: str) -> None:
    """The smallest payload has a name of that one character, and nothing but what is required.

    The command that is printed finds the same payload, but for the ids, which the server gives out anew.
    """
    only = ("--only", "payloads/valid-accepted", "--event", "token:create")
    _, first, again = run(faulty, *only, *SOME)
    token = payload(first["payloads/valid-accepted", "token:create"])["token"]
    assert len(token["name"]) == 1
    assert not token["name"].isascii()
    assert token.keys() == {"name", "position"}
    assert "--fuzz 60 --seed 7" in again
    words = shlex.split(again)
    _, second, _ = run(faulty, *words[3:], *only, "-q")
    assert payload(second["payloads/valid-accepted", "token:create"])["token"] == token


@pytest.mark.parametrize("faulty", [CountsIn32Bits], indirect=True)
def test_a_number_that_is_too_large_for_the_server_is_found(faulty: str) -> None:
    """The smallest one is close to where it begins, or at least all the rest is gone."""
    many = (*SOME, "--fuzz", "250")  # large numbers are rare
    code, broken, _ = run(faulty, "--only", "payloads", "--event", "token:move", *many)
    assert code == 1
    assert set(broken) == {("payloads/valid-accepted", "token:move")}
    found = payload(broken["payloads/valid-accepted", "token:move"])
    assert found["position"].keys() == {"x", "y"}
    assert found["position"]["x"] >= 2**31
    assert found["position"]["y"] == 0


@pytest.mark.parametrize("faulty", [FlattensData], indirect=True)
def test_what_is_broadcast_otherwise_is_found(faulty: str) -> None:
    """The finding is about the broadcast, and the path leads to the data."""
    events = ("--event", "token:update", "--event", "token:create")
    _, broken, _ = run(faulty, "--only", "broadcasts/says-what-was-done", *events, *SOME)
    assert broken["broadcasts/says-what-was-done", "token:update"]["path"] == "$.updates.data"
    assert broken["broadcasts/says-what-was-done", "token:create"]["path"] == "$.token.data"


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
    code, broken, _ = run(faulty, "--only", requirement, "--event", event, *SOME)
    assert set(broken) == {(requirement, event)}
    assert code == 1


def test_the_reference_server_stands_all_of_it(reference_url: str) -> None:
    """Nothing is found in whatever generated payloads judge; tests/reference_server has all the rest judged."""
    only = [word for check in checks(1, 1) for name in check.requirements for word in ("--only", name)]
    # it is never silent, and the machine may be busy
    code, broken, _ = run(reference_url, *only, *SOME, "--timeout", "1")
    assert broken == {}
    assert code == 0


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
