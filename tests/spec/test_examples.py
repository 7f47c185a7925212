"""The examples are what their folders and names say, and cover what the schemas state."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from tests.spec.constraints import (
    BOUNDS,
    broken,
    constraints,
    edits,
    subschemas,
    values,
    whole,
)

from dungeonlab_spec import Catalogue, accepts
from dungeonlab_spec.catalogue import DATA
from dungeonlab_spec.payloads import Payload, payloads
from dungeonlab_spec.validation import explainer

every_payload = pytest.mark.parametrize("payload", payloads(), ids=str)


@every_payload
def test_valid_examples_are_valid(payload: Payload) -> None:
    """Both validators accept each valid example."""
    refused = [
        name
        for name, example in payload.examples("valid").items()
        if not accepts(payload.reference, example) or not explainer(payload.reference).is_valid(example)
    ]
    assert payload.examples("valid")
    assert not refused


@every_payload
def test_invalid_examples_are_invalid(payload: Payload) -> None:
    """Both validators refuse each invalid example."""
    accepted = [
        name
        for name, example in payload.examples("invalid").items()
        if accepts(payload.reference, example) or explainer(payload.reference).is_valid(example)
    ]
    assert payload.examples("invalid")
    assert not accepted


@every_payload
def test_an_invalid_example_has_one_fault(payload: Payload) -> None:
    """Mending one value makes an invalid example a valid one."""
    valid = list(payload.examples("valid").values())
    further_off = {
        name: distance
        for name, example in payload.examples("invalid").items()
        if (distance := min(len(edits(example, other)) for other in valid)) != 1
    }
    assert not further_off


@every_payload
def test_an_invalid_example_is_named_after_its_fault(payload: Payload) -> None:
    """The value to be mended is in the file's name; for a bound, perhaps what holds the value."""
    valid = list(payload.examples("valid").values())
    misnamed = []
    for name, example in payload.examples("invalid").items():
        places = [found[0] for other in valid if len(found := edits(example, other)) == 1]
        if name.startswith("out-of-bounds"):
            places += [place[:-1] for place in places if len(place) > 1]
        if not any("-".join(place) in name for place in places):
            misnamed.append(name)
    assert not misnamed


@every_payload
def test_each_constraint_is_broken_by_an_example(payload: Payload) -> None:
    """For all that a schema forbids there is an example that does it, and does nothing wrong elsewhere."""
    shown: set[tuple[str, ...]] = set()
    for example in payload.examples("invalid").values():
        found = broken(explainer(payload.reference).iter_errors(example))
        if len(set(found.values())) == 1:
            shown |= found.keys()
    assert constraints(payload.reference) <= shown


@every_payload
def test_each_bound_is_reached_by_an_example(payload: Payload) -> None:
    """For each bound a valid example stands exactly on it; for each choice, one makes it."""
    schema = whole(payload.reference)
    seen: dict[tuple[str, ...], list[Any]] = {}
    for example in payload.examples("valid").values():
        for place, value in values(schema, example):
            seen.setdefault(place, []).append(value)
    missing = []
    for place, stated in subschemas(schema):
        there = seen.get(place, [])
        sizes = [value if isinstance(value, int | float) else len(value) for value in there if value is not None]
        missing += [(place, bound) for bound in BOUNDS if bound in stated and stated[bound] not in sizes]
        missing += [(place, choice) for choice in stated.get("enum", ()) if choice not in there]
    assert not missing


@every_payload
def test_each_optional_property_is_given_and_left_out(payload: Payload) -> None:
    """For each optional property there is a valid example with it and one without."""
    schema = whole(payload.reference)
    given: Counter[tuple[str, ...]] = Counter()
    objects: Counter[tuple[str, ...]] = Counter()
    for example in payload.examples("valid").values():
        for place, value in values(schema, example):
            if isinstance(value, dict):
                objects[place] += 1
                given.update((*place, name) for name in value)
    one_sided = [
        (*place, name)
        for place, stated in subschemas(schema)
        for name in stated.get("properties", {})
        if name not in stated.get("required", ()) and place[-1:] not in (("then",), ("else",))
        if not 0 < given[*place, name] < objects[place]
    ]
    assert not one_sided


def test_validate_action_examples_carry_full_requests() -> None:
    """A question's payload is a valid request of the event it names, in the same session."""
    catalogue = Catalogue.load()
    payload = next(p for p in payloads() if p.stem == "validate-action.request")
    for name, example in payload.examples("valid").items():
        reference = catalogue[example["action"]["type"]].request
        assert reference is not None
        assert accepts(reference, example["action"]["payload"]), name
        assert example["action"]["payload"]["sessionId"] == example["sessionId"], name


def test_no_example_stands_outside_the_catalogue() -> None:
    """Each folder of examples belongs to something that travels, and each file to one of its directions."""
    directions: dict[str, set[str]] = {}
    for payload in payloads():
        directions.setdefault(payload.folder, set()).add(payload.direction)
    folders = {entry.name: entry for entry in (DATA / "examples").iterdir()}
    assert folders.keys() == directions.keys()
    for folder, entry in folders.items():
        for kind in entry.iterdir():
            assert kind.name in ("valid", "invalid")
            for file in kind.iterdir():
                named = re.fullmatch(r"([a-z]+)\.[A-Za-z0-9-]+\.json", file.name)
                assert named, file.name
                assert named.group(1) in directions[folder], file.name
