"""What one connection saw or sent, and in which room it was: the entries of a journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

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
    "arranges",  # something over HTTP, such as a membership
]
RequestOutcome = Literal["accepted", "refused", "unknown"]
EndOfStay = Literal["left", "switched", "revoked", "closed", "gone"]  # closed by the server, or gone by itself
_LARGE = 16_000  # bytes of a payload
CUTS = 3  # connections in a row that the server ends upon the same request: after so many, that is no chance
OWN_ACTS = ("sends", "tells", "disconnects", "is removed", "arranges")


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that one connection saw. `at` is in seconds on the run's monotonic clock.

    `request` is the one that is sent, or that an answer belongs to; of what is heard, the one that nobody waited to see
    answered by that event, on a server that answers by events.
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


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """What is to be sent, and what it can be recognised by. Each is one of its own, even if it says what another says.

    `mark` is a value that the request's broadcast carries too and nothing else in the run does; None where
    the event has no broadcast. `requirement` is the one that is broken if its broadcast says something else, or exists
    at all where it should not. `action` is what a question of whether one may do it asks about, without doing it.
    """

    event: str
    args: tuple[Any, ...]
    mark: str | int | None
    session: str | None
    legal: bool = True  # whether its payload is valid
    requirement: str | None = None
    action: Request | None = None

    @classmethod
    def naming(cls, event: str, session: str) -> Request:
        """Return a request that holds a session's id and nothing else, such as one to join it."""
        return Request(event, ({"sessionId": session},), None, session)

    @property
    def named_session(self) -> str | None:
        """The session that its payload names, if it does: `session`, unless something is wrong with it."""
        body = self.args[0] if self.args else None
        session = body.get("sessionId") if isinstance(body, dict) else None
        return session if isinstance(session, str) else None

    @property
    def is_large(self) -> bool:
        """Whether a server may refuse it, or close the connection, for its size."""
        return len(str(self.args).encode(errors="surrogatepass")) > _LARGE

    def with_properties(self, properties: Mapping[str, object], **fields: Any) -> Self:
        """Return a request with other properties in its payload, which must be an object, and with other fields."""
        return replace(self, args=({**self.args[0], **properties}, *self.args[1:]), **fields)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SentRequest(Request):
    """A request as it was sent once, and what became of that; a new value each time that more is known of it.

    It was sent `at` a time and `answered_at` another, 0 if it was not, both on the run's clock. `outcome` is what its
    answer said, or other `evidence` where there was none; "unknown" if there was neither. It was `expected` to be
    accepted if it prepared a scene.
    """

    number: int  # in the run
    actor: str
    user: str | None
    connection: int  # 0 for bare frames
    at: float
    answered_at: float = 0.0
    outcome: RequestOutcome = "unknown"
    evidence: str = ""
    expected: bool = False

    def answered(self, at: float, outcome: RequestOutcome) -> SentRequest:
        """Return what is known of it since it was answered; half the price of `replace`, once for each request."""
        return SentRequest(
            self.event,
            self.args,
            self.mark,
            self.session,
            self.legal,
            self.requirement,
            self.action,
            number=self.number,
            actor=self.actor,
            user=self.user,
            connection=self.connection,
            at=self.at,
            answered_at=at,
            outcome=outcome,
            expected=self.expected,
        )


@dataclass(frozen=True, slots=True)
class RoomStay:
    """A connection's stay in a session's room, by its own acknowledgements; as is known by now.

    `joined_at` is when joining was asked for and `acked_at` when that was acknowledged, on the run's clock; `left_at`
    is None while it lasts. It ended between `leave_requested_at`, or 0 if nobody asked for that, and `left_at`. Where
    the server was free to choose whether it began or when it ended, it is not `exact`.
    """

    number: int  # in the run
    connection: int
    session: str
    joined_at: float
    previous: int | None  # the number of the stay that the connection had when it asked to join
    acked_at: float | None = None
    leave_requested_at: float = 0.0
    left_at: float | None = None
    exact: bool = False
    why: EndOfStay | None = None  # it ended
    repeats: int = 0  # how often it was joined again while it lasted
