"""Situations: what an act depends on is described, and counts only where it decided what became of the act."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.plays.acts import NOWHERE, THERE, Act, Play
from dungeonlab_conformance.plays.generator import random_play
from dungeonlab_conformance.plays.situations import count, deciding, situations, visited, who
from dungeonlab_conformance.plays.world import World


def after(*acts: Act) -> World:
    """Return the world after some acts, each of which must be possible."""
    world = World()
    for act in acts:
        assert world.do(act), act
    return world


def enter(*tabs: str, session: str = "here") -> list[Act]:
    """Return acts by which tabs connect and join."""
    return [
        *(Act("connect", tab) for tab in tabs),
        *(Act("send", tab, "join-session", session) for tab in tabs),
    ]


def send(tab: str, event: str, **more: str) -> Act:
    """Return a request."""
    return Act.from_json({"does": "send", "tab": tab, "event": event, **more})


T1 = send("alice", "token:create", token="t1")


def test_what_is_accepted_depends_on_everything() -> None:
    """Who, from where, about what, with which payload, and who listens: each could have changed it."""
    world = after(*enter("alice", "alice/2", "bob"), Act("connect", "mallory"), T1)
    found = deciding(world, send("bob", "token:move", token="t1", payload="full"))
    assert found["outcome"] == ("accepted",)
    assert found["who"] == ("a member",)
    assert found["history"] == ("joined",)
    assert found["about"] == ("another's token",)
    assert found["payload"] == ("full",)
    assert found["tabs"] == ("none",)
    assert found["audience"] == ("2",)
    assert found["listener"] == ("a member, joined", "an outsider, new", "2 tabs of one user")


def test_what_an_earlier_question_refused_shows_nothing_of_later_ones() -> None:
    """An outsider's request with a hostile id and a large payload is refused since it is an outsider's."""
    world = after(*enter("alice", "bob"), Act("connect", "mallory"), T1)
    refused = send("mallory", "token:update", token="t1", payload="data:15-kB")
    assert not {"about", "payload", "kind", "listener"} & deciding(world, refused).keys()
    assert deciding(world, refused)["outcome"] == ("member",)
    twice = send("mallory", "token:update", token="t1", twist="__proto__")
    assert deciding(world, twice) == {
        "event": ("token:update",),
        "callback": ("with",),
        "order": ("member before token",),
    }
    assert deciding(world, send("bob", "token:update", token="t1", twist="__proto__"))["twist"] == (
        "__proto__ of tokenId",
    )


@pytest.mark.parametrize(
    ("act", "objection", "decided"),
    [
        (send("alice", "token:move", token="t1", payload="missing-position"), "shape", {"payload": ("missing",)}),
        (send("alice", "chat-message", session=NOWHERE), "session", {"about": ("an unknown session",)}),
        (send("dave", "chat-message"), "member", {"who": ("a member elsewhere",), "history": ("elsewhere",)}),
        (send("bob/2", "chat-message"), "joined", {"history": ("new",), "beside": ("in the room",)}),
        (
            send("alice", "token:create", encounter="other"),
            "encounter",
            {"about": ("an encounter of another session",)},
        ),
        (send("alice", "token:move", token=NOWHERE), "token", {"about": ("an unknown token",)}),
        (send("alice", "token:move", token="t2"), "token", {"about": ("a token of another session",)}),
        (send("alice", "get-user-data", user="dave"), "user", {"about": ("a stranger",)}),
        (
            send("alice", "validate-action", token="t1", action="token:move", payload="action:missing-position"),
            "action",
            {"payload": ("missing",), "asked": ("token:move",)},
        ),
    ],
)
def test_a_refusal_depends_on_what_was_asked_first(
    act: Act, objection: str, decided: dict[str, tuple[str, ...]]
) -> None:
    """Each question of the order of judging has its own factors."""
    there = [*enter("dave", session=THERE), Act("send", "dave", "token:create", THERE, token="t2")]
    world = after(*enter("alice", "bob"), Act("connect", "bob/2"), T1, *there)
    found = deciding(world, act)
    assert found["outcome"] == (objection,)
    assert decided.items() <= found.items()
    assert ("about" in found) == (objection in ("session", "encounter", "token", "user"))


def test_who_somebody_is_changes() -> None:
    """By being removed and taken in, and by the session."""
    world = World()
    assert who(world, "gamemaster", THERE) == "the game master"
    assert who(world, "carol", "here") == "a member of both"
    assert who(world, "mallory", "here") == "an outsider"
    world = after(Act("remove", "bob"), Act("enrol", "mallory"), Act("remove", "alice"), Act("enrol", "alice"))
    assert [who(world, role, "here") for role in ("bob", "mallory", "alice")] == [
        "a removed member",
        "taken in",
        "taken in again",
    ]


@pytest.mark.parametrize(
    ("acts", "history"),
    [
        ([], "joined"),
        ([send("carol", "join-session")], "joined twice"),
        ([send("carol", "leave-session")], "left"),
        ([send("carol", "leave-session"), send("carol", "join-session")], "joined again"),
        ([send("carol", "join-session", session=THERE)], "switched"),
        ([send("carol", "join-session", session=THERE), send("carol", "join-session")], "switched back"),
        ([send("carol", "join-session", session=NOWHERE)], "kept"),
        ([Act("cut", "carol"), Act("connect", "carol")], "reconnected"),
        ([Act("cut", "carol"), *enter("carol")], "joined after reconnecting"),
        (enter("carol/2", session=THERE), "moved out"),
        ([Act("remove", "carol")], "removed"),
        ([Act("remove", "carol"), Act("enrol", "carol"), send("carol", "join-session")], "joined after removal"),
        (
            [Act("remove", "carol"), Act("cut", "carol"), Act("connect", "carol"), send("carol", "join-session")],
            "refused",
        ),
    ],
)
def test_a_connection_has_a_history_with_a_room(acts: list[Act], history: str) -> None:
    """It says how it came in, or out."""
    assert after(*enter("carol"), *acts).tabs["carol"].history("here") == history


def test_logging_out_ends_the_connections_of_a_user() -> None:
    """Of another login, too, since a server may; the next connection comes with the newest cookie that is left."""
    world = after(*enter("alice"), Act("log in", "alice"), *enter("alice/2"), Act("log out", "alice"))
    assert not world.tabs
    assert world.can(Act("connect with the old cookie", "alice/3"))
    assert world.can(Act("connect", "alice/3"))
    assert not after(Act("log out", "alice")).can(Act("connect", "alice"))


def test_impossible_acts_visit_nothing() -> None:
    """They are left out when the play is carried out."""
    acts = random_play(3).acts
    assert visited(Play("x", acts)) == visited(Play("x", (send("bob/9", "chat-message"), *acts)))


def test_situations_are_of_two_or_three_factors() -> None:
    """Which ones is said by name; the longer a play, the more it visits."""
    world = after(*enter("alice", "bob"), T1)
    found = situations(world, send("bob", "chat-message", payload="text:markup"))
    assert ("event: chat-message", "kind: text:markup") in found
    assert ("event: chat-message", "listener: a member, joined") in found
    assert ("event: chat-message", "who: a member", "history: joined") in found
    assert sum(count(found).values()) == len(found)
    assert visited(random_play(5, 20)) < visited(random_play(5, 60))
