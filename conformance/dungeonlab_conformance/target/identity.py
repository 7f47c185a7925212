"""Who is logged in, and the accounts and sessions that are there already."""

from __future__ import annotations

from dataclasses import dataclass, field

from dungeonlab_conformance.target.roles import Party


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the target's file names, with what proves whose it is. `user` is the server's id for it."""

    username: str = ""
    password: str = ""
    cookie: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A session that is there already. `exclusive` promises that nobody else speaks in it during a run."""

    session: str
    party: Party
    encounters: tuple[str, ...] = ()
    exclusive: bool = False


@dataclass(eq=False, slots=True)
class Identity:
    """One login of a user: the id by which the server calls the user, and what proves it on each request."""

    name: str
    user: str
    cookies: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
