"""A rule: what it judges, and what it can say of that. Registering and finding rules, nothing else.

A rule yields evidence: that the requirement was seen to hold, that it was broken, or why neither can be said yet.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dungeonlab_conformance.record.tapped.packet import TappedPacket

if TYPE_CHECKING:
    from dungeonlab_conformance.client_rules.index import PacketIndex


@dataclass(frozen=True, slots=True)
class Holds:
    """A client was seen to keep a requirement, where it could have broken it; `packet` is where that was certain."""

    packet: TappedPacket


@dataclass(frozen=True, slots=True)
class Breaks:
    """A client broke a requirement: what was expected, what came, and where in the payload.

    `packets` show it, in order; the last one convicts.
    """

    expected: str
    got: str
    packets: tuple[TappedPacket, ...]
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """What was seen shows nothing either way, for a reason more precise than that of the rule."""

    reason: str


Evidence = Holds | Breaks | Unclear
Judge = Callable[["PacketIndex"], Iterator[Evidence]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `to_see` says what to let a client do if it did nothing that the rule could judge."""

    name: str
    requirement: str
    claim: str
    to_see: str
    judge: Judge


_REGISTRY: list[Rule] = []


def rule(requirement: str, *, to_see: str) -> Callable[[Judge], Judge]:
    """Register a rule for the requirement that it judges; its docstring is its claim."""

    def register(judge: Judge) -> Judge:
        _REGISTRY.append(Rule(judge.__name__, requirement, inspect.getdoc(judge) or "", to_see, judge))
        return judge

    return register


def all_rules() -> tuple[Rule, ...]:
    """Return the rules of every file."""
    package: Any = importlib.import_module("dungeonlab_conformance.client_rules.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_REGISTRY)
