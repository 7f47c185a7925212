"""Finds out before the first scene where a server does not do what all scenes rest on, so that they can do otherwise.

Judges nothing: each of these has a scene of its own, which does.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, Unreadable
from dungeonlab_conformance.payloads.refused import for_something_unknown, malformed
from dungeonlab_conformance.record.acknowledgement import UNKNOWN_TOKEN, Acknowledgement
from dungeonlab_conformance.record.evidence import evidence, shown_by
from dungeonlab_conformance.record.marks import carries, contains
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest
from dungeonlab_conformance.results.errors import Gone, Missing, TargetFault, Unjudged
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import is_own_event

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.stage import Stage

_CHAT = "chat-message"
_MEMBERS = ("alice", "bob", "gamemaster")
_TRIED_APART = ("join-session", "leave-session", "get-user-data", "token:create")


class Survey:
    """One look at a server, on a stage of its own; what is found goes into the target's workarounds."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.found = stage.target.workarounds
        self._members: dict[str, Actor] = {}
        self._acknowledged: set[str] = set()  # events of which an accepted request was

    async def carry_out(self) -> None:
        """Have members join, send one of everything, and something of each that is refused. Raises nothing."""
        try:
            async with asyncio.timeout(self.stage.target.limits.scene):
                await self._look()
        except (TimeoutError, Unjudged, TargetFault):
            return  # whatever it is, the scenes run into it as well, and say so

    async def _look(self) -> None:
        await self.stage.set_up()
        await self._find_transport()
        *members, _ = await asyncio.gather(*map(self._join, _MEMBERS), self._ask_for_a_profile())
        joined = dict(zip(_MEMBERS, members, strict=True))
        self._members = {role: actor for role, actor in joined.items() if actor is not None}
        events = [event for event in Catalogue.load() if event.request and self.stage.target.offers(event.name)]
        everyday = [event for event in events if event.name not in _TRIED_APART]
        if any(event.name == "token:create" for event in events):
            await self._create(Catalogue.load()["token:create"])
        await asyncio.gather(*map(self._try, everyday))
        await self._compare_members()
        await self._leave()
        if self.found.silent and await self._goes_without_callback():
            await asyncio.gather(*map(self._ask_without_callback, events))
        await asyncio.gather(*map(self._ask_for_something_unknown, events))

    async def _find_transport(self) -> None:
        """Connect by the usual transport, or else by another one."""
        target = self.stage.target
        alice = await self.stage.actor("alice")
        for transport in (target.transport, *target.other_transports(target.transport)):
            try:
                await alice.connect(transport=transport)
            except Unjudged:
                continue
            await alice.close()
            self.found.transport = transport if transport != target.transport else ""
            return

    async def _join(self, role: str) -> Actor | None:
        try:
            actor: Actor = await self.stage.connected(role)
        except Missing:
            return None
        answer = await self._answer(actor, Request.naming("join-session", self.stage.session))
        if answer is not None and not answer.accepted:
            self.found.shut_out.add(role)
            return None
        return actor

    async def _ask_for_a_profile(self) -> None:
        """Ask something while others join: where neither is answered, nothing else need be waited for as long."""
        if self.stage.target.offers("get-user-data"):
            await self._try_both(Catalogue.load()["get-user-data"], await self.stage.connected("alice"))

    async def _leave(self) -> None:
        if self.stage.target.offers("leave-session") and (actor := self._members.pop("bob", None)) is not None:
            await self._answer(actor, Request.naming("leave-session", self.stage.session))

    async def _answer(self, actor: Actor, request: Request) -> Acknowledgement | None:
        """Return the answer to a request; None, and the event is noted as silent, if there is none that can be read."""
        try:
            if self.stage.target.dialect.answer_to(request.event) != "none":
                answer = await actor.try_get_answer(request, hurried=self.stage.target.limits.answers_nothing)
                if answer.code == UNKNOWN_TOKEN:
                    answer = await actor.try_until_it_is_there(request)
                if answer.accepted:
                    self._acknowledged.add(request.event)
                return answer
            await actor.send_unawaited(request)
            await actor.fence()
        except (Unanswered, Unreadable):
            pass
        self.found.silent.add(request.event)
        return None

    async def _create(self, event: Event) -> None:
        """Find out who may create tokens, and of which drafts."""
        for role, actor in self._members.items():
            drafts = {
                full: await self._is_accepted(actor, await self.stage.request(event, full=full))
                for full in (True, False)
            }
            if drafts[True] and not drafts[False]:
                self.found.full_only.add(event.name)
            elif drafts[False] and not drafts[True]:
                self.found.minimal_only.add(event.name)
            if any(drafts.values()):
                break
            self.found.cannot_create.add(role)
        if {"alice", "bob"} <= self.found.cannot_create:
            self.found.cannot_create |= {"carol", "dave"}  # who are members like them

    async def _try(self, event: Event) -> None:
        actor = next(iter(self._members.values()), None)
        if actor is None:
            return
        try:
            await self._try_both(event, actor)
        except Gone:
            raise
        except Unjudged:
            return  # what it needs cannot be prepared

    async def _try_both(self, event: Event, actor: Actor) -> None:
        """Send the smallest request; where it is refused, the fullest one."""
        accepted = await self._is_accepted(actor, await self.stage.request(event, full=False))
        if not accepted and await self._is_accepted(actor, await self.stage.request(event, full=True)):
            self.found.full_only.add(event.name)

    async def _compare_members(self) -> None:
        """Find out whether one of two members may chat, and the other may not; who may not is asked for no token."""
        if not {"alice", "bob"} <= self._members.keys() or _CHAT in {*self.stage.target.absent, *self.found.silent}:
            return
        chat = Catalogue.load()[_CHAT]
        try:
            may = {
                role: await self._is_accepted(actor, await self.stage.request(chat))
                for role, actor in self._members.items()
            }
        except Gone:
            raise
        except Unjudged:
            return  # such as a limit
        if may["alice"] != may["bob"]:
            self.found.members_differ = True
            self.found.cannot_create |= {role for role in may if not may[role]} | {"carol"}

    async def _is_accepted(self, actor: Actor, request: Request) -> bool:
        """Whether a request is accepted, or may have been; whether others hear it is noted."""
        answer = await self._answer(actor, request)
        sent = self.stage.journal.last_sent(request)
        others = [other for other in self._members.values() if other is not actor]
        if (answer is None or answer.accepted) and Catalogue.load()[request.event].is_broadcast and others:
            await asyncio.gather(*(other.fence() for other in others))
            if sent is None or evidence(self.stage.journal, sent) is None:
                late = others[0].try_observe(lambda _: any(other.deliveries_of(request) for other in others))
                if await late is None:
                    self._note_unheard(request, self._other_name(sent) if sent else None)
        return answer is None or answer.accepted

    def _note_unheard(self, request: Request, name: str | None) -> None:
        """Note that nobody heard a request's broadcast under its own name, but under another, if that is given."""
        if name is None:
            self.found.unheard.add(request.event)
        else:
            target = self.stage.target
            target.dialect = target.dialect.with_guess(request.event, name)

    def _other_name(self, sent: SentRequest) -> str | None:
        """Return the name under which a request was broadcast, if that is neither the protocol's nor begins with x-."""
        catalogue = Catalogue.load()
        for seen in self.stage.journal.heard():
            is_unknown = isinstance(seen.event, str) and seen.event not in catalogue and not is_own_event(seen.event)
            is_elsewhere = seen.connection != sent.connection and seen.at >= sent.at
            if is_unknown and is_elsewhere and sent.mark is not None and contains(seen.args, sent.mark):
                return seen.event
        return None

    async def _ask_for_something_unknown(self, event: Event) -> None:
        actor = next(iter(self._members.values()), None)
        if actor is None or event.name in self.found.silent:
            return
        try:
            request = for_something_unknown(event, await self.stage.request(event, full=False))
            unanswered = await self._answer(actor, request) is None and event.name in self._acknowledged
            if unanswered and not self._goes_astray(actor):
                self.found.refused_silently.add(event.name)
        except Gone:
            raise
        except Unjudged:
            return

    def _goes_astray(self, actor: Actor) -> bool:
        """Whether somebody was sent an answer that belongs to no request: that may have been the one to this."""
        sent = (seen for seen in self.stage.journal.observations if seen.connection == actor.connection)
        return any(seen.act == "is sent" for seen in sent)

    async def _goes_without_callback(self) -> bool:
        """Whether a request without a callback takes effect: otherwise what comes of one shows nothing.

        Where none takes effect at all, it is enough that this one is refused by an error event.
        """
        refused = False
        for speaker, listener in itertools.permutations(self._members.values(), 2):
            message = await self.stage.request(Catalogue.load()[_CHAT])
            sent = await speaker.send_without_callback(message)
            if await listener.try_observe(partial(carries, request=message)) is not None:
                return True
            refused = refused or evidence(self.stage.journal, sent) is not None
        return refused and _CHAT in self.found.unheard

    async def _ask_without_callback(self, event: Event) -> None:
        """Find out whether a refusal that is not acknowledged shows by an error event, if there is no callback."""
        if event.name not in self.found.silent:
            return
        try:
            actor = next(iter(self._members.values()))
            unknown = for_something_unknown(event, await self.stage.request(event, full=False))
            for request in (unknown, malformed(event)):
                sent = await actor.send_without_callback(request, moves=False)
                found = await actor.try_observe(partial(self._refuses, sent))
                if found is not None:
                    self.found.reported.add(event.name)
                    return
        except Gone:
            raise
        except Unjudged:
            return

    def _refuses(self, sent: SentRequest, seen: Observation) -> bool:
        found = shown_by(self.stage.journal, seen, sent)
        return found is not None and not found.accepted
