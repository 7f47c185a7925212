"""The catalogue and the requirements hold together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from tests.spec.constraints import read, whole

from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import SELECTORS, definitions, examples, resolve
from dungeonlab_spec.payloads import payloads
from dungeonlab_spec.pointer import at

CATALOGUE = Catalogue.load()
PINNED = Path(__file__).with_name("pinned_ids.txt")


@pytest.mark.parametrize(
    ("data", "schema"),
    [("events.json", "catalogue.schema.json"), ("requirements.json", "requirements.schema.json")],
)
def test_the_data_fits_its_own_schema(data: str, schema: str) -> None:
    """Both data files are valid against their schemas, and name them."""
    assert list(Draft202012Validator(read(schema)).iter_errors(read(data))) == []
    assert jsonschema_rs.Draft202012Validator(read(schema)).is_valid(read(data))
    assert read(data)["$schema"] == schema


def test_requirement_ids_are_unique() -> None:
    """No id stands twice: the loaded mapping would hide it."""
    rows = read("requirements.json")["requirements"]
    assert len(CATALOGUE.requirements) == len(rows)


def test_event_names_are_unique() -> None:
    """No event stands twice."""
    assert len(CATALOGUE.events) == len(read("events.json")["events"])


def test_no_published_id_is_gone() -> None:
    """An id once pinned stays; people's lists of known failures refer to it."""
    pinned = PINNED.read_text("utf-8").split()
    assert set(pinned) <= CATALOGUE.requirements.keys()
    assert pinned == sorted(set(pinned))


def test_each_id_is_pinned() -> None:
    """A new id is pinned in the change that brings it: add it to pinned_ids.txt."""
    assert CATALOGUE.requirements.keys() <= set(PINNED.read_text("utf-8").split())


def test_the_level_is_the_word_in_the_sentence() -> None:
    """A sentence says MUST, SHOULD or MAY, and only the one of its level."""
    for requirement in CATALOGUE.requirements.values():
        words = set(re.findall(r"\b(MUST|SHOULD|MAY)\b", requirement.sentence))
        assert words == {requirement.level}, requirement.id


def test_client_requirements_are_those_of_their_area() -> None:
    """What is for clients is what the area of that name demands, once each."""
    for requirement in CATALOGUE.requirements.values():
        assert (requirement.side == "client") == (requirement.area == "client"), requirement.id
        assert requirement.side == "server" or requirement.each is None, requirement.id


def test_each_requirement_applies_to_an_event() -> None:
    """No requirement is judged for nothing at all."""
    for requirement in CATALOGUE.requirements.values():
        assert CATALOGUE.events_for(requirement), requirement.id


def test_selectors_are_the_schemas() -> None:
    """The schema of the requirements allows what the code can select, and nothing else."""
    allowed: list[Any] = read("requirements.schema.json")["properties"]["requirements"]["items"]["properties"]["each"][
        "enum"
    ]
    assert {name for name in allowed if name is not None} == SELECTORS.keys()


@pytest.mark.parametrize(
    "reference",
    sorted({p.reference for p in payloads()} | {CATALOGUE.name}),
    ids=lambda r: r.partition("$defs/")[2],
)
def test_each_reference_of_the_catalogue_leads_somewhere(reference: str) -> None:
    """A reference leads to a definition which carries its own name as its title."""
    definition, file = resolve(reference)
    assert definition["title"] == reference.rpartition("/")[2]
    assert file in definitions()


def test_codes_are_those_of_the_error_schema() -> None:
    """The codes an event may be refused with are all that the error code's schema knows."""
    codes = set(whole("identifiers.json#/$defs/ErrorCode")["enum"])
    assert {code for event in CATALOGUE for code in event.refusals} == codes


def test_a_need_has_its_refusal() -> None:
    """What an event needs, it can be refused for; and any request may be invalid, too many, or unlucky."""
    wanted = {
        "membership": {"SESSION_NOT_FOUND", "PERMISSION_DENIED"},
        "joined": {"NOT_JOINED"},
        "encounter": {"ENCOUNTER_NOT_FOUND"},
        "token": {"TOKEN_NOT_FOUND"},
    }
    for event in CATALOGUE.requests():
        for need in event.needs:
            assert wanted[need] <= set(event.refusals), event.name
        assert {"VALIDATION_ERROR", "RATE_LIMITED", "INTERNAL_ERROR"} <= set(event.refusals), event.name


def test_a_mark_points_at_a_value_of_the_request() -> None:
    """Each broadcast event has a mark, and its smallest request has a value there."""
    for event in CATALOGUE:
        assert (event.mark is not None) == event.is_broadcast, event.name
        if event.mark is not None:
            assert isinstance(at(examples(event.name, "valid")["minimal"], event.mark), str | int), event.name


def test_session_events_name_their_session() -> None:
    """Each request in a session, and each emission to one, requires a sessionId."""
    for event in CATALOGUE:
        for reference in (event.request, event.emission):
            if event.scope == "session" and reference is not None:
                assert "sessionId" in whole(reference)["required"], event.name


def test_the_catalogue_is_read_only() -> None:
    """Anyone who loads the catalogue shares it, and cannot change it."""
    assert Catalogue.load() is CATALOGUE
    with pytest.raises(TypeError):
        CATALOGUE.events["x"] = CATALOGUE["error"]  # type: ignore[index]


def test_an_event_is_found_by_its_name() -> None:
    """Indexing finds an event, membership says whether there is one, and an unknown name is a KeyError."""
    assert CATALOGUE["token:move"].name == "token:move"
    assert "token:move" in CATALOGUE
    assert "tokenMove" not in CATALOGUE
    with pytest.raises(KeyError, match="tokenMove"):
        CATALOGUE["tokenMove"]


def test_events_for_follows_the_selector() -> None:
    """A requirement judged once stands for no event; one judged for each token event stands for these."""
    once = CATALOGUE.requirements["chat/blank-refused"]
    each = CATALOGUE.requirements["tokens/version-grows"]
    assert CATALOGUE.events_for(once) == (None,)
    assert [event.name for event in CATALOGUE.events_for(each) if event] == ["token:move", "token:update"]


def test_an_unknown_reference_is_a_key_error() -> None:
    """A reference to no file or no definition says so."""
    for reference in ("nowhere.json#/$defs/Name", "token.json#/$defs/Nobody"):
        with pytest.raises(KeyError):
            resolve(reference)


def test_names_follow_the_grammar() -> None:
    """The catalogue's names fit the grammar it hands out; camelCase, capitals and second colons do not."""
    grammar = jsonschema_rs.Draft202012Validator(whole(CATALOGUE.name))
    assert all(grammar.is_valid(event.name) for event in CATALOGUE)
    for wrong in (
        "tokenMove",
        "Token:move",
        "token:move:fast",
        "token-",
        "-token",
        "token--move",
        "to ken",
        "",
        ":",
    ):
        assert not grammar.is_valid(wrong), wrong
