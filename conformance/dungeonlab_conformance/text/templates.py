"""Texts with variables in braces: ``/games/{session}/members``. Two braces stand for one. There are no expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.text.tree import with_texts

_PART = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_-]*)\}")


class Undefined(LookupError):  # noqa: N818
    """A template names what nothing defines."""


class Numeral(str):
    """A variable that was captured as a number. Where it stands alone in JSON, it is put in as one."""

    __slots__ = ()


def fill(template: Any, known: Mapping[str, str]) -> Any:
    """Put variables into every text of a template, at any depth. Raises `Undefined`."""
    return with_texts(template, lambda text, _: _filled(text, known))


def _filled(template: str, known: Mapping[str, str]) -> str | int:
    alone = _PART.fullmatch(template)
    if alone and isinstance(found := known.get(alone[1] or ""), Numeral):
        return int(found)

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        if match[1] not in known:
            raise Undefined(f"{template!r} names {{{match[1]}}}, which nothing defines")
        return known[match[1]]

    return _PART.sub(value, template)


def names(template: Any) -> Iterator[str]:
    """Yield each variable that a template names, at any depth."""
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list | tuple):
        for part in template:
            yield from names(part)
    elif isinstance(template, str):
        yield from (match[1] for match in _PART.finditer(template) if match[1])
