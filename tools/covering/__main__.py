"""Makes the covering plays of every run: ``python -m tools.covering [--check]``, in half a minute.

Themes come first. Then random plays are grown a few acts at a time: of many ways to go on, the one that visits most
situations that no act before it has visited, for what it costs. ``--check`` writes nothing, and exits with 1 if the
file is not what this makes. The same data in, the same plays out: nothing is random but by a seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tools.covering.acts import Theme
from tools.covering.contents import invalid_requests, odd_drafts, odd_messages_and_moves, odd_updates, twisted_ids
from tools.covering.people import (
    a_deleted_session,
    logged_out_and_in_again,
    removed_and_taken_in_again,
    several_tabs,
    switching,
    tabs_that_have_joined_nothing,
)
from tools.covering.tokens import encounters, many_of_a_kind, the_lives_of_tokens, transports, twenty_listeners

from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.plays.covering import FILE
from dungeonlab_conformance.plays.generator import pick, propose, propose_request, random_play, warm_start
from dungeonlab_conformance.plays.situations import Situation, situations, visited
from dungeonlab_conformance.plays.world import World

_GROWN_PLAYS, _PARTS, _PART = 5, 6, 8  # parts of a grown play, and acts of a part
_CANDIDATES = 120  # ways to go on that are looked at for each part, or requests for each that a theme leaves open
_KNOWN = 600  # random plays that say which situations there are to be visited at all, with the covering ones
_COSTS: Mapping[str, float] = {"connect": 5, "connect with the old cookie": 5, "log in": 10, "delete session": 10}
_CHANGE, _REQUEST = 3, 1  # what other acts cost

_THEMES = (
    removed_and_taken_in_again,
    logged_out_and_in_again,
    several_tabs,
    switching,
    a_deleted_session,
    the_lives_of_tokens,
    encounters,
    many_of_a_kind,
    twenty_listeners,
    transports,
    odd_messages_and_moves,
    odd_drafts,
    odd_updates,
    twisted_ids,
    invalid_requests,
)


_NEWEST = (tabs_that_have_joined_nothing,)


def plays() -> Iterator[Play]:
    """Yield the covering plays one by one; each is chosen with regard to those before it.

    The newest themes come last: so the others, and what was measured of each of them, stay as they are.
    """
    seen: set[Situation] = set()
    yield from (_themed(theme, seen) for theme in _THEMES)
    for number in range(1, _GROWN_PLAYS + 1):
        yield Play.of(f"grown {number}", _grown(Random(f"grown {number}"), seen))
    yield from (_themed(theme, seen) for theme in _NEWEST)


def _themed(theme: Callable[[], Theme], seen: set[Situation]) -> Play:
    name = theme.__name__.replace("_", " ")
    return Play.of(name, _filled(Random(name), theme(), seen))


def _filled(random: Random, theme: Theme, seen: set[Situation]) -> Iterator[Act]:
    """Yield the acts of a theme, with requests that are chosen in place of its numbers."""
    world = World()
    for part in theme:
        for act in [part] if isinstance(part, Act) else itertools.repeat(None, part):
            chosen = act or _best_request(random, world, seen)
            if not world.can(chosen):
                raise ValueError(f"in a theme, this is impossible: {chosen}")
            seen |= situations(world, chosen)
            world.do(chosen)
            yield chosen


def _best_request(random: Random, world: World, seen: set[Situation]) -> Act:
    """Return the request that visits most, of those that move nobody and take no token of the theme away."""
    found = [propose_request(random, world, pick(random, list(world.tabs.values()))) for _ in range(_CANDIDATES)]
    able = [act for act in found if world.can(act) and not _disturbs(world, act)]
    best = max(able, key=lambda act: len(situations(world, act) - seen))
    return best if best.event != "token:create" else replace(best, token=f"f{world.drafts + 1}")


def _disturbs(world: World, act: Act) -> bool:
    is_a_move = act.event in ("join-session", "leave-session") or (act.event == "token:delete" and act.token[:1] != "f")
    return is_a_move and not any(world.objections(act))


@dataclass(frozen=True, slots=True)
class _Part:
    """A way for a play to go on: its acts, what they visit anew for what they cost, and the world after them."""

    acts: list[Act]
    visits: set[Situation]
    worth: float
    world: World


def _grown(random: Random, seen: set[Situation]) -> Iterator[Act]:
    """Yield the acts of a play that is grown part by part."""
    world = World()
    for number in range(_PARTS):
        found = [_part(random, world.copy(), seen, warm=number == 0) for _ in range(_CANDIDATES)]
        best = max(found, key=lambda part: part.worth)
        seen |= best.visits
        world = best.world
        yield from best.acts


def _part(random: Random, world: World, seen: set[Situation], *, warm: bool) -> _Part:
    acts, visits, before = list[Act](), set[Situation](), world.copy()
    acts += warm_start(random, world) if warm else ()
    for _ in range(_PART):
        acts.append(act := propose(random, world))
        world.do(act)
    for act in acts:
        visits |= situations(before, act) - seen
        before.do(act)
    return _Part(acts, visits, len(visits) / sum(map(_cost, acts)), world)


def _cost(act: Act) -> float:
    return _REQUEST if act.does == "send" else _COSTS.get(act.does, _CHANGE)


def file_of(found: Iterable[Play]) -> str:
    """Return what the file is to hold: one act a line, and how much the plays cover."""
    covered = frozenset[Situation]().union(*map(visited, found))
    known = covered.union(*(visited(random_play(f"known {number}", 60)) for number in range(_KNOWN)))
    figures = {size: [sum(len(s) == size for s in which) for which in (covered, known)] for size in (2, 3)}
    head = {"pairs": figures[2], "triples": figures[3]}
    lines = [json.dumps(head)[1:-1]]
    for play in found:
        acts = ",\n".join(json.dumps(act.to_json(), ensure_ascii=False) for act in play.acts)
        lines.append(f'{{"name": {json.dumps(play.name)}, "acts": [\n{acts}\n]}}')
    return "{" + lines[0] + ', "plays": [\n' + ",\n".join(lines[1:]) + "\n]}\n"


def main() -> int:
    """Write the file, or say whether it is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    made = file_of(list(plays()))
    path = Path(str(FILE))
    if parser.parse_args().check:
        print("the covering plays are what this makes" if (same := path.read_text("utf-8") == made) else "they differ")
        return 0 if same else 1
    path.write_text(made, "utf-8")
    print(made.partition(', "plays"')[0][1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
