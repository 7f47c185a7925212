"""Watches over a run: ends it when the server is gone or nothing comes of waiting, and scenes when their time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from dungeonlab_conformance.clients.handshake import reach
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Gone, TargetFault
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.runner.interruptions.liveness import Liveness, Replaced
from dungeonlab_conformance.runner.scene import Played
from dungeonlab_conformance.runner.selection import Scene
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.rate_limits import prolong
from dungeonlab_conformance.target.target import Target

_SILENT_SCENES = 12  # in a row, after which a server that answers handshakes is not waited for any more


class Watch:
    """What may end a run early, and what has. Why it did is the run's `fault`.

    `up` are the stages that still stand, by the number of the accounts that act on them; `life` is what is known of
    the server's life.
    """

    def __init__(self, target: Target, run: Run, hide: Callable[[str], str]) -> None:
        """`hide` takes what is secret out of a sentence."""
        self.target = target
        self.run = run
        self.life = Liveness(target)
        self.up: dict[int, Stage] = {}
        self._hide = hide
        self._over = asyncio.Event()
        self.is_hopeless = False  # whether no restart of the server would help
        self._gone = False  # the server, and everybody knows
        self._silent_scenes = 0  # in a row
        self._limits: dict[asyncio.Timeout, Scene] = {}  # of the scenes that are being played

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be played."""
        return self._over.is_set()

    def end(self) -> None:
        """Let nothing more be played; what is being played may come to its end."""
        self._over.set()

    def check(self) -> None:
        """Raise `TargetFault` if the target has ended the run."""
        if self.run.fault:
            raise TargetFault(self.run.fault)

    def fail(self, why: str) -> None:
        """End the run for a reason."""
        self.run.fault = self._hide(why)
        self.end()

    def revive(self) -> None:
        """Go on: the server is back, and nothing that acted on it before is there any more."""
        self.life.revive()
        self.up.clear()
        self.run.fault = None
        self._gone, self._silent_scenes = False, 0
        self._over.clear()

    def give_up(self, why: str, *, silent: bool = False) -> None:
        """End the run, and with it what is being played; a scene that asks for such an end may come to its own."""
        if not self._gone:
            self.run.fault = self._hide(why)
        self._gone = True
        self.end()
        for limit, scene in self._limits.items():
            if (silent or not scene.check.destructive) and not limit.expired():  # else it is ending already
                limit.reschedule(0)

    @asynccontextmanager
    async def time_limit(self, scene: Scene, seconds: float) -> AsyncIterator[None]:
        """Play a scene in this block. Raises `TimeoutError` when its time is up, or when the run ends meanwhile."""
        async with asyncio.timeout(seconds) as limit:
            self._limits[limit] = scene
            try:
                yield
            finally:
                del self._limits[limit]

    def allow_more(self, seconds: float) -> None:
        """Let no scene's time run out while a rate limit is waited for."""
        for limit in self._limits:
            prolong(limit, seconds)

    async def until_silence(self) -> None:
        """End the run if nothing at all is heard of the server any more; one that hangs closes no connection."""
        asked = time.monotonic()
        while True:
            await asyncio.sleep(self.target.limits.answer / 4)
            heard = self.life.heard_last(self.up.values())
            if time.monotonic() - max(heard, asked) > self.target.limits.answer:
                if not await self._answers():
                    self.life.end(self.up.values())
                    self.give_up(f"{self.target.url} stopped answering during the run (all scenes)", silent=True)
                asked = time.monotonic()

    async def _answers(self) -> bool:
        for _ in range(2):
            try:
                await reach(self.target)
            except TargetFault:
                continue
            return True
        return False

    def count_silence(self, played: Played) -> None:
        """End the run if in many scenes in a row no connection brought anything: more waiting shows nothing more."""
        refused = any(isinstance(why, Refused) and why.status is None for why in played.unjudged)  # in a packet
        heard = refused or played.stage.journal.heard_last()
        if heard:
            self._silent_scenes = 0
        if heard or not (unjudged := played.unjudged):
            return
        self._silent_scenes += 1
        if self._silent_scenes >= _SILENT_SCENES and not self._gone:
            self.life.end(self.up.values())
            self.is_hopeless = True
            self.give_up(
                f"in {self._silent_scenes} scenes in a row nothing came over a connection to {self.target.url}, "
                f"though it answers handshakes ({unjudged[0]}); does a proxy before it let "
                f"{self.target.transport} through?",
                silent=True,
            )

    def is_doubtful(self, played: Played) -> bool:
        """Whether what a scene came to may be due to a server that is gone, or is another one by now."""
        if self.life.ended is not None:
            return False  # that is known already
        if self.life.in_doubt or self.run.fault:
            return True
        if any(isinstance(result, Gone) for result in played.unjudged):
            return True
        silence = time.monotonic() - self.life.heard_last(self.up.values())
        return bool(played.unjudged or any(played.stage.judged.values())) and silence > self.target.limits.answer / 4

    async def look_after(self, scene: Scene, identities: Iterable[Identity]) -> None:
        """Find out whether one connection is gone or the whole server; the latter ends the run.

        One of the `identities`, which are logged in, must be recognised.
        """
        if self.target.adapter_fault is not None:  # which closed the connection, since it cannot read what comes
            self.life.end(self.up.values())
            self.give_up(self.target.adapter_fault)
            return
        try:
            await self.life.look(self.up.values(), identities)
        except TargetFault as fault:
            stopped = f"{self.target.url} stopped answering during the run ({scene.name})"
            self.give_up(str(fault) if isinstance(fault, Replaced) else f"{stopped}: {fault}")
