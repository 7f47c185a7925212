"""What one connection saw or sent, and in which room it was: the entries of a journal."""

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

    `request` is the one that an answer belongs to.
    """

    number: int
    at: float
    actor: str
    connection: int
    act: Act
    event: str
    args: Arguments = field(default_factory=Arguments)
    request: Request | None = None
    wire: tuple[str, Sequence[Any]] | None = None  # name and arguments as they went over it, if a dialect differs


@dataclass(slots=True)
class Request:
    """One request as it was sent, what it can be recognised by, and what became of it.

    `mark` is a value that the request's broadcast carries too and nothing else in the run does; None where
    the event has no broadcast. `outcome` is what its answer said; "unknown" if there was none. `requirement`
    is the one that is broken if its broadcast says something else, or exists at all where it should not. It was
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
    outcome: Literal["accepted", "refused", "unknown"] = "unknown"
    legal: bool = True  # whether its payload is valid
    requirement: str | None = None


@dataclass(slots=True)
class RoomStay:
    """A connection's stay in a session's room, as far as its own acknowledgements tell.

    `joined_at` is when joining was asked for and `acked_at` when that was acknowledged, on the run's clock; `left_at`
    is None while it lasts. It ended between `leave_requested_at`, or 0 if nobody asked for that, and `left_at`. Where
    the server was free to choose whether it began or when it ended, it is not `exact`.
    """

    connection: int
    session: str
    joined_at: float
    left_at: float | None = None
    leave_requested_at: float = 0.0
    acked_at: float | None = None
    exact: bool = True
    why: Literal["", "left", "switched", "revoked", "closed", "gone"] = ""  # closed by the server, or by ourselves
    repeats: int = 0  # how often it was joined again while it lasted

    def end(self, why: Literal["left", "switched", "revoked", "closed", "gone"], at: float, asked: float) -> None:
        """End it, for the reason `why`, as is known now, `at`; `asked` for at that time, or 0."""
        self.why, self.left_at, self.leave_requested_at = why, at, asked
