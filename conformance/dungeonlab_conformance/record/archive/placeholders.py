"""What stands in a kept record for what is secret: the same for the same, of the same form, and nothing to be read.

Rules that compare values, or that look at their form, thus come to the same as on what was there; what only the secret
itself could show has to be kept beside. A placeholder follows from the secret and from a key that is thrown away.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from functools import cache
from typing import Any

from dungeonlab_conformance.record.arguments import leaves
from dungeonlab_conformance.record.secrets.leaks import is_secret, may_name_a_secret
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.text.tree import names
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import definitions

_ALIKE = ("0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ")  # for each of them another
_KIND = {character: kind for kind in _ALIKE for character in kind} | dict.fromkeys("-_ ", "")  # which stay
_OTHERWISE = {True: ".", False: "\N{LATIN SMALL LETTER O WITH STROKE}"}  # by whether it is ASCII
_ASTRAL = "\N{LINEAR B SYLLABLE B008 A}"
_MARK = re.compile(r"(mark-[0-9a-f]{1,40}-[0-9]{1,9}\.)")  # one of the suite, which a secret may resemble by chance
_REMEMBERED = 4_096  # characters of a text that is looked up once


class Placeholders:
    """What takes the place of the secrets of one run. `used` are the placeholders themselves."""

    def __init__(self, known: Secrets) -> None:
        self._secrets = known
        self._key = secrets.token_bytes(16)
        self._seen: dict[tuple[str, str], str] = {}
        self._harmless: set[str] = set()  # names under which nothing is secret for that alone
        self._open: set[str] = set()  # words that hold nothing secret
        self.used: dict[str, None] = {}

    def is_needed(self, value: object) -> bool:
        """Whether anything in a value is secret, or may be for the name that it has."""
        named = {*names(value)}
        if any(may_name_a_secret(name) for name in named - self._harmless):
            return True
        self._harmless |= named
        words = named.union(leaf if isinstance(leaf, str) else repr(leaf) for leaf in leaves(value)) - self._open
        if any(self.text(word) != word for word in words):
            return True
        self._open |= words
        return False

    def text(self, text: str, name: str = "") -> str:
        """Return a text without secrets; `name` is that of the property that it is the value of."""
        if len(text) > _REMEMBERED:
            return self._hidden(text, name)
        if (hidden := self._seen.get((text, name))) is None:
            hidden = self._seen[text, name] = self._hidden(text, name)
        return hidden

    def _hidden(self, text: str, name: str) -> str:
        if name and is_secret(name, text):
            return self._instead(text)
        if text in vocabulary():
            return text
        hidden = self._secrets.replaced(text, self._instead)
        if hidden is text or hidden == text or "mark-" not in text:
            return hidden
        pieces = _MARK.split(text)
        return "".join(
            piece if number % 2 else self._secrets.replaced(piece, self._instead) for number, piece in enumerate(pieces)
        )

    def number(self, number: int | float) -> int | float:
        """Return a number whose digits hold no secret, of the same size."""
        if isinstance(number, int) and number.bit_length() > _REMEMBERED:
            return number
        text = repr(number)
        hidden = self.text(text)
        if hidden == text:
            return number
        try:
            return type(number)(hidden if hidden[0] != "0" else f"1{hidden[1:]}")
        except ValueError:
            return type(number)(0)

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets."""
        return self.text(data.decode("latin-1")).encode("latin-1", "replace")

    def _instead(self, secret: str) -> str:
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=self._key).digest()
        drawn = int.from_bytes(digest)
        made = []
        for number, character in enumerate(secret):
            kind = _KIND.get(character)
            if kind is None:
                made.append(_ASTRAL if character > "\uffff" else _OTHERWISE[character.isascii()])
            else:
                made.append(kind[(drawn >> (5 * (number % 100))) % len(kind)] if kind else character)
        self.used["".join(made)] = None
        return "".join(made)


@cache
def vocabulary() -> frozenset[str]:
    """Return the words of the protocol: names of events and properties, and values that it states."""
    words = {event.name for event in Catalogue.load()}
    for file in definitions().values():
        words.update(_stated(file))
    return frozenset(words)


def _stated(node: Any) -> Iterator[str]:
    """Yield what a schema states, at any depth."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        yield from (value for value in (*node.get("enum", ()), node.get("const")) if isinstance(value, str))
        for inner in node.values():
            yield from _stated(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _stated(inner)
