"""The two game sessions of a scene: created, filled with members and deleted, or taken from the target's file."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field

from dungeonlab_conformance.clients.sender import Sender
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.roles import Party
from dungeonlab_conformance.target.target import Target

LABEL = "conformance"  # what the sessions and encounters of a run are called, with the run's name behind it
_THIRD = 2  # its number; the first two are 0 and 1


@dataclass(eq=False)
class GameSession:
    """A game session, with what has been created in it so far.

    `variables` are what the steps that opened it captured. `enrolled`, `revoked` and `guests` are names of accounts;
    guests are members for as long as a scene lasts, and belong elsewhere.
    """

    session: str
    party: Party
    variables: dict[str, str] = field(default_factory=dict)
    encounters: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # encounters that were opened in it
    token: str | None = None
    enrolled: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    guests: dict[str, Identity] = field(default_factory=dict)
    first_enrolled: asyncio.Task[None] | None = None  # where it matters who is enrolled first
    deleted: bool = False
    ready_made: bool = False
    exclusive: bool = True


class GameSessions:
    """The sessions of one scene; the second is created when first needed."""

    def __init__(self, pool: AccountPool, target: Target, journal: Journal) -> None:
        self.pool = pool
        self.target = target
        self.journal = journal
        self.provisioner = pool.provisioner
        self.parties = target.parties
        self._taken: dict[int, GameSession] = {}  # the scene's own, and those kept that it uses
        self._opening: dict[int, asyncio.Task[GameSession]] = {}

    @property
    def own(self) -> GameSession:
        """The scene's own session. Raises `LookupError` before it is created."""
        if 0 not in self._taken:
            raise LookupError("the stage is not set up")
        return self._taken[0]

    @property
    def has_one_game_master(self) -> bool:
        """Whether there is a second session, and both have the same game master."""
        here, there = self.parties
        return there is not None and here.gamemaster is not None and here.gamemaster == there.gamemaster

    def is_second(self, game: GameSession) -> bool:
        """Whether a game session is the second one."""
        return self._taken.get(1) is game

    async def first(self) -> GameSession:
        """Create the first session. Members and an encounter follow when they are needed."""
        return await self._game(0)

    async def second(self) -> GameSession:
        """Return the second session with all its members; created when first needed."""
        if 1 not in self._taken:
            game = await self._game(1)
            await asyncio.gather(*map(self.enrolled, game.party.members))
        return self._taken[1]

    async def open_third(self, account: str) -> None:
        """Open a session of which somebody else is the game master; it is deleted when the scene is over.

        Raises `Missing` if the target does not say how, and `Unjudged` if that user may not.
        """
        if self.target.ready_made or self.target.keeps_sessions or not self.provisioner.offers("session.close"):
            raise Missing(self.target.advice("session.delete"))
        self._opening[_THIRD] = asyncio.ensure_future(self._open(_THIRD, Party(account, ())))
        await asyncio.shield(self._opening[_THIRD])

    async def _game(self, number: int) -> GameSession:
        party = self.parties[number]
        if party is None:
            raise Missing(self.target.advice("second-session"))
        game = self.pool.kept.get(number)
        if game is None:
            game = await self._opened(number, party)
        game.token = None
        if game.ready_made:
            await asyncio.gather(*(self.pool.identity(name) for name in sorted(game.enrolled)))
        people = {*game.enrolled, *([party.gamemaster] if party.gamemaster else [])}
        users = [(await self.pool.identity(name)).user for name in people]
        master = (await self.pool.identity(party.gamemaster)).user if party.gamemaster else None
        self.journal.rooms.opened(game.session, users, master=master, shared=not game.exclusive)
        self._taken[number] = game
        return game

    async def _opened(self, number: int, party: Party) -> GameSession:
        """Create a session in a task of its own: it is deleted afterwards even if the scene ends here."""
        if self.target.ready_made:
            made = self.target.ready_made[number]
            game = GameSession(
                made.session,
                party,
                encounters=list(made.encounters),
                enrolled=set(party.members),
                ready_made=True,
                exclusive=made.exclusive,
            )
            self.pool.kept[number] = game
            return game
        self._opening[number] = asyncio.ensure_future(self._open(number, party))
        return await asyncio.shield(self._opening[number])

    async def _open(self, number: int, party: Party) -> GameSession:
        host = await self.host(party)
        found = await self.provisioner.open_session(host, LABEL)
        game = GameSession(found["session"], party, found)
        if "encounter" in found:
            game.encounters.append(found["encounter"])
        if self.target.keeps_sessions:
            self.pool.kept[number] = game
        return game

    async def host(self, party: Party) -> Identity:
        """Return the game master, in whose name a session is changed over HTTP."""
        if party.gamemaster is None:
            raise Missing(self.target.advice("gamemaster"))
        return await self.pool.identity(party.gamemaster)

    async def enrolled(self, account: str) -> Identity:
        """Return who the user of an account is, enrolled wherever the account belongs."""
        identity = await self.pool.identity(account)
        for game in self._taken.values():
            if account not in game.party.members:
                continue
            if self.target.workarounds.members_differ:
                await self._enrol_the_first(game)
            if account not in game.enrolled:
                game.enrolled.add(account)
                await self._enrol(identity, game)
        return identity

    async def _enrol_the_first(self, game: GameSession) -> None:
        """Enrol the first of those who belong to a session before anybody else, also where others are needed first."""
        first = game.party.members[0]
        if game.first_enrolled is None and first not in game.enrolled:
            game.enrolled.add(first)
            game.first_enrolled = asyncio.ensure_future(self._enrol_account(first, game))
        if game.first_enrolled is not None:
            await asyncio.shield(game.first_enrolled)

    async def _enrol_account(self, account: str, game: GameSession) -> None:
        try:
            await self._enrol(await self.pool.identity(account), game)
        except BaseException:
            game.enrolled.discard(account)
            game.first_enrolled = None  # it is tried again
            raise

    async def _enrol(self, identity: Identity, game: GameSession) -> None:
        if not self.target.joining_enrols:
            await self.provisioner.add_member(await self.host(game.party), game.session, identity, game.variables)
        self.journal.rooms.enrolled(game.session, identity.user)
        if self.target.joining_enrols and not self.journal.rooms.is_anywhere(identity.user):
            joining = Sender(identity.name, identity, self.target, self.journal)
            await joining.connect()
            try:
                await joining.join(game.session)
            finally:
                await joining.close()

    async def encounter(self, game: GameSession) -> str:
        """Return the encounter of a game session; created when first needed."""
        if not game.encounters:
            game.encounters.append(await self._open_encounter(game))
        return game.encounters[0]

    async def with_another_encounter(self, game: GameSession) -> GameSession:
        """Return a game session with another encounter, created just now where the target says how."""
        if self.provisioner.offers("encounter.open"):
            return dataclasses.replace(game, encounters=[await self._open_encounter(game)], token=None)
        if len(game.encounters) > 1:
            return dataclasses.replace(game, encounters=game.encounters[1:], token=None)
        raise Missing(self.target.advice("second-encounter"))

    async def another_encounter(self, game: GameSession) -> str:
        """Open another encounter in a session, and return its id. Raises `Missing` if the target does not say how."""
        game.encounters.append(await self._open_encounter(game))
        return game.encounters[-1]

    async def _open_encounter(self, game: GameSession) -> str:
        if not self.provisioner.offers("encounter.open"):
            raise Missing(self.target.advice("encounter.open"))
        host = await self.host(game.party)
        game.made.append(await self.provisioner.open_encounter(host, game.session, LABEL, game.variables))
        self.journal.rooms.encounter_opened(game.made[-1])
        return game.made[-1]

    async def open_token(self, game: GameSession) -> str | None:
        """Make a token over HTTP, where the target says how; None if it does not."""
        if not self.provisioner.offers("token.open"):
            return None
        host = await self.host(game.party)
        return await self.provisioner.open_token(host, game.session, await self.encounter(game), game.variables)

    async def revoke(self, game: GameSession, member: Identity) -> None:
        """Revoke a membership. Where the session outlives the scene, the target must be able to restore it."""
        if not self.provisioner.offers("membership.remove"):
            raise Missing(self.target.advice("membership.remove"))
        if game in self.pool.kept.values():
            if not self.target.joining_enrols and not self.provisioner.offers("membership.add"):
                raise Missing(self.target.advice("membership.add"))
            game.revoked.add(member.name)
        await self._remove(game, member)

    async def _remove(self, game: GameSession, member: Identity) -> None:
        await self.end_participation(game, member)
        game.enrolled.discard(member.name)
        self.journal.rooms.removed(game.session, member.user)

    async def end_participation(self, game: GameSession, who: Identity) -> None:
        """Have the server take somebody off the participants; a game master remains a member all the same."""
        await self.provisioner.remove_member(await self.host(game.party), game.session, who, game.variables)
        game.guests.pop(who.name, None)

    async def take_in(self, game: GameSession, who: Identity) -> None:
        """Enrol somebody whose membership was revoked, or a guest, whose membership can be revoked again."""
        if not self.provisioner.offers("membership.remove"):
            raise Missing(self.target.advice("membership.remove"))
        if who.name in game.party.members:
            game.enrolled.add(who.name)
        else:
            game.guests[who.name] = who
        await self._enrol(who, game)

    def ids(self) -> dict[str, str]:
        """Return the ids of all that was set up, by what they are of; those of the second session begin with other-."""
        found = {}
        for number, game in self._taken.items():
            prefix = "other-" if number else ""
            found[f"{prefix}session"] = game.session
            if game.encounters:
                found[f"{prefix}encounter"] = game.encounters[0]
            if game.token:
                found[f"{prefix}token"] = game.token
        return found

    async def clear(self) -> None:
        """Delete what was created for this scene, and restore the memberships it revoked in sessions that stay.

        Raises `Unjudged` with what could not be done, when all else is.
        """
        before, self.pool.leftovers = self.pool.leftovers, True  # unless it succeeds, in time
        opened = await asyncio.gather(*self._opening.values(), return_exceptions=True)
        left = [self._remove(game, who) for game in self._taken.values() for who in list(game.guests.values())]
        results = await asyncio.gather(*left, return_exceptions=True)
        mine = [p for p in opened if isinstance(p, GameSession) and not p.deleted and p not in self.pool.kept.values()]
        taken = {account for game in self._taken.values() for account in game.revoked - game.enrolled}
        for game in self._taken.values():
            game.revoked.clear()
        acts = [close(self.pool, game) for game in mine] + [self._give_back(account) for account in sorted(taken)]
        results += await asyncio.gather(*acts, return_exceptions=True)
        wrong = [result for result in results if isinstance(result, BaseException)]
        for fault in wrong:
            if not isinstance(fault, Unjudged | TargetFault):
                raise fault
        if wrong:
            raise Unjudged("; ".join(map(str, wrong)))
        self.pool.leftovers = before

    async def _give_back(self, account: str) -> None:
        await self.enrolled(account)


async def close(pool: AccountPool, game: GameSession) -> None:
    """Delete a session, or the encounters that were created in one that stays, if the target says how."""
    if game.party.gamemaster is None:
        return
    host = await pool.identity(game.party.gamemaster)
    if game.ready_made or not pool.provisioner.offers("session.close"):
        for encounter in game.made:
            await pool.provisioner.close_encounter(host, game.session, encounter, game.variables)
    if not game.ready_made:
        await pool.provisioner.close_session(host, game.session, game.variables)


async def delete(pool: AccountPool, game: GameSession, journal: Journal) -> None:
    """Delete a session that was opened for one scene, within the scene. Raises `Missing` if that cannot be done."""
    if game in pool.kept.values() or game.party.gamemaster is None or not pool.provisioner.offers("session.close"):
        raise Missing(pool.provisioner.target.advice("session.delete"))
    game.deleted = True
    game.guests.clear()
    await pool.provisioner.close_session(await pool.identity(game.party.gamemaster), game.session, game.variables)
    for user in journal.rooms.members[game.session]:
        journal.rooms.removed(game.session, user)
