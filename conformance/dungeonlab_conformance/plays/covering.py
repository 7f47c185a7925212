"""The covering plays of every run, and how much they cover. They are computed once, and kept as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dungeonlab_conformance.plays.acts import Play

FILE = files("dungeonlab_conformance.plays") / "covering.json"


@dataclass(frozen=True, slots=True)
class Covering:
    """Plays that visit as many situations as so few can.

    `pairs` says how many situations of two factors they visit, and how many are known; `triples` that of three.
    """

    plays: tuple[Play, ...]
    pairs: tuple[int, int]
    triples: tuple[int, int]


@cache
def covering() -> Covering:
    """Return the covering plays."""
    found = json.loads(FILE.read_text("utf-8"))
    plays = tuple(map(Play.from_json, found["plays"]))
    return Covering(plays, tuple(found["pairs"]), tuple(found["triples"]))
