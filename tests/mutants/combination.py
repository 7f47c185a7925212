"""One server with several faults, so that they are judged in a fraction of the time.

Faults go together if neither is in the other's way as far as can be told beforehand: they are made in different
methods, and neither may break what the other must. Where one hides another nonetheless, the run is not as it should
be, and each is judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dungeonlab_spec import Catalogue
from tests.mutants.fault import Fault, all_faults

AT_MOST = 4  # faults in one server; more hide one another more often than they save time
_AND = "+"


def fault_named(name: str) -> Fault:
    """Return the faulty server of this name, or the one that has the faults of several names."""
    faults = [all_faults()[one] for one in members(name)]
    return faults[0] if len(faults) == 1 else _one(faults)


def members(name: str) -> list[str]:
    """Return the names of the faults that go by one name together."""
    return name.split(_AND)


def parts(fault: Fault) -> frozenset[str]:
    """Return the parts of a run that must be asked for to see a fault."""
    requirements = Catalogue.load().requirements
    return frozenset(part for name in fault.breaks if (part := requirements[name].part))


def combine(faults: Iterable[Fault]) -> list[str]:
    """Share faults out among as few servers as may be; returns their names."""
    groups: list[list[Fault]] = []
    for fault in faults:
        for group in groups:
            if len(group) < AT_MOST and all(_go_together(fault, other) for other in group):
                group.append(fault)
                break
        else:
            groups.append([fault])
    return [_AND.join(fault.name for fault in group) for group in groups]


def _go_together(one: Fault, other: Fault) -> bool:
    return (
        not (one.hides or other.hides)
        and not one.methods & other.methods
        and not any(map(one.allows, other.breaks))
        and not any(map(other.allows, one.breaks))
        and parts(one) == parts(other)
    )


def _one(faults: list[Fault]) -> Fault:
    also: Mapping[str, str] = {glob: why for fault in faults for glob, why in fault.also.items()}
    return Fault(
        name=_AND.join(fault.name for fault in faults),
        claim=" ".join(fault.claim for fault in faults),
        breaks=frozenset[str]().union(*(fault.breaks for fault in faults)),
        also=also,
        seams=tuple(dict.fromkeys(seam for fault in faults for seam in fault.seams)),
    )
