"""Somebody who takes part in a scene: prepares it, hears what happens, and insists on what a server must do.

A verb says what it can do to a verdict. One that begins with `must_` raises `Broken` if the server does otherwise. A
plain one prepares, and raises `Unjudged` if that fails. One that begins with `try_` returns what came, a refusal as
well as nothing, and raises `Unjudged` only where the server, or the connection, gave no answer to return.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from dungeonlab_conformance.clients.obstacles import heard_by_a_stranger, not_accepted, not_heard
from dungeonlab_conformance.clients.sender import Sender
from dungeonlab_conformance.record.acknowledgement import UNKNOWN_TOKEN, Acknowledgement, Inferred
from dungeonlab_conformance.record.marks import carries, contains
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Unjudged

_LATE = (1, 2, 4, 8)  # moments to wait for a token that was created and is not there yet


@dataclass(eq=False)
class Actor(Sender):
    """A user's connection in a scene.

    Several actors may be one user: the user's other tab has the identity in common and a connection of its own.
    """

    # -- preparing -----------------------------------------------------------------------------------

    async def send(self, request: Request) -> Acknowledgement:
        """Send a request as a preparation: a refusal leaves the scene unjudged."""
        answer = await self.try_prepare(request)
        if not answer.accepted:
            why = f"{self.name}'s {request.event} was refused: {answer.shown}"
            raise Unjudged(why, waits_for=not_accepted(answer, by_game_master=self.is_game_master))
        if request.event == "token:create" and (late := self.target.workarounds.tokens_come_late):
            await asyncio.sleep(late)
        return answer

    async def try_prepare(self, request: Request) -> Acknowledgement:
        """Send what a server has no reason to refuse, and return the answer; a refusal is judged after the run."""
        self.journal.expect(request)
        answer = await self.try_until_it_is_there(request)
        if not answer.accepted and not answer.says_why and not isinstance(answer, Inferred):
            with contextlib.suppress(Unjudged):
                await self._try_what_is_usual(request)
        return answer

    async def try_until_it_is_there(self, request: Request) -> Acknowledgement:
        """Send what is to be accepted; where the server knows no such token yet, though one was created, a few times.

        That it is known at last is found after the run, and so breaks one rule; preparations wait for that from then
        on. Where it was waited for in vain once in this run, nothing is waited for any more.
        """
        answer = await self.try_send(request, expected=True)
        found, began = self.target.workarounds, self.journal.clock()
        for moments in _LATE:
            if answer.code != UNKNOWN_TOKEN or found.tokens_come_late is None or not self._was_created(request):
                return answer
            self.journal.expect(request)
            await asyncio.sleep(moments * self.target.limits.moment)
            answer = await self.try_send(request, expected=True)
            if answer.accepted:
                known = found.tokens_come_late or 0.0  # another scene may have waited in vain meanwhile
                found.tokens_come_late = max(known, 2 * (self.journal.clock() - began))
        if answer.code == UNKNOWN_TOKEN:
            found.tokens_come_late = found.tokens_come_late or None
        return answer

    def _was_created(self, request: Request) -> bool:
        """Whether the token that a request names was created in this scene."""
        named = request.args[0].get("tokenId") if request.args and isinstance(request.args[0], dict) else None
        return isinstance(named, str) and any(
            contains(seen.args, named)
            for seen in self.journal.observations
            if seen.act == "is answered" and seen.request is not None and seen.request.event == "token:create"
        )

    async def _try_what_is_usual(self, request: Request) -> None:
        """Ask for something usual in place of what was refused, and for the same again; and so once more.

        If the one is accepted each time and the other refused, it is refused for what it says, whatever its code.
        """
        for again in (request, None):
            usual = self.inquire.usual(request) if self.inquire is not None else None
            if usual is None or not (await self.try_send(usual)).accepted:
                return
            if again is not None:
                await self.try_send(again)

    async def repeat_without_callback(self, request: Request) -> Request:
        """Send without a callback what was refused with one, and wait until the server must have received it."""
        await self.send_without_callback(request, outcome="refused")
        await self.fence()
        return request

    async def leave(self) -> Acknowledgement:
        """Leave the joined session, as a preparation."""
        stay = self.stay
        if stay is None:
            raise Unjudged(f"{self.name} has not joined")
        answer = await self.try_send(Request.naming("leave-session", stay.session), expected=True)
        if not answer.accepted:
            why = f"{self.name} could not leave: leave-session was refused ({answer.shown})"
            raise Unjudged(why, waits_for=not_accepted(answer))
        return answer

    async def hear(self, request: Request) -> Observation:
        """Wait until this connection is sent a request's broadcast, as a preparation.

        Who hears it is the witness without whom silence elsewhere shows nothing.
        """
        seen = await self.try_observe(lambda o: o.act == "hears" and carries(o, request))
        if seen is None and not await self.fence():
            raise self.gone(f"{self.name}'s connection was closed")
        heard = [seen] if seen else self.deliveries_of(request)
        if not heard:
            why = f"no witness: {self.name} did not hear {self._sender(request)}'s {request.event}"
            by_another = self.transport != self.target.transport
            raise Unjudged(why, waits_for=not_heard(request.event, by_another_transport=by_another))
        return heard[0]

    # -- looking -------------------------------------------------------------------------------------

    async def try_hear(self, request: Request) -> Observation | None:
        """Give a request's broadcast time to come; None if it did not. Raises `Gone` if this connection was closed."""
        seen = await self.try_observe_fenced(lambda o: o.act == "hears" and carries(o, request))
        if seen is None:
            self.needs_to_be_open()
        return seen

    def deliveries_of(self, request: Request) -> list[Observation]:
        """Return every delivery of a request's broadcast to this connection, so far."""
        found = [o for o in self.journal.heard(self.connection) if carries(o, request)]
        sent = self.journal.last_sent(request) if len(found) > 1 else None
        return [o for o in found if o.at >= sent.at] if sent else found  # an earlier one has the same token's id

    async def try_observe(self, wanted: Callable[[Observation], bool]) -> Observation | None:
        """Wait for something this connection hears, or has heard already; None if it does not come in time."""
        found: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()

        def look(seen: Observation) -> None:
            if seen.connection == self.connection and wanted(seen) and not found.done():
                found.set_result(seen)

        for seen in self.journal.observations:
            look(seen)
            if found.done():
                return found.result()
        unsubscribe = self.journal.subscribe(look)
        try:
            return await asyncio.wait_for(found, self.target.limits.answer)
        except TimeoutError:
            return None
        finally:
            unsubscribe()
            found.cancel()

    async def try_observe_fenced(self, wanted: Callable[[Observation], bool]) -> Observation | None:
        """Like `try_observe`, where None is to convict: makes a round trip and waits once more for what is late."""
        seen = await self.try_observe(wanted)
        if seen is None and await self.fence():
            seen = await self.try_observe(wanted)
        return seen

    def needs_to_be_open(self) -> None:
        """Raise `Gone` if this connection was closed: what it did not hear then shows nothing."""
        if self.closed:
            raise self.gone(f"{self.name}'s connection was closed")

    # -- insisting -----------------------------------------------------------------------------------

    async def must_be_allowed(self, request: Request) -> Acknowledgement:
        """Send a request. Raises `Broken` if it is refused."""
        answer = await self.try_until_it_is_there(request)
        if not answer.accepted:
            raise Broken(f"{self.name}'s {request.event} to be accepted", answer)
        return answer

    async def must_be_refused(self, request: Request) -> Acknowledgement:
        """Send a request. Raises `Broken` if it is accepted."""
        answer = await self.try_send(request)
        if answer.accepted:
            raise Broken(f"{self.name}'s {request.event} to be refused", answer)
        return answer

    async def must_hear(self, request: Request) -> Observation:
        """Wait until this connection is sent a request's broadcast. Raises `Broken` if it never is."""
        seen = await self.try_hear(request)
        other = self._garbled(request)
        if seen is None and other:
            raise Unjudged(f"{self.name} heard a {request.event} that says something else: {other[0].args}")
        if seen is None:
            raise Broken(f"{self.name} to hear {self._sender(request)}'s {request.event}", "nothing", request=request)
        return seen

    async def must_not_hear(self, request: Request, *, unlike: Actor | None = None) -> None:
        """Make a round trip and look back. Raises `Broken` if this connection was sent a request's broadcast.

        What reaches even `unlike`, who never joined the room, leaks to everybody: that is another requirement's matter,
        and this one is left unjudged.
        """
        await self.fence()
        found = self.deliveries_of(request)
        if found and unlike is not None:
            await unlike.fence()
            if unlike.deliveries_of(request):
                rooms = self.journal.rooms
                is_member = rooms.users.get(unlike.connection) in rooms.members.get(request.session or "", ())
                why = f"{request.event} is sent to {unlike.name} too, who never joined"
                raise Unjudged(why, waits_for=heard_by_a_stranger(request.event, is_member=is_member))
        if found:
            expected = f"{self.name} to hear nothing of {self._sender(request)}'s {request.event}"
            raise Broken(expected, found[0], request=request)

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
