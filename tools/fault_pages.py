"""Pages about faults that are found, made of what was measured last. Each is called by tools/generate_docs.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.client_programs.faults import FAULTS
from tests.mutants.fault import every_fault

from dungeonlab_conformance.plays.covering import covering

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], Iterable[str]]  # a head and rows, as Markdown


def fault_sets(found: Any, table: Table) -> list[str]:
    """Return what the suite said of servers with several faults drawn by lot, when that was measured last."""
    share = 100 * found["found"] / found["broken"]
    return [
        "# Sets of faults",
        "",
        f"A real server is wrong in many points at once. These {found['servers']} have {found['size']} of the",
        "[faults](fault-detection.md) each, drawn by lot; servers that stop, refuse or silence nearly everything are",
        "among them. `tox -e fault-sets` judges such servers every night, and `python -m tests.mutants.lots --json",
        "docs/measured/fault-sets.json` writes down what this page is made of.",
        "",
        f"- Found: {found['found']} of the {found['broken']} requirements that they break ({share:.0f} %). Not counted",
        f"  are {found['concealed']} that no client can see, since another fault of the server conceals them.",
        f"- Missed: {found['broken'] - found['found']}; of these {found['passed']} passed, the others are unjudged.",
        f"- Verdicts that blame something else: {found['blamed']}.",
        f"- Unjudged verdicts of one server, in the {found['working']} where people can log in and join: the median is",
        f"  {found['median']:g}, nine of ten servers have at most {found['p90']}, the worst {found['worst']}.",
        "",
        *table(("Faults", "Found", "Missed", "Wrongly blamed", "Unjudged"), map(_fault_set, found["results"])),
    ]


def _fault_set(result: Any) -> tuple[str, ...]:
    faults = ", ".join(f"`{name}`" for name in result["name"].split("+"))
    missed = ", ".join(f"`{name}` ({outcomes})" for name, outcomes in result["missed"].items())
    blamed = "; ".join(result["blamed"])
    count = f"{len(result['found'])} of {len(result['found']) + len(result['missed'])}"
    unjudged = f"{sum(result['unjudged'].values())} of {result['verdicts']}"
    return faults, count, missed or "-", blamed or "-", unjudged


def plays(found: Any, table: Table) -> list[str]:
    """Return which faulty servers the covering plays found by themselves, when that was measured last."""
    seen, right = ([one for one in found if one[which]] for which in ("first", "right"))
    return [
        "# Faults that plays find",
        "",
        "The covering plays of every run, judged by the model and by the rules for whatever comes, without any scene:",
        f"of {len(found)} [faulty servers](fault-detection.md) they show {len(seen)}, {len(right)} of them under a",
        "requirement that the server is made to break. What they do not show needs what no play does: bare frames,",
        "cookies, the HTTP side, one certain payload. A run has scenes for these, and blames by both.",
        "",
        f"Of the {len(right)}, {sum(one['right'] == 1 for one in right)} are named in the first play, and",
        f"{sum(one['right'] <= 5 for one in right)} in the first five of {len(covering().plays)}.",
        "`python -m tests.mutants.played --json docs/measured/plays.json` writes down what this page is made of.",
        "",
        *table(("Server", "It breaks", "First seen in play", "Rightly named in play"), map(_played, found)),
    ]


def _played(one: Mapping[str, Any]) -> tuple[str, ...]:
    breaks = ", ".join(f"`{name}`" for name in sorted(every_fault()[one["name"]].breaks))
    return f"`{one['name']}`", breaks, str(one["first"] or "-"), str(one["right"] or "-")


def client_faults(found: Any, table: Table) -> list[str]:
    """Return the faulty clients, what each breaks, and how often that was found when it was measured last."""
    rows = [
        (f"`{fault.breaks}`", f"`{name}`", fault.claim, ", ".join(fault.stacks), ", ".join(fault.acts))
        for name, fault in FAULTS.items()
    ]
    counts = [_of(found["faults"].get(name, (0, 0))) for name in FAULTS]
    clean = [(name, _of(count), _of(found["before another server"][name])) for name, count in found["correct"].items()]
    return [
        "# Faults of clients",
        "",
        f"{len(FAULTS)} faults of clients, each made in `socket.io-client`, in python-socketio, or in both, show that",
        "`dungeonlab-conformance client` finds faults: each breaks one requirement, and is to be blamed for it alone.",
        "They are in `tests/client_programs/`, beside the clients without a fault that they are made of.",
        "",
        "`python -m tests.client_programs.judge --json docs/measured/client-faults.json` writes down what this page",
        "is made of: each fault in each stack over each transport on which it can show.",
        "",
        *table(
            ("Requirement", "Client", "Its fault", "Stacks", "Acts", "Blamed exactly"),
            ((*row, count) for row, count in zip(rows, counts, strict=True)),
        ),
        "",
        "## Correct clients",
        "",
        "The same clients without a fault, and a page in Chromium made of TypeScript and the package for npm: how",
        "often nothing was found in them, through the tap in front of the bundled server, and in front of the Node.js",
        "server of `tests/other_stacks/`.",
        "",
        *table(("Client", "Nothing found", "In front of the Node.js server"), clean),
    ]


def _of(count: Sequence[int]) -> str:
    return f"{count[0]} of {count[1]}"


CONTENTS: Mapping[str, Callable[[Any, Table], list[str]]] = {
    "fault-sets": fault_sets,
    "plays": plays,
    "client-faults": client_faults,
}
