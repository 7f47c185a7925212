"""The translation between a server's dialect and the protocol, both ways, and what each difference breaks."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.target.dialect.translation import PLAIN, Dialect, Shape

BARE = Dialect(
    events={"join-session": "joinSession", "token:move": "token:shift"},
    broadcasts={"token:move": "token:moved", "chat-message": "chatMessage", "user-joined": "player:in"},
    arguments={"join-session": ["{sessionId}"], "get-user-data": ["{userId}"]},
    ack=Shape({"ok": "success", "message": "error"}),
    data_at_top_level=True,
    emissions={"chat-message": Shape({"sender": "userId"}), "user-joined": Shape({"who": "userId"})},
)


def test_who_speaks_no_dialect_is_not_translated() -> None:
    """Not a copy: what goes out and comes in is the very same."""
    args: tuple[Any, ...] = ({"sessionId": "s"},)
    assert not PLAIN
    assert PLAIN.request("join-session", args)[1] is args
    assert PLAIN.answer("join-session", args) is args
    assert PLAIN.received("chat-message", args)[1] is args


@pytest.mark.parametrize(
    ("args", "wire"),
    [
        (({"sessionId": "s"},), ("s",)),
        (({"sessionId": 5},), (5,)),
        (({"sessionId": None},), (None,)),
        (({},), ()),
        ((), ()),
        ((None,), (None,)),
        (([],), ([],)),
        ((b"x",), (b"x",)),
        ((7,), (7,)),
        (("text",), ({"text": "text"},)),
        (({"sessionId": "s"}, "more"), ("s", "more")),
    ],
)
def test_a_bare_value_stands_for_the_object(args: tuple[Any, ...], wire: tuple[Any, ...]) -> None:
    """What is wrong with a request stays wrong; a text, which would be right there, becomes an object."""
    assert BARE.request("join-session", args) == ("joinSession", wire)


def test_what_cannot_be_said_in_a_dialect_is_not_judged() -> None:
    """A bare id carries no further property."""
    with pytest.raises(Missing, match=r"'userId' with join-session: \[dialect.arguments\] has no place for it"):
        BARE.request("join-session", ({"sessionId": "s", "userId": "u"},))


def test_no_argument_is_not_judged_where_it_says_something() -> None:
    """Asking for one's own profile takes no property; with bare values that is no argument, and nothing wrong."""
    assert BARE.request("get-user-data", ({},)) == ("get-user-data", ())
    with pytest.raises(Missing, match="get-user-data without an argument"):
        BARE.request("get-user-data", ())


def test_an_action_is_named_as_the_server_knows_it() -> None:
    """Inside validate-action as well; what is no action is left alone."""
    asked = {"sessionId": "s", "action": {"type": "token:move", "payload": {}}}
    _, (sent,) = BARE.request("validate-action", (asked,))
    assert sent == {"sessionId": "s", "action": {"type": "token:shift", "payload": {}}}
    assert asked["action"] == {"type": "token:move", "payload": {}}
    odds: list[Any] = [{"action": None}, {"action": {"type": 5}}, {}, [], None]
    for odd in odds:
        assert BARE.request("validate-action", (odd,))[1] == (odd,)


@pytest.mark.parametrize(
    ("came", "ours"),
    [
        ({"ok": True, "sessionId": "s"}, {"success": True, "data": {"sessionId": "s"}}),
        ({"ok": True}, {"success": True, "data": {}}),
        ({"success": True, "data": {"a": 1}}, {"success": True, "data": {"a": 1}}),
        ({"ok": True, "data": {}, "more": 1}, {"success": True, "data": {"data": {}, "more": 1}}),
        ({"ok": False, "message": "no", "code": "X"}, {"success": False, "error": "no", "code": "X"}),
        ("no", "no"),
        (None, None),
    ],
)
def test_an_acknowledgement_is_put_as_the_protocol_has_it(came: Any, ours: Any) -> None:
    """Properties beside `success` are its data, but for a failure's; a stray one stays, and is found."""
    assert BARE.answer("join-session", (came,)) == (ours,)
    assert BARE.answer("join-session", ()) == ()


def test_what_is_heard_is_called_as_the_protocol_calls_it() -> None:
    """Names and properties; the error event names the request; a name that is no dialect stays."""
    assert BARE.received("token:moved", ({"x": 1},)) == ("token:move", ({"x": 1},))
    assert BARE.received("chatMessage", ({"sender": "u"},)) == ("chat-message", ({"userId": "u"},))
    assert BARE.received("error", ({"event": "joinSession"},)) == ("error", ({"event": "join-session"},))
    assert BARE.received("error", ("bare",)) == ("error", ("bare",))
    assert BARE.received("unheard-of", (1,)) == ("unheard-of", (1,))
    assert BARE.received("chatMessage", ()) == ("chat-message", ())


