"""Every example of the specification as files of its own, with an index that says of each what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.exports.json_schema import title
from dungeonlab_conformance.text.files import to_json
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import DATA
from dungeonlab_spec.payloads import Payload, payloads
from dungeonlab_spec.validation import Violation, validate, violations

INDEX = "index.json"
KIND = "dungeonlab-examples"  # by which an index is known again


def examples() -> dict[str, str]:
    """Return the text of each file by its path below the folder; the index comes last."""
    texts: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for payload in payloads():
        for row, text in _of(payload):
            texts[row["file"]] = text
            rows.append(row)
    index = {"kind": KIND, "protocol": Catalogue.load().version, "examples": rows}
    return {**texts, INDEX: to_json(index)}


def _of(payload: Payload) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield a row of the index and the file's text for each example of a payload; of the invalid, what is wrong."""
    for valid in (True, False):
        kind = "valid" if valid else "invalid"
        for name, value in payload.examples("valid" if valid else "invalid").items():
            file = f"{payload.folder}/{kind}/{payload.direction}.{name}.json"
            row: dict[str, Any] = {
                "file": file,
                "event": payload.event.name if payload.event else None,
                "direction": payload.direction,
                "payload": title(payload),
                "schema": f"{payload.stem}.json",
                "valid": valid,
                "name": name,
            }
            if not valid:
                row["wrong"] = [str(violation) for violation in _wrong(payload, value)]
            yield row, (DATA / "examples" / file).read_text("utf-8")


def _wrong(payload: Payload, value: Any) -> list[Violation]:
    if payload.event:
        return validate(payload.event.name, value, payload.direction)
    return violations(payload.reference, value)
