"""Roles: which account plays which role of a scene, by what the accounts are members of.

With an account for each role, each plays itself. With fewer, another one may stand in, as long as nothing a
scene could find out about it would be wrong: an account plays one role in a scene, and belongs where the role
belongs. Pure; logs nobody in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

ROLES = {
    "gamemaster": "the game master of the first session",
    "alice": "a member of the first session",
    "bob": "a second member of the first session",
    "carol": "a member of both sessions",
    "dave": "a member of the second session only",
    "mallory": "a valid account that is no member of the first session",
}


@dataclass(frozen=True, slots=True)
class Party:
    """Who belongs to a session, by the names of their accounts; `gamemaster` is None if it is none of them."""

    gamemaster: str | None
    members: tuple[str, ...]

    def __contains__(self, account: str) -> bool:
        return account == self.gamemaster or account in self.members


def parties(accounts: Collection[str]) -> tuple[Party, Party | None]:
    """Return who is to belong to the two sessions of a scene that opens them itself."""
    here = Party("gamemaster", tuple(name for name in ("alice", "bob", "carol") if name in accounts))
    return here, Party("gamemaster", tuple(name for name in ("carol", "dave") if name in accounts))


def pick(
    role: str, accounts: Iterable[str], here: Party, there: Party | None, taken: Collection[str] = ()
) -> str | None:
    """Return the account that plays a role, or None if nobody left can; its own name has the first claim."""
    able = [name for name in accounts if name not in taken and _may_play(role, name, here, there)]
    return min(able, key=lambda name: (name != role, _oddity(role, name, here, there)), default=None)


def _may_play(role: str, name: str, here: Party, there: Party | None) -> bool:
    match role:
        case "gamemaster":
            return name == here.gamemaster
        case "carol":
            return name in here and (there is None or name in there)
        case "dave":
            return name not in here and there is not None and name in there
        case "mallory":
            return name not in here
        case _:
            return name in here


def _oddity(role: str, name: str, here: Party, there: Party | None) -> int:
    """Say how much of what scenes ask for elsewhere a stand-in would use up: the less, the better."""
    elsewhere = there is not None and name in there
    if role == "mallory":
        return int(elsewhere)
    return 2 * (name == here.gamemaster) + (elsewhere and role != "carol")
