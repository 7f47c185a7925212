"""The base of servers that change the effect of a request: what is stored, broadcast and answered."""

from __future__ import annotations

import dataclasses
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload


class EffectChanger(Pipeline):
    """Changes a command's effect in `changed_effect`, and nothing else."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        """Return the effect that is stored, broadcast and answered."""
        return effect

    async def take_effect(self, command: Command, connection: str) -> Payload:
        plain = self.effects[command.event]
        self.effects[command.event] = lambda c: self.changed_effect(c, plain(c))
        try:
            return await super().take_effect(command, connection)
        finally:
            self.effects[command.event] = plain


class UpdateChanger(EffectChanger):
    """Changes in `updated` what becomes of a token that is updated, and nothing else."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        """Return what is changed of the token `after` the update; all else stays as that has it."""
        raise NotImplementedError

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "token:update" or command.token is None or effect.saved is None:
            return effect
        return with_token(effect, {**effect.saved, **self.updated(command, command.token, effect.saved)})


class MessageNumberer(EffectChanger):
    """Gives messages ids of its own, by `numbered`."""

    def numbered(self, command: Command) -> str:
        """Return the id of a message."""
        raise NotImplementedError

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "chat-message":
            return effect
        number = {"messageId": self.numbered(command)}
        return Effect({**effect.answer, **number}, broadcast_with(effect, **number))


def broadcast_with(effect: Effect, **changes: Any) -> Emission:
    """Return an effect's broadcast with something changed in it."""
    return dataclasses.replace(effect.emission, payload={**effect.emission.payload, **changes})


def with_token(effect: Effect, token: Payload) -> Effect:
    """Return the effect with another token, stored, broadcast and answered alike."""
    if "token" in effect.answer:
        return Effect({"token": token}, broadcast_with(effect, token=token), saved=token)
    shown = {key: token[key] for key in ("position", "version")}
    return Effect({**effect.answer, **shown}, broadcast_with(effect, **shown), saved=token)