def seen(act: Act, event: str, args: tuple[Any, ...], wire: tuple[str, tuple[Any, ...]]) -> Journal:
    journal = Journal()
    journal.write("alice", 1, act, event, args, wire=wire)
    return journal


def found(journal: Journal) -> list[tuple[str, str | None]]:
    return [(d.requirement, d.event) for d in deviations(BARE, journal.observations)]


OK = ({"success": True, "data": {}},)


@pytest.mark.parametrize(
    ("journal", "breaks"),
    [
        (
            seen("is answered", "join-session", OK, ("joinSession", OK)),
            [("acks/every-other-request-answers", "join-session"), ("payloads/text", "join-session")],
        ),
        (
            seen("is answered", "token:move", OK, ("token:shift", OK)),
            [("acks/every-token-operation-answers", "token:move")],
        ),
        (
            seen("is answered", "chat-message", OK, ("chat-message", ({"ok": True},))),
            [("acks/success-shape", "chat-message")],
        ),
        (
            seen("is answered", "chat-message", ({"success": False},), ("chat-message", ({"ok": False},))),
            [("acks/failure-shape", "chat-message")],
        ),
        (seen("is answered", "token:move", ({"success": False},), ("token:shift", ({"success": False},))), []),
        (
            seen("hears", "token:move", ({},), ("token:moved", ({},))),
            [("rooms/every-other-member-hears-once", "token:move")],
        ),
        (
            seen("hears", "chat-message", ({"userId": 1},), ("chatMessage", ({"sender": 1},))),
            [("rooms/every-other-member-hears-once", "chat-message"), ("broadcasts/valid-payload", "chat-message")],
        ),
        (
            seen("hears", "user-joined", ({"userId": 1},), ("player:in", ({"who": 1},))),
            [("broadcasts/catalogue-events-only", None), ("broadcasts/server-events-valid", None)],
        ),
        (seen("sends", "join-session", OK, ("joinSession", OK)), []),
        (seen("hears", "token:delete", ({},), ("token:delete", ({},))), []),
    ],
)
def test_each_difference_is_what_it_breaks(journal: Journal, breaks: list[tuple[str, str | None]]) -> None:
    """Only where it showed: in an answer, or in what was heard."""
    assert found(journal) == breaks


# -- other arguments, properties and codes -----------------------------------------------------------

MANY = Dialect(
    broadcasts={"error": "encounter:error"},
    arguments={
        "join-session": ["{sessionId}", "{null}"],
        "chat-message": [{"recipient": {"type": "session", "id": "{sessionId}"}}, "{message}"],
        "leave-session": ["session:{sessionId}"],
        "token:delete": [{"sessionId": "{sessionId}", "encounterId": "{encounterId}", "tokenId": "{tokenId}"}],
    },
    requests={"token:create": Shape({"tokenData": "token"})},
    ack=Shape({"message": "error"}),
    data={"token:create": Shape({"tokenData": "token"})},
    codes={"FORBIDDEN": "PERMISSION_DENIED", "404": "SESSION_NOT_FOUND", "NOT_JOINED": "PERMISSION_DENIED"},
    emissions={
        "chat-message": Shape(arguments=[{"sender": {"type": "user", "id": "{userId}"}}, "{message}"]),
        "token:move": Shape({"by": "userId"}, arguments=["{tokenId}", {}]),
        "error": Shape({"message": "error"}),
    },
)


@pytest.mark.parametrize(
    ("event", "args", "wire"),
    [
        ("join-session", ({"sessionId": "s"},), ("s", None)),
        ("join-session", ({},), (None, None)),
        ("join-session", ({"sessionId": 5}, "more"), (5, None, "more")),
        ("join-session", ("text",), ({"text": "text"},)),
        ("join-session", (), ()),
        (
            "chat-message",
            ({"sessionId": "s", "message": "hi"},),
            ({"recipient": {"type": "session", "id": "s"}}, "hi"),
        ),
        ("chat-message", ({"message": "hi"},), ({"recipient": {"type": "session"}}, "hi")),
        ("chat-message", ({"sessionId": "s"},), ({"recipient": {"type": "session", "id": "s"}},)),
        ("chat-message", ("text",), ("text",)),
        ("chat-message", ({"x": 1},), ({"x": 1, "recipient": {"type": "session"}},)),
        ("leave-session", ({"sessionId": "s"},), ("session:s",)),
        ("leave-session", ({"sessionId": 5},), (5,)),
        ("leave-session", ({},), ()),
        ("leave-session", ("text",), ({"text": "text"},)),
        ("token:create", ({"token": {"name": "x"}},), ({"tokenData": {"name": "x"}},)),
        ("token:create", ("text",), ("text",)),
    ],
)
def test_a_request_is_put_as_the_template_has_it(event: str, args: tuple[Any, ...], wire: tuple[Any, ...]) -> None:
    """Values keep their types; what is left out is left out, or null before others; what is wrong stays wrong."""
    assert MANY.request(event, args) == (event, wire)


