"""A server that makes something else of what a request does: the ground for faults in storing, telling, answering."""

from __future__ import annotations

import dataclasses
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload


class Altering(Pipeline):
    """Makes something else of a command's effect; nothing, for nothing but that."""

    def altered(self, command: Command, effect: Effect) -> Effect:
        """Return the effect that is stored, told and answered."""
        return effect

    async def take_effect(self, command: Command, connection: str) -> Payload:
        plain = self.effects[command.event]
        self.effects[command.event] = lambda c: self.altered(c, plain(c))
        try:
            return await super().take_effect(command, connection)
        finally:
            self.effects[command.event] = plain


def told(effect: Effect, **changes: Any) -> Emission:
    """Return an effect's broadcast with something changed in it."""
    return dataclasses.replace(effect.emission, payload={**effect.emission.payload, **changes})


def everywhere(effect: Effect, token: Payload) -> Effect:
    """Return an effect with another token stored, and told in the same way."""
    if "token" in effect.answer:
        return Effect({"token": token}, told(effect, token=token), saved=token)
    shown = {key: token[key] for key in ("position", "version")}
    return Effect({**effect.answer, **shown}, told(effect, **shown), saved=token)
