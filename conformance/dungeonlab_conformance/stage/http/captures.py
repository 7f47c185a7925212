"""Finds in an HTTP answer what a step captures: in its JSON, its cookies, its headers or its HTML form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from dungeonlab_conformance.clients.http.client import json_of
from dungeonlab_conformance.text.templates import Numeral
from dungeonlab_spec.pointer import at


class NotThere(LookupError):  # noqa: N818
    """The answer does not hold what was to be captured; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a step was answered."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


def capture(answer: HttpAnswer, source: str) -> str:
    """Return what stands at a source: a JSON pointer, ``cookie:NAME``, ``header:NAME`` or ``input:NAME``.

    Raises `NotThere`.
    """
    kind, colon, name = source.partition(":")
    if source.startswith("/") or not colon:
        return _at(answer.text, source)
    found = {
        "cookie": lambda: answer.cookies.get(name),
        "header": lambda: answer.headers.get(name),
        "input": lambda: _input(answer.text, name),
    }[kind]()
    if not found:
        raise NotThere(f"the answer has no {kind} {name!r}")
    return found


def _at(text: str, pointer: str) -> str:
    try:
        body: Any = json_of(text)
    except json.JSONDecodeError:
        raise NotThere(f"the answer is no JSON, so there is nothing at {pointer}") from None
    except ValueError as why:
        raise NotThere(f"there is nothing at {pointer} of the answer, since {why}") from None
    try:
        found = at(body, pointer)
    except KeyError:
        raise NotThere(f"the answer has nothing at {pointer}") from None
    if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
        raise NotThere(f"what the answer has at {pointer} is neither a text nor a number")
    return Numeral(found) if isinstance(found, int) else found


def _input(html: str, name: str) -> str | None:
    finder = _Inputs(name)
    finder.feed(html)
    return finder.value


class _Inputs(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a form's field, or at a ``<meta name=... content=...>``, where some keep their CSRF token."""
        given = dict(attrs)
        if self.value is None and tag in ("input", "meta") and given.get("name") == self.name:
            self.value = given.get("value") or given.get("content")
