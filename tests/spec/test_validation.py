"""The judging of a payload explains itself, and withstands whatever is thrown at it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from dungeonlab_spec import Violation, accepts, validate
from dungeonlab_spec.catalogue import examples
from dungeonlab_spec.payloads import Payload, payloads
from dungeonlab_spec.validation import broken_rule, violations

CREATE = "token.json#/$defs/TokenCreateRequest"


def changed(event: str, direction: Any, path: str, value: object = ...) -> Any:
    """Return a fresh copy of an event's full example with one value set, or taken away."""
    found = examples(event, "valid", direction)
    payload = json.loads(json.dumps(found.get("full", found.get("minimal", found.get("typical")))))
    *way, last = path.split(".")
    here = payload
    for part in way:
        here = here[int(part)] if part.isdigit() else here[part]
    if value is ...:
        del here[last]
    elif isinstance(here, list):
        here[int(last)] = value
    else:
        here[last] = value
    return payload


@pytest.mark.parametrize(
    ("event", "direction", "path", "value", "expected", "got"),
    [
        ("token:create", "request", "token.name", ..., "a value", "missing"),
        ("token:create", "ack", "data.token.secret", 7, "no such property", "7"),
        ("token:create", "request", "token.position.x", "3", "type integer", 'string "3"'),
        ("token:create", "request", "token.position.x", None, "type integer", "null null"),
        ("token:create", "request", "token.position.x", True, "type integer", "boolean true"),
        ("token:create", "request", "token.position.x", 1.5, "type integer", "number 1.5"),
        ("token:create", "request", "token.data", [1], "type object", "array [1]"),
        ("token:create", "request", "token.name", {}, "type string", "object {}"),
        ("token:create", "request", "token.name", "", "at least 1 characters", '0: ""'),
        ("token:create", "request", "token.position.x", -1, "at least 0", "-1"),
        ("token:create", "request", "token.conditions[0].duration", -1, "at least 0", "-1"),
        ("token:create", "request", "token.size", "vast", "one of tiny, small, medium", '"vast"'),
        ("chat-message", "request", "sessionId", "a b", "text that matches ^[A-Za-z0-9_-]+$", '"a b"'),
        ("chat-message", "emission", "timestamp", "2026-02-30T00:00:00Z", "a date-time", "2026-02-30"),
        ("chat-message", "ack", "success", 1, "true", "1"),
        ("validate-action", "ack", "data.errors", ["no"], "at most 0 items", '1: ["no"]'),
        ("validate-action", "ack", "data.valid", False, "at least 1 items", "0: []"),
        ("join-session", "ack", "data.participantIds", ["a", "a"], "no two items alike", '["a", "a"]'),
        (
            "token:update",
            "request",
            "updates",
            {},
            "at least one of name, imageUrl, size, isVisible, data",
            "{}",
        ),
    ],
)
def test_a_violation_says_where_what_and_instead(
    event: str, direction: Any, path: str, value: object, expected: str, got: str
) -> None:
    """Each kind of violation names the JSON path, what was expected there, and what came."""
    payload = changed(event, direction, path.replace("[", ".").replace("]", ""), value)
    (violation,) = validate(event, payload, direction)
    result = "data.errors" if path == "data.valid" else path
    assert violation.path == f"$.{result}"
    assert expected in violation.expected
    assert got in violation.got
    assert str(violation) == f"$.{result}: expected {violation.expected}, got {violation.got}"


def test_all_violations_are_reported() -> None:
    """Two faults give two violations, in order of their paths."""
    payload = changed("token:create", "request", "token.name")
    payload["encounterId"] = 7
    assert [v.path for v in validate("token:create", payload, "request")] == ["$.encounterId", "$.token.name"]


def test_a_long_value_is_cut_short() -> None:
    """A message does not repeat more of a payload than a reader can take in."""
    (violation,) = validate("chat-message", changed("chat-message", "request", "message", "x" * 5000), "request")
    assert violation.expected == "at most 2000 characters"
    assert len(violation.got) < 250


