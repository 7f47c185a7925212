"""One act under way: the world it is played in, the client's program, and what is seen of it on the wire."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import takewhile
from types import TracebackType

from dungeonlab_conformance.client_acts.director import Director
from dungeonlab_conformance.client_acts.others import Others
from dungeonlab_conformance.client_acts.processes.directed_server import DirectedServer
from dungeonlab_conformance.client_acts.processes.program import Program, running
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import Kind, TappedPacket
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.tap.tap import Tap
from dungeonlab_conformance.target.identity import Identity

START = 30.0  # seconds for a program to start and connect, if nothing is known of it
_JOIN = 10.0  # seconds for it to join then
_SOME, _MOST = 4, 20  # requests that say how often a client sends, on one connection; on all, for it not to take long
_FIRST, _NEXT = 6.0, 2.5  # seconds for the first of them, and for each other
_LIVELY = 1.0  # seconds since a client sent something, with which it need not be waited for; less than a pause in acts
_PINGED = 12.0  # seconds within which one that sends nothing is pinged, and is seen to answer, or not to come back
_UNASKED = 1.6  # seconds in which a client that says something by itself does so
_UNDER_WAY = 0.3  # seconds for what a client sent at the same time as something was done to it
_DRAIN = 0.2  # seconds for what a program sent last to be read


class Over(Exception):  # noqa: N818 - the end of an act, not an error
    """The client has ended, or does not do what the rest of the act is about; its text says what, if it could have."""


@dataclass(frozen=True, slots=True)
class World:
    """What an act is played in: a session on the bundled server, the people in it, and the tap before it.

    `users` are whom clients may be, the first of them where there is one client only.
    """

    stage: Stage
    others: Others
    users: tuple[Identity, ...]
    tap: Tap
    director: Director

    @property
    def url(self) -> str:
        """Where clients find the server."""
        return self.tap.url.rstrip("/")

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client needs to know."""
        user = self.users[0]
        return {
            "DUNGEONLAB_URL": self.url,
            "DUNGEONLAB_USERNAME": user.variables["username"],
            "DUNGEONLAB_PASSWORD": user.variables["password"],
            "DUNGEONLAB_COOKIE": "; ".join(f"{name}={value}" for name, value in user.cookies.items()),
            "DUNGEONLAB_SESSION": self.stage.session,
            "DUNGEONLAB_ENCOUNTER": self.others.encounter,
            "DUNGEONLAB_TOKEN": self.others.token,
        }


@asynccontextmanager
async def world(
    server: DirectedServer, pool: AccountPool, journal: TapJournal, *roles: str, port: int = 0
) -> AsyncIterator[World]:
    """Prepare a world on a server while the block runs, for clients of the users who play these roles.

    Raises `OSError` if the tap's port is taken.
    """
    stage = Stage(pool, pool.provisioner.target)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stage.hang_up)
        tap = await stack.enter_async_context(Tap(server.url, journal, port=port))
        await stage.set_up()
        others = await Others.come(stage)
        users = tuple([await stage.roles.member(role) for role in roles])
        yield World(stage, others, users, tap, Director(server, tap, journal, stage, others, users))


