"""What a scene acts on: a fresh game session with the people in it, and what the scene found.

The people, by the role they play: `gamemaster` (not among the participants), `alice` and `bob` (members), `carol`
(member of a second session too), `dave` (member of the second session only), `mallory` (a valid account, member of
nothing), `nobody` (not logged in).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.raw.websocket_frames import RawConnection
from dungeonlab_conformance.model.judge import Judge
from dungeonlab_conformance.payloads.requests import needed_ids, valid_request
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.accounts import AccountPool, RoleAssignment
from dungeonlab_conformance.stage.inquiry import Inquiry
from dungeonlab_conformance.stage.sessions import GameSession, GameSessions, delete
from dungeonlab_conformance.stage.tokens import created_id
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue, Event

_ABOUT_ROLES = frozenset(
    {"authorization/any-member-allowed", "authorization/game-master-allowed", "rooms/game-master-hears"}
)
_MEMBERS = ("alice", "bob", "carol")  # of the scene's session, besides the game master
_SENT: ContextVar[str] = ContextVar("what is sent", default="")


@dataclass(slots=True)
class Provocation:
    """When something that may end a bad server was under way, in seconds on the monotonic clock."""

    since: float
    until: float = math.inf
    what: str = ""  # in words
    several: bool = False  # whether that was several things at once


@contextmanager
def sending(what: str) -> Iterator[None]:
    """Say in words what is sent in this block, by this task and those it starts."""
    token = _SENT.set(what)
    try:
        yield
    finally:
        _SENT.reset(token)


class SceneFindings:
    """What a scene saw, and what it found about each requirement that is wanted of it.

    `judged` holds for each requirement: nothing, findings, or why the scene could not tell. `unwanted` are those that
    are not wanted, and that it found broken or could not tell all the same.
    """

    def __init__(self, target: Target, event: Event | None, wanted: frozenset[str]) -> None:
        self.target = target
        self.event = event
        self.wanted = wanted
        self.journal = Journal()
        self.judged: dict[str, list[Broken | Unjudged]] = {}
        self.unwanted: set[str] = set()
        self.provocations: list[Provocation] = []
        self.acts: list[tuple[int, str]] = []  # of a play, that were done, each with the last observation before it

    def follow(self) -> Judge:
        """Have the model follow what happens here from now on, and return it."""
        following = Judge(self.journal.rooms.users, self.target.limits.answer)
        self.journal.subscribe(following.observe)
        return following

    async def judge(self, requirement: str, act: Awaitable[object]) -> None:
        """Await one act and record what it showed about one requirement; goes on unless the server is gone."""
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

    async def provoke(self, requirement: str, act: Awaitable[object]) -> None:
        """Await one act as `judge` does, but also where its requirement is not wanted: for what else may come of it."""
        if requirement in self.wanted:
            return await self.judge(requirement, act)
        try:
            await act
        except Gone:
            raise
        except (Broken, Unjudged):
            self.unwanted.add(requirement)
        return None

    def has_found(self, requirement: str) -> bool:
        """Whether the scene found something broken already, or that it cannot tell."""
        return bool(self.judged.get(requirement)) or requirement in self.unwanted

    async def judge_all(self, act: Awaitable[object]) -> None:
        """Await one act that gives the invariants of all this scene's requirements something to see."""
        await act
        for requirement in self.wanted:
            self.judged.setdefault(requirement, [])

    def leave_open(self, requirements: Iterable[str], why: Unjudged) -> None:
        """Record why this scene could not tell anything about some requirements; it goes on with others."""
        for requirement in self.wanted & set(requirements):
            self.judged.setdefault(requirement, []).append(why)

    def cannot_judge(self, requirement: str, missing: str) -> None:
        """Record that something the target lacks keeps this scene from judging a requirement."""
        if requirement in self.wanted:
            self.judged[requirement] = [Missing(self.target.advice(missing))]

    @contextmanager
    def provoking(self, what: str = "", *, several: bool = False) -> Iterator[None]:
        """Send something in this block that may end a bad server, and wait until the server has dealt with it.

        A server that goes away outside of such blocks is not blamed for it. `what` says in words what is sent, if
        `sending` does not, and `several` that it is several things at once. Raises `Unjudged` if the server died of
        that before in this run.
        """
        what = what or _SENT.get()
        event = self.event.name if self.event else None
        if (requirement := self.target.workarounds.deadly.broken_by(event, what)) is not None:
            why = f"{what} is not sent: the server died of that, or of several such things, before"
            raise Unjudged(why, waits_for=VerdictKey(requirement, event))
        provocation = Provocation(time.monotonic(), what=what, several=several)
        self.provocations.append(provocation)
        try:
            yield
        finally:
            provocation.until = time.monotonic()

    def is_deadly(self, what: str) -> bool:
        """Whether the server died of this before in this run, so that it is not to be sent again."""
        return self.target.workarounds.deadly.broken_by(self.event.name if self.event else None, what) is not None

    def provoked_by(self, at: float) -> list[Provocation]:
        """Return what was being sent at a moment that may end a bad server; else what was sent last before it."""
        before = [each for each in self.provocations if each.since <= at]
        return [each for each in before if each.until >= at] or before[-1:]

    def was_provoked(self, at: float) -> bool:
        """Whether what may end a bad server was sent before then, and nothing heard of the server since.

        `at` is in seconds on the monotonic clock.
        """
        heard = [seen.at for seen in self.journal.observations if seen.act in ("hears", "is answered")]
        return any(
            each.since <= at and not any(each.until < signs <= at for signs in heard) for each in self.provocations
        )


