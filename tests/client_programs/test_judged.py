"""Each faulty client is found to break what it is said to break, and nothing else; nothing is found in correct ones.

Each fault is played once, in one of the stacks and over one of the transports, in the acts that show it; with
`CLIENTS=all` in the environment in each stack over each transport, by the command that users have, and the clients
without a fault in every act.
"""

from __future__ import annotations

import os

import pytest

from tests.client_programs.faults import FAULTS, JAVASCRIPT, PYTHON, TRANSPORTS
from tests.client_programs.judge import Found, Trial, broken, judge_by_command, judge_side_by_side
from tests.client_programs.programs import is_required, listed, why_not
from tests.other_stacks.judge import served
from tests.other_stacks.judge import why_not as why_no_peer

MISSING = why_not() or why_no_peer()
ALL = os.environ.get("CLIENTS") == "all"
STACKS = (JAVASCRIPT, PYTHON)

if MISSING and is_required():
    pytest.fail(f"clients in JavaScript are required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")

WITH_FAULTS = [
    Trial(fault.stacks[i % len(fault.stacks)], fault.acts, fault.transports[i % len(fault.transports)], fault=name)
    for i, (name, fault) in enumerate(FAULTS.items())
]
CORRECT = [Trial(stack, ("cut-off/fin",), transport) for stack in STACKS for transport in TRANSPORTS]
WITH_HABITS = [
    Trial(stack, ("cut-off/fin",), TRANSPORTS[i % 3], habit=habit)
    for stack in STACKS
    for i, habit in enumerate(listed(stack)["habits"] if ALL and not MISSING else ())
]
BEFORE_THE_PEER = [  # over polling, a session survives the TCP connection, and only the bundled server can end it
    Trial(stack, (act,), transport)
    for stack in STACKS
    for transport in TRANSPORTS
    for act in (("ordinary", "moved-on", "removed", "cut-off/fin") if ALL else ("moved-on",))
    if (transport, act) != ("polling", "cut-off/fin")
]


def name_of(trial: Trial) -> str:
    """Return how a test names a trial."""
    what = trial.fault or trial.habit or "correct"
    return f"{what}-{trial.stack}-{trial.transport}-{'+'.join(trial.acts)}"


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> dict[Trial, Found]:
    """Return what was found in each trial that a selected test asks about."""
    wanted = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {spec.params["trial"] for spec in wanted if spec and "trial" in spec.params}
    return judge_side_by_side([trial for trial in (*WITH_FAULTS, *CORRECT, *WITH_HABITS) if trial in asked])


@pytest.mark.parametrize("trial", WITH_FAULTS, ids=name_of)
def test_a_fault_breaks_what_it_says_and_nothing_else(trial: Trial, found: dict[Trial, Found]) -> None:
    """One requirement is found broken: the one that the fault is said to break."""
    assert trial.fault is not None
    assert found[trial].broken == {FAULTS[trial.fault].breaks}, (*found[trial].why, found[trial].printed)


@pytest.mark.parametrize("trial", [*CORRECT, *WITH_HABITS], ids=name_of)
def test_nothing_is_found_in_a_correct_client(trial: Trial, found: dict[Trial, Found]) -> None:
    """It plays, is cut off, and comes back; whatever its habits are."""
    assert found[trial].broken == set(), (*found[trial].why, found[trial].printed)
    assert "client/connects-with-the-cookie" in found[trial].held, found[trial].printed


def test_nothing_is_found_before_a_server_of_another_stack() -> None:
    """The bundled server is not the only one that correct clients are judged in front of."""
    with served() as url:
        for trial, result in judge_side_by_side(BEFORE_THE_PEER, url).items():
            assert result.broken == set(), (trial, *result.why, result.printed)
            assert "client/joins-before-it-sends" in result.held, (trial, result.printed)


def test_the_command_blames_as_stated() -> None:
    """What users have says the same as the rules: the requirement, and the exit code."""
    run = judge_by_command(JAVASCRIPT, "websocket", fault="numbers-as-text", acts=["ordinary"])
    assert (broken(run), run.exit_code) == ({"client/sends-only-valid-payloads"}, 1)


@pytest.mark.skipif(not ALL, reason="CLIENTS=all plays the clients without a fault in every act")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("stack", STACKS)
def test_a_correct_client_passes_in_every_act(stack: str, transport: str) -> None:
    """Each requirement is seen to hold, none is left unjudged."""
    run = judge_by_command(stack, transport)
    assert [(v.requirement, v.outcome, v.reason) for v in run.verdicts if v.outcome != "pass"] == []
    assert run.exit_code == 0


@pytest.mark.skipif(not ALL, reason="CLIENTS=all plays each fault in each stack over each transport")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_blamed_in_each_stack_over_each_transport(name: str) -> None:
    """By the command, in the acts that show it."""
    fault = FAULTS[name]
    for stack in fault.stacks:
        for transport in fault.transports:
            run = judge_by_command(stack, transport, fault=name, acts=fault.acts)
            assert broken(run) == {fault.breaks}, (stack, transport, run.fault)
