"""What becomes of a run whose server dies and comes back: whose fault that was, and which scenes are played again.

A scene that was being played when the server died waits here until that is known. Several at once are each played
again alone, so that the deadly one is found, and the others are judged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import SentRequest
from dungeonlab_conformance.results.errors import Broken, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.runner.interruptions.last_requests import (
    described,
    is_uncalled,
    last_words,
    suspects,
    under_way,
)
from dungeonlab_conformance.runner.interruptions.liveness import Outage
from dungeonlab_conformance.runner.interruptions.restart import Restart
from dungeonlab_conformance.runner.interruptions.survival import GONE, SURVIVAL, SURVIVES
from dungeonlab_conformance.runner.interruptions.watch import Watch
from dungeonlab_conformance.runner.scene import Played
from dungeonlab_conformance.runner.schedule import AccountPools
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.runner.verdicts import VerdictBook
from dungeonlab_conformance.stage.stage import Provocation, Stage
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import Kind, kind_of

_MOST = 30  # deaths, after which the run ends
_PLAYS, _PLAYS_OF_NONE = 8, 3  # of one scene in which the server dies, for an event and for none; no more then


_FORGOTTEN = (
    "when the server was started again it knew nobody any more; what was made before, with {run} in its name, was left "
    "to it"
)


class Deaths:
    """The deaths of the server in one run. `held` are the scenes that were being played at the last one."""

    def __init__(
        self, target: Target, watch: Watch, book: VerdictBook, wait: float | None, chosen: Iterable[Scene]
    ) -> None:
        """`wait` is for how many seconds to wait for the server to come back, if the user says so."""
        self.target = target
        self.watch = watch
        self.restart = Restart(target, wait)
        self.held: list[Played] = []
        self._book = book
        self._chosen = {(name, scene.event.name if scene.event else None) for scene in chosen for name in scene.wanted}
        self._count = 0
        self._plays: Counter[str] = Counter()  # by the name of the scene
        self._suspects: dict[str, set[Kind]] = {}  # what was under way at earlier deaths, by the name of the scene

    def hold(self, played: Played) -> bool:
        """Keep a scene back in which the server died, if that may come back; returns whether it is kept."""
        holds = self.restart.is_possible and self.watch.life.outage_at(played.ended) is not None
        if holds:
            self.held.append(played)
        return holds

    async def outlive(
        self, fault: TargetFault, pools: AccountPools, tear_down: Callable[[Stage], Awaitable[None]]
    ) -> None:
        """Return when the server is back. Raises `TargetFault` with why the run ends: it is not, or died too often."""
        died = self.watch.life.ended is not None and not self.watch.is_hopeless
        if not died or not self.restart.is_possible:
            raise fault
        self._count += 1
        if self._count > _MOST:
            raise TargetFault(f"the server died {self._count} times in this run; no more of it was tried")
        await self.restart.bring_back()
        await self._leave_behind(pools, tear_down)
        pools.renew()
        self.watch.revive()

    async def _leave_behind(self, pools: AccountPools, tear_down: Callable[[Stage], Awaitable[None]]) -> None:
        """Clear away what was made before, or give it up where the server knows nobody of then any more."""
        stages = self.watch.up.values()
        if await self.watch.life.is_forgetful(pools.known()):
            await asyncio.gather(*(stage.hang_up() for stage in stages))
            pools.forget()
            self._book.run.leftovers.clear()
            self._note_once(_FORGOTTEN.format(run=self.target.run))
        else:
            await asyncio.gather(*map(tear_down, stages))

    def sort_out(self, enter: Callable[[Played], None]) -> list[Scene]:
        """Find out who is to blame, once the server is back; returns the scenes to be played again, each alone.

        What is not played again goes to `enter`.
        """
        held, self.held = self.held, []
        self.target.workarounds.deadly.cautious = True
        again = []
        for played in held:
            outage = self.watch.life.outage_at(played.ended)
            assert outage is not None
            self._plays[played.scene.name] += 1
            settled = len(held) == 1 and self._is_settled(played, outage)
            if len(held) > 1:
                self._suspect(played, outage)
            if settled or self._plays[played.scene.name] >= (_PLAYS if played.scene.event else _PLAYS_OF_NONE):
                enter(played)
            else:
                again.append(played.scene)
        return again

    def _is_settled(self, played: Played, outage: Outage) -> bool:
        """Blame what was sent in a scene that was played alone; returns whether to play it again is of no use."""
        stage, at = played.stage, outage.ended
        if stage.was_provoked(at):
            sent = stage.provoked_by(at)
            if len(sent) == 1 and not sent[0].several:
                self._blame_provocation(played, outage, sent[0])
            return False
        suspected = suspects(stage.journal, at)
        guilty = next((sent for sent in suspected if self._died_of(played, sent)), None)
        if guilty is not None:
            self._blame_request(played, outage, guilty)
        self._suspect(played, outage)
        return guilty is not None or (not suspected and self._plays[played.scene.name] > 1)

    def _blame_provocation(self, played: Played, outage: Outage, provocation: Provocation) -> None:
        """Convict the server of dying of what was sent to provoke it, and remember that."""
        journal, what = played.stage.journal, provocation.what
        verdicts = self._book.enter_end(played)
        requirement = verdicts[0].requirement if verdicts else _survival(played.scene, what)
        if not verdicts:
            self._convict(requirement, _event(played), _broken(what, journal, outage), played)
        self.target.workarounds.deadly.add(_event(played), what, requirement)
        for sent in under_way(journal, outage.ended):
            if sent.at >= provocation.since:
                self.target.workarounds.deadly.died_in(played.scene.name, _kind(played, sent), requirement)
                break

    def _died_of(self, played: Played, sent: SentRequest) -> bool:
        """Whether the server died of such a request before, here or in another scene."""
        kind = _kind(played, sent)
        return kind in self._suspects.get(played.scene.name, ()) or self.target.workarounds.deadly.knows(kind)

    def _suspect(self, played: Played, outage: Outage) -> None:
        kinds = self._suspects.setdefault(played.scene.name, set())
        kinds.update(_kind(played, sent) for sent in suspects(played.stage.journal, outage.ended))

    def _blame_request(self, played: Played, outage: Outage, sent: SentRequest) -> None:
        """Convict the server of dying of a request, which it did twice; once for all that are valid."""
        kind, deadly = _kind(played, sent), self.target.workarounds.deadly
        if not deadly.knows_like(kind):
            what = f"{described(sent, outage.ended)}, twice"
            self._convict(SURVIVES, sent.event, _broken(what, played.stage.journal, outage), played)
        deadly.died_in(played.scene.name, kind, SURVIVES)
        why = f"the server died of a {sent.event} in this scene"
        played.reason = Unjudged(why, waits_for=VerdictKey(SURVIVES, sent.event))

    def _convict(self, requirement: str, event: str | None, broken: Broken, played: Played) -> None:
        """Enter a finding; one that is about what was not selected is a note."""
        if (requirement, event) in self._chosen:
            self._book.convict(requirement, event, broken, played)
        else:
            self._note_once(self.target.secrets.redact(f"expected {broken.expected}; {broken.got}"))

    def _note_once(self, said: str) -> None:
        if said not in self._book.run.notes:
            self._book.run.notes.append(said)


def _kind(played: Played, sent: SentRequest) -> Kind:
    return kind_of(sent, uncalled=is_uncalled(played.stage.journal, sent))


def _event(played: Played) -> str | None:
    return played.scene.event.name if played.scene.event else None


def _survival(scene: Scene, what: str) -> str:
    """Return what a server breaks that dies of something in a scene; by its words, of what a scene has several for."""
    names = [name for name in SURVIVAL if name in scene.wanted]
    uncalled = [
        name for name in names if name.startswith("payloads/missing-callback") == ("without a callback" in what)
    ]
    return (*uncalled, *names, SURVIVES)[0]


def _broken(what: str, journal: Journal, outage: Outage) -> Broken:
    last = last_words(journal, outage.ended)
    return Broken(f"the server to go on answering after {what}", GONE + f"; last sent: {last}" * bool(last))
