"""Finds out what became of a request that was not acknowledged, by two members of the session who talk to each other.

What the one says reaches the other as long as the room works. So a request of which nobody hears meanwhile was
refused, and who hears them is in the room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.sender import Sender, Unanswered
from dungeonlab_conformance.payloads.requests import valid_request
from dungeonlab_conformance.record.acknowledgement import Inferred
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.evidence import evidence
from dungeonlab_conformance.record.marks import carries
from dungeonlab_conformance.record.observation import Request, RequestOutcome, SentRequest
from dungeonlab_conformance.results.errors import Missing, Unjudged
from dungeonlab_spec import Catalogue

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.stage import Stage

_HERE, _THERE = ("gamemaster", "alice", "bob", "carol"), ("carol", "dave", "gamemaster")  # who may talk, by preference
_MESSAGE = "chat-message"


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

    async def __call__(self, sender: Sender, sent: SentRequest) -> Inferred | None:
        """Return what became of a request; None if nothing shows it."""
        if sent.event in self._stage.target.workarounds.refused_silently:
            return _inferred(
                sent, "refused", "what is accepted is acknowledged, other requests were answered meanwhile"
            )
        session = sent.session or ""
        row = Catalogue.load().events.get(sent.event)
        if sent.event == "leave-session" and not sender.is_in(session):
            return None  # there is nothing to be seen
        if row is None or not (row.is_broadcast or sent.event in ("join-session", "leave-session")):
            return None
        if row.is_broadcast and (sent.mark is None or sent.event in self._stage.target.workarounds.unheard):
            return None  # nobody would know its broadcast
        try:
            speaker, listener = await self.members_of(session)
            if row.is_broadcast:
                return await self._broadcast(sender, sent, speaker, listener)
            return await self._presence(sender, sent, speaker, listener)
        except Unjudged:
            return None

    async def members_of(self, session: str) -> tuple[Actor, Actor]:
        """Return two who are in a session's room, a speaker and a listener. Raises `Unjudged` if they cannot be."""
        if session not in self._seats:
            self._seats[session] = asyncio.ensure_future(self._seat(session))
        return await asyncio.shield(self._seats[session])

    async def _seat(self, session: str) -> tuple[Actor, Actor]:
        stage, seated = self._stage, list[Actor]()
        roles = _HERE if session == stage.session else _THERE
        for role in (*roles, *roles):
            if role in stage.target.workarounds.shut_out or len(seated) == 2:
                continue
            try:
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

    async def _is_heard(self, speaker: Actor, listener: Sender, session: str, *, fenced: bool = False) -> bool:
        """Whether what the speaker says now reaches somebody; `fenced` if a round trip of theirs is waited for only."""
        message = valid_request(Catalogue.load()[_MESSAGE], {"sessionId": session})
        await speaker.send_unawaited(message)
        await speaker.fence()
        if fenced:
            await listener.fence()
            return any(carries(seen, message) for seen in self._stage.journal.heard(listener.connection))
        assert isinstance(listener, Actor)
        return await listener.try_observe_fenced(lambda seen: carries(seen, message)) is not None

    async def _broadcast(self, sender: Sender, sent: SentRequest, speaker: Actor, listener: Actor) -> Inferred | None:
        stay = listener.stay
        await sender.fence()
        works = await self._is_heard(speaker, listener, sent.session or "")
        if (found := evidence(self._stage.journal, sent)) is not None:
            return found
        if not works or stay is None or stay.acked_at is None or stay.acked_at > sent.at or listener is sender:
            return None
        return _inferred(sent, "refused", "nobody heard of it, while others were heard")

    async def _presence(self, sender: Sender, sent: SentRequest, speaker: Actor, listener: Actor) -> Inferred | None:
        """Say whether somebody is in the room by now, who asked to join or to leave it."""
        await sender.fence()
        if sender in (speaker, listener) or (sent.event == "join-session" and sender.is_in(sent.session or "")):
            return None
        if not await self._is_heard(speaker, listener, sent.session or ""):
            return None
        is_in = await self._is_heard(speaker, sender, sent.session or "", fenced=True)
        where = "hears" if is_in else "does not hear"
        accepted = is_in == (sent.event == "join-session")
        outcome: RequestOutcome = "accepted" if accepted else "refused"
        return _inferred(sent, outcome, f"{sender.name} {where} what is said in the room")


def _inferred(sent: SentRequest, outcome: RequestOutcome, evidence: str) -> Inferred:
    return Inferred(sent, Arguments(), outcome, evidence)
