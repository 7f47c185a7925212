"""The JSON Schema (2020-12) of a result, and what holds documents against it. The schema is `result.schema.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


@cache
def schema() -> dict[str, Any]:
    """Return the schema of what `result.to_json` makes."""
    document: dict[str, Any] = json.loads((files(__package__) / "result.schema.json").read_text())
    return document


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def problem(document: Any) -> str | None:
    """Return in one sentence where a document does not fit the schema, or None if it does."""
    found = next(_validator().iter_errors(document), None)
    return found and f"at {found.json_path}, {found.message[:200]}"
