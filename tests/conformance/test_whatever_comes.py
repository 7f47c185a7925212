"""What looks at observations withstands whatever a server may send: it comes to a finding or to none, and in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.conformance.written import TIME, Written

from dungeonlab_conformance.invariants.breaches import breaches
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.dialect import deviations
from dungeonlab_conformance.invariants.shapes import answer_faults
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import QUOTED, Arguments, quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries, contains
from dungeonlab_conformance.record.observation import Act, EndOfStay, Observation, Request
from dungeonlab_conformance.target.dialect.translation import Dialect, Shape
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import examples

CATALOGUE = Catalogue.load()
USERS = ("gm", "alice", "bob", "carol", "mallory")
MARK = "mark-abc-1."
DIALECT = Dialect(
    events={"join-session": "joinSession", "token:move": "token:shift"},
    broadcasts={"token:move": "token:moved", "chat-message": "chatMessage"},
    arguments={"get-user-data": "userId"},
    ack=Shape({"ok": "success"}),
    data_at_top_level=True,
    emissions={"chat-message": Shape({"sender": "userId"}), "user-joined": Shape({"who": "userId"})},
)


class Opaque:
    """Something that came, which a failing test need not be able to show."""

    def __init__(self, what: Any) -> None:
        self.what = what


# -- whatever a server may send --------------------------------------------------------------------------

_SURROGATES = st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010, exclude_categories=())
_ENDLESS = st.builds(lambda sign: sign * 10**10_000, st.sampled_from([1, -1]))
_NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, 1e308]), _ENDLESS)
_KNOWN = ("s", "t", "e", "k", MARK, 100_007, *USERS, TIME)  # what means something in the journals below
_KEYS = ("sessionId", "userId", "encounterId", "tokenId", "token", "id", "data", "success", "code", "error", "message")
LEAVES = st.one_of(
    st.none(), st.booleans(), _NUMBERS, st.text(), st.text(_SURROGATES), st.binary(), st.sampled_from(_KNOWN)
)
_ODD_KEYS = st.one_of(st.sampled_from(_KEYS), st.text(_SURROGATES), st.none(), st.integers(), st.booleans())


def nested(levels: int, *, in_lists: bool = True) -> Any:
    """Return something so many levels deep."""
    value: Any = "bottom"
    for _ in range(levels):
        value = [value] if in_lists else {"data": value}
    return value


DEEP = st.builds(
    lambda levels, lists: nested(levels, in_lists=lists), st.sampled_from([70, 400, 50_000]), st.booleans()
)
JSON = st.one_of(
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ODD_KEYS, inner, max_size=5)),
    DEEP,
)


@st.composite
def bodies(draw: st.DrawFn, event: str, direction: Any) -> Any:
    """Return a valid payload in which up to three places are something else; or something else altogether."""
    known = examples(event, "valid", direction) if event in CATALOGUE else {}
    if not known or draw(st.integers(0, 4)) == 0:
        return draw(JSON)
    body = _as_here(draw(st.sampled_from(list(known.values()))))
    for _ in range(draw(st.integers(0, 3))):
        place = body
        while True:
            key = draw(st.sampled_from([*place, *_KEYS]))
            inner = place.get(key)
            if not isinstance(inner, dict) or draw(st.booleans()):
                place[key] = draw(JSON)
                break
            place = inner
    return body


def _as_here(body: Any) -> Any:
    """Return an example with the ids of the journals below."""
    if isinstance(body, dict):
        ids = {"sessionId": "s", "encounterId": "e", "tokenId": "k", "userId": "alice", "message": MARK}
        return {key: ids.get(key, _as_here(value)) for key, value in body.items()}
    return [_as_here(each) for each in body] if isinstance(body, list) else body


NAMES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([event.name for event in CATALOGUE]),
    st.sampled_from(["chatMessage", "x-own", "a frame", ""]),
    JSON,
)
ACTS: Sequence[Act] = ("hears", "is answered", "is answered again", "is refused", "connects", "is closed")


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    """Return a journal in which people sit, ask, and are sent whatever it may be."""
    scene = Written()
    for connection, user in enumerate(USERS, 1):
        scene.comes(connection, user)
        if draw(st.booleans()):
            stay = scene.joins(connection, user)
            if draw(st.booleans()):
                scene.ends(stay, draw(st.sampled_from(get_args(EndOfStay))))
    for _ in range(draw(st.integers(1, 8))):
        _ask(draw, scene)
        _send(draw, scene)
    return scene.journal


def _ask(draw: st.DrawFn, scene: Written) -> None:
    event = draw(st.sampled_from([event.name for event in CATALOGUE if event.request]))
    request = Request(
        event,
        tuple(draw(st.lists(bodies(event, "request"), max_size=2))),
        draw(st.sampled_from([None, MARK, "k", 100_007])),
        draw(st.sampled_from(["s", "t", None])),
        draw(st.booleans()),
        draw(st.sampled_from([None, "chat/text-arrives-unchanged"])),
    )
    scene.sends(draw(st.integers(1, 5)), request, draw(st.sampled_from(["accepted", "refused", "unknown"])))


def _send(draw: st.DrawFn, scene: Written) -> None:
    name = draw(NAMES)
    act = draw(st.sampled_from(ACTS))
    direction = "ack" if act == "is answered" else "emission"
    args = tuple(draw(st.lists(bodies(name if isinstance(name, str) else "", direction), max_size=2)))
    request = draw(st.sampled_from(list(scene.journal.requests))) if act.startswith("is answered") else None
    wire = draw(st.sampled_from([None, (name, args), ("chatMessage", args), ("odd name", ({},))]))
    scene.journal.write(f"#{1}", draw(st.integers(0, 5)), act, name, args, request, wire=wire)


def judged(journal: Journal) -> list[str]:
    """Return all that is found in a journal, as a report would say it."""
    ledger = Ledger([journal])
    found = [(b.broken, b.requirement, b.event) for b in breaches(journal, ledger, CATALOGUE)]
    found += [(d.broken, d.requirement, d.event) for d in deviations(DIALECT, journal.observations)]
    for broken, requirement, event in found:
        each = CATALOGUE.requirements[requirement].each  # it is one that there is
        assert (event is None) == (each is None), (requirement, event)
        assert len(f"{broken}{broken.path}") < 300_000
    return [f"{requirement}: {broken}" for broken, requirement, _ in found]


WHATEVER = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@WHATEVER
@given(journals().map(Opaque))
def test_any_journal_can_be_judged(journal: Opaque) -> None:
    """Names, payloads and answers may be anything, at any depth; all that comes of it is findings that can be shown."""
    judged(journal.what)


@WHATEVER
@given(JSON.map(Opaque))
@example(Opaque(nested(50_000)))
@example(Opaque(10**10_000))
def test_any_answer_can_be_read(came: Opaque) -> None:
    """An acknowledgement may be anything: it says yes, no, or neither, and what is wrong with it can be said."""
    for event in CATALOGUE:
        if event.request:
            for legal in (True, False):
                answer = Acknowledgement(Request(event.name, ({},), None, "s", legal=legal), Arguments((came.what,)))
                assert isinstance(answer.accepted, bool)
                assert isinstance(answer.data, dict)
                assert answer.code is None or isinstance(answer.code, str)
                assert all(f"{broken}" for _, _, broken in answer_faults(answer))


@WHATEVER
@given(JSON.map(Opaque), st.sampled_from([MARK, "k", 100_007]))
def test_a_mark_is_looked_for_in_anything(came: Opaque, mark: str | int) -> None:
    """A payload of any kind carries a mark or not; a delivery is that of a request or not."""
    assert contains([came.what, mark], mark)
    seen = Observation(1, 0.0, "bob", 2, "hears", "chat-message", Arguments((came.what, {"message": mark})))
    assert isinstance(carries(seen, Request("chat-message", ({},), mark, "s")), bool)


# -- very much of it -------------------------------------------------------------------------------------

_CHAT = {"sessionId": "s", "messageId": "m", "userId": "alice", "message": "x", "timestamp": TIME}
MANY = {
    "like no request": ("chat-message", _CHAT),
    "with a mark": ("chat-message", {**_CHAT, "message": MARK}),
    "of no known session": ("chat-message", {**_CHAT, "sessionId": "nowhere"}),
    "without what they need": ("chat-message", {}),
    "a direct answer": ("get-user-data", {"user": {}}),
    "a name that is none": ("NoSuchName", {}),
    "a presence event": ("session-removed", {"sessionId": "s", "reason": "x"}),
    "an error": ("error", {}),
}


@pytest.mark.parametrize("what", MANY)
def test_ten_times_as_much_takes_ten_times_as_long(what: str) -> None:
    """Not a hundred times: each delivery is looked up, and not compared with every request and every other delivery."""
    few, many = (_processor_time(*MANY[what], times) for times in (200, 2_000))
    assert many < 30 * few + 1.0


def _processor_time(event: str, body: Any, times: int) -> float:
    scene = Written()
    scene.joins(1, "alice")
    scene.joins(2, "bob")
    for number in range(100):
        scene.says(1, f"mark-abc-{number}.")
        scene.says(1, f"text {number}", mark=None)
    for _ in range(times):
        scene.is_sent(2, event, body)
    began = time.process_time()
    assert sum(1 for _ in breaches(scene.journal, Ledger([scene.journal]), CATALOGUE))
    return time.process_time() - began


def test_what_is_quoted_is_not_written_out_before_it_is_cut() -> None:
    """One attachment of 4 MB that a packet holds ten thousand times, at the top and 300 levels deep."""
    many: list[Any] = [bytes(4_000_000)] * 10_000
    for _ in range(300):
        assert len(quoted(many)) <= QUOTED + 1
        many = [many]
    assert quoted({"a": [1, b"x", "\ud800"]}) == repr({"a": [1, b"x", "\ud800"]})
