"""What the model finds in plays that were written down by hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from dungeonlab_conformance.model.judge import ModelFinding, judge
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request

PATIENCE = 2.0
MEMBERS = {"alice": 1, "bob": 2, "carol": 3}


class Written:
    """A play that is written down: each method adds what a server and its clients would."""

    def __init__(self) -> None:
        self.now = 0.0
        self.journal = Journal(lambda: self.now, epoch=0.0)
        self.arrange("session.open", session="s", master="gm", members=[*MEMBERS, "gm"], whole=True)
        self.arrange("encounter.open", session="s", encounter="e")

    def arrange(self, event: str, **fact: Any) -> None:
        """Something is done over HTTP."""
        self.write("the game master", 0, "arranges", event, fact)

    def connect(self, name: str, connection: int) -> None:
        """A tab is opened."""
        user = name.partition("/")[0]
        self.journal.rooms.connected(connection, user)
        self.write(name, connection, "connects", "websocket")

    def ask(
        self,
        name: str,
        connection: int,
        event: str,
        body: dict[str, Any],
        answer: Any,
        heard_by: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """A request is sent, heard by others, and answered; it has no callback if there is no answer."""
        request = Request(event, (body,), None, body.get("sessionId"))
        self.write(name, connection, "sends" if answer else "tells", event, body, request=request)
        for other, tab in heard_by.items():
            self.write(other, tab, "hears", event, {**chat(name), **body})
        if answer:
            self.write(name, connection, "is answered", event, answer, request=request)

    def join(self, name: str, connection: int, answer: dict[str, Any] | None = None) -> None:
        """A tab is opened and joins; `answer` is what it is answered, if that is not as it should be."""
        self.connect(name, connection)
        listed = {"sessionId": "s", "gameMasterId": "gm", "participantIds": [*MEMBERS]}
        self.ask(name, connection, "join-session", {"sessionId": "s"}, answer or yes(listed))

    def token_of_alice(self, name: str = "t", *, version: float | None = 1) -> dict[str, Any]:
        """Alice makes a token; returns it."""
        draft = {"name": "orc", "position": {"x": 1, "y": 1}}
        whole = {
            "id": name, "encounterId": "e", "name": "orc", "size": "medium",
            "position": {"x": 1, "y": 1, "elevation": 0},
            "isVisible": True, "isPlayerControlled": False, "data": {}, "conditions": [],
            "createdBy": "alice", **({} if version is None else {"version": version}),
        }  # fmt: skip
        asked = {"sessionId": "s", "encounterId": "e", "token": draft}
        self.ask("alice", 1, "token:create", asked, yes({"token": whole}))
        return whole

    def round_trip(self, name: str, connection: int) -> None:
        """A tab asks for its own profile, and is answered."""
        profile = {"user": {"id": name.partition("/")[0], "username": name}}
        self.ask(name, connection, "get-user-data", {}, yes(profile))

    def found(self) -> list[ModelFinding]:
        """Return what the model finds."""
        return judge(self.journal, PATIENCE)

    def names(self) -> set[str]:
        """Return the requirements that the model finds broken."""
        return {each.requirement for each in self.found()}

    def close(self, name: str, connection: int) -> None:
        """A tab is closed by its user."""
        self.write(name, connection, "disconnects", "")

    def write(self, name: str, connection: int, act: Any, event: str, body: Any = None, **more: Any) -> None:
        """Add one observation, a moment after the one before."""
        self.now += 0.01
        self.journal.write(name, connection, act, event, () if body is None else (body,), **more)


def yes(data: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope of a success."""
    return {"success": True, "data": data}


def no(code: str) -> dict[str, Any]:
    """Return the envelope of a failure."""
    return {"success": False, "error": "no", "code": code}


def chat(sender: str) -> dict[str, Any]:
    """Return the broadcast of a chat message."""
    return {
        "sessionId": "s",
        "messageId": "m",
        "userId": sender,
        "message": "hello",
        "timestamp": "1970-01-01T00:00:00Z",
    }


