"""Requests built from examples: valid with any ids, known again by their marks, and refused where they should be."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.payloads.ids import ids_of
from dungeonlab_conformance.payloads.refused import for_something_unknown, malformed, unknown_id
from dungeonlab_conformance.payloads.requests import edge_payloads, in_full, needed_ids, profile_request, valid_request
from dungeonlab_conformance.record.marks import contains
from dungeonlab_spec import Catalogue, Event, validate
from dungeonlab_spec.catalogue import examples

REQUESTS = [event for event in Catalogue.load() if event.request]
IDS = {"sessionId": "s-1", "encounterId": "e-1", "tokenId": "t-1"}

each = pytest.mark.parametrize("event", REQUESTS, ids=lambda event: event.name)


@each
def test_a_valid_request_has_the_stages_ids_and_fits_its_schema(event: Event) -> None:
    """Those that the event needs, and no others."""
    request = valid_request(event, IDS)
    assert not validate(event.name, request.args[0], "request")
    assert ids_of(request.args[0]) == {name: IDS[name] for name in needed_ids(event)}
    assert request.session == "s-1"


@each
def test_a_request_that_is_broadcast_carries_a_mark(event: Event) -> None:
    """One of its own, unless a token is what it is known by."""
    one, other = valid_request(event, IDS), valid_request(event, IDS)
    assert (one.mark is not None) == (event.mark is not None)
    if one.mark is not None:
        assert contains(one.args, one.mark)
        assert (one.mark == other.mark) == (event.mark == "/tokenId")


@each
def test_examples_are_not_changed_by_building_on_them(event: Event) -> None:
    """Every request starts from the same one."""
    valid_request(event, IDS)
    for _, payload in edge_payloads(event):
        payload.clear()
    assert ids_of(valid_request(event, {**IDS, "sessionId": "s-2"}).args[0]).get("sessionId") in (None, "s-2")
    assert all(payload or event.name == "get-user-data" for _, payload in edge_payloads(event))


@pytest.mark.parametrize("event", [e for e in REQUESTS if "full" in examples(e.name, "valid")], ids=lambda e: e.name)
def test_in_full_keeps_ids_and_mark(event: Event) -> None:
    """And is as valid as before."""
    request = valid_request(event, IDS)
    full = in_full(request)
    assert not validate(event.name, full.args[0], "request")
    assert full.mark == request.mark
    assert ids_of(full.args[0]) == ids_of(request.args[0])


@each
def test_what_is_malformed_fits_no_schema(event: Event) -> None:
    """It is a text, and says of itself that it is not legal."""
    request = malformed(event)
    assert validate(event.name, request.args[0], "request")
    assert not request.legal


@each
def test_what_asks_for_something_unknown_is_valid(event: Event) -> None:
    """What it asks for has an id that nothing else has; no broadcast of it is to be recognised."""
    valid = valid_request(event, IDS)
    request = for_something_unknown(event, valid)
    assert not validate(event.name, request.args[0], "request")
    assert request.args[0] != valid.args[0]
    assert request.mark is None


def test_unknown_ids_differ() -> None:
    """Or one scene's could be another's."""
    assert unknown_id("session") != unknown_id("session")


def test_a_profile_is_ones_own_unless_a_user_is_named() -> None:
    """Both without a session."""
    assert profile_request().args == ({},)
    assert profile_request("u").args == ({"userId": "u"},)
