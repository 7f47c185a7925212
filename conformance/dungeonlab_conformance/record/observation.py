"""What one connection saw or sent, and where it sat: the entries of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dungeonlab_conformance.record.arguments import Arguments

Act = Literal[
    "sends",  # and waits for an answer
    "tells",  # sends without a callback
    "is answered",
    "is answered again",
    "hears",
    "cannot read",  # what was sent in place of a packet
    "is sent",  # an answer that was not asked for
    "connects",
    "is refused",
    "is closed",  # by the server
    "disconnects",
    "is removed",  # loses the membership
]
OWN_ACTS = ("sends", "tells", "disconnects", "is removed")


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that one connection saw. `at` is in seconds on the run's monotonic clock.

    `said` is the request that an answer belongs to.
    """

    number: int
    at: float
    actor: str
    connection: int
    act: Act
    event: str
    args: Arguments = field(default_factory=Arguments)
    said: Said | None = None
    wire: tuple[str, Sequence[Any]] | None = None  # name and arguments as they went over it, if a dialect differs


@dataclass(slots=True)
class Said:
    """One request as it was sent, what it can be recognised by, and what became of it.

    `mark` is a value that the request's broadcast carries too and nothing else in the run does; None where
    the event has no broadcast. `fate` is what its answer said; "unknown" if there was none to be had. `about` is
    the requirement that is broken if its broadcast says something else, or exists at all where it should not. It was
    sent `at` a time and `answered` at another, 0 if it was not, both on the run's clock.
    """

    event: str
    args: tuple[Any, ...]
    mark: str | int | None
    session: str | None
    actor: str = ""
    user: str | None = None
    connection: int = 0
    at: float = 0.0
    answered: float = 0.0
    fate: Literal["accepted", "refused", "unknown"] = "unknown"
    legal: bool = True  # whether its payload is valid
    about: str | None = None


@dataclass(slots=True)
class Seat:
    """A connection's stay in a session's room, as far as its own acknowledgements tell.

    `since` is when it was asked for and `granted` when that was acknowledged, on the run's clock; `until` is None
    while it lasts. A seat whose end the server was free to choose is not `certain`. Between `ending` and `until` it
    ended: the former is when that was asked for, or 0 if nobody asked.
    """

    connection: int
    session: str
    since: float
    until: float | None = None
    ending: float = 0.0
    granted: float | None = None
    certain: bool = True
    why: Literal["", "left", "switched", "revoked", "closed", "gone"] = ""  # closed by the server, or by ourselves
    repeats: int = 0  # how often it was joined again while it lasted

    def end(self, why: Literal["left", "switched", "revoked", "closed", "gone"], at: float, asked: float) -> None:
        """End it, for the reason `why`, as is known now, `at`; `asked` for at that time, or 0."""
        self.why, self.until, self.ending = why, at, asked
