"""The HTTP side: accounts and their cookie, game sessions, participants, encounters. Errors are JSON, always."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.log import traceback_without_message
from dungeonlab_reference_server.origins import own_scheme
from dungeonlab_reference_server.passwords import PasswordQueue, TooBusy, check_password, hash_password, nobodys_secret
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Session
from dungeonlab_reference_server.store import Store, User
from dungeonlab_reference_server.uploads import Uploads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LARGEST_BODY = 64 * 1024  # bytes
_CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "TOO_LARGE",
    429: "RATE_LIMITED",
}
_KEPT = {"Allow", "Retry-After"}  # headers of an error that its JSON comes with
UPLOADS = web.AppKey("UPLOADS", Uploads)

log = logging.getLogger("dungeonlab")


class Problem(Exception):  # noqa: N818 - an answer, not an accident
    """An answer other than success."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code or _CODES[status]


class HttpSide:
    """Routes over a store; `pipeline` closes connections and rooms of users who lost a login or a membership."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self.store = store
        self.pipeline = pipeline
        settings = pipeline.settings
        self.registrations = PasswordQueue(settings.scrypt_n, settings.password_wait)
        self.logins = PasswordQueue(settings.scrypt_n, settings.password_wait)  # no login waits for registrations

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        session = "/api/game-sessions/{session}"
        return [
            web.post("/api/auth/register", self.register),
            web.post("/api/auth/login", self.log_in),
            web.post("/api/auth/logout", self.log_out),
            web.get("/api/auth/me", self.me),
            web.post("/api/game-sessions", self.open_session),
            web.get(session, self.show_session),
            web.delete(session, self.delete_session),
            web.put(f"{session}/participants/{{user}}", self.enrol),
            web.delete(f"{session}/participants/{{user}}", self.revoke),
            web.post(f"{session}/encounters", self.open_encounter),
            web.get("/healthz", self.healthy),
        ]

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return secrets.token_urlsafe(9)

    # -- accounts ------------------------------------------------------------------------------------

    async def register(self, request: web.Request) -> web.Response:
        """Make an account and log it in."""
        self.registrations.check_room()
        body = await _body(request)
        username, password = _text(body, "username", 64), _text(body, "password", 1024, least=8)
        display_name = _text(body, "displayName", 64) if "displayName" in body else None
        secret = await self.registrations.run(hash_password, password, self.pipeline.settings.scrypt_n)
        user = User(self.new_id(), username, display_name, secret)
        if not await self.store.add_user(user):
            raise Problem(409, "this username is taken", "CONFLICT")
        return await self._logged_in(request, user, 201)

    async def log_in(self, request: web.Request) -> web.Response:
        """Log an account in."""
        self.logins.check_room()
        body = await _body(request)
        user = await self.store.user_named(_text(body, "username", 64))
        password = _text(body, "password", 1024)
        # An unknown name takes as long as a wrong password.
        secret = user.secret if user else nobodys_secret(self.pipeline.settings.scrypt_n)
        right = await self.logins.run(check_password, password, secret)
        if user is None or not right:
            raise Problem(401, "wrong username or password")
        return await self._logged_in(request, user, 200)

    async def _logged_in(self, request: web.Request, user: User, status: int) -> web.Response:
        cookie = secrets.token_urlsafe(32)
        await self.store.open_login(cookie, user.id)
        response = web.json_response(user.profile(), status=status)
        secure = own_scheme(request) == "https"
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="Lax", secure=secure, path="/")
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """End a login, and with it the user's connections."""
        user = await self._user(request)
        async with self.store.turn(user.id):
            await self.store.close_login(request.cookies[COOKIE])
            await self.pipeline.end_user(user.id)
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/")
        return response

    async def me(self, request: web.Request) -> web.Response:
        """Return one's own profile."""
        return web.json_response((await self._user(request)).profile())

    async def _user(self, request: web.Request) -> User:
        found = await self.store.login(request.cookies.get(COOKIE, ""))
        user = await self.store.user(found) if found else None
        if user is None:
            raise Problem(401, "log in first")
        return user

    # -- game sessions -------------------------------------------------------------------------------

    async def open_session(self, request: web.Request) -> web.Response:
        """Open a game session; the caller is its game master, and no participant."""
        user = await self._user(request)
        session = Session(self.new_id(), _text(await _body(request), "name", 255), user.id)
        await self.store.save_session(session)
        return web.json_response(_shown(session), status=201)

    async def show_session(self, request: web.Request) -> web.Response:
        """Return a game session to one of its members."""
        user, session = await self._user(request), await self._session(request)
        if not session.has_member(user.id):
            raise Problem(403, "you are no member of this session")
        return web.json_response(_shown(session))

    async def delete_session(self, request: web.Request) -> web.Response:
        """Forget a game session and empty its room."""
        async with self._turn(request):
            session = await self._mastered(request)
            await self.store.delete_session(session.id)
            await self.pipeline.close_session(session.id)
        return web.Response(status=204)

    async def enrol(self, request: web.Request) -> web.Response:
        """Make a user a participant."""
        async with self._turn(request):
            session, user = await self._mastered(request), await self._participant(request)
            await self.store.enrol(session.id, user)
        return web.Response(status=204)

    async def revoke(self, request: web.Request) -> web.Response:
        """End a user's membership, at once and in the room too."""
        async with self._turn(request):
            session, user = await self._mastered(request), await self._participant(request)
            await self.store.revoke(session.id, user)
            if user != session.game_master:
                await self.pipeline.remove_member(user, session.id)
        return web.Response(status=204)

    async def open_encounter(self, request: web.Request) -> web.Response:
        """Open an encounter in a session."""
        await self._user(request)
        body = await _body(request)  # which may arrive slowly: nobody else waits for it
        async with self._turn(request):
            session = await self._mastered(request)
            name, encounter = _text(body, "name", 255), self.new_id()
            await self.store.save_encounter(encounter, session.id)
        return web.json_response({"id": encounter, "sessionId": session.id, "name": name}, status=201)

    def _turn(self, request: web.Request) -> AbstractAsyncContextManager[object]:
        return self.store.turn(request.match_info["session"])

    async def _session(self, request: web.Request) -> Session:
        session = await self.store.session(request.match_info["session"])
        if session is None:
            raise Problem(404, "there is no such session")
        return session

    async def _mastered(self, request: web.Request) -> Session:
        user, session = await self._user(request), await self._session(request)
        if session.game_master != user.id:
            raise Problem(403, "only the game master may do this")
        return session

    async def _participant(self, request: web.Request) -> str:
        user = await self.store.user(request.match_info["user"])
        if user is None:
            raise Problem(404, "there is no such user")
        return user.id

    async def healthy(self, _: web.Request) -> web.Response:
        """Say that the server is up."""
        return web.json_response({"status": "ok"})


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into ``{error, code}``."""
    try:
        return await handler(request)
    except Problem as problem:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        log.debug("refused method=%s route=%s code=%s rule=%r", request.method, route, problem.code, str(problem))
        return _problem(problem.status, str(problem), problem.code)
    except TooBusy:
        answer = _problem(429, "too many are registering or logging in; try again soon", _CODES[429])
        answer.headers["Retry-After"] = "1"
        return answer
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = _problem(error.status, error.reason, _CODES.get(error.status, HTTPStatus(error.status).name))
        for header in _KEPT & error.headers.keys():
            answer.headers[header] = error.headers[header]
        return answer
    except asyncio.CancelledError:
        raise
    except ConnectionResetError:  # broken off by the client in the middle of an upload; nobody reads this
        return _problem(400, "the request broke off", _CODES[400])
    except Exception as error:  # a fault of the server is answered as JSON too
        log.error("fault method=%s error=%s", request.method, traceback_without_message(error))
        return _problem(500, "something went wrong here", "INTERNAL_ERROR")


def _shown(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "name": session.name,
        "gameMasterId": session.game_master,
        "participantIds": list(session.participants),
    }


def _problem(status: int, text: str, code: str) -> web.Response:
    return web.json_response({"error": text, "code": code}, status=status)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.app[UPLOADS].read(request, _LARGEST_BODY))
    except (ValueError, RecursionError):
        raise Problem(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "the body is no JSON object")
    return body


def _text(body: dict[str, Any], key: str, longest: int, *, least: int = 1) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not least <= len(value) <= longest or "\x00" in value:
        raise Problem(400, f"{key} must be a text of {least} to {longest} characters")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise Problem(400, f"{key} must be Unicode text")
    return value
