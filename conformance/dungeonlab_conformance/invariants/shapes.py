"""What is wrong with the shape of what a server sent, and which requirement that breaks. Pure.

A wrong shape breaks the rule about that shape, unless it plainly follows from breaking another rule; then that one is
named and no other. What a server makes of an invalid request that it accepted is attributed to the acceptance.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Request, RequestOutcome, SentRequest
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.text.tree import names, properties
from dungeonlab_spec import Catalogue, Event, Violation, validate
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.pointer import find
from dungeonlab_spec.validation import EXTRA, MISSING

_UNKNOWN = "payloads/unknown-properties-ignored"
_DEFAULTS = "tokens/defaults-filled"

Found = tuple[str, str | None, Broken]  # a requirement, its event if judged per event, and how it was broken


def answer_faults(answer: Acknowledgement, outcome: RequestOutcome = "unknown") -> Iterator[Found]:
    """Return what is wrong with an acknowledgement.

    One that says neither yes nor no counts as a failure's if its request was invalid, and otherwise by the `outcome`,
    which is what other evidence shows; without any, only a check that knows what it should have been can judge it.
    """
    request, came = answer.request, answer.args
    if not answer.readable:
        if not request.legal or outcome == "refused":
            yield "acks/failure-shape", request.event, Broken("one failure envelope", f"{came}")
        elif outcome == "accepted":
            yield "acks/success-shape", request.event, Broken("one success envelope", f"{came}")
        return
    shape = "acks/success-shape" if answer.accepted else "acks/failure-shape"
    if answer.accepted and not request.legal:
        return
    if len(came) != 1:
        yield shape, request.event, Broken("one argument", f"{len(came)}: {came}")
        return
    for found in validate(request.event, came[0], "ack"):
        if request.event == "get-user-data" and _is_extra(found) and found.path.startswith("$.data.user."):
            yield "direct/no-secrets", None, _broken(found)
        elif request.event == "validate-action" and found.path == "$.data.errors" and "items" in found.expected:
            continue  # a matter of direct/validate-action-says-no-and-why, which has a scene for each kind of action
        else:
            yield _attributed(found, request, came[0], shape)


def broadcast_faults(event: Event, args: tuple[Any, ...], cause: SentRequest | None) -> Iterator[Found]:
    """Return what is wrong with a broadcast; nothing, if what it goes back to was invalid or refused."""
    if cause is not None and (cause.outcome == "refused" or not cause.legal):
        return
    if len(args) != 1:
        broken = Broken("one argument", f"{len(args)}: {args}")
        yield "broadcasts/valid-payload", event.name, broken
        return
    for found in validate(event.name, args[0], "emission"):
        if cause is None:
            yield "broadcasts/valid-payload", event.name, _broken(found)
        else:
            yield _attributed(found, cause, args[0], "broadcasts/valid-payload")


def _attributed(found: Violation, request: Request, came: Any, shape: str) -> Found:
    """Return what a violation breaks: the rule about the shape, or the one by whose breach it came about.

    A property that the request had has not been ignored if it comes back with the same value.
    """
    holder, _, name = found.path.rpartition(".")
    asked = set(names(request.args))
    if _is_extra(found) and name in asked - _known(request.event) and _is_asked(found, request, came):
        return _UNKNOWN, request.event, _broken(found)
    missing = found.expected == "a value" and found.got.startswith(MISSING)
    if missing and holder.endswith((".token", ".position")) and name in _defaulted() and name not in asked:
        return _DEFAULTS, None, _broken(found)
    return shape, request.event, _broken(found)


def _is_asked(found: Violation, request: Request, came: Any) -> bool:
    """Whether what a payload has too much is what the request had under that name."""
    name, value = found.path.rpartition(".")[2], find(came, found.pointer)
    return any(same(value, asked) for other, asked in properties(request.args) if other == name)


def _is_extra(found: Violation) -> bool:
    return found.expected == EXTRA


def _broken(found: Violation) -> Broken:
    return Broken(found.expected, found.got, found.path)


@cache
def _known(event: str) -> frozenset[str]:
    """Return the names of all properties that a request may have, at any depth."""
    request = Catalogue.load()[event].request
    return frozenset(name for name, _ in _stated(resolve(request))) if request else frozenset()


@cache
def _defaulted() -> frozenset[str]:
    """Return the names of all properties for which a request's schema states a default."""
    found = (_stated(resolve(event.request)) for event in Catalogue.load() if event.request)
    return frozenset(name for names in found for name, schema in names if "default" in schema)


def _stated(schema: tuple[Any, str]) -> Iterator[tuple[str, Any]]:
    """Yield every property that a schema states, at any depth, with what it says of it."""
    node, file = schema
    if "$ref" in node:
        yield from _stated(resolve(node["$ref"], file))
    if "items" in node:
        yield from _stated((node["items"], file))
    for name, inner in node.get("properties", {}).items():
        yield name, inner
        yield from _stated((inner, file))