class SceneSessions(SceneFindings):
    """The game sessions of a scene. A method raises `Missing` where the target lacks what it needs."""

    def __init__(self, pool: AccountPool, target: Target, event: Event | None, wanted: frozenset[str]) -> None:
        super().__init__(target, event, wanted)
        self.pool = pool
        self.games = GameSessions(pool, target, self.journal)

    @property
    def game(self) -> GameSession:
        """The scene's own game session."""
        return self.games.own

    @property
    def session(self) -> str:
        """The id of the scene's own game session."""
        return self.game.session

    async def other_game(self) -> GameSession:
        """Return the second game session, with carol and dave; created when first needed."""
        return await self.games.second()

    async def encounter(self, game: GameSession) -> str:
        """Return the encounter of a game session; created when first needed."""
        return await self.games.encounter(game)

    async def with_another_encounter(self) -> GameSession:
        """Return the scene's game session with an encounter that nobody has seen yet."""
        return await self.games.with_another_encounter(self.game)

    async def revoke(self, actor: Actor) -> None:
        """Take an actor's membership of this scene's session away."""
        assert actor.identity is not None
        asked = time.monotonic()
        await self.games.revoke(self.game, actor.identity)
        self._is_removed(actor, asked)

    async def take_in(self, who: Identity) -> None:
        """Make somebody a member of this scene's session: once more, or a guest for the length of the scene."""
        await self.games.take_in(self.game, who)

    async def delete_session(self, *there: Actor) -> None:
        """Delete this scene's session, of which those `there` are members; nothing can be prepared in it any more."""
        asked = time.monotonic()
        await delete(self.pool, self.game, self.journal)
        for actor in there:
            self._is_removed(actor, asked)

    def _is_removed(self, actor: Actor, asked: float) -> None:
        now = self.journal.write(actor.name, actor.connection, "is removed", "").at
        self.journal.rooms.revoked(actor.user or "", now, asked, session=self.session)


