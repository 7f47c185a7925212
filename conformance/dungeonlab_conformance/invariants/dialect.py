"""Reports each difference between a dialect and the protocol that showed, as what it breaks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.arguments import Arguments, quoted
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.target.dialect import Args, Dialect
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference that showed: what it breaks, and where it was first seen."""

    requirement: str
    event: str | None
    broken: Broken
    seen: Observation


def deviations(dialect: Dialect, observations: Iterable[Observation]) -> Iterator[Deviation]:
    """Yield each difference between the dialect and the protocol that a scene shows, as what it breaks."""
    catalogue = Catalogue.load()
    for seen in observations:
        if seen.wire is None or not isinstance(seen.event, str) or seen.event not in catalogue:
            continue
        name, args = seen.wire
        if seen.act == "is answered":
            yield from _answered(dialect, seen, tuple(args))
        elif seen.act == "hears":
            if name != seen.event:
                requirement = _naming(name) or "broadcasts/catalogue-events-only"
                yield Deviation(
                    requirement, None, Broken(f"{seen.event} to be sent under that name", _text(name)), seen
                )
            if seen.event in dialect.emissions and not same(args, seen.args):
                about = seen.event if catalogue[seen.event].is_broadcast else None
                shape = "broadcasts/valid-payload" if about else "broadcasts/server-events-valid"
                yield Deviation(
                    shape, about, Broken(f"the documented properties of {seen.event}", f"{Arguments(args)}"), seen
                )


def _answered(dialect: Dialect, seen: Observation, args: Args) -> Iterator[Deviation]:
    event = Catalogue.load()[seen.event]
    accepted = bool(seen.args) and isinstance(seen.args[0], dict) and seen.args[0].get("success") is True
    theirs = dialect.events.get(event.name)
    if theirs is not None and accepted:
        kind = "token-operation" if "encounter" in event.needs else "other-request"
        naming = _naming(theirs)
        requirement, about = (naming, None) if naming else (f"acks/every-{kind}-answers", event.name)
        yield Deviation(requirement, about, Broken(f"{event.name} to be known by that name", theirs), seen)
    if event.name in dialect.arguments and accepted:
        expected = f"{event.name} to take an object, and to refuse a text in its place"
        yield Deviation("payloads/text", event.name, Broken(expected, "a bare text is accepted"), seen)
    if not same(args, seen.args):
        shape = "acks/success-shape" if accepted else "acks/failure-shape"
        yield Deviation(shape, event.name, Broken("the documented envelope", f"{Arguments(args)}", "$"), seen)


def _naming(name: object) -> str | None:
    fits = isinstance(name, str) and re.fullmatch(resolve(Catalogue.load().name)[0]["pattern"], name)
    return None if fits else "names/kebab-case"


def _text(name: object) -> str:
    return name if isinstance(name, str) else quoted(name)
