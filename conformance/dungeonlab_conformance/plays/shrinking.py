"""Makes a play that shows a fault as short and as plain as it can be, and still show it.

Any part of a play is a play, so acts are left out freely: those of one tab, chunks, single ones; then what is left is
said more simply. It knows nothing of servers: whether a play still shows the fault is asked of its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial

from dungeonlab_conformance.plays.acts import HERE, Act, Play, Verb

StillFails = Callable[[Play], Awaitable[bool]]
Acts = tuple[Act, ...]

OF_A_TAB: tuple[Verb, ...] = ("connect", "connect with the old cookie", "disconnect", "cut", "send")

_PLAINER: tuple[tuple[str, str | bool], ...] = (
    ("together", False),
    ("payload", "minimal"),
    ("twist", ""),
    ("callback", True),
    ("transport", ""),
    ("encounter", ""),
    ("session", HERE),
)


async def shortest(play: Play, still_fails: StillFails, *, tries: int = 200, at_once: int = 4) -> Play:
    """Return the shortest play found that still fails; `play` itself, which does, if no shorter one was found.

    No more than so many `tries` are made, up to `at_once` side by side. What `still_fails` raises is raised.
    """
    return await _Shrinking(play, still_fails, tries, at_once).run()


class _Shrinking:
    """One search: the shortest so far, and what has been tried."""

    def __init__(self, play: Play, still_fails: StillFails, tries: int, at_once: int) -> None:
        self._play = play
        self._still_fails = still_fails
        self._left = tries
        self._at_once = at_once
        self._tried = {play.acts}

    async def run(self) -> Play:
        """Try ever smaller parts, then plainer acts, until nothing more can be had."""
        await self._repeat(_without_a_tab)
        size = len(self._play.acts) // 2
        while size > 1:
            await self._repeat(partial(_without_chunks, size=size))
            size //= 2
        before: Acts | None = None
        while before != self._play.acts and self._left > 0:
            before = self._play.acts
            for fewer in (partial(_without_chunks, size=1), _without_two, _by_fewer, _plainer):
                await self._repeat(fewer)
        await self._repeat(_renumbered)
        return self._play

    async def _repeat(self, candidates: Callable[[Acts], Iterator[Acts]]) -> None:
        """Take the first candidate that still fails, and begin again from it, until none does."""
        while self._left > 0 and (found := await self._first(candidates(self._play.acts))) is not None:
            self._play = Play(self._play.name, found)

    async def _first(self, candidates: Iterator[Acts]) -> Acts | None:
        while batch := self._batch(candidates):
            self._left -= len(batch)
            failing = await asyncio.gather(*(self._still_fails(Play(self._play.name, acts)) for acts in batch))
            for acts, fails in zip(batch, failing, strict=True):
                if fails:
                    return acts
        return None

    def _batch(self, candidates: Iterator[Acts]) -> list[Acts]:
        """Return the next candidates that were not tried yet, as many as may be tried side by side."""
        batch: list[Acts] = []
        while len(batch) < min(self._at_once, self._left) and (acts := next(candidates, None)) is not None:
            if acts and acts not in self._tried:
                self._tried.add(acts)
                batch.append(acts)
        return batch


def _without_a_tab(acts: Acts) -> Iterator[Acts]:
    """Yield a play without each of its tabs, the last one first."""
    for tab in reversed(list(dict.fromkeys(act.tab for act in acts if act.tab))):
        yield tuple(act for act in acts if act.tab != tab)


def _without_chunks(acts: Acts, size: int) -> Iterator[Acts]:
    """Yield a play without so many acts in a row, from its end to its beginning: what comes late depends on more."""
    for start in range(len(acts) - size, -size, -size):
        yield acts[: max(start, 0)] + acts[start + size :]


def _without_two(acts: Acts) -> Iterator[Acts]:
    """Yield a play without two acts that undo each other or rest on each other: of the same tab, or about one user."""
    for first, one in enumerate(acts):
        for second in range(first + 1, len(acts)):
            if acts[second].role == one.role:
                yield acts[:first] + acts[first + 1 : second] + acts[second + 1 :]


def _by_fewer(acts: Acts) -> Iterator[Acts]:
    """Yield a play in which an earlier tab does what another one does: all of it, or else one act."""
    tabs = list(dict.fromkeys(act.tab for act in acts if act.does in OF_A_TAB))
    pairs = [(tab, other) for place, tab in enumerate(tabs) for other in tabs[:place]]
    for tab, other in pairs:
        rest = (act for act in acts if act.tab != tab or act.does != "connect")
        yield tuple(replace(act, tab=other) if act.tab == tab and act.does in OF_A_TAB else act for act in rest)
    for tab, other in pairs:
        for number, act in enumerate(acts):
            if act.tab == tab and act.does == "send":
                for session in dict.fromkeys((act.session, HERE)):
                    yield (*acts[:number], replace(act, tab=other, session=session), *acts[number + 1 :])


def _plainer(acts: Acts) -> Iterator[Acts]:
    """Yield a play with one property of one act as usual, and all acts with it; who was cut off says so in it."""
    for number, act in enumerate(acts):
        if act.does == "cut":
            yield (*acts[:number], replace(act, does="disconnect"), *acts[number + 1 :])
    for name, usual in _PLAINER:
        odd = [number for number, act in enumerate(acts) if getattr(act, name) != usual]
        if len(odd) > 1:
            yield tuple(replace(act, **{name: usual}) for act in acts)  # type: ignore[arg-type]  # texts and flags
        for number in odd:
            plain = replace(acts[number], **{name: usual})  # type: ignore[arg-type]  # texts and flags
            yield (*acts[:number], plain, *acts[number + 1 :])


def _renumbered(acts: Acts) -> Iterator[Acts]:
    """Yield a play whose tabs are numbered from the first one of each user, as they occur."""
    names: dict[str, str] = {}
    for tab in dict.fromkeys(act.tab for act in acts if act.does in OF_A_TAB):
        role = tab.partition("/")[0]
        number = 1 + sum(other.partition("/")[0] == role for other in names)
        names[tab] = role if number == 1 else f"{role}/{number}"
    yield tuple(replace(act, tab=names[act.tab]) if act.does in OF_A_TAB else act for act in acts)
