"""Finds what is wrong in the section ``[dialect]`` of a target's file: names that nothing has, and contradictions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.record.arguments import leaves
from dungeonlab_conformance.target.dialect.argument_templates import alone, names
from dungeonlab_conformance.target.file.dialect.tables import AnswerByEvent, template_of
from dungeonlab_conformance.target.file.document import Document, FileFault
from dungeonlab_conformance.target.file.model import TargetFile
from dungeonlab_conformance.text.toml import KeyPath
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve


def faults(document: Document, file: TargetFile) -> Iterator[FileFault]:
    """Yield what is wrong, each as one sentence with file and line."""
    for find in (_names, _arguments, _renames, _answers):
        for where, sentence in find(file):
            yield document.fault(("dialect", *where), sentence)


def _names(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    for table, events in (("events", file.dialect.events), ("broadcasts", file.dialect.broadcasts)):
        taken: dict[str, str] = {}
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
    there = sorted(resolve(schema)[0]["properties"]) if schema else []
    for name in names(template):
        if name not in there:
            yield where, f"{event} has no property {name!r}; it has {', '.join(map(repr, there))}"


def _renames(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield two names of one property."""
    tables: list[tuple[KeyPath, Mapping[str, str]]] = [(("ack", "rename"), file.dialect.ack.rename)]
    for kind, shapes in (
        ("request", file.dialect.request),
        ("data", file.dialect.data),
        ("broadcast", file.dialect.broadcast),
    ):
        tables += [((kind, event, "rename"), shape.rename) for event, shape in shapes.items()]
    for where, rename in tables:
        for ours in {name for name in rename.values() if list(rename.values()).count(name) > 1}:
            theirs = " and ".join(repr(name) for name, meant in rename.items() if meant == ours)
            yield where, f"{theirs} cannot both be {ours!r}"


def _answers(file: TargetFile) -> Iterator[tuple[KeyPath, str]]:
    for event, how in file.dialect.answers.items():
        if isinstance(how, AnswerByEvent) and how.success == how.failure:
            yield ("answers", event), f"{how.success!r} cannot say both yes and no"


def _is_json(leaf: object) -> bool:
    return isinstance(leaf, str | int) or (isinstance(leaf, float) and math.isfinite(leaf))
