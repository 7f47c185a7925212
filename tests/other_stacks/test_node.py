"""The suite and a server of another stack: nothing is found where nothing is, and each fault where it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import aiohttp
import pytest

from dungeonlab_conformance.results.run import Run
from tests.described import agrees
from tests.mutants.combination import combine, members
from tests.mutants.judge import misjudged
from tests.other_stacks.judge import (
    NODE,
    NodeFault,
    all_faults,
    fault_named,
    is_required,
    judge,
    judge_clean,
    judge_faulty,
    red,
    served,
    why_not,
)

MISSING = why_not()
FAULTS = {} if MISSING else all_faults()

if MISSING and is_required():
    pytest.fail(f"the Node.js peers are required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest) -> dict[str, tuple[NodeFault, Run]]:
    """Return, for every fault that a selected test asks about, what the peer that had it breaks, and what was found."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    names = {spec.params["fault"] for spec in wanted if spec and "fault" in spec.params}
    found = judge_faulty(combine(fault for name, fault in FAULTS.items() if name in names))
    return {fault: (fault_named(name), run) for name, run in found for fault in members(name)}


def test_nothing_is_found_against_a_correct_peer() -> None:
    """No verdict is anything but a pass or a note over long-polling; test_judging.py does the same over WebSocket."""
    [(_, run)] = judge_clean(1, ("polling",))
    assert red(run) == []


def test_the_offsets_of_recovered_connections_are_no_arguments() -> None:
    """A server whose packets carry an offset for the client's library, and which recovers nothing, is correct.

    Only broadcasts carry one, so that the checks that look at broadcasts are enough.
    """
    run = judge("websocket", None, None, "--offsets", only=("rooms", "broadcasts", "presence", "direct", "chat"))
    assert red(run) == []
    assert [note for note in run.notes if "offset" in note] == run.notes != []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_peer_breaks_what_it_says_and_nothing_else(
    fault: str, judged: dict[str, tuple[NodeFault, Run]]
) -> None:
    """The requirements found broken are those that the peer is made to break, by this fault and those beside it."""
    expectation, run = judged[fault]
    assert FAULTS[fault].breaks <= expectation.breaks
    assert misjudged(expectation, run) == []


def test_there_are_faults_enough() -> None:
    """At least twelve, each with a claim and something it breaks."""
    assert len(FAULTS) >= 12
    assert all(fault.claim and fault.breaks for fault in FAULTS.values())


@pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])
def test_a_client_of_the_stack_talks_to_the_reference_server(reference_url: str, transports: str) -> None:
    """socket.io-client joins, chats, moves a token, is refused, reconnects and joins again, on each transport."""
    command = ["node", str(NODE / "client.mjs"), reference_url, transports]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["transport"] == transports.split(",")[-1]


@pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])
def test_the_client_talks_to_the_peer_as_well(transports: str) -> None:
    """What the client expects of the reference server, it finds in a server of its own stack too."""
    with served() as url:
        command = ["node", str(NODE / "client.mjs"), url, transports]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_http_side_of_the_peer_is_as_described(tmp_path: Path) -> None:
    """Schemathesis finds nothing in it, with a login and without."""
    account = {"username": "somebody", "password": "a long enough one"}
    with served() as url:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            async with http.post(f"{url}/api/auth/register", json=account) as answer:
                assert answer.status == 201
            (cookie,) = http.cookie_jar
        assert "10/11" in await agrees(url, tmp_path, cookie=(cookie.key, cookie.value))
        (tmp_path / "schemathesis.toml").unlink()
        assert "11/11" in await agrees(url, tmp_path)


def test_the_peer_stops_at_once() -> None:
    """SIGTERM ends it, even with clients connected."""
    with subprocess.Popen(
        ["node", str(NODE / "server.mjs"), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Listening on ")
        process.terminate()
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--port", "x"), "port x cannot be used"),
        (("--fault", "none-such"), "there is no fault none-such"),
        (("--bogus",), "--bogus"),
    ],
)
def test_wrong_use_of_the_peer_is_one_sentence(options: tuple[str, ...], said: str) -> None:
    """It says what is wrong and exits with 2."""
    command = ["node", str(NODE / "server.mjs"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_lock_names_no_registry() -> None:
    """The packages can be had from whatever registry npm is set up for."""
    lock = json.loads((NODE / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
