"""A check: a scene, and the requirements it judges. Registering and finding checks, nothing else."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Scene = Callable[..., Awaitable[None]]

_REGISTRY: list[Check] = []


@dataclass(frozen=True, slots=True)
class Check:
    """One scene and what it judges.

    `alone` scenes send what may bring a server down: they are played one at a time, the higher the number the ruder
    and the later, after all others but the `late` ones, which send such things too, in passing. The stage of a
    scene that `lingers` stays up for a while, for what comes late. A `long` one is begun before others. One that is
    `hasty` sends so much at once that a rate limit is part of it. `patience` is by how much longer than other scenes
    it may take.
    """

    name: str
    requirements: tuple[str, ...]
    scene: Scene
    claim: str
    per_event: bool
    alone: int
    late: bool
    lingers: bool
    hasty: bool = False
    long: bool = False
    patience: float = 1.0


def check(
    *requirements: str,
    alone: int = 0,
    late: bool = False,
    lingers: bool = False,
    hasty: bool = False,
    long: bool = False,
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
                alone,
                late,
                lingers,
                hasty,
                long,
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
