"""The schemas for other tools: each file is whole, and says what the definitions say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from dungeonlab_conformance.exports.json_schema import KNOWN_BY, bundle, files, schema, title
from dungeonlab_spec.catalogue import DATA, definitions
from dungeonlab_spec.payloads import Payload, payloads

FILES = files()
WITH_BUNDLE = {**FILES, "bundle": bundle()}
every_payload = pytest.mark.parametrize("payload", payloads(), ids=str)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Walk every object of a schema."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def decided(validator: jsonschema_rs.Validator, payload: Payload) -> list[str]:
    """Return the examples that a validator judges otherwise than they are meant."""
    return [
        f"{kind} {name}"
        for kind in ("valid", "invalid")
        for name, example in payload.examples(kind).items()
        if validator.is_valid(example) is not (kind == "valid")
    ]


@every_payload
def test_a_file_judges_its_examples(payload: Payload) -> None:
    """Without any other file, and without a look at formats: valid ones are accepted, invalid ones refused."""
    assert decided(jsonschema_rs.Draft202012Validator(schema(payload), offline=True), payload) == []


@every_payload
def test_the_bundle_judges_its_examples(payload: Payload) -> None:
    """Each payload is a definition of it."""
    reference = {**bundle(), "oneOf": [{"$ref": f"#/$defs/{title(payload)}"}]}
    assert decided(jsonschema_rs.Draft202012Validator(reference, offline=True), payload) == []


def test_the_root_of_the_bundle_is_a_message() -> None:
    """The event's name and the direction decide which payload it must carry."""
    validator = jsonschema_rs.Draft202012Validator(bundle(), offline=True)
    message = {"event": "chat-message", "direction": "request", "payload": {"sessionId": "s1", "message": "Hi"}}
    assert validator.is_valid(message)
    assert validator.is_valid({**message, "at": 1.5})
    wrongs: tuple[dict[str, Any], ...] = (
        {"event": "token:move"},
        {"direction": "emission"},
        {"event": "hello"},
        {"payload": {}},
    )
    for wrong in wrongs:
        assert not validator.is_valid({**message, **wrong}), wrong
    assert not validator.is_valid({})


@pytest.mark.parametrize("name", WITH_BUNDLE)
def test_a_file_is_whole(name: str) -> None:
    """It has a root and a title; it leads to no other file, and asks for no plugin."""
    file = WITH_BUNDLE[name]
    Draft202012Validator.check_schema(file)
    assert file.keys() & {"type", "oneOf"}
    assert re.fullmatch(r"[A-Z][A-Za-z]+", file["title"])
    assert all(node["$ref"].startswith("#/$defs/") for node in nodes(file) if "$ref" in node)
    assert not any("format" in node for node in nodes(file) if not isinstance(node.get("format"), dict))


def test_no_two_files_have_one_id_or_one_title() -> None:
    """Ids are names, and no addresses: nothing is ever fetched."""
    ids = [file["$id"] for file in WITH_BUNDLE.values()]
    assert len({*ids}) == len({file["title"] for file in WITH_BUNDLE.values()}) == len(WITH_BUNDLE)
    assert all(id_.startswith("urn:dungeonlab:1.0:") for id_ in ids)


def test_only_these_files_are_there() -> None:
    """No schema of a payload that travels no more is left behind."""
    assert {entry.name for entry in (DATA / "schemas").iterdir()} == FILES.keys()
    assert KNOWN_BY in FILES


def test_nothing_is_valid_against_a_file_of_definitions() -> None:
    """A person who takes one for a schema gets a refusal, and is not misled."""
    for file in definitions().values():
        validator = jsonschema_rs.Draft202012Validator({key: file[key] for key in ("not", "title")})
        values: tuple[Any, ...] = ({}, None, "text", [], 0)
        assert not any(validator.is_valid(value) for value in values)


def test_definitions_of_the_bundle_have_names_of_their_own() -> None:
    """No two definitions of the specification have one name: a bundle keeps each under it, titled so."""
    names = [name for file in definitions().values() for name in file["$defs"]]
    assert len({*names}) == len(names)
    assert all(found["title"] == name for name, found in bundle()["$defs"].items())


DAYS = {
    True: ("2024-02-29", "2000-02-29", "0000-02-29", "2404-02-29", "2026-02-28", "2026-12-31", "2026-06-30"),
    False: ("2023-02-29", "1900-02-29", "2100-02-29", "2026-04-31", "2026-06-31", "2026-00-10", "2026-13-01"),
}


@pytest.mark.parametrize(("day", "exists"), [(day, exists) for exists, days in DAYS.items() for day in days])
def test_a_pattern_knows_which_days_exist(day: str, exists: bool) -> None:
    """In place of a format, which validators may ignore."""
    validator = jsonschema_rs.Draft202012Validator(FILES["user-joined.emission.json"])
    message = {"sessionId": "s1", "userId": "u1", "timestamp": f"{day}T23:59:59.5Z"}
    assert validator.is_valid(message) is exists


def test_check_jsonschema_judges_files_by_a_schema_alone() -> None:
    """As in a pre-commit hook: no invalid example passes, no valid one is named."""
    folder = DATA / "examples" / "token-create"
    valid, invalid = (
        sorted(str(entry) for entry in (folder / kind).iterdir() if entry.name.startswith("emission"))
        for kind in ("valid", "invalid")
    )
    schema_file = str(DATA / "schemas" / "token-create.emission.json")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", schema_file, "--output-format", "json"]
    done = subprocess.run([*command, *valid, *invalid], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert sorted({error["filename"] for error in json.loads(done.stdout)["errors"]}) == invalid
