"""A fresh game session with its cast: what a scene acts on. Cleared away when the recorders may go off.

The cast, by name: `gamemaster` (not among the participants), `alice` and `bob` (members), `carol` (member of
a second session too), `dave` (member of the second session only), `mallory` (a valid account, member of
nothing), `nobody` (not logged in).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.actor import Actor
from dungeonlab_conformance.backstage import Backstage
from dungeonlab_conformance.journal import Journal, Said, new_mark
from dungeonlab_conformance.raw import RawConnection
from dungeonlab_conformance.target import Identity, Target
from dungeonlab_conformance.verdict import Broken, Gone, Unjudged
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import examples


@dataclass(eq=False)
class Cast:
    """The accounts of one lane: made when first needed, kept for the run, never in two scenes at once."""

    lane: int
    backstage: Backstage
    busy_until: float = 0.0
    _identities: dict[str, Identity] = field(default_factory=dict)
    _stale: dict[str, Identity] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def identity(self, name: str) -> Identity:
        """Return who somebody is, logged in."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self._identities:
                stale = self._stale.pop(name, None)
                self._identities[name] = await self.backstage.log_in(name, self.lane, again=stale)
            return self._identities[name]

    def known(self) -> dict[str, Identity]:
        """Return everybody who has been logged in so far."""
        return dict(self._identities)

    def forget(self, name: str) -> None:
        """Log somebody in anew before the next scene: this login may be dead."""
        self._stale[name] = self._identities.pop(name)


