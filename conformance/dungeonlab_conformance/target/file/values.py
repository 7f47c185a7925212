"""The kinds of values in a target's file, what all of its tables have in common, and how a message asks for them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from dungeonlab_conformance.target.roles import ROLES
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve

FORMS = {  # the patterns that texts must match, each with how a message asks for it
    (SLASH := "^/"): "it must begin with /",
    (PREFIX := "^/[^?#]*$"): "it must begin with /, and have no ? and no #",
    (ADAPTER := r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"): "write it as package.module:Class",
    (VARIABLE := "^[a-z][a-z0-9_-]*$"): "a variable's name is of small letters, digits, - and _",
    (SOURCE := "^(/|cookie:.|header:.|input:.)"): (
        "give a JSON pointer that begins with /, or cookie:NAME, header:NAME, input:NAME"
    ),
}
_EVENTS = tuple(Catalogue.load())


def _one_of(*names: str) -> tuple[Any, ...]:
    """Return what lets a text be one of these names; the error for another one holds them."""

    def check(value: str) -> str:
        if value not in names:
            raise PydanticCustomError("name", "no such name", {"names": names})
        return value

    return AfterValidator(check), Field(json_schema_extra={"enum": list(names)})


def _no_doubles(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("sentence", "names something twice")
    return values


def _kind_of_status(given: Any) -> str | None:
    return {int: "<one>", list: "<list>"}.get(type(given))


def alternatives(kind: Any, wanted: str) -> Any:
    """Return what picks one of several types by the kind of value that is given; tags are in angle brackets."""
    return Discriminator(kind, custom_error_type="kind", custom_error_message=wanted)


class Table(BaseModel):
    """A table of the file; it has no other keys, and no values of other kinds."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )

    @model_validator(mode="before")
    @classmethod
    def _no_other_keys(cls, given: Any) -> Any:
        names = tuple(str(field.alias) for field in cls.model_fields.values())
        for key in given if isinstance(given, dict) else ():
            if key not in names:
                raise PydanticCustomError("unknown", "unknown key", {"key": key, "names": names})
        return given


Some = Annotated[str, Field(min_length=1)]
Path = Annotated[str, Field(pattern=SLASH)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Distinct = (AfterValidator(_no_doubles), Field(json_schema_extra={"uniqueItems": True}))
Texts = dict[str, str]
Role = Annotated[str, *_one_of(*ROLES)]
RequestName = Annotated[str, *_one_of(*(event.name for event in _EVENTS if event.request))]
BroadcastName = Annotated[str, *_one_of(*(event.name for event in _EVENTS if event.emission))]
Code = Annotated[str, *_one_of(*resolve("identifiers.json#/$defs/ErrorCode")[0]["enum"])]
Status = Annotated[int, Field(ge=100, le=599)]
Statuses = Annotated[
    Annotated[Status, Tag("<one>")] | Annotated[list[Status], Field(min_length=1), Tag("<list>")],
    alternatives(_kind_of_status, "a status, or a list of those"),
]
