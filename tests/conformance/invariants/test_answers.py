"""What answers say beside everything else, on journals written by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.conformance.written import TIME, Written, broken, contradicted

from dungeonlab_conformance.record.observation import Request, RequestOutcome, SentRequest

NOW = datetime.fromisoformat(TIME)
ALICE, BOB, CAROL = range(1, 4)


@pytest.fixture
def scene() -> Written:
    """Return a scene in which alice, bob and carol have joined."""
    written = Written()
    for connection, user in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        written.joins(connection, user)
    return written


def _says(scene: Written, text: str, *, by: int = ALICE, **named: Any) -> Any:
    return scene.says_and_is_answered(by, text, data={"messageId": "m", "timestamp": TIME, **named})


# -- messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "agrees"),
    [
        ({}, True),
        ({"messageId": "n"}, False),
        ({"messageId": 5}, True),  # a matter of shape
        ({"timestamp": "2026-01-02T03:04:05.679Z"}, False),
        ({"timestamp": "2026-01-02T03:04:05.678000Z"}, True),
        ({"timestamp": "2026-01-02T03:04:05.678999Z"}, False),
        ({"timestamp": "2026-01-02T03:04:05Z"}, False),  # cut off on the way
        ({"timestamp": "2026-01-02T03:04:07Z"}, False),
        ({"timestamp": "soon"}, True),  # a matter of shape
    ],
)
def test_a_message_is_the_same_to_all(scene: Written, heard: dict[str, Any], agrees: bool) -> None:
    """Its id letter by letter, its time with however many digits; what is neither is judged elsewhere."""
    scene.hears(BOB, _says(scene, "hello"), **heard)
    assert contradicted(scene) == ([] if agrees else ["chat/answer-and-broadcast-agree"])


def test_of_two_alike_messages_either_may_be_heard_first(scene: Written) -> None:
    """Said twice with the same words: a broadcast has to agree with one of the answers."""
    first, second = _says(scene, "hello"), _says(scene, "hello", messageId="n")
    scene.hears(BOB, second, messageId="n")
    scene.hears(BOB, first)
    assert contradicted(scene) == []
    scene.hears(CAROL, first, messageId="o")
    assert contradicted(scene) == ["chat/answer-and-broadcast-agree"]


def test_ids_of_messages_differ(scene: Written) -> None:
    """No matter who says them; those of different sessions may be alike."""
    other = Written("t")
    other.joins(ALICE + 10, "alice")
    _says(scene, "hello", timestamp="")
    _says(other, "hello", by=ALICE + 10, timestamp="")
    _says(scene, "and more", messageId="n", timestamp="")
    assert contradicted(scene, other) == []
    _says(scene, "goodbye", by=BOB, timestamp="")
    assert contradicted(scene, other) == ["chat/message-ids-differ"]


# -- times ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "true"), [(-3600, False), (-65, False), (-60, True), (-50, True), (50, True), (75, False)]
)
def test_a_time_is_near_the_one_here(scene: Written, later: int, true: bool) -> None:
    """A minute is allowed to either side, a second for what is cut off, and what a broadcast takes to come.

    An hour is another time zone.
    """
    stated = (NOW + timedelta(seconds=later)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    scene.hears(BOB, _says(scene, "hello", timestamp=stated), timestamp=stated)
    assert contradicted(scene) == ([] if true else ["broadcasts/true-time"] * 2)


def test_time_goes_on(scene: Written) -> None:
    """What was asked for long after a time was stated has another time; what was merely heard later has not."""
    stated = NOW.isoformat().replace("+00:00", "Z")
    request = _says(scene, "hello", timestamp=stated)
    for _ in range(9):
        scene.makes_a_round_trip(BOB)
    scene.hears(BOB, request, timestamp=stated)
    assert contradicted(scene) == []
    _says(scene, "and more", messageId="n", timestamp=stated)
    assert contradicted(scene) == ["broadcasts/true-time"]


@pytest.mark.parametrize(("later", "true"), [(2.4, True), (-2.4, True), (30, False), (-30, False)])
def test_times_agree_with_one_another(scene: Written, later: float, true: bool) -> None:
    """Within a second and a half, since one may be rounded and one cut off to a second, and what an answer takes.

    That is on one connection; another one may be served by a process whose clock differs.
    """
    for by, shift, name in ((ALICE, 0.0, "l"), (BOB, 20.0, "m"), (ALICE, later, "n")):
        here = NOW + timedelta(seconds=scene.now + shift)
        stated = here.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        _says(scene, f"hello {name}", by=by, messageId=name, timestamp=stated)
    assert contradicted(scene) == ([] if true else ["broadcasts/true-time"])


def test_bare_frames_may_be_answered_by_any_process(scene: Written) -> None:
    """Their connections have no numbers that tell them apart, so a minute is allowed twice."""
    for number, shift in enumerate((6.0, 0.0, 6.0)):
        stated = (NOW + timedelta(seconds=shift)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"messageId": f"{number}", "timestamp": stated}
        scene.hears(ALICE, _says(scene, f"hello {number}", by=0, **said), **said)
    assert contradicted(scene) == []


@pytest.mark.parametrize(("times", "true"), [(3, True), (4, False)])
def test_hardly_many_processes_state_the_same_time_at_other_moments(scene: Written, times: int, true: bool) -> None:
    """Two or three may, whose clocks differ; each connection may be served by another one."""
    for number in range(times):
        scene.joins(CAROL + number + 1, "carol")
        said = {"messageId": f"{number}", "timestamp": TIME}
        _says(scene, f"hello {number}", by=CAROL + number + 1, **said)
    assert contradicted(scene) == ([] if true else ["broadcasts/true-time"])


# -- whose a token is ----------------------------------------------------------------------------------


def _token(creator: str, changer: str | None = None) -> dict[str, Any]:
    return {"id": "t", "createdBy": creator, **({"updatedBy": changer} if changer else {})}


def _changes(scene: Written, by: int, token: dict[str, Any], event: str = "token:update", **claims: Any) -> None:
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "t", **claims}
    scene.asks(by, Request(event, (body,), "t", "s"), {"success": True, "data": {"token": token}})


@pytest.mark.parametrize(
    ("token", "wrong"),
    [
        (_token("alice"), 0),
        (_token("alice", "bob"), 0),
        (_token("bob", "bob"), 1),
        (_token("alice", "alice"), 1),
        (_token("gm", "carol"), 2),
        ({"id": "t"}, 0),
        ({"id": "t", "createdBy": 5, "updatedBy": None}, 0),  # matters of shape
    ],
)
def test_a_token_names_its_maker_and_who_changed_it(scene: Written, token: dict[str, Any], wrong: int) -> None:
    """Alice made it, and bob changed it; who changed it need not be said."""
    _changes(scene, ALICE, _token("alice"), "token:create")
    _changes(scene, BOB, token)
    assert contradicted(scene) == ["tokens/true-creator"] * wrong


def test_whose_a_token_is_that_has_the_id_of_another_is_open(scene: Written) -> None:
    """Alice and bob were given one id for a token of each; that is a fault, and not whom the token names since then."""
    for maker, name in ((ALICE, "alice"), (BOB, "bob")):
        _changes(scene, maker, _token(name), "token:create")
    for name in ("alice", "bob"):
        _changes(scene, CAROL, _token(name))
    assert contradicted(scene) == []


def test_a_token_of_another_session_may_have_the_same_id_and_encounter(scene: Written) -> None:
    """A server may number the encounters of each session, and the tokens of each encounter."""
    _changes(scene, ALICE, _token("alice"), "token:create")
    body = {"sessionId": "s-other", "encounterId": "e", "tokenId": "t"}
    for by, event in ((CAROL, "token:create"), (BOB, "token:update")):
        answer = {"success": True, "data": {"token": _token("carol")}}
        scene.asks(by, Request(event, (body,), "t", "s-other"), answer)
    _changes(scene, BOB, _token("alice"))
    assert contradicted(scene) == []


def test_a_maker_that_was_claimed_is_no_matter_of_truth(scene: Written) -> None:
    """A server that believes what a request says of itself breaks another rule; that rule has a scene."""
    _changes(scene, ALICE, _token("bob"), "token:create", createdBy="bob")
    assert contradicted(scene) == []


@pytest.mark.parametrize("made_in", ["e", "f"])
def test_an_answer_may_say_where_the_token_is_that_was_named_wrongly(scene: Written, made_in: str) -> None:
    """Bob names another encounter than the token's, which is accepted; or the token's, and the answer another one."""
    for encounter in ("e", "f"):
        scene.rooms.encounter_opened(encounter)
    _changes(scene, ALICE, {**_token("alice"), "encounterId": made_in}, "token:create", encounterId=made_in)
    _changes(scene, BOB, {**_token("alice"), "encounterId": "f"})
    assert contradicted(scene) == (["tokens/content-comes-back-exactly"] if made_in == "e" else [])


def test_of_changes_at_once_either_may_be_the_last(scene: Written) -> None:
    """Bob's answer may show carol's change, which was asked for before it came."""
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
    _changes(scene, ALICE, _token("alice"), "token:create")
    scene.sends(CAROL, Request("token:move", (body,), "t", "s"))
    _changes(scene, BOB, _token("alice", "carol"))
    assert contradicted(scene) == []


# -- versions ------------------------------------------------------------------------------------------

STORED = "tokens/broadcast-equals-stored-state"


def _moves(scene: Written, by: int, version: Any, x: int = 5) -> SentRequest:
    """Have somebody move the token, and be answered with a version."""
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "position": {"x": x, "y": 0}}
    data = {"tokenId": "t", "position": {"x": x, "y": 0, "elevation": 0}, "version": version}
    return scene.asks(by, Request("token:move", (body,), "t", "s"), {"success": True, "data": data})


def _hears_of(scene: Written, move: SentRequest, version: Any) -> None:
    body = {**move.args[0], "userId": move.user, "version": version, "timestamp": TIME}
    scene.is_sent(CAROL, "token:move", {**body, "position": {**body["position"], "elevation": 0}})


@pytest.mark.parametrize(
    ("acknowledged", "heard", "differ"),
    [(4, 4, False), (4, 4.0, False), (4, 3, True), (4, 5, True), (4, "3", False), (None, 3, False), (4, None, False)],
)
def test_a_change_has_one_version(scene: Written, acknowledged: Any, heard: Any, differ: bool) -> None:
    """Its broadcast tells of that which was acknowledged; what is no version is a matter of shape."""
    _hears_of(scene, _moves(scene, ALICE, acknowledged), heard)
    assert contradicted(scene) == ([STORED] if differ else [])


@pytest.mark.parametrize("outcome", ["unknown", "refused"])
def test_a_broadcast_may_be_about_any_of_several_changes(scene: Written, outcome: RequestOutcome) -> None:
    """It has to agree with one of the answers; where there was a refusal, or one is not known, any version may be."""
    first, second = _moves(scene, ALICE, 4), _moves(scene, ALICE, 5)
    _hears_of(scene, second, 5)
    _hears_of(scene, first, 4)
    assert contradicted(scene) == []
    _hears_of(scene, _moves(scene, ALICE, 6, x=6), 7)
    assert contradicted(scene) == [STORED]
    scene.sends(ALICE, Request("token:move", first.args, "t", "s"), outcome)
    assert contradicted(scene) == []


def test_of_changes_at_once_an_answer_may_tell_of_another(scene: Written) -> None:
    """A server may look the token up again before it answers; changes of another token say nothing."""
    body = {"sessionId": "s", "encounterId": "e", "tokenId": "t", "updates": {"name": "x"}}
    scene.sends(BOB, Request("token:update", ({**body, "tokenId": "u"},), "u", "s"), "unknown")
    _hears_of(scene, _moves(scene, ALICE, 5), 4)
    assert contradicted(scene) == [STORED]
    scene.sends(BOB, Request("token:update", (body,), "t", "s"), "unknown")
    _moves(scene, ALICE, 8, x=6)
    assert contradicted(scene) == []


def test_a_broadcast_may_be_about_an_action_that_was_only_asked_about(scene: Written) -> None:
    """That it is carried out is a finding of its own."""
    move = _moves(scene, ALICE, 4)
    _hears_of(scene, move, 5)
    assert contradicted(scene) == [STORED]
    action = {"type": "token:move", "payload": move.args[0]}
    question = Request("validate-action", ({"sessionId": "s", "action": action},), None, "s")
    scene.asks(ALICE, question, {"success": True, "data": {"valid": True}})
    assert contradicted(scene) == []
    _hears_of(scene, move, 3)  # an old one it is not
    assert contradicted(scene) == [STORED]


def test_a_token_of_another_encounter_may_have_the_same_id(scene: Written) -> None:
    """A server may number the tokens of each encounter."""
    move = _moves(scene, ALICE, 4)
    body = {**move.args[0], "encounterId": "other"}
    data = {"tokenId": "t", "position": {"x": 5, "y": 0, "elevation": 0}, "version": 9}
    elsewhere = scene.asks(BOB, Request("token:move", (body,), "t", "s"), {"success": True, "data": data})
    _hears_of(scene, move, 4)
    _hears_of(scene, elsewhere, 9)
    assert contradicted(scene) == []
    _hears_of(scene, elsewhere, 4)
    assert contradicted(scene) == [STORED]


def test_a_token_whose_id_is_no_text_is_no_matter_of_versions(scene: Written) -> None:
    """It cannot be known from others; that an id is a text is judged elsewhere."""
    body = {"sessionId": "s", "encounterId": "e", "tokenId": 7, "position": {"x": 5, "y": 0}}
    data = {"tokenId": 7, "position": {"x": 5, "y": 0, "elevation": 0}, "version": 9}
    move = scene.asks(BOB, Request("token:move", (body,), None, "s"), {"success": True, "data": data})
    _hears_of(scene, move, 4)
    assert contradicted(scene) == []


def test_a_new_token_has_one_version(scene: Written) -> None:
    """The token is known by the id that its answer names."""
    draft: dict[str, Any] = {"name": "n", "position": {"x": 1, "y": 2}}
    body: dict[str, Any] = {"sessionId": "s", "encounterId": "e", "token": draft}
    token = {**draft, "id": "t", "version": 1}
    request = Request("token:create", (body,), "n", "s")
    made = scene.asks(ALICE, request, {"success": True, "data": {"token": token}})
    scene.is_sent(CAROL, "token:create", {**body, "userId": made.user, "timestamp": TIME, "token": token})
    assert contradicted(scene) == []
    scene.is_sent(
        BOB, "token:create", {**body, "userId": made.user, "timestamp": TIME, "token": {**token, "version": 0}}
    )
    assert contradicted(scene) == [STORED]


# -- numbers -------------------------------------------------------------------------------------------


def test_nothing_is_answered_that_was_not_asked(scene: Written) -> None:
    """An answer under a number that no request had."""
    scene.journal.write("alice", ALICE, "is sent", "an answer to request 7", ({"success": True, "data": {}},))
    assert contradicted(scene) == ["acks/answered-under-its-number"]


@pytest.mark.parametrize(("named", "swapped"), [("one", False), ("two", True), ("three", False)])
def test_an_answer_is_to_its_own_request(scene: Written, named: str, swapped: bool) -> None:
    """It names what another request of the user asked for at the time; what nobody asked for is another fault."""
    one, two = (Request("token:create", ({"token": {"name": name}},), name, "s") for name in ("one", "two"))
    scene.sends(ALICE, two)
    scene.asks(ALICE, one, {"success": True, "data": {"token": {"name": named}}})
    assert contradicted(scene) == (["acks/answered-under-its-number"] if swapped else [])


@pytest.mark.parametrize(
    ("asked", "answer", "requirement"),
    [
        ("", {"success": True}, "acks/exactly-one-answer"),
        ("", {"success": False}, "acks/exactly-one-answer"),
        ("chat-message", {"success": True}, "acks/answered-under-its-number"),
        ("token:move", {"success": True}, "acks/exactly-one-answer"),
        ("token:move", {"success": True, "data": {}}, "acks/answered-under-its-number"),
    ],
)
def test_an_answer_to_what_wants_none_is_no_second_one(
    scene: Written, asked: str, answer: dict[str, Any], requirement: str
) -> None:
    """Under the number of another request: it says something else, or what was asked without a callback is the same."""
    request = scene.says_and_is_answered(ALICE, "hello")
    first = next(seen.request for seen in scene.journal.observations if seen.act == "is answered")
    if asked:
        scene.journal.write("alice", ALICE, "tells", asked)
    assert first is not None
    assert request.outcome == "accepted"
    scene.is_answered(ALICE, first, answer, again=True)
    assert broken(scene)[-1:] == [requirement]


@pytest.mark.parametrize(
    ("name", "requirement"), [("one", "acks/answered-under-its-number"), ("two", "acks/exactly-one-answer")]
)
def test_the_same_answer_again_is_no_answer_to_what_named_another(scene: Written, name: str, requirement: str) -> None:
    """A token is created, and then one without a callback; the first is answered once more."""
    first, silent = (Request("token:create", ({"token": {"name": each}},), each, "s") for each in ("one", name))
    answer = {"success": True, "data": {"token": {"name": "one"}}}
    scene.asks(ALICE, first, answer)
    scene.journal.write("alice", ALICE, "tells", "token:create", silent.args, silent)
    scene.is_answered(ALICE, first, answer, again=True)
    assert broken(scene)[-1:] == [requirement]


@pytest.mark.parametrize("asked", ["join-session", "leave-session", ""])
def test_an_answer_to_what_wants_none_may_come_first(scene: Written, asked: str) -> None:
    """It is then neither an answer in the wrong shape nor is the right one, which follows, a second one."""
    left = {"success": True, "data": {"sessionId": "s"}}
    user = {"success": True, "data": {"user": {"id": "alice", "username": "alice", "displayName": "Alice"}}}
    if asked:
        scene.journal.write("alice", ALICE, "tells", asked)
    profile = Request("get-user-data", ({},), None, "s")
    scene.sends(ALICE, profile)
    scene.is_answered(ALICE, profile, left)
    scene.is_answered(ALICE, profile, user, again=True)
    wrong = ["acks/success-shape", "acks/success-shape", "acks/exactly-one-answer"]
    assert broken(scene) == (["acks/answered-under-its-number"] if asked == "leave-session" else wrong)


# -- the order of broadcast and acknowledgement --------------------------------------------------------


def _heard_later(scene: Written, event: str, lags: list[float]) -> None:
    """Let alice send requests of an event, each of which bob hears so many seconds after it was acknowledged."""
    for number, lag in enumerate(lags):
        scene.now = round(scene.now) + 10
        mark = f"{event}-{number}"
        if event == "chat-message":
            heard = scene.broadcast(_says(scene, mark, timestamp=""), timestamp="")
        else:
            body = {"sessionId": "s", "encounterId": "e", "tokenId": mark}
            scene.asks(ALICE, Request(event, (body,), mark, "s"), {"success": True, "data": {"tokenId": mark}})
            heard = {**body, "userId": "alice"}
        scene.now += lag - 1.0
        scene.is_sent(BOB, event, heard)


AT_ONCE, LATE = [0.001, -0.002, 0.004, 0.01, 0.003], [0.151, 0.16, 0.152, 0.15, 0.9]


@pytest.mark.parametrize(
    ("chat", "deletions", "late"),
    [
        (AT_ONCE, AT_ONCE, False),
        (LATE, AT_ONCE, True),
        (LATE, LATE, False),  # all that is sent may take its time on the way
        ([*LATE, 0.01], AT_ONCE, False),  # a way on which some get lost for a while
        ([*LATE, *LATE, 0.01], AT_ONCE, True),  # an answer that was kept back for once
        (LATE, [0.001, 0.3, 0.2, 0.02, 0.4], False),
        (LATE[:3], AT_ONCE, False),  # too few
        (LATE, AT_ONCE[:3], False),
    ],
)
def test_an_event_is_late_if_it_alone_always_is(
    scene: Written, chat: list[float], deletions: list[float], late: bool
) -> None:
    """What takes its time on its way takes it whatever it says: an event is late beside others that are not."""
    _heard_later(scene, "chat-message", chat)
    _heard_later(scene, "token:delete", deletions)
    found = [rule for rule in contradicted(scene) if not rule.startswith("chat/")]
    assert found == (["order/broadcast-before-acknowledgement"] * sum(lag > 0.1 for lag in chat) if late else [])


def test_presence_shows_that_the_way_is_short(scene: Written) -> None:
    """Everything is late that was asked for, and who joins is announced at once."""
    _heard_later(scene, "chat-message", LATE)
    for connection in range(10, 14):
        scene.joins(connection, "dave")
        scene.now -= 0.99
        scene.is_sent(BOB, "user-joined", {"sessionId": "s", "userId": "dave", "timestamp": TIME})
    found = [rule for rule in contradicted(scene) if rule.startswith("order/")]
    assert found == ["order/broadcast-before-acknowledgement"] * len(LATE)
