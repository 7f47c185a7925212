"""Templates of an event's arguments: filled from the protocol's one object, and read back into it. Pure.

A text that is just ``{property}`` stands for that property, of whatever type it is; other texts are filled as texts.
``{null}`` stands for null, which TOML cannot say; ``{{`` for a brace. All else is constant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Args = tuple[Any, ...]

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_NULL = "{null}"
_NOTHING: Any = object()  # in the place of a property that is left out


class Unfit(Exception):  # noqa: N818 - not an error: the arguments are of another form
    """Arguments are not of a template's form."""


def names(template: Any) -> Iterator[str]:
    """Yield each property that a template names, at any depth."""
    if isinstance(template, Mapping):
        template = list(template.values())
    if isinstance(template, list | tuple):
        for part in template:
            yield from names(part)
    elif isinstance(template, str) and template != _NULL:
        yield from (match[1] for match in _PART.finditer(template) if match[1] is not None)


def alone(template: Any) -> str | None:
    """Return the property for whose bare value a template stands, if it does."""
    match = _PART.fullmatch(template) if isinstance(template, str) and template != _NULL else None
    return match[1] if match else None


def has_single_brace(text: str) -> bool:
    """Whether a text has a brace that neither names a property with another one nor is written twice."""
    return re.search("[{}]", _PART.sub("", text)) is not None


# -- what we send ------------------------------------------------------------------------------------


def fill(template: Sequence[Any], payload: Mapping[str, Any]) -> Args:
    """Return the arguments that say a payload. What it leaves out is null, or no argument if none follows."""
    filled = [_filled(part, payload) for part in template]
    while filled and filled[-1] is _NOTHING:
        filled.pop()
    return tuple(None if part is _NOTHING else part for part in filled)


def _filled(template: Any, payload: Mapping[str, Any]) -> Any:
    if isinstance(template, Mapping):
        inner = {key: _filled(part, payload) for key, part in template.items()}
        return {key: value for key, value in inner.items() if value is not _NOTHING}
    if isinstance(template, list | tuple):
        return [None if value is _NOTHING else value for value in (_filled(part, payload) for part in template)]
    if template == _NULL:
        return None
    return _text(template, payload) if isinstance(template, str) else template


def _text(template: str, payload: Mapping[str, Any]) -> Any:
    """Fill a text. A value that is none takes the place of the whole, as it is: it may be the fault of a payload."""
    if (name := alone(template)) is not None:
        return payload.get(name, _NOTHING)
    found = [payload.get(name, _NOTHING) for name in names(template)]
    odd = next((value for value in found if not isinstance(value, str)), None)
    if odd is not None:
        return odd
    return _PART.sub(lambda match: match[0][0] if match[1] is None else payload[match[1]], template)


# -- what we are sent --------------------------------------------------------------------------------


def read(template: Sequence[Any], args: Args) -> dict[str, Any]:
    """Return the properties that arguments say; what the template does not name stays in them under its own name.

    Raises `Unfit` for arguments of another form.
    """
    if len(args) > len(template):
        raise Unfit
    found: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for part, value in zip(template, args, strict=False):
        more = _read(part, value, found)
        rest.update(more if isinstance(more, dict) else {})
    return rest | found


def _read(template: Any, value: Any, found: dict[str, Any]) -> Any:
    """Put into `found` what a value says; return what is left of it, or `_NOTHING`."""
    if isinstance(template, Mapping):
        if not isinstance(value, dict):
            raise Unfit
        rest = {key: _read(template[key], inner, found) if key in template else inner for key, inner in value.items()}
        rest = {key: inner for key, inner in rest.items() if inner is not _NOTHING}
        return rest or _NOTHING
    if isinstance(template, list | tuple):
        if not isinstance(value, list | tuple) or len(value) > len(template):
            raise Unfit
        for part, inner in zip(template, value, strict=False):
            _read(part, inner, found)
    elif (name := alone(template)) is not None:
        found[name] = value
    elif isinstance(template, str) and any(names(template)):
        match = _pattern(template).fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Unfit
        found.update(zip(names(template), match.groups(), strict=True))
    return _NOTHING


def _pattern(template: str) -> re.Pattern[str]:
    """Return what matches a filled text; its groups are what was put in."""
    parts, end = [], 0
    for match in _PART.finditer(template):
        parts += [re.escape(template[end : match.start()]), "(.*)" if match[1] is not None else re.escape(match[0][0])]
        end = match.end()
    return re.compile("".join([*parts, re.escape(template[end:])]), re.DOTALL)
