"""A broadcast carries what its request asked for, defaults and the server's own fields aside."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.content import differences, unlike
from dungeonlab_conformance.payloads.invalid import SHAPES, invalid_requests
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.marks import carries, contains, new_mark
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_spec import Catalogue, Event, accepts
from dungeonlab_spec.catalogue import examples


def found(event: str, asked: Any, came: Any) -> list[str]:
    """Return the paths at which a broadcast differs from its request."""
    request = Request(event, (asked,), None, "s")
    seen = Observation(1, 0.0, "bob", 1, "hears", event, Arguments((came,)))
    return [path for path, _, _ in differences(request, seen)]


CHAT = {"sessionId": "s", "message": "hello"}
MOVE: dict[str, Any] = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": 1, "y": 2}}
DRAFT: dict[str, Any] = {
    "sessionId": "s",
    "encounterId": "e",
    "token": {"name": "Goblin", "position": {"x": 1, "y": 2}},
}
UPDATE = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "updates": {"isVisible": False}}


def test_what_the_server_adds_is_no_difference() -> None:
    """Ids, times, versions, the sender, and defaults for what was left out."""
    assert found("chat-message", CHAT, {**CHAT, "messageId": "m", "userId": "u", "timestamp": "now"}) == []
    sent = {**MOVE, "position": {"x": 1, "y": 2, "elevation": 0}, "version": 2}
    assert found("token:move", MOVE, sent) == []
    assert found("token:create", DRAFT, {**DRAFT, "token": {**DRAFT["token"], "id": "t", "size": "medium"}}) == []


def test_what_was_asked_and_came_otherwise_is_one() -> None:
    """Changed, or missing."""
    assert found("chat-message", CHAT, {**CHAT, "message": "Hello"}) == ["$.message"]
    assert found("chat-message", CHAT, {"sessionId": "s"}) == ["$.message"]
    assert found("token:move", MOVE, {**MOVE, "position": {"x": 1, "y": 3}}) == ["$.position.y"]
    assert found("token:move", MOVE, {**MOVE, "encounterId": "f"}) == ["$.encounterId"]


def test_an_update_is_looked_for_in_the_token() -> None:
    """Its broadcast tells the whole token, and not the update."""
    assert found("token:update", UPDATE, {"tokenId": "t", "encounterId": "e", "token": {"isVisible": False}}) == []
    assert found("token:update", UPDATE, {"tokenId": "t", "encounterId": "e", "token": {"isVisible": True}})


@pytest.mark.parametrize(("asked", "came"), [(0, 0.0), (2.5, 2.5), (1, 1.0), (-1.5, -1.5)])
def test_numbers_are_alike_by_value(asked: float, came: float) -> None:
    """JSON knows one kind of number: 0 may come back as 0.0."""
    asks = {**MOVE, "position": {"x": 1, "y": 2, "elevation": asked}}
    assert found("token:move", asks, {**MOVE, "position": {"x": 1, "y": 2, "elevation": came}}) == []


def test_unknown_properties_are_not_missed() -> None:
    """They must not come back; nor is the session, which has a rule of its own."""
    assert found("chat-message", {**CHAT, "glow": 1}, CHAT) == []
    assert found("chat-message", CHAT, {**CHAT, "sessionId": "other"}) == []


def test_free_data_is_compared_as_a_whole() -> None:
    """What is inside it is the client's business, and must all come back, and nothing else."""
    asks = {**DRAFT, "token": {**DRAFT["token"], "data": {"hp": 7}}}
    same: dict[str, Any] = {**DRAFT, "token": {**DRAFT["token"], "data": {"hp": 7}}}
    assert found("token:create", asks, same) == []
    same["token"]["data"] = {"hp": 7, "mp": 1}
    assert found("token:create", asks, same) == ["$.token.data"]


@pytest.mark.parametrize("came", [None, "text", 5, [CHAT]], ids=str)
def test_what_is_no_object_is_left_to_its_shape(came: Any) -> None:
    """There is nothing to compare."""
    assert found("chat-message", CHAT, came) == []


# -- marks ---------------------------------------------------------------------------------------------


def test_a_mark_is_new_each_time() -> None:
    """As a text or as a number, and no mark is part of another."""
    texts = [new_mark() for _ in range(100)]
    assert not [(a, b) for a in texts for b in texts if a != b and a in b]
    assert len({new_mark(0) for _ in range(100)}) == 100


def test_a_mark_is_found_at_any_depth() -> None:
    """In text as part of it, unless it is an id, as a number by its value; true is no number."""
    assert contains(({"a": [{"b": "xmark-1."}]},), "mark-1.")
    assert contains(({"tokenId": "figure-4"},), "figure-4")
    assert not contains(({"tokenId": "figure-49"},), "figure-4")
    assert contains(({"a": {"x": 100_001}},), 100_001)
    assert contains(({"a": {"x": 100_001.0}},), 100_001)
    assert not contains(({"a": True},), 1)
    assert not contains(({"a": "100001"},), 100_001)


