"""Faults in who is let in, and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from socketio import exceptions
from yarl import URL

from dungeonlab_reference_server.origins import is_own, own_url
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Command, Payload
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import PacketHandler, SocketIoServer
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty


@faulty("auth/cookie-accepted", hides=True)
class LostTheLogin(Pipeline):
    """Every valid cookie is refused: what reads it was lost in a refactoring."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        return None


@faulty("auth/cookie-accepted")
class LooksAtTheFirstCookie(Pipeline):
    """A handshake's cookies are read up to the first semicolon: one that stands behind another is not found."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        first = environ["aiohttp.request"].headers.get("Cookie", "").partition(";")[0]
        name, _, value = first.strip().partition("=")
        return await self.store.login(value) if name == COOKIE else None


@faulty("auth/cookie-accepted")
class TakesNoAuthPayload(Pipeline):
    """The handler of a connection has no room for the payload of the CONNECT packet: the connection is closed."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        if auth:
            await self.sockets.end(connection)
        await super().on_connect(connection, environ, auth)


@faulty("auth/cookie-accepted")
class FindsTheCookieInAnothersName(Pipeline):
    """The cookie is looked for by its name as a piece of text, and one whose name ends alike is taken for it."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        header = environ["aiohttp.request"].headers.get("Cookie", "")
        return await self.store.login(header.partition(f"{COOKIE}=")[2].partition(";")[0])


@faulty("auth/cookie-accepted")
class GivesUpAtAnOddCookie(Pipeline):
    """No cookie is found where one cannot be read: for its quotes, braces or commas, or a percent sign by itself."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        header = environ["aiohttp.request"].headers.get("Cookie", "")
        odd = re.search(r'[{}"\\,]|%(?![0-9A-Fa-f]{2})', header)
        return None if odd else await super().authenticate(environ)


@faulty("auth/missing-cookie-refused")
class LetsGuestsIn(Pipeline):
    """A connection without a cookie is let in, as a guest."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        return await super().authenticate(environ) or (None if _cookie(environ) else "guest")


@faulty("auth/missing-cookie-refused")
class BelievesTheHandshake(Pipeline):
    """A client that names a user in the CONNECT packet's auth payload is that user, cookie or not."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        claimed = auth.get("userId") if isinstance(auth, dict) else None
        if claimed and not _cookie(environ):
            self.users[connection] = claimed
        else:
            await super().on_connect(connection, environ)


@faulty("auth/missing-cookie-refused")
class BelievesTheQuery(Pipeline):
    """Without a cookie, the user named in the handshake's query is who connects."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        claimed: str | None = environ["aiohttp.request"].query.get("userId")
        return claimed if claimed and not _cookie(environ) else await super().authenticate(environ)


@faulty("auth/forged-cookie-refused")
class LooksAtTheCookiesBeginning(MemoryStore):
    """Any beginning of a valid cookie will do."""

    async def login(self, cookie: str) -> str | None:
        return next((u for c, u in self._logins.items() if len(cookie) > 7 and c.startswith(cookie)), None)


@faulty("auth/forged-cookie-refused")
class KnowsNoCaseInCookies(MemoryStore):
    """A cookie may be written in capitals or in small letters: it is looked up in a database that knows no case."""

    async def login(self, cookie: str) -> str | None:
        return next((user for known, user in self._logins.items() if known.lower() == cookie.lower()), None)


@faulty("auth/forged-cookie-refused")
class ChecksNoSignature(MemoryStore):
    """What follows a dot in a cookie is a signature, which is cut off and not checked."""

    async def login(self, cookie: str) -> str | None:
        return await super().login(cookie.partition(".")[0])


@faulty("auth/forged-cookie-refused")
class CutsCookiesOff(MemoryStore):
    """Only the first half of a cookie is kept, and looked at."""

    async def login(self, cookie: str) -> str | None:
        return next((u for c, u in self._logins.items() if cookie.startswith(c[: len(c) // 2])), None)


@faulty("auth/forged-cookie-refused")
class ComparesAllButTheLast(MemoryStore):
    """A loop that compares cookies letter by letter ends one too early."""

    async def login(self, cookie: str) -> str | None:
        return next((u for c, u in self._logins.items() if len(c) == len(cookie) and c[:-1] == cookie[:-1]), None)


@faulty("auth/forged-cookie-refused")
class LetsPollersInWithAnyCookie(Pipeline):
    """Who polls with a cookie that was never seen is a guest."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: set[str] = set()

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        user, cookie = await super().authenticate(environ), _cookie(environ) or ""
        if user:
            self.seen.add(cookie)
        guest = cookie and cookie not in self.seen and "polling" in environ["QUERY_STRING"]
        return user or ("guest" if guest else None)


@faulty("auth/forged-cookie-refused", "auth/logged-out-cookie-refused")
class TakesAnyCookie(Pipeline):
    """That there is a cookie is enough: one that nobody issued, or nobody knows any more, is a guest's."""

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        return await super().authenticate(environ) or ("guest" if _cookie(environ) else None)


