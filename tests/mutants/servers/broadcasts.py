"""Faults in what a broadcast says, in what else a server sends, and how it calls it."""

from __future__ import annotations

import itertools
import re
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Emission, Payload, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import MemoryStore
from tests.mutants.fault import faulty

_COUNT = itertools.count(1)


class _Rewrites(Pipeline):
    """Changes what a broadcast carries on its way out."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        payload = await self.rewritten(dict(emission.payload), sender)
        await super().broadcast(Emission(emission.event, emission.session, payload), sender)

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        raise NotImplementedError


@faulty("broadcasts/valid-payload")
class OmitsTheTime(_Rewrites):
    """A broadcast has no timestamp."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        del payload["timestamp"]
        return payload


@faulty("broadcasts/valid-payload", "acks/success-shape")
class SendsWhatItsDatabaseAdds(_Rewrites):
    """Tokens carry an id, a version and a time of the database's own, the last another one each time they are sent."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        return _with_more(payload)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, _with_more(envelope), where)


def _with_more(value: Payload) -> Payload:
    """Return a payload in which whatever has a place, and each place, has what the database adds."""
    if isinstance(value, dict):
        more = {"_id": next(_COUNT), "__v": 0, "updatedAt": now(), "changes": next(_COUNT)}
        return {key: _with_more(inner) for key, inner in value.items()} | (
            more if {"position", "x"} & value.keys() else {}
        )
    return value


@faulty("broadcasts/valid-payload", "direct/no-secrets")
class SendsTheSendersSecrets(_Rewrites):
    """A broadcast carries the sender's whole record, password hash and all."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        return {**payload, "account": {"id": payload["userId"], "passwordHash": "$2b$10$abcdefgh"}}


@faulty("broadcasts/valid-payload")
class SendsTheSenderBeside(Pipeline):
    """A broadcast has a second argument, the sender's id."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        sent = (emission.payload, emission.payload["userId"])
        await self.sockets.emit(emission.event, sent, room=self.room(emission.session), skip_sid=sender)


@faulty("broadcasts/true-sender")
class SignsWithTheConnection(_Rewrites):
    """A broadcast's `userId` is the id of the sending connection."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        return {**payload, "userId": sender}


@faulty("broadcasts/true-sender")
class SignsForTheGameMaster(_Rewrites):
    """A broadcast's `userId` is the game master's, no matter who acted."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        session = await self.store.session(payload["sessionId"])
        return {**payload, "userId": session.game_master if session else payload["userId"]}


@faulty("broadcasts/true-sender")
class MovesForTheCreator(_Rewrites):
    """A move is broadcast as that of the user who created the token."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        token = await self.store.token(payload.get("tokenId", "")) if "position" in payload else None
        return payload if token is None else {**payload, "userId": token["createdBy"]}


class _LastOpened(MemoryStore):
    """Remembers which session was opened last."""

    last = ""

    async def save_session(self, session: Session) -> None:
        self.last = session.id
        await super().save_session(session)


@faulty("broadcasts/true-session", beside=(_LastOpened,))
class NamesTheNewestSession(_Rewrites):
    """A broadcast names the session that was opened or changed last, not the one it happened in."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        return {**payload, "sessionId": self.store.last}  # type: ignore[attr-defined]


@faulty("broadcasts/says-what-was-done")
class TellsMovesWithoutTheirGoal(_Rewrites):
    """The room hears of each move that it went to the map's corner."""

    async def rewritten(self, payload: Payload, sender: str) -> Payload:
        corner = {"x": 0, "y": 0, "elevation": 0}
        return {**payload, "position": corner} if "position" in payload else payload


@faulty("broadcasts/caused-by-a-request")
class GreetsInTheChat(Pipeline):
    """A user who joins is greeted by a chat message of the server's own."""

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        greeting = {
            "sessionId": session,
            "messageId": "greeting",
            "userId": self.users[connection],
            "message": "has joined",
            "timestamp": now(),
        }
        await self.broadcast(Emission("chat-message", session, greeting), connection)


@faulty("broadcasts/server-events-valid")
class ErrsWithoutACode(Pipeline):
    """An error event has no code."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        if event == "error":
            payload = {key: value for key, value in payload.items() if key != "code"}
        await super().send(connection, event, payload)


@faulty("broadcasts/server-events-valid")
class AnnouncesWithNames(Pipeline):
    """`user-joined` and `user-left` carry a username that the schema does not know."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        await super().announce(event, connection, session, {**more, "username": "somebody"})


@faulty("broadcasts/catalogue-events-only")
class SaysHowManyAreThere(Pipeline):
    """The room hears how many have joined, by an event outside the catalogue."""

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        count = sum(seat == session for seat in self.seats.values())
        await self.sockets.emit("user-count", {"sessionId": session, "count": count}, room=self.room(session))


def _camel(name: str) -> str:
    return re.sub(r"[-:](\w)", lambda match: match[1].upper(), name)


@faulty("names/kebab-case")
class AnnouncesInCamelCase(Pipeline):
    """Presence events are called `userJoined` and `userLeft`."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        sent: dict[str, Any] = {"sessionId": session, "userId": self.users[connection], "timestamp": now(), **more}
        await self.sockets.emit(_camel(event), sent, room=self.room(session), skip_sid=connection)


@faulty("names/kebab-case", "rooms/every-other-member-hears-once", hides=True)
class BroadcastsInCamelCase(Pipeline):
    """Broadcasts are called `chatMessage`, `tokenMove` and so on, so that nobody hears them under their names."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        room = self.room(emission.session)
        await self.sockets.emit(_camel(emission.event), emission.payload, room=room, skip_sid=sender)