# -- invalid requests ----------------------------------------------------------------------------------

requests = pytest.mark.parametrize("event", Catalogue.load().requests(), ids=lambda event: event.name)


def valid(event: Event) -> Request:
    """Return a valid request with ids of its own."""
    ids = {"sessionId": "here", "encounterId": "there", "tokenId": "that"}
    minimal = dict(examples(event.name, "valid")["minimal"])
    return Request(event.name, ({k: ids.get(k, v) for k, v in minimal.items()},), None, "here")


@requests
def test_each_invalid_request_is_invalid(event: Event) -> None:
    """By its arguments' number, or by the one argument."""
    assert event.request is not None
    wrong = list(invalid_requests(event, valid(event)))
    assert not [w.name for w in wrong if len(w.request.args) == 1 and accepts(event.request, w.request.args[0])]
    assert not [w.name for w in wrong if w.request.legal]


@requests
def test_each_shape_is_gone_wrong(event: Event) -> None:
    """Every requirement about the shape of a request has a request that breaks it."""
    shown = {wrong.requirement for wrong in invalid_requests(event, valid(event))}
    required = {"payloads/required-field-missing"} if event.name == "get-user-data" else set()
    assert shown == set(SHAPES) - required


@requests
def test_an_invalid_request_carries_the_ids_of_its_stage(event: Event) -> None:
    """The ids of the stage stand in it, where they are not the fault: it is refused for nothing else."""
    for wrong in invalid_requests(event, valid(event)):
        body = wrong.request.args[0] if wrong.request.args else None
        if isinstance(body, dict):
            assert not {"session-1", "encounter-1", "token-1"} & {v for v in body.values() if isinstance(v, str)}


def test_an_invalid_request_has_a_mark_if_it_has_room_for_one() -> None:
    """A mark of its own where the marked property is in order, and none where that is what is wrong."""
    wrong = {w.name: w.request for w in invalid_requests(Catalogue.load()["chat-message"], valid_chat())}
    marked = wrong["missing-sessionId"]
    assert marked.mark is not None
    assert contains(marked.args, marked.mark)
    assert wrong["missing-message"].mark is None
    assert wrong["wrong-type-message"].mark is None


def valid_chat() -> Request:
    """Return a message with a mark."""
    mark = new_mark()
    return Request("chat-message", ({"sessionId": "here", "message": mark},), mark, "here")


@pytest.mark.parametrize(
    ("body", "is_it"),
    [
        ({"tokenId": "7", "userId": "8"}, True),
        ({"tokenId": "8", "userId": "7", "encounterId": "7"}, False),
        ({"token": {"id": "7"}, "tokenId": 5}, True),
        ({"token": {"id": "8", "createdBy": "7"}}, False),
        ({"userId": "7"}, True),  # a broadcast that names no token; then it may stand anywhere
    ],
)
def test_an_id_is_looked_for_where_a_token_is_named(body: dict[str, object], is_it: bool) -> None:
    """The same number may be the id of a user or an encounter."""
    request = Request("token:delete", ({"tokenId": "7"},), "7", "1")
    seen = Observation(1, 0.0, "bob", 1, "hears", "token:delete", Arguments((body,)))
    assert carries(seen, request) is is_it


TOKEN: dict[str, Any] = {"position": {"x": 1, "y": 2, "elevation": 0}, "name": "Goblin"}


@pytest.mark.parametrize(
    ("came", "expected", "got", "path"),
    [
        ({**TOKEN, "position": {"x": 1, "y": 3, "elevation": 0}}, "2 as before", "3", "$.token.position.y"),
        ({**TOKEN, "position": {"x": 1, "y": 2}}, "0 as before", "nothing", "$.token.position.elevation"),
        (
            {**TOKEN, "position": {"x": 8, "y": 9, "elevation": 0}},
            "{'x': 1, 'y': 2} as before",
            "{'x': 8, 'y': 9}",
            "$.token.position",
        ),
        ({**TOKEN, "secret": [1]}, "nothing as before", "[1]", "$.token.secret"),
        ([1], f"{TOKEN} as before", "[1]", "$.token"),
    ],
)
def test_a_difference_is_shown_without_what_is_alike(came: Any, expected: str, got: str, path: str) -> None:
    """At the one property that differs, or at what holds all that do."""
    broken = unlike(TOKEN, came, "$.token", "as before")
    assert (broken.expected, broken.got, broken.path) == (expected, got, path)


def test_a_difference_that_lies_deep_is_found_no_deeper_than_it_is_read() -> None:
    """A server may nest what it likes."""
    one, other = {"a": 1}, {"a": 2}
    for _ in range(500):
        one, other = {"a": one}, {"a": other}  # type: ignore[dict-item]
    assert unlike(one, other, "$").path == "$" + 8 * ".a"
