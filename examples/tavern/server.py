"""The Tavern: a small virtual table top, as somebody else might have written one.

It speaks the real-time protocol, and goes its own ways beside it: one logs in by an HTML form with a hidden
token, a session is a "table", one becomes a member by accepting an invitation, and a map is an encounter.

    TAVERN_PASSWORD=... python server.py [PORT]
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import os
import secrets
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import socketio
from aiohttp import web
from socketio.packet import ACK

from dungeonlab_spec import Catalogue, validate

GUESTS = ("gm", "ada", "ben", "cleo", "dirk", "eve")
CATALOGUE = Catalogue.load()
_NUMBERS = itertools.count(1)


@dataclass
class Guest:
    """Somebody with an account."""

    id: str
    name: str
    sockets: set[str] = field(default_factory=set)


@dataclass
class Table:
    """A game session: who leads it, who was let in, which maps lie on it."""

    key: str
    master: str
    invitation: str
    guests: set[str] = field(default_factory=set)
    maps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def seats(self, guest: str) -> bool:
        """Whether somebody belongs here."""
        return guest == self.master or guest in self.guests


class Refused(Exception):  # noqa: N818
    """A request that is not carried out."""


class Sockets(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Hands every event to one place, with the number of the answer that is wanted, in the order they came."""

    tavern: Tavern

    async def _handle_event_internal(
        self, _: Any, sid: str, eio_sid: str, data: list[Any], namespace: str, number: int | None
    ) -> None:
        answer = await self.tavern.hear(sid, data)
        if number is not None:
            await self._send_packet(eio_sid, self.packet_class(ACK, namespace=namespace, id=number, data=[answer]))
        elif not answer["success"]:
            error = {"event": data[0], "error": answer["error"], "code": answer["code"]}
            await self.emit("error", error, to=sid)


