"""Copied into every reproduction in Python: users, sessions and encounters, set over HTTP, and the play as a whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import ssl
import sys
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from dungeonlab_conformance.runner.reproduction.python_client import ABSENT, PATIENCE, Connection, Undecided, look, say

# -- copied from here on

MENDED, THERE, UNDECIDED = 0, 1, 2  # exit codes


class User:
    """Somebody with a login: cookies, and what is known for the requests that log in."""

    def __init__(self, account: str, known: dict[str, Any]) -> None:
        self.account, self.known = account, known
        self.cookies: dict[str, str] = {}
        self.old_cookies: dict[str, str] = {}  # of the last login that was ended
        self.is_logged_out = False
        self.enrolled: set[str] = set()

    @property
    def cookie(self) -> dict[str, str]:
        """The header with all cookies."""
        return cookie_header(self.cookies)


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    """Return the header that sends cookies."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


class HttpSteps:
    """The HTTP requests that set the stage."""

    def __init__(self, server: dict[str, Any], url: str) -> None:
        self.server = server
        prefix = server["prefix"]  # what a proxy adds before every path
        plain = url.rstrip("/")
        self.base = plain if urlsplit(url).path.rstrip("/").endswith(prefix) else plain + prefix
        self.http = self.http_session({})

    def http_session(self, headers: dict[str, str]) -> aiohttp.ClientSession:
        """Return an HTTP session without a cookie jar of its own, in which every request has these headers."""
        verify = self.server["verify"]
        context = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
        return aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**with_environment(self.server["headers"]), **headers},
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(total=2 * PATIENCE),
        )

    async def steps(self, name: str, user: User, known: dict[str, Any], member: User | None = None) -> dict[str, Any]:
        """Make the HTTP requests of one name; returns what is captured from their answers."""
        if name not in self.server["steps"]:
            raise Undecided(f"nothing says how to do {name}")
        captured: dict[str, Any] = {}
        for step in self.server["steps"][name]:
            doer = member if step.get("by") == "member" and member is not None else user
            captured |= await self._step(name, step, doer, {**doer.known, **known, **captured})
        return captured

    async def _step(self, name: str, step: dict[str, Any], user: User, known: dict[str, Any]) -> dict[str, Any]:
        texts = {key: str(value) for key, value in known.items()}
        path = fill(step["path"], {key: quote(value, safe="") for key, value in texts.items()})
        headers = fill(with_environment(step.get("headers", {})), texts) | await self._csrf(step["method"], user)
        body = fill(with_environment(step["json"]), known) if "json" in step else None
        form = fill(with_environment(step["form"]), texts) if "form" in step else None
        status, text, got = await self._request(step["method"], path, user, headers, body, form)
        if not (status in step["expect"] if step.get("expect") else 200 <= status < 300):
            raise Undecided(f"{name}: {step['method']} {path} was answered {status} {text[:200].strip()}")
        return {key: self._capture(source, text, got, user) for key, source in step.get("capture", {}).items()}

    async def _request(
        self, method: str, path: str, user: User, headers: dict[str, str], body: Any = None, form: Any = None
    ) -> tuple[int, str, Any]:
        try:
            async with self.http.request(
                method,
                self.base + path,
                json=body,
                data=form,
                headers={**user.cookie, **headers},
                allow_redirects=False,
            ) as answer:
                for line in answer.headers.getall("Set-Cookie", ()):
                    for cookie in SimpleCookie(line).values():
                        ended = not cookie.value or cookie["max-age"].startswith(("0", "-"))
                        user.cookies.pop(cookie.key, None)
                        user.cookies |= {} if ended else {cookie.key: cookie.coded_value}
                return answer.status, (await answer.read())[: 4 << 20].decode(errors="replace"), answer.headers
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Undecided(f"{method} {path} failed: {error or type(error).__name__}") from None

    async def _csrf(self, method: str, user: User) -> dict[str, str]:
        csrf = self.server.get("csrf")
        if csrf is None or method in ("GET", "HEAD", "OPTIONS"):
            return {}
        if csrf["cookie"] not in user.cookies and csrf.get("path"):
            await self._request("GET", csrf["path"], user, {})
        return {csrf["header"]: user.cookies[csrf["cookie"]]} if csrf["cookie"] in user.cookies else {}

    def _capture(self, source: str, text: str, headers: Any, user: User) -> Any:
        kind, colon, name = source.partition(":")
        found: Any = None
        if source.startswith("/") or not colon:
            found = pointed_at(text, source)
        elif kind == "cookie":
            found = user.cookies.get(name)
        else:
            found = headers.get(name) if kind == "header" else Inputs(name, text).value
        if found in (None, ""):
            raise Undecided(f"an answer has nothing at {source}: {text[:200].strip()}")
        return found


