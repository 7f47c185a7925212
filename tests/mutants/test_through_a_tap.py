"""Faults in frames, connections and logins are judged through a tap exactly as without it.

A few of them; all with MUTANTS=all, and with every requirement about connections and logins.
"""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.tap.tap import Tap
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from tests import serving
from tests.mutants.combination import fault_named
from tests.mutants.fault import all_faults
from tests.mutants.judge import SCALE, broken, misjudged
from tests.mutants.servers import auth, connect, frames
from tests.turns import turn

ALL = os.environ.get("MUTANTS") == "all"
CHOSEN = ("ObeysBeforeConnect", "WelcomesEveryOrigin", "DropsWhatItIsSentDuringTheUpgrade", "DiesOfABrokenUpload")
ELSEWHERE = {  # are shown by an origin made of the server's name or port, which are the tap's here
    "LooksForItsNameInTheOrigin",
    "TakesTheBeginningOfItsOrigin",
}


def of_the_wire() -> list[str]:
    """Return the names of the faults in frames, connections and logins."""
    modules = {module.__name__ for module in (frames, connect, auth)}
    faults = all_faults().items()
    found = {name for name, fault in faults if any(seam.__module__ in modules for seam in fault.seams)}
    return sorted(found - ELSEWHERE)


async def tapped(port: int) -> int:
    """Put a tap before a port of this machine, for as long as the process lives; returns its own."""
    tap = await Tap(f"http://127.0.0.1:{port}", TapJournal()).__aenter__()
    found = urlsplit(tap.url).port
    assert found
    return found


def judged(name: str, variant: serving.Variant) -> Run:
    """Judge a server by what its fault breaks; or by all that is about connections and logins, too."""
    fault = fault_named(name)
    only = (*fault.breaks, *(("connect", "auth") if ALL else ()))
    selection = Selection(only=only, parts=tuple(fault.run))
    with turn(), serving.served(variant) as url:
        return play(Target(url, limits=Limits(SCALE)), scenes(selection, Catalogue.load()))


@pytest.mark.parametrize("name", of_the_wire() if ALL else CHOSEN)
def test_a_fault_shows_through_a_tap_as_without_it(name: str) -> None:
    """What it must break is broken, nothing else is blamed, and the same requirements are."""
    fault = fault_named(name)
    directly, through = judged(name, fault.variant), judged(name, replace(fault.variant, proxy=tapped))
    assert misjudged(fault, through) == []
    assert broken(through) == broken(directly)
