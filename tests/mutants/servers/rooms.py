"""Faults in who hears a broadcast that should not, or does not and should."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload
from dungeonlab_spec import Event
from tests.mutants.fault import faulty
from tests.mutants.leaky import Choosy


@faulty("rooms/sender-hears-nothing")
class EchoesToTheSender(Pipeline):
    """A user who sends something hears it back."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session))


@faulty("rooms/sender-hears-nothing")
class EchoesDeletionsOnly(Pipeline):
    """A user who deletes a token hears of it; nothing else comes back."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        skipped = "" if emission.event == "token:delete" else sender
        await self.send_to_others(emission, skipped)


@faulty("rooms/every-other-member-hears-once")
class TellsWhoSawItMade(Choosy):
    """What happens to a token is for those who were in the room when it was made: latecomers know nothing of it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.saw: dict[str, list[str]] = {}

    async def chosen(self, there: list[str], emission: Emission) -> list[str]:
        if emission.event == "token:create":
            self.saw[emission.payload["token"]["id"]] = there
        saw = self.saw.get(emission.payload.get("tokenId", ""), there)
        return [each for each in there if each in saw]


@faulty("rooms/every-other-member-hears-once")
class DeliversTwice(Pipeline):
    """Everything is broadcast by two handlers, one of them forgotten."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(emission, sender)
        await super().broadcast(emission, sender)


@faulty("rooms/every-other-member-hears-once")
class MovesTwice(Pipeline):
    """Moves alone are broadcast twice."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        for _ in range(2 if emission.event == "token:move" else 1):
            await super().broadcast(emission, sender)


@faulty("rooms/every-other-member-hears-once", hides=True)
class TellsTheFirstOnly(Choosy):
    """The loop over the room returns after its first listener."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        others = (each for each in self.there(emission.session) if each != sender)
        if first := next(others, None):
            await self.send(first, emission.event, emission.payload)


@faulty("rooms/every-other-member-hears-once")
class NamesTheRoomInTwoWays(Pipeline):
    """Updates and deletions are sent to the room `<id>`, while everybody sits in `session:<id>`."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event in ("token:update", "token:delete"):
            await self.sockets.emit(emission.event, emission.payload, room=emission.session, skip_sid=sender)
        else:
            await super().broadcast(emission, sender)


@faulty("rooms/own-other-connection-hears")
class SparesTheSendersUser(Pipeline):
    """A broadcast passes over every connection of the user who sent it."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        own = self.connections_of(self.users[sender])
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session), skip_sid=own)


@faulty("rooms/every-tab-hears")
class FeedsTheNewestPollOnly(Pipeline):
    """Of several connections of a user that poll, the newest one alone is sent anything."""

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        polling: dict[str, list[str]] = {}
        for connection, user in self.users.items():
            session = self.sockets.manager.eio_sid_from_sid(connection, "/")
            socket = self.sockets.eio.sockets.get(session)
            if socket is not None and not socket.upgraded:
                polling.setdefault(user, []).append(connection)
        older = [connection for connections in polling.values() for connection in connections[:-1]]
        room = self.room(emission.session)
        await self.sockets.emit(emission.event, emission.payload, room=room, skip_sid=[sender, *older])


@faulty("rooms/game-master-hears", hides=True)
class TellsParticipantsOnly(Pipeline):
    """A broadcast goes to those connections in the room whose users are in `participantIds`."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        session = await self.store.session(emission.session)
        assert session is not None
        without = [sender, *(c for c, user in self.users.items() if user not in session.participants)]
        await self.sockets.emit(emission.event, emission.payload, room=self.room(emission.session), skip_sid=without)


