"""What is said of the last requests before a server went away."""

from __future__ import annotations

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.runner.interruptions.last_requests import last_requests, last_words, suspects, under_way


class Scene:
    """A journal whose clock stands until it is set."""

    def __init__(self) -> None:
        self.now = 1.0
        self.journal = Journal(lambda: self.now)

    def sends(
        self, actor: str, connection: int, payload: object, *, tells: bool = False, legal: bool = True
    ) -> Request:
        request = Request("token:move", (payload,), None, None, legal=legal)
        self.now += 0.01
        self.journal.write(actor, connection, "tells" if tells else "sends", request.event, request.args)
        self.journal.sent(request, actor, None, connection, at=self.now)
        return request

    def is_answered(self, request: Request, connection: int) -> None:
        self.now += 0.001
        self.journal.answered(request, self.now, accepted=True)
        self.journal.write("somebody", connection, "is answered", request.event, (), request)


def test_what_had_no_answer_was_under_way() -> None:
    """The earliest first; what was answered later than that moment was under way, too."""
    scene = Scene()
    done = scene.sends("alice", 1, 1)
    scene.is_answered(done, 1)
    scene.sends("bob", 2, 2)
    late = scene.sends("alice", 1, 3)
    ended = scene.now + 0.0001
    scene.is_answered(late, 1)
    assert [sent.args for sent in under_way(scene.journal, ended)] == [(2,), (3,)]


def test_what_was_sent_without_a_callback_was_dealt_with_once_its_connection_heard_more() -> None:
    """No answer will say so."""
    scene = Scene()
    scene.sends("alice", 1, 1, tells=True)
    assert [sent.args for sent in under_way(scene.journal, scene.now)] == [(1,)]
    scene.is_answered(scene.sends("alice", 1, 2), 1)
    assert under_way(scene.journal, scene.now) == []


def test_a_connection_without_anything_under_way_is_named_with_what_it_sent_last() -> None:
    """Behind what was under way, and said to be answered; a connection that was closed by us is of no interest."""
    scene = Scene()
    scene.is_answered(scene.sends("alice", 1, 1), 1)
    scene.sends("carol", 3, 3)
    scene.journal.write("carol", 3, "disconnects", "")
    scene.sends("bob", 2, None)
    assert next(sent.actor for sent in last_requests(scene.journal, scene.now)) == "bob"
    said = last_words(scene.journal, scene.now + 0.005)
    assert said.startswith("bob's token:move null, 5 ms before (not answered); ")
    assert "alice's token:move 1, " in said


def test_what_is_invalid_is_suspected_before_what_is_valid() -> None:
    """Unless the server went on answering its connection afterwards, though not that."""
    scene = Scene()
    scene.sends("alice", 1, None, legal=False)
    scene.sends("bob", 2, 2)
    assert [sent.actor for sent in suspects(scene.journal, scene.now)] == ["alice"]
    scene.is_answered(scene.sends("alice", 1, 3), 1)
    scene.sends("bob", 2, 4)
    assert [sent.actor for sent in suspects(scene.journal, scene.now)] == ["alice", "bob", "bob"]


def test_a_sentence_about_last_requests_is_bounded() -> None:
    """However many there are, and however long."""
    scene = Scene()
    for number in range(300):
        scene.sends("alice", number, "x" * 100_000)
    said = last_words(scene.journal, scene.now)
    assert said.endswith("and 294 more")
    assert len(said) < 2_000
