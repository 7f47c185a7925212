"""A play is data: it goes to JSON and back, and can be put in words."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.plays.acts import Act, Play


def test_a_play_comes_back_from_json_as_it_was() -> None:
    """Only what is not as usual is written, and nothing gets lost."""
    acts = (
        Act("connect", "alice/2", transport="polling"),
        Act("send", "alice/2", event="token:move", token="t1", callback=False, together=True),
    )
    play = Play("tabs", acts)
    found = play.to_json()
    assert found["acts"][0] == {"does": "connect", "tab": "alice/2", "transport": "polling"}
    assert Play.from_json(found) == play


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"does": "fly"}, "no act does 'fly'"),
        ({"does": "send", "wings": 2}, "an act has no 'wings'"),
        ({"does": "send", "callback": "yes"}, "callback of an act is true or false, not 'yes'"),
        ({"does": "send", "tab": 3}, "tab of an act is a text, not 3"),
        ({}, "no act does None"),
    ],
)
def test_what_is_no_act_is_refused(found: dict[str, object], said: str) -> None:
    """One sentence says what is wrong with it."""
    with pytest.raises(ValueError, match=said):
        Act.from_json(found)


def test_what_is_no_play_is_refused() -> None:
    """A play has a name and a list of acts."""
    with pytest.raises(ValueError, match="a name, and a list of acts"):
        Play.from_json({"name": "x"})


def test_an_act_can_be_put_in_words() -> None:
    """It says who does what to what, without what is as usual."""
    move = Act("send", "bob/2", event="token:move", session="there", token="t2", payload="full", callback=False)
    assert str(move) == "bob/2 token:move in there token t2 with full without a callback"
    assert Act("remove", "bob").role == "bob"
