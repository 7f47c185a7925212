"""Users of the HTTP API of the protocol's section 16, for servers that claim to have it.

Every request is one of the OpenAPI description's operations, by its id, and every answer can be compared with it.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import aiohttp
from yarl import URL

from dungeonlab_conformance.clients.http.client import Unreadable, json_of, read_text, session_for
from dungeonlab_conformance.clients.http.diagnosis import reason
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.target.rate_limits import Turn
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec.catalogue import http_side

_COUNT = itertools.count(1)
_RUN = secrets.token_hex(3)
_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description: what is asked for, and which answers the description knows, by status."""

    id: str
    method: str
    path: str
    responses: Mapping[str, Any]
    needs_login: bool
    has_body: bool

    @property
    def success(self) -> int:
        """The status of success."""
        return int(min(self.responses))


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation was answered."""

    operation: Operation
    status: int
    content_type: str
    text: str
    set_cookies: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body, or None if it is no JSON."""
        try:
            return json_of(self.text)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.status} {self.content_type} {self.text[:200]}".strip()


@dataclass(eq=False)
class HttpUser:
    """A user with a cookie jar of their own."""

    name: str
    target: Target
    journal: Journal
    http: aiohttp.ClientSession
    username: str = ""
    password: str = ""
    id: str = ""
    opened: list[str] = field(default_factory=list)

    async def try_send(
        self, operation: str, body: Any = None, *, cookies: Mapping[str, str] | None = None, **ids: str
    ) -> Reply:
        """Make a request; with `cookies` those alone are sent. Raises `Gone` or `Unjudged` if no answer comes."""
        row = operations()[operation]
        path = row.path.format(**ids)
        shown = {**body, "password": "…"} if isinstance(body, dict) and "password" in body else body
        self.journal.write(self.name, 0, "sends", f"{row.method} {path}", () if body is None else (shown,))
        http = self.http if cookies is None else session_for(self.target, None)
        if cookies:
            http.cookie_jar.update_cookies(cookies, URL(self.target.url))
        try:
            reply = await self.target.rate_limit.within(Turn(), lambda: self._ask(http, row, path, body))
        finally:
            if cookies is not None:
                await http.close()
        if reply.status == 429:
            raise Unjudged("the server's rate limit was reached (429); raise it for the run")
        self.journal.write(self.name, 0, "is answered", f"{row.method} {path}", (f"{reply}",))
        if operation == "openSession" and isinstance(reply.json, dict) and isinstance(reply.json.get("id"), str):
            self.opened.append(reply.json["id"])
        return reply

    async def _ask(self, http: aiohttp.ClientSession, row: Operation, path: str, body: Any) -> Reply:
        what, url = f"{row.method} {path}", self.target.base + path
        try:
            async with (
                asyncio.timeout(2 * self.target.limits.answer),
                http.request(row.method, url, json=body, allow_redirects=False) as answer,
            ):
                return Reply(
                    row,
                    answer.status,
                    answer.content_type if "Content-Type" in answer.headers else "",
                    await read_text(answer),
                    tuple(answer.headers.getall("Set-Cookie", ())),
                    answer.headers,
                )
        except TimeoutError:
            raise Unjudged(f"{what} was not answered in time") from None
        except Unreadable as unreadable:
            raise Unjudged(f"{what} {unreadable}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Gone(f"{what} failed: {reason(error)}") from None

    async def send(self, operation: str, body: Any = None, **ids: str) -> Any:
        """Make a request as a preparation; returns the JSON of its success, anything else leaves the scene unjudged."""
        reply = await self.try_send(operation, body, cookies=None, **ids)
        if not 200 <= reply.status < 300:
            raise Unjudged(f"{self.name}'s {operation} was answered {reply}")
        return reply.json if isinstance(reply.json, dict) else {}

    async def must_be_answered(self, status: int, operation: str, body: Any = None, **options: Any) -> Reply:
        """Make a request that must be answered with a status."""
        reply = await self.try_send(operation, body, **options)
        if reply.status != status:
            raise Broken(f"{status} for {self.name}'s {reply.operation.method} {reply.operation.path}", f"{reply}")
        return reply

    @property
    def credentials(self) -> dict[str, str]:
        """What logs this user in."""
        return {"username": self.username, "password": self.password}

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies in the jar."""
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}


@dataclass(eq=False)
class HttpUsers:
    """The users of one scene."""

    target: Target
    journal: Journal
    stack: AsyncExitStack
    users: list[HttpUser] = field(default_factory=list)

    async def anonymous(self, name: str = "nobody") -> HttpUser:
        """Return a user without an account."""
        http = await self.stack.enter_async_context(session_for(self.target, None))
        username, password = f"{name}-{_RUN}-{next(_COUNT)}", secrets.token_urlsafe(12)
        user = HttpUser(name, self.target, self.journal, http, username, password)
        self.users.append(user)
        return user

    async def user(self, name: str) -> HttpUser:
        """Return a user who has registered."""
        user = await self.anonymous(name)
        made = await user.send("register", user.credentials)
        if not isinstance(made.get("id"), str):
            raise Unjudged(f"registering {name} was answered without an id: {made}")
        user.id = made["id"]
        return user

    async def session(self, host: HttpUser, *members: HttpUser) -> str:
        """Open a session of the host's with these members; return its id."""
        made = await host.send("openSession", {"name": f"conformance-{_RUN}"})
        if not isinstance(made.get("id"), str):
            raise Unjudged(f"opening a session was answered without an id: {made}")
        for member in members:
            await host.send("enrolParticipant", sessionId=made["id"], userId=member.id)
        session: str = made["id"]
        return session


@asynccontextmanager
async def http_users(target: Target, journal: Journal) -> AsyncIterator[HttpUsers]:
    """Hold the HTTP users of a scene while the block runs; delete the sessions they opened afterwards."""
    async with AsyncExitStack() as stack:
        made = HttpUsers(target, journal, stack)
        try:
            yield made
        finally:
            for user in made.users:
                for session in user.opened:
                    try:
                        await user.try_send("deleteSession", sessionId=session)
                    except Unjudged:
                        break


@cache
def operations() -> Mapping[str, Operation]:
    """Return every operation of the description by its id."""
    return {
        item[method]["operationId"]: Operation(
            item[method]["operationId"],
            method.upper(),
            path,
            {status: _resolved(response) for status, response in item[method]["responses"].items()},
            item[method].get("security") != [],
            "requestBody" in item[method],
        )
        for path, item in http_side()["paths"].items()
        for method in _METHODS
        if method in item
    }


def must_be_described(reply: Reply) -> None:
    """Raise `Broken` for an answer that the description does not know: its status, its kind, or its body."""
    what = f"{reply.operation.method} {reply.operation.path}"
    response = reply.operation.responses.get(str(reply.status))
    if response is None:
        raise Broken(f"one of {', '.join(reply.operation.responses)} for {what}", f"{reply}")
    content = response.get("content", {}).get("application/json")
    if content is None:
        return
    if reply.content_type != "application/json":
        raise Broken(f"application/json for {what}", f"{reply}")
    try:
        wrong = next(_validator(content["schema"]["$ref"]).iter_errors(reply.json), None)
    except (ValueError, TypeError, RecursionError, OverflowError):  # half a surrogate pair, or endless nesting
        raise Broken(f"a body of {what} in JSON", f"{reply}") from None
    if wrong is not None:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.instance_path)
        raise Broken(f"a body of {what} that fits its description", f"{wrong.message[:200]}", f"${path}")


def _resolved(response: Any) -> Any:
    name = response.get("$ref", "").rpartition("/")[2]
    return http_side()["components"]["responses"][name] if name else response


@cache
def _validator(reference: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"$ref": reference, "components": http_side()["components"]})