SAID = {"sessionId": "s", "message": "hello"}
DONE = yes({"messageId": "m", "timestamp": "1970-01-01T00:00:00Z"})


def test_a_journal_without_facts_says_nothing() -> None:
    """Of a scene nobody wrote down what was so at the beginning; the model says nothing of it."""
    assert judge(Journal(), PATIENCE) == []


def test_a_right_play_breaks_nothing(play: Written) -> None:
    """Two members join, one says something, the other hears it."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.ask("alice", 1, "chat-message", SAID, DONE, {"bob": 2})
    play.round_trip("bob", 2)
    assert play.names() == set()


def test_what_never_comes_is_missed_after_a_late_round_trip(play: Written) -> None:
    """Bob hears nothing; only a round trip that begins long afterwards shows that it will not come."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.ask("alice", 1, "chat-message", SAID, DONE)
    play.round_trip("bob", 2)
    assert play.names() == set()
    play.now += PATIENCE
    play.round_trip("bob", 2)
    assert play.names() == {"rooms/every-other-member-hears-once"}


def test_who_came_back_and_hears_nothing(play: Written) -> None:
    """Bob's connection was closed, and his next one joined; carol hears what he does not."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.join("carol", 3)
    play.close("bob", 2)
    play.join("bob", 4)
    play.ask("alice", 1, "chat-message", SAID, DONE, {"carol": 3})
    play.now += PATIENCE
    play.round_trip("bob", 4)
    assert play.names() == {"join/rejoin-after-reconnect"}


def test_a_removed_member_who_acts(play: Written) -> None:
    """Whose membership has ended is refused; else that is a finding under the rule for it."""
    play.join("alice", 1)
    play.arrange("membership.remove", session="s", user="alice")
    play.ask("alice", 1, "chat-message", SAID, no("PERMISSION_DENIED"))
    assert play.names() == set()
    play.ask("alice", 1, "chat-message", SAID, DONE)
    assert play.names() == {"authorization/checked-on-every-operation"}


def test_another_code_than_the_first_objection_demands(play: Written) -> None:
    """A stranger is refused since a token is not there, and not as a stranger."""
    play.connect("mallory", 1)
    move = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": 1, "y": 1}}
    play.ask("mallory", 1, "token:move", move, no("TOKEN_NOT_FOUND"))
    assert play.names() == {"acks/code-names-the-cause"}


@pytest.mark.parametrize(
    ("tabs", "message", "found"),
    [
        (3, {"message": "no more than 3 connections of one user"}, set()),
        (1, {"message": "no more than 3 connections of one user"}, set()),
        (0, {"message": "no more than 3 connections of one user"}, set()),
        (0, {"message": "log in first", "data": {"code": "UNAUTHENTICATED"}}, {"auth/cookie-accepted"}),
        (3, {"message": "log in first", "data": {"code": "UNAUTHENTICATED"}}, {"auth/cookie-accepted"}),
        (0, {"message": "not so fast", "data": {"code": "RATE_LIMITED"}}, set()),
    ],
)
def test_a_tab_that_may_be_one_too_many(play: Written, tabs: int, message: dict[str, Any], found: set[str]) -> None:
    """A server may limit the connections of a user, those of other scenes too, but not blame the cookie for that."""
    for number in range(1, tabs + 1):
        play.connect(f"alice/{number}", number)
    play.connect("bob/1", 5)
    play.write("alice/9", 9, "is refused", "connect", message)
    assert play.names() == found


@pytest.mark.parametrize("code", ["RATE_LIMITED", "PERMISSION_DENIED"])
def test_codes_that_are_always_allowed(play: Written, code: str) -> None:
    """A limit may come before any question."""
    play.connect("mallory", 1)
    play.ask("mallory", 1, "chat-message", SAID, no(code))
    assert play.names() == set()


def test_the_members_as_they_are_now(play: Written) -> None:
    """The answer to a join lists who belongs now; whether it lists the game master is the server's choice."""
    play.join("alice", 1)
    play.arrange("membership.remove", session="s", user="carol")
    play.join("bob", 2, yes({"sessionId": "s", "gameMasterId": "gm", "participantIds": ["alice", "bob", "gm"]}))
    assert play.names() == set()
    play.join("bob/2", 3)
    assert play.names() <= {"join/lists-current-members"}


