"""Plays acts with a program, many side by side, each in a world of its own, and has what was seen judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dungeonlab_conformance.client_acts.acts import Act, acts
from dungeonlab_conformance.client_acts.faults import accounted
from dungeonlab_conformance.client_acts.performance import START, Over, Performance, is_refusal, is_sent, world
from dungeonlab_conformance.client_acts.processes.directed_server import DirectedServer, directed_server
from dungeonlab_conformance.client_acts.processes.program import Output
from dungeonlab_conformance.client_rules.judgement import caveat, judge_clients
from dungeonlab_conformance.client_rules.trials import ARRIVED
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.side_by_side import JournalOfActs, journal_of_act
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.tap.page.live_page import LivePage
from dungeonlab_conformance.tap.recording import Recording
from dungeonlab_conformance.tap.tap import Tap
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.system import how_ended

_SLOWER, _SLOWEST = 10, 120.0  # times as slowly as the first one many may start at once; at most, in seconds
_PINGS = ("--ping-interval", "4", "--ping-timeout", "6")  # so that a silent network is noticed soon
_CAVEAT = 300  # characters
_SURVIVES = "client/survives-an-error-ack"
_MANY = 2_000  # requests in an act, which takes half a minute at most, under which the others in the room suffer
NOWHERE = "http://127.0.0.1:9"  # until the server has an address


@dataclass
class Played:
    """An act and what was seen in it; `crash` is how the program ended by itself, if it `ended` so, and not well.

    `missed` is what it did not do, and the rest of the act was about; `froze` is whether it answered no ping any more.
    """

    act: Act
    journal: TapJournal = field(default_factory=journal_of_act)
    output: Output = field(default_factory=Output)
    crash: int | None = None
    ended: bool = False
    missed: str = ""
    froze: bool = False


class ActPlayer:
    """Plays some acts with a command, and fills in a run; `recording` is what it writes meanwhile, if a file is named.

    `on_page` is called with the live page's address, `on_act` with each act that is over.
    """

    def __init__(
        self,
        command: Sequence[str],
        chosen: Sequence[Act],
        run: Run,
        *,
        concurrency: int = 10,
        server_options: Sequence[str] = (),
        record: Path | None = None,
        on_page: Callable[[str], None] = lambda _: None,
        on_act: Callable[[Played], None] = lambda _: None,
    ) -> None:
        self.target = Target(NOWHERE)
        self.run = run
        self._command, self._chosen = command, chosen
        self._on_page, self._on_act = on_page, on_act
        self._journal = JournalOfActs()
        self.recording = Recording(record, self._journal)
        self._whole = {act.name for act in chosen} == {act.name for act in acts()}
        self._start = START
        self._lanes = asyncio.Semaphore(concurrency)
        self._server_options = server_options
        self._played: list[Played] = []
        self._taps: set[Tap] = set()
        self._provisioner = Provisioner(self.target)

    @property
    def secrets(self) -> Secrets:
        """What must not be shown: the cookies and passwords of the users whom the client is."""
        return self.target.secrets

    async def play(self) -> Run:
        """Play every act, and return what they came to; what goes wrong is in the run."""
        limit = self.run.options.time_limit
        with accounted(self.run, self.secrets):
            at_the_limit = asyncio.get_running_loop().call_later(limit, self._read_no_more)
            try:
                async with asyncio.timeout(limit), AsyncExitStack() as stack:
                    await self._play(await self._prepare(stack))
            except TimeoutError:
                raise TargetFault(f"the acts took longer than {limit:g} s; raise --time-limit") from None
            except asyncio.CancelledError:
                self.run.interrupted = True
            finally:
                at_the_limit.cancel()
                await self._provisioner.close()
        self.settle()
        return self.run

    def _read_no_more(self) -> None:
        """Let what is under way pass unseen, so that the end is not waited for."""
        for tap in self._taps:
            tap.read_no_more()

    async def _prepare(self, stack: AsyncExitStack) -> DirectedServer:
        """Start the server, the page and the recording; returns the server."""
        server = await stack.enter_async_context(directed_server(*_PINGS, *self._server_options))
        self.target.url = server.url
        page = await stack.enter_async_context(LivePage(self._journal, subject="your client and the bundled server"))
        stack.enter_context(self.recording)
        self._on_page(page.url)
        return server

    async def _play(self, server: DirectedServer) -> None:
        """Play the first act, and the others as soon as the client has joined in that."""
        first, *others = self._chosen
        joined = asyncio.Event()
        opening = asyncio.create_task(self._perform(server, 0, first, joined))
        waiting = asyncio.create_task(joined.wait())
        try:
            await asyncio.wait((opening, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not joined.is_set():
                await opening
                self.run.fault = self._absence(self._played[0])
                return
            began = next(packet.at for packet in self._played[0].journal.packets if packet.kind == "connected")
            self._start = min(max(START, _SLOWER * began), _SLOWEST)
            try:
                async with asyncio.TaskGroup() as group:
                    slow_first = sorted(others, key=lambda act: -act.seconds)
                    for lane, act in enumerate(slow_first, 1):
                        group.create_task(self._perform(server, lane, act, asyncio.Event()))
            except* (TargetFault, Unjudged) as faults:
                raise faults.exceptions[0] from None
            await opening
        finally:
            for task in (opening, waiting):
                task.cancel()
            await asyncio.gather(opening, waiting, return_exceptions=True)

    async def _perform(self, server: DirectedServer, lane: int, act: Act, joined: asyncio.Event) -> None:
        played = Played(act, journal_of_act(self.secrets.redact))
        async with self._lanes:
            self._played.append(played)
            self._journal.follow(played.journal, len(self._played))
            pool = AccountPool(lane, self._provisioner)
            async with world(server, pool, played.journal, "alice") as here:
                performance = Performance(
                    act.name, here, played.journal, self._command, start=self._start, joined=joined
                )
                self._taps.add(here.tap)
                try:
                    async with performance:
                        await act.play(performance)
                except Over:
                    pass
                finally:
                    self._taps.discard(here.tap)
                played.missed, played.froze = performance.missed, performance.froze
                if performance.program is not None:
                    played.output = performance.program.output
                    played.crash = performance.program.exit_code or None
                    played.ended = performance.program.exit_code is not None
            self.run.scenes += 1
            self._on_act(played)

    def _absence(self, played: Played) -> str:
        """Say why there was nothing to play with: the client has not joined a session."""
        kinds = {packet.kind for packet in played.journal.packets}
        if played.crash is not None:
            why = f"{how_ended(str(played.crash))} before it had joined a session"
        elif "connected" in kinds:
            why = "connected, and did not join DUNGEONLAB_SESSION"
        elif "connect-error" in kinds:
            why = "was refused when it connected: was that with DUNGEONLAB_COOKIE, or the cookie of a login?"
        elif played.ended:
            why = "ended before it made a connection to DUNGEONLAB_URL"
        elif "handshake" in kinds or "request" in kinds:
            why = "reached DUNGEONLAB_URL, and made no Socket.IO connection"
        else:
            why = "made no connection to DUNGEONLAB_URL"
        last = [line for line in played.output.text.splitlines() if line.strip()][-1:]
        said = f"; the last that it printed is: {last[0]}" if last else ""
        return self.secrets.shortened(f"the client {why}{said}", 600)

    def settle(self) -> None:
        """Judge all that was seen, one act after the other."""
        if self.run.verdicts:
            return
        about = {requirement for act in self._chosen for requirement in act.about}
        packets = self._journal.in_a_row()
        for verdict in judge_clients(packets):
            if self._whole or verdict.outcome is not Outcome.UNJUDGED or verdict.requirement in about:
                self.run.verdicts.append(verdict)
        self.run.caveat = self.secrets.shortened(caveat(packets, self.run.verdicts), _CAVEAT)
        self._note_what_went_otherwise()

    def _note_what_went_otherwise(self) -> None:
        """Say in which acts it could not be read, ended, froze, or did not do what the rest of an act was about."""
        found: dict[str, list[str]] = {}
        for played in self._played:
            if any(packet.kind == "unreadable" and packet.sender == "client" for packet in played.journal.packets):
                what = "sent something that could not be read; what it sent from there on is not judged"
                found.setdefault(what, []).append(played.act.name)
            if sum(is_sent(packet) for packet in played.journal.packets) > _MANY:
                what = f"sent more than {_MANY:,} requests; answers that are late, or missing, may come of that"
                found.setdefault(what, []).append(played.act.name)
            if played.crash is not None:
                found.setdefault(how_ended(f"{played.crash}", " by itself"), []).append(played.act.name)
            elif played.ended and not self.run.fault:
                found.setdefault("ended by itself with 0", []).append(played.act.name)
            elif played.froze:
                what = "froze: it runs, sends nothing, answers no ping, and does not connect again"
                found.setdefault(what, []).append(played.act.name)
            elif _SURVIVES in played.act.about and _is_silent(played.journal):
                what = "sent nothing after it was refused for the last time: it may have had nothing to say"
                found.setdefault(what, []).append(played.act.name)
            elif played.missed and not self.run.fault:
                found.setdefault(played.missed, []).append(played.act.name)
        self.run.notes += [f"in {', '.join(names)}, the client {what}" for what, names in found.items()]


def _is_silent(journal: TapJournal) -> bool:
    """Whether a client was refused something, and sent nothing more once it can have known that."""
    refused = next((packet for packet in reversed(journal.packets) if is_refusal(packet)), None)
    return refused is not None and not any(is_sent(p) and p.at - refused.at >= ARRIVED for p in journal.packets)
