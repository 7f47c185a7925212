"""Which server is judged, and what is known about it: address, transports, time limits, steps for its stage.

Only data and what follows from it; `backstage` carries the steps out.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from dungeonlab_conformance.advice import advice
from dungeonlab_conformance.casting import ROLES, Party, parties
from dungeonlab_conformance.dialect import PLAIN, Dialect
from dungeonlab_conformance.redaction import Secrets
from dungeonlab_conformance.steps import OUR_HTTP_SIDE, Csrf, Step
from dungeonlab_conformance.verdict import Missing, TargetFault, Unreachable

_IDLE = 1.0  # seconds until a connection is not used again; Node.js hangs up after 5, others after 2, unannounced
EMBEDDED = "http://embedded.invalid"  # stands for the reference server, until that runs and has an address


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the target's file names, with what proves whose it is. `user` is the server's id for it."""

    username: str = ""
    password: str = ""
    cookie: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A session that is there already. `exclusive` promises that nobody else speaks in it during a run."""

    session: str
    party: Party
    encounters: tuple[str, ...] = ()
    exclusive: bool = False


@dataclass(slots=True)
class Identity:
    """A logged-in user: the id by which the server calls the user, and what proves it on each request."""

    name: str
    user: str
    cookies: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


_SLOWEST = 4_000  # bytes a second that a far link is trusted to carry

_OFTEN = 8  # waits in vain, after which a request that only prepares a scene is not tried any more


@dataclass(slots=True)
class Limits:
    """How long to wait, in seconds: a base that users scale, and more for a link that proved to be slow."""

    scale: float = 1.0
    round_trip: float = 0.0
    base: float = 4.0
    quiet: float = 0.5
    _answered: set[str] = field(default_factory=set)
    _silent: Counter[str] = field(default_factory=Counter)

    def heard_of(self, event: str) -> None:
        """Note that a request of this name was answered."""
        self._answered.add(event)

    def waited_for(self, event: str) -> None:
        """Note that a request of this name was not answered in time."""
        self._silent[event] += 1

    def gave_up(self, event: str) -> bool:
        """Whether requests of this name have been waited for often, and never answered: then none need be prepared."""
        return event not in self._answered and self._silent[event] >= _OFTEN

    @property
    def has_answered(self) -> bool:
        """Whether any request has been answered so far."""
        return bool(self._answered)

    @property
    def answer(self) -> float:
        """How long an answer or a delivery may take."""
        return self.scale * (self.base + 40 * min(self.round_trip, 1.0))

    @property
    def far(self) -> bool:
        """Whether a round trip takes so long that many must be under way at once."""
        return self.round_trip > 0.03

    @property
    def moment(self) -> float:
        """How long to look whether a server reacts to what it need not react to."""
        return 0.03 * max(1.0, self.scale) + 2 * min(self.round_trip, 1.0)

    @property
    def together(self) -> int:
        """How many requests of one connection may be under way, where a scene sends many."""
        return 20 if self.far else 1

    def answer_to(self, args: tuple[Any, ...]) -> float:
        """How long the answer to a request may take, which must get to the server first."""
        return self.answer + (self.scale * len(repr(args)) / _SLOWEST if self.far else 0.0)

    @property
    def scene(self) -> float:
        """How long a whole scene may take."""
        return 12 * self.answer

    @property
    def sweep(self) -> float:
        """How long the recorders stay on after the last scene, for what comes late."""
        return self.quiet * max(1.0, self.scale) + 2 * min(self.round_trip, 1.0)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the documented path answered to a handshake: HTTP status, and the body or the first frame."""

    status: int
    text: str

    @property
    def opened(self) -> bool:
        """Whether this is an Engine.IO OPEN packet."""
        return self.status == 200 and self.text.startswith('0{"')