@pytest.mark.parametrize("came", [{"t": 1}, {}])
def test_a_change_heard_of_after_the_next(play: Written, came: dict[str, Any]) -> None:
    """A change without a callback may take effect late, and what it is broadcast with shows what was so at any time."""
    play.join("alice", 1)
    play.join("bob", 2)
    token = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
    whole = play.token_of_alice()
    first = Request("token:update", ({**token, "updates": {"name": "mark-1.", "data": {"t": 1}}},), "mark-1.", "s")
    play.write("alice", 1, "tells", first.event, first.args[0], request=first)
    play.round_trip("alice", 1)
    after = {**whole, "name": "mark-2.", "data": {"list": []}, "version": 3, "updatedBy": "alice"}
    second = Request("token:update", ({**token, "updates": {"name": "mark-2.", "data": {"list": []}}},), "mark-2.", "s")
    play.write("alice", 1, "sends", second.event, second.args[0], request=second)
    play.write("alice", 1, "is answered", second.event, yes({"token": after}), request=second)
    between = {**whole, "name": "mark-1.", "data": came, "version": 2, "updatedBy": "alice"}
    known = {**token, "userId": "alice", "timestamp": "1970-01-01T00:00:00Z"}
    play.write("bob", 2, "hears", first.event, {**known, "token": between})
    play.write("bob", 2, "hears", second.event, {**known, "token": after})
    assert play.names() == set()


@pytest.mark.parametrize(
    ("last", "versions"),
    [(5, (1, 3, 2, 4)), (6, (1, 3, 2, 4)), (1, (1, 3, 2, 4)), (5, (1.0, 3.0, 2, 4)), (5, (None, None, 2, 4))],
)
def test_moves_at_the_same_time_may_end_in_any_order(
    play: Written, last: int, versions: tuple[float | None, ...]
) -> None:
    """Two moves overlap; either may be the last, not what was there before; their versions come in any order.

    They may be written as 3.0, or one of them may be missing, which is another matter.
    """
    first, *others, then = versions
    play.join("alice", 1)
    play.join("bob", 2)
    whole = play.token_of_alice(version=first)
    moves = [
        Request(
            "token:move",
            ({"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": x, "y": 0}},),
            x,
            "s",
        )
        for x in (5, 6)
    ]
    for number, move in enumerate(moves, 1):
        play.write("somebody", number, "sends", "token:move", move.args[0], request=move)
    for number, (move, version) in enumerate(zip(moves, others, strict=True), 1):
        place = {**move.args[0]["position"], "elevation": 0}
        answer = yes({"tokenId": "t", "position": place, "version": version})
        play.write("somebody", number, "is answered", "token:move", answer, request=move)
    question = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "updates": {"isVisible": True}}
    shown = {**whole, "position": {"x": last, "y": 0, "elevation": 0}, "version": then}
    play.ask("alice", 1, "token:update", question, yes({"token": shown}))
    assert play.names() == (set() if last in (5, 6) else {"tokens/broadcast-equals-stored-state"})


@pytest.mark.parametrize(
    ("version", "found"),
    [(2, set()), (3, {"direct/validate-action-has-no-effect"}), (4, {"tokens/version-grows"})],
)
def test_a_version_that_grew_by_more_than_was_asked_is_no_matter_of_questions(
    play: Written, version: int, found: set[str]
) -> None:
    """Alice asks once whether she may move a token, and moves it: one question may have been counted once."""
    play.join("alice", 1)
    play.token_of_alice()
    move = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": 5, "y": 0}}
    question = {"sessionId": "s", "action": {"type": "token:move", "payload": move}}
    play.ask("alice", 1, "validate-action", question, yes({"valid": True, "errors": []}))
    place = {"x": 5, "y": 0, "elevation": 0}
    play.ask("alice", 1, "token:move", move, yes({"tokenId": "t", "position": place, "version": version}))
    assert play.names() == found


