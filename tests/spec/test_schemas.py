"""The schemas are sound, and of a kind that every consumer reads alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from tests.spec.constraints import read, subschemas, whole

from dungeonlab_spec.catalogue import definitions, resolve
from dungeonlab_spec.payloads import Payload, payloads

FILES = {**definitions(), **{name: read(name) for name in ("catalogue.schema.json", "requirements.schema.json")}}
every_file = pytest.mark.parametrize("name", sorted(FILES))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Walk every object of a schema file."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


@every_file
def test_a_file_is_a_valid_schema(name: str) -> None:
    """Both validators find the file to be JSON Schema 2020-12."""
    assert FILES[name]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(FILES[name])
    jsonschema_rs.meta.validate(FILES[name])


@every_file
def test_a_file_sends_nobody_to_the_network(name: str) -> None:
    """No `$id` that is an address, and references only to this file or one beside it."""
    for node in nodes(FILES[name]):
        assert node.get("$id", "urn:").startswith("urn:")
        if "$ref" in node:
            assert re.match(r"([a-z]+\.json)?#/\$defs/[A-Za-z]+\Z", node["$ref"])


@every_file
def test_a_pattern_means_the_same_everywhere(name: str) -> None:
    """No classes whose meaning differs between engines, and no tuples."""
    for node in nodes(FILES[name]):
        assert "prefixItems" not in node
        if isinstance(pattern := node.get("pattern"), str):
            assert not re.search(r"\\[dwspDWSPb]", pattern)


@pytest.mark.parametrize("name", sorted(definitions()))
def test_each_reference_leads_to_a_titled_definition(name: str) -> None:
    """References between the files resolve; every definition carries its name as title, and is used."""
    for node in nodes(definitions()[name]):
        if "$ref" in node:
            resolve(node["$ref"], name)
    for title, definition in definitions()[name]["$defs"].items():
        assert definition["title"] == title


def test_no_definition_is_idle() -> None:
    """Every definition is referred to, by the catalogue or by another."""
    used = {payload.reference for payload in payloads()} | {read("events.json")["name"]}
    for file, schema in definitions().items():
        used |= {
            node["$ref"] if not node["$ref"].startswith("#") else file + node["$ref"]
            for node in nodes(schema)
            if "$ref" in node
        }
    assert {f"{file}#/$defs/{name}" for file, schema in definitions().items() for name in schema["$defs"]} == used


@pytest.mark.parametrize("payload", payloads(), ids=str)
def test_requests_are_open_and_emissions_closed(payload: Payload) -> None:
    """A request's objects tolerate more than they name; a server's do not, but for a token's free `data`.

    The refusal of a connection is open: the transport may add to it.
    """
    closed = payload.direction != "request" and payload.folder != "connect-refusal"
    for at, schema in subschemas(whole(payload.reference)):
        if schema.get("type") == "object" and "properties" in schema:
            assert (schema.get("additionalProperties") is False) is closed, at
        elif schema.get("type") == "object" and closed:
            assert at[-3:] == ("token", "properties", "data"), at


@pytest.mark.parametrize("payload", payloads(), ids=str)
def test_required_properties_are_described(payload: Payload) -> None:
    """What is required is also described; a misspelt name would never be missed."""
    for at, schema in subschemas(whole(payload.reference)):
        assert set(schema.get("required", ())) <= schema.get("properties", {}).keys(), at
