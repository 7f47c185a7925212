"""A fresh game session with the people in it: what a scene acts on. Cleared away when the recorders may go off.

The people, by the role they play: `gamemaster` (not among the participants), `alice` and `bob` (members), `carol` (member of
a second session too), `dave` (member of the second session only), `mallory` (a valid account, member of
nothing), `nobody` (not logged in).
"""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.websocket_frames import RawConnection
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import new_mark
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, Unjudged
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.sessions import GameSession, GameSessions
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.roles import pick
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import examples


@dataclass(slots=True)
class Provocation:
    """When something that may end a bad server was under way, in seconds on the monotonic clock."""

    since: float
    until: float = math.inf


@dataclass(eq=False)
class Stage:
    """What a scene acts on.

    `judged` holds, for each requirement, what the scene found: nothing, findings, or why it could not tell.
    """

    pool: AccountPool
    target: Target
    event: Event | None = None
    wanted: frozenset[str] = frozenset()
    journal: Journal = field(default_factory=Journal)
    judged: dict[str, list[Broken | Unjudged]] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    raws: list[RawConnection] = field(default_factory=list)

    provocations: list[Provocation] = field(default_factory=list)

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

    @contextmanager
    def provoking(self) -> Iterator[None]:
        """Send something in this block that may end a bad server, and wait until the server has dealt with it.

        A server that goes away outside of such blocks is not blamed for it.
        """
        provocation = Provocation(time.monotonic())
        self.provocations.append(provocation)
        try:
            yield
        finally:
            provocation.until = time.monotonic()

    def was_provoked(self, at: float) -> bool:
        """Whether what may end a bad server was sent before then, and nothing heard of the server since.

        `at` is in seconds on the monotonic clock.
        """
        heard = [seen.at for seen in self.journal.observations if seen.act in ("hears", "is answered")]
        return any(
            each.since <= at and not any(each.until < signs <= at for signs in heard) for each in self.provocations
        )

    def cannot_judge(self, requirement: str, missing: str) -> None:
        """Put down that something the target lacks keeps this scene from judging a requirement."""
        if requirement in self.wanted:
            self.judged[requirement] = [Missing(self.target.advice(missing))]

    # -- setting -------------------------------------------------------------------------------------

    def __post_init__(self) -> None:
        self.games = GameSessions(self.pool, self.target, self.journal)
        self._roles: dict[str, str] = {}  # who plays whom in this scene, by account

    @property
    def game(self) -> GameSession:
        """The scene's own session."""
        return self.games.own

    @property
    def session(self) -> str:
        """The id of the scene's own session."""
        return self.game.session

    async def set_up(self) -> None:
        """Open the session. Members and an encounter follow when they are needed."""
        await self.games.first()

    async def other_game(self) -> GameSession:
        """Return the second session, with carol and dave; opened when first needed."""
        return await self.games.second()

    def account(self, role: str) -> str:
        """Return the account that plays a role in this scene. Raises `Missing` if there is none left that could."""
        if role not in self._roles:
            account = pick(role, self.target.accounts, *self.games.parties, self._roles.values())
            if account is None:
                standing_in = next((other for other, taken in self._roles.items() if taken == role), role)
                raise Missing(self.target.advice(standing_in))
            self._roles[role] = account
        return self._roles[role]

    def can_play(self, role: str) -> bool:
        """Whether somebody plays a role, or is left who could."""
        try:
            self.account(role)
        except Missing:
            return False
        return True

    def available(self, *roles: str) -> list[str]:
        """Return the roles that somebody can play. Raises `Missing` if nobody can play any."""
        return [role for role in roles if self.can_play(role)] or [self.account(roles[0])]

    async def identity(self, role: str) -> Identity:
        """Return who plays a role, logged in."""
        return await self.pool.identity(self.account(role))

    async def second_login(self, role: str) -> Identity:
        """Log in once more who plays a role, with a cookie of its own."""
        return await self.pool.second_login(self.account(role))

    async def member(self, role: str) -> Identity:
        """Return who plays a role, enrolled wherever they belong."""
        return await self.games.enrolled(self.account(role))

    def need_no_shared_session(self, *roles: str) -> None:
        """Raise `Missing` if those who play these roles all belong to one of the two sessions."""
        accounts = [self.account(role) for role in roles]
        if any(party and all(name in party for name in accounts) for party in self.games.parties):
            raise Missing(self.target.advice("strangers"))

    def need_no_other_game(self, role: str) -> None:
        """Raise `Missing` if who plays a role is a member of the second session as well."""
        other = self.games.parties[1]
        if other is not None and self.account(role) in other:
            raise Missing(self.target.advice("first-session-only"))

    async def encounter(self, game: GameSession) -> str:
        """Return the encounter of a game; opened when first needed."""
        return await self.games.encounter(game)

    async def with_another_encounter(self) -> GameSession:
        """Return the scene's session with an encounter that nobody has seen yet."""
        return await self.games.with_another_encounter(self.game)

    async def revoke(self, actor: Actor) -> None:
        """Take an actor's membership of this scene's session away."""
        assert actor.identity is not None
        asked = time.monotonic()
        await self.games.revoke(self.game, actor.identity)
        now = self.journal.write(actor.name, actor.connection, "is removed", "").at
        self.journal.rooms.revoked(actor.identity.user, now, asked)

    async def tear_down(self) -> None:
        """Clear everything away: connections, then sessions."""
        await asyncio.gather(*(actor.close() for actor in self.actors), *(raw.close() for raw in self.raws))
        await self.games.clear()

    def ids(self) -> dict[str, str]:
        """Return the ids of all that was set up, by what they are of."""
        return {name: who.user for name, who in self.pool.known().items()} | self.games.ids()

    # -- people --------------------------------------------------------------------------------------

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
        await asyncio.gather(*(actor.join(self.session) for actor in actors))
        return actors[0] if len(actors) == 1 else actors

    async def other_tab(self, actor: Actor) -> Actor:
        """Connect the same user once more."""
        other = await self.actor(actor.name, called=f"{actor.name}'s other tab", identity=actor.identity)
        await other.connect()
        return other

    async def joined_other_game(self, name: str) -> Actor:
        """Connect somebody and seat them in the second session."""
        game = await self.other_game()
        actor: Actor = await self.connected(name)
        await actor.join(game.session)
        return actor

    async def onlooker(self, name: str, *, in_other_game: bool = False) -> Actor | None:
        """Connect somebody who only looks on, seated in the second session if told so; None if nobody can play it."""
        try:
            actor: Actor = await (self.joined_other_game if in_other_game else self.connected)(name)
        except Missing:
            return None
        return actor

    async def raw(self, name: str, *, entered: bool = True) -> RawConnection:
        """Connect somebody by bare frames, into the default namespace unless told otherwise."""
        identity = None if name == "nobody" else await self.member(name)
        raw = RawConnection(name, identity, self.target, self.journal)
        self.raws.append(raw)
        await (raw.connect() if entered else raw.open())
        return raw

    # -- requests ------------------------------------------------------------------------------------

    async def request(self, event: Event, *, game: GameSession | None = None, fresh: bool = False) -> Request:
        """Return a valid request that nobody has sent yet, with a mark of its own.

        A token it needs is made first, and is made anew for a request that would end it or if `fresh`.
        """
        game = game or self.game
        payload = copy.deepcopy(examples(event.name, "valid")["minimal"])
        known: dict[str, str] = {"sessionId": game.session}
        if _names(payload, "encounterId"):
            known["encounterId"] = await self.encounter(game)
        if _names(payload, "tokenId"):
            known["tokenId"] = await self._token(game, anew=fresh or event.effect == "removes-token")
        _settle(payload, known)
        mark: str | int | None = None
        if event.mark == "/tokenId":
            mark = known["tokenId"]
        elif event.mark:
            mark = _put_mark(payload, event.mark)
        return Request(event.name, (payload,), mark, game.session)

    async def control(self, event: Event, member: Actor) -> Acknowledgement:
        """Show that a member may: without that, a refusal of something like it says nothing."""
        answer = await member.send(await self.request(event))
        if event.name == "leave-session":
            await member.join(self.session)
        return answer

    async def _token(self, game: GameSession, *, anew: bool) -> str:
        if game.token is None or anew:
            maker = await self._maker(game)
            request = await self.request(Catalogue.load()["token:create"], game=game)
            token = (await maker.send(request)).data.get("token")
            made = token.get("id") if isinstance(token, dict) else None
            if not isinstance(made, str):
                raise Unjudged("token:create was acknowledged without the token's id")
            if anew:
                return made
            game.token = made
        return game.token

    async def _maker(self, game: GameSession) -> Actor:
        for actor in self.actors:
            stay = None if actor.closed else actor.stay
            if stay and stay.session == game.session and stay.left_at is None:
                return actor
        if self.games.is_second(game):
            return await self.joined_other_game("dave")
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
