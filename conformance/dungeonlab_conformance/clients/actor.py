"""Somebody who asks, answers for a seat, listens and remembers. Knows the protocol's envelopes, no requirement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from dungeonlab_conformance.clients.connection import Connection
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, Request, RequestOutcome, SentRequest
from dungeonlab_conformance.results.errors import Broken, Gone, TargetFault, Unjudged

# Round trips that need no session. Any answer will do, a refusal too.
_FENCES: tuple[tuple[str, tuple[Any, ...]], ...] = (("get-user-data", ({},)), ("join-session", ({},)))


class Unanswered(Unjudged):
    """A request with a callback got no answer, from a server that answers other things meanwhile."""


class Unreadable(Unjudged):
    """A request was answered by something that says neither yes nor no: no object. `came` is the answer."""

    def __init__(self, answer: Acknowledgement) -> None:
        super().__init__(f"{answer.request.event} was answered neither yes nor no: {answer.args}")
        self.came = answer


@dataclass(eq=False)
class Actor(Connection):
    """A user's connection with a tongue and ears.

    Several actors may be one user: the user's other tab has an identity in common and a connection of its own.
    """

    _returning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reconnect(self) -> None:
        """Connect again as the same user, on a new connection, and sit down where the old one sat."""
        async with self._returning:
            if not self.closed:
                return  # another request of this actor has seen to it
            stay = self.stay
            try:
                await self.renew()
            except TargetFault as fault:
                raise Gone(f"{self.name} could not come back: {fault}") from None
        if stay and stay.why == "closed":
            await self.join(stay.session)

    # -- speaking ------------------------------------------------------------------------------------

    async def try_send(self, request: Request) -> Acknowledgement:
        """Send a request with a callback and return its answer.

        A server may disconnect whoever it refused; then this comes back and asks once more. Raises
        `Unanswered` if a server that is demonstrably there does not answer, `Unjudged` or `Gone` otherwise.
        """
        session = _named(request)
        if request.event == "join-session" and session is not None:
            return await self._asks_to_join(request, session)
        answer, sent = await self._answer_to(request)
        if request.event == "leave-session" and answer.accepted and self.stay and self.stay.session == session:
            self.journal.rooms.left(self.connection, sent.answered_at, sent.at)
        return answer

    async def _answer_to(self, request: Request) -> tuple[Acknowledgement, SentRequest]:
        if self.closed:
            await self.reconnect()
        connection = self.connection
        pending = await self._ask(request)
        seen = await self._in_time(pending, request)
        if seen is None and pending.done() and self._was_refused_before(connection):
            await self.reconnect()
            pending = await self._ask(request)
            seen = await self._in_time(pending, request)
        if seen is None and not pending.done():
            if not await self._is_alive():
                raise Unjudged(f"{request.event} was not answered in time, and neither was anything else")
            seen = await self._in_time(pending, request)  # a late answer is one: only silence is none
        if seen is None and pending.done():
            raise Gone(f"{self.name}'s connection was closed before {request.event} was answered")
        if seen is None:
            self.target.limits.waited_for(request.event)
            waited = 2 * self.target.limits.answer
            raise Unanswered(f"{request.event} was not answered in {waited:.1f} s, other requests were")
        self.target.limits.heard_of(request.event)
        answer = Acknowledgement(request, seen.args)
        if not answer.readable:
            raise Unreadable(answer)
        sent = self.journal.answered(request, seen.at, accepted=answer.accepted)
        if answer.code == "RATE_LIMITED":
            raise Unjudged("the server's rate limit was reached; raise it for the run")
        return answer, sent

    async def send_unawaited(self, request: Request) -> None:
        """Send a request with a callback and wait for nothing: there need be no answer."""
        if self.closed:
            await self.reconnect()
        await self._ask(request)

    async def send_without_callback(self, request: Request, *, outcome: RequestOutcome = "unknown") -> None:
        """Send a request without a callback; `outcome` is what is known of it although no answer will say so."""
        if self.closed:
            await self.reconnect()
        sent = self._note(request, "tells", outcome)
        session = _named(request)
        if request.event == "join-session" and request.legal and session is not None:
            self.journal.rooms.join_asked(self.connection, session, sent.at)
        if request.event == "leave-session" and request.legal:
            self.journal.rooms.leave_asked(self.connection)
        await self.emit(request)

    async def fence(self) -> bool:
        """Make a round trip: whatever was sent to this connection before has arrived when it returns.

        Returns False if the connection is closed. Raises `Unjudged` if there is no answer in time.
        """
        for event, args in _FENCES:
            if event in self.target.absent:
                continue
            if self.closed:
                return False
            if await self.try_send_once(Request(event, args, None, None)) is not None:
                return True
        if self.closed:
            return False
        raise Unjudged(f"{self.name}'s round trip was not answered in {self.target.limits.answer:.1f} s")

    async def try_send_once(self, request: Request) -> Arguments | None:
        """Send a request with a callback, once; return the answer's arguments, or None if none came in time."""
        seen = await self._in_time(await self._ask(request), request)
        return seen.args if seen else None

    async def _ask(self, request: Request) -> asyncio.Future[Observation | None]:
        """Send a request with a callback; the future will hold its answer, or None once the connection is closed."""
        pending: asyncio.Future[Observation | None] = asyncio.get_running_loop().create_future()
        connection = self.connection

        wire, _ = self.target.on_the_wire(request.event, request.args)

        def on_answer(*came: Any) -> None:
            args = self.target.dialect.answer(came)
            seen = self.journal.write(
                self.name, connection, "is answered", request.event, args, request, wire=(wire, came)
            )
            if not pending.done():
                pending.set_result(seen)

        def on_close(seen: Observation) -> None:
            if seen.act in ("is closed", "disconnects") and seen.connection == connection and not pending.done():
                pending.set_result(None)

        self._note(request, "sends")
        unsubscribe = self.journal.subscribe(on_close)
        pending.add_done_callback(lambda _: unsubscribe())
        await self.emit(request, on_answer)
        return pending

    async def _in_time(self, pending: asyncio.Future[Observation | None], request: Request) -> Observation | None:
        """Wait for an answer for as long as one may take; None if there is none by then."""
        await asyncio.wait([pending], timeout=self.target.limits.answer_to(request.args))
        return pending.result() if pending.done() else None

    def _note(
        self, request: Request, act: Literal["sends", "tells"], outcome: RequestOutcome = "unknown"
    ) -> SentRequest:
        wire = self.target.on_the_wire(request.event, request.args)
        at = self.journal.write(self.name, self.connection, act, request.event, request.args, wire=wire).at
        return self.journal.sent(request, self.name, self.user, self.connection, at=at, outcome=outcome)

    def _was_refused_before(self, connection: int) -> bool:
        """Whether a connection was refused anything: a server may end it for that, be it a moment later."""
        seen = [o for o in self.journal.observations if o.connection == connection]
        answers = (Acknowledgement(Request("", (), None, None), o.args) for o in seen if o.act == "is answered")
        return any(o.act == "hears" and o.event == "error" for o in seen) or any(not a.accepted for a in answers)

    async def _is_alive(self) -> bool:
        """Whether the server answers at all: this connection's round trip, or else a new connection."""
        try:
            return await self.fence()
        except Unjudged:
            other = Actor(f"{self.name} (once more)", self.identity, self.target, self.journal)
            try:
                await other.connect()
            except Unjudged:
                return False
            await other.close()
            return True

    async def send(self, request: Request) -> Acknowledgement:
        """Send a request as a preparation: a refusal leaves the scene unjudged."""
        self._expects_an_answer_to(request.event)
        answer = await self.try_send(request)
        if not answer.accepted:
            raise Unjudged(f"{self.name}'s {request.event} was refused: {answer.args}")
        return answer

    def _expects_an_answer_to(self, event: str) -> None:
        if self.target.limits.gave_up(event):
            raise Unjudged(f"{event} has not been answered a single time in this run")

    async def must_be_allowed(self, request: Request) -> Acknowledgement:
        """Send a request that must be accepted."""
        answer = await self.try_send(request)
        if not answer.accepted:
            raise Broken(f"{self.name}'s {request.event} to be accepted", answer)
        return answer

    async def must_be_refused(self, request: Request) -> Acknowledgement:
        """Send a request that must be refused."""
        answer = await self.try_send(request)
        if answer.accepted:
            raise Broken(f"{self.name}'s {request.event} to be refused", answer)
        return answer

    async def repeat_without_callback(self, request: Request) -> Request:
        """Send without a callback what has been refused with one, and wait until the server must have seen it."""
        await self.send_without_callback(request, outcome="refused")
        await self.fence()
        return request

    # -- joining and leaving -------------------------------------------------------------------------

    async def try_join(self, session: str) -> Acknowledgement:
        """Ask to join."""
        return await self.try_send(Request("join-session", ({"sessionId": session},), None, session))

    async def _asks_to_join(self, request: Request, session: str) -> Acknowledgement:
        """Ask to join, and record in which room this connection is."""
        rooms = self.journal.rooms
        stay = rooms.join_asked(self.connection, session)
        try:
            answer, sent = await self._answer_to(request)
        finally:
            if (asked := self.journal.last_sent(request)) is not None:
                rooms.join_sent(stay, asked)
        if answer.accepted:
            rooms.joined(stay, sent.answered_at)
        else:
            rooms.join_refused(stay)
        return answer

    async def join(self, session: str) -> Acknowledgement:
        """Join a session, as a preparation: a refusal leaves the scene unjudged."""
        self._expects_an_answer_to("join-session")
        answer = await self.try_join(session)
        if not answer.accepted:
            raise Unjudged(f"{self.name} could not be seated: join-session was refused ({answer.args})")
        return answer

    async def leave(self) -> Acknowledgement:
        """Leave the joined session, as a preparation."""
        stay = self.stay
        if stay is None:
            raise Unjudged(f"{self.name} has not joined")
        answer = await self.try_send(Request("leave-session", ({"sessionId": stay.session},), None, stay.session))
        if not answer.accepted:
            raise Unjudged(f"{self.name} could not leave: leave-session was refused ({answer.args})")
        return answer

    # -- listening -----------------------------------------------------------------------------------

    def deliveries_of(self, request: Request) -> list[Observation]:
        """Return every delivery of a request's broadcast to this connection, so far."""
        return [o for o in self.journal.heard(self.connection) if carries(o, request)]

    async def try_observe(self, wanted: Callable[[Observation], bool]) -> Observation | None:
        """Wait for something this connection hears, or has heard already; None if it does not come in time."""
        found: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()

        def look(seen: Observation) -> None:
            if seen.connection == self.connection and wanted(seen) and not found.done():
                found.set_result(seen)

        for seen in list(self.journal.observations):
            look(seen)
        unsubscribe = self.journal.subscribe(look)
        try:
            return await asyncio.wait_for(found, self.target.limits.answer)
        except TimeoutError:
            return None
        finally:
            unsubscribe()
            found.cancel()

    async def try_observe_fenced(self, wanted: Callable[[Observation], bool]) -> Observation | None:
        """Like `try_observe`, where None is to convict: after a round trip, what is late is waited for once more."""
        seen = await self.try_observe(wanted)
        if seen is None and await self.fence():
            seen = await self.try_observe(wanted)
        return seen

    async def must_hear(self, request: Request) -> Observation:
        """Wait until this connection is sent a request's broadcast. Raises `Broken` if it never is."""
        seen = await self.try_observe_fenced(lambda o: o.act == "hears" and carries(o, request))
        if seen is None and self.closed:
            raise Gone(f"{self.name}'s connection was closed")
        other = self._garbled(request)
        if seen is None and other:
            raise Unjudged(f"{self.name} heard a {request.event} that says something else: {other[0].args}")
        if seen is None:
            raise Broken(f"{self.name} to hear {self._sender(request)}'s {request.event}", "nothing")
        return seen

    def _garbled(self, request: Request) -> list[Observation]:
        """Return what may be meant for the broadcast of a request, but carries the mark of no request."""
        sent = self.journal.last_sent(request)
        return [
            seen
            for seen in self.journal.heard(self.connection)
            if seen.event == request.event
            and (sent is None or seen.at >= sent.at)
            and not any(carries(seen, known) for known in self.journal.requests)
        ]

    def _sender(self, request: Request) -> str:
        sent = self.journal.last_sent(request)
        return sent.actor if sent else "somebody"

    async def hear(self, request: Request) -> Observation:
        """Like `must_hear`, as a preparation: without a witness, silence elsewhere shows nothing."""
        seen = await self.try_observe(lambda o: o.act == "hears" and carries(o, request))
        if seen is None and not await self.fence():
            raise Gone(f"{self.name}'s connection was closed")
        heard = [seen] if seen else self.deliveries_of(request)
        if not heard:
            raise Unjudged(f"no witness: {self.name} did not hear {self._sender(request)}'s {request.event}")
        return heard[0]

    async def must_not_hear(self, request: Request, *, unlike: Actor | None = None) -> None:
        """Make sure this connection was not sent a request's broadcast: its own round trip, then a look back.

        What reaches even `unlike`, who never had to do with the room, leaks to everybody: another requirement's
        matter, so that this one is left unjudged.
        """
        await self.fence()
        found = self.deliveries_of(request)
        if found and unlike is not None:
            await unlike.fence()
            if unlike.deliveries_of(request):
                raise Unjudged(f"{request.event} is sent to {unlike.name} too, who never joined")
        if found:
            raise Broken(f"{self.name} to hear nothing of {self._sender(request)}'s {request.event}", found[0])


def _named(request: Request) -> str | None:
    """Return the session that a request names, if it does."""
    body = request.args[0] if request.args else None
    session = body.get("sessionId") if isinstance(body, dict) else None
    return session if isinstance(session, str) else None