@dataclass
class Target:
    """The server under test.

    `steps` say what is done over HTTP and how, by the names of `OUR_HTTP_SIDE`. `accounts` are those
    to log in to; None for one that is made for the run. `absent` are the optional parts the server lacks.
    """

    url: str
    path: str = "/socket.io/"
    transport: str = "websocket"
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True  # or the path of a certificate authority's file
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=lambda: OUR_HTTP_SIDE)
    limits: Limits = field(default_factory=Limits)
    transports: tuple[str, ...] = ("websocket", "polling")
    accounts: Mapping[str, Account | None] = field(default_factory=lambda: dict.fromkeys(ROLES))
    login_command: tuple[str, ...] = ()
    csrf: Csrf | None = None
    ready_made: tuple[ReadyMade, ...] = ()
    keeps_sessions: bool = False  # whether sessions are opened once per run, or for each scene
    absent: frozenset[str] = frozenset()
    dialect: Dialect = PLAIN
    adapter: Any = None
    file: str | None = None
    run: str = field(default_factory=lambda: secrets.token_hex(3))  # the name that everything made carries
    secrets: Secrets = field(default_factory=Secrets)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TargetFault(f"{self.url!r} is no server URL; give one such as http://127.0.0.1:3000")
        if parts.query or parts.fragment:
            raise TargetFault(f"{self.url!r} has something behind its path, where requests put theirs; leave it out")
        self.url = self.url.rstrip("/")
        self.path = f"/{self.path.strip('/')}/"

    @property
    def socket(self) -> str:
        """Where the Socket.IO server is: its path is right behind the host, whatever prefix HTTP requests have."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{self.path}"

    @property
    def lanes(self) -> int | None:
        """How many scenes may go on side by side; None for as many as one likes."""
        shared = self.ready_made or any(account is not None for account in self.accounts.values())
        return 1 if shared else None

    @property
    def parties(self) -> tuple[Party, Party | None]:
        """Who belongs to the two sessions of a scene."""
        if self.ready_made:
            return self.ready_made[0].party, self.ready_made[1].party if len(self.ready_made) > 1 else None
        return parties(self.accounts)

    def advice(self, missing: str) -> str:
        """Say what the target lacks, and what in its file would let the suite judge what needs it."""
        return advice(missing, self.file)

    def transports_for(self, wanted: str | None) -> list[str]:
        """Return the transports to connect by. Raises `Missing` for one that the server does not serve."""
        chosen = wanted or self.transport
        transports = ["polling", "websocket"] if chosen == "upgrade" else [chosen]
        for transport in transports:
            if transport not in self.transports:
                raise Missing(self.advice(f"transport {transport}"))
        return transports

    def offers(self, part: str) -> bool:
        """Whether the server has an optional part: an event of the catalogue, "presence" or "upgrade"."""
        return part not in self.absent

    def needs(self, part: str) -> None:
        """Raise `Missing` unless the server has an optional part."""
        if not self.offers(part):
            raise Missing(self.advice(f"part {part}"))

    def on_the_wire(self, event: str, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """Return a request as this server knows it. Raises `Missing` if it does not know it at all."""
        self.needs(event)
        return self.dialect.request(event, args)

    def http_session(self, identity: Identity | None) -> aiohttp.ClientSession:
        """Return a new HTTP session with a cookie jar of its own, holding the identity's cookies."""
        # cookies of servers addressed by IP too, and as they are, whatever is in them; secure ones as on localhost
        jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False, treat_as_secure_origin=URL(self.url))
        if identity:
            jar.update_cookies(identity.cookies, URL(self.url))
        verify: bool | ssl.SSLContext = True
        if isinstance(self.verify, str):
            verify = ssl.create_default_context(cafile=self.verify)
        elif not self.verify:
            verify = _anything_goes()
        return aiohttp.ClientSession(
            cookie_jar=jar,
            headers=dict(self.headers),
            connector=aiohttp.TCPConnector(ssl=verify, limit=0, keepalive_timeout=_IDLE),
        )

    async def handshake(
        self,
        identity: Identity | None,
        *,
        transport: str = "polling",
        version: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> Handshake:
        """Ask for an Engine.IO handshake. Raises `TargetFault` if nothing answers at that address."""
        url = f"{self.socket}?EIO={version}&transport={transport}"
        ask = _ask_by_websocket if transport == "websocket" else _ask_by_polling
        try:
            async with asyncio.timeout(self.limits.answer), self.http_session(identity) as http:
                return await ask(http, url, dict(headers or {}))
        except TimeoutError:
            raise TargetFault(
                f"{self.url} did not answer within {self.limits.answer:.0f} s; is it the right server?"
            ) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise Unreachable(f"{self.url} cannot be reached ({_short(error)}); is the server running?") from None


async def _ask_by_polling(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    async with http.get(url, headers=headers, allow_redirects=False) as answer:
        return Handshake(answer.status, await answer.text(errors="replace"))


async def _ask_by_websocket(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    try:
        async with http.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket:
            first = await socket.receive()
            return Handshake(200, first.data if isinstance(first.data, str) else "")
    except aiohttp.WSServerHandshakeError as refused:
        return Handshake(refused.status, refused.message)


def _anything_goes() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _short(error: BaseException) -> str:
    reason = getattr(error, "os_error", None) or error
    if (number := getattr(reason, "errno", None) or 0) > 0:
        return os.strerror(number)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
