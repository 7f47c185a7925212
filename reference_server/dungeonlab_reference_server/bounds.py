"""How large a payload is: cheap to tell, before anything looks at what it says."""

from __future__ import annotations

import re

_TEXT = re.compile(
    r'"(?:[^"\\]|\\.)*+"?'
)  # a text in JSON; one that does not end goes to the end, so nothing is read twice
_EACH = 8  # bytes that a value is counted as, whatever it is


def is_crowded(text: str, most: int) -> bool:
    """Say whether JSON surely holds more than `most` values, before it is parsed."""
    # An array or object has one separator for each value in it; an empty one has one too.
    return _separators(text) > 2 * most and _separators(_TEXT.sub("", text)) > 2 * most


def excess(payload: object, deepest: int, most: int) -> str | None:
    """Return what a payload has too much of, in one phrase, or None; looks at no more than `most` values."""
    ahead: list[tuple[object, int]] = [(payload, 1)]
    values = 1
    while ahead:
        value, depth = ahead.pop()
        if depth > deepest:
            return f"nested deeper than {deepest} levels"
        if isinstance(value, dict | list):
            values += len(value)
            if values > most:
                return f"more than {most} values"
            ahead.extend((inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value))
    return None


def weight(payload: object) -> int:
    """Return about how many bytes a payload is when it is sent."""
    ahead = [payload]
    total = 0
    while ahead:
        value = ahead.pop()
        total += _EACH
        if isinstance(value, str):
            total += len(value)
        elif isinstance(value, dict):
            total += sum(map(len, value))
            ahead.extend(value.values())
        elif isinstance(value, list):
            ahead.extend(value)
    return total


def _separators(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")