class Stage(HttpSteps):
    """The users, sessions and connections of the play, and its ids by their names."""

    def __init__(self, server: dict[str, Any], url: str) -> None:
        super().__init__(server, url)
        self.run = secrets.token_hex(3)
        self.origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        self.socket_path = f"{server['prefix']}{server['path']}"
        self.users: dict[str, User] = {}
        self.connections: list[Connection] = []
        self.ids: dict[str, str] = {}
        self.sessions: dict[str, dict[str, Any]] = {}  # what was captured as each was opened

    async def set(self) -> None:
        """Open and fill what the recorded scene had."""
        for account in self.server["accounts"]:
            await self.user(account)
        for name, session in self.server["sessions"].items():
            captured: dict[str, Any] = {"session": session["id"]} if "id" in session else {}
            master = session["gamemaster"]
            if not captured:
                label = {"label": f"reproduction-{self.run}"}
                captured = await self.steps("session.open", await self.user(master), label)
            self.sessions[name], self.ids[name] = captured, str(captured["session"])
            prefix = name.removesuffix("session")
            encounter = session.get("encounter") or captured.get("encounter")
            if encounter is None and session["encounter-needed"]:
                known = {**captured, "label": f"reproduction-{self.run}"}
                encounter = (await self.steps("encounter.open", await self.user(master), known))["encounter"]
            if encounter is not None:
                self.ids[f"{prefix}encounter"] = str(encounter)

    async def user(self, account: str) -> User:
        """Return who an account belongs to, logged in."""
        if account in self.users:
            return self.users[account]
        given = with_environment(self.server["accounts"][account])
        known = {"actor": account, "run": self.run, "username": given.get("username") or f"{account}-{self.run}"}
        known["password"] = given.get("password") or secrets.token_urlsafe(12)
        user = self.users[account] = User(account, known)
        if given.get("cookie"):
            pairs = (part.partition("=") for part in given["cookie"].removeprefix("Cookie:").split(";"))
            user.cookies = {name.strip(): value.strip() for name, _, value in pairs}
        else:
            known |= await self.steps("register" if given.get("new") else "login", user, {})
        if given.get("user"):
            known["user"] = given["user"]
        if "user" not in known:
            known |= await self.steps("whoami", user, {})
        self.ids[account] = str(known["user"])
        return user

    async def enrol(self, account: str) -> User:
        """Make somebody a member of every session where the account belongs."""
        user = await self.user(account)
        for name, session in self.server["sessions"].items():
            if account in session["members"] and name not in user.enrolled:
                user.enrolled.add(name)
                if "id" not in session:
                    await self._about_member("membership.add", name, user)
        return user

    async def add(self, account: str, session: str = "session") -> None:
        """Make somebody a member of a session."""
        say(f"  {account} becomes a member")
        user = await self.user(account)
        user.enrolled.add(session)
        await self._about_member("membership.add", session, user)

    async def remove(self, account: str, session: str = "session") -> None:
        """End somebody's membership of a session."""
        say(f"  {account} is removed")
        await self._about_member("membership.remove", session, await self.user(account))

    async def delete(self, session: str) -> None:
        """Delete a session."""
        say(f"  the {session} is deleted")
        master = await self.user(self.server["sessions"][session]["gamemaster"])
        await self.steps("session.close", master, self.sessions.pop(session))

    async def open_encounter(self, session: str) -> str:
        """Open another encounter in a session; returns its id."""
        master = await self.user(self.server["sessions"][session]["gamemaster"])
        known = {**self.sessions[session], "label": f"reproduction-{self.run}"}
        return str((await self.steps("encounter.open", master, known))["encounter"])

    async def log_out(self, account: str) -> None:
        """End somebody's login; who connects again has logged in again."""
        say(f"  {account} logs out")
        user = await self.user(account)
        user.old_cookies = dict(user.cookies)
        await self.steps("logout", user, {})
        user.is_logged_out = True

    async def _about_member(self, steps: str, session: str, user: User) -> None:
        master = await self.user(self.server["sessions"][session]["gamemaster"])
        about = {"member": user.known["user"], "member-name": user.known["username"]}
        await self.steps(steps, master, {**self.sessions[session], **about}, member=user)

    async def connect(
        self, name: str, account: str | None = "", transport: str = "", headers: dict[str, str] | None = None
    ) -> Connection:
        """Connect somebody as a preparation; the account is that of the name, another, or None."""
        connection = await self.try_connect(name, account, transport, headers)
        if connection.refused is not None:
            raise Undecided(f"{name} could not connect: {connection.refused}")
        return connection

    async def try_connect(
        self, name: str, account: str | None = "", transport: str = "", headers: dict[str, str] | None = None
    ) -> Connection:
        """Connect somebody, or find out why that is refused."""
        if account is None:
            return await self._connected(name, {}, transport, headers or {})
        user = await self.enrol(account or name)
        if user.is_logged_out:
            user.cookies.clear()
            await self.steps("login", user, {})
            user.is_logged_out = False
        return await self._connected(name, user.cookie, transport, headers or {})

    async def try_old_cookie(self, name: str, account: str, transport: str = "") -> Connection:
        """Connect with the cookie of an account's login that was ended."""
        return await self._connected(name, cookie_header((await self.user(account)).old_cookies), transport, {})

    async def _connected(
        self, name: str, cookie: dict[str, str], transport: str, headers: dict[str, str]
    ) -> Connection:
        transports = ["polling", "websocket"] if transport == "upgrade" else [transport or self.server["transport"]]
        connection = Connection(name, self)
        self.connections.append(connection)
        await connection.open({**cookie, **headers}, transports)
        return connection

    async def answers(self) -> str | None:
        """Return why the server lets nobody connect, or None if it does."""
        account = next(iter(self.users))
        return (await self.try_connect("somebody new", account)).refused

    async def clear(self) -> None:
        """Close every connection, and delete what was made where the server lets one."""
        await asyncio.gather(*(connection.close() for connection in self.connections), return_exceptions=True)
        try:
            for name, session in self.server["sessions"].items():
                if name in self.sessions and "id" not in session and "session.close" in self.server["steps"]:
                    master = await self.user(session["gamemaster"])
                    await self.steps("session.close", master, self.sessions[name])
            for user in self.users.values():
                if self.server["accounts"][user.account].get("new") and "unregister" in self.server["steps"]:
                    await self.steps("unregister", user, {})
        except Undecided as left:
            print(f"not everything could be deleted: {left}")
        await self.http.close()


