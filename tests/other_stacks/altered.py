"""Payloads that are slightly wrong, made from examples without chance: one thing replaced, left out or misspelt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.text.tree import replaced

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 1e300, "", " ", "a b", "é\u00df" * 80, "x" * 129, "\U0001f600" * 2001, "\ud800"),
    *([], [1, "1", {"a": [None]}], {}, {"success": False}, {"a": 1, "b": {"c": "\u2028\x7f"}}, [["a"], ["a"]]),
    *(
        "2026-02-29T00:00:00Z",
        "2024-02-29T23:59:60.5z",
        "2026-01-02",
        "2026-01-02T03:04:05Z\n",
        "__proto__",
        "token:move",
    ),
)


def altered(payload: Any) -> Iterator[Any]:
    """Yield a payload with each of its values replaced by every one of `VALUES`, and its properties renamed."""
    for path in _paths(payload):
        for value in VALUES:
            yield replaced(payload, path, value)
    for path in _paths(payload):
        there = _at(payload, path)
        if isinstance(there, dict):
            for changed in _renamed(there):
                yield replaced(payload, path, changed)
        if isinstance(there, list) and there:
            yield replaced(payload, path, [*there, *there])
            yield replaced(payload, path, [*there, {}, [], 7])


def _renamed(there: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in there:
        rest = {name: value for name, value in there.items() if name != key}
        yield rest
        for name in (
            key.lower(),
            f"{key[:3]}_{key[3:]}",
            key[1:] + key[0],
            f"{key}\ud800",
            "__proto__",
            "ß" + key[:-1],
        ):
            yield {**rest, name: there[key]}
    yield {**there, "x": 1, "\U0001f600": 2, "\uffff": 3}
    yield dict.fromkeys(("unknown", "Unknown", "un_known"), json.loads("[" * 70 + "]" * 70))


def _paths(payload: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(payload, dict):
        for key, value in payload.items():
            yield from _paths(value, (*path, key))


def _at(payload: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        payload = payload[key]
    return payload
