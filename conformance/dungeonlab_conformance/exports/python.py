"""`export python`: a `TypedDict` for each payload, and what a typed client has in place of `emit` and `call`.

Types know no lengths, patterns and bounds: docstrings say those. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.exports.json_schema import definitions
from dungeonlab_conformance.exports.sentences import WIDTH, about, about_emission, about_request, wrapped
from dungeonlab_conformance.exports.typescript import names
from dungeonlab_spec import Catalogue

_KINDS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_HEAD = '''\
"""The real-time protocol of DungeonLab {version}: what clients and servers send each other.

Made by `dungeonlab-conformance export python`; do not edit. Needs Python 3.11.
"""
# ruff: noqa

from collections.abc import Mapping
from typing import Literal, NotRequired, Protocol, TypeAlias, TypedDict, overload

# Any object, as long as it is JSON: its contents are the clients' own business.
JsonObject: TypeAlias = Mapping[str, object]'''
_CLIENT = '''\


class Client(Protocol):
    """The requests of a `socketio.AsyncClient`, with types: `client = cast(Client, socketio.AsyncClient())`.

    `call` returns the answer; `emit` asks for none.
    """
'''


def python() -> str:
    """Return a module of types: no code that runs, and no import but of the standard library."""
    catalogue = Catalogue.load()
    parts = [_HEAD.format(version=catalogue.version)]
    for name, schema in _in_order(definitions("")).items():
        parts += _defined(name, schema)
    parts += [*_emissions(catalogue), _CLIENT, *_methods(catalogue)]
    return "\n".join(parts)


def _in_order(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return definitions with each behind all that it refers to: names stand for what was defined before."""
    ordered: dict[str, Any] = {}

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(name := node.get("$ref"), str) and name not in ordered:
                visit(found[name])
                ordered[name] = found[name]
            node = list(node.values())
        if isinstance(node, list):
            for inner in node:
                visit(inner)

    visit([{"$ref": name} for name in found])
    return ordered


def _emissions(catalogue: Catalogue) -> Iterator[str]:
    yield "\n\n# What a server sends, to those whom the protocol names: the payload of each event by its name."
    yield "ServerToClientEvents = TypedDict("
    yield '    "ServerToClientEvents",'
    yield "    {"
    for event in catalogue:
        if event.emission is not None:
            yield from _remarks(about_emission(event), "        ")
            yield f'        "{event.name}": {names(event)["emission"]},'
    yield "    },"
    yield ")"


def _methods(catalogue: Catalogue) -> Iterator[str]:
    for method in ("emit", "call"):
        for event in catalogue.requests():
            returned = names(event)["ack"] if method == "call" else "None"
            given = f'event: Literal["{event.name}"], data: {names(event)["request"]}'
            yield "    @overload"
            yield f"    async def {method}(self, {given}) -> {returned}:"
            yield from (*_docstring(about_request(event), "        "), "")


def _defined(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if "properties" in schema:
        yield from _class(name, schema)
    else:
        yield from ("", "", *_remarks(about(schema)))
        yield f"{name}: TypeAlias = {_type(schema, name)}"


def _class(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a class, after those of the objects inside it: they have their property's name behind its own."""
    for key, value in schema["properties"].items():
        if "properties" in value:
            yield from _class(_inner(name, key), value)
    yield from ("", "", f"class {name}(TypedDict):")
    said = about(schema)
    if said:
        yield from (*_docstring(said, "    "), "")
    for key, value in schema["properties"].items():
        kind = _type(value, _inner(name, key))
        yield f"    {key}: {kind if key in schema.get('required', ()) else f'NotRequired[{kind}]'}"
        yield from _docstring(about(value), "    ")


def _inner(name: str, key: str) -> str:
    return name + key[0].upper() + key[1:]


def _type(schema: Mapping[str, Any], inner: str) -> str:
    """Return the type of a value; `inner` is the name of the class that it has if it is an object."""
    if "$ref" in schema:
        return str(schema["$ref"])
    if "oneOf" in schema:
        return " | ".join(_type(kind, inner) for kind in schema["oneOf"])
    if "enum" in schema or "const" in schema:
        return _literal(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"list[{_type(schema['items'], inner)}]"
    if schema["type"] != "object":
        return _KINDS[schema["type"]]
    return inner if "properties" in schema else "JsonObject"


def _literal(values: list[Any]) -> str:
    kinds = [str(value) if isinstance(value, bool) else json.dumps(value) for value in values]
    text = ", ".join(kinds)
    return f"Literal[{text}]" if len(text) < WIDTH else "".join(["Literal[\n", *(f"    {k},\n" for k in kinds), "]"])


def _remarks(said: list[str], indent: str = "") -> Iterator[str]:
    for line in said:
        yield from (f"{indent}# {part}" for part in wrapped(line))


def _docstring(said: list[str], indent: str) -> Iterator[str]:
    lines = [part for line in said for part in wrapped(line.replace("\\", "\\\\"))]
    if len(lines) == 1:
        yield f'{indent}"""{lines[0]}"""'
    elif lines:
        yield f'{indent}"""{lines[0]}'
        yield from ("", *(f"{indent}{line}" for line in lines[1:]), f'{indent}"""')
