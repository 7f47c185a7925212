"""Kinds of payloads: each is what its name says, with the stage's ids and a mark, and as legal as the schema says."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.payloads.ids import ids_of
from dungeonlab_conformance.payloads.kinds import CLAIMS, NAMES, TWISTS, kinds_of, payload_of, twist_id, twisted_key
from dungeonlab_conformance.payloads.odd_values import DATA, LARGEST
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_spec import Catalogue, validate

IDS = {"sessionId": "s-1", "encounterId": "e-1", "tokenId": "t-1", "claimedId": "u-1"}
ASKED = ("token:create", "token:move", "token:update", "token:delete")
WHAT = [
    *((event.name, "") for event in Catalogue.load().requests() if event.name != "validate-action"),
    *(("validate-action", action) for action in ASKED),
]

each = pytest.mark.parametrize(("event", "action"), WHAT)


def made(event: str, action: str) -> list[tuple[str, Request]]:
    """Return a request of each kind."""
    return [(kind, payload_of(event, kind, IDS, action=action)) for kind in kinds_of(event, action)]


@each
def test_a_request_is_as_legal_as_its_schema_says(event: str, action: str) -> None:
    """And of a question, the action that it asks about is as well."""
    kinds = kinds_of(event, action)
    assert {True, False} == set(kinds.values())
    for kind, request in made(event, action):
        valid = [len(each.args) == 1 and not validate(each.event, each.args[0], "request") for each in asked(request)]
        assert [each.legal for each in asked(request)] == valid, kind
        assert kinds[kind] == all(valid)


def asked(request: Request) -> list[Request]:
    """Return a request, and the action that it asks about."""
    return [request, request.action] if request.action else [request]


@each
def test_a_legal_request_names_what_the_stage_has(event: str, action: str) -> None:
    """No id of an example is left in it."""
    for kind, request in made(event, action):
        if kinds_of(event, action)[kind]:
            assert set(ids_of(request.args[0]).values()) <= set(IDS.values()), kind
            assert ids_of(request.args[0]).get("sessionId") == (None if event == "get-user-data" else "s-1")


@each
def test_a_mark_is_in_the_request_that_has_one(event: str, action: str) -> None:
    """Of what is broadcast, only the shortest text has no room for it."""
    for kind, request in made(event, action):
        for one in asked(request):
            if one.mark is not None:
                assert contains(one.args, one.mark), kind
            elif Catalogue.load()[one.event].is_broadcast and one.legal:
                assert kind.endswith("-shortest")


def test_a_mark_may_be_given() -> None:
    """A number above 2^31 is counted from there, so that it stays one of its own."""
    assert (
        payload_of("chat-message", "text:markup", IDS, mark="mark-x-7.").args[0]["message"] == "mark-x-7. <b>bold</b>"
    )
    move = payload_of("token:move", "position:x-2^31", IDS, mark=100_007)
    assert move.mark == move.args[0]["position"]["x"] == 2**31 + 100_007
    assert payload_of("token:move", "position:x-2^53", IDS, mark=100_007).args[0]["position"]["x"] < LARGEST


def test_a_request_may_claim_to_come_from_somebody_else() -> None:
    """In all the ways in which clients say who they are; whose profile is asked for stays as it was."""
    claimed = payload_of("chat-message", CLAIMS, IDS).args[0]
    assert (claimed["userId"], claimed["sender"], claimed["user"]) == ("u-1", "u-1", {"id": "u-1"})
    assert "userId" not in payload_of("get-user-data", CLAIMS, IDS).args[0]
    assert payload_of("get-user-data", CLAIMS, {**IDS, "userId": "u-2"}).args[0]["userId"] == "u-2"


def test_two_requests_of_a_kind_share_nothing() -> None:
    """What is done to one payload does not reach the next."""
    payload_of("token:create", "data:nested", IDS).args[0]["token"]["data"].clear()
    assert payload_of("token:create", "data:nested", IDS).args[0]["token"]["data"] == DATA["nested"] != {}


def test_an_unknown_kind_is_refused() -> None:
    """The message names the event and the kind."""
    with pytest.raises(ValueError, match=r"token:delete has no kind of payload 'data:null'"):
        payload_of("token:delete", "data:null", IDS)
    with pytest.raises(ValueError, match="ids have no twist 'bent'"):
        twist_id("t-1", "bent")


@pytest.mark.parametrize("twist", TWISTS)
@pytest.mark.parametrize("found", ["t-1", "7", "_", "A" * 128, "token_x"])
def test_a_twisted_id_is_another_one(found: str, twist: str) -> None:
    """Whatever the id looks like; names of things in programming languages are ids like any other."""
    assert twist_id(found, twist) != found
    assert (twist_id(found, twist) == twist) == (twist in NAMES)


def test_a_twist_alters_the_narrowest_id_or_the_one_it_names() -> None:
    """What the request is about besides stays as it was, and so does the session that it is for."""
    assert twisted_key("token:move", "case") == "tokenId"
    assert (
        twisted_key("token:create", "case") == twisted_key("validate-action", "case", "token:create") == "encounterId"
    )
    assert twisted_key("chat-message", "case") == twisted_key("token:move", "session case") == "sessionId"
    request = payload_of("validate-action", "minimal", IDS, action="token:delete", twist="session case")
    assert request.args[0]["sessionId"] == request.args[0]["action"]["payload"]["sessionId"] == "S-1"
    assert request.args[0]["action"]["payload"]["tokenId"] == "t-1"
    assert request.session == "s-1"
    assert payload_of("get-user-data", "minimal", IDS, twist="constructor").args == ({"userId": "constructor"},)