@pytest.mark.parametrize(
    ("named", "found"), [("s", {"payloads/valid-accepted"}), ("not an id!", set()), ("u", set()), (None, set())]
)
def test_a_question_about_another_session_than_its_own_may_be_called_malformed(
    play: Written, named: str | None, found: set[str]
) -> None:
    """However the action gets its session wrong; other faults of it are what the answer is about."""
    play.join("alice", 1)
    move = {"sessionId": named, "encounterId": "e", "tokenId": "not an id!", "position": {"x": 5, "y": 0}}
    if named is None:
        del move["sessionId"]
    question = {"sessionId": "s", "action": {"type": "token:move", "payload": move}}
    play.ask("alice", 1, "validate-action", question, no("VALIDATION_ERROR"))
    assert play.names() == found


@pytest.mark.parametrize(("limited", "said"), [("t", 1), ("t", 2), ("u", 2), ("t", 3), ("u", 3)])
def test_one_of_two_without_a_callback_was_too_many(play: Written, limited: str, said: int) -> None:
    """Which of two changes it was that an `error` event reports as limited cannot be known, nor when it comes."""
    play.join("alice", 1)
    play.join("bob", 2)
    changes = {}
    for name in ("t", "u"):
        whole = play.token_of_alice(name)
        place = {"sessionId": "s", "encounterId": "e", "tokenId": name}
        changes[name] = whole, place, Request("token:update", ({**place, "updates": {"name": "new"}},), None, "s")
    for number, (_, _, change) in enumerate(changes.values(), 1):
        play.write("alice", 1, "tells", change.event, change.args[0], request=change)
        if number == said:
            play.write("alice", 1, "hears", "error", {"event": "token:update", "error": "no", "code": "RATE_LIMITED"})
    play.round_trip("alice", 1)
    for name, (whole, place, _) in changes.items():
        was_done = name != limited
        after = {**whole, **({"name": "new"} if was_done else {}), "isVisible": True, "version": 2 + was_done}
        play.ask("alice", 1, "token:update", {**place, "updates": {"isVisible": True}}, yes({"token": after}))
    if said == 3:
        play.write("alice", 1, "hears", "error", {"event": "token:update", "error": "no", "code": "RATE_LIMITED"})
    assert play.names() == set()


def test_a_change_that_was_limited_and_done_all_the_same(play: Written) -> None:
    """A version that grew by one more than was accepted is a matter of the limit, not of the version."""
    play.join("alice", 1)
    play.token_of_alice()
    move = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": 5, "y": 0}}
    play.ask("alice", 1, "token:move", move, no("RATE_LIMITED"))
    place = {"x": 5, "y": 0, "elevation": 0}
    play.ask("alice", 1, "token:move", move, yes({"tokenId": "t", "position": place, "version": 3}))
    assert play.names() == {"acks/limited-has-no-effect"}


PLACE = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
PICTURE = {"imageUrl": "https://example.org/hob.png"}


def test_a_property_that_is_being_set_may_be_absent_still(play: Written) -> None:
    """Bob gives a token a picture, and nothing shows when; what alice changes meanwhile shows none yet."""
    play.join("alice", 1)
    play.join("bob", 2)
    whole = play.token_of_alice()
    picture = Request("token:update", ({**PLACE, "updates": PICTURE},), "t", "s")
    play.write("bob", 2, "tells", picture.event, picture.args[0], request=picture)
    play.round_trip("bob", 2)
    change = {**PLACE, "updates": {"name": "mark-1."}}
    play.ask("alice", 1, "token:update", change, yes({"token": {**whole, "name": "mark-1.", "version": 2}}))
    assert play.names() == set()


