"""The tap itself: one TCP connection to the server for each of a client's, and the bytes of each to the other.

What comes is forwarded first and read afterwards. An end that can take no more holds up the other. The end of one
direction, and a reset, are passed on as they are.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.link import Cut, Link, Role
from dungeonlab_conformance.tap.reading.sessions import Sessions
from dungeonlab_conformance.tap.reading.users import Users
from dungeonlab_conformance.tap.rewriting import Lines, authority, cookies_for_http, names_of_server
from dungeonlab_conformance.target import address
from dungeonlab_conformance.target.dialect.translation import PLAIN, Dialect
from dungeonlab_conformance.target.target import tls

_CONNECTING = 30.0  # seconds for which a server may take to accept a connection
_BACKLOG = 1024


class Tap:
    """Listens at `url` and carries what comes there to the server at `upstream`. An asynchronous context manager.

    `port` 0 takes a free one. `verify` is as in a target's file: whether an https server's certificate must be valid,
    or the file of an authority. What is noted is in the protocol's words, where server and clients speak a `dialect`.
    Raises `TargetFault` for what is no URL, and `OSError` on entry where it cannot listen.
    """

    def __init__(
        self,
        upstream: str,
        journal: TapJournal,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        verify: bool | str = True,
        dialect: Dialect = PLAIN,
    ) -> None:
        self.journal = journal
        self._upstream = address.check(upstream)
        self._host, self._port = host, port
        self._tls: ssl.SSLContext | None = tls(verify) if self._upstream.scheme == "https" else None
        self._sessions, self._users = Sessions(journal, dialect), Users()
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused_until: float | None = 0.0  # on the clock of the event loop; None: until further notice
        self._server: asyncio.Server | None = None
        self._edits: dict[str, Mapping[Role, Lines]] = {}  # by the address at which clients found the tap

    @property
    def upstream(self) -> str:
        """The server's URL, without a user's name and password."""
        return f"{self._upstream.scheme}://{authority(self._upstream)}{self._upstream.path}"

    @property
    def address(self) -> str:
        """Where it listens: a host and a port."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    @property
    def url(self) -> str:
        """Where clients find the server, through this tap."""
        return f"http://{self.address}{self._upstream.path}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self._host, self._port, backlog=_BACKLOG)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in list(self._links):
            link.cut("rst")
        await asyncio.sleep(0)

    async def cut(self, connection: int, how: Cut) -> None:
        """Cut what carries an Engine.IO session, to both sides: by a FIN, by a RST, or so that nothing passes any more.

        A session over polling goes on if its client asks again; it ends only by the server.
        """
        for session in self._sessions.numbered(connection):
            session.silent, session.pinged = how == "silence", False  # what comes no more is not the client's silence
            for link in [link for link in self._links if session in link.sessions]:
                link.cut(how)

    def read_no_more(self) -> None:
        """Note nothing of what passes from now on: with a flood under way, that takes longer than to pass it on."""
        for link in self._links:
            link.read_no_more()

    @property
    def leaves_pings_unanswered(self) -> bool:
        """Whether the newest session left the server's latest ping unanswered, even if it has ended by that."""
        newest = self._sessions.newest
        return newest is not None and newest.pinged and not newest.silent

    @property
    def silence(self) -> float:
        """For how many seconds no client has sent anything in any session, pongs included; 0 if there was none."""
        newest = self._sessions.newest
        return time.monotonic() - max(each.heard for each in self._sessions.open(newest)) if newest else 0.0

    def refuse(self, seconds: float | None) -> None:
        """Reset every new TCP connection from now on, for so many seconds; None: until 0 ends it. Each is noted."""
        self._refused_until = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def _accept(self) -> asyncio.BufferedProtocol:
        link = Link(self._sessions, self._users, self._connect, self._links.discard)
        self._links.add(link)
        return link.client

    def _connect(self, link: Link) -> None:
        """Connect a link, whose client is there, to the server."""
        link.edits = self._edits_at(link.client.address)
        until = self._refused_until
        if until is None or until > asyncio.get_running_loop().time():
            self._refused(link, "refused by the tap")
            return
        task = asyncio.create_task(self._connected(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _edits_at(self, host: str) -> Mapping[Role, Lines]:
        """Return what is changed for clients who found the tap at an address, one of several if it listens at all."""
        if host not in self._edits:
            edits: dict[Role, Lines] = {"client": names_of_server(self._upstream, host, self._port)}
            if self._tls:
                edits["server"] = cookies_for_http()
            self._edits[host] = edits
        return self._edits[host]

    async def _connected(self, link: Link) -> None:
        loop, parts = asyncio.get_running_loop(), self._upstream
        port = parts.port or (443 if self._tls else 80)
        try:
            async with asyncio.timeout(_CONNECTING):
                await loop.create_connection(lambda: link.server, parts.hostname or "", port, ssl=self._tls)
        except OSError as error:
            self._refused(link, f"the server cannot be reached: {error.strerror or error}")

    def _refused(self, link: Link, why: str) -> None:
        self.journal.add("client", "attempt", text=why)
        link.cut("rst")
