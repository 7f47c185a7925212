"""The description of the HTTP side says what the prose and the schemas say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import schemathesis

from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import http_side, resolve

PROSE = (Path(__file__).resolve().parents[2] / "spec" / "protocol.md").read_text("utf-8")
METHODS = ("get", "post", "put", "delete")


def operations() -> dict[tuple[str, str], Any]:
    """Return each operation by its method and path, the parameters' names left out."""
    return {
        (method.upper(), re.sub(r"{\w+}", "{}", path)): item[method]
        for path, item in http_side()["paths"].items()
        for method in METHODS
        if method in item
    }


def test_each_row_of_the_prose_is_described_and_no_more() -> None:
    """Method, path and the status of success are the same in both."""
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (\d+) \|", PROSE, re.MULTILINE)
    output = {(method, re.sub(r"{\w+}", "{}", path)): status for method, path, status in rows}
    described = {key: min(operation["responses"]) for key, operation in operations().items()}
    assert output == described
    assert len(rows) == 11


def test_it_is_openapi() -> None:
    """A tool that reads OpenAPI finds every operation in it, each under an id of its own."""
    schema = schemathesis.openapi.from_dict(dict(http_side()))
    operations_found: list[Any] = list(schema.get_all_operations())
    found = [result.ok().definition.raw["operationId"] for result in operations_found]
    assert len(set(found)) == len(found) == len(operations())
    assert http_side()["openapi"].startswith("3.1")
    assert http_side()["info"]["version"] == Catalogue.load().version


def test_a_user_is_the_same_on_both_sides() -> None:
    """Identifiers and profiles have one shape, whether HTTP or the socket tells them."""

    def plain(schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        kept = {key: plain(value) for key, value in schema.items() if key not in ("title", "description")}
        return "Identifier" if str(kept.get("$ref", "")).endswith("/Identifier") else kept

    ours = http_side()["components"]["schemas"]
    assert plain(ours["Identifier"]) == plain(resolve("identifiers.json#/$defs/Identifier")[0])
    assert plain(ours["User"]) == plain(resolve("direct.json#/$defs/User")[0])


def test_anyone_who_is_not_asked_for_a_cookie_needs_none() -> None:
    """Each operation may answer 401, but for registering and the sign of life; each that needs no login says so."""
    for (method, path), operation in operations().items():
        needs = operation.get("security") != []
        assert needs == (path not in ("/api/auth/register", "/api/auth/login", "/healthz")), (method, path)
        assert ("401" in operation["responses"]) == (needs or path == "/api/auth/login")


def test_every_refusal_is_an_error_in_json() -> None:
    """Each status from 400 up has the one shape."""
    components = http_side()["components"]
    for operation in operations().values():
        for status, response in operation["responses"].items():
            if status >= "400":
                shared = components["responses"][response["$ref"].rpartition("/")[2]]
                assert shared["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
