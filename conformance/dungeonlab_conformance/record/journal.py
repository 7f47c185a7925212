"""The memory of a run: everything every actor sent, was answered and heard, in order. Judges nothing."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.results.verdict import TargetFault

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


@dataclass(slots=True)
class Capacity:
    """How much memory a run gives to what the server sends, in bytes, and how much of it is `left`."""

    left: int = 150_000_000

    def takes(self, weight: int) -> bool:
        """Whether there is room for one thing more, of about so many bytes; if so, it is taken."""
        self.left -= weight + _EACH
        return self.left > 0

    def check(self) -> None:
        """Raise `TargetFault` once there is no more room."""
        if self.left <= 0:
            raise TargetFault("the server sent more in this run than is kept (150 MB); does it send without end?")


@dataclass(slots=True)
class Journal:
    """Everything that was seen in one scene."""

    observations: list[Observation] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)
    refused_joins: list[tuple[int, str]] = field(default_factory=list)  # connection, session
    users: dict[int, str | None] = field(default_factory=dict)  # who is behind a connection
    members: dict[str, set[str]] = field(default_factory=dict)  # of each session of this scene
    shared: set[str] = field(default_factory=set)  # sessions in which others may speak who are none of ours
    accounted: bool = True  # whether deliveries are traced to their requests; no, where many requests are alike
    began: float = field(default_factory=time.monotonic)
    _listeners: list[Callable[[Observation], None]] = field(default_factory=list)

    def write(
        self,
        actor: str,
        connection: int,
        act: Act,
        event: str,
        args: Iterable[Any] = (),
        said: Said | None = None,
        *,
        wire: tuple[str, Sequence[Any]] | None = None,
    ) -> Observation:
        """Record one observation, now; `wire` is how it went over it, and is kept if that differs."""
        if wire == (event, args):
            wire = None
        at = time.monotonic()
        seen = Observation(next(_NUMBERS), at, actor, connection, act, event, Arguments(args), said, wire)
        self.observations.append(seen)
        for listener in self._listeners:
            listener(seen)
        return seen

    def subscribe(self, listener: Callable[[Observation], None]) -> Callable[[], None]:
        """Call `listener` with every further observation; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def heard_last(self) -> float:
        """Return when the server was last heard of; 0 if it never was."""
        heard = (seen.at for seen in reversed(self.observations) if seen.act not in OWN_ACTS)
        return next(heard, 0.0)

    def heard(self, connection: int | None = None) -> list[Observation]:
        """Return what the server sent of its own accord, to one connection or to all."""
        return [o for o in self.observations if o.act == "hears" and (connection is None or o.connection == connection)]


_EACH = 1_500  # bytes that an observation takes, whatever was observed
_NUMBERS = itertools.count(1)
_MARKS = itertools.count(1)
_SALT = secrets.token_hex(3)  # in the marks of what is no run
_RUN: ContextVar[str] = ContextVar("_RUN", default=_SALT)


def name_marks_after(run: str) -> None:
    """Put the name of a run into every mark that is made in this context from now on."""
    _RUN.set(run)


@overload
def new_mark(like: int) -> int: ...
@overload
def new_mark(like: str = "") -> str: ...
def new_mark(like: str | int = "") -> str | int:
    """Return a value that occurs nowhere else in the run: a text, or a number if it is to stand for one."""
    return 100_000 + next(_MARKS) if isinstance(like, int) else f"mark-{_RUN.get()}-{next(_MARKS)}."


def contains(found: object, mark: str | int) -> bool:
    """Say whether a payload carries a mark, at any depth.

    One that was made up here may stand anywhere in a text; an id is the whole of one: `figure-4` is not in `figure-49`.
    """
    args = found if isinstance(found, Arguments) else Arguments((found,))
    if not isinstance(mark, str):
        return mark in args.numbers
    return any(mark in text for text in args.texts) if _is_made_up(mark) else mark in args.texts


def carries(observation: Observation, said: Said) -> bool:
    """Say whether an observation is the broadcast of what was said, however broken the rest of it may be.

    An id is that of a token; where tokens are named, it is looked for there alone: 7 may be somebody else's id as well.
    """
    if observation.event != said.event or said.mark is None:
        return False
    named = () if _is_made_up(said.mark) else _tokens(observation.args)
    return said.mark in named if named else contains(observation.args, said.mark)


def _is_made_up(mark: str | int) -> bool:
    return isinstance(mark, int) or (mark.startswith("mark-") and mark.endswith("."))  # no id has a full stop in it


def _tokens(args: Sequence[Any]) -> tuple[str, ...]:
    """Return the ids of tokens that a payload names as such."""
    body = args[0] if args and isinstance(args[0], dict) else {}
    token = body.get("token")
    ids = (body.get("tokenId"), token.get("id") if isinstance(token, dict) else None)
    return tuple(each for each in ids if isinstance(each, str))
