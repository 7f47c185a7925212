"""A check: a scene, and the requirements it judges. Registering and finding checks, nothing else."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

Scene = Callable[..., Awaitable[None]]
Phase = Literal["main", "last"]  # of a run; destructive scenes are played between the two

_REGISTRY: list[Check] = []


@dataclass(frozen=True, slots=True)
class Check:
    """One scene and what it judges.

    A `destructive` scene sends what may bring a server down. Such scenes are played one at a time after all others,
    in ascending order of the number; only those of the `phase` "last" come later, which send such things in passing.
    What `observe_after` says is whether the stage stays up for a while after the scene, for deliveries that come late.
    A scene that `floods` sends so much at once that a rate limit is to be expected. A `slow` one begins before others.
    A scene for each event is played for one `event` only if that is named: what it is about comes with any of them.
    `timeout_factor` is how many times longer than other scenes it may take.
    """

    name: str
    requirements: tuple[str, ...]
    scene: Scene
    claim: str
    per_event: bool
    destructive: int = 0
    phase: Phase = "main"
    observe_after: bool = False
    floods: bool = False
    slow: bool = False
    timeout_factor: float = 1.0
    event: str = ""


def check(
    *requirements: str,
    destructive: int = 0,
    phase: Phase = "main",
    observe_after: bool = False,
    floods: bool = False,
    slow: bool = False,
    event: str = "",
    timeout_factor: float = 1.0,
) -> Callable[[Scene], Scene]:
    """Register a scene under the requirements it judges.

    A scene takes the stage, and the event if its requirements are judged for each event. One that judges a
    single requirement just raises `Broken`; one that judges several calls `stage.judge` for each.
    """

    def register(scene: Scene) -> Scene:
        _REGISTRY.append(
            Check(
                scene.__name__,
                requirements,
                scene,
                inspect.getdoc(scene) or "",
                len(inspect.signature(scene).parameters) > 1,
                destructive,
                phase,
                observe_after,
                floods,
                slow,
                timeout_factor,
                event,
            )
        )
        return scene

    return register


def all_checks() -> tuple[Check, ...]:
    """Return every check of every area."""
    package: Any = importlib.import_module("dungeonlab_conformance.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_REGISTRY)
