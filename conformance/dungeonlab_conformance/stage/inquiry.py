"""Finds out what becomes of requests that are not acknowledged, by error events and by what members hear.

A request that is refused without a callback causes an error event: where the survey saw one, requests of the kind are
sent so. And two members of the session talk to each other: what the one says reaches the other as long as the room
works. So a request of which nobody hears meanwhile was refused, and who hears them is in the room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered
from dungeonlab_conformance.clients.sender import Sender
from dungeonlab_conformance.payloads.ids import ids_of
from dungeonlab_conformance.payloads.requests import needed_ids, valid_request
from dungeonlab_conformance.record.acknowledgement import Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.evidence import evidence, shown_by, was_denied
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Observation, Request, RequestOutcome, SentRequest
from dungeonlab_conformance.results.errors import Missing, Unjudged
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import examples

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.stage import Stage

_HERE = ("gamemaster", "bob", "alice", "carol")  # who may talk in the scene's session, by preference
_THERE = ("dave", "dave", "gamemaster", "carol")  # in the second one; carol last, who may be wanted in the first
_MESSAGE = "chat-message"
MOVES = ("join-session", "leave-session")  # what changes in which room a connection is, and is not broadcast


class Inquiry:
    """The inquiries of one scene. In each session two members are seated when it first needs them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seats: dict[str, asyncio.Task[tuple[Actor, Actor]]] = {}  # by session

    async def prepare(self, event: str, session: str) -> None:
        """Seat the two before something is sent that may go without an answer. What keeps them out is found later."""
        if event in self._stage.target.workarounds.silent:
            try:
                await self.members_of(session)
            except Unjudged:
                return

    def tells(self, request: Request) -> bool:
        """Whether to send this without a callback: it would get no answer, and a refusal shows only so."""
        workarounds = self._stage.target.workarounds
        return request.event in workarounds.reported and workarounds.never_answers(request.event)

    def usual(self, request: Request) -> Request | None:
        """Return a request of the same event about the same things that says what is usual; None if it says nothing."""
        event = Catalogue.load()[request.event]
        ids = ids_of(request.args[0])
        if not needed_ids(event) <= ids.keys() or examples(event.name, "valid")["minimal"].keys() <= ids.keys():
            return None
        return valid_request(event, ids, full=event.name in self._stage.target.workarounds.full_only)

    async def __call__(self, sender: Sender, request: Request, *, expected: bool) -> Inferred | None:
        """Return what became of a request, which is sent here if it `tells` it; None if nothing shows it.

        Where it is `expected` to be accepted, it also counts that no refusal comes. Raises `Gone` if the connection is
        closed over it.
        """
        row = Catalogue.load().events.get(request.event)
        if self.tells(request):
            sent = await sender.send_without_callback(request, moves=False)
            if request.event in MOVES and request.legal:
                found = await self._moved(sender, sent, expected=expected)
            else:
                found = await self._acted(sender, sent, row, expected=expected)
            if found is None and sender.closed:
                raise sender.gone(f"{sender.name}'s connection was closed after {request.event}")
            return found
        last = self._stage.journal.last_sent(request)
        if last is None or row is None:
            return None
        if request.event in self._stage.target.workarounds.refused_silently:
            if request.event not in MOVES and await _is_answered_now(sender, request):
                return None
            return _inferred(
                last, "refused", "what is accepted is acknowledged, other requests were answered meanwhile"
            )
        if request.event in MOVES:
            return await self._presence(sender, last)
        return await self._overheard(sender, last) if row.is_broadcast else None

    # -- requests without a callback -----------------------------------------------------------------

    async def _acted(self, sender: Sender, sent: SentRequest, row: Event | None, *, expected: bool) -> Inferred | None:
        """Say what became of a request that was sent without a callback: its broadcast or an error event shows it."""
        limits = self._stage.target.limits
        found = await self._shown(sent, limits.sweep if expected else limits.answer)
        if found is None and row is not None and row.is_broadcast:
            found = await self._overheard(sender, sent)
            expected = expected and row.name in self._stage.target.workarounds.unheard
        if found is None and expected and await sender.fence():
            return _inferred(sent, "accepted", "it caused no error event, as what is refused does")
        return found

    async def _moved(self, sender: Sender, sent: SentRequest, *, expected: bool) -> Inferred | None:
        """Say the same of asking to join or to leave: who hears the room shows it, or an error event."""
        where = f"{sender.name} {'hears' if sent.event == 'join-session' else 'does not hear'} what is said in the room"
        if expected and await self._has_moved(sender, sent):
            return _inferred(sent, "accepted", where)
        if (found := await self._shown(sent, self._stage.target.limits.sweep)) is not None:
            return found
        moved = await self._has_moved(sender, sent)
        if moved and (expected or not sender.is_in(sent.session or "")):
            return _inferred(sent, "accepted", where)
        if moved is not None and expected:
            return _inferred(sent, "accepted", "it caused no error event, as what is refused does")
        if moved is None and not expected and sent.event == "join-session" and await self._hears_oneself(sender, sent):
            return _inferred(sent, "accepted", f"{sender.name} is heard there by another connection")
        return None

    async def _hears_oneself(self, sender: Sender, sent: SentRequest) -> bool:
        """Whether a user hears in a room what the same user says there, where nobody else could."""
        other = await self._stage.actor(sender.name, called="a listener", identity=sender.identity)
        session = sent.session or ""
        try:
            await other.connect()
            await other.send_without_callback(Request.naming("join-session", session))
            await other.fence()
            return await self._is_heard(sender, other, session)
        except Unjudged:
            return False
        finally:
            await other.close()

    async def _shown(self, sent: SentRequest, seconds: float) -> Inferred | None:
        """Wait for something that shows what became of a request; None if nothing does in so many seconds."""
        journal = self._stage.journal
        shown: asyncio.Future[Inferred] = asyncio.get_running_loop().create_future()

        def look(seen: Observation) -> None:
            if not shown.done() and (found := shown_by(journal, seen, sent)) is not None:
                shown.set_result(found)

        for seen in list(journal.observations):
            look(seen)
        unsubscribe = journal.subscribe(look)
        try:
            await asyncio.wait([shown], timeout=seconds)
        finally:
            unsubscribe()
        return shown.result() if shown.done() else None

    # -- two members ---------------------------------------------------------------------------------

    async def members_of(self, session: str) -> tuple[Actor, Actor]:
        """Return two who are in a session's room, a speaker and a listener. Raises `Unjudged` if they cannot be."""
        if not self._stage.journal.rooms.members.get(session):
            raise Unjudged("nobody is a member who could look what becomes of a request")
        taken = self._seats.get(session)
        if taken is None or (taken.done() and not taken.exception() and not self._are_there(taken.result(), session)):
            self._seats[session] = asyncio.ensure_future(self._seat(session))
        return await asyncio.shield(self._seats[session])

    def _are_there(self, seated: tuple[Actor, Actor], session: str) -> bool:
        engaged = self._engaged(session)
        stays = [None if actor.closed or actor.user in engaged else actor.stay for actor in seated]
        return all(stay is not None and stay.left_at is None for stay in stays)

    async def _seat(self, session: str) -> tuple[Actor, Actor]:
        stage, seated = self._stage, list[Actor]()
        roles = _HERE if session == stage.session else _THERE
        for role in (*roles, *roles):
            if role in stage.target.workarounds.shut_out or len(seated) == 2:
                continue
            try:
                if (await stage.roles.identity(role)).user in self._engaged(session):
                    continue
                actor = await stage.actor(role, called=("a speaker", "a listener")[len(seated)])
            except Missing:
                continue
            await actor.connect()
            seated.append(actor)
        if len(seated) < 2:
            raise Unjudged("nobody is left to look what becomes of a request")
        speaker, listener = seated
        if "join-session" in stage.target.workarounds.silent - stage.target.workarounds.refused_silently:
            await self._sit_down_unanswered(speaker, listener, session)
            return speaker, listener
        try:
            for actor in seated:
                await actor.try_get_answer(Request.naming("join-session", session))
        except Unanswered:
            await self._sit_down_unanswered(speaker, listener, session)
        return speaker, listener

    def _engaged(self, session: str) -> set[str | None]:
        """Return the users who cannot be in a session's room: the scene removed them, or has them in another one."""
        rooms = self._stage.journal.rooms
        users = {stay.number: rooms.users.get(stay.connection) for stay in rooms.stays}
        removed = {users[stay.number] for stay in rooms.stays if stay.why == "revoked"}
        return removed.difference(rooms.members[session]) | {
            users[stay.number] for stay in rooms.stays if stay.session != session and stay.left_at is None
        }

    async def _sit_down_unanswered(self, speaker: Actor, listener: Actor, session: str) -> None:
        """Have both join without an answer: that one hears the other shows that both are in the room."""
        rooms = self._stage.journal.rooms
        stays = [rooms.join_asked(actor.connection, session) for actor in (speaker, listener)]
        for actor in (speaker, listener):
            await actor.send_unawaited(Request.naming("join-session", session))
            await actor.fence()
        if not await self._is_heard(speaker, listener, session):
            raise Unjudged("two members who asked to join do not hear each other")
        for stay in stays:
            rooms.joined(stay)

    async def _is_heard(self, speaker: Sender, listener: Sender, session: str, *, fenced: bool = False) -> bool:
        """Whether what the speaker says now reaches somebody; `fenced` if a round trip of theirs is waited for only.

        So it is if the speaker is refused: hardly anything is to come then.
        """
        message = valid_request(Catalogue.load()[_MESSAGE], {"sessionId": session})
        await speaker.send_unawaited(message)
        await speaker.fence()
        if fenced or was_denied(self._stage.journal, message):
            await listener.fence()
            return any(carries(seen, message) for seen in self._stage.journal.heard(listener.connection))
        assert isinstance(listener, Actor)
        return await listener.try_observe_fenced(lambda seen: carries(seen, message)) is not None

    async def _overheard(self, sender: Sender, sent: SentRequest) -> Inferred | None:
        """Say what became of a request that is broadcast: nobody hears of what is refused, while others are heard."""
        if sent.mark is None or sent.event in self._stage.target.workarounds.unheard:
            return None  # nobody would know its broadcast
        try:
            speaker, listener = await self.members_of(sent.session or "")
            stay = listener.stay
            await sender.fence()
            works = await self._is_heard(speaker, listener, sent.session or "")
        except Unjudged:
            return None
        if (found := evidence(self._stage.journal, sent)) is not None:
            return found
        if any(seen.at >= sent.at and carries(seen, sent) for seen in self._stage.journal.heard()):
            return None  # though it may be that of another one that was sent before
        if not works or stay is None or stay.acked_at is None or stay.acked_at > sent.at or listener is sender:
            return None
        return _inferred(sent, "refused", "nobody heard of it, while others were heard")

    async def _presence(self, sender: Sender, sent: SentRequest) -> Inferred | None:
        """Say what became of a request to join or to leave, by whether its sender hears the room."""
        joins, is_in = sent.event == "join-session", sender.is_in(sent.session or "")
        moved = None if joins == is_in else await self._has_moved(sender, sent)  # else there is nothing to be seen
        if moved is None:
            return None
        outcome: RequestOutcome = "accepted" if moved else "refused"
        where = "hears" if moved == joins else "does not hear"
        return _inferred(sent, outcome, f"{sender.name} {where} what is said in the room")

    async def _has_moved(self, sender: Sender, sent: SentRequest) -> bool | None:
        """Whether somebody is in the room who asked to join it, or out of it who asked to leave; None if unknown."""
        session = sent.session or ""
        try:
            speaker, listener = await self.members_of(session)
            await sender.fence()
            if sender in (speaker, listener) or not await self._is_heard(speaker, listener, session):
                return None
            is_in = await self._is_heard(speaker, sender, session, fenced=True)
        except Unjudged:
            return None
        return is_in == (sent.event == "join-session")


async def _is_answered_now(sender: Sender, request: Request) -> bool:
    """Whether the same request is answered the next time: what was lost is, and what is refused in silence is not."""
    try:
        await sender.try_get_answer(request, hurried=True)
    except Unanswered:
        return False
    except Unjudged:
        pass  # what came says neither yes nor no, but it came
    return True


def _inferred(sent: SentRequest, outcome: RequestOutcome, evidence: str) -> Inferred:
    return Inferred(sent, Arguments(), outcome, evidence)
