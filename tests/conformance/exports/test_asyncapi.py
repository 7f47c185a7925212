"""The AsyncAPI document says of every event what the catalogue says; its own parser is asked in tests/other_stacks."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from dungeonlab_conformance.exports.asyncapi import asyncapi
from dungeonlab_spec import Catalogue
from dungeonlab_spec.payloads import payloads

DOCUMENT = asyncapi()
CATALOGUE = Catalogue.load()


def test_a_message_for_each_payload() -> None:
    """The one channel carries all of them, each under the event's own name, with examples that are not edge cases."""
    [channel] = DOCUMENT["channels"].values()
    messages = DOCUMENT["components"]["messages"]
    assert channel["messages"].keys() == messages.keys() == {payload.name for payload in payloads()}
    for payload in payloads():
        message = messages[payload.name]
        assert message["name"] == (payload.event.name if payload.event else payload.folder)
        valid = payload.examples("valid")
        assert 0 < len(message["examples"]) < 20
        assert all(valid[example["name"]] == example["payload"] for example in message["examples"])


def test_a_request_has_a_reply() -> None:
    """Its success, or the failure envelope; the codes of its refusals stand beside it."""
    for event in CATALOGUE.requests():
        [name] = [p.name for p in payloads() if p.event is event and p.direction == "request"]
        operation = DOCUMENT["operations"][name]
        replies = [reply["$ref"].rpartition("/")[2] for reply in operation["reply"]["messages"]]
        assert operation["action"] == "receive"
        assert replies == [name.replace("Request", "Ack"), "FailureAck"]
        assert operation["x-refusals"] == list(event.refusals)


def test_what_a_server_sends_has_an_operation_without_a_reply() -> None:
    """Broadcasts, its own events, and the refusal of a connection."""
    sent = {name for name, operation in DOCUMENT["operations"].items() if operation["action"] == "send"}
    assert sent == {p.name for p in payloads() if p.direction == "emission"}
    assert not any("reply" in DOCUMENT["operations"][name] for name in sent)


def test_requirements_are_named_where_they_are_judged() -> None:
    """Each id of an operation is a requirement judged for that event, whose sentence the document holds."""
    sentences = DOCUMENT["x-requirements"]
    assert sentences.keys() == CATALOGUE.requirements.keys()
    for operation in DOCUMENT["operations"].values():
        assert sentences.keys() >= set(operation.get("x-requirements", ()))
    assert "rooms/sender-hears-nothing" in DOCUMENT["operations"]["ChatMessageRequest"]["x-requirements"]
    assert "rooms/sender-hears-nothing" not in DOCUMENT["operations"]["JoinSessionRequest"]["x-requirements"]


def test_its_schemas_judge_the_examples() -> None:
    """As draft 7, which AsyncAPI builds on: nothing stands beside a reference, where it would be passed over."""
    for payload in payloads():
        whole: dict[str, Any] = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": f"#/components/schemas/{payload.name}",
            "components": DOCUMENT["components"],
        }
        validator = jsonschema_rs.Draft7Validator(whole, offline=True)
        refused = [name for name, value in payload.examples("valid").items() if not validator.is_valid(value)]
        accepted = [name for name, value in payload.examples("invalid").items() if validator.is_valid(value)]
        assert (payload.name, refused, accepted) == (payload.name, [], [])
