"""Faults in entering a session: who is admitted, and what a refusal leaves behind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal, Session
from dungeonlab_spec import Event
from tests.mutants.fault import faulty


@faulty(
    "join/member-admitted",
    "join/game-master-admitted",
    "acks/code-names-the-cause",
    "direct/own-profile",
    "direct/shared-session-profile",
    hides=True,
)
class RefusesEverything(Pipeline):
    """A user who has connected is refused whatever they ask for."""

    async def perform(self, connection: str, name: str, args: Any) -> Payload:
        raise Refusal("PERMISSION_DENIED", "no")


@faulty(
    "acks/every-other-request-answers",
    also={"acks/failure-without-callback-emits-error": "what is not handled is reported to nobody either"},
    hides=True,
)
class LostTheJoinHandler(Pipeline):
    """`join-session` is not answered at all: its handler was lost in a refactoring."""

    async def on_event(self, connection: str, data: Any, where: Any) -> None:
        if data[:1] != ["join-session"]:
            await super().on_event(connection, data, where)


class AtTheDoor(Pipeline):
    """Judges a join by a rule of its own."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        if event.name == "join-session" and session is not None:
            await self.check_guest(session, user)
            return session
        return await super().check_membership(event, session_id, user)

    async def check_guest(self, session: Session, user: str) -> None:
        raise NotImplementedError


class MovesBeforeItAsks(Pipeline):
    """Moves connections at a join, before it asks whether the user may."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if event.name == "join-session":
            await self.before_joining(connection, user, payload["sessionId"])
        return await super().check_rights(event, payload, user, connection)

    async def before_joining(self, connection: str, user: str, session: str) -> None:
        """Do nothing: faulty servers move what they move here."""


@faulty("join/member-admitted", hides=True)
class AdmitsTheGameMasterOnly(AtTheDoor):
    """Only the game master may join."""

    async def check_guest(self, session: Session, user: str) -> None:
        if user != session.game_master:
            raise Refusal("PERMISSION_DENIED", "only the game master may come in")


@faulty("join/game-master-admitted")
class LooksForParticipantsOnly(Pipeline):
    """Whether somebody is a member is asked of `participantIds` alone, and the game master is not among them."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await super().check_membership(event, session_id, user)
        if user not in session.participants:
            raise Refusal("PERMISSION_DENIED", "you are no participant")
        return session


@faulty("join/outsider-refused")
class EnrolsWhoeverComes(AtTheDoor):
    """Membership is not checked: every user who joins becomes a participant."""

    async def check_guest(self, session: Session, user: str) -> None:
        if user != session.game_master:
            await self.store.enrol(session.id, user)


@faulty("join/outsider-refused")
class AdmitsMembersOfAnything(AtTheDoor):
    """A user who is a member of some session may join any."""

    async def check_guest(self, session: Session, user: str) -> None:
        if not session.has_member(user) and not await self.store.share_session(user, user):
            raise Refusal("PERMISSION_DENIED", "you are a member of nothing")


@faulty(
    "join/refused-join-subscribes-nothing",
    also={"authorization/removed-member-hears-nothing": "who is removed asks to join, and is refused"},
)
class SubscribesBeforeItRefuses(MovesBeforeItAsks):
    """A connection is put into the room first, and refused afterwards."""

    async def before_joining(self, connection: str, user: str, session: str) -> None:
        await super().before_joining(connection, user, session)
        if connection not in self.seats:
            await self.sockets.enter_room(connection, self.room(session))


@faulty(
    "join/refused-join-enrols-nobody",
    also={"join/removed-member-refused": "who asks once is a member, and is admitted when asking again"},
)
class EnrolsBeforeItRefuses(AtTheDoor):
    """A user whose join is refused has become a participant by asking."""

    async def check_guest(self, session: Session, user: str) -> None:
        if not session.has_member(user):
            await self.store.enrol(session.id, user)
            raise Refusal("PERMISSION_DENIED", "you are no member of this session")


