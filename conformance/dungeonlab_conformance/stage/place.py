"""A game session, with what has been set up in it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from dungeonlab_conformance.target.roles import Party


@dataclass(eq=False)
class Place:
    """A game session, with what has been set up in it so far.

    `variables` are what the steps that opened it captured. `enrolled` and `revoked` are names of accounts.
    """

    session: str
    party: Party
    variables: dict[str, str] = field(default_factory=dict)
    encounters: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # encounters that were opened in it
    token: str | None = None
    enrolled: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    ready_made: bool = False
    exclusive: bool = True
