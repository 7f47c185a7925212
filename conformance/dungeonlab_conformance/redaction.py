"""Keeps secrets out of whatever is shown or written. Knows nothing of where they come from or where they would go."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

from dungeonlab_conformance.leaks import HIDDEN, Ours
from dungeonlab_conformance.leaks import redact as without_leaks

SHORTEST = 4  # characters: anything shorter occurs everywhere, and hiding it would hide the rest


class Secrets:
    """The values that must not be seen, in each form in which they may turn up in a text."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._ours = Ours()

    def add_username(self, name: str) -> None:
        """Hide the mail addresses that a server makes of a name, from now on; not the name itself."""
        self._ours = Ours(usernames=self._ours.usernames | {name})

    def add(self, value: str) -> None:
        """Hide a value from now on; one of fewer than four characters cannot be hidden."""
        if len(value) < SHORTEST:
            return
        self._forms |= {
            value,
            quote(value),
            quote(value, safe=""),
            quote_plus(value),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            repr(value)[1:-1],
            ascii(value)[1:-1],
        }
        self._pattern = None

    def redact(self, text: str) -> str:
        """Return a text with every secret in it replaced by three asterisks, and what a server leaks as well."""
        if not text:
            return text
        if not self._forms:
            return without_leaks(text, self._ours)
        if self._pattern is None:
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return without_leaks(self._pattern.sub(HIDDEN, text), self._ours)
