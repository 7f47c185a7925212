"""Keeps secrets out of whatever is shown or written. Knows nothing of where they come from or where they would go.

A server quotes what it was sent in many ways: percent-encoded, with HTML entities, in JSON, in base64, one in another,
and each escapes other characters. So a text is searched as it is, and again with its escapes undone; what is found
is hidden where it stands. A text that was cut short may end in half of a secret: that half is hidden too.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from itertools import pairwise

from dungeonlab_conformance.record.secrets.escapes import Unescaped
from dungeonlab_conformance.record.secrets.leaks import HIDDEN, Ours
from dungeonlab_conformance.record.secrets.leaks import redact as without_leaks

SHORTEST = 4  # characters: anything shorter occurs everywhere, and hiding it would hide the rest
_ROUNDS = 3  # of undoing escapes: what a proxy has encoded twice, in JSON
_PIECE = 256  # characters of a form at least; longer ones are hidden piece by piece, or comparing would take long
_TRIES = 16  # forms at most that begin like each other, each a little shorter, and are compared with one place
_TELLING = 8  # characters: so many, and half of a secret at least, are as good as all of it
_CREDENTIALS = re.compile(r"//[^\s/?#]*@")  # of a URL: `user:password@`, however short they are
_CUT_OFF = re.compile(r"[%&\\#\w]{0,12}…")  # half an escape may stand before the ellipsis


class Secrets:
    """The values that must not be seen, in each form in which they may turn up in a text."""

    def __init__(self) -> None:
        self._forms: dict[str, list[str]] = {}  # sorted, by how they begin
        self._long: set[str] = set()  # forms that are there in pieces, too
        self._longest = 0  # characters of what is in `_forms`
        self._ours = Ours()

    def add_username(self, name: str) -> None:
        """Hide the mail addresses that a server makes of a name, from now on; not the name itself."""
        self._ours = Ours(usernames=self._ours.usernames | {name})

    def add(self, value: str) -> None:
        """Hide a value from now on; one of fewer than four characters cannot be hidden."""
        if len(value) < SHORTEST:
            return
        forms = {value, value.replace(" ", "+"), *_base64(value), *_hex(value), *_undone(value)}
        self._long |= {form for form in forms if len(form) >= 2 * _PIECE}
        for form in {piece for whole in forms for piece in _pieces(whole)}:
            alike = self._forms.setdefault(form[:SHORTEST], [])
            place = bisect_right(alike, form)
            if not place or alike[place - 1] != form:
                insort(alike, form)
                self._longest = max(self._longest, len(form))

    def redact(self, text: str) -> str:
        """Return a text with every secret in it replaced by three asterisks, and what a server leaks as well.

        The credentials of every URL count among the secrets.

        Takes about a microsecond for ten characters, however many secrets there are.
        """
        return self.replaced(text, _hide)

    def replaced(self, text: str, instead: Callable[[str], str]) -> str:
        """Return a text with what `instead` makes of each secret in its place."""
        return self._hidden(text, len(text), instead)

    def shortened(self, text: str, longest: int) -> str:
        """Return a text without secrets, cut to about so many characters; an ellipsis stands for the rest."""
        if len(text) <= longest:
            return self.redact(text)
        return self._hidden(text[: longest + 6 * self._longest], longest, _hide) + "…"  # an escape takes six characters

    def _hidden(self, text: str, longest: int, instead: Callable[[str], str]) -> str:
        parts, done = [], 0
        for start, end in _merged(self._spans(text)):
            if start >= longest:
                break
            parts += [text[done:start], instead(text[start:end])]
            done = end
        hidden = "".join([*parts, text[done : max(done, longest)]]) if parts else text[:longest]
        return without_leaks(hidden, self._ours, instead)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where something stands that is not to be seen."""
        if "@" in text:
            for found in _CREDENTIALS.finditer(text):
                yield found.start() + 2, found.end() - 1
        if not self._forms:
            return
        yield from self._found(text)
        unescaped = Unescaped(text)
        for _ in range(_ROUNDS):
            if not unescaped.undo():
                return
            for start, end in self._found(unescaped.text):
                yield unescaped.span(start, end)

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._long if len(text) >= 2 * _PIECE else ():
            end = 0
            while (at := text.find(form, end)) >= 0:
                end = at + len(form)
                yield at, end
        forms, start, done, length = self._forms, 0, 0, 0
        for place in [i for i in range(len(text) - SHORTEST + 1) if text[i : i + SHORTEST] in forms]:
            if place < done or not (found := self._length(text, place)):
                continue
            if length < _PIECE or place > done:  # else it is the next piece of a long form
                if done:
                    yield start, done
                start = place
            done, length = place + found, found
        if done:
            yield start, done

    def _length(self, text: str, place: int) -> int:
        """Return how many characters from a place on are a secret, or enough of one; 0 if none are."""
        alike = self._forms[text[place : place + SHORTEST]]
        ahead = text[place : place + self._longest]
        after = bisect_right(alike, ahead)
        near = [(form, _common(form, ahead)) for form in alike[max(0, after - 1) : after + 1]]
        partial = max(
            (n for form, n in near if 2 * n >= len(form) and n >= min(_TELLING, len(form))),
            default=0,
        )
        some = max(n for _, n in near)
        if _CUT_OFF.match(text, place + some):
            return some
        tries = _TRIES
        while after and tries:  # the longest form that stands here whole is the one before, or one that begins like it
            form = alike[after - 1]
            if ahead.startswith(form):
                return max(partial, len(form))
            after = min(after - 1, bisect_right(alike, ahead[: _common(form, ahead)]))
            tries -= 1
        return partial


def _pieces(form: str) -> Iterator[str]:
    """Yield a form in pieces of about equal size; one of less than two such sizes is whole."""
    count = max(1, len(form) // _PIECE)
    ends = [len(form) * number // count for number in range(count + 1)]
    return (form[start:end] for start, end in pairwise(ends))


def _hide(_: str) -> str:
    return HIDDEN


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    if other.startswith(one):
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _undone(value: str) -> Iterator[str]:
    """Yield what is left of a value if escapes are undone that it only seems to hold."""
    unescaped = Unescaped(value)
    for _ in range(_ROUNDS):
        if unescaped.undo() and len(unescaped.text) >= SHORTEST:
            yield unescaped.text


def _hex(value: str) -> tuple[str, str]:
    """Return a value in hexadecimal, as servers dump what they cannot decode."""
    digits = value.encode("utf-8", "surrogatepass").hex()
    return digits, digits.upper()


def _base64(value: str) -> Iterator[str]:
    """Yield a value in base64, whole and as it stands in the middle of something longer, in both alphabets."""
    raw = value.encode("utf-8", "surrogatepass")
    for skipped in range(3):
        bits = 8 * skipped, 8 * (skipped + len(raw))
        text = base64.b64encode(bytes(skipped) + raw).decode()
        inside = text[-(-bits[0] // 6) : bits[1] // 6]  # the characters that hold nothing of the neighbours
        for form in (inside, *((text, text.rstrip("=")) if not skipped else ())):
            if len(form) >= SHORTEST:
                yield form
                yield form.replace("+", "-").replace("/", "_")


def _merged(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans in order, those that overlap as one."""
    start = end = -1
    for first, last in sorted(spans):
        if first < end:
            end = max(end, last)
            continue
        if end > start:
            yield start, end
        start, end = first, last
    if end > start:
        yield start, end