class Tavern:
    """The whole house."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.guests = {name: Guest(f"guest-{number}", name) for number, name in enumerate(GUESTS, 1)}
        self.cookies: dict[str, Guest] = {}
        self.tables: dict[str, Table] = {}
        self.online: dict[str, Guest] = {}
        self.at: dict[str, str] = {}  # the table that a socket sits at
        self.sockets = Sockets(async_mode="aiohttp", async_handlers=False, max_http_buffer_size=1_000_000)
        self.sockets.tavern = self
        self.sockets.on("connect", self.arrive)
        self.sockets.on("disconnect", self.depart)
        self.app = web.Application()
        self.sockets.attach(self.app)
        self.app.add_routes(
            [
                web.get("/login", self.show_form),
                web.post("/login", self.log_in),
                web.get("/me", self.me),
                web.post("/logout", self.log_out),
                web.post("/tables", self.open_table),
                web.post("/tables/{key}/close", self.close_table),
                web.post("/tables/{key}/maps", self.open_map),
                web.post("/tables/{key}/kick", self.kick),
                web.post("/invitations/{invitation}", self.accept),
            ]
        )

    # -- over HTTP -----------------------------------------------------------------------------------

    def who(self, request: web.Request) -> Guest:
        """Return whose request this is."""
        guest = self.cookies.get(request.cookies.get("tavern", ""))
        if guest is None:
            raise web.HTTPUnauthorized
        return guest

    def table(self, request: web.Request) -> Table:
        """Return the table a request is about; only its master may change it."""
        table = self.tables.get(request.match_info["key"])
        if table is None or table.master != self.who(request).id:
            raise web.HTTPForbidden
        return table

    async def show_form(self, _: web.Request) -> web.Response:
        """Show the form, with a token that has to come back."""
        token = secrets.token_hex(8)
        page = '<form method="post"><input name="email"><input name="password" type="password">'
        page += f'<input type="hidden" name="csrf" value="{token}"><button>Enter</button></form>'
        answer = web.Response(text=page, content_type="text/html")
        answer.set_cookie("csrf", token, httponly=True)
        return answer

    async def log_in(self, request: web.Request) -> web.Response:
        """Let somebody in who knows the house's password."""
        form = await request.post()
        if not request.cookies.get("csrf") or form.get("csrf") != request.cookies["csrf"]:
            raise web.HTTPForbidden(text="the form is stale")
        guest = self.guests.get(str(form.get("email", "")).removesuffix("@tavern.example"))
        if guest is None or not hmac.compare_digest(str(form.get("password", "")), self.password):
            raise web.HTTPFound("/login?wrong")
        cookie = secrets.token_urlsafe(24)
        self.cookies[cookie] = guest
        answer = web.Response(status=303, headers={"Location": "/me"})
        answer.set_cookie("tavern", cookie, httponly=True, samesite="Lax")
        return answer

    async def me(self, request: web.Request) -> web.Response:
        """Tell somebody who they are."""
        guest = self.who(request)
        return web.json_response({"guest": {"id": guest.id, "name": guest.name}})

    async def log_out(self, request: web.Request) -> web.Response:
        """Forget the cookie, and hang up."""
        guest = self.who(request)
        del self.cookies[request.cookies["tavern"]]
        await asyncio.gather(*(self.sockets.disconnect(sid) for sid in list(guest.sockets)))
        return web.Response(status=204)

    async def open_table(self, request: web.Request) -> web.Response:
        """Open a table; everybody who has its invitation can come."""
        table = Table(f"table-{next(_NUMBERS)}", self.who(request).id, secrets.token_hex(8))
        self.tables[table.key] = table
        return web.json_response({"table": {"key": table.key, "invitation": table.invitation}})

    async def close_table(self, request: web.Request) -> web.Response:
        """Close a table."""
        table = self.table(request)
        del self.tables[table.key]
        for sid in [sid for sid, key in self.at.items() if key == table.key]:
            await self.stand_up(sid)
        return web.Response()

    async def open_map(self, request: web.Request) -> web.Response:
        """Lay a map on the table."""
        name = f"map-{next(_NUMBERS)}"
        self.table(request).maps[name] = {}
        return web.json_response({"map": name})

    async def accept(self, request: web.Request) -> web.Response:
        """Accept an invitation."""
        guest = self.who(request)
        for table in self.tables.values():
            if table.invitation == request.match_info["invitation"]:
                table.guests.add(guest.id)
                return web.Response()
        raise web.HTTPNotFound

    async def kick(self, request: web.Request) -> web.Response:
        """Send somebody away from a table."""
        table = self.table(request)
        name = (await request.json())["guest"]
        table.guests.discard(name)
        for sid, guest in list(self.online.items()):
            if guest.id == name and self.at.get(sid) == table.key:
                await self.stand_up(sid)
        return web.Response()

    # -- over the socket -----------------------------------------------------------------------------

    async def arrive(self, sid: str, environ: dict[str, Any], _: Any = None) -> None:
        """Admit everybody who has a cookie of the house."""
        guest = self.cookies.get(environ["aiohttp.request"].cookies.get("tavern", ""))
        if guest is None:
            raise socketio.exceptions.ConnectionRefusedError("who are you?")
        self.online[sid] = guest
        guest.sockets.add(sid)

    async def depart(self, sid: str, *_: Any) -> None:
        """Forget a socket."""
        self.at.pop(sid, None)
        guest = self.online.pop(sid, None)
        if guest is not None:
            guest.sockets.discard(sid)

    async def stand_up(self, sid: str) -> None:
        """Take a socket from its table."""
        key = self.at.pop(sid, None)
        if key is not None:
            await self.sockets.leave_room(sid, f"session:{key}")

    async def hear(self, sid: str, data: list[Any]) -> dict[str, Any]:
        """Carry a request out, or say why not."""
        try:
            return {"success": True, "data": await self.act(sid, data[0], data[1:])}
        except Refused as refused:
            text, code = refused.args
            return {"success": False, "error": text, "code": code}
        except Exception as fault:
            print(f"{data[0]}: {type(fault).__name__}", file=sys.stderr)
            return {"success": False, "error": "the house is on fire", "code": "INTERNAL_ERROR"}

    async def act(self, sid: str, name: str, args: list[Any]) -> dict[str, Any]:
        """Judge one request and carry it out."""
        guest = self.online.get(sid)
        if guest is None:
            raise Refused("you have left", "PERMISSION_DENIED")
        event = CATALOGUE.events.get(name) if isinstance(name, str) else None
        if event is None or event.request is None or name == "leave-session":
            raise Refused("nobody here understands that", "VALIDATION_ERROR")
        if len(args) != 1:
            raise Refused("one thing at a time", "VALIDATION_ERROR")
        payload = args[0]
        wrong = validate(name, payload, "request")
        if wrong:
            raise Refused(str(wrong[0]), "VALIDATION_ERROR")
        if name == "get-user-data":
            return {"user": self.profile(guest, payload.get("userId", guest.id))}
        table = self.tables.get(payload["sessionId"])
        if table is None:
            raise Refused("there is no such table", "SESSION_NOT_FOUND")
        if not table.seats(guest.id):
            raise Refused("you were not invited", "PERMISSION_DENIED")
        if name == "join-session":
            return await self.sit_down(sid, guest, table)
        if self.at.get(sid) != table.key:
            raise Refused("sit down first", "NOT_JOINED")
        if name == "validate-action":
            return self.consider(table, payload)
        answer, broadcast = self.play(name, table, guest, payload)
        broadcast = {"sessionId": table.key, "timestamp": now(), **broadcast, "userId": guest.id}
        await self.sockets.emit(name, broadcast, room=f"session:{table.key}", skip_sid=sid)
        return answer

    async def sit_down(self, sid: str, guest: Guest, table: Table) -> dict[str, Any]:
        """Seat a socket; nobody sits at two tables."""
        for other in guest.sockets:
            if self.at.get(other) != table.key:
                await self.stand_up(other)
        if self.at.get(sid) != table.key:
            self.at[sid] = table.key
            await self.sockets.enter_room(sid, f"session:{table.key}")
        return {"sessionId": table.key, "gameMasterId": table.master, "participantIds": sorted(table.guests)}

    def profile(self, guest: Guest, wanted: str) -> dict[str, Any]:
        """Return what may be known of somebody."""
        together = any(table.seats(guest.id) and table.seats(wanted) for table in self.tables.values())
        found = next((other for other in self.guests.values() if other.id == wanted), None)
        if found is None or (wanted != guest.id and not together):
            raise Refused("you do not know them", "PERMISSION_DENIED")
        return {"id": found.id, "username": found.name, "email": f"{found.name}@tavern.example"}

    def consider(self, table: Table, payload: dict[str, Any]) -> dict[str, Any]:
        """Say what would become of an action."""
        name, inner = payload["action"]["type"], payload["action"]["payload"]
        errors = [str(violation) for violation in validate(name, inner, "request")]
        if not errors and inner["sessionId"] != table.key:
            errors = ["that is another table"]
        if not errors:
            try:
                self.find(table, inner)
            except Refused as refused:
                errors = [refused.args[0]]
        return {"valid": not errors, "errors": errors}

    def find(self, table: Table, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the map that a request is about, and make sure of the token on it."""
        board = table.maps.get(payload["encounterId"])
        if board is None:
            raise Refused("there is no such map", "ENCOUNTER_NOT_FOUND")
        if "tokenId" in payload and payload["tokenId"] not in board:
            raise Refused("there is no such token", "TOKEN_NOT_FOUND")
        return board

    def play(
        self, name: str, table: Table, guest: Guest, payload: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the answer's data, and what the others receive."""
        if name == "chat-message":
            said = {"messageId": f"message-{next(_NUMBERS)}", "timestamp": now()}
            return said, {**said, "message": payload["message"]}
        board = self.find(table, payload)
        where = {"encounterId": payload["encounterId"]}
        if name == "token:create":
            token = self.token(payload, guest)
            board[token["id"]] = token
            return {"token": token}, {**where, "token": token}
        key = {"tokenId": payload["tokenId"]}
        if name == "token:delete":
            del board[payload["tokenId"]]
            return key, {**where, **key}
        token = dict(board[payload["tokenId"]], updatedBy=guest.id)
        token["version"] += 1
        board[token["id"]] = token
        if name == "token:move":
            token["position"] = {"elevation": 0, **_only(payload["position"], "x", "y", "elevation")}
            moved = {**key, "position": token["position"], "version": token["version"]}
            return moved, {**where, **moved}
        token.update(_only(payload["updates"], "name", "imageUrl", "size", "isVisible", "data"))
        return {"token": token}, {**where, **key, "token": token}

    def token(self, payload: dict[str, Any], guest: Guest) -> dict[str, Any]:
        """Make a token of a draft."""
        draft = payload["token"]
        conditions = [_only(condition, "name", "duration", "source") for condition in draft.get("conditions", ())]
        return {
            "size": "medium",
            "isVisible": True,
            "isPlayerControlled": False,
            "data": {},
            **_only(draft, "name", "imageUrl", "size", "isVisible", "isPlayerControlled", "data", "actorId"),
            "position": {"elevation": 0, **_only(draft["position"], "x", "y", "elevation")},
            "conditions": conditions,
            "id": f"token-{next(_NUMBERS)}",
            "encounterId": payload["encounterId"],
            "version": 1,
            "createdBy": guest.id,
        }


def _only(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def now() -> str:
    """Return the time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def main(port: int) -> None:
    """Keep the house open until somebody closes it."""
    for name in ("engineio.server", "socketio.server", "aiohttp.server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what strangers send that is no packet is no news
    runner = web.AppRunner(Tavern(os.environ["TAVERN_PASSWORD"]).app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1)
    await site.start()
    print(f"The Tavern is open at http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    closed = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, closed.set)
    await closed.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 4000))
