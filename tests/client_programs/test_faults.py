"""Each faulty client is one that exists, and says what it breaks."""

from __future__ import annotations

import json

import pytest

from dungeonlab_spec import Catalogue
from tests.client_programs.faults import FAULTS, JAVASCRIPT, PYTHON
from tests.client_programs.programs import FOLDER, is_required, listed, why_not

MISSING = why_not()

if MISSING and is_required():
    pytest.fail(f"clients in JavaScript are required here, but {MISSING}", pytrace=False)

needs_node = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")


@pytest.mark.parametrize("stack", [pytest.param(JAVASCRIPT, marks=needs_node), PYTHON])
def test_each_stack_has_the_faults_that_are_stated(stack: str) -> None:
    """No fault is without a statement of what it breaks, and none is stated that cannot be made."""
    assert set(listed(stack)["faults"]) == {name for name, fault in FAULTS.items() if stack in fault.stacks}


@needs_node
def test_the_stacks_have_the_same_habits() -> None:
    """A habit that one stack has is one of the other too, but for those that its library makes possible."""
    assert set(listed(JAVASCRIPT)["habits"]) ^ set(listed(PYTHON)["habits"]) == {
        "own-http-session",  # python-socketio
        "volatile",
        "patient-retries",
        "knows-what-it-does-not-know",
    }


def test_the_lock_names_no_registry() -> None:
    """The packages can be had from the registry, of whatever name, that npm is set up for."""
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_each_requirement_for_clients_has_a_fault() -> None:
    """None goes without, and no fault breaks anything else; each fault says how it comes about."""
    requirements = Catalogue.load().requirements.values()
    assert {fault.breaks for fault in FAULTS.values()} == {each.id for each in requirements if each.side == "client"}
    assert all(fault.claim.endswith(".") for fault in FAULTS.values())
