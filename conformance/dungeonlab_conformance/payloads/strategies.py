"""Payloads made up from a request's schema, and the smallest of those that show something.

The only file that knows schemathesis and hypothesis; both come with the extra ``fuzz``. Sends nothing itself.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from dungeonlab_spec import Catalogue, Event, accepts
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.validation import explainer

_LARGEST = 2**53 - 1  # of integers that every JSON parser keeps; RFC 7493, section 2.2
_DEEPEST = 12  # levels
_LONGEST = 20_000  # characters of JSON
_SHRINKING = 20.0  # seconds in which a smaller payload is looked for

Try = Callable[[Any], str | None]  # sends a payload; returns what it shows, by a name, or nothing


def strategy(event: Event, *, valid: bool) -> st.SearchStrategy[Any]:
    """Return what makes up requests of an event that its schema allows, or that it does not."""
    assert event.request is not None
    reference = event.request
    bodies = _bodies(reference, valid)
    if valid and event.name == "validate-action":
        bodies = bodies.flatmap(_with_a_valid_action)
    return bodies.filter(lambda body: is_interoperable(body) and accepts(reference, body) is valid).filter(
        lambda body: valid or not _is_arguable(reference, body)
    )


def _bodies(reference: str, valid: bool) -> st.SearchStrategy[Any]:
    content = {"application/json": {"schema": _inlined(*resolve(reference))}}
    post = {"requestBody": {"required": True, "content": content}, "responses": {"200": {"description": "fine"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "one request", "version": "1"},
        "paths": {"/request": {"post": post}},
    }
    operation = schemathesis.openapi.from_dict(document)["/request"]["POST"]
    mode = GenerationMode.POSITIVE if valid else GenerationMode.NEGATIVE
    made: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=mode).map(lambda case: _plain(case.body))
    return made


def _with_a_valid_action(body: Any) -> st.SearchStrategy[Any]:
    inner = strategy(Catalogue.load()[body["action"]["type"]], valid=True)
    return inner.map(lambda payload: {**body, "action": {**body["action"], "payload": payload}})


def _plain(body: Any) -> Any:
    """Return a body with what is valid in it kept where everybody takes it for valid: integers and addresses."""
    body = _in_range(body)
    if isinstance(body, dict):
        for part in (body.get("token"), body.get("updates")):
            if isinstance(part, dict) and isinstance(part.get("imageUrl"), str) and ":" in part["imageUrl"]:
                letters = re.sub(r"[^A-Za-z0-9]", "", part["imageUrl"])[:50]
                part["imageUrl"] = f"https://example.org/{letters}"
    return body


def _in_range(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_range(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_range(item) for item in value]
    if isinstance(value, int) and abs(value) > _LARGEST:
        return (abs(value) % _LARGEST) * (1 if value > 0 else -1)
    return value


def is_interoperable(value: Any) -> bool:
    """Whether a value reads the same everywhere: what RFC 7493 calls I-JSON, no NUL, and not too deep or long."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError):
        return False
    return len(text) <= _LONGEST and _reads_the_same(value, _DEEPEST)


def _reads_the_same(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_reads_the_same(k, 1) and _reads_the_same(v, levels - 1) for k, v in value.items())
    if isinstance(value, list):
        return levels > 0 and all(_reads_the_same(item, levels - 1) for item in value)
    if isinstance(value, str):
        return value != "__proto__" and not any(_is_odd(ord(letter)) for letter in value)
    if isinstance(value, float):
        return math.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0)
    return not isinstance(value, int) or abs(value) <= _LARGEST


def _is_odd(point: int) -> bool:
    return point == 0 or 0xD800 <= point <= 0xDFFF or 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE


def _is_arguable(reference: str, body: Any) -> bool:
    """Whether all that is wrong is the format of an address, on which libraries differ."""
    return all(error.validator == "format" for error in explainer(reference).iter_errors(body))


def search(made: st.SearchStrategy[Any], count: int, number: int, attempt: Try) -> tuple[str, Any] | None:
    """Try so many payloads; return the first thing that one shows, with the smallest payload that shows it.

    The same `number` makes up the same payloads.
    """
    found: dict[str, Any] = {}  # the smallest so far, and its JSON
    shown: list[str] = []
    failing: set[str] = set()
    until = [math.inf]

    class Shown(Exception):  # noqa: N818 - tells hypothesis to look for less
        pass

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(made)
    def one(body: Any) -> None:
        text = json.dumps(body, sort_keys=True)
        if text not in failing:
            if time.monotonic() > until[0]:
                return  # small enough
            what = attempt(body)
            if what is None or (shown and what != shown[0]):
                return
            if not shown:
                shown.append(what)
                until[0] = time.monotonic() + _SHRINKING
            failing.add(text)
        if not found or len(text) <= len(found["text"]):
            found.update(text=text, body=body)
        raise Shown

    try:
        one()
    except Exception:  # hypothesis' own account of it, in one of many forms; what counts was written down above
        if not shown:
            raise
    return (shown[0], found["body"]) if shown else None


def _inlined(node: Any, file: str) -> Any:
    if isinstance(node, list):
        return [_inlined(item, file) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        definition, there = resolve(node["$ref"], file)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**_inlined(definition, there), **_inlined(beside, file)}
    return {key: _inlined(value, file) for key, value in node.items()}
