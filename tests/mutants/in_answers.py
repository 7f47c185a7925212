"""Faults in what an answer says beside what was asked for and what others hear."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, broadcast_with
from tests.mutants.fault import faulty

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
    """The id of a message is the time in hundredths of a second, which several share."""

    def message_id(self, command: Command) -> str:
        return "".join(letter for letter in command.now if letter.isdigit())[:-1]