@dataclass(eq=False)
class Place:
    """A game session, with what has been set up in it so far."""

    session: str
    members: tuple[str, ...] = ()  # who belongs here; each is enrolled when first needed
    encounter: str | None = None
    token: str | None = None
    enrolled: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Stage:
    """What a scene acts on.

    `judged` holds, for each requirement, what the scene found: nothing, findings, or why it could not tell.
    """

    cast: Cast
    target: Target
    event: Event | None = None
    wanted: frozenset[str] = frozenset()
    journal: Journal = field(default_factory=Journal)
    judged: dict[str, list[Broken | Unjudged]] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    raws: list[RawConnection] = field(default_factory=list)
    _here: Place | None = None
    _there: Place | None = None

    # -- judging -------------------------------------------------------------------------------------

    async def judge(self, requirement: str, act: Awaitable[object]) -> None:
        """Await one act and put down what it showed about one requirement; goes on unless the server is gone."""
        if requirement not in self.wanted:
            if asyncio.iscoroutine(act):
                act.close()
            return
        found = self.judged.setdefault(requirement, [])
        try:
            await act
        except Gone as gone:
            found.append(gone)
            raise
        except (Broken, Unjudged) as result:
            found.append(result)

    async def judge_all(self, act: Awaitable[object]) -> None:
        """Await one act that gives the invariants of all this scene's requirements something to see."""
        await act
        for requirement in self.wanted:
            self.judged.setdefault(requirement, [])

    # -- setting -------------------------------------------------------------------------------------

    @property
    def here(self) -> Place:
        """The scene's own session."""
        if self._here is None:
            raise LookupError("the stage is not set")
        return self._here

    @property
    def session(self) -> str:
        """The id of the scene's own session."""
        return self.here.session

    async def set(self) -> None:
        """Open the session. Members and an encounter follow when they are needed."""
        self._here = await self._open("alice", "bob", "carol")

    async def there(self) -> Place:
        """Return the second session, with carol and dave; opened when first needed."""
        if self._there is None:
            self._there = await self._open("carol", "dave")
            await asyncio.gather(*map(self.member, self._there.members))
        return self._there

    async def _open(self, *members: str) -> Place:
        host = await self.cast.identity("gamemaster")
        session = await self.cast.backstage.open_session(host, "conformance")
        self.journal.members[session] = {host.user}
        return Place(session, members)

    async def member(self, name: str) -> Identity:
        """Return who somebody is, enrolled wherever they belong."""
        identity = await self.cast.identity(name)
        host = await self.cast.identity("gamemaster")
        for place in (self._here, self._there):
            if place and name in place.members and name not in place.enrolled:
                place.enrolled.add(name)
                await self.cast.backstage.enrol(host, place.session, identity)
                self.journal.members[place.session].add(identity.user)
        return identity

    async def encounter(self, place: Place) -> str:
        """Return the encounter of a place; opened when first needed."""
        if place.encounter is None:
            host = await self.cast.identity("gamemaster")
            place.encounter = await self.cast.backstage.open_encounter(host, place.session, "conformance")
        return place.encounter

    async def revoke(self, actor: Actor) -> None:
        """Take an actor's membership of this scene's session away."""
        host = await self.cast.identity("gamemaster")
        assert actor.identity is not None
        await self.cast.backstage.revoke(host, self.session, actor.identity)
        now = self.journal.write(actor.name, actor.connection, "is removed", "").at
        self.journal.members[self.session].discard(actor.identity.user)
        for seat in self.journal.seats:
            if self.journal.users.get(seat.connection) == actor.user and seat.until is None:
                seat.until, seat.why = now, "revoked"

    async def strike(self) -> None:
        """Clear everything away: connections, then sessions."""
        await asyncio.gather(*(actor.leave_stage() for actor in self.actors), *(raw.close() for raw in self.raws))
        places = [place for place in (self._here, self._there) if place]
        if places:
            host = await self.cast.identity("gamemaster")
            await asyncio.gather(*(self.cast.backstage.close_session(host, p.session) for p in places))

    def ids(self) -> dict[str, str]:
        """Return the ids of all that was set up, by what they are of."""
        found = {name: who.user for name, who in self.cast.known().items()}
        for place, prefix in ((self._here, ""), (self._there, "other-")):
            if place:
                found[f"{prefix}session"] = place.session
                if place.encounter:
                    found[f"{prefix}encounter"] = place.encounter
                if place.token:
                    found[f"{prefix}token"] = place.token
        return found

    # -- the cast ------------------------------------------------------------------------------------

    async def actor(self, name: str, *, called: str | None = None, identity: Identity | None = None) -> Actor:
        """Return somebody who has not connected yet."""
        if identity is None and name != "nobody":
            identity = await self.member(name)
        actor = Actor(called or name, identity, self.target, self.journal)
        self.actors.append(actor)
        return actor

    async def connected(self, *names: str, transport: str | None = None) -> Any:
        """Connect each of the named; returns the actor, or a list if there are several."""
        actors = await asyncio.gather(*map(self.actor, names))
        await asyncio.gather(*(actor.connect(transport=transport) for actor in actors))
        return actors[0] if len(actors) == 1 else actors

    async def joined(self, *names: str, transport: str | None = None) -> Any:
        """Connect each of the named and seat them in this scene's session."""
        actors = await asyncio.gather(*map(self.actor, names))
        await asyncio.gather(*(actor.connect(transport=transport) for actor in actors))
        await asyncio.gather(*(actor.joins(self.session) for actor in actors))
        return actors[0] if len(actors) == 1 else actors

    async def other_tab(self, actor: Actor) -> Actor:
        """Connect the same user once more."""
        other = await self.actor(actor.name, called=f"{actor.name}'s other tab", identity=actor.identity)
        await other.connect()
        return other

    async def elsewhere(self, name: str) -> Actor:
        """Connect somebody and seat them in the second session."""
        place = await self.there()
        actor: Actor = await self.connected(name)
        await actor.joins(place.session)
        return actor

    async def raw(self, name: str, *, entered: bool = True) -> RawConnection:
        """Connect somebody by bare frames, into the default namespace unless told otherwise."""
        identity = None if name == "nobody" else await self.member(name)
        raw = RawConnection(name, identity, self.target, self.journal)
        self.raws.append(raw)
        await (raw.connect() if entered else raw.open())
        return raw

    # -- requests ------------------------------------------------------------------------------------

    async def request(self, event: Event, *, place: Place | None = None, fresh: bool = False) -> Said:
        """Return a valid request that nobody has sent yet, with a mark of its own.

        A token it needs is made first, and is made anew for a request that would end it or if `fresh`.
        """
        place = place or self.here
        payload = copy.deepcopy(examples(event.name, "valid")["minimal"])
        known: dict[str, str] = {"sessionId": place.session}
        if _names(payload, "encounterId"):
            known["encounterId"] = await self.encounter(place)
        if _names(payload, "tokenId"):
            known["tokenId"] = await self._token(place, anew=fresh or event.effect == "removes-token")
        _settle(payload, known)
        mark: str | int | None = None
        if event.mark == "/tokenId":
            mark = known["tokenId"]
        elif event.mark:
            mark = _put_mark(payload, event.mark)
        return Said(event.name, (payload,), mark, place.session)

    async def _token(self, place: Place, *, anew: bool) -> str:
        if place.token is None or anew:
            maker = await self._maker(place)
            said = await self.request(Catalogue.load()["token:create"], place=place)
            token = (await maker.does(said)).data.get("token")
            made = token.get("id") if isinstance(token, dict) else None
            if not isinstance(made, str):
                raise Unjudged("token:create was acknowledged without the token's id")
            if anew:
                return made
            place.token = made
        return place.token

    async def _maker(self, place: Place) -> Actor:
        for actor in self.actors:
            seat = None if actor.closed else actor.seat
            if seat and seat.session == place.session and seat.until is None:
                return actor
        if place is self._there:
            return await self.elsewhere("dave")
        maker: Actor = await self.joined("gamemaster")
        return maker


def _names(payload: object, key: str) -> bool:
    if isinstance(payload, dict):
        return key in payload or any(_names(value, key) for value in payload.values())
    return False


def _settle(payload: object, known: dict[str, str]) -> None:
    if isinstance(payload, dict):
        for key, value in payload.items():
            if key in known:
                payload[key] = known[key]
            else:
                _settle(value, known)


def _put_mark(payload: Any, pointer: str) -> str | int:
    *path, last = pointer.strip("/").split("/")
    for part in path:
        payload = payload[part]
    payload[last] = new_mark(payload[last])
    mark: str | int = payload[last]
    return mark
