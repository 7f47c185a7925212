"""Names in place of recorded ids, and what of a recorded message can be compared with one that comes now. Pure.

Ids of the stage are known by what they are of. Those that the server hands out on the way get their names from the
message in which they came first, so that no recorded id is left in what is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.diagnostics.id_mapping import is_id, is_time
from dungeonlab_conformance.runner.reproduction.decision import payload
from dungeonlab_conformance.runner.reproduction.statements import ANY, Id, Irreproducible, Path
from dungeonlab_conformance.text.tree import with_texts

_EVERYDAY = 1000  # numbers below it occur everywhere, and distinguish nothing


class NamedIds:
    """The ids of one finding that have a name; more get one as the messages are played that hand them out."""

    def __init__(self, finding: Finding) -> None:
        asked = [payload(line) for line in finding.transcript if line.act in ("sends", "tells")]
        self.sent = {text for args in asked for text in texts(args)}
        self.telling = {leaf for args in asked for leaf in telling(args)}
        self._accounts = tuple(f"{account}-" for account in finding.cast.values() if account)
        self._made = {finding.ids.get("token"), finding.ids.get("other-token")} - {None}
        self._names = {found: Id(what) for what, found in finding.ids.items() if found and not what.endswith("token")}

    def __contains__(self, text: object) -> bool:
        return text in self._names

    def name_of(self, text: str) -> str:
        """Return the name of an id; "" if it has none."""
        return self._names[text].name if text in self._names else ""

    def learn(self, text: str, path: Path) -> Id:
        """Give an id a name, by where it stands in the message that hands it out."""
        keys = [key for key in path if isinstance(key, str)]
        own = re.sub(r"(?i)ids?$", "", keys[-1]) or (keys[-2] if len(keys) > 1 else "id")
        taken = {known.name for known in self._names.values()}
        numbered = (f"{own}-{number}" for number in range(2, len(taken) + 3))
        found = Id(own if own not in taken else next(name for name in numbered if name not in taken))
        return self._names.setdefault(text, found)

    def handed_out(self, lines: Sequence[TranscriptLine], places: Iterable[int]) -> dict[int, dict[str, Path]]:
        """Return which ids that are sent later are to be taken from which message, by its place, with their paths.

        That is the answer in which one comes, or else what somebody heard of it first.
        """
        found: dict[str, tuple[int, Path]] = {}
        used: set[str] = set()
        for place in places:
            line = lines[place]
            if line.act in ("sends", "tells"):
                used |= set(texts(payload(line))) - set(found)
            elif line.act in ("is answered", "hears") and not line.cut:
                for text, path in self._ids_in(line):
                    better = text in found and line.act == "is answered" and lines[found[text][0]].act == "hears"
                    if text not in used and (text not in found or better):
                        found[text] = place, path
        sources: dict[int, dict[str, Path]] = {}
        for text, (place, path) in found.items():
            sources.setdefault(place, {})[text] = path
        return sources

    def _ids_in(self, line: TranscriptLine) -> Iterator[tuple[str, Path]]:
        for path, text in leaves(next(iter(payload(line)), None)):
            name = next((key for key in reversed(path) if isinstance(key, str)), "")
            if isinstance(text, str) and text not in self._names and text in self.sent and is_id(name, text):
                yield text, path

    # -- payloads ------------------------------------------------------------------------------------

    def now(self, value: Any) -> Any:
        """Return a recorded value with names in place of ids. Raises `Irreproducible` for a token without a name."""
        if any(text in self._made and text not in self._names for text in texts(value)):
            raise Irreproducible("the token was made otherwise than by a message of the transcript")
        return with_texts(value, lambda text, _: self._names.get(text, text))

    def recorded(self, value: Any, name: str = "") -> Any:
        """Return a recorded value, under a name, to be compared with: what a server chooses anew may be anything."""

        def change(text: str, path: tuple[str | int, ...]) -> Any:
            if text in self._names:
                return self._names[text]
            key = next((key for key in reversed(path) if isinstance(key, str)), name)
            varies = is_time(text) or HIDDEN in text or text.startswith(self._accounts)
            return ANY if varies or (is_id(key, text) and text not in self.sent) else text

        return with_texts(value, change)

    def sent_part(self, args: list[Any], request: list[Any] | None = None) -> list[Any] | None:
        """Return of what was heard only what was sent before, in one request or in any; None if there is nothing.

        What a server is free to add plays no part then.
        """
        part = _only(args, self.telling if request is None else set(telling(request)))
        return self.now(part) if part else None


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, str | float]]:
    """Yield the texts, numbers and truth values in a value, with the paths that lead there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif isinstance(value, str | int | float):
        yield path, value


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value."""
    return (text for _, text in leaves(value) if isinstance(text, str))


def telling(value: Any) -> Iterator[str | float]:
    """Yield the texts in a value, and the numbers that are no everyday ones."""
    for _, leaf in leaves(value):
        if isinstance(leaf, str) or (not isinstance(leaf, bool) and abs(leaf) >= _EVERYDAY):
            yield leaf


def _only(value: Any, values: Set[Any]) -> Any:
    """Return what a value holds of some texts and numbers; None if it holds none of them."""
    if isinstance(value, Mapping):
        kept = {key: part for key, inner in value.items() if (part := _only(inner, values)) is not None}
        return kept or None
    if isinstance(value, list):
        parts = [_only(inner, values) for inner in value]
        while parts and parts[-1] is None:
            parts.pop()
        return [ANY if part is None else part for part in parts] or None
    known = isinstance(value, str | int | float) and not isinstance(value, bool) and value in values
    return value if known else None
