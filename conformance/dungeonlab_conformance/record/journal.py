"""The memory of a run: everything every actor sent, was answered and heard, in order. Judges nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import OWN_ACTS, Act, Observation, Request, RoomStay


@dataclass(slots=True)
class Journal:
    """Everything that was seen in one scene."""

    observations: list[Observation] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    stays: list[RoomStay] = field(default_factory=list)
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
        request: Request | None = None,
        *,
        wire: tuple[str, Sequence[Any]] | None = None,
    ) -> Observation:
        """Record one observation, now; `wire` is how it went over it, and is kept if that differs."""
        if wire == (event, args):
            wire = None
        at = time.monotonic()
        seen = Observation(next(_NUMBERS), at, actor, connection, act, event, Arguments(args), request, wire)
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


_NUMBERS = itertools.count(1)
