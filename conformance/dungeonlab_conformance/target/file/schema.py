"""The JSON Schema of a target's file, made from its model."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dungeonlab_conformance.target.file.model import TargetFile


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    made = TargetFile.model_json_schema(by_alias=True, schema_generator=_ForPeople)
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": TargetFile.model_config["title"], **made}


class _ForPeople(GenerateJsonSchema):
    """Leaves out what only Python knows: null, for a key that is not there, empty defaults, and names of classes."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """No field has a title; its key says enough."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Describe a table in one line."""
        made = super().model_schema(schema)
        made.pop("title", None)
        return {**made, "description": " ".join(made["description"].split())}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """TOML has no null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that is empty says nothing, and that of a table its keys say."""
        made = super().default_schema(schema)
        if made.get("default") in (None, "", []) or isinstance(made["default"], dict):
            made.pop("default", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A key that does not match the pattern of keys is an error, and no exception to it."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return made
