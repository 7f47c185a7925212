"""Undoes the escapes in a text, and remembers where each character stood: percent signs, entities, backslashes."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from urllib.parse import unquote

_ESCAPE = re.compile(
    r"%[0-7][0-9A-Fa-f]"  # one character in UTF-8, percent-encoded: of one byte, ...
    r"|%[CDcd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]"
    r"|%[Ee][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}"
    r"|%[Ff][0-7](?:%[89ABab][0-9A-Fa-f]){3}"  # ... to four
    r"|&\#[0-9]{1,7}(?:;|(?![0-9…]))|&\#[xX][0-9A-Fa-f]{1,6}(?:;|(?![0-9A-Fa-f…]))|&[A-Za-z][A-Za-z0-9]{1,31};"
    r"|\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"  # one character in UTF-16
    r"|\\u\{[0-9A-Fa-f]{1,6}\}|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\x[0-9A-Fa-f]{2}"
    r"|\\[^ux]",
    re.DOTALL,
)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


class Unescaped:
    """A text whose escapes are undone, one layer at a time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._layers: list[tuple[list[int], list[int]]] = []  # of each, where ordinary text begins: there, and before

    def undo(self) -> bool:
        """Undo one layer; returns whether there was any."""
        if "%" not in self.text and "&" not in self.text and "\\" not in self.text:
            return False
        parts: list[str] = []
        here, before = [0], [0]
        done = length = 0
        for escape in _ESCAPE.finditer(self.text):
            character = _character(escape[0])
            if character == escape[0]:
                continue
            parts += [self.text[done : escape.start()], character]
            length += escape.start() - done
            here += [length, length + len(character)]
            before += [escape.start(), escape.end()]
            done, length = escape.end(), length + len(character)
        if not done:
            return False
        self.text = "".join([*parts, self.text[done:]])
        self._layers.append((here, before))
        return True

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a piece of the text stood before anything was undone."""
        for here, before in reversed(self._layers):
            start, end = _before(here, before, start), _before(here, before, end - 1, last=True)
        return start, end


def _before(here: list[int], before: list[int], place: int, *, last: bool = False) -> int:
    """Return where a character began, or if it is the `last` one, where it ended."""
    number = bisect_right(here, place) - 1
    if number % 2:  # of an escape: it stands for all that this is made of
        return before[number + 1] if last else before[number]
    return before[number] + place - here[number] + last


def _character(escape: str) -> str:
    if escape[0] == "%":
        return unquote(escape)
    kind, digits = escape[1], escape[2:].strip("{};")
    if escape[0] == "&":
        return html.unescape(escape) if kind != "#" else _of(int(digits[1:], 16) if digits[0] in "xX" else int(digits))
    if kind not in "uUx" or not digits:
        return _LETTERS.get(kind, kind)
    if "\\" in digits:
        high, low = int(digits[:4], 16), int(digits[6:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return _of(int(digits, 16))


def _of(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
