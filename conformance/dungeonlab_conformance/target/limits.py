"""How long to wait for a server, and how much of what it sends to keep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.results.errors import TargetFault

_EACH = 1_500  # bytes that an observation takes, whatever was observed
_SLOWEST = 4_000  # bytes a second that a far link is trusted to carry
_STRAY = 2_000  # deliveries of one kind out of other scenes' sessions that are kept: all show the same
_NAMES = 100  # of events of the server's own that are kept
_TIRED, _HURRY = 4, 4  # waits in vain for the answers to one event, after which one is so many times as short
_SLACK = 4  # times as long as any answer to the event has taken
_OFTEN = 8  # waits in vain, after which a request that only prepares a scene is not tried any more


@dataclass(slots=True)
class Capacity:
    """How much memory a run gives to what the server sends, in bytes, and how much of it is `left`."""

    left: int = 150_000_000
    _strays: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _own: Counter[str] = field(default_factory=Counter)

    def takes_stray(self, event: str, *, seated: bool) -> bool:
        """Whether one more delivery is of use that is about a session of another scene; it is counted.

        A server that tells everybody everything sends very many; `seated` says whether the listener is in a room.
        """
        self._strays[event, seated] += 1
        return self._strays[event, seated] <= _STRAY

    def takes_own(self, event: str) -> bool:
        """Whether one more event of this name is of use that is the server's own; it is counted."""
        self._own[event if len(self._own) < _NAMES else ""] += 1
        return self._own[event] <= _STRAY and not self._own[""]

    def takes(self, weight: int) -> bool:
        """Whether there is room for one thing more, of about so many bytes; if so, it is taken."""
        self.left -= weight + _EACH
        return self.left > 0

    def gives_back(self, weight: int, things: int) -> None:
        """Free what so many things took that are not kept, and weigh so much together."""
        self.left += weight + things * _EACH

    def check(self) -> None:
        """Raise `TargetFault` once there is no more room."""
        if self.left <= 0:
            raise TargetFault("the server sent more in this run than is kept (150 MB); does it send without end?")


@dataclass(slots=True)
class Limits:
    """How long to wait, in seconds: a base that users scale, and more for a link that proved to be slow."""

    scale: float = 1.0
    round_trip: float = 0.0
    base: float = 4.0
    quiet: float = 0.5
    repeated_in_vain: int = 0  # requests without an answer that were sent again, the last so many without one too
    _answered: dict[str, float] = field(default_factory=dict)  # how long the slowest answer took, by event
    _silent: Counter[str] = field(default_factory=Counter)

    def heard_of(self, event: str, after: float) -> None:
        """Note that a request of this name was answered, and after how many seconds."""
        self._answered[event] = max(after, self._answered.get(event, 0.0))

    def waited_for(self, event: str) -> None:
        """Note that a request of this name was not answered in time."""
        self._silent[event] += 1

    def was_answered(self, event: str) -> bool:
        """Whether any request of this name has been answered so far."""
        return event in self._answered

    def gave_up(self, event: str) -> bool:
        """Whether requests of this name have been waited for often, and never answered: then none need be prepared."""
        return event not in self._answered and self._silent[event] >= _OFTEN

    def is_often_silent(self, event: str) -> bool:
        """Whether requests of this name have been waited for in vain more than once, whether others were answered."""
        return self._silent[event] > 1

    @property
    def answers_nothing(self) -> bool:
        """Whether requests of several names have been waited for, and none was ever answered."""
        return not self._answered and len(self._silent) > 1

    @property
    def has_answered(self) -> bool:
        """Whether any request has been answered so far."""
        return bool(self._answered)

    @property
    def answer(self) -> float:
        """How long an answer or a delivery may take."""
        return self.scale * (self.base + 40 * min(self.round_trip, 1.0))

    @property
    def far(self) -> bool:
        """Whether a round trip takes so long that many must be under way at once."""
        return self.round_trip > 0.03

    @property
    def moment(self) -> float:
        """How long to look whether a server reacts to what it need not react to."""
        return 0.03 * max(1.0, self.scale) + 2 * min(self.round_trip, 1.0)

    @property
    def together(self) -> int:
        """How many requests of one connection may be under way, where a scene sends many."""
        return 20 if self.far else 1

    def answer_to(self, args: tuple[Any, ...], event: str = "") -> float:
        """How long the answer to a request may take, which must get to the server first.

        Less where the answers to requests of this `event` have been waited for in vain for long enough.
        """
        whole = self.answer + (self.scale * len(repr(args)) / _SLOWEST if self.far else 0.0)
        if self._silent[event] < _TIRED:
            return whole
        return min(whole, max(whole / _HURRY, _SLACK * self._answered.get(event, 0.0)))

    @property
    def scene(self) -> float:
        """How long a whole scene may take."""
        return 12 * self.answer

    @property
    def sweep(self) -> float:
        """How long the recorders stay on after the last scene, for what comes late."""
        return self.quiet * max(1.0, self.scale) + 2 * min(self.round_trip, 1.0)