@pytest.mark.parametrize("payload", payloads(), ids=str)
def test_each_invalid_example_is_explained(payload: Payload) -> None:
    """No refusal falls back on naming the schema alone."""
    for name, example in payload.examples("invalid").items():
        result = violations(payload.reference, example)
        assert result, name
        assert all(isinstance(v, Violation) and "valid against" not in v.expected for v in result), name


def test_a_failure_is_held_against_the_failure_envelope() -> None:
    """An acknowledgement that says it failed is judged as a failure, whatever the event."""
    failure = {"success": False, "error": "Not here", "code": "NOT_JOINED"}
    assert validate("token:move", failure, "ack") == []
    (violation,) = validate("token:move", {**failure, "code": "WHATEVER"}, "ack")
    assert violation.path == "$.code"


def circular() -> Any:
    """Return a list that holds itself, twice."""
    inner: list[Any] = []
    inner += [inner, inner]
    return inner


def nested(levels: int) -> Any:
    """Return so many lists, one in the other."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ODD: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"\x00\xff",
    "bytearray": lambda: bytearray(b"x"),
    "lone surrogate": lambda: "\ud800",
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "circular": circular,
    "number as key": lambda: {1: {b"x": 2}, "y": set()},
    "bytes as key": lambda: {b"x": 1},
    "surrogate as key": lambda: {"\udfff": 1},
    "set": lambda: {1},
    "mapping that is no dict": lambda: MappingProxyType({}),
    "object": object,
    "class": lambda: dict,
    "complex": lambda: 1j,
}
odd = pytest.mark.parametrize("kind", ODD)


@odd
@pytest.mark.parametrize("event", ["token:create", "chat-message", "get-user-data"])
def test_a_payload_that_is_not_json_is_refused(event: str, kind: str) -> None:
    """What JSON cannot hold is refused with a reason that can be printed; nothing is raised."""
    result = validate(event, ODD[kind](), "request")
    assert result
    assert "\n".join(map(str, result)).encode()


@odd
def test_not_even_free_data_may_hold_what_is_not_json(kind: str) -> None:
    """The schema leaves a token's data free, and still it must be JSON: it is stored and sent to others."""
    result = validate("token:create", changed("token:create", "request", "token.data", {"x": ODD[kind]()}), "request")
    assert result
    assert "\n".join(map(str, result)).encode()


@odd
def test_an_odd_value_in_place_of_a_typed_one_is_refused(kind: str) -> None:
    """The same values are refused where the schema does look."""
    result = validate("token:create", changed("token:create", "request", "token.name", ODD[kind]()), "request")
    assert result
    assert all(v.path.startswith("$.token.name") for v in result)


def test_what_is_deep_yet_sound_is_accepted() -> None:
    """Depth alone is no fault where the schema leaves the value free."""
    payload = changed("token:create", "request", "token.data", {"x": nested(200)})
    assert validate("token:create", payload, "request") == []


@pytest.mark.parametrize("levels", [2_000, 200_000])
def test_no_depth_is_too_much_for_the_judge(levels: int) -> None:
    """Where the schema looks, depth is refused; where it leaves the value free, depth is no fault; none raises."""
    assert validate("chat-message", nested(levels), "request")
    assert validate("token:create", changed("token:create", "request", "token.name", nested(levels)), "request")
    assert not validate(
        "token:create", changed("token:create", "request", "token.data", {"x": nested(levels)}), "request"
    )


@pytest.mark.parametrize("levels", [200, 200_000])
def test_what_is_deep_and_wrong_is_explained(levels: int) -> None:
    """What lies deep where it may does not hide what is wrong elsewhere, nor is it blamed for it."""
    payload = changed("token:create", "request", "token.data", {"x": nested(levels)})
    del payload["token"]["name"]
    (violation,) = validate("token:create", payload, "request")
    assert (violation.path, violation.expected) == ("$.token.name", "a value")


