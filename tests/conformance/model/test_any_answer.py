"""Whatever a server answers or sends: the model raises nothing, and the play goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import VALUES, quickly
from tests.conformance.model.test_judge import PATIENCE

from dungeonlab_conformance.model.judge import judge
from dungeonlab_conformance.payloads.kinds import TWISTS, kinds_of, payload_of
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_spec import Catalogue

_IDS = {"sessionId": "s", "encounterId": "e", "tokenId": "t"}
_TABS = {1: "alice", 2: "alice", 3: "bob", 4: "mallory"}
_EVENTS = [event.name for event in Catalogue.load() if event.request]
_ANY: st.SearchStrategy[Any] = st.one_of(VALUES, st.sampled_from(["t", "s", "e", "alice", 1, True, None, [], {}]))
_KEYS = ("id", "name", "version", "position", "data", "createdBy", "updatedBy", "size", "conditions", "actorId")
_TOKEN = st.one_of(_ANY, st.dictionaries(st.sampled_from(_KEYS), _ANY), st.fixed_dictionaries({"id": st.just("t")}))
_BODY: Mapping[str, st.SearchStrategy[Any]] = {
    "token": _TOKEN,
    "tokenId": st.one_of(st.just("t"), _ANY),
    "sessionId": st.one_of(st.just("s"), _ANY),
    "participantIds": _ANY,
    "user": st.one_of(_ANY, st.fixed_dictionaries({"id": _ANY})),
    "valid": st.one_of(st.booleans(), _ANY),
    "version": _ANY,
    "event": st.one_of(st.sampled_from(_EVENTS), _ANY),
    "code": st.one_of(st.sampled_from(["NOT_JOINED", "TOKEN_NOT_FOUND", "RATE_LIMITED"]), _ANY),
}
_BODIES = st.one_of(_ANY, st.fixed_dictionaries({}, optional=_BODY))
_ANSWERS = st.one_of(
    _ANY,
    st.fixed_dictionaries({"success": st.just(value=True), "data": _BODIES}),
    st.fixed_dictionaries({"success": st.just(value=False), "code": _BODY["code"]}),
)


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    event = draw(st.sampled_from(_EVENTS))
    action = draw(st.sampled_from(["token:create", "token:move", "token:update", "token:delete"]))
    action = action if event == "validate-action" else ""
    kind, twist = draw(st.sampled_from([*kinds_of(event, action)])), draw(st.sampled_from(["", "", "", *TWISTS]))
    return payload_of(event, kind, _IDS, action=action, twist=twist)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["sends", "tells"]), st.sampled_from([*_TABS]), _requests()),
        st.tuples(st.just("is answered"), st.integers(0, 5), _ANSWERS),
        st.tuples(st.just("hears"), st.sampled_from([*_TABS]), st.sampled_from([*_EVENTS, "error"]), _BODIES),
        st.tuples(st.just("hears"), st.sampled_from([*_TABS]), st.just("session-removed"), _BODIES),
        st.tuples(st.just("arranges"), st.sampled_from(["membership.add", "membership.remove"])),
        st.tuples(st.just("arranges"), st.sampled_from(["logout", "session.close"])),
        st.tuples(st.sampled_from(["is closed", "connects", "is refused"]), st.sampled_from([*_TABS])),
    ),
    max_size=15,
)


@given(_STEPS)
@quickly(40)
def test_no_answer_and_no_broadcast_makes_it_raise(steps: list[Any]) -> None:
    """Members, strangers and users who logged out send what is valid and what is not; anything at all may come."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.5
        return now

    journal, asked = Journal(clock, epoch=0.0), list[tuple[int, Request]]()
    members = {"session": "s", "master": "gm", "members": ["alice", "bob"], "whole": True}
    journal.write("", 0, "arranges", "session.open", (members,))
    journal.write("", 0, "arranges", "encounter.open", ({"session": "s", "encounter": "e"},))
    for tab, name in _TABS.items():
        journal.rooms.connected(tab, name)
        journal.write(name, tab, "connects", "websocket")
        join = Request.naming("join-session", "s")
        journal.write(name, tab, "sends", "join-session", join.args, join)
        journal.write(name, tab, "is answered", "join-session", ({"success": True, "data": {}},), join)
    made = payload_of("token:create", "minimal", _IDS)
    journal.write("alice", 1, "sends", "token:create", made.args, made)
    answer = {"success": True, "data": {"token": {"id": "t", **made.args[0]["token"], "version": 1}}}
    journal.write("alice", 1, "is answered", "token:create", (answer,), made)
    for act, *what in steps:
        match act:
            case "sends" | "tells":
                tab, request = what
                asked.append((tab, request))
                journal.write(_TABS[tab], tab, act, request.event, request.args, request)
            case "is answered" if what[0] < len(asked):
                tab, request = asked[-1 - what[0]]
                journal.write(_TABS[tab], tab, act, request.event, Arguments((what[1],)), request)
            case "hears":
                journal.write(_TABS[what[0]], what[0], act, what[1], Arguments((what[2],)))
            case "arranges":
                fact = {"user": "alice"} if what[0] == "logout" else {"session": "s", "user": "alice"}
                journal.write("", 0, act, what[0], (fact,))
            case "is closed" | "connects" | "is refused":
                journal.write(_TABS[what[0]], what[0], act, "websocket")
    for found in judge(journal, PATIENCE):
        assert f"{found.broken.expected}{found.broken.got}"