def test_an_answer_may_show_what_was_so_before_a_change_at_the_same_time(play: Written) -> None:
    """Bob's change takes effect first and is answered last; alice's is in between."""
    play.join("alice", 1)
    play.join("bob", 2)
    whole = play.token_of_alice()
    asked = {1: {"name": "new"}, 2: {"size": "large"}}
    both = {tab: Request("token:update", ({**PLACE, "updates": it},), None, "s") for tab, it in asked.items()}
    for tab, request in both.items():
        play.write("somebody", tab, "sends", request.event, request.args[0], request=request)
    shown = {1: {**whole, "name": "new", "size": "large", "version": 3}, 2: {**whole, "size": "large", "version": 2}}
    for tab, token in shown.items():
        play.write("somebody", tab, "is answered", "token:update", yes({"token": token}), request=both[tab])
    assert play.names() == set()


def test_of_two_alike_one_is_heard_of(play: Written) -> None:
    """Bob deletes a token twice at once; that without a callback comes second, and is refused."""
    play.join("alice", 1)
    play.join("bob", 2)
    play.token_of_alice()
    delete = Request("token:delete", (PLACE,), "t", "s")
    play.write("bob", 2, "tells", delete.event, PLACE, request=delete)
    heard = {**PLACE, "userId": "bob", "timestamp": "1970-01-01T00:00:00Z"}
    again = Request("token:delete", (PLACE,), "t", "s")
    play.write("bob", 2, "sends", again.event, PLACE, request=again)
    play.write("alice", 1, "hears", "token:delete", heard)
    play.write("bob", 2, "is answered", "token:delete", yes({"tokenId": "t"}), request=again)
    play.write("bob", 2, "hears", "error", {"event": "token:delete", "error": "no", "code": "TOKEN_NOT_FOUND"})
    play.now += 2 * PATIENCE
    play.round_trip("alice", 1)
    assert play.names() == set()


@pytest.mark.parametrize(("name", "right"), [("7", True), ("7ac31f09-5b", False)])
def test_what_is_deleted_here_may_be_there_in_another_session(play: Written, name: str, right: bool) -> None:
    """If its id is so short that a token of another session may have it too, it may be denied for that."""
    play.join("alice", 1)
    play.token_of_alice(name)
    place = {**PLACE, "tokenId": name}
    play.ask("alice", 1, "token:delete", place, yes({"tokenId": name}))
    play.ask("alice", 1, "token:delete", place, no("PERMISSION_DENIED"))
    assert play.names() == (set() if right else {"acks/code-names-the-cause"})


@pytest.mark.parametrize("late", ["leave-session", "join-session"])
def test_a_move_without_a_callback_may_come_after_the_next(play: Written, late: str) -> None:
    """Bob leaves, or asks for a room that he may not enter yet, and joins; that he hears nothing then is no fault."""
    play.arrange("session.open", session="other", master="gm", members=["gm"], whole=True)
    play.join("alice", 1)
    play.join("bob", 2)
    body = {"sessionId": "s" if late == "leave-session" else "other"}
    play.write("bob", 2, "tells", late, body, request=Request(late, (body,), None, "s"))
    listed = {"sessionId": "s", "gameMasterId": "gm", "participantIds": [*MEMBERS]}
    play.ask("bob", 2, "join-session", {"sessionId": "s"}, yes(listed))
    play.arrange("membership.add", session="other", user="bob")
    play.ask("alice", 1, "chat-message", SAID, DONE)
    play.now += 2 * PATIENCE
    play.round_trip("bob", 2)
    assert play.names() == set()


def test_who_leaves_another_session_stays(play: Written) -> None:
    """Bob leaves a session that he is not in, which is accepted; where he is, he goes on acting and hearing."""
    play.arrange("session.open", session="other", master="gm", members=["bob"], whole=True)
    play.join("alice", 1)
    play.join("bob", 2)
    play.ask("bob", 2, "leave-session", {"sessionId": "other"}, yes({"sessionId": "other"}))
    play.ask("bob", 2, "chat-message", SAID, DONE, heard_by={"alice": 1})
    play.ask("alice", 1, "chat-message", SAID, DONE)
    play.now += 2 * PATIENCE
    play.round_trip("bob", 2)
    assert play.names() == {"rooms/every-other-member-hears-once"}