@pytest.mark.parametrize("odd", [b"x", "\ud800", float("nan")], ids=repr)
def test_what_is_no_json_is_found_at_any_depth(odd: object) -> None:
    """A message says what it is, at a path that can be read."""
    value: object = odd
    for _ in range(50_000):
        value = [value]
    payload = changed("token:create", "request", "token.data", {"x": value})
    (violation,) = validate("token:create", payload, "request")
    assert violation.path.startswith("$.token.data.x[0][0]")
    assert len(violation.path) < 300


@pytest.mark.parametrize("number", [10**10_000, -(10**10_000)], ids=["large", "small"])
def test_an_integer_of_ten_thousand_digits_is_judged(number: int) -> None:
    """Python can neither write nor compare it as text; where a number may stand it is one, elsewhere it is shown."""
    free = changed("token:create", "request", "token.data", {"x": number})
    assert validate("token:create", free, "request") == []
    (violation,) = validate("token:create", changed("token:create", "request", "token.name", number), "request")
    assert violation.expected == "type string"
    assert len(violation.got) < 250
    result = validate("token:create", changed("token:create", "request", "token.position.x", number), "request")
    assert [v.expected for v in result] == ([] if number > 0 else ["at least 0"])


def test_a_list_of_many_kinds_is_judged_fast() -> None:
    """Whether values are unlike each other is found out for as many as a person would read of."""
    payload = changed("join-session", "ack", "data.participantIds", [i if i % 2 else {"a": i} for i in range(40_000)])
    assert 1 <= len(validate("join-session", payload, "ack")) <= 50


def test_a_fault_beyond_what_is_explained_is_reported() -> None:
    """The ten-thousandth item of a list is wrong; that is a violation as well, where it is."""
    payload = changed("join-session", "ack", "data.participantIds", [*(f"u{i}" for i in range(10_000)), 5])
    (violation,) = validate("join-session", payload, "ack")
    assert "[10000]" in violation.got


def test_wide_payloads_are_judged() -> None:
    """A hundred thousand values beside each other are no trouble."""
    payload = changed("token:create", "request", "token.data", {"x": list(range(100_000))})
    assert validate("token:create", payload, "request") == []
    payload["token"]["name"] = None
    assert [v.path for v in validate("token:create", payload, "request")] == ["$.token.name"]


def test_a_long_name_is_not_repeated_for_each_value_below_it() -> None:
    """A name of a million letters over twenty thousand odd values: their paths alone would take 20 GB."""
    payload = changed("chat-message", "emission", "extra", {"k" * 1_000_000: {str(i): 0 for i in range(20_000)}})
    assert [v.expected for v in validate("chat-message", payload, "emission")] == ["no such property"]


@pytest.mark.parametrize(
    ("event", "direction", "said"),
    [
        ("tokenMove", "request", "there is no event 'tokenMove' in the catalogue; did you mean token:move?"),
        ("chat", "request", "there is no event 'chat' in the catalogue; did you mean chat-message?"),
        ("chat-message", "reqest", "there is no direction 'reqest'; did you mean request?"),
        ("chat-message", "response", "there is no direction 'response'; there is request, ack, emission"),
        ("chat-message", "x", "there is no direction 'x'; there is request, ack, emission"),
        ("error", "ack", "error has no ack; it has emission"),
        ("join-session", "emission", "join-session has no emission; it has request, ack"),
        ("error", "reqest", "there is no direction 'reqest'; there is emission"),
        ("q" * 100_000, "request", "there is no event 'qqqqqq"),
        (None, "request", "there is no event (a NoneType)"),
        ("chat-message", ["request"], "there is no direction (a list)"),
    ],
)
def test_a_misspelt_question_is_a_value_error(event: Any, direction: Any, said: str) -> None:
    """The caller's mistake, not the payload's: one sentence says what is wrong, and what may be meant."""
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        validate(event, {}, direction)
    assert len(str(raised.value)) < 400
    assert isinstance(raised.value, LookupError)  # as it was before


