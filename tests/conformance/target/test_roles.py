"""Who plays whom, with few accounts."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.target.roles import ROLES, Party, parties, pick

FOUR = ("gamemaster", "alice", "bob", "dave")
HERE, THERE = Party("gamemaster", ("alice", "bob")), Party("gamemaster", ("dave",))


def test_with_an_account_for_each_role_each_plays_itself() -> None:
    """Who has been given a role before."""
    here, there = parties(ROLES)
    for role in ROLES:
        assert pick(role, ROLES, here, there, [other for other in ROLES if other != role]) == role


@pytest.mark.parametrize(
    ("role", "taken", "plays"),
    [
        ("alice", (), "alice"),
        ("bob", ("bob",), "alice"),
        ("bob", ("alice", "bob"), "gamemaster"),
        ("carol", (), "gamemaster"),
        ("carol", ("gamemaster",), None),
        ("mallory", (), "dave"),
        ("mallory", ("dave",), None),
        ("dave", (), "dave"),
        ("gamemaster", ("gamemaster",), None),
    ],
)
def test_four_accounts(role: str, taken: tuple[str, ...], plays: str | None) -> None:
    """The game master, of both sessions, is carol too, and dave is mallory; nobody is two at a time."""
    assert pick(role, FOUR, HERE, THERE, taken) == plays


def test_nobody_stands_in_where_it_would_show() -> None:
    """A member of the session is no outsider of it, and a member of both is not of the second only."""
    here, there = Party("gamemaster", ("alice",)), Party("gamemaster", ("alice",))
    accounts = ("gamemaster", "alice")
    assert pick("mallory", accounts, here, there) is None
    assert pick("dave", accounts, here, there) is None
    assert pick("carol", accounts, here, there) == "alice"


def test_a_stand_in_is_the_account_that_is_needed_least() -> None:
    """A member of the first session only comes before one of both, and that one before the game master."""
    here, there = Party("gamemaster", ("carol", "mallory")), Party("gamemaster", ("carol",))
    assert pick("bob", ("gamemaster", "carol", "mallory"), here, there) == "mallory"
    assert pick("bob", ("gamemaster", "carol"), here, there) == "carol"
    outsiders = Party("gamemaster", ("dave",))
    assert pick("mallory", ("dave", "bob"), Party("gamemaster", ()), outsiders) == "bob"


def test_an_own_name_counts_for_nothing_without_the_membership() -> None:
    """Alice, in no session, is not alice; the game master of one session is not that of the other."""
    here, there = Party("bob", ("carol",)), Party("gamemaster", ())
    assert pick("alice", ("alice", "carol"), here, there) == "carol"
    assert pick("gamemaster", ("gamemaster", "bob"), here, there) == "bob"


def test_with_one_session_carol_is_any_member() -> None:
    """What needs a second session cannot be played then anyway."""
    assert pick("carol", FOUR, HERE, None, ("alice", "bob")) == "gamemaster"
    assert pick("dave", FOUR, HERE, None) is None