@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ({}, "payloads/valid-accepted"),
        ({"code": 403}, "payloads/valid-accepted"),
        ({"code": "FORBIDDEN"}, "authorization/any-member-allowed"),
    ],
    ids=["none", "number", "own"],
)
def test_a_refusal_without_a_code_convicts_only_where_none_may_come(
    play: Written, *, joins: bool, code: dict[str, object], broken: str
) -> None:
    """Bob, who has not joined, may be refused, and who says why is another matter; once he has joined, he may not.

    A code that the protocol does not have says no more than none.
    """
    play.join("alice", 1)
    if joins:
        play.join("bob", 2)
    else:
        play.connect("bob", 2)
    play.ask("bob", 2, "chat-message", SAID, {"success": False, "error": "no", **code})
    assert play.names() == ({broken} if joins else set())


@pytest.mark.parametrize(("user", "found"), [("carol", {"acks/code-names-the-cause"}), ("alice", set())])
def test_a_server_may_go_by_another_tab_of_the_user(play: Written, user: str, found: set[str]) -> None:
    """Bob has not joined, and is refused for it; somebody else has not, and is refused for want of the token.

    Carol is nowhere in the room, and alice is on another tab.
    """
    play.join("alice", 1)
    play.connect("bob", 2)
    play.ask("bob", 2, "chat-message", SAID, no("NOT_JOINED"))
    play.connect(user, 3)
    play.ask(user, 3, "token:delete", {**PLACE, "tokenId": "none"}, no("TOKEN_NOT_FOUND"))
    assert play.names() == found


def test_what_was_to_be_refused_when_it_was_sent_may_be_done_later(play: Written) -> None:
    """Bob changes a token without a callback, and joins; the change comes after that, and counts."""
    play.join("alice", 1)
    whole = play.token_of_alice()
    play.connect("bob", 2)
    play.ask("bob", 2, "chat-message", SAID, no("NOT_JOINED"))
    change = Request("token:update", ({**PLACE, "updates": {"name": "mark-1."}},), "mark-1.", "s")
    play.write("bob", 2, "tells", change.event, change.args[0], request=change)
    listed = {"sessionId": "s", "gameMasterId": "gm", "participantIds": [*MEMBERS]}
    play.ask("bob", 2, "join-session", {"sessionId": "s"}, yes(listed))
    after = {**whole, "name": "mark-1.", "version": 2, "updatedBy": "bob"}
    play.write("alice", 1, "hears", change.event, {**PLACE, **chat("bob"), "token": after})
    move = {**PLACE, "position": {"x": 5, "y": 0}}
    place = {"x": 5, "y": 0, "elevation": 0}
    play.ask("alice", 1, "token:move", move, yes({"tokenId": "t", "position": place, "version": 3}))
    assert play.names() == set()


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_token_is_there_whose_maker_was_cut_off(play: Written, ends_first: bool) -> None:
    """Bob hears that alice has made one, before or after her connection ends; she asks again, and carol moves it."""
    for connection, name in enumerate(("alice", "bob", "carol"), 1):
        play.join(name, connection)
    draft = {"name": "orc", "position": {"x": 1, "y": 1}}
    asked = {"sessionId": "s", "encounterId": "e", "token": draft}
    other = Written()
    whole = other.token_of_alice("first")
    body = {**asked, "token": whole, "userId": "alice", "timestamp": "1970-01-01T00:00:00Z"}
    request = Request("token:create", (asked,), None, "s")
    play.write("alice", 1, "sends", "token:create", asked, request=request)
    if ends_first:
        play.write("alice", 1, "is closed", "")
    play.write("bob", 2, "hears", "token:create", body)
    if not ends_first:
        play.write("alice", 1, "is closed", "")
    play.join("alice", 4)
    play.write("alice", 4, "sends", "token:create", asked, request=request)
    play.write("alice", 4, "is answered", "token:create", yes({"token": {**whole, "id": "second"}}), request=request)
    moved = {"tokenId": "first", "position": {"x": 2, "y": 1, "elevation": 0}, "version": 2}
    move = {"sessionId": "s", "encounterId": "e", "tokenId": "first", "position": {"x": 2, "y": 1}}
    play.ask("carol", 3, "token:move", move, yes(moved))
    assert play.names() == set()