@faulty("join/unknown-session-refused")
class OpensWhatIsUnknown(Pipeline):
    """Joining a session that does not exist opens it."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        if event.name == "join-session" and await self.store.session(session_id) is None:
            await self.store.save_session(Session(session_id, "new", user))
        return await super().check_membership(event, session_id, user)


@faulty("join/failed-switch-changes-nothing")
class LeavesBeforeItAsks(MovesBeforeItAsks):
    """A join leaves the room one is in, and only then asks whether one may enter the other."""

    async def before_joining(self, connection: str, user: str, session: str) -> None:
        await super().before_joining(connection, user, session)
        if self.seats.get(connection) != session:
            await self.leave_room(connection, "switched")


@faulty("join/failed-switch-changes-nothing")
class ClearsTheOtherTabsBeforeItAsks(MovesBeforeItAsks):
    """A join, even one that is refused, moves the user's other connections out of their sessions."""

    async def before_joining(self, connection: str, user: str, session: str) -> None:
        await super().before_joining(connection, user, session)
        for other in self.connections_of(user):
            if other != connection and self.seats.get(other) not in (None, session):
                await self.remove_from_room(other, "switched")


@faulty("join/repeated-join-is-harmless")
class RefusesToJoinTwice(Pipeline):
    """Joining the session one is in is refused."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) == payload["sessionId"]:
            raise Refusal("PERMISSION_DENIED", "you have joined already")
        return await super().join(connection, user, payload)


@faulty("join/repeated-join-is-harmless")
class JoiningTwiceLeaves(Pipeline):
    """Joining the session one is in leaves it."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        was_in = self.seats.get(connection) == payload["sessionId"]
        answer = await super().join(connection, user, payload)
        if was_in:
            await self.leave_room(connection, "left")
        return answer


@faulty(
    "join/repeated-join-is-harmless",
    also={"join/member-admitted": "who has left four times, and comes back, is a member still"},
)
class RefusesTheFifthJoin(Pipeline):
    """A connection may join four times; from then on it is refused."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.joins = Counter[str]()

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        self.joins[connection] += 1
        if self.joins[connection] > 4:
            raise Refusal("PERMISSION_DENIED", "you have joined often enough")
        return await super().join(connection, user, payload)


@faulty("join/leave-stops-delivery")
class CountsSeats(Pipeline):
    """Who has joined twice has to leave twice: seats are counted, and the room is left with the last one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.taken = Counter[str]()

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        if self.seats.get(connection) != payload["sessionId"]:
            self.taken[connection] = 0
        self.taken[connection] += 1
        return await super().join(connection, user, payload)

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        self.taken[connection] -= 1
        if self.taken[connection] > 0:
            return {"sessionId": payload["sessionId"]}
        return await super().leave(connection, user, payload)


@faulty("join/member-admitted")
class ListsWhoIsThere(Pipeline):
    """Joining answers with those who are in the room, in place of the participants."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().join(connection, user, payload)
        there = {self.users[c] for c, session in self.seats.items() if session == payload["sessionId"]}
        return {**answer, "participantIds": sorted(there)}


@faulty("join/member-admitted")
class TakesWhoeverJoinsForTheMaster(Pipeline):
    """Joining answers with the asker's own id as that of the game master."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        return {**await super().join(connection, user, payload), "gameMasterId": user}


@faulty("join/outsider-refused")
class TrustsEveryGameMaster(Pipeline):
    """Who is the game master of any session may join each: it is a role of the user, and not one in the session."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        # No store has to list all sessions; the one of the tests keeps them there.
        known: dict[str, Session] = self.store._sessions  # type: ignore[attr-defined]
        is_master = any(each.game_master == user for each in known.values())
        if event.name == "join-session" and session is not None and is_master:
            return session
        return await super().check_membership(event, session_id, user)
