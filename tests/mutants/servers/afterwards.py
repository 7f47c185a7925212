"""Faults that show a while later, or in what is sent before the last thing has been answered."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal
from dungeonlab_reference_server.socketio_server import AckAddress, SocketIoServer
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_SOON = 1.0  # seconds


@faulty("join/game-master-admitted")
class LosesTheMasterWhoPlayed(MemoryStore):
    """A game master who is taken off the participants is no member any more."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        await super().revoke(session_id, user_id)
        session = self._sessions.get(session_id)
        if session is not None and session.game_master == user_id:
            self._sessions[session_id] = dataclasses.replace(session, game_master="nobody")


@faulty("join/removed-member-refused")
class RemembersTheLastRemoval(MemoryStore):
    """Of those who were removed from a session only the last one is known, and those before are members again."""

    def __init__(self) -> None:
        super().__init__()
        self.removed: dict[str, str] = {}  # users by session

    async def revoke(self, session_id: str, user_id: str) -> None:
        await super().revoke(session_id, user_id)
        if (before := self.removed.get(session_id, user_id)) != user_id:
            await super().enrol(session_id, before)
        self.removed[session_id] = user_id


@faulty("join/removed-member-refused")
class TakesTheRemovedInAgain(MemoryStore):
    """That a membership was revoked is kept in mind for a second, and never saved."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        await super().revoke(session_id, user_id)
        if session is not None and user_id in session.participants:
            asyncio.get_running_loop().call_later(_SOON, self._restore, session_id, user_id)

    def _restore(self, session_id: str, user_id: str) -> None:
        self._tasks = asyncio.ensure_future(self.enrol(session_id, user_id))


@faulty("auth/logged-out-cookie-refused")
class ForgetsLogouts(MemoryStore):
    """A cookie that was logged out is on a list for a second, and good again after that."""

    async def close_login(self, cookie: str) -> None:
        user = self._logins.get(cookie)
        await super().close_login(cookie)
        if user is not None:
            asyncio.get_running_loop().call_later(_SOON, self._logins.setdefault, cookie, user)


@faulty("tokens/only-deletion-ends-it")
class ClearsOldTokensAway(Pipeline):
    """A token is cleared away when nobody has named it for a second."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.named: dict[str, float] = {}

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        token = await super().check_things(event, payload)
        if token is not None:
            now = time.monotonic()
            if now - self.named.get(token["id"], now) > _SOON:
                raise Refusal("TOKEN_NOT_FOUND", "there is no such token any more")
            self.named[token["id"]] = now
        return token

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name == "token:create" and envelope["success"]:
            self.named[envelope["data"]["token"]["id"]] = time.monotonic()
        await super().acknowledge(connection, name, envelope, where)


@faulty("authorization/removed-member-hears-nothing")
class SeatsWhoIsTakenInAgain(HttpSide):
    """Whose membership was revoked in the room, and who is taken in again, hears the room again without joining."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seated: dict[tuple[str, str], list[str]] = {}

    async def revoke(self, request: web.Request) -> web.Response:
        user, session, there = request.match_info["user"], request.match_info["session"], self.pipeline.seats
        self.seated[user, session] = [c for c in self.pipeline.connections_of(user) if there.get(c) == session]
        return await super().revoke(request)

    async def enrol(self, request: web.Request) -> web.Response:
        answer = await super().enrol(request)
        user, session = request.match_info["user"], request.match_info["session"]
        for connection in self.seated.pop((user, session), []):
            if connection in self.pipeline.users:
                await self.pipeline.sockets.enter_room(connection, self.pipeline.room(session))
        return answer


class _InATask(Pipeline):
    """Carries some requests out in a task of their own, a moment later: what is sent next is not kept waiting."""

    seconds = 0.03

    def waits(self, data: Sequence[Any]) -> bool:
        """Whether a request waits so."""
        raise NotImplementedError

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        if self.waits(data):
            self.sockets.start_background_task(self._carry_out_later, connection, data, where)
        else:
            await super().on_event(connection, data, where)

    async def _carry_out_later(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        await asyncio.sleep(self.seconds)
        await super().on_event(connection, data, where)


@faulty("order/answers-in-order")
class JoinsInATask(_InATask):
    """Joining takes a moment, in which what the same connection sends next is carried out already."""

    def waits(self, data: Sequence[Any]) -> bool:
        return bool(data) and data[0] == "join-session"


@faulty("order/one-sender-in-order")
class MakesPicturesLater(_InATask):
    """A token with a picture is made once that is there, while what the same connection sends next is carried out."""

    seconds = 0.06

    def waits(self, data: Sequence[Any]) -> bool:
        draft = data[1].get("token") if data[:1] == ["token:create"] and isinstance(data[-1], dict) else None
        return isinstance(draft, dict) and "imageUrl" in draft


@faulty("order/one-sender-in-order")
class SortsWhatIsPolled(SocketIoServer):
    """What is sent to a client that polls is collected for a moment, and chat is put in front of all else."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.held: dict[str, list[Any]] = {}

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        is_event = isinstance(eio_pkt.data, str) and eio_pkt.data.startswith(("2[", "3"))
        if socket is None or socket.upgraded or not is_event:
            for packet in self.held.pop(eio_sid, []):
                await super()._send_eio_packet(eio_sid, packet)
            await super()._send_eio_packet(eio_sid, eio_pkt)
            return
        if eio_sid not in self.held:
            self.held[eio_sid] = []
            self.start_background_task(self._send_sorted, eio_sid)
        self.held[eio_sid].append(eio_pkt)

    async def _send_sorted(self, eio_sid: str) -> None:
        await asyncio.sleep(0.01)
        for packet in sorted(self.held.pop(eio_sid, []), key=lambda packet: not packet.data.startswith('2["chat')):
            await super()._send_eio_packet(eio_sid, packet)


@faulty("payloads/ids-compared-exactly")
class FindsUsersByName(Pipeline):
    """A profile may be asked for by the user's name in place of the id."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        named = await self.store.user_named(payload.get("userId", ""))
        return await super().user_data(connection, user, {**payload, "userId": named.id} if named else payload)
