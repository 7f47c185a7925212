"""Faults in the HTTP side, which is judged only where it is claimed."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide, Problem, _body
from dungeonlab_reference_server.passwords import PasswordQueue, check_password
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Payload, Session
from dungeonlab_reference_server.store import MemoryStore, Store, User
from tests.mutants.fault import faulty

P = ParamSpec("P")
T = TypeVar("T")


@faulty("http/requests-answered-as-described")
class TellsOfTheDeletion(HttpSide):
    """Deleting a session is answered 200 and a body, where the description says 204."""

    async def delete_session(self, request: web.Request) -> web.Response:
        await super().delete_session(request)
        return web.json_response({"deleted": True})


@faulty("http/errors-are-json")
class SaysInPlainTextThatANameIsTaken(HttpSide):
    """One error is reported as plain text: it is written by hand, past what makes JSON of all others."""

    async def register(self, request: web.Request) -> web.Response:
        try:
            return await super().register(request)
        except Problem as problem:
            if problem.status != 409:
                raise
            return web.Response(status=409, text="This name is taken.")


@faulty("http/login-needs-the-password")
class ForgivesCapitals(HttpSide):
    """A password counts whatever its capitals: it is compared in another case too."""

    async def log_in(self, request: web.Request) -> web.Response:
        body = await _body(request)
        user = await self.store.user_named(f"{body.get('username')}")
        password = f"{body.get('password')}"
        if user is None or not any(check_password(p, user.secret) for p in (password, password.swapcase())):
            raise Problem(401 if isinstance(body.get("password"), str) and body.get("username") else 400, "no")
        return await self._logged_in(request, user, 200)


@faulty("http/login-needs-the-password")
class ForgivesBlanks(HttpSide):
    """A password counts without the blanks around it, such as those that come with copying it."""

    async def log_in(self, request: web.Request) -> web.Response:
        body = await _body(request)
        user = await self.store.user_named(f"{body.get('username')}")
        if user is None or not check_password(f"{body.get('password')}".strip(), user.secret):
            raise Problem(401 if isinstance(body.get("password"), str) and body.get("username") else 400, "no")
        return await self._logged_in(request, user, 200)


class _LooksAtTheBeginning(PasswordQueue):
    """Hashes and checks as much of a password as bcrypt does."""

    async def run(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        password, *others = args
        return await super().run(work, str(password)[:72], *others, **options)  # type: ignore[arg-type]


@faulty("http/login-needs-the-password")
class HashesTheBeginning(HttpSide):
    """Of a long password only the first 72 characters count: the hash looks at no more."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        super().__init__(store, pipeline)
        settings = pipeline.settings
        self.registrations = _LooksAtTheBeginning(settings.scrypt_n, settings.password_wait)
        self.logins = _LooksAtTheBeginning(settings.scrypt_n, settings.password_wait)


@faulty("http/username-taken-once")
class AsksBeforeItHashes(MemoryStore):
    """Whether a name is taken is asked first, and meanwhile somebody else may take it."""

    async def add_user(self, user: User) -> bool:
        if user.username in self._names:
            return False
        await asyncio.sleep(0.05)
        self._names[user.username] = user.id
        self._users[user.id] = user
        return True


@faulty("http/username-taken-once")
class TakesNamesAgain(MemoryStore):
    """Registering under a name that is taken makes another account, and takes the name away from the first."""

    async def add_user(self, user: User) -> bool:
        self._names[user.username] = user.id
        self._users[user.id] = user
        return True


@faulty("http/cookie-out-of-reach")
class ShowsTheCookieToScripts(HttpSide):
    """The cookie is not HttpOnly."""

    async def _logged_in(self, request: web.Request, user: User, status: int) -> web.Response:
        response = await super()._logged_in(request, user, status)
        response.cookies[COOKIE]["httponly"] = ""
        return response


@faulty("http/cookie-is-random")
class DerivesTheCookie(HttpSide):
    """The cookie is a hash of the user's id: to know the one is to know the other."""

    async def _logged_in(self, request: web.Request, user: User, status: int) -> web.Response:
        response = await super()._logged_in(request, user, status)
        derived = hashlib.sha256(user.id.encode()).hexdigest()
        await self.store.open_login(derived, user.id)
        response.set_cookie(COOKIE, derived, httponly=True, samesite="Lax", path="/")
        return response


@faulty("http/cookie-is-random")
class TakesThePlantedCookieOver(HttpSide):
    """A cookie that the browser sends and nobody is logged in with becomes that of the login."""

    async def _logged_in(self, request: web.Request, user: User, status: int) -> web.Response:
        sent = request.cookies.get(COOKIE, "")
        response = await super()._logged_in(request, user, status)
        if len(sent) >= 16 and await self.store.login(sent) is None:
            await self.store.open_login(sent, user.id)
            response.set_cookie(COOKIE, sent, httponly=True, samesite="Lax", path="/")
        return response


@faulty("http/session-for-members")
class RevokesTheLastInstead(MemoryStore):
    """To end a participation that is none ends that of the last participant: the place of nobody is -1."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        session = self._sessions.get(session_id)
        if session is not None and user_id not in session.participants and session.participants:
            user_id = session.participants[-1]
        await super().revoke(session_id, user_id)


@faulty("http/cookie-needed")
class LogsAnybodyOut(HttpSide):
    """Logging out is answered 204 to somebody who never was logged in."""

    async def log_out(self, request: web.Request) -> web.Response:
        try:
            return await super().log_out(request)
        except Problem:
            return web.Response(status=204)


class _NullOverTheSocket(Pipeline):
    """In a profile that is asked for over the socket, the display name that nobody gave is null."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().user_data(connection, user, payload)
        return {"user": {"displayName": None, **answer["user"]}}


