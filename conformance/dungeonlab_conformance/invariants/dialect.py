"""Reports each difference between a dialect and the protocol that showed, as what it breaks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.acknowledgement import CODES
from dungeonlab_conformance.record.arguments import Arguments, quoted
from dungeonlab_conformance.record.observation import Observation
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import Dialect, takes_text
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import resolve

Breach = tuple[str, str | None, Broken]  # requirement, event if it is judged per event, what shows it


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
    if not dialect:
        return
    encoded: dict[str, Args] = {}  # requests as an adapter put them last
    for seen in observations:
        if not isinstance(seen.event, str) or seen.event not in catalogue:
            continue
        event, (name, args) = catalogue[seen.event], seen.wire or (seen.event, seen.args)
        found: Iterable[Breach] = ()
        if seen.act == "sends" and dialect.code is not None and not same(args, seen.args):
            encoded[event.name] = tuple(args)
        if seen.act == "is answered":
            found = (*_answered(dialect, event, seen, name, tuple(args)), *_encoded(dialect, event, seen, encoded))
        elif seen.act == "hears":
            found = (*_heard(event, seen, name, tuple(args)), *_guessed(dialect, event, name))
        for requirement, about, broken in found:
            yield Deviation(requirement, about, broken, seen)


# -- requests ----------------------------------------------------------------------------------------


def _answered(dialect: Dialect, event: Event, seen: Observation, name: str, args: Args) -> Iterator[Breach]:
    accepted = bool(seen.args) and isinstance(seen.args[0], dict) and seen.args[0].get("success") is True
    answers = f"acks/every-{'token-operation' if 'encounter' in event.needs else 'other-request'}-answers"
    if event.name in dialect.events and accepted:
        theirs = dialect.events[event.name]
        yield answers, event.name, Broken(f"{event.name} to be known by that name", theirs)
    if accepted:
        yield from _payload(dialect, event)
    if dialect.answer_to(event.name):
        yield answers, event.name, Broken(f"{event.name} to be acknowledged", f"an event is the answer: {name}")
    elif not same(args, seen.args):
        yield (*_shape(event, seen, args, accepted=accepted), Broken("the documented envelope", f"{Arguments(args)}"))


def _payload(dialect: Dialect, event: Event) -> Iterator[Breach]:
    """Yield what an accepted request breaks by having another form than the protocol's."""
    if renamed := dialect.requests.get(event.name):
        expected = f"{event.name} to be accepted with the documented properties"
        theirs = ", ".join(f"{name} for {ours}" for name, ours in renamed.rename.items())
        yield "payloads/valid-accepted", event.name, Broken(expected, f"it takes {theirs}")
    template = dialect.arguments.get(event.name)
    if template is None:
        return
    if len(template) > 1:
        expected = f"{event.name} to take one object, and to refuse further arguments"
        yield "payloads/extra-arguments", event.name, Broken(expected, f"{len(template)} arguments are accepted")
    elif takes_text(template[0]):
        expected = f"{event.name} to take an object, and to refuse a text in its place"
        yield "payloads/text", event.name, Broken(expected, "a bare text is accepted")
    elif not _is_documented(template[0]):
        expected = f"{event.name} to be accepted as documented"
        yield "payloads/valid-accepted", event.name, Broken(expected, f"it takes {quoted(template[0])}")


def _encoded(dialect: Dialect, event: Event, seen: Observation, encoded: Mapping[str, Args]) -> Iterator[Breach]:
    """Yield that an adapter had to put an accepted request otherwise, where no table says how."""
    said = event.name in dialect.arguments or event.name in dialect.requests
    accepted = bool(seen.args) and isinstance(seen.args[0], dict) and seen.args[0].get("success") is True
    if accepted and event.name in encoded and not said:
        expected = f"{event.name} to be accepted as documented"
        yield "payloads/valid-accepted", event.name, Broken(expected, f"it takes {Arguments(encoded[event.name])}")


def _is_documented(template: Any) -> bool:
    """Whether a template is an object in which each property has the protocol's name."""
    return isinstance(template, Mapping) and all(part == f"{{{name}}}" for name, part in template.items())


def _shape(event: Event, seen: Observation, args: Args, *, accepted: bool) -> tuple[str, str]:
    """Return what an acknowledgement breaks: a documented code that means something else is none of its shape."""
    if accepted:
        return "acks/success-shape", event.name
    ours, theirs = seen.args[0] if seen.args else None, args[0] if args else None
    if not (isinstance(ours, dict) and isinstance(theirs, dict) and theirs.get("code") in CODES):
        return "acks/failure-shape", event.name
    only_the_code = same({**theirs, "code": ours.get("code")}, ours)
    return "acks/code-names-the-cause" if only_the_code else "acks/failure-shape", event.name


# -- what is heard -----------------------------------------------------------------------------------


def _heard(event: Event, seen: Observation, name: str, args: Args) -> Iterator[Breach]:
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    if name != event.name:
        requirement, about = _naming(event, body, name)
        got = name if isinstance(name, str) else quoted(name)
        yield requirement, about, Broken(f"{event.name} to be sent under that name", got)
    if event.name == "error" and args and isinstance(args[0], dict) and "event" in body:
        args = ({**args[0], "event": body["event"]}, *args[1:])  # its name is the request's matter
    if not same(args, seen.args):
        requirement, about = (
            ("broadcasts/valid-payload", event.name) if event.is_broadcast else ("broadcasts/server-events-valid", None)
        )
        yield requirement, about, Broken(f"the documented properties of {event.name}", f"{Arguments(args)}")


def _guessed(dialect: Dialect, event: Event, name: object) -> Iterator[Breach]:
    """Yield what a name breaks by its grammar, where its server does not even say that it has such a name."""
    if event.name in dialect.guessed and name != event.name and not _is_kebab_case(name):
        yield "names/kebab-case", None, Broken("a kebab-case event name", f"{name}")


def _is_kebab_case(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(resolve(Catalogue.load().name)[0]["pattern"], name) is not None


def _naming(event: Event, body: Mapping[str, Any], name: object) -> tuple[str, str | None]:
    """Return what another name breaks: who listens for the documented event does not hear it."""
    if event.is_broadcast:
        return "rooms/every-other-member-hears-once", event.name
    if event.name == "error" and body.get("event") in {asked.name for asked in Catalogue.load().requests()}:
        return "acks/failure-without-callback-emits-error", str(body["event"])
    return "broadcasts/catalogue-events-only" if _is_kebab_case(name) else "names/kebab-case", None
