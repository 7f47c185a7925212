"""The JSON Schema (2020-12) of a result. The schema itself is `result.schema.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


@cache
def schema() -> dict[str, Any]:
    """Return the schema of what `result.to_json` makes."""
    document: dict[str, Any] = json.loads((files("dungeonlab_conformance.report") / "result.schema.json").read_text())
    return document


@cache
def validator() -> Draft202012Validator:
    """Return what holds a document against the schema."""
    return Draft202012Validator(schema())
