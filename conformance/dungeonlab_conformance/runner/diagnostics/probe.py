"""A walk through everything a run needs of its target, one step at a time. Judges nothing.

A step that fails is reported with what to change; what depends on it is reported as not tried, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from dungeonlab_conformance.clients.handshake import handshake, reach
from dungeonlab_conformance.results.errors import Broken, Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.cleanup import sweep
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.rate_limits import prolong
from dungeonlab_conformance.target.target import Target

State = Literal["done", "failed", "missing", "not tried"]
Act = Callable[[], Awaitable[object]]
Planned = tuple[str, str, Act, str, tuple[str, ...]]  # key, name, act, hint, keys of what it needs


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of one step of the walk: how it went, what was in its way, and what to change then."""

    name: str
    state: State
    problem: str = ""
    hint: str = ""


async def probing(target: Target) -> AsyncIterator[ProbeResult]:
    """Yield the result of each step as it is done. Whatever was made is cleared away before the last."""
    walk = _Walk(target)
    try:
        async for result in walk.results():
            yield result
    finally:
        await walk.end()


class _Walk:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.provisioner = Provisioner(target)
        self.pool = AccountPool(0, self.provisioner)
        self.stage = Stage(self.pool, target)
        self.failed: set[str] = set()

    async def results(self) -> AsyncIterator[ProbeResult]:
        for key, name, act, hint, needs in (*self._reaching(), *self._accounts(), *self._acting()):
            yield await self._step(key, name, act, hint, needs)

    def _look_at(self, section: str) -> str:
        file = self.target.file
        if file:
            return f"look at {section} in {file}"
        return f"without a target file that says otherwise ({section}), the server must offer the protocol's section 16"

    def _reaching(self) -> Iterator[Planned]:
        where = self.target.secrets.redact(self.target.socket)
        yield "reach", f"{where} can be reached", self._reach, "is the address right, and does the server run?", ()
        handshake = "is the path right, and is it a Socket.IO v4 server?"
        yield "handshake", "it answers a Socket.IO v4 handshake", partial(reach, self.target), handshake, ("reach",)

    def _accounts(self) -> Iterator[Planned]:
        for name, account in self.target.accounts.items():
            section = f"[actors.{name}] and [login]" if account else "[register]"
            yield name, f"{name} logs in", partial(self.pool.identity, name), self._look_at(section), ("handshake",)
        everybody = tuple(self.target.accounts)
        yield "distinct", "each is somebody else", self._distinct, self._look_at("what captures user"), everybody

    def _acting(self) -> Iterator[Planned]:
        look, stage = self._look_at, self.stage
        yield "session", "a session is opened", stage.set_up, look("[session.open]"), ("distinct",)
        yield "members", "members are enrolled", self._enrol, look("[membership.add]"), ("session",)
        cookie = "does the login set the cookie that the socket asks for?"
        yield "connect", "alice connects with her cookie", partial(stage.connected, "alice"), cookie, ("members",)
        event = "is she a member of it, and is the event called join-session? If not, see [dialect.events]"
        yield "join", "she joins the session", self._join, event, ("connect",)
        yield "encounter", "an encounter is opened", self._encounter, look("[encounter.open]"), ("session",)
        yield "revoke", "her membership is revoked", self._revoke, look("[membership.remove]"), ("join",)
        yield "clear", "everything is cleared away", self._clear, look("[session.close]"), ("handshake",)

    async def _step(self, key: str, name: str, act: Act, hint: str, needs: tuple[str, ...]) -> ProbeResult:
        if self.failed & set(needs):
            self.failed.add(key)
            return ProbeResult(name, "not tried")
        try:
            async with asyncio.timeout(self.target.limits.scene) as patience:
                self.target.rate_limit.on_wait = lambda seconds: prolong(patience, seconds)
                await act()
        except Missing as missing:
            return ProbeResult(name, "missing", self.target.secrets.redact(f"the target offers no {missing}"))
        except (TargetFault, Unjudged, Broken, TimeoutError) as problem:
            self.failed.add(key)
            said = self.target.secrets.redact(str(problem) or "it took too long")
            return ProbeResult(name, "failed", said, hint)
        return ProbeResult(name, "done")

    async def _reach(self) -> None:
        await handshake(self.target, None)

    async def _distinct(self) -> None:
        users: dict[str, str] = {}
        for name in self.target.accounts:
            user = (await self.pool.identity(name)).user
            if user in users:
                raise TargetFault(f"{users[user]} and {name} have the same id, {user!r}")
            users[user] = name

    async def _enrol(self) -> None:
        for role in ("alice", "bob"):
            await self.stage.roles.member(role)

    async def _join(self) -> None:
        await self.stage.actors[-1].join(self.stage.session)

    async def _encounter(self) -> None:
        await self.stage.encounter(self.stage.game)

    async def _revoke(self) -> None:
        await self.stage.revoke(self.stage.actors[-1])

    async def _clear(self) -> None:
        self.failed.add("cleared")
        await self.stage.tear_down()
        left = await sweep(self.target, self.pool, [self.stage.journal])
        left += await self.provisioner.clear()
        if left:
            raise Unjudged("; ".join(left))
        if self.provisioner.opened and not self.provisioner.offers("session.close"):
            raise Missing(self.target.advice("session.close"))

    async def end(self) -> None:
        """Clear away what is left if the walk was cut short, and let go of everything."""
        try:
            if "cleared" not in self.failed:
                async with asyncio.timeout(self.target.limits.answer):
                    await self._clear()
        except (TargetFault, Unjudged, TimeoutError):
            pass  # nobody is there to read what went wrong
        finally:
            await self.provisioner.close()