class Inputs(HTMLParser):
    """Finds a field of an HTML form, or a meta element."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name, self.value = name, ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        given = dict(attrs)
        if not self.value and tag in ("input", "meta") and given.get("name") == self.name:
            self.value = given.get("value") or given.get("content") or ""


def pointed_at(text: str, pointer: str) -> Any:
    """Return what a JSON pointer leads to in a text, or None."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    keys = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    found = look(found, [int(key) if key.isdigit() else key for key in keys])
    return None if found is ABSENT else found


def fill(template: Any, known: dict[str, Any]) -> Any:
    """Put what is known in place of `{names}`; a number that stands alone stays one."""
    if isinstance(template, dict):
        return {key: fill(value, known) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, known) for value in template]
    if not isinstance(template, str):
        return template
    alone = re.fullmatch(r"\{([a-z][a-z0-9_-]*)\}", template)
    if alone and isinstance(known.get(alone[1]), int):
        return known[alone[1]]

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        if found[1] not in known:
            raise Undecided(f"{template!r} names {{{found[1]}}}, which nothing defines")
        return str(known[found[1]])

    return re.sub(r"\{\{|\}\}|\{([a-z][a-z0-9_-]*)\}", value, template)


def with_environment(value: Any) -> Any:
    """Put variables of the environment in place of `${NAMES}`."""
    if isinstance(value, dict):
        return {key: with_environment(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_environment(inner) for inner in value]
    if not isinstance(value, str):
        return value

    def variable(found: re.Match[str]) -> str:
        if not os.environ.get(found[1]):
            raise Undecided(f"the environment variable {found[1]} is not set")
        return os.environ[found[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", variable, value)


# -- the whole -----------------------------------------------------------------------------------------


async def carry_out(server: dict[str, Any], play: Callable[[Stage], Awaitable[tuple[bool, str]]]) -> int:
    """Set the stage, play, and say what came; returns the exit code."""
    url = sys.argv[1] if len(sys.argv) > 1 else server["url"]
    if not url:
        print(f"usage: {sys.argv[0]} URL")
        return UNDECIDED
    print(f"{server['what']}, on {url}")
    try:
        stage = Stage(server, url)
    except (Undecided, ValueError, OSError) as why:
        print(f"undecided: {why}")
        return UNDECIDED
    try:
        await stage.set()
        fault, came = await play(stage)
    except Undecided as why:
        print(f"undecided: {why}")
        return UNDECIDED
    except Exception as error:  # exit code 1 would say that the fault is there
        print(f"undecided: {type(error).__name__}: {error}")
        return UNDECIDED
    finally:
        await stage.clear()
    print(f"expected: {server['expected']}\ncame:     {came}")
    print("the fault is there" if fault else "the fault is mended")
    return THERE if fault else MENDED


def run(server: dict[str, Any], play: Callable[[Stage], Awaitable[tuple[bool, str]]]) -> int:
    """Run a reproduction to its end."""
    return asyncio.run(carry_out(server, play))
