"""The two game sessions of a scene: opened, peopled and cleared away, or taken as the target's file names them."""

from __future__ import annotations

import asyncio
import dataclasses

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.accounts import Cast
from dungeonlab_conformance.stage.place import Place
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.roles import Party
from dungeonlab_conformance.target.target import Target

LABEL = "conformance"  # what the sessions and encounters of a run are called, with the run's name behind it


class Places:
    """The sessions of one scene; the second is there when first asked for."""

    def __init__(self, cast: Cast, target: Target, journal: Journal) -> None:
        self.cast = cast
        self.target = target
        self.journal = journal
        self.backstage = cast.backstage
        self.parties = target.parties
        self._taken: dict[int, Place] = {}  # the scene's own, and those kept that it uses
        self._opening: dict[int, asyncio.Task[Place]] = {}

    @property
    def here(self) -> Place:
        """The scene's own session. Raises `LookupError` before it is open."""
        if 0 not in self._taken:
            raise LookupError("the stage is not set")
        return self._taken[0]

    def is_second(self, place: Place) -> bool:
        """Whether a place is the second session."""
        return self._taken.get(1) is place

    async def first(self) -> Place:
        """Open the first session. Members and an encounter follow when they are needed."""
        return await self._place(0)

    async def second(self) -> Place:
        """Return the second session with all its members; opened when first needed."""
        if 1 not in self._taken:
            place = await self._place(1)
            await asyncio.gather(*map(self.enrolled, place.party.members))
        return self._taken[1]

    async def _place(self, number: int) -> Place:
        party = self.parties[number]
        if party is None:
            raise Missing(self.target.advice("second-session"))
        place = self.cast.kept.get(number)
        if place is None:
            place = await self._opened(number, party)
        place.token = None
        if place.ready_made:
            await asyncio.gather(*(self.cast.identity(name) for name in sorted(place.enrolled)))
        people = {*place.enrolled, *([party.gamemaster] if party.gamemaster else [])}
        users = [(await self.cast.identity(name)).user for name in people]
        self.journal.rooms.opened(place.session, users, shared=not place.exclusive)
        self._taken[number] = place
        return place

    async def _opened(self, number: int, party: Party) -> Place:
        """Open a session in a task of its own: what has been asked for is cleared away even if the scene ends here."""
        if self.target.ready_made:
            made = self.target.ready_made[number]
            place = Place(
                made.session,
                party,
                encounters=list(made.encounters),
                enrolled=set(party.members),
                ready_made=True,
                exclusive=made.exclusive,
            )
            self.cast.kept[number] = place
            return place
        self._opening[number] = asyncio.ensure_future(self._open(number, party))
        return await asyncio.shield(self._opening[number])

    async def _open(self, number: int, party: Party) -> Place:
        host = await self.host(party)
        found = await self.backstage.open_session(host, LABEL)
        place = Place(found["session"], party, found)
        if "encounter" in found:
            place.encounters.append(found["encounter"])
        if self.target.keeps_sessions:
            self.cast.kept[number] = place
        return place

    async def host(self, party: Party) -> Identity:
        """Return the game master, who does what is done to a session over HTTP."""
        if party.gamemaster is None:
            raise Missing(self.target.advice("gamemaster"))
        return await self.cast.identity(party.gamemaster)

    async def enrolled(self, account: str) -> Identity:
        """Return who the user of an account is, enrolled wherever the account belongs."""
        identity = await self.cast.identity(account)
        for place in self._taken.values():
            if account in place.party.members and account not in place.enrolled:
                place.enrolled.add(account)
                await self.backstage.add_member(await self.host(place.party), place.session, identity, place.variables)
                self.journal.rooms.enrolled(place.session, identity.user)
        return identity

    async def encounter(self, place: Place) -> str:
        """Return the encounter of a place; opened when first needed."""
        if not place.encounters:
            place.encounters.append(await self._open_encounter(place))
        return place.encounters[0]

    async def with_another_encounter(self, place: Place) -> Place:
        """Return a place with a further encounter, opened just now if the target can."""
        if self.backstage.offers("encounter.open"):
            return dataclasses.replace(place, encounters=[await self._open_encounter(place)], token=None)
        if len(place.encounters) > 1:
            return dataclasses.replace(place, encounters=place.encounters[1:], token=None)
        raise Missing(self.target.advice("second-encounter"))

    async def _open_encounter(self, place: Place) -> str:
        if not self.backstage.offers("encounter.open"):
            raise Missing(self.target.advice("encounter.open"))
        host = await self.host(place.party)
        place.made.append(await self.backstage.open_encounter(host, place.session, LABEL, place.variables))
        return place.made[-1]

    async def revoke(self, place: Place, member: Identity) -> None:
        """Take a membership away. Where the session outlives the scene, it must be possible to give it back."""
        if not self.backstage.offers("membership.remove"):
            raise Missing(self.target.advice("membership.remove"))
        if place in self.cast.kept.values():
            if not self.backstage.offers("membership.add"):
                raise Missing(self.target.advice("membership.add"))
            place.revoked.add(member.name)
        await self.backstage.remove_member(await self.host(place.party), place.session, member, place.variables)
        place.enrolled.discard(member.name)
        self.journal.rooms.removed(place.session, member.user)

    def ids(self) -> dict[str, str]:
        """Return the ids of all that was set up, by what they are of; those of the second session begin with other-."""
        found = {}
        for number, place in self._taken.items():
            prefix = "other-" if number else ""
            found[f"{prefix}session"] = place.session
            if place.encounters:
                found[f"{prefix}encounter"] = place.encounters[0]
            if place.token:
                found[f"{prefix}token"] = place.token
        return found

    async def clear(self) -> None:
        """Close what was opened for this scene, and give back the memberships it took from others' sessions.

        Raises `Unjudged` with what could not be done, when all else is.
        """
        opened = await asyncio.gather(*self._opening.values(), return_exceptions=True)
        mine = [p for p in opened if isinstance(p, Place) and p not in self.cast.kept.values()]
        taken = {account for place in self._taken.values() for account in place.revoked - place.enrolled}
        for place in self._taken.values():
            place.revoked.clear()
        acts = [close(self.cast, place) for place in mine] + [self._give_back(account) for account in sorted(taken)]
        wrong = [r for r in await asyncio.gather(*acts, return_exceptions=True) if isinstance(r, BaseException)]
        for fault in wrong:
            if not isinstance(fault, Unjudged | TargetFault):
                raise fault
        if wrong:
            raise Unjudged("; ".join(map(str, wrong)))

    async def _give_back(self, account: str) -> None:
        await self.enrolled(account)


async def close(cast: Cast, place: Place) -> None:
    """Clear a session away, or the encounters that were opened in one that stays, if the target says how."""
    if place.party.gamemaster is None:
        return
    host = await cast.identity(place.party.gamemaster)
    if place.ready_made or not cast.backstage.offers("session.close"):
        for encounter in place.made:
            await cast.backstage.close_encounter(host, place.session, encounter, place.variables)
    if not place.ready_made:
        await cast.backstage.close_session(host, place.session, place.variables)