class Stage(SceneSessions):
    """What a scene acts on: its game sessions, the people who connect to the server, and the requests they send.

    A method raises `Missing` where the target lacks what it needs, and `Unjudged` where preparing it fails.
    """

    def __init__(
        self, pool: AccountPool, target: Target, event: Event | None = None, wanted: frozenset[str] = frozenset()
    ) -> None:
        """`event` is the one that the scene is about, if it is judged per event."""
        super().__init__(pool, target, event, wanted)
        self.actors: list[Actor] = []
        self.raws: list[RawConnection] = []
        self.roles = RoleAssignment(pool, target, self.games, self._stand_ins())
        self._inquiry = Inquiry(self)

    def _stand_ins(self) -> dict[str, str]:
        """Return who plays alice where the server lets the game master alone do what the scene is about."""
        unable, master = self.target.workarounds.cannot_create, self.target.parties[0].gamemaster
        if (
            self.event is None
            or self.event.name != "token:create"
            or "alice" not in unable
            or self.wanted & _ABOUT_ROLES
        ):
            return {}
        return {} if master is None or "gamemaster" in unable else {"alice": master}

    # -- the beginning and the end -------------------------------------------------------------------

    async def set_up(self) -> None:
        """Create the game session. Members and an encounter follow when they are needed."""
        await self.games.first()

    async def tear_down(self) -> None:
        """Close all connections, then delete the game sessions. Cut short, it leaves the accounts with leftovers."""
        before, self.pool.leftovers = self.pool.leftovers, True
        await self.hang_up()
        self.pool.leftovers = before
        await self.games.clear()

    async def hang_up(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(actor.close() for actor in self.actors), *(raw.close() for raw in self.raws))

    async def delete_session(self, *there: Actor) -> None:
        """Delete this scene's session as above; those who only look on there are put out of its room, or not."""
        await super().delete_session(*there)
        for actor in self.actors:
            if actor not in there and actor.stay and actor.stay.session == self.session:
                self.journal.rooms.leave_asked(actor.connection)

    def ids(self) -> dict[str, str]:
        """Return the ids of all that was set up, by what they are of."""
        return {name: who.user for name, who in self.pool.known().items()} | self.games.ids()

    # -- people --------------------------------------------------------------------------------------

    async def actor(self, name: str, *, called: str | None = None, identity: Identity | None = None) -> Actor:
        """Return somebody who has not connected yet."""
        if identity is None and name != "nobody":
            identity = await self.roles.member(name)
        actor = Actor(called or name, identity, self.target, self.journal)
        actor.inquire, actor.throttle = self._inquiry, self.pool.throttle
        self.actors.append(actor)
        return actor

    async def connected(self, *names: str, transport: str | None = None) -> Any:
        """Connect each of the named; returns the actor, or a list if there are several."""
        actors = await asyncio.gather(*map(self.actor, names))
        await asyncio.gather(*(actor.connect(transport=transport) for actor in actors))
        return actors[0] if len(actors) == 1 else actors

    async def joined(self, *names: str, transport: str | None = None) -> Any:
        """Connect each of the named and have them join this scene's session; returns as `connected` does."""
        actors = await asyncio.gather(*map(self.actor, names))
        await asyncio.gather(*(actor.connect(transport=transport) for actor in actors))
        await asyncio.gather(*(actor.join(self.session) for actor in actors))
        return actors[0] if len(actors) == 1 else actors

    async def joined_other_game(self, name: str) -> Actor:
        """Connect somebody and have them join the second session."""
        game = await self.other_game()
        actor: Actor = await self.connected(name)
        await actor.join(game.session)
        return actor

    async def other_tab(self, actor: Actor, *, transport: str | None = None) -> Actor:
        """Connect the same user once more, over the usual transport unless another one is named."""
        other = await self.actor(actor.name, called=f"{actor.name}'s other tab", identity=actor.identity)
        await other.connect(transport=transport)
        return other

    async def onlooker(self, name: str, *, in_other_game: bool = False) -> Actor | None:
        """Connect somebody who only looks on, joined to the second session on demand; None if nobody can play it."""
        try:
            actor: Actor = await (self.joined_other_game if in_other_game else self.connected)(name)
        except Missing:
            return None
        return actor

    async def raw(self, name: str, *, entered: bool = True, identity: Identity | None = None) -> RawConnection:
        """Connect somebody by bare frames, into the default namespace unless `entered` is false."""
        if identity is None and name != "nobody":
            identity = await self.roles.member(name)
        raw = RawConnection(name, identity, self.target, self.journal)
        self.raws.append(raw)
        await (raw.connect() if entered else raw.open())
        return raw

    # -- requests ------------------------------------------------------------------------------------

    async def request(
        self, event: Event, *, game: GameSession | None = None, fresh: bool = False, full: bool | None = None
    ) -> Request:
        """Return a valid request that nobody has sent yet, with a mark of its own.

        A token it needs is created first, and is created anew for a request that would end it or if `fresh`. The
        request is the smallest one that the server is known to accept, unless it is said whether it is to be `full`.
        """
        game = game or self.game
        await self._inquiry.prepare(event.name, game.session)
        ids, needed = {"sessionId": game.session}, needed_ids(event)
        if "encounterId" in needed:
            ids["encounterId"] = await self.encounter(game)
        if "tokenId" in needed:
            ids["tokenId"] = await self._token(game, anew=fresh or event.effect == "removes-token")
        if (alice := self.pool.known().get("alice")) is not None:
            ids["userId"] = alice.user
        return valid_request(event, ids, full=event.name in self.target.workarounds.full_only if full is None else full)

    async def control(self, event: Event, member: Actor) -> Acknowledgement:
        """Show that a member may: without that, a refusal of something like it says nothing."""
        answer = await member.send(await self.request(event))
        if event.name == "leave-session":
            await member.join(self.session)
        return answer

    async def _token(self, game: GameSession, *, anew: bool) -> str:
        if anew:
            return await self._create_token(game)
        if game.token is None:
            game.token = await self._create_token(game)
        return game.token

    async def _create_token(self, game: GameSession) -> str:
        """Create a token as a preparation, over the socket or else as the target's file says."""
        event = Catalogue.load()["token:create"]
        full = event.name not in self.target.workarounds.minimal_only
        try:
            maker = await self._maker(game)
            answer = await maker.send(await self.request(event, game=game, full=full))
            if not isinstance(answer.data.get("token"), dict) and not self._listeners(maker):
                await self._add_listener(game)
                answer = await maker.send(await self.request(event, game=game, full=full))
            if not isinstance(answer.data.get("token"), dict):  # it shows in what others hear
                await asyncio.gather(*(listener.fence() for listener in self._listeners(maker)))
            return created_id(answer, self.journal)
        except Unjudged as why:
            if isinstance(why, Gone) or (made := await self.games.open_token(game)) is None:
                raise
            return made

    def _listeners(self, speaker: Actor) -> list[Actor]:
        """Return those who are in the room of a speaker, and hear what is said there."""
        rooms = [(actor, actor.stay) for actor in self.actors if actor is not speaker and not actor.closed]
        session = speaker.stay.session if speaker.stay else None
        return [actor for actor, stay in rooms if stay and stay.session == session and stay.left_at is None]

    async def _add_listener(self, game: GameSession) -> None:
        """Have somebody join a game session who takes no part in this scene so far, if anybody is left."""
        there = {actor.name for actor in self.actors}
        wanted = ("gamemaster", *(() if self.games.is_second(game) else _MEMBERS))
        for name in self.roles.available(*wanted):
            if name not in there:
                await (self.joined_other_game if self.games.is_second(game) else self.joined)(name)
                return

    async def _maker(self, game: GameSession) -> Actor:
        """Return somebody who has joined a game session, and may create tokens in it."""
        unable = self.target.workarounds.cannot_create
        for actor in self.actors:
            stay = None if actor.closed else actor.stay
            account = actor.identity and actor.identity.name
            if stay and stay.session == game.session and stay.left_at is None and account not in unable:
                return actor
        if self.games.is_second(game):
            return await self.joined_other_game("gamemaster" if "alice" in unable else "dave")
        return await self.joined_any("gamemaster", *_MEMBERS, unable=unable)

    async def joined_any(self, *names: str, unable: Collection[str] = ()) -> Actor:
        """Connect the first of the named who can play, and whom the server lets join; they join this scene's session.

        Those who are `unable` to do what they are needed for come last.
        """
        shut_out = self.target.workarounds.shut_out
        able = [name for name in names if name not in {*shut_out, *unable} and self.roles.can_play(name)]
        actor: Actor = await self.joined((*able, *names)[0])
        return actor
