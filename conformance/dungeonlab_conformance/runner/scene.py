"""One scene on its stage: playing it, and what came of it. Which lane it is played in is the runner's business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.acknowledgement import LIMITED
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken, Gone, Limited, Missing, TurnedAway, Unjudged
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.rate_limits import APART

_HARDLY_ANYTHING = 2  # requests of a user, to whom no limit of the own can be said to apply
_CUT, _CUT_SHORT = 4, 2  # further attempts at a scene in which a connection was closed: if that convicts, and if not
_HOPELESS = 6  # scenes in a row in which that was of no use, after which it is not tried any more
_IN_VAIN = 3  # scenes in a row for which it did not help to send slowly, after which that is not tried any more


@dataclass(slots=True)
class Played:
    """What came of playing a scene: why it ended early, if it did, and whether that was for want of an account."""

    scene: Scene
    stage: Stage
    reason: Unjudged | None = None
    error: str = ""
    stranded: bool = False
    seconds: float = 0.0
    ended: float = 0.0  # on the monotonic clock
    _looked_at: int = field(default=0, repr=False)  # observations
    _is_limited: bool = field(default=False, repr=False)  # by one of them

    @property
    def unjudged(self) -> list[Unjudged]:
        """Why the scene could not judge all that it is for; what the target lacks is no such reason."""
        return [result for result in self._found if isinstance(result, Unjudged) and not isinstance(result, Missing)]

    @property
    def was_limited(self) -> bool:
        """Whether the server refused something for being too much in too short a time, and that was not the point."""
        if any(isinstance(why, Limited) for why in self.unjudged):
            return True
        seen = self.stage.journal.observations
        self._is_limited = self._is_limited or any(map(_is_limited, seen[self._looked_at :]))
        self._looked_at = len(seen)
        return self._is_limited and not self.scene.check.floods

    @property
    def limited_newcomers(self) -> bool:
        """Whether the server limited a user who had hardly sent anything: then it is not users whom it counts."""
        limited = [s.request for s in self.stage.journal.observations if s.act == "is answered" and _is_limited(s)]
        sent = [self.stage.journal.last_sent(request) for request in limited if request is not None]
        return any(
            sum(each.user == one.user and each.at < one.at for each in self.stage.journal.requests) < _HARDLY_ANYTHING
            for one in sent
            if one is not None
        )

    @property
    def was_crowded_out(self) -> bool:
        """Whether a user had so many connections, perhaps of scenes before, that the server took no further one."""
        connected = any(seen.act == "connects" for seen in self.stage.journal.observations)
        refused = [why for why in self.unjudged if isinstance(why, Refused)]
        return connected and any("UNAUTHENTICATED" not in f"{why.reason}" for why in refused)

    @property
    def was_cut(self) -> bool:
        """Whether connections were closed, as a network does too, and nothing else was found."""
        others = [each for each in self._found if isinstance(each, Broken) and not each.is_cut]
        return not (self.scene.is_play or others or self.error) and any(map(_is_cut, self._found))

    @property
    def is_convicted_by_a_cut(self) -> bool:
        """Whether it counts against the server that a connection was closed."""
        return any(isinstance(each, Broken) and each.is_cut for each in self._found)

    @property
    def _found(self) -> list[Broken | Unjudged | None]:
        return [*(result for results in self.stage.judged.values() for result in results), self.reason]

    @property
    def was_turned_away(self) -> bool:
        """Whether the server took no further connection of anybody."""
        return any(isinstance(why, TurnedAway) for why in self.unjudged)


def _is_cut(found: Broken | Unjudged | None) -> bool:
    """Whether all that a scene found is that a connection was closed, and not upon what."""
    if isinstance(found, Broken):
        return found.is_cut
    return isinstance(found, Gone) and not isinstance(found, TurnedAway) and found.waits_for is None


def _is_limited(seen: Observation) -> bool:
    """Whether a server says that something was too much in too short a time."""
    came = seen.args if seen.act in ("hears", "is answered") else ()
    return any(isinstance(arg, dict) and arg.get("code") == LIMITED for arg in came)


class Attempts:
    """How scenes are played once more that a limit got in the way of: by new accounts, and by some that send slowly."""

    def __init__(self) -> None:
        self._helped = 0.0  # the seconds between two requests that did last
        self._in_vain = 0  # scenes in a row that were sent as slowly as can be, and limited all the same
        self._cut = 0  # scenes in a row in which connections were closed at each attempt

    def of(self, scene: Scene) -> Sequence[float]:
        """Return for each further attempt at a scene the seconds between two requests of a user in it."""
        if scene.is_play or self._in_vain >= _IN_VAIN:
            return (0.0,)
        return tuple(apart for apart in (0.0, *APART) if apart >= self._helped)

    def may_be_repeated(self, played: Played, times: int) -> bool:
        """Whether a scene in which connections were closed is played once more, after so many times."""
        most = _CUT if played.is_convicted_by_a_cut else _CUT_SHORT
        return played.was_cut and self._cut < _HOPELESS and times < most

    def repeated(self, played: Played) -> None:
        """Note what a scene came to that was played again for that."""
        self._cut = self._cut + 1 if played.was_cut else 0

    def sent_slowly(self, played: Played, apart: float) -> None:
        """Note what a scene came to in which all was sent slowly."""
        if not played.was_limited and played.reason is None:
            self._helped, self._in_vain = apart, 0
        elif apart == max(APART):
            self._helped, self._in_vain = 0.0, self._in_vain + 1


async def act(scene: Scene, stage: Stage) -> None:
    """Play a scene; one that judges a single requirement just raises what it found, which is recorded here."""
    acting = scene.check.scene(stage, scene.event) if scene.check.per_event else scene.check.scene(stage)
    if len(scene.check.requirements) == 1:
        await stage.judge(scene.check.requirements[0], acting)
    else:
        await acting
