"""Which checks are played: one scene of each for every event that a selection takes."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dungeonlab_conformance.check import Check, all_checks
from dungeonlab_spec import Catalogue, Event, Requirement


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requirements, for which events; each a list of globs, empty for all.

    `version` is None for the newest. `parts` are the optional parts of the protocol that the server claims.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    version: str | None = None
    parts: tuple[str, ...] = ()

    def takes(self, requirement: Requirement, event: Event | None) -> bool:
        """Whether a requirement is selected for an event."""
        return (
            (self.version is None or requirement.holds_in(self.version))
            and (requirement.part is None or requirement.part in self.parts)
            and (not self.only or _matches(requirement, self.only))
            and not _matches(requirement, self.without)
            and (not self.levels or requirement.level in self.levels)
            and (not self.events or (event is not None and _any(event.name, self.events)))
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One playing of a check: for one event, or for none."""

    check: Check
    event: Event | None
    wanted: frozenset[str]

    @property
    def name(self) -> str:
        """The check's name, with the event it is played for."""
        return f"{self.check.name}[{self.event.name}]" if self.event else self.check.name


def scenes(selection: Selection, catalogue: Catalogue, more: Sequence[Check] = ()) -> list[Scene]:
    """Return the scenes to play for a selection, of `more` checks too."""
    found: list[Scene] = []
    for check in (*all_checks(), *more):
        wanted: dict[Event | None, set[str]] = {}
        for name in check.requirements:
            requirement = catalogue.requirements[name]
            for event in catalogue.events_for(requirement):
                if selection.takes(requirement, event):
                    wanted.setdefault(event, set()).add(name)
        found.extend(Scene(check, event, frozenset(names)) for event, names in wanted.items())
    return found


def _matches(requirement: Requirement, patterns: Iterable[str]) -> bool:
    return _any(requirement.id, patterns) or _any(requirement.area, patterns)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
