"""Which checks are played: one scene of each for every event that a selection takes."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from dungeonlab_conformance.checks.registry import Check, all_checks
from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.plays.covering import covering
from dungeonlab_conformance.results.run import JUDGED_BY
from dungeonlab_conformance.results.verdict import scene_name
from dungeonlab_conformance.text.spelling import did_you_mean
from dungeonlab_spec import Catalogue, Event, Requirement

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.stage import Stage

_TIMES = 4.0  # as long as another scene a play may take
Pair = tuple[Requirement, Event | None]  # what one verdict is about


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requirements, for which events; each a list of globs, empty for all.

    `version` is None for the newest. `parts` are the optional parts of the protocol that the server claims. `plays`
    says whether the covering plays are played too; None if that depends on the rest.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    version: str | None = None
    parts: tuple[str, ...] = ()
    plays: bool | None = None

    @property
    def with_plays(self) -> bool:
        """Whether the covering plays are played: unless it is said, where not only some requirements are selected."""
        return not (self.only or self.events or self.levels) if self.plays is None else self.plays

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
    def is_play(self) -> bool:
        """Whether it is a play, which judges nothing by itself."""
        return not self.check.requirements

    @property
    def name(self) -> str:
        """The check's name, with the event it is played for."""
        return scene_name(self.check.name, self.event.name if self.event else None)


def scenes(selection: Selection, catalogue: Catalogue, more: Sequence[Check] = ()) -> list[Scene]:
    """Return the scenes to play for a selection, of `more` checks too, and the plays."""
    found: list[Scene] = []
    for check in (*all_checks(), *more):
        wanted: dict[Event | None, set[str]] = {}
        for name in check.requirements:
            requirement = catalogue.requirements[name]
            for event in catalogue.events_for(requirement):
                if selection.takes(requirement, event) and (not check.event or (event and event.name == check.event)):
                    wanted.setdefault(event, set()).add(name)
        found.extend(Scene(check, event, frozenset(names)) for event, names in wanted.items())
    return [*found, *(play_scenes(covering().plays) if selection.with_plays and found else ())]


def play_scenes(plays: Iterable[Play]) -> list[Scene]:
    """Return plays as scenes; they are played for no requirement, and may find any broken."""
    return [Scene(_check(play), None, frozenset()) for play in plays]


def _check(play: Play) -> Check:
    claim = f"{len(play.acts)} acts that cover situations; the model says what must follow."
    acting = partial(_carry_out, play)  # which sends what may end a server, in passing
    return Check(play.name, (), acting, claim, per_event=False, phase="last", slow=True, timeout_factor=_TIMES)


async def _carry_out(play: Play, stage: Stage) -> None:
    from dungeonlab_conformance.plays.executor import Executor  # which is of no use to who only looks at a selection

    await Executor(stage).carry_out(play)


def judgeable(catalogue: Catalogue, more: Sequence[Check] = ()) -> list[Pair]:
    """Return everything that a check can judge, `more` checks too, whatever a selection takes of it."""
    names = dict.fromkeys(name for check in (*all_checks(), *more) for name in check.requirements)
    return [
        (catalogue.requirements[name], event)
        for name in names
        for event in catalogue.events_for(catalogue.requirements[name])
    ]


def in_vain(selection: Selection, catalogue: Catalogue, offered: Sequence[Pair], what: str = "check") -> str:
    """Return in one sentence which value of a selection selects nothing of what is offered, and why; "" if each does.

    `what` names what is offered. A value that is misspelt beside a right one counts, and so does one of which the other
    kinds of values leave nothing. Only `without` may take all of a value, or name what was not selected anyway.
    """
    return next(_in_vain(selection, catalogue, offered, f"selects no {what} at all"), "")


def _in_vain(selection: Selection, catalogue: Catalogue, offered: Sequence[Pair], fails: str) -> Iterator[str]:
    for option, values in (("--only", selection.only), ("--except", selection.without)):
        for value in values:
            if why := _no_requirement(value, selection, catalogue, offered):
                yield f"{option} {value!r} {fails}: {why}"
    for value in selection.events:
        if why := _no_event(value, catalogue, offered):
            yield f"--event {value!r} {fails}: {why}"
    if not _takes_any(selection, offered):
        shows = "`dungeonlab-conformance list` shows what there is"
        yield f"this combination {fails}: the options exclude each other; {shows}"
    whole = replace(selection, without=())
    for option, value, narrowed in (
        *(("--only", value, replace(whole, only=(value,))) for value in selection.only),
        *(("--event", value, replace(whole, events=(value,))) for value in selection.events),
        *(("--level", value.lower(), replace(whole, levels=(value,))) for value in selection.levels),
    ):
        if not _takes_any(narrowed, offered):
            yield f"{option} {value!r} {fails}: the other options leave nothing of it"


def _no_requirement(value: str, selection: Selection, catalogue: Catalogue, offered: Sequence[Pair]) -> str:
    """Say why no requirement can be selected by a value; nothing if one can."""
    named = [requirement for requirement in catalogue.requirements.values() if _matches(requirement, [value])]
    if not named:
        known = [*dict.fromkeys(r.area for r in catalogue.requirements.values()), *catalogue.requirements]
        return f"there is no such requirement or area; {did_you_mean(value, known)}"
    there = [requirement for requirement, _ in offered if requirement in named]
    if not there:
        elsewhere = all(requirement.side != named[0].side for requirement, _ in offered)
        return f"it is {JUDGED_BY[named[0].side]}" if elsewhere else "no check judges it"
    if selection.version is not None and not any(r.holds_in(selection.version) for r in there):
        return f"version {selection.version} of the protocol does not demand it"
    if all(r.part is not None and r.part not in selection.parts for r in there):
        return f"it is an optional part, which is judged only with --{there[0].part}"
    return ""


def _no_event(value: str, catalogue: Catalogue, offered: Sequence[Pair]) -> str:
    """Say why no verdict can be selected by the name of an event; nothing if one can."""
    if not any(_any(event.name, [value]) for event in catalogue):
        return f"there is no such event; {did_you_mean(value, list(catalogue.events))}"
    if not any(event is not None and _any(event.name, [value]) for _, event in offered):
        return "no requirement is judged for that event by itself"
    return ""


def _takes_any(selection: Selection, offered: Iterable[Pair]) -> bool:
    return any(selection.takes(requirement, event) for requirement, event in offered)


def _matches(requirement: Requirement, patterns: Iterable[str]) -> bool:
    return _any(requirement.id, patterns) or _any(requirement.area, patterns)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
