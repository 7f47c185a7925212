"""Finds what is wrong in the section ``[dialect]`` of a target's file: names that nothing has, and contradictions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.record.arguments import leaves
from dungeonlab_conformance.target.dialect.argument_templates import alone, has_single_brace, names
from dungeonlab_conformance.target.dialect.translation import data_properties, properties
from dungeonlab_conformance.target.file.dialect.tables import AnswerByEvent, template_of
from dungeonlab_conformance.target.file.document import Document, FileFault
from dungeonlab_conformance.target.file.model import TargetFile
from dungeonlab_conformance.text.toml import KeyPath
from dungeonlab_spec import Catalogue


def faults(document: Document, file: TargetFile) -> Iterator[FileFault]:
    """Yield what is wrong, each as one sentence with file and line."""
    for find in (_names, _arguments, _renames, _answers):
        for where, sentence in find(file):
            yield document.fault(("dialect", *where), sentence)


def _names(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield names that two events have, one of which may be the protocol's own name for the other."""
    known = Catalogue.load()
    requests, emissions = known.requests(), [event for event in known if event.emission]
    tables = (("events", file.dialect.events, requests), ("broadcasts", file.dialect.broadcasts, emissions))
    for table, events, all_of_them in tables:
        taken = {event.name: event.name for event in all_of_them if event.name not in events}
        for ours, theirs in events.items():
            if theirs in taken:
                yield (table, ours), f"{ours!r} and {taken[theirs]!r} cannot both be called {theirs!r}"
            taken[theirs] = ours


def _arguments(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield templates that name what an event does not have, and those from which nothing could be read."""
    for event, arguments in file.dialect.arguments.items():
        yield from _named(("arguments", event), event, template_of(arguments), Catalogue.load()[event].request)
        if event in file.dialect.request:
            yield ("request", event), f"there is also [dialect.arguments] {event}, which says all about its properties"
    for event, shape in file.dialect.broadcast.items():
        where = ("broadcast", event, "arguments")
        yield from _named(where, event, shape.arguments, Catalogue.load()[event].emission)
        for text in leaves(shape.arguments):
            if isinstance(text, str) and alone(text) is None and len(list(names(text))) > 1:
                yield where, f"{text!r} names several properties; what a server sends can be read only if it is one"


def _named(where: KeyPath, event: str, template: Any, schema: str | None) -> Iterator[tuple[KeyPath, str]]:
    if not all(_is_json(leaf) for leaf in leaves(template)):
        yield where, f"{event}: only what JSON has can be sent: no date, no time, no infinity"
    there, named = sorted(properties(schema)), set(names(template))
    for name in names(template):
        if name not in there:
            yield where, f"{event} has no property {name!r}; it has {', '.join(map(repr, there))}"
    for text in leaves(template):
        if isinstance(text, str) and has_single_brace(text):
            yield where, f"{text!r} has a brace without its pair; a brace that stands for itself is written twice"
        elif text in there and text not in named:
            yield where, f"{text!r} stands for itself; for that property of {event} write '{{{text}}}'"


def _renames(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield two names of one property, and names of what is none."""
    for where, rename, there in _renamed(file):
        for ours in {name for name in rename.values() if list(rename.values()).count(name) > 1}:
            theirs = " and ".join(repr(name) for name, meant in rename.items() if meant == ours)
            yield where, f"{theirs} cannot both be {ours!r}"
        for theirs, ours in rename.items():
            if ours not in there and file.adapter is None:  # which may know what to do with it
                turned = f'; the server\'s name comes first: {ours} = "{theirs}"' if theirs in there else ""
                known = turned or f"; there are {', '.join(map(repr, sorted(there)))}"
                yield where, f"{ours!r} is no property that the protocol knows here{known}"


def _renamed(file: TargetFile) -> Iterator[tuple[KeyPath, Mapping[str, str], set[str]]]:
    """Yield each table of renamed properties, with the properties that the protocol has there."""
    catalogue, dialect = Catalogue.load(), file.dialect
    flat = dialect.ack.data == "top-level"
    beside = set().union(*(data_properties(event.name) for event in catalogue.requests())) if flat else set()
    yield ("ack", "rename"), dialect.ack.rename, {"success", "data", "error", "code", "event"} | beside
    for event, request in dialect.request.items():
        yield ("request", event, "rename"), request.rename, properties(catalogue[event].request)
    for event, data in dialect.data.items():
        echoed = properties(catalogue[event].emission) if event in dialect.answers else set()
        yield ("data", event, "rename"), data.rename, data_properties(event) | echoed
    for event, sent in dialect.broadcast.items():
        yield ("broadcast", event, "rename"), sent.rename, properties(catalogue[event].emission)


def _answers(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    for event, how in file.dialect.answers.items():
        if isinstance(how, AnswerByEvent) and how.success == how.failure:
            yield ("answers", event), f"{how.success!r} cannot say both yes and no"


def _is_json(leaf: object) -> bool:
    return isinstance(leaf, str | int) or (isinstance(leaf, float) and math.isfinite(leaf))
