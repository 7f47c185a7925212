"""Payloads generated from a request's schema, and the smallest of those that show a requirement broken.

The only file that imports schemathesis and hypothesis; both come with the extra ``fuzz``. Sends nothing itself.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from random import Random
from typing import Any

import schemathesis
from hypothesis import Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, NoSuchExample
from schemathesis import GenerationMode

from dungeonlab_spec import Catalogue, Event, accepts
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.validation import explainer

_LARGEST = 2**53 - 1  # of integers that every JSON parser keeps; RFC 7493, section 2.2
_DEEPEST = 12  # levels
_LONGEST = 20_000  # characters of JSON
_SHRINKING = 20.0  # seconds within which a smaller payload is searched

Attempt = Callable[[Any], str | None]  # sends a payload; returns the requirement that it shows broken, if any


def strategy(event: Event, *, valid: bool) -> st.SearchStrategy[Any]:
    """Return a generator of requests of an event: those that its schema allows, or those that it does not."""
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
    """Return a body whose integers and addresses are within what every implementation takes for valid."""
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
    """Whether the only fault is the format of an address, on which libraries differ."""
    return all(error.validator == "format" for error in explainer(reference).iter_errors(body))


class _Enough(BaseException):
    """Ends the search for a smaller payload, which would go on making payloads up for minutes."""


def smallest(made: st.SearchStrategy[Any], count: int, number: int, attempt: Attempt) -> tuple[str, Any] | None:
    """Try up to `count` payloads; return what the first failing one shows, with the smallest payload that shows it.

    The same `number` generates the same payloads, and no payload is tried twice. When the search for a smaller one
    has taken `_SHRINKING` seconds, it ends with the smallest so far.
    """
    shown: dict[str, str | None] = {}  # by a payload's JSON
    failing: list[tuple[str, Any]] = []  # all that show the same as the first
    until = math.inf

    def shows(body: Any) -> bool:
        nonlocal until
        if time.monotonic() > until:
            raise _Enough
        text = json.dumps(body, sort_keys=True)
        if text not in shown:
            shown[text] = attempt(body)
        what = shown.get(text)
        if what is None or (failing and what != failing[0][0]):
            return False
        if not failing:
            until = time.monotonic() + _SHRINKING
        failing.append((what, body))
        return True

    try:
        body = find(made, shows, settings=_quiet(count), random=Random(number))
    except NoSuchExample:
        return None
    except (Flaky, _Enough):  # Flaky: generators that keep state; what was found stays found
        if not failing:
            raise
        return failing[-1]
    return failing[0][0], body


def _quiet(count: int) -> settings:
    return settings(
        max_examples=count,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        print_blob=False,
    )


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
