"""Faults in what an answer says beside what was asked for and what others hear."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress, SocketIoServer
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, broadcast_with, with_token
from tests.mutants.fault import faulty
from tests.mutants.servers.order import LATE, Later

# -- messages ------------------------------------------------------------------------------------------


@faulty("chat/answer-and-broadcast-agree")
class NamesAMessageTwice(EffectChanger):
    """A message has one id in its acknowledgement and another in its broadcast, which is that of the event."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "chat-message":
            return effect
        return replace(effect, emission=broadcast_with(effect, messageId=f"e-{command.new_id}"))


@faulty("chat/answer-and-broadcast-agree")
class DatesAMessageTwice(EffectChanger):
    """The broadcast of a message is dated anew when it is sent, three milliseconds after the message was stored."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "chat-message":
            return effect
        later = f"{command.now[:-4]}{(int(command.now[-4:-1]) + 3) % 1000:03}Z"
        return replace(effect, emission=broadcast_with(effect, timestamp=later))


@faulty("chat/answer-and-broadcast-agree")
class DatesBroadcastsInSeconds(EffectChanger):
    """The time of a message is cut off at whole seconds in its broadcast, as by a bus between processes."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "chat-message":
            return effect
        return replace(effect, emission=broadcast_with(effect, timestamp=f"{command.now[:19]}Z"))


class MessageIds(Pipeline):
    """Gives messages ids of its own."""

    def message_id(self, command: Command) -> str:
        """Return the id of a message."""
        return command.new_id

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        return replace(command, new_id=self.message_id(command)) if event.name == "chat-message" else command


@faulty("chat/message-ids-differ")
class CountsMessagesOfAUser(MessageIds):
    """Messages are numbered per user: the first ones of two users have the same id."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: Counter[tuple[str, str]] = Counter()

    def message_id(self, command: Command) -> str:
        self.said[command.payload["sessionId"], command.user] += 1
        return str(self.said[command.payload["sessionId"], command.user])


@faulty("chat/message-ids-differ")
class NumbersMessagesByTime(MessageIds):
    """The id of a message is the time in tenths of a second, which several share."""

    def message_id(self, command: Command) -> str:
        return "".join(letter for letter in command.now if letter.isdigit())[:-2]


# -- times ---------------------------------------------------------------------------------------------


class Dating(Pipeline):
    """Dates what happens in a way of its own."""

    def dated(self) -> str:
        """Return what is said to be the time."""
        return now()

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        return replace(super().command(event, payload, user, token), now=self.dated())


@faulty("broadcasts/true-time")
class StatesLocalTime(Dating):
    """Times are those of a place two hours east, and said to be UTC."""

    def dated(self) -> str:
        there = datetime.now(UTC) + timedelta(hours=2)
        return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@faulty("broadcasts/true-time")
class ReadsTheClockOnce(Dating):
    """The time was read when the first request came, and is the same ever after."""

    started = ""

    def dated(self) -> str:
        self.started = self.started or now()
        return self.started


@faulty("broadcasts/true-time")
class JumpsInTime(Dating):
    """Each time is a few seconds later or earlier than the one before says, as with a pool whose clocks are not set."""

    stated = 0

    def dated(self) -> str:
        self.stated += 1
        there = datetime.now(UTC) - timedelta(seconds=7 * (self.stated % 3))
        return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- where a token is, and whose ----------------------------------------------------------------------------------


@faulty("tokens/content-comes-back-exactly")
class ShowsTheFirstEncounter(EffectChanger):
    """A token that is shown as a whole is said to be in the encounter that its session had first."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.first: dict[str, str] = {}

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if "token" not in effect.answer:
            return effect
        encounter = self.first.setdefault(command.payload["sessionId"], command.payload["encounterId"])
        shown = {**effect.answer["token"], "encounterId": encounter}
        return replace(effect, answer={"token": shown}, emission=broadcast_with(effect, token=shown))


@faulty("tokens/true-creator")
class CreditsTheGameMaster(Pipeline):
    """Every token is said to be the game master's."""

    async def take_effect(self, command: Command, connection: str) -> Payload:
        session = await self.store.session(command.payload["sessionId"])
        if command.event != "token:create" or session is None:
            return await super().take_effect(command, connection)
        return await super().take_effect(replace(command, user=session.game_master), connection)

    async def broadcast(self, emission: Emission, sender: str) -> None:
        await super().broadcast(replace(emission, payload={**emission.payload, "userId": self.users[sender]}), sender)


@faulty("tokens/true-creator")
class CreditsWhoChangedIt(EffectChanger):
    """A token that is updated is said to be made by who updated it: the record is written anew."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:update" or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "createdBy": command.user})


@faulty("tokens/true-creator")
class CreditsTheCreatorAlways(EffectChanger):
    """Each change of a token is said to be its creator's."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:update" or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, "updatedBy": effect.saved["createdBy"]})