class Performance:
    """An act that is played with a program, which starts when it is first waited for.

    The methods that wait raise `Over` when the program has ended, or when it does not do what is waited for.
    """

    def __init__(
        self,
        name: str,
        world: World,
        journal: TapJournal,
        command: Sequence[str],
        *,
        start: float = START,
        joined: asyncio.Event | None = None,
    ) -> None:
        """`start` is how many seconds the program may take to connect.

        `joined` is set when the client has joined, or was not let in.
        """
        self.name = name
        self.world = world
        self.director, self.others = world.director, world.others
        self.journal = journal
        self.program: Program | None = None
        self.missed = ""  # what the client did not do, and the rest of the act was about
        self.froze = False
        self._start, self._joined = start, joined or asyncio.Event()
        self._command = command
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Performance:
        self.journal.add("tap", "act", event=DirectorAct.BEGIN, text=self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None or isinstance(error, Over):
                self.missed = str(error or "")
                await self._look_for_life()
            if self.program is not None and not self.program.ended.done():
                self.journal.add("tap", "act", event=DirectorAct.STOPPED)
        finally:
            await self._stack.aclose()

    async def _look_for_life(self) -> None:
        """Note it if the program runs and has frozen: it answers no ping, and does not come back when that ends it."""
        ending = asyncio.get_running_loop().time() + _PINGED
        if any(packet.kind == "unreadable" for packet in self.journal.packets):
            return  # it may have answered
        while self.program is not None and not self.program.ended.done():
            pinged, silent = self.world.tap.leaves_pings_unanswered, self.world.tap.silence
            if silent < _LIVELY or not (pinged or self._newest("connected", "close", "disconnect") == "connected"):
                return
            if self._newest("connected", "connect-error") == "connect-error":
                return  # it gives up, and need answer no ping
            if asyncio.get_running_loop().time() >= ending:
                self.froze = pinged
                if pinged:
                    self.journal.add("tap", "act", event=DirectorAct.FROZE, text=f"{silent:.1f}")
                return
            await asyncio.wait((self.program.ended,), timeout=_DRAIN)

    def _newest(self, *kinds: Kind) -> Kind | None:
        """Return which of some kinds of packets was seen last."""
        return next((packet.kind for packet in reversed(self.journal.packets) if packet.kind in kinds), None)

    def _note_end(self, ended: asyncio.Task[int | None]) -> None:
        if not ended.cancelled() and ended.result() is not None:
            self.journal.add("tap", "act", event=DirectorAct.EXITED, text=f"{ended.result()}")

    async def client_joins(self) -> None:
        """Start the program and wait until it has joined a session."""
        await self._client_comes()
        await self.sees(has_joined, _JOIN, "join a session")
        self._joined.set()

    async def client_is_turned_away(self) -> None:
        """Start the program and wait until it has been refused what it asked for, which is to join a session."""
        await self._client_comes()
        await self.sees(lambda packet: is_refusal(packet) or is_error(packet), _JOIN, "ask to join a session")
        self._joined.set()

    async def _client_comes(self) -> None:
        environment = {**self.world.environment, "DUNGEONLAB_ACT": self.name}
        self.program = await self._stack.enter_async_context(running(self._command, environment))
        self.program.ended.add_done_callback(self._note_end)
        await self.sees(lambda packet: packet.kind in ("connected", "connect-error"), self._start, "connect")

    async def client_acts(self) -> None:
        """Wait until some requests of one of the client's tabs are answered; no longer than it sends them.

        Meanwhile the others act, since some clients say nothing but in answer to somebody.
        """
        answered: Counter[int] = Counter()  # by connection
        while max(answered.values(), default=0) < _SOME and answered.total() < _MOST:
            before = self.last
            await self.others.act()
            answer = await self.may_see(is_answer, _NEXT if answered else _FIRST, after=before)
            if answer is None:
                return
            answered[answer.connection] += 1

    @property
    def last(self) -> int:
        """The number of the newest packet."""
        return self.journal.packets[-1].number if self.journal.packets else 0

    async def sees(
        self, wanted: Callable[[TappedPacket], bool], seconds: float, what: str = "", *, after: int = 0
    ) -> TappedPacket:
        """Wait until something has been seen, later than the packet of that number.

        `what` names it for a reader, where a client that goes on does it.
        """
        found = await self.may_see(wanted, seconds, after=after)
        if found is None:
            raise Over(what and f"did not {what} within {seconds:g} s")
        return found

    async def sees_at_last(
        self, wanted: Callable[[TappedPacket], bool], seconds: float, what: str = "", *, after: int = 0
    ) -> TappedPacket:
        """Wait as `sees` does, while others act whenever it does not come for a while: some clients only react."""
        ending = asyncio.get_running_loop().time() + seconds
        while (left := ending - asyncio.get_running_loop().time()) > 0:
            if (found := await self.may_see(wanted, min(_UNASKED, left), after=after)) is not None:
                return found
            if left > _UNASKED:
                await self.others.act()
        raise Over(what and f"did not {what} within {seconds:g} s")

    async def may_see(
        self, wanted: Callable[[TappedPacket], bool], seconds: float, *, after: int = 0
    ) -> TappedPacket | None:
        """Wait as `sees` does; None if it is not seen in that time."""
        assert self.program is not None
        found: asyncio.Future[TappedPacket] = asyncio.get_running_loop().create_future()

        def look(packet: TappedPacket) -> None:
            if packet.number > after and not found.done() and wanted(packet):
                found.set_result(packet)

        newer = list(takewhile(lambda packet: packet.number > after, reversed(self.journal.packets)))
        for packet in reversed(newer):
            look(packet)
        self.journal.listeners.append(look)
        try:
            await asyncio.wait((found, self.program.ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not found.done() and self.program.ended.done():
                await asyncio.wait((found,), timeout=_DRAIN)
                if not found.done():
                    raise Over
            return found.result() if found.done() else None
        finally:
            self.journal.listeners.remove(look)
            found.cancel()

    async def quiet(self, pause: float, most: float) -> None:
        """Wait until the client has sent nothing for a while, in seconds; no longer than `most`."""
        ending = asyncio.get_running_loop().time() + most
        while (left := ending - asyncio.get_running_loop().time()) > 0:
            if await self.may_see(is_sent, min(pause, left), after=self.last) is None:
                return

    async def goes_on(self, pause: float, most: float) -> None:
        """Wait as `quiet` does; once more, after others have acted, if what was under way is all that was sent."""
        await self.may_see(lambda _: False, _UNDER_WAY)
        before = self.last
        await self.quiet(pause, most)
        if await self.may_see(is_sent, 0.0, after=before) is None:
            await self.others.act()
            await self.quiet(pause, most)


def is_sent(packet: TappedPacket) -> bool:
    """Whether the client sent a request."""
    return packet.sender == "client" and packet.kind == "event"


def is_answer(packet: TappedPacket) -> bool:
    """Whether the server answered a request."""
    return packet.sender == "server" and packet.kind == "ack"


def is_refusal(packet: TappedPacket) -> bool:
    """Whether the server refused a request."""
    return is_answer(packet) and _success(packet) is False


def is_error(packet: TappedPacket) -> bool:
    """Whether the server says that a request without a callback was refused."""
    return packet.sender == "server" and packet.kind == "event" and packet.event == "error"


def has_joined(packet: TappedPacket) -> bool:
    """Whether the client has joined a session: the server says so, or was asked without a callback."""
    if is_sent(packet) and packet.event == "join-session" and packet.ack_id is None:
        return True
    return is_answer(packet) and packet.event == "join-session" and _success(packet) is True


def _success(packet: TappedPacket) -> object:
    arguments = packet.arguments
    envelope = arguments[0] if arguments else None
    return envelope.get("success") if isinstance(envelope, dict) else None