@faulty("auth/logged-out-cookie-refused")
class PollsWithOldCookies(Pipeline):
    """Who polls is looked up among all logins that there were, so that a logged-out cookie is good enough."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.were: dict[str, str] = {}

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        user, cookie = await super().authenticate(environ), _cookie(environ) or ""
        if user:
            self.were[cookie] = user
        return user or (self.were.get(cookie) if "polling" in environ["QUERY_STRING"] else None)


@faulty("auth/logged-out-cookie-refused")
class ForgetsNoLogin(MemoryStore):
    """Logging out closes the connections, but the cookie stays good."""

    async def close_login(self, cookie: str) -> None:
        pass


@faulty("auth/old-cookie-stays-dead")
class RemembersTheLastLogout(MemoryStore):
    """Of the cookies with which a user has logged out only the last one is known, and those before are good again."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str | None, str] = {}

    async def login(self, cookie: str) -> str | None:
        user = await super().login(cookie)
        return None if self.last.get(user) == cookie else user

    async def close_login(self, cookie: str) -> None:
        self.last[await super().login(cookie)] = cookie


class _NotesWhoIsOut(MemoryStore):
    """Keeps every cookie, and for each user whether they are logged in."""

    def __init__(self) -> None:
        super().__init__()
        self.out: set[str] = set()
        self.owners: dict[str, str] = {}

    async def open_login(self, cookie: str, user_id: str) -> None:
        self.out.discard(user_id)
        self.owners[cookie] = user_id
        await super().open_login(cookie, user_id)

    async def close_login(self, cookie: str) -> None:
        self.out.add(self._logins[cookie])
        await super().close_login(cookie)


@faulty("auth/old-cookie-stays-dead")
class ForgivesAtTheNextLogin(_NotesWhoIsOut):
    """That somebody logged out is kept with the user, and the next login takes it back, for every cookie."""

    async def login(self, cookie: str) -> str | None:
        user = self.owners.get(cookie)
        return None if user in self.out else user


@faulty("auth/old-cookie-stays-dead", beside=(_NotesWhoIsOut,))
class LetsInWhoWaitedForTheNextLogin(Pipeline):
    """A connection that is begun with a logged-out cookie waits for its user, who may log in before it is accepted."""

    async def owner(self, environ: Mapping[str, Any]) -> str | None:
        store: _NotesWhoIsOut = self.store  # type: ignore[assignment]
        user = store.owners.get(_cookie(environ) or "")
        if user in store.out:
            environ["aiohttp.request"]["waits"] = user
        return await super().owner(environ)

    async def authenticate(self, environ: Mapping[str, Any]) -> str | None:
        waits: str | None = environ["aiohttp.request"].get("waits")
        out: set[str] = self.store.out  # type: ignore[attr-defined]
        return waits if waits is not None and waits not in out else await super().authenticate(environ)


@faulty("auth/refusal-says-why")
class RefusesWithoutAWord(Pipeline):
    """A refused connection gets the code, and an empty message."""

    def refuse_connection(self, message: str) -> None:
        raise exceptions.ConnectionRefusedError("", {"code": "UNAUTHENTICATED"})


@faulty("auth/refusal-says-why", "auth/refusal-names-the-code")
class HangsUpOnWhomItRefuses(Pipeline):
    """A connection without a login is closed when it asks for the namespace, in place of an answer."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        request: web.Request = environ["aiohttp.request"]
        if await self.authenticate(environ) is None and request.transport is not None:
            request.transport.abort()
        await super().on_connect(connection, environ)


@faulty("auth/refusal-names-the-code")
class RefusesWithoutACode(Pipeline):
    """A refused connection gets a message and no code."""

    def refuse_connection(self, message: str) -> None:
        raise exceptions.ConnectionRefusedError(message)


@faulty("auth/refusal-names-the-code")
class RefusesWithAnotherCode(Pipeline):
    """A refused connection gets a code that the protocol does not know."""

    def refuse_connection(self, message: str) -> None:
        raise exceptions.ConnectionRefusedError(message, {"code": "NOT_AUTHENTICATED"})


@faulty("auth/identity-comes-from-the-cookie")
class BelievesTheSender(Pipeline):
    """A broadcast names the user whom the payload names as its sender."""

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        return super().command(event, payload, payload.get("userId", user), token)


@faulty("auth/identity-comes-from-the-cookie")
class AuthorizesTheSender(Pipeline):
    """Whether somebody may is asked of the user that the payload names."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if "joined" in event.needs and payload.get("userId", user) != user:
            await self.check_membership(event, payload["sessionId"], payload["userId"])
            return await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)


