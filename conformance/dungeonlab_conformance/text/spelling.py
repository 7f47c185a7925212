"""What somebody may have meant by a name that does not exist, for messages. Knows nothing of what the names are of."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_MOST = 3  # names in one question


def did_you_mean(
    word: str, known: Collection[str], otherwise: str = "`dungeonlab-conformance list` shows what there is"
) -> str:
    """Return ``did you mean …?`` for the known names closest to a word; `otherwise` where none resembles it."""
    found = closest(word, known)
    return f"did you mean {', '.join(found)}?" if found else otherwise


def closest(word: str, known: Collection[str]) -> list[str]:
    """Return the known name that is closest to a word in any letters, or else those that its last part stands in."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), folded, 1)
    part = word.casefold().rpartition("/")[2].strip("*?")
    return [folded[name] for name in near] or [folded[name] for name in folded if part and part in name][:_MOST]
