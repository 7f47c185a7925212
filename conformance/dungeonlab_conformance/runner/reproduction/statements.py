"""What a reproduction consists of, in no language yet: statements, and what stands in a payload for what may vary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Path = tuple[str | int, ...]


class Irreproducible(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A finding cannot be shown by one file that stands alone; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Id:
    """Stands in a payload for an id: of the stage, or one that the server hands out in the course of the play."""

    name: str


@dataclass(frozen=True, slots=True)
class Whatever:
    """Stands in what is compared for what a server chooses anew each time, or for nothing at all if `absent`."""

    absent: bool = False


ANY, ABSENT = Whatever(), Whatever(absent=True)


@dataclass(frozen=True, slots=True)
class Connects:
    """Somebody connects; `account` is None without a login. `may_fail` if a refusal is what is looked for.

    With `old_cookie` it is the cookie of the account's last login that was ended.
    """

    variable: str
    actor: str
    account: str | None
    transport: str
    headers: dict[str, str] = field(default_factory=dict)
    may_fail: bool = False
    old_cookie: bool = False


@dataclass(frozen=True, slots=True)
class Sends:
    """A request. `how` says what is done about its answer: there is none, it is awaited later, now, or must be yes."""

    connection: str
    event: str
    args: tuple[Any, ...]
    how: Literal["tell", "ask", "request", "prepare"]
    variable: str = ""  # of the pending request, or of its answer


@dataclass(frozen=True, slots=True)
class Answers:
    """The answer to a pending request is awaited; `accepted` if it has to be a success."""

    pending: str
    accepted: bool
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Hears:
    """A delivery is awaited for a while; what comes later does not rest on it unless it has a `variable`."""

    connection: str
    event: str
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Learns:
    """An id that the server handed out gets its name."""

    id: Id
    variable: str
    path: Path


@dataclass(frozen=True, slots=True)
class Ends:
    """A connection is ended by the client."""

    connection: str


@dataclass(frozen=True, slots=True)
class Enrols:
    """Somebody who does not connect yet becomes a member where the account belongs."""

    account: str


@dataclass(frozen=True, slots=True)
class Arranges:
    """Something is done over HTTP, by the name of what a stage can do: to an account, in a session, or both."""

    does: Literal["add", "remove", "delete", "log_out", "open_encounter"]
    account: str = ""
    session: str = ""
    id: Id | None = None  # of what is opened


@dataclass(frozen=True, slots=True)
class Marks:
    """Notes how much a connection has heard so far."""

    variable: str
    connection: str


@dataclass(frozen=True, slots=True)
class Variable:
    """Stands among the arguments of a decision for a variable of the play."""

    name: str


@dataclass(frozen=True, slots=True)
class Decides:
    """What shows whether the fault is there, by the name of a function that every language has."""

    function: str
    args: tuple[Any, ...]


Statement = Connects | Sends | Answers | Hears | Learns | Ends | Enrols | Arranges | Marks | Decides
