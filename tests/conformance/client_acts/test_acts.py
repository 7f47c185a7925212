"""The acts fit the requirements for clients, and are chosen by name."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.client_acts.acts import acts, chosen_acts
from dungeonlab_spec import Catalogue


def test_each_act_has_a_name_of_its_own() -> None:
    """No two are called alike, and the ordinary one comes first."""
    names = [act.name for act in acts()]
    assert len(set(names)) == len(names)
    assert names[0] == "ordinary"


def test_the_acts_are_about_every_requirement_for_clients() -> None:
    """Each requirement for clients has an act that gives a client the opportunity to break it, and no other has."""
    wanted = {row.id for row in Catalogue.load().requirements.values() if row.side == "client"}
    assert {name for act in acts() for name in act.about} == wanted


def test_every_code_is_tried_with_which_a_request_may_be_refused() -> None:
    """Of requests that a client sends to a session it has joined."""
    codes = {act.name.partition("/")[2] for act in acts() if act.family == "refused"}
    events = [event for event in Catalogue.load().events.values() if "joined" in event.needs]
    assert codes == {code for event in events for code in event.refusals}


def test_acts_are_chosen_by_name_or_family() -> None:
    """A family stands for all its acts; they come in the order of the list, each once."""
    assert [act.name for act in chosen_acts(["removed", "cut-off", "cut-off/fin"])] == [
        "cut-off/fin",
        "cut-off/rst",
        "cut-off/silence",
        "removed",
    ]
    assert [act.name for act in chosen_acts([])] == [act.name for act in acts()]


def test_an_act_that_is_not_there_is_said_with_what_may_be_meant() -> None:
    """A name of nothing is a `ValueError`."""
    with pytest.raises(ValueError, match=r"no act 'remove'; did you mean removed\?"):
        chosen_acts(["remove"])
