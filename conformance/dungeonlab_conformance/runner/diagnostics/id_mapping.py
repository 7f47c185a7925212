"""Which id of a recorded scene stands for which of the one that is played now. Pure.

The ids of the stage are known beforehand. Those that a server hands out on the way, of tokens and messages, are
learned from its answers: what stands in the same place under a name that ends in `id` or `by`, is the same thing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dungeonlab_conformance.text.tree import with_texts

_NAMES = re.compile(r"(id|ids|by)$", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
_FRAME = re.compile(r"(\d+)(\[.*)?", re.DOTALL)


def is_id(name: str, value: object) -> bool:
    """Whether a value under that name may be an id that a server handed out."""
    return isinstance(value, str) and bool(_NAMES.search(name) and _ID.fullmatch(value))


def is_time(value: object) -> bool:
    """Whether a value is a time, which is never the same twice."""
    return isinstance(value, str) and bool(_TIME.fullmatch(value))


class Correspondence:
    """From recorded ids to present ones."""

    def __init__(self, recorded: Mapping[str, str], present: Mapping[str, str], accounts: Iterable[str]) -> None:
        self._known = {old: present[what] for what, old in recorded.items() if what in present}
        self._accounts = tuple(f"{name}-" for name in accounts)

    def now(self, value: Any) -> Any:
        """Return a recorded value with present ids."""
        return with_texts(value, lambda text, _: self._known.get(text, text))

    def now_in_text(self, frame: str | bytes) -> str | bytes:
        """Return a recorded frame with present ids, wherever they stand in it."""
        if isinstance(frame, bytes) or not self._known:
            return frame
        olds = sorted(self._known, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, olds)), lambda found: self._known[found[0]], frame)

    def difference(self, recorded: Any, present: Any) -> str | None:
        """Learn from what a server said then and now; return the JSON path at which it said something else."""
        return next(self._differences(recorded, present, "$", ""), None)

    def frame_difference(self, recorded: str | bytes, present: str | bytes) -> str | None:
        """The same for bare frames; of those that are no events and no answers, only the type is compared."""
        if isinstance(recorded, bytes) or isinstance(present, bytes):
            return None if type(recorded) is type(present) else "$"
        then, now = _FRAME.match(recorded), _FRAME.match(present)
        if then is None or now is None or then[1] != now[1]:
            return None if recorded == present else "$"
        if not then[2] or not now[2]:
            return None
        try:
            return self.difference(json.loads(then[2]), json.loads(now[2]))
        except ValueError:
            return None if then[2] == now[2] else "$"

    def _differences(self, then: Any, now: Any, path: str, name: str) -> Iterator[str]:
        if isinstance(then, dict) and isinstance(now, dict) and then.keys() == now.keys():
            for key, value in then.items():
                yield from self._differences(value, now[key], f"{path}.{key}", key)
        elif isinstance(then, list | tuple) and isinstance(now, list | tuple) and len(then) == len(now):
            for number, value in enumerate(then):
                yield from self._differences(value, now[number], f"{path}[{number}]", name)
        elif not self._same(then, now, name):
            yield path

    def _same(self, then: Any, now: Any, name: str) -> bool:
        if not isinstance(then, str) or not isinstance(now, str):
            return type(then) is type(now) and bool(then == now)
        if then not in self._known and is_id(name, then) and is_id(name, now):
            self._known[then] = now
        if self._known.get(then, then) == now:
            return True
        made = any(then.startswith(account) and now.startswith(account) for account in self._accounts)
        return made or (is_time(then) and is_time(now))