@pytest.mark.parametrize(
    ("event", "direction", "payload", "pointer"),
    [
        ("token:create", "request", {"sessionId": "s", "encounterId": "e", "token": {"position": {}}}, "/token/name"),
        ("token:create", "request", {"sessionId": "s", "encounterId": "e", "token": {"name": "a"}}, "/token/position"),
        ("chat-message", "emission", {"a/b~c": 1}, "/a~1b~0c"),
        ("chat-message", "request", [], ""),
        ("join-session", "ack", {"success": True, "data": {"participantIds": ["a", 5]}}, "/data/participantIds/1"),
        ("token:create", "request", {"token": {"data": {"a/b": [0, float("nan")]}}}, "/token/data/a~1b/1"),
        ("chat-message", "request", {"x": {"\ud800": 1}}, "/x"),
    ],
)
def test_a_violation_has_its_place_as_a_pointer(event: str, direction: Any, payload: Any, pointer: str) -> None:
    """Of what is missing or too much, where it would stand or stands."""
    assert pointer in [violation.pointer for violation in validate(event, payload, direction)]


def test_a_pointer_to_what_is_very_deep_can_be_read() -> None:
    """It ends where the fault is."""
    value: object = float("nan")
    for _ in range(50_000):
        value = [value]
    [violation] = validate("token:create", {"token": {"data": value}}, "request")
    assert violation.pointer == "…" + "/0" * 64


def test_an_unknown_schema_is_a_key_error() -> None:
    """A reference that leads nowhere is not taken for an invalid payload."""
    with pytest.raises(KeyError):
        accepts("token.json#/$defs/Nobody", {})


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("2026-01-02T03:04:05Z", True),
        ("2026-01-02T03:04:05.123456789Z", True),
        ("2024-02-29T00:00:00Z", True),
        ("0000-02-29T00:00:00Z", True),
        ("2023-02-29T00:00:00Z", False),
        ("2026-01-02T03:04:05", False),
        ("2026-01-02T03:04:05+00:00", False),
        ("2026-01-02t03:04:05z", False),
        ("2026-01-02T24:00:00Z", False),
        ("2026-01-02T03:04:05Z\n", False),
        ("٢٠٢٦-01-02T03:04:05Z", False),
    ],
)
def test_both_validators_read_a_time_alike(text: str, sound: bool) -> None:
    """RFC 3339 in UTC with a Z, on a day that exists."""
    from dungeonlab_spec.validation import explainer

    reference = "identifiers.json#/$defs/Timestamp"
    assert accepts(reference, text) is sound
    assert explainer(reference).is_valid(text) is sound


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ({"session_id": "s"}, "session_id"),
        ({"SessionID": "s"}, "SessionID"),
        ({"sesionId": "s", "other": 1}, "sesionId"),
        ({"userId": "u"}, None),  # which is a property of its own
        ({"x": 1, "session_" + "i" * 5000: 1}, None),
    ],
)
def test_a_property_under_another_name_is_named(there: dict[str, Any], named: str | None) -> None:
    """Only one that the schema does not know, and that resembles what is missing."""
    payload = {**changed("chat-message", "emission", "sessionId"), **there}
    found = {violation.path: violation.got for violation in validate("chat-message", payload, "emission")}
    assert found["$.sessionId"] == (f"missing; there is `{named}`" if named else "missing")


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ({"sessionId": "s", "message": "secret" * 1000}, "$.message: maxLength 2000"),
        ({"sessionId": "s", "massage": "secret"}, "$: required message"),
        ({"sessionId": ["secret"], "message": "hi"}, "$.sessionId: type string"),
        ({"sessionId": "a secret", "message": "hi"}, "$.sessionId: pattern ^[A-Za-z0-9_-]+$"),
        (b"secret", "$: JSON"),
        ({"sessionId": "s", "message": "hi", "secret": float("nan")}, "$: JSON"),
    ],
)
def test_a_broken_rule_quotes_nothing_of_the_payload(payload: object, rule: str) -> None:
    """The property and the rule are the schema's: a log may hold them."""
    assert broken_rule("chat.json#/$defs/ChatMessageRequest", payload) == rule