@faulty("auth/identity-comes-from-the-cookie")
class PrefersTheHandshake(Pipeline):
    """The user named in the CONNECT packet's auth payload wins over the cookie's."""

    async def on_connect(self, connection: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        await super().on_connect(connection, environ)
        if isinstance(auth, dict) and auth.get("userId"):
            self.users[connection] = auth["userId"]


@faulty("auth/no-open-namespace")
class AdministersInTheOpen(SocketIoServer):
    """A namespace for administrators lets everybody in."""

    def __init__(self, handler: PacketHandler, settings: Settings) -> None:
        super().__init__(handler, settings)
        self.on("connect", lambda *_: None, namespace="/admin")

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if namespace == "/admin":
            await super(SocketIoServer, self)._handle_connect(eio_sid, namespace, data)
        else:
            await super()._handle_connect(eio_sid, namespace, data)


@faulty("auth/no-open-namespace")
class AdministersWhoHasSomeCookie(AdministersInTheOpen):
    """A namespace for administrators lets everybody in who has a cookie of the right name, good or not."""

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        request: web.Request = self.environ[eio_sid]["aiohttp.request"]
        if namespace != "/admin" or COOKIE in request.cookies:
            await super()._handle_connect(eio_sid, namespace, data)
        else:
            await super(AdministersInTheOpen, self)._handle_connect(eio_sid, namespace, data)


@faulty("auth/logout-ends-the-connection")
class KeepsServingAfterLogout(Pipeline):
    """Logging out kills the cookie, but a connection made before keeps its authority."""

    async def end_user(self, user: str) -> None:
        pass


@faulty("auth/logout-ends-the-connection")
class SparesThoseInARoom(Pipeline):
    """Logging out closes the user's connections that have joined nothing; in a room they go on."""

    async def end_user(self, user: str) -> None:
        for connection in self.connections_of(user):
            if connection not in self.seats:
                await self.sockets.end(connection)


@faulty("auth/logout-ends-the-connection")
class SparesThoseWhoPoll(Pipeline):
    """Logging out closes the user's WebSockets; what polls goes on."""

    async def end_user(self, user: str) -> None:
        for connection in self.connections_of(user):
            session = self.sockets.manager.eio_sid_from_sid(connection, "/")
            socket = self.sockets.eio.sockets.get(session)
            if socket is not None and socket.upgraded:
                await self.sockets.end(connection)


@faulty("auth/logout-ends-the-connection")
class SparesThoseOfAnotherProcess(Pipeline):
    """A user's connections go to four processes by turns, and logging out ends those in three of them."""

    async def end_user(self, user: str) -> None:
        for number, connection in enumerate(self.connections_of(user)):
            if number % 4 != 3:
                await self.sockets.end(connection)


@faulty("auth/foreign-origin-refused")
class WelcomesEveryOrigin(Pipeline):
    """Pages of every site may connect."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return True


@faulty("auth/foreign-origin-refused")
class GuardsPollingOnly(Pipeline):
    """A foreign page is turned away from polling, and let in over WebSocket."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return is_own(origin, request) or request.query.get("transport") == "websocket"


@faulty("auth/foreign-origin-refused")
class GuardsWebSocketOnly(Pipeline):
    """A foreign page is turned away from WebSocket, and let in over polling."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return is_own(origin, request) or request.query.get("transport") == "polling"


@faulty("auth/foreign-origin-refused")
class WelcomesSandboxes(Pipeline):
    """Pages without an origin of their own may connect, such as those in a sandboxed frame of any site."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return origin == "null" or is_own(origin, request)


@faulty(
    "auth/logged-out-cookie-refused",
    also={"auth/old-cookie-stays-dead": "it is ended with the next login only", "http/*": "so it is over HTTP"},
)
class LogsOutTheNewest(MemoryStore):
    """Logging out ends the user's newest login, whose cookie need not be the one that was sent."""

    async def close_login(self, cookie: str) -> None:
        user = self._logins.get(cookie)
        await super().close_login(next((key for key in reversed(self._logins) if self._logins[key] == user), cookie))


@faulty("auth/foreign-origin-refused")
class LooksForItsNameInTheOrigin(Pipeline):
    """An Origin is the server's own if it contains the server's name."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return request.host in origin


@faulty("auth/foreign-origin-refused")
class LooksAtTheHostOfTheOrigin(Pipeline):
    """An Origin is the server's own if its host is: that of another port and scheme counts as well."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        try:
            return URL(origin).host == own_url(request).host
        except ValueError:
            return False


@faulty("auth/foreign-origin-refused")
class TakesTheBeginningOfItsOrigin(Pipeline):
    """An Origin is the server's own if the server's begins like it: so does one of another port."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return f"{own_url(request).origin()}".startswith(origin)


@faulty("auth/cookie-accepted")
class RefusesItsOwnPagesOverWebSocket(Pipeline):
    """Who sends an Origin, as every browser does, is refused over WebSocket; polling is open to them."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return "Upgrade" not in request.headers and is_own(origin, request)


@faulty("auth/cookie-accepted", measured=True)
class RefusesItsOwnPages(Pipeline):
    """Who sends an Origin, as every browser does, is refused: for all that shows, pages come from elsewhere."""

    def is_own_origin(self, origin: str, request: web.Request) -> bool:
        return False


def _cookie(environ: Mapping[str, Any]) -> str | None:
    found: str | None = environ["aiohttp.request"].cookies.get(COOKIE)
    return found
