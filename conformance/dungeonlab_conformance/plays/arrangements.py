"""What a play does over HTTP: logins, memberships, encounters, sessions. Each is written into the journal as a fact."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from dungeonlab_conformance.plays.acts import HERE, THERE, Act
from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.stage.sessions import GameSession, delete
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.roles import ROLES

LOGINS = ("log out", "log in", "connect with the old cookie")


class Arrangements:
    """The users, logins and game sessions of one play.

    Its methods raise `Missing` where the target does not offer what an act needs.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._games: dict[str, GameSession] = {}
        self._logins: dict[str, Identity] = {}
        self._lasting: set[str] = set()  # the roles whose only login later plays need
        self._ended: dict[str, Identity] = {}  # the login of a role that was ended last

    async def prepare(self, acts: Iterable[Act]) -> None:
        """Open the sessions, enrol everybody, and write down what is so at the beginning."""
        acts = list(acts)
        roles = dict.fromkeys(role for act in acts for role in (act.role, act.user) if role in ROLES)
        able = [role for role in roles if self.stage.roles.can_play(role)]
        await self.stage.set_up()
        self._games[HERE] = self.stage.game
        if self.stage.target.parties[1] is not None and _need_two(acts, able):
            self._games[THERE] = await self.stage.other_game()
        if not all(game.exclusive for game in self._games.values()):
            raise Missing("session of its own; others act in those that the target names")
        found = await asyncio.gather(*map(self.stage.roles.member, able))
        self._logins = dict(zip(able, found, strict=True))
        for role in {act.role for act in acts if act.does in LOGINS} & self._logins.keys():
            try:
                self._logins[role] = await self.stage.roles.second_login(role)
            except Missing:
                self._lasting.add(role)
        for game in self._games.values():
            await self._record_game(game)

    async def _record_game(self, game: GameSession) -> None:
        rooms = self.stage.journal.rooms
        master, members = rooms.masters.get(game.session), sorted(rooms.members[game.session])
        enrols = self.stage.target.joining_enrols
        whole = not game.ready_made and not enrols
        fact = {"session": game.session, "master": master, "members": members, "whole": whole, "enrols": enrols}
        fact["first"] = not self.stage.pool.leftovers
        self._fact("session.open", fact)
        with contextlib.suppress(Missing):
            await self.stage.encounter(game)
        for encounter in game.encounters:
            self._fact("encounter.open", {"session": game.session, "encounter": encounter})

    def login(self, role: str) -> Identity | None:
        """Return the newest login of a role; None if it has none, or nobody plays it."""
        return self._logins.get(role)

    def ended_login(self, role: str) -> Identity | None:
        """Return the login of a role that was ended last."""
        return self._ended.get(role)

    def game(self, slot: str) -> GameSession | None:
        """Return the session that a slot stands for; None if it stands for none that there is."""
        return self._games.get(slot)

    def other(self, slot: str) -> GameSession | None:
        """Return the session that a slot does not stand for, of the two."""
        return self._games.get(THERE if slot == HERE else HERE)

    async def carry_out(self, act: Act) -> None:
        """Do what an act says; nothing if that is impossible now."""
        user, game = self._logins.get(act.role), self.game(act.session)
        match act.does:
            case "log out" if user is not None and act.role not in self._lasting:
                await self._log_out(act.role, user)
            case "log in" if user is None and act.role in self._ended:
                self._logins[act.role] = await self.stage.pool.provisioner.log_in_once_more(self._ended[act.role])
            case "enrol" if game is not None and (who := self.known(act.role)) is not None:
                await self._enrol(game, who)
            case "remove" if game is not None and (who := self.known(act.role)) is not None:
                await self._remove(game, who)
            case "open encounter" if game is not None and not game.deleted:
                await self._open_encounter(game)
            case "delete session" if game is not None and not game.deleted:
                await self._delete(game)

    def known(self, role: str) -> Identity | None:
        """Return who plays a role, logged in or not any more; None if nobody does."""
        return self._logins.get(role) or self._ended.get(role)

    async def _log_out(self, role: str, login: Identity) -> None:
        await self.stage.roles.log_out(login)
        self._ended[role] = self._logins.pop(role)
        self._fact("logout", {"user": login.user})

    async def _enrol(self, game: GameSession, who: Identity) -> None:
        if self.stage.target.joining_enrols and who not in self._logins.values():
            return  # who is logged out cannot join
        if not game.deleted and who.user not in self.stage.journal.rooms.members[game.session]:
            await self.stage.games.take_in(game, who)
            self._fact("membership.add", {"session": game.session, "user": who.user})

    async def _remove(self, game: GameSession, who: Identity) -> None:
        rooms = self.stage.journal.rooms
        if game.deleted or who.user not in rooms.members[game.session] or who.user == rooms.masters.get(game.session):
            return
        asked = time.monotonic()
        await self.stage.games.revoke(game, who)
        at = self._fact("membership.remove", {"session": game.session, "user": who.user})
        rooms.revoked(who.user, at, asked, session=game.session)

    async def _open_encounter(self, game: GameSession) -> None:
        encounter = await self.stage.games.another_encounter(game)
        self._fact("encounter.open", {"session": game.session, "encounter": encounter})

    async def _delete(self, game: GameSession) -> None:
        asked, rooms = time.monotonic(), self.stage.journal.rooms
        members = list(rooms.members[game.session])
        await delete(self.stage.pool, game, self.stage.journal)
        at = self._fact("session.close", {"session": game.session})
        for user in members:
            rooms.revoked(user, at, asked, session=game.session)

    def _fact(self, name: str, fact: Mapping[str, Any]) -> float:
        return self.stage.journal.write("the game master", 0, "arranges", name, (dict(fact),)).at


def _need_two(acts: Iterable[Act], roles: Iterable[str]) -> bool:
    return bool({"carol", "dave"} & set(roles)) or any(
        THERE in (act.session, act.encounter) or act.encounter == "other" for act in acts
    )
