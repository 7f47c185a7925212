"""Which server is judged, and what is known about it: address, transports, time limits, steps for its stage.

Only data and what follows from it; `provisioning` carries the steps out.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit

from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.results.errors import Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.target.adapter import defines, translated
from dungeonlab_conformance.target.address import check, hide_credentials
from dungeonlab_conformance.target.dialect.translation import PLAIN, Dialect
from dungeonlab_conformance.target.file.advice import advice
from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API, Csrf, HttpRequestStep
from dungeonlab_conformance.target.identity import Account, Identity, ReadyMade
from dungeonlab_conformance.target.limits import Capacity, Limits
from dungeonlab_conformance.target.rate_limits import RateLimit
from dungeonlab_conformance.target.roles import ROLES, Party, parties
from dungeonlab_conformance.target.workarounds import Workarounds
from dungeonlab_conformance.text.printable import sentence_of

EMBEDDED = "http://embedded.invalid"  # stands for the reference server, until that runs and has an address
BUNDLED = "the bundled reference server"  # what every report calls it; its address is gone when one is read


@dataclass
class Target:
    """The server under test.

    `steps` say what is done over HTTP and how, by the names of `REFERENCE_HTTP_API`. `accounts` are those
    to log in to; None for one that is made for the run. `absent` are the optional parts the server lacks.
    """

    url: str
    path: str = "/socket.io/"
    prefix: str = ""  # what a proxy adds before every path, such as "/vtt"
    transport: str = "websocket"
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True  # or the path of a certificate authority's file
    steps: Mapping[str, tuple[HttpRequestStep, ...]] = field(default_factory=lambda: REFERENCE_HTTP_API)
    limits: Limits = field(default_factory=Limits)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    transports: tuple[str, ...] = ("websocket", "polling")
    accounts: Mapping[str, Account | None] = field(default_factory=lambda: dict.fromkeys(ROLES))
    login_command: tuple[str, ...] = ()
    csrf: Csrf | None = None
    ready_made: tuple[ReadyMade, ...] = ()
    keeps_sessions: bool = False  # whether sessions are opened once per run, or for each scene
    absent: frozenset[str] = frozenset()
    joining_enrols: bool = False  # whether users become members of a session by joining it, and not otherwise
    dialect: Dialect = PLAIN
    adapter: Any = None
    adapter_fault: str | None = None  # why what the server sends cannot be read, if it is the adapter's fault
    file: str | None = None
    run: str = field(default_factory=lambda: secrets.token_hex(3))  # the name that everything made carries
    secrets: Secrets = field(default_factory=Secrets)
    capacity: Capacity = field(default_factory=Capacity)
    workarounds: Workarounds = field(default_factory=Workarounds)
    recovers: bool = False  # whether it showed that it recovers the state of connections
    restart: tuple[str, ...] = ()  # the command that starts it again if it died
    restart_wait: float | None = None  # seconds to wait then; None if the file does not say
    room: Room = field(default_factory=Room)  # for what its findings quote
    bundled: bool = field(init=False)  # whether it is the suite's own reference server, whatever address that gets

    def __post_init__(self) -> None:
        self.bundled = self.url == EMBEDDED
        if any(defines(self.adapter, act) for act in ("encode", "decode", "decode_answer")):
            self.dialect = replace(self.dialect, code=self.by_adapter)
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
        chosen = wanted or self.workarounds.transport or self.transport
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

    @cached_property
    def made_adapter(self) -> Any:
        """The adapter, made when it is first needed. Raises `TargetFault` if it cannot be made."""
        try:
            return self.adapter(self)
        except BaseException as error:  # somebody else's code, which may even exit
            raised = self.secrets.redact(sentence_of(error))
            raise TargetFault(f"the adapter cannot be made: its __init__ raised {raised}") from None

    def by_adapter(self, act: str, event: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what the adapter's method of that name makes of an event's arguments; the same if it has none."""
        if not defines(self.adapter, act):
            return args
        try:
            return translated(act, getattr(self.made_adapter, act), event, args, self.secrets)
        except Unjudged as failed:
            if act != "encode":
                self.adapter_fault = str(failed)
            raise

    def needs(self, part: str) -> None:
        """Raise `Missing` unless the server has an optional part."""
        if not self.offers(part):
            raise Missing(self.advice(f"part {part}"))

    def on_the_wire(self, event: str, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """Return a request as this server knows it. Raises `Missing` if it does not know it at all."""
        self.needs(event)
        return self.dialect.request(event, args)

    def headers_for(self, _: Identity | None) -> Mapping[str, str]:
        """Return the headers that go with every request of a user; None for somebody who is not logged in."""
        return self.headers

    def new_run(self, options: RunOptions | None = None) -> Run:
        """Return the run that is about to judge this target with these options. Nothing secret gets into it."""
        options = options or RunOptions()
        name = self.secrets.redact(self.name)
        file = self.secrets.redact(self.file) if self.file else None
        options = replace(options, url=name if options.url else None, target_file=file)
        run = Run(name, bundled=self.bundled, options=options)
        run.protocol = options.protocol_version or run.protocol
        return run


@cache
def tls(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context for a target's `verify`. Raises `OSError` for a file that holds no certificates."""
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
