"""A selection: each value of it selects something, or the sentence about it says why not."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dungeonlab_conformance.runner.selection import Selection, in_vain, judgeable, scenes
from dungeonlab_conformance.text.spelling import did_you_mean
from dungeonlab_spec import Catalogue

CATALOGUE = Catalogue.load()
OFFERED = judgeable(CATALOGUE)
IDS = sorted({requirement.id for requirement, _ in OFFERED if requirement.part is None})
AREAS = sorted({name.partition("/")[0] for name in IDS})
EVENTS = sorted({event.name for _, event in OFFERED if event})


def problem(**values: tuple[str, ...] | str) -> str:
    return in_vain(Selection(**values), CATALOGUE, OFFERED)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [*IDS, *AREAS, "*", "rooms/*", "*/sender-*", "[a-c]*"])
def test_whatever_is_judged_can_be_selected(value: str) -> None:
    """By id, area or glob; and left out of the rest."""
    assert problem(only=(value,)) == ""
    assert problem(without=(value,)) == "" or value == "*"


@pytest.mark.parametrize("value", [*EVENTS, "token:*"])
def test_whatever_is_judged_for_an_event_can_be_selected_by_it(value: str) -> None:
    """By name or glob."""
    assert problem(events=(value,)) == ""


@given(st.sampled_from(IDS), st.data())
def test_one_wrong_letter_is_found_and_mended(name: str, data: st.DataObject) -> None:
    """Wherever it is, alone or beside right names: the sentence quotes it and proposes what is not further away."""
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:place] + data.draw(st.sampled_from(("", "q", "qx"))) + name[place + 1 :]
    assume(wrong != name)  # where there is a q already
    for option, found in (
        ("--only", problem(only=("rooms", wrong, "chat"))),
        ("--except", problem(without=("rooms", wrong))),
    ):
        assert found.startswith(f"{option} {wrong!r} selects no check at all: there is no such"), found
        assert "did you mean " in found


@given(st.text(), st.text())
def test_any_text_is_answered(value: str, event: str) -> None:
    """Selected, or refused in one sentence that quotes it: nothing is dropped in silence, and nothing raises."""
    selection = Selection(only=("rooms", value), events=("chat-message", event))
    found = in_vain(selection, CATALOGUE, OFFERED)
    alone = Selection(only=(value,), events=("chat-message", event)), Selection(only=("rooms", value), events=(event,))
    if not found:
        assert all(scenes(narrowed, CATALOGUE) for narrowed in alone)
    else:
        assert repr(value) in found or repr(event) in found


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"only": ("client/joins-before-it-sends",)}, "it is for clients, which the commands `client` and `tap` judge"),
        ({"only": ("rooms", "client")}, "--only 'client' selects no check at all: it is for clients"),
        ({"without": ("client/*",)}, "--except 'client/*' selects no check at all: it is for clients"),
        ({"only": ("http",)}, "which is judged only with --http"),
        ({"only": ("rooms",), "version": "0.9"}, "version 0.9 of the protocol does not demand it"),
        ({"only": ("rooms", "chat"), "events": ("chat-message",)}, "--only 'chat' selects no check at all"),
        ({"only": ("auth",), "levels": ("MUST", "MAY")}, "--level 'may' selects no check at all"),
        ({"only": ("tokens",), "events": ("token:*", "chat-message")}, "--event 'chat-message' selects no check"),
        ({"only": ("rooms",), "without": ("rooms",)}, "this combination selects no check at all"),
        ({"without": ("*",)}, "this combination selects no check at all"),
        ({"levels": ("MAY",), "only": ("auth",)}, "this combination selects no check at all"),
    ],
)
def test_each_reason_has_its_sentence(values: dict[str, tuple[str, ...]], said: str) -> None:
    """Whose requirement it is, which option it takes, or what leaves nothing of it."""
    assert said in problem(**values)


def test_what_is_left_out_may_take_all_of_a_value() -> None:
    """That is said on purpose; a list of exceptions may well be longer than what is selected."""
    assert problem(only=("rooms", "auth"), without=("auth", "chat")) == ""


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("roms", "did you mean rooms?"),
        ("ROOMS/*", "did you mean rooms?"),
        ("sender-hears-nothing", "did you mean rooms/sender-hears-nothing?"),
        ("room/sender-hears-nothing", "did you mean rooms/sender-hears-nothing?"),
        ("", "`dungeonlab-conformance list` shows what there is"),
        ("zzzzzzzz", "`dungeonlab-conformance list` shows what there is"),
        ("x" * 1_000_000, "`dungeonlab-conformance list` shows what there is"),
    ],
)
def test_a_name_is_proposed_only_if_it_is_near(word: str, said: str) -> None:
    """By letters, whatever their case, or by a part of it; otherwise it is said where all names are."""
    assert did_you_mean(word, [*AREAS, *IDS]) == said