def test_what_says_neither_yes_nor_no(play: Written) -> None:
    """A bare text where only an acceptance, or only a refusal, can come."""
    play.join("alice", 1)
    play.ask("alice", 1, "chat-message", SAID, "ok")
    assert play.names() == {"acks/success-shape"}
    play.ask("alice", 1, "chat-message", {"sessionId": "s", "message": ""}, "no")
    assert play.names() == {"acks/success-shape", "acks/failure-shape"}


@pytest.mark.parametrize(
    ("said", "found"),
    [({}, False), ({"tokenId": "row-1"}, True), ({"position": {"x": 2, "y": 3, "elevation": 0}}, True)],
)
def test_an_answer_repeats_what_was_asked(play: Written, said: dict[str, Any], found: bool) -> None:
    """Which token was moved, and where to."""
    play.join("alice", 1)
    play.token_of_alice()
    place = {"x": 2, "y": 2}
    asked = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": place}
    done = {"tokenId": "t", "position": {**place, "elevation": 0}, "version": 2, **said}
    play.ask("alice", 1, "token:move", asked, yes(done))
    assert play.names() == ({"tokens/broadcast-equals-stored-state"} if found else set())


@pytest.mark.parametrize(
    ("reason", "closed", "found"),
    [
        (True, True, set[str]()),
        (True, False, {"authorization/any-member-allowed"}),
        (False, True, {"authorization/any-member-allowed"}),
    ],
)
def test_who_is_thrown_out_may_be_out_of_the_room_first(
    play: Written, reason: bool, closed: bool, found: set[str]
) -> None:
    """Servers may disconnect who was refused something; until then, what is sent is refused, too."""
    play.join("alice", 1)
    if reason:
        play.ask("alice", 1, "get-user-data", {"userId": "stranger"}, no("PERMISSION_DENIED"))
    play.ask("alice", 1, "chat-message", SAID, no("NOT_JOINED"))
    if closed:
        play.write("alice", 1, "is closed", "")
    assert play.names() == found


def test_a_late_error_says_nothing_of_the_room_that_was_joined_since(play: Written) -> None:
    """Alice speaks too early, without a callback; the refusal comes after her join, while she asks in vain to leave."""
    play.connect("alice", 1)
    play.ask("alice", 1, "chat-message", SAID, None)
    listed = {"sessionId": "s", "gameMasterId": "gm", "participantIds": [*MEMBERS]}
    play.ask("alice", 1, "join-session", {"sessionId": "s"}, yes(listed))
    leave = Request("leave-session", ({},), None, None)
    play.write("alice", 1, "sends", "leave-session", {}, request=leave)
    play.write("alice", 1, "hears", "error", {"event": "chat-message", "error": "no", "code": "NOT_JOINED"})
    play.write("alice", 1, "is answered", "leave-session", no("VALIDATION_ERROR"), request=leave)
    play.ask("alice", 1, "chat-message", SAID, DONE)
    assert play.names() == set()


def test_a_late_error_about_a_join_says_nothing_of_what_was_asked_since(play: Written) -> None:
    """Alice is refused a join late, when she has joined elsewhere, and is about to leave that."""
    play.arrange("session.open", session="other", master="gm", members=["gm"], whole=True)
    play.connect("alice", 1)
    play.ask("alice", 1, "join-session", {"sessionId": "other"}, None)
    listed = {"sessionId": "s", "gameMasterId": "gm", "participantIds": [*MEMBERS]}
    play.ask("alice", 1, "join-session", {"sessionId": "s"}, yes(listed))
    leave = Request("leave-session", ({"sessionId": "s"},), None, "s")
    play.write("alice", 1, "sends", "leave-session", {"sessionId": "s"}, request=leave)
    play.write("alice", 1, "hears", "error", {"event": "join-session", "error": "no", "code": "PERMISSION_DENIED"})
    play.ask("alice", 1, "chat-message", SAID, no("NOT_JOINED"))
    assert play.names() == set()
