"""A connection that sends requests and waits for their acknowledgements. Knows their envelope, and no requirement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol

from dungeonlab_conformance.clients.connection import Connection
from dungeonlab_conformance.clients.obstacles import Unanswered, Unreadable, avoid_what_is_deadly, not_accepted
from dungeonlab_conformance.clients.receiver import Callback
from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.evidence import evidence, was_refused
from dungeonlab_conformance.record.observation import (
    CUTS,
    Observation,
    Request,
    RequestOutcome,
    RoomStay,
    SentRequest,
)
from dungeonlab_conformance.results.errors import Gone, TargetFault, Unjudged
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent
from dungeonlab_conformance.target.rate_limits import Throttle
from dungeonlab_conformance.target.workarounds import NAMESPACE

Answer = tuple[Acknowledgement, SentRequest]
_TRIED = 3  # requests of an event upon which a connection was closed, after which no more are looked into


class Inquire(Protocol):
    """Finds out what becomes of requests that are not acknowledged."""

    def tells(self, request: Request) -> bool:
        """Whether to send this without a callback: it would get no answer, and a refusal shows only so."""

    def usual(self, request: Request) -> Request | None:
        """Return a request of the same event about the same things that says what is usual; None if it says nothing."""

    async def __call__(self, sender: Sender, request: Request, *, expected: bool) -> Inferred | None:
        """Return what became of a request, which is sent here if it has not been sent; None if nothing shows it.

        Where it is `expected` to be accepted, it also counts that no refusal comes.
        """


_RETURNING: ContextVar[frozenset[Sender]] = ContextVar("_RETURNING", default=frozenset())  # on whose behalf a task acts


@dataclass(eq=False)
class Sender(Connection):
    """A user's connection that sends requests, one that asks to join a room included.

    Every method raises `Gone` if the connection, or the server, is not there any more.
    """

    inquire: Inquire | None = None  # finds out what became of a request that was not acknowledged
    throttle: Throttle | None = None  # what this user waits for before each request, if anything
    logged_out: bool = False  # so that it cannot connect again
    _returning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _lost: RoomStay | None = None  # the stay to return to, as long as the connections that are to do so end as well
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of requests that events answer
    _open: dict[asyncio.Future[Observation | None], Request] = field(default_factory=dict)  # those without an answer
    _joining: dict[int, bool] = field(default_factory=dict)  # stays that are asked for, and whether others were as well

    @property
    def is_game_master(self) -> bool:
        """Whether the user is the game master of the scene's session."""
        return self.identity is not None and self.identity.name == self.target.parties[0].gamemaster

    async def reconnect(self) -> None:
        """Connect again as the same user, on a new connection, and join the session that the old one had joined."""
        within = self in _RETURNING.get()  # and was cut off once more
        async with contextlib.nullcontext() if within else self._returning:
            if self.closed:  # and no other request of this actor has seen to it
                before = _RETURNING.set(_RETURNING.get() | {self})
                try:
                    await self._return()
                finally:
                    _RETURNING.reset(before)

    async def _return(self) -> None:
        """Connect again and join, before whatever else is to be sent."""
        if self.logged_out:
            raise Gone(f"{self.name}'s login was ended, and then the connection")
        stay = self._lost = self.stay or self._lost
        try:
            await self.renew()
        except TargetFault as fault:
            raise Gone(f"{self.name} could not reconnect: {fault}") from None
        if stay and stay.why == "closed":
            try:
                await self.join(stay.session)
            except Unjudged as why:
                self._lost = stay if isinstance(why, Gone) else None
                raise
        self._lost = None

    async def _be_back(self) -> None:
        """Connect again if this connection is closed, or wait for another request that sees to it."""
        if self.closed or (self._returning.locked() and self not in _RETURNING.get()):
            await self.reconnect()

    async def try_send(self, request: Request, *, expected: bool = False) -> Acknowledgement:
        """Send a request with a callback and return what became of it, an acceptance or a refusal.

        That is what its answer says, or else whatever shows it: an `Inferred` answer then. Where the request is
        `expected` to be accepted, that no refusal is reported shows it as well. A server may disconnect a user whom it
        refused; then this reconnects, and asks once more. Where nothing shows it: raises as `try_get_answer` does.
        """
        return await self._send(request, partial(self._what_became_of, expected=expected))

    async def try_get_answer(self, request: Request, *, hurried: bool = False) -> Acknowledgement:
        """Send a request with a callback and return its answer, and nothing else that shows what became of it.

        A `hurried` one does not wait long where such requests are known to get none. Where there is no answer to
        return: raises `Unanswered` if the server answers other requests meanwhile, `Unreadable` if what came is no
        object, `Gone` if the connection is closed, and `Unjudged` if the server answers nothing.
        """

        async def answered(asked: Request) -> Answer:
            return await self._answer_to(asked, quickly=hurried and self._hardly_answers(asked.event))

        return await self._send(request, answered)

    async def _send(self, request: Request, outcome: Callable[[Request], Awaitable[Answer]]) -> Acknowledgement:
        """Send a request that may change in which room this connection is, and record that."""
        session = request.named_session
        if request.event == "join-session" and session is not None:
            return await self._asks_to_join(request, session, outcome)
        try:
            answer, sent = await outcome(request)
        except (Unanswered, Unreadable):
            if request.event == "leave-session":
                self.journal.rooms.leave_asked(self.connection)
            raise
        if request.event == "leave-session" and answer.accepted and self.stay and self.stay.session == session:
            self.journal.rooms.left(self.connection, sent.answered_at or self.journal.clock(), sent.at)
        return answer

    async def _what_became_of(self, request: Request, *, expected: bool) -> Answer:
        """Return the answer to a request, or what else shows what became of it."""
        none: Unjudged | None = None
        if self.inquire is None or not self.inquire.tells(request):
            try:
                return await self._answer_to(request, quickly=self._hardly_answers(request.event))
            except (Unanswered, Unreadable) as reason:
                none = reason
        sent = self.journal.last_sent(request)
        found = evidence(self.journal, sent) if sent else None
        if found is None and self.inquire is not None:
            found = await self.inquire(self, request, expected=expected)
        sent = self.journal.last_sent(request)
        if found is None or sent is None:
            why = f"{request.event} was not answered, though the connection works"
            raise none or Unanswered(request.event, why)
        if found.seen is not None:
            self.journal.inferred(request, found.outcome, found.evidence)
        if isinstance(none, Unreadable):
            found = replace(found, instead=none.came.shown)
        return found, sent

    async def _answer_to(self, request: Request, *, quickly: bool = False) -> Answer:
        """Send a request and wait for its answer; `quickly` if there will hardly be one."""
        pending = await self._ask_anew(request)
        connection = self.connection
        if quickly:
            await self._round_trips(pending)
        often = not request.legal and self.target.limits.is_often_silent(request.event)
        limit = self.target.limits.answer_to(request.args, request.event)
        seen = await self._in_time(pending, request, 0 if quickly else limit)
        if seen is None and pending.done() and was_refused(self.journal, connection):
            pending = await self._ask_anew(request)
            seen = await self._in_time(pending, request)
        if seen is None and not pending.done():
            if not await self._is_alive():
                raise Unjudged(f"{request.event} was not answered in time, and neither was anything else")
            if not quickly and not often:
                seen = await self._in_time(pending, request, limit)  # a late answer is one: only silence is none
        if seen is None and pending.done():
            with contextlib.suppress(Unjudged):
                await self._see_whether_it_ends_each_time(request)
            raise self.gone(f"{self.name}'s connection was closed before {request.event} was answered")
        if seen is None:
            self._give_up(request)
            self.target.limits.waited_for(request.event)
            waited = "" if quickly else f" in {(1 if often else 2) * limit:.1f} s"
            raise Unanswered(request.event, f"{request.event} was not answered{waited}, though the connection works")
        asked = self.journal.last_sent(request)
        self.target.limits.heard_of(request.event, seen.at - asked.at if asked else 0.0)
        answer = Acknowledgement(request, seen.args)
        if not answer.readable:
            raise Unreadable(answer)
        sent = self.journal.answered(request, seen.at, accepted=answer.accepted)
        if answer.limited:
            raise Unjudged("the server's rate limit was reached; raise it for the run")
        return answer, sent

    async def _see_whether_it_ends_each_time(self, request: Request) -> None:
        """Send a request again upon which this connection was closed: a network may end one, but hardly each time.

        What comes of it counts for nothing but that; the record shows it.
        """
        tried = self.target.workarounds.cut_off
        if not request.legal or request.is_large or tried[request.event] >= _TRIED:
            return
        tried[request.event] += 1
        for _ in range(CUTS - 1):
            if was_refused(self.journal, self.connection):
                return
            await self.reconnect()
            pending = await self._ask(request)
            if await self._in_time(pending, request) is not None or not pending.done():
                return

    async def send_unawaited(self, request: Request) -> None:
        """Send a request with a callback and wait for nothing: there need be no answer."""
        await self._ask_anew(request)

    async def send_without_callback(
        self, request: Request, *, outcome: RequestOutcome = "unknown", moves: bool = True
    ) -> SentRequest:
        """Send a request without a callback; `outcome` is what is known of it although no answer will say so.

        That this connection may be in another room afterwards is recorded here if it `moves`, and elsewhere if not.
        """
        await self._be_back()
        await self._wait_for_throttle()
        sent = self._note(request, "tells", outcome)
        session = request.named_session
        if moves and request.event == "join-session" and request.legal and session is not None:
            self.journal.rooms.join_unacknowledged(self.connection, session, sent.at)
        if moves and request.event == "leave-session" and request.legal:
            self.journal.rooms.leave_asked(self.connection)
        try:
            await self.emit(request)
        except Gone:
            if request.event in ("join-session", "leave-session") or not was_refused(self.journal, self.connection):
                raise
            await self.reconnect()
            return await self.send_without_callback(request, outcome=outcome, moves=moves)
        return sent

    async def _wait_for_throttle(self) -> None:
        if self.throttle is not None:
            await self.throttle.turn(self.user or "")

    async def try_send_once(self, request: Request, *, hurried: bool = False) -> Arguments | None:
        """Send a request with a callback, once; return the answer's arguments, or None if none came in time.

        A `hurried` one does not wait long where such requests are known to get none.
        """
        pending, quickly = await self._ask(request), hurried and self._hardly_answers(request.event)
        if quickly:
            await self._round_trips(pending)
        seen = await self._in_time(pending, request, 0 if quickly else None)
        if seen is None:
            self._give_up(request)
        return seen.args if seen else None

    async def try_join(self, session: str, *, expected: bool = False) -> Acknowledgement:
        """Ask to join a session and return what became of that; see `try_send`."""
        return await self.try_send(Request.naming("join-session", session), expected=expected)

    async def join(self, session: str) -> Acknowledgement:
        """Join a session, as a preparation: a refusal leaves the scene unjudged."""
        request = Request.naming("join-session", session)
        self.journal.expect(request)
        answer = await self.try_send(request, expected=True)
        if not answer.accepted:
            why = f"{self.name} could not join: join-session was refused ({answer.shown})"
            raise Unjudged(why, waits_for=not_accepted(answer, by_game_master=self.is_game_master))
        return answer

    async def _asks_to_join(
        self, request: Request, session: str, outcome: Callable[[Request], Awaitable[Answer]]
    ) -> Acknowledgement:
        """Ask to join, and record in which room this connection is."""
        rooms = self.journal.rooms
        stay = rooms.join_asked(self.connection, session)
        self._joining = {number: bool(self._joining) for number in (*self._joining, stay.number)}
        try:
            answer, sent = await outcome(request)
        except (Unanswered, Unreadable):
            rooms.join_unanswered(stay)
            raise
        finally:
            at_once = self._joining.pop(stay.number)
            if (asked := self.journal.last_sent(request)) is not None:
                rooms.join_sent(stay, asked)
        if answer.accepted:
            rooms.joined(stay, sent.answered_at or self.journal.clock())
        else:
            rooms.join_refused(stay)
        if at_once and isinstance(answer, Inferred):
            rooms.joined_at_once(self.connection)
        return answer

    async def fence(self) -> bool:
        """Make a round trip: whatever was sent to this connection before has arrived when it returns.

        Returns False if the connection is closed. Raises `Unjudged` if there is no answer in time.
        """
        fences = self.target.workarounds.fences
        usual, *others = [fence for fence in fences if fence not in self.target.absent]
        if self.closed:
            return False
        if await self._came_back(usual):
            return True
        if not self.closed and (found := await self.first_to_come_back(others)) is not None:
            fences.remove(found)
            fences.insert(0, found)
            return True
        if self.closed:
            return False
        raise Unjudged(f"{self.name}'s round trip was not answered in {self.target.limits.answer:.1f} s")

    async def first_to_come_back(self, fences: Sequence[str]) -> str | None:
        """Make round trips of several kinds at once; of those that come back about first, return the first listed."""
        ways = {fence: asyncio.ensure_future(self._came_back(fence)) for fence in fences}
        try:
            waiting = set(ways.values())
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(way.result() for way in done):
                    await asyncio.wait(ways.values(), timeout=self.target.limits.moment)
                    return next(fence for fence, way in ways.items() if way.done() and way.result())
            return None
        finally:
            for way in ways.values():
                way.cancel()
            await asyncio.gather(*ways.values(), return_exceptions=True)

    def _hardly_answers(self, event: str) -> bool:
        limits = self.target.limits
        never = self.target.dialect.answer_to(event) == "none" or limits.answers_nothing
        return never or event in self.target.workarounds.silent or limits.gave_up(event)

    def _is_hardly_answered(self, asked: Request) -> bool:
        """Whether requests like this were waited for in vain before, all of them or the malformed ones."""
        silent = not asked.legal and self.target.limits.is_often_silent(asked.event)
        return silent or self._hardly_answers(asked.event)

    async def _came_back(self, fence: str) -> bool:
        """Make a round trip of one kind. Any answer will do, a refusal too."""
        if fence == NAMESPACE:
            return await self.asks_for_no_namespace()
        with contextlib.suppress(Gone):  # it met the end of the connection
            if await self.try_send_once(Request(fence, ({},), None, None)) is not None:
                self.target.workarounds.came_back.add(fence)
                return True
        return False

    async def _round_trips(self, pending: asyncio.Future[Observation | None]) -> None:
        """Give an answer the time that the answers to other requests take."""
        with contextlib.suppress(Unjudged):
            await self.fence()
        await asyncio.wait([pending], timeout=self.target.limits.moment)

    async def _ask_anew(self, request: Request) -> asyncio.Future[Observation | None]:
        """Ask, on a new connection if this one is closed, or if the request meets the end of one that was refused."""
        await self._be_back()
        try:
            return await self._ask(request)
        except Gone:
            if not was_refused(self.journal, self.connection):
                raise
            await self.reconnect()
            return await self._ask(request)

    async def _ask(self, request: Request) -> asyncio.Future[Observation | None]:
        """Send a request with a callback; the future will hold its answer, or None once the connection is closed."""
        await self._wait_for_throttle()
        pending: asyncio.Future[Observation | None] = asyncio.get_running_loop().create_future()
        connection = self.connection

        def on_answer(*came: Any, name: str | None = None) -> None:
            seen = self._note_answer(connection, request, came, name)
            if not pending.done():
                pending.set_result(seen)

        if not isinstance(self.target.dialect.answer_to(request.event), AnswerByEvent):
            await self._ask_for(request, pending, on_answer)
            return pending
        async with self._turn:  # what says no has no mark: two that may be refused would be mistaken for each other
            ahead = self._open
            if ahead and not all(asked.legal for asked in (request, *ahead.values())):
                hopeless, limits = all(map(self._is_hardly_answered, ahead.values())), self.target.limits
                await asyncio.wait(ahead, timeout=limits.moment if hopeless else limits.answer)
            await self._ask_for(request, pending, on_answer)
            ahead[pending] = request
            pending.add_done_callback(lambda done: ahead.pop(done, None))
        return pending

    async def _ask_for(self, request: Request, pending: asyncio.Future[Observation | None], answer: Callback) -> None:
        self._note(request, "sends")
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)
        await self.emit(request, answer)

    def _give_up(self, request: Request) -> None:
        """Wait for the answer to a request no longer."""
        self._by_event.give_up(request)
        for pending in [pending for pending, asked in self._open.items() if asked is request]:
            del self._open[pending]

    def _note_answer(self, connection: int, request: Request, came: Args, name: str | None) -> Observation:
        """Record what answers a request: an acknowledgement, or the event of a `name`."""
        dialect = self.target.dialect
        how = dialect.answer_to(request.event)
        if name is not None and isinstance(how, AnswerByEvent):
            wire, args = name, dialect.acknowledgement(request.event, how, name, came)
        else:
            wire, args = self.target.on_the_wire(request.event, request.args)[0], dialect.answer(request.event, came)
        return self.journal.write(self.name, connection, "is answered", request.event, args, request, wire=(wire, came))

    async def _in_time(
        self, pending: asyncio.Future[Observation | None], request: Request, seconds: float | None = None
    ) -> Observation | None:
        """Wait for an answer for as long as one may take, or for so long; None if there is none by then."""
        limit = self.target.limits.answer_to(request.args) if seconds is None else seconds
        await asyncio.wait([pending], timeout=limit)
        return pending.result() if pending.done() else None

    def _note(
        self, request: Request, act: Literal["sends", "tells"], outcome: RequestOutcome = "unknown"
    ) -> SentRequest:
        avoid_what_is_deadly(self.target, request, uncalled=act == "tells")
        wire = self.target.on_the_wire(request.event, request.args)
        at = self.journal.write(self.name, self.connection, act, request.event, request.args, request, wire=wire).at
        return self.journal.sent(request, self.name, self.user, self.connection, at=at, outcome=outcome)

    async def _is_alive(self) -> bool:
        """Whether the server answers at all: this connection's round trip, or else a new connection."""
        try:
            return await self.fence()
        except Unjudged:
            other = Sender(f"{self.name} (once more)", self.identity, self.target, self.journal)
            try:
                await other.connect()
            except Unjudged:
                return False
            await other.close()
            return True