def test_the_request_inside_an_action_has_the_servers_names_too() -> None:
    """Its payload is that request as it would be sent."""
    asked = {"action": {"type": "token:create", "payload": {"token": 1}}}
    assert MANY.request("validate-action", (asked,))[1] == (
        {"action": {"type": "token:create", "payload": {"tokenData": 1}}},
    )


@pytest.mark.parametrize(
    ("name", "args", "ours"),
    [
        ("chat-message", ({"sender": {"type": "user", "id": "u"}}, "hi"), ({"userId": "u", "message": "hi"},)),
        (
            "chat-message",
            ({"sender": {"id": "u", "mood": 1}, "x": 1}, "hi"),
            ({"sender": {"mood": 1}, "x": 1, "userId": "u", "message": "hi"},),
        ),
        ("chat-message", ("hi",), ("hi",)),
        ("chat-message", ({}, "hi", "more"), ({}, "hi", "more")),
        ("token:move", ("t", {"by": "u", "version": 2}), ({"tokenId": "t", "userId": "u", "version": 2},)),
        ("token:move", (), ({},)),
    ],
)
def test_several_arguments_are_put_as_one_object(name: str, args: tuple[Any, ...], ours: tuple[Any, ...]) -> None:
    """What the template does not name stays, and is found; arguments of another form are left alone."""
    assert MANY.received(name, args) == (name, ours)


def test_codes_are_the_protocols() -> None:
    """In acknowledgements and in error events, numbers too; a code that is none is left alone."""
    assert MANY.answer("join-session", ({"success": False, "code": 404},))[0]["code"] == "SESSION_NOT_FOUND"
    assert MANY.answer("join-session", ({"success": False, "code": ["x"]},))[0]["code"] == ["x"]
    error = {"event": "join-session", "message": "no", "code": "FORBIDDEN"}
    assert MANY.received("encounter:error", (error,)) == (
        "error",
        ({"event": "join-session", "error": "no", "code": "PERMISSION_DENIED"},),
    )
    assert MANY.answer("token:create", ({"success": True, "data": {"tokenData": 1}},)) == (
        {"success": True, "data": {"token": 1}},
    )


def refusal(code: str) -> tuple[dict[str, Any]]:
    return ({"success": False, "error": "no", "code": code},)


@pytest.mark.parametrize(
    ("journal", "breaks"),
    [
        (
            seen("is answered", "join-session", OK, ("join-session", OK)),
            [("payloads/extra-arguments", "join-session")],
        ),
        (seen("is answered", "leave-session", OK, ("leave-session", OK)), [("payloads/text", "leave-session")]),
        (seen("is answered", "token:create", OK, ("token:create", OK)), [("payloads/valid-accepted", "token:create")]),
        (seen("is answered", "token:delete", OK, ("token:delete", OK)), []),
        (
            seen("is answered", "join-session", refusal("PERMISSION_DENIED"), ("join-session", refusal("FORBIDDEN"))),
            [("acks/failure-shape", "join-session")],
        ),
        (
            seen("is answered", "join-session", refusal("PERMISSION_DENIED"), ("join-session", refusal("NOT_JOINED"))),
            [("acks/code-names-the-cause", "join-session")],
        ),
        (
            seen("hears", "error", ({"event": "token:move"},), ("encounter:error", ({"event": "token:move"},))),
            [("acks/failure-without-callback-emits-error", "token:move")],
        ),
        (seen("hears", "error", ({"event": "token:move"},), ("error", ({"event": "moveToken"},))), []),
        (
            seen("hears", "error", ({"event": "token:move"},), ("error", ({"event": "token:move", "x": 1},))),
            [("broadcasts/server-events-valid", None)],
        ),
        (seen("hears", "user-left", ({},), ("player:out", ({},))), [("broadcasts/catalogue-events-only", None)]),
        (seen("hears", "user-left", ({},), ("playerOut", ({},))), [("names/kebab-case", None)]),
    ],
)
def test_what_other_arguments_properties_and_codes_break(
    journal: Journal, breaks: list[tuple[str, str | None]]
) -> None:
    """Further arguments, a text, other properties, a code of its own, or a documented one that means another."""
    assert [(d.requirement, d.event) for d in deviations(MANY, journal.observations)] == breaks
