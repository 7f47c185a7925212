"""A finding as it is made of a scene: what convicts is a fact, and no guess from what it looks like."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.record.secrets.leaks import Ours, leaks
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.evaluation import finding, recording_of
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target

SCENE: Any = SimpleNamespace(
    check=SimpleNamespace(name="the_sender_hears_nothing"),
    event=SimpleNamespace(name="token:move"),
    wanted=frozenset({"rooms/b", "rooms/a"}),
)


def heard(*actors: str) -> tuple[Journal, list[Observation]]:
    """Return a journal in which each of them hears the same."""
    journal = Journal()
    return journal, [journal.write(actor, 1, "hears", "token:move", ({"x": 1},)) for actor in actors]


def found(journal: Journal, broken: Broken, upto: Observation | None = None) -> Finding:
    target = SimpleNamespace(secrets=Secrets(), room=Room())
    stage: Any = SimpleNamespace(target=target, journal=journal, actors=[], raws=[], acts=[], ids=dict)
    return finding(broken, SCENE, stage, upto)


def test_a_finding_names_its_scene_and_what_that_judges() -> None:
    """Check, event and requirements, each by itself."""
    made = found(heard("alice")[0], Broken("silence", "an echo"))
    assert (made.check, made.event, made.requirements) == (
        "the_sender_hears_nothing",
        "token:move",
        ("rooms/a", "rooms/b"),
    )
    assert made.scene == "the_sender_hears_nothing[token:move]"


def test_the_line_that_convicts_is_that_of_the_observation() -> None:
    """Others may hear the very same: only what shows the fault convicts."""
    journal, seen = heard("alice", "bob", "carol")
    assert found(journal, Broken("silence", seen[1])).convicting == 1
    assert found(journal, Broken("silence", '{"x": 1}')).convicting is None


def test_an_answer_convicts_by_the_request_that_it_belongs_to() -> None:
    """Another request may be answered just so; of the same one asked again, the last answer."""
    journal, bodies = Journal(), ({"success": True},)
    one, other = (Request("join-session", ({},), None, None) for _ in range(2))
    for actor, request in (("alice", one), ("bob", other), ("bob", other), ("carol", one)):
        journal.write(actor, 1, "is answered", "join-session", bodies, request)
    made = found(journal, Broken("bob to be refused", Acknowledgement(other, Arguments(bodies))))
    assert (made.convicting, made.got) == (2, '{"success": true}')


def test_what_an_invariant_convicts_stands_at_the_end() -> None:
    """Its transcript ends with what it saw, in this scene or in another one."""
    journal, seen = heard("alice", "bob", "carol")
    made = found(journal, Broken("silence", "an echo"), seen[1])
    assert (made.convicting, [line.actor for line in made.transcript]) == (1, ["alice", "bob"])
    _, [elsewhere] = heard("mallory")
    made = found(journal, Broken("silence", "an echo"), elsewhere)
    assert (made.convicting, made.transcript[3].actor) == (3, "mallory")


def test_the_line_is_counted_among_those_that_are_kept() -> None:
    """A long scene loses its first lines; never the one that convicts, with which the transcript ends then."""
    journal, seen = heard(*["alice"] * 1000)
    made = found(journal, Broken("silence", seen[990]))
    assert (made.left_out, made.convicting) == (600, 390)
    made = found(journal, Broken("silence", seen[10]))
    assert (made.left_out, made.convicting, len(made.transcript)) == (0, 10, 11)


def test_a_transcript_ends_when_the_fault_was_found() -> None:
    """What a scene went on to do shows nothing of it."""
    journal, [seen] = heard("alice")
    broken = Broken("silence", seen)
    journal.clock = lambda: broken.at + 1
    journal.write("bob", 1, "hears", "token:move", ({"x": 2},))
    assert [line.actor for line in found(journal, broken).transcript] == ["alice"]


def test_a_finding_has_the_request_that_it_is_about() -> None:
    """As it went over the wire, the last time that it was sent; the answer that convicts knows it, or the scene."""
    journal, request = Journal(), Request("chat-message", ({"message": "a"},), None, None)
    for _ in range(2):
        wire = "message", ({"text": "a"},)
        at = journal.write("alice", 1, "sends", "chat-message", request.args, wire=wire).at
        journal.sent(request, "alice", "u1", 1, at=at)
    answer = Acknowledgement(request, Arguments(({"success": True},)))
    for broken in (Broken("a refusal", answer), Broken("a refusal", "silence", request=request)):
        sent = found(journal, broken).sent
        assert sent is not None
        assert (sent.at, sent.event, sent.body) == (round((at - journal.began) * 1000, 1), "message", '{"text": "a"}')
    assert found(journal, Broken("a refusal", "silence")).sent is None


def test_a_request_that_went_as_a_bare_frame_is_shown_as_it_was_built() -> None:
    """No line of the journal is that request; one that was never sent is not shown."""
    journal, request = Journal(), Request("chat-message", ({"message": "a"},), None, None)
    assert found(journal, Broken("a refusal", "silence", request=request)).sent is None
    journal.sent(request, "alice", "u1")
    sent = found(journal, Broken("a refusal", "silence", request=request)).sent
    assert sent is not None
    assert (sent.actor, sent.act, sent.event, sent.body) == ("alice", "sends", "chat-message", '{"message": "a"}')


def test_a_request_holds_no_secret_and_is_bounded() -> None:
    """As all that is written of a finding."""
    journal, request = Journal(), Request("chat-message", ({"message": "hunter2" + "a" * 100_000},), None, None)
    journal.sent(request, "alice", "u1")
    target = SimpleNamespace(secrets=Secrets(), room=Room())
    target.secrets.add("hunter2")
    stage: Any = SimpleNamespace(target=target, journal=journal, actors=[], raws=[], acts=[], ids=dict)
    sent = finding(Broken("a refusal", "silence", request=request), SCENE, stage).sent
    assert sent is not None
    assert "hunter2" not in sent.body
    assert sent.cut
    assert len(sent.body) < 17_000


def test_what_several_users_have_for_a_cookie_is_no_secret() -> None:
    """A balancer's says where they are served; that of a login that has ended is one still, and so is a password."""
    alice = Identity("alice", "1", {"id": "cookie-of-alice", "node": "the-same-node"}, {"password": "shared-password"})
    ended = replace(alice, cookies={"id": "cookie-from-before", "node": "the-same-node"})
    bob = Identity("bob", "2", {"id": "cookie-of-bobby", "node": "the-same-node"}, {"password": "shared-password"})
    target = Target("http://127.0.0.1:9")
    pool = SimpleNamespace(known=lambda: {"alice": alice, "bob": bob}, provisioner=Provisioner(target))
    pool.provisioner.logins.append(ended)
    stage: Any = SimpleNamespace(target=target, pool=pool, journal=Journal())
    ours = recording_of([(SCENE, stage)], ()).secrets
    assert isinstance(ours, Ours)
    for secret in ("cookie-of-alice", "cookie-from-before", "cookie-of-bobby", "shared-password"):
        assert [*leaks({"text": secret}, ours)], secret
    assert not [*leaks({"text": "the-same-node"}, ours)]
