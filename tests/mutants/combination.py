"""One server with several faults, so that they are judged in a fraction of the time.

Faults go together if neither is in the other's way as far as is known beforehand: they are made in different
methods, and neither may break what the other must. Where one hides another nonetheless, the other is judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.mutants.fault import Expectation, Fault, every_fault

AT_MOST = 8  # faults in one server; more hide one another more often than they save time
AND = "+"
TRIED = (  # faults that hide many others, though not each other: so many servers less
    "BroadcastsInCamelCase+DisconnectingEndsMembership",
    "NeedsASubscription+SaysErrorsInABareText",
)
APART = (  # faults of which one hides the other, or that break something else together: so many judgements less
    "AnswersOnceMoreWhenSaved+RemembersWhoLeft",
    "EchoesToTheSender+GoesOnAfterTheError",
    "HangsUpOnWhomItRefuses+LetsGuestsIn",
)


def fault_named(name: str) -> Fault:
    """Return the faulty server of this name, or the one that has the faults of several names."""
    faults = [every_fault()[one] for one in members(name)]
    return faults[0] if len(faults) == 1 else _one(faults)


def members(name: str) -> list[str]:
    """Return the names of the faults that go by one name together."""
    return name.split(AND)


def combine(faults: Iterable[Expectation]) -> list[str]:
    """Share faults out among as few servers as may be, those first that go with the fewest; returns their names."""
    faults = list(faults)
    obstacles = {fault.name: sum(not _go_together(fault, other) for other in faults) for fault in faults}
    groups: list[list[Expectation]] = []
    for fault in sorted(faults, key=lambda fault: -obstacles[fault.name]):
        for group in groups:
            if len(group) < AT_MOST and all(_go_together(fault, other) for other in group):
                group.append(fault)
                break
        else:
            groups.append([fault])
    return [AND.join(fault.name for fault in group) for group in groups]


def merged(faults: Iterable[Expectation]) -> dict[str, Any]:
    """Return what several faults are together: their names, claims, and what they break."""
    faults = list(faults)
    return {
        "name": AND.join(fault.name for fault in faults),
        "claim": " ".join(fault.claim for fault in faults),
        "breaks": frozenset[str]().union(*(fault.breaks for fault in faults)),
        "also": {glob: why for fault in faults for glob, why in fault.also.items()},
    }


def _go_together(one: Expectation, other: Expectation) -> bool:
    return _are_one_of(TRIED, one, other) or (
        not _are_one_of(APART, one, other)
        and not (one.hides or other.hides)
        and not one.methods & other.methods
        and not any(map(one.allows, other.breaks))
        and not any(map(other.allows, one.breaks))
        and one.run == other.run
    )


def _are_one_of(pairs: Iterable[str], one: Expectation, other: Expectation) -> bool:
    return any({one.name, other.name} <= set(members(pair)) for pair in pairs)


def _one(faults: list[Fault]) -> Fault:
    return Fault(**merged(faults), seams=tuple(dict.fromkeys(seam for fault in faults for seam in fault.seams)))
