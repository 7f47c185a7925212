"""Plays the recorded messages of a finding again, on a stage of its own, and says what came otherwise. Judges nothing.

What was sent is sent in the recorded order; where the record says that the server spoke, this waits until it does.
What is not in a transcript cannot be played: forged cookies, logging out, and messages that were not kept whole.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

from dungeonlab_conformance.clients.connection import Connection
from dungeonlab_conformance.clients.handshake import measure, reach
from dungeonlab_conformance.clients.raw.websocket_frames import RawConnection
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.arguments import Arguments, arguments
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Gone
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.diagnostics.id_mapping import Correspondence
from dungeonlab_conformance.runner.diagnostics.turns import in_turn
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.cleanup import clear_away
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.sessions import GameSessions
from dungeonlab_conformance.target.dialect.translation import PLAIN
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.tree import deeper_than

Came = Literal["done", "as recorded", "otherwise", "nothing", "besides", "left out"]
_DEEPEST = 100  # levels of a payload
_TRANSPORTS = ("polling", "websocket")


@dataclass(frozen=True, slots=True)
class ReplayedLine:
    """One line that was played: what came of it, and what came in its place, if anything did."""

    line: TranscriptLine
    came: Came
    now: str = ""


async def replay(target: Target, finding: Finding, *, at_once: bool = False) -> AsyncIterator[ReplayedLine]:
    """Play a finding's transcript; yields each line with what came of it, then what came besides.

    What several actors asked at once is asked in turn, as it was answered; or `at_once` again, if that is what it
    takes. Then the server may come to it in another order than recorded.

    Raises `TargetFault` or `Unjudged` if the stage cannot be set.
    """
    scene = _Scene(target, finding)
    try:
        await reach(target)
        await measure(target)
        await scene.set()
        for line in finding.transcript if at_once else in_turn(finding.transcript):
            yield await scene.play(line)
        async for played in scene.rest():
            yield played
    finally:
        await scene.clear()


class _Scene:
    def __init__(self, target: Target, finding: Finding) -> None:
        self.target = target
        self.finding = finding
        self.journal = Journal()
        self.provisioner = Provisioner(target)
        self.pool = AccountPool(0, self.provisioner)
        self.games = GameSessions(self.pool, target, self.journal)
        self.ids = Correspondence({}, {}, ())
        self.connections: dict[int, Connection] = {}  # by their number in the record
        self.raws: dict[str, RawConnection] = {}
        self.asked: list[tuple[int, str, asyncio.Future[Arguments]]] = []  # and not answered in the record so far
        self.seen: set[int] = set()  # observations that stand for a line of the record
        self._plain = copy.copy(target)
        self._plain.dialect = PLAIN  # a transcript holds what went over the wire

    async def set(self) -> None:
        """Open and fill what the recorded scene had."""
        recorded = self.finding.ids
        await self.games.first()
        if "other-session" in recorded:
            await self.games.second()
        for name in filter(self.target.accounts.__contains__, recorded):
            await self.pool.identity(name)
        if "encounter" in recorded:
            await self.games.encounter(self.games.own)
        if "other-encounter" in recorded:
            await self.games.encounter(await self.games.second())
        present = {name: who.user for name, who in self.pool.known().items()} | self.games.ids()
        self.ids = Correspondence(recorded, present, self.target.accounts)

    async def play(self, line: TranscriptLine) -> ReplayedLine:
        """Play one line."""
        if line.cut or not _is_playable(line):
            return ReplayedLine(line, "left out")
        act: Callable[[TranscriptLine], Any] | None = {
            "connects": self._connect,
            "is refused": self._be_refused,
            "sends": self._send,
            "tells": self._send,
            "is answered": self._be_answered,
            "hears": self._hear,
            "is closed": self._be_closed,
            "disconnects": self._disconnect,
            "is removed": self._be_removed,
        }.get(line.act)
        if act is None:
            return ReplayedLine(line, "left out")
        try:
            played: ReplayedLine = await act(line)
        except Gone as gone:
            return ReplayedLine(line, "otherwise", str(gone))
        return played

    async def rest(self) -> AsyncIterator[ReplayedLine]:
        """Wait a moment, and yield what was heard that the record does not have."""
        await asyncio.sleep(self.target.limits.sweep)
        for seen in self.journal.observations:
            if seen.act == "hears" and seen.number not in self.seen:
                yield ReplayedLine(
                    TranscriptLine(0.0, seen.actor, seen.act, seen.event, "", seen.connection),
                    "besides",
                    f"{seen.args}",
                )

    async def clear(self) -> None:
        """Close every connection and clear the stage away."""
        for _, _, pending in self.asked:
            pending.cancel()
        await asyncio.gather(*(c.close() for c in self.connections.values()))
        await asyncio.gather(*(raw.close() for raw in self.raws.values()))
        try:
            await self.games.clear()
        finally:
            await clear_away(self.provisioner, [self.pool], [self.journal])

    # -- acts ----------------------------------------------------------------------------------------

    async def _who(self, line: TranscriptLine) -> Identity | None:
        """Return who an actor is logged in as: enrolled where they belong when they first appear, as in a scene."""
        account = self.finding.cast.get(line.actor, line.actor)
        if account is None or account not in self.target.accounts:
            return None
        return await self.games.enrolled(account)

    async def _connection(self, line: TranscriptLine) -> Connection:
        if line.connection not in self.connections:
            made = Connection(line.actor, await self._who(line), self._plain, self.journal)
            self.connections[line.connection] = made
        return self.connections[line.connection]

    async def _connect(self, line: TranscriptLine) -> ReplayedLine:
        connection = await self._connection(line)
        headers = next(iter(arguments(line.body)), None)
        try:
            await connection.connect(transport=line.event if line.event in _TRANSPORTS else None, headers=headers)
        except Refused as refused:
            return ReplayedLine(line, "otherwise", str(refused))
        return ReplayedLine(line, "done")

    async def _be_refused(self, line: TranscriptLine) -> ReplayedLine:
        connection = await self._connection(line)
        try:
            await connection.connect()
        except Refused:
            return ReplayedLine(line, "as recorded")
        return ReplayedLine(line, "otherwise", "the connection was accepted")

    async def _send(self, line: TranscriptLine) -> ReplayedLine:
        args = arguments(line.body)
        if line.connection == 0:
            raw = self.raws.get(line.actor)
            if raw is None:
                raw = self.raws[line.actor] = RawConnection(
                    line.actor, await self._who(line), self._plain, self.journal
                )
                await raw.open()
            await raw.send_frame(self.ids.now_in_text(args[0]))
            return ReplayedLine(line, "done")
        request = Request(line.event, tuple(self.ids.now(args)), None, None)
        connection = await self._connection(line)
        if line.act == "tells":
            await connection.emit(request)
            return ReplayedLine(line, "done")
        pending: asyncio.Future[Arguments] = asyncio.get_running_loop().create_future()
        self.asked.append((line.connection, line.event, pending))
        await connection.emit(request, lambda *came: None if pending.done() else pending.set_result(Arguments(came)))
        return ReplayedLine(line, "done")

    async def _be_answered(self, line: TranscriptLine) -> ReplayedLine:
        for asked in self.asked:
            if asked[:2] == (line.connection, line.event):
                self.asked.remove(asked)
                await asyncio.wait([asked[2]], timeout=self.target.limits.answer)
                return self._compared(line, asked[2].result()) if asked[2].done() else ReplayedLine(line, "nothing")
        return ReplayedLine(line, "left out")

    async def _hear(self, line: TranscriptLine) -> ReplayedLine:
        seen = await self._next(line, "hears")
        if seen is None:
            return ReplayedLine(line, "nothing")
        self.seen.add(seen.number)
        return self._compared(line, seen.args)

    async def _be_closed(self, line: TranscriptLine) -> ReplayedLine:
        return ReplayedLine(line, "as recorded" if await self._next(line, "is closed") else "nothing")

    async def _disconnect(self, line: TranscriptLine) -> ReplayedLine:
        await (await self._connection(line)).close()
        return ReplayedLine(line, "done")

    async def _be_removed(self, line: TranscriptLine) -> ReplayedLine:
        who = await self._who(line)
        if who is None:
            return ReplayedLine(line, "left out")
        await self.games.revoke(self.games.own, who)
        return ReplayedLine(line, "done")

    # -- what comes ----------------------------------------------------------------------------------

    async def _next(self, line: TranscriptLine, act: str) -> Observation | None:
        """Wait for the next observation that could stand for a line; None if there is none in time."""
        there = self.connections.get(line.connection)
        number = there.connection if there else 0
        arrived = asyncio.Event()
        unsubscribe = self.journal.subscribe(lambda _: arrived.set())
        try:
            async with asyncio.timeout(self.target.limits.answer):
                while True:
                    for seen in self.journal.observations:
                        same = (seen.actor, seen.connection, seen.act) == (line.actor, number, act)
                        if same and seen.number not in self.seen and (act != "hears" or seen.event == line.event):
                            return seen
                    arrived.clear()
                    await arrived.wait()
        except TimeoutError:
            return None
        finally:
            unsubscribe()

    def _compared(self, line: TranscriptLine, came: Arguments) -> ReplayedLine:
        then = arguments(line.body)
        if line.connection == 0 and then and came:
            path = self.ids.frame_difference(then[0], came[0])
        else:
            path = self.ids.difference(then, list(came))
        return (
            ReplayedLine(line, "as recorded") if path is None else ReplayedLine(line, "otherwise", f"at {path}: {came}")
        )


def _is_playable(line: TranscriptLine) -> bool:
    """Whether a line can be played at all: one of a result that somebody has edited may hold anything."""
    try:
        args = arguments(line.body)
    except ValueError:
        return False
    if deeper_than(args, _DEEPEST):
        return False
    if line.act == "connects":
        headers = args[0] if args else {}
        return isinstance(headers, dict) and all(isinstance(text, str) for text in headers.values())
    is_frame = line.connection == 0 and line.act in ("sends", "tells")
    return bool(args and isinstance(args[0], str | bytes)) if is_frame else True


def fresh(played: ReplayedLine) -> bool:
    """Whether the server did otherwise than recorded."""
    return played.came in ("otherwise", "nothing", "besides")