# -- numbers -------------------------------------------------------------------------------------------


@faulty(
    "acks/answered-under-its-number",
    also={
        "acks/exactly-one-answer": "two tabs may have asked under the same number",
        "rooms/own-other-connection-hears": "who asks anew for want of an answer leaves the tab that was asked",
    },
    hides=True,
)
class AnswersTheNewestTab(Pipeline):
    """Answers go to the newest connection of the user who asked."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        tabs = self.connections_of(self.users.get(connection, ""))
        newest = self.sockets.manager.eio_sid_from_sid(tabs[-1], "/") if tabs else None
        if where is not None and newest is not None:
            where = (newest, where[1])
        await super().acknowledge(connection, name, envelope, where)


@faulty("acks/answered-under-its-number", "acks/success-without-callback-is-silent")
class AnswersUnderZero(Pipeline):
    """A request that wants no answer, and is accepted, has one under the number 0."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        eio_sid = self.sockets.manager.eio_sid_from_sid(connection, "/")
        if where is None and envelope["success"] and eio_sid is not None:
            where = (eio_sid, 0)
        await super().acknowledge(connection, name, envelope, where)


@faulty(
    "acks/answered-under-its-number",
    also={"acks/*": "what is answered under another number is not answered, or once more"},
    hides=True,
)
class CutsNumbersOff(SocketIoServer):
    """The number under which a request is answered is cut to its last two digits."""

    async def answer(self, where: AckAddress, envelope: Payload) -> None:
        await super().answer((where[0], where[1] % 100), envelope)


@faulty("acks/answered-under-its-number")
class MixesUpAnswers(Later):
    """Of two tokens that a user creates at once, each is acknowledged under the number of the other."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.kept: dict[str, tuple[Payload, AckAddress]] = {}

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name != "token:create" or where is None or not envelope["success"]:
            await super().acknowledge(connection, name, envelope, where)
        elif connection in self.kept:
            earlier, there = self.kept.pop(connection)
            await super().acknowledge(connection, name, envelope, there)
            await super().acknowledge(connection, name, earlier, where)
        else:
            self.kept[connection] = envelope, where
            self.later(self._release(connection))

    async def _release(self, connection: str) -> None:
        await asyncio.sleep(LATE)
        if connection in self.kept:
            await super().acknowledge(connection, "token:create", *self.kept.pop(connection))


@faulty("acks/success-without-callback-is-silent")
class ConfirmsByAnEvent(Pipeline):
    """A request without a broadcast that wants no answer is answered by an event of the server's own."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None and envelope["success"] and name in self.handlers:
            await self.sockets.emit("x-done", envelope, to=connection)
        await super().acknowledge(connection, name, envelope, where)


# -- who is a member -----------------------------------------------------------------------------------


@faulty("join/lists-current-members")
class ListsWhoWasThereAtFirst(Pipeline):
    """The participants of a session are those of the time when somebody joined it first."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.listed: dict[str, list[str]] = {}

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().join(connection, user, payload)
        kept = self.listed.setdefault(answer["sessionId"], answer["participantIds"])
        return {**answer, "participantIds": [*kept, *([] if user in kept else [user])]}


@faulty("join/lists-current-members")
class ListsWhoEverWas(Pipeline):
    """Participants stay on the list that is sent when they are participants no more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ever: dict[str, list[str]] = {}

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().join(connection, user, payload)
        ever = self.ever.setdefault(answer["sessionId"], [])
        ever += [each for each in answer["participantIds"] if each not in ever]
        return {**answer, "participantIds": list(ever)}


# -- the order of broadcast and acknowledgement --------------------------------------------------------


@faulty("order/broadcast-before-acknowledgement")
class BroadcastsByTimer(Later):
    """A broadcast is sent 150 ms after its acknowledgement."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        self.later(self._broadcast(emission, sender))

    async def _broadcast(self, emission: Emission, sender: str) -> None:
        await asyncio.sleep(0.15)
        await super().broadcast(emission, sender)


@faulty(
    "order/broadcast-before-acknowledgement",
    also={"order/one-sender-in-order": "moves that are sent after a message are broadcast before it"},
)
class ModeratesAfterwards(Later):
    """Chat messages wait for a moderator of 150 ms when they have been acknowledged; all else is broadcast at once."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event == "chat-message":
            self.later(self._broadcast(emission, sender))
        else:
            await super().broadcast(emission, sender)

    async def _broadcast(self, emission: Emission, sender: str) -> None:
        await asyncio.sleep(0.15)
        await super().broadcast(emission, sender)
