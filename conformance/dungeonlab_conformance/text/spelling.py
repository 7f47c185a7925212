"""Which name was perhaps meant by one that does not exist, for messages. Knows nothing of what the names are of."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_MOST = 3  # names in one question


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return ``did you mean …?`` for the known name closest to a word, or else a command that lists them all."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), folded, 1)
    part = word.casefold().rpartition("/")[2].strip("*?")
    found = [folded[name] for name in near] or [folded[name] for name in folded if part and part in name][:_MOST]
    return f"did you mean {', '.join(found)}?" if found else "`dungeonlab-conformance list` shows what there is"