@faulty("rooms/no-encounter-rooms", "rooms/every-other-member-hears-once", hides=True)
class NeedsASubscription(Pipeline):
    """Token events go to a room of their encounter, which one enters by `join-encounter`."""

    async def on_event(self, connection: str, data: Any, where: Any) -> None:
        if data and data[0] == "join-encounter":
            await self.sockets.enter_room(connection, f"encounter:{data[1]['encounterId']}")
        else:
            await super().on_event(connection, data, where)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if "encounterId" in emission.payload:
            room = f"encounter:{emission.payload['encounterId']}"
            await self.sockets.emit(emission.event, emission.payload, room=room, skip_sid=sender)
        else:
            await super().broadcast(emission, sender)


@faulty("rooms/no-encounter-rooms")
class SubscribesWhenJoining(Pipeline):
    """Joining enters the rooms of the encounters that there are; of later ones one hears nothing."""

    async def enter_room(self, connection: str, session: str) -> None:
        await super().enter_room(connection, session)
        for encounter in self.encounters(session):
            await self.sockets.enter_room(connection, f"encounter:{encounter}")

    def encounters(self, session: str) -> list[str]:
        known: Mapping[str, str] = self.store._encounters  # type: ignore[attr-defined]
        return [encounter for encounter, owner in known.items() if owner == session]

    async def leave_room(self, connection: str, reason: str) -> None:
        for encounter in self.encounters(self.seats.get(connection, "")):
            await self.sockets.leave_room(connection, f"encounter:{encounter}")
        await super().leave_room(connection, reason)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        room = f"encounter:{emission.payload['encounterId']}" if "encounterId" in emission.payload else None
        await self.sockets.emit(
            emission.event, emission.payload, room=room or self.room(emission.session), skip_sid=sender
        )


@faulty("rooms/refused-event-is-not-broadcast")
class BroadcastsThenRefuses(Pipeline):
    """A request is broadcast to the room first; whether it was allowed is checked afterwards."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        try:
            return await super().check_rights(event, payload, user, connection)
        except Exception:
            await self.tell_all_the_same(event, payload, user, connection)
            raise

    async def tell_all_the_same(self, event: Event, payload: Payload, user: str, connection: str) -> None:
        token = await self.store.token(payload.get("tokenId", ""))
        if event.is_broadcast and (token or "token" not in event.needs):
            effect = self.effects[event.name](self.command(event, payload, user, token))
            await self.broadcast(effect.emission, connection)


@faulty("rooms/refused-event-is-not-broadcast")
class RefusesThenBroadcasts(BroadcastsThenRefuses):
    """What was refused is broadcast to the room a third of a second later, when a queue is worked off."""

    async def tell_all_the_same(self, event: Event, payload: Payload, user: str, connection: str) -> None:
        async def later() -> None:
            await asyncio.sleep(0.3)
            await super(RefusesThenBroadcasts, self).tell_all_the_same(event, payload, user, connection)

        self.sockets.start_background_task(later)


@faulty(
    "rooms/direct-answers-stay-direct", also={"broadcasts/catalogue-events-only": "no server sends events of that name"}
)
class TellsTheRoomTheAnswer(Pipeline):
    """What `get-user-data` and `validate-action` answer is emitted to the whole room as well."""

    async def perform(self, connection: str, name: str, args: Any) -> Payload:
        answer = await super().perform(connection, name, args)
        if name in ("get-user-data", "validate-action"):
            room = self.room(self.seats.get(connection, ""))
            await self.sockets.emit(name, answer, room=room, skip_sid=connection)
        return answer


@faulty("rooms/direct-answers-stay-direct")
class AnswersEveryTab(Pipeline):
    """What `get-user-data` answers is emitted to all of the user's connections."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().user_data(connection, user, payload)
        for other in self.connections_of(user):
            if other != connection:
                await self.sockets.emit("get-user-data", answer, to=other)
        return answer


@faulty("rooms/every-other-member-hears-once")
class EndsTheGameWhenItsMasterLeaves(Pipeline):
    """When the game master leaves the room, everybody is put out of it, and may join again."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().leave(connection, user, payload)
        session = await self.store.session(payload["sessionId"])
        if session is not None and session.game_master == user:
            await self.close_session(session.id)
        return answer
