"""Faults in what is believed of what somebody says, though only the server knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide, _body, _shown, _text
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from tests.mutants.effects import EffectChanger, UpdateChanger, with_token
from tests.mutants.fault import faulty


@faulty(
    "payloads/unknown-properties-ignored",
    also={"tokens/content-comes-back-exactly": "a token is answered with another encounter than the request names"},
)
class MovesTokensToTheEncounterNamed(UpdateChanger):
    """An update that names another encounter, or what has an id that looks like one, puts the token there."""

    def updated(self, command: Command, before: Payload, after: Payload) -> Payload:
        named = command.payload["updates"].get("encounterId", "")
        return {"encounterId": named} if len(named) == len(before["encounterId"]) else {}


@faulty("payloads/unknown-properties-ignored")
class BelievesTheDraft(EffectChanger):
    """A draft may name another user, whom there is, as the one who made the token."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        named = command.payload.get("token", {}).get("createdBy") if command.event == "token:create" else None
        if effect.saved is None or named not in self.users.values():
            return effect
        return with_token(effect, {**effect.saved, "createdBy": named})


@faulty("payloads/unknown-event-is-harmless", also={"presence/true-user": "what is relayed names who did nothing"})
class RelaysServerEvents(Pipeline):
    """What a client in a room sends under the name of a server's event is passed on to the room."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if len(data) == 2 and data[0] in ("user-joined", "user-left") and connection in self.seats:
            room = self.room(self.seats[connection])
            await self.sockets.emit(data[0], data[1], room=room, skip_sid=connection)
        else:
            await super().on_event(connection, data, where)


@faulty("auth/identity-comes-from-the-cookie")
class TrustsAHeader(Pipeline):
    """A header of the handshake, as a proxy sets it, counts more than the cookie, though any client may set it."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        user = await super().authenticate(environ)
        named = environ["aiohttp.request"].headers.get("X-Forwarded-User", "")
        return named if user is not None and named in self.users.values() else user


@faulty("http/caller-becomes-game-master")
class OpensSessionsForOthers(HttpSide):
    """Who opens a session may name another user as its game master."""

    async def open_session(self, request: web.Request) -> web.Response:
        user, body = await self._user(request), await _body(request)
        session = Session(self.new_id(), _text(body, "name", 255), body.get("gameMasterId", user.id))
        await self.store.save_session(session)
        return web.json_response(_shown(session), status=201)