@faulty(
    "http/requests-answered-as-described",
    "acks/success-shape",
    also={"http/answers-described": "a profile is asked for there, too"},
    beside=(_NullOverTheSocket,),
)
class NamesNobodyNull(HttpSide):
    """The display name of somebody who gave none is null in every profile."""

    async def me(self, request: web.Request) -> web.Response:
        return web.json_response({"displayName": None, **(await self._user(request)).profile()})


@faulty("http/logout-ends-the-login", "auth/logged-out-cookie-refused")
class ForgetsOnlyInTheBrowser(HttpSide):
    """Logging out tells the browser to forget the cookie, and goes on taking it."""

    async def log_out(self, request: web.Request) -> web.Response:
        user = await self._user(request)
        await self.pipeline.end_user(user.id)
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/")
        return response


@faulty("http/caller-becomes-game-master")
class PutsTheMasterAmongTheParticipants(MemoryStore):
    """A user who opens a session is listed as a participant of it."""

    async def save_session(self, session: Session) -> None:
        await super().save_session(dataclasses.replace(session, participants=(session.game_master,)))


@faulty("http/session-for-members")
class ShowsSessionsToAnybody(HttpSide):
    """A user who knows a session's id may look at it."""

    async def show_session(self, request: web.Request) -> web.Response:
        await self._user(request)
        session = await self._session(request)
        shown = {"id": session.id, "name": session.name, "gameMasterId": session.game_master}
        return web.json_response({**shown, "participantIds": list(session.participants)})


@faulty("http/game-master-only")
class LetsMembersRule(HttpSide):
    """Any member may do what only the game master may."""

    async def _mastered(self, request: web.Request) -> Session:
        user, session = await self._user(request), await self._session(request)
        if not session.has_member(user.id):
            raise Problem(403, "only members may do this")
        return session


@faulty("http/game-master-only")
class LetsEveryHostRule(HttpSide):
    """Who has opened a session of their own may change every one: being a game master is kept with the user."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        super().__init__(store, pipeline)
        self.hosts: set[str] = set()

    async def open_session(self, request: web.Request) -> web.Response:
        response = await super().open_session(request)
        self.hosts.add((await self._user(request)).id)
        return response

    async def _mastered(self, request: web.Request) -> Session:
        user, session = await self._user(request), await self._session(request)
        return session if user.id in self.hosts else await super()._mastered(request)


@faulty("http/unknown-is-not-found")
class DeletesNoSession(HttpSide):
    """Deleting a session that is not there is answered as if it had been."""

    async def delete_session(self, request: web.Request) -> web.Response:
        await self._user(request)
        if await self.store.session(request.match_info["session"]) is None:
            return web.Response(status=204)
        return await super().delete_session(request)


class _Names(HttpSide):
    def named(self, name: object) -> str:
        raise NotImplementedError

    async def open_session(self, request: web.Request) -> web.Response:
        user = await self._user(request)
        name = self.named((await _body(request)).get("name"))
        session = Session(secrets.token_urlsafe(9), name, user.id)
        await self.store.save_session(session)
        shown = {"id": session.id, "name": name, "gameMasterId": user.id, "participantIds": []}
        return web.json_response(shown, status=201)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= 255 and "\x00" not in name


@faulty("http/valid-bodies-accepted")
class KnowsOnlyAscii(_Names):
    """A session's name that is not ASCII is refused."""

    def named(self, name: object) -> str:
        if not isinstance(name, str) or not _is_name(name) or not name.isascii():
            raise Problem(400, "name must be a text")
        return name


@faulty("http/invalid-bodies-refused")
class TakesAnythingForAName(_Names):
    """A session's name may be a number, a list, or missing."""

    def named(self, name: object) -> str:
        return f"{name}"[:255] or "unnamed"


@faulty("http/answers-described")
class StumblesOverLetters(_Names):
    """A session's name with letters beyond Latin makes the handler fall."""

    def named(self, name: object) -> str:
        if not isinstance(name, str) or not _is_name(name):
            raise Problem(400, "name must be a text")
        name.encode("latin-1")
        return name


@faulty("http/unknown-is-not-found")
class EnrolsInNoSession(HttpSide):
    """Who is to be made a participant of a session that there is not is said to be one."""

    async def enrol(self, request: web.Request) -> web.Response:
        await self._user(request)
        there = await self.store.session(request.match_info["session"]) is not None
        return await super().enrol(request) if there else web.Response(status=204)


@faulty("http/logout-ends-the-login")
class RemembersWhoAsked(HttpSide):
    """Whose cookie it is is remembered for all requests but those about logins, whatever becomes of the login."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        super().__init__(store, pipeline)
        self.known: dict[str, User] = {}

    async def _user(self, request: web.Request) -> User:
        cookie = request.cookies.get(COOKIE, "")
        if request.path.startswith("/api/auth"):
            return await super()._user(request)
        if cookie not in self.known:
            self.known[cookie] = await super()._user(request)
        return self.known[cookie]
