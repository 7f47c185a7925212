"""The translation between a server's dialect and the protocol, both ways, and what each difference breaks."""

from __future__ import annotations

from typing import Any

import pytest

from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Act
from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.target.dialect import PLAIN, Dialect, PropertyNames

BARE = Dialect(
    events={"join-session": "joinSession", "token:move": "token:shift"},
    broadcasts={"token:move": "token:moved", "chat-message": "chatMessage", "user-joined": "player:in"},
    arguments={"join-session": "sessionId", "get-user-data": "userId"},
    ack=PropertyNames({"ok": "success", "message": "error"}),
    data_at_top_level=True,
    emissions={"chat-message": PropertyNames({"sender": "userId"}), "user-joined": PropertyNames({"who": "userId"})},
)


def test_who_speaks_no_dialect_is_not_translated() -> None:
    """Not a copy: what goes out and comes in is the very same."""
    args: tuple[Any, ...] = ({"sessionId": "s"},)
    assert not PLAIN
    assert PLAIN.request("join-session", args)[1] is args
    assert PLAIN.answer(args) is args
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
    with pytest.raises(Missing, match="'userId' with join-session: in its dialect that takes a bare sessionId"):
        BARE.request("join-session", ({"sessionId": "s", "userId": "u"},))


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
    assert BARE.answer((came,)) == (ours,)
    assert BARE.answer(()) == ()


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
            [("names/kebab-case", None), ("payloads/text", "join-session")],
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
        (seen("hears", "token:move", ({},), ("token:moved", ({},))), [("broadcasts/catalogue-events-only", None)]),
        (
            seen("hears", "chat-message", ({"userId": 1},), ("chatMessage", ({"sender": 1},))),
            [("names/kebab-case", None), ("broadcasts/valid-payload", "chat-message")],
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
