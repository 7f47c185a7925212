"""One scene on its stage: playing it, and what came of it. Which lane it is played in is the runner's business."""

from __future__ import annotations

from dataclasses import dataclass

from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Missing, Unjudged
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage


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

    @property
    def unjudged(self) -> list[Unjudged]:
        """Why the scene could not judge all that it is for; what the target lacks is no such reason."""
        found = [*(result for results in self.stage.judged.values() for result in results), self.reason]
        return [result for result in found if isinstance(result, Unjudged) and not isinstance(result, Missing)]

    @property
    def was_limited(self) -> bool:
        """Whether the server refused something for being too much in too short a time, and that was not the point."""
        return not self.scene.check.floods and any(
            isinstance(arg, dict) and arg.get("code") == "RATE_LIMITED"
            for seen in self.stage.journal.observations
            if seen.act in ("hears", "is answered")
            for arg in seen.args
        )

    @property
    def was_crowded_out(self) -> bool:
        """Whether a user had so many connections, perhaps of scenes before, that the server took no further one."""
        connected = any(seen.act == "connects" for seen in self.stage.journal.observations)
        refused = [why for why in self.unjudged if isinstance(why, Refused)]
        return connected and any("UNAUTHENTICATED" not in f"{why.reason}" for why in refused)


async def act(scene: Scene, stage: Stage) -> None:
    """Play a scene; one that judges a single requirement just raises what it found, which is recorded here."""
    acting = scene.check.scene(stage, scene.event) if scene.check.per_event else scene.check.scene(stage)
    if len(scene.check.requirements) == 1:
        await stage.judge(scene.check.requirements[0], acting)
    else:
        await acting
