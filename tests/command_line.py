"""What the command lines of the proofs share: names that do not exist are wrong usage, answered by one sentence."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Collection, Iterable


def refuse_unknown(parser: argparse.ArgumentParser, names: Iterable[str], known: Collection[str], noun: str) -> None:
    """End the program with exit code 2 if one of the names is not known; the sentence says which name is closest."""
    for name in names:
        if name not in known:
            [closest] = difflib.get_close_matches(name, known, 1, cutoff=0.0)
            parser.error(f"there is no {noun} {name}; did you mean {closest}?")
