"""Which server is judged, and what is known about it: address, transports, time limits, steps for its stage.

Only data and what follows from it; `backstage` carries the steps out.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from dungeonlab_conformance.clients.http.client import Redirected, new_session, read_text
from dungeonlab_conformance.clients.http.diagnosis import may_pass, of_error, of_silence
from dungeonlab_conformance.record.journal import Capacity
from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.verdict import Missing, NotUp, TargetFault, Unreachable
from dungeonlab_conformance.target.address import check, hide_credentials
from dungeonlab_conformance.target.dialect import PLAIN, Dialect
from dungeonlab_conformance.target.file.advice import advice
from dungeonlab_conformance.target.http_steps import OUR_HTTP_SIDE, Csrf, Step
from dungeonlab_conformance.target.rate_limits import RateLimit
from dungeonlab_conformance.target.roles import ROLES, Party, parties

_OPEN = re.compile(r'0\s*\{\s*"')  # as JSON may be written, and no chunk of Engine.IO 3, such as `97:0{"sid"`
_KEPT = 10_000  # characters of the body that a handshake is answered with; a run makes hundreds of them
EMBEDDED = "http://embedded.invalid"  # stands for the reference server, until that runs and has an address
BUNDLED = "the bundled reference server"  # what every report calls it; its address is gone when one is read


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
    location: str = ""  # where a redirect leads to, which is not followed

    @property
    def opened(self) -> bool:
        """Whether this is an Engine.IO OPEN packet."""
        return self.status == 200 and _OPEN.match(self.text) is not None


@dataclass
class Target:
    """The server under test.

    `steps` say what is done over HTTP and how, by the names of `OUR_HTTP_SIDE`. `accounts` are those
    to log in to; None for one that is made for the run. `absent` are the optional parts the server lacks.
    """

    url: str
    path: str = "/socket.io/"
    prefix: str = ""  # what a proxy adds before every path, such as "/vtt"
    transport: str = "websocket"
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True  # or the path of a certificate authority's file
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=lambda: OUR_HTTP_SIDE)
    limits: Limits = field(default_factory=Limits)
    rate_limit: RateLimit = field(default_factory=RateLimit)
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
    capacity: Capacity = field(default_factory=Capacity)
    recovers: bool = False  # whether it showed that it recovers the state of connections
    room: Room = field(default_factory=Room)  # for what its findings quote
    bundled: bool = field(init=False)  # whether it is the suite's own reference server, whatever address that gets

    def __post_init__(self) -> None:
        self.bundled = self.url == EMBEDDED
        hide_credentials(check(self.url), self.secrets)
        self.url = self.url.rstrip("/")
        self.path = f"/{self.path.strip('/')}/"
        self.prefix = f"/{self.prefix.strip('/')}".rstrip("/")

    @property
    def name(self) -> str:
        """What reports call the server: its URL, in which asterisks stand for a user and a password."""
        if self.bundled:
            return BUNDLED
        scheme, _, rest = self.url.partition("://")
        authority, slash, path = rest.partition("/")
        credentials, at, host = authority.rpartition("@")
        return f"{scheme}://{HIDDEN if credentials else ''}{at}{host}{slash}{path}"

    @property
    def socket(self) -> str:
        """Where the Socket.IO server is: its path is right behind the host, or behind the prefix if there is one.

        A path in `url` stands before HTTP requests only.
        """
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{self.prefix}{self.path}"

    @property
    def base(self) -> str:
        """What stands before the path of every HTTP request: `url`, and the prefix unless it ends with that."""
        return self.url if urlsplit(self.url).path.endswith(self.prefix) else self.url + self.prefix

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

    def other_transports(self, transport: str) -> tuple[str, ...]:
        """Return the transports that are served besides one."""
        return tuple(served for served in self.transports if served != transport)

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
        """Return a new HTTP session with a cookie jar of its own, holding the identity's cookies; see `new_session`."""
        cookies = identity.cookies if identity else {}
        return new_session(self.url, cookies, self.headers, self.verify)

    async def handshake(
        self,
        identity: Identity | None,
        *,
        transport: str = "polling",
        version: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> Handshake:
        """Ask for an Engine.IO handshake. Raises `TargetFault` if nothing answers there, `NotUp` if it may later."""
        url = f"{self.socket}?EIO={version}&transport={transport}"
        ask = _ask_by_websocket if transport == "websocket" else _ask_by_polling
        try:
            async with asyncio.timeout(self.limits.answer), self.http_session(identity) as http:
                return await ask(http, url, dict(headers or {}))
        except TimeoutError:
            raise NotUp(await of_silence(self.url, self.limits.answer, known=self.limits.round_trip > 0)) from None
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            fault = Unreachable if may_pass(error) else TargetFault
            raise fault(await of_error(self.url, error)) from None


async def _ask_by_polling(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    async with http.get(url, headers=headers, allow_redirects=False) as answer:
        return Handshake(answer.status, (await read_text(answer))[:_KEPT], answer.headers.get("Location", ""))


async def _ask_by_websocket(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> Handshake:
    try:
        async with http.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket:
            first = await socket.receive()
            return Handshake(200, first.data if isinstance(first.data, str) else "")
    except aiohttp.WSServerHandshakeError as refused:
        return Handshake(refused.status, refused.message)
    except Redirected as redirected:
        return Handshake(redirected.status, "", redirected.location)
