"""HTTP long-polling, one request at a time: bodies and addresses that client libraries refuse to send."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from dungeonlab_conformance.clients.engine_io import LEAVE, Closed, Opened
from dungeonlab_conformance.clients.engine_io_packets import CLOSE, split
from dungeonlab_conformance.clients.http.client import read_text, session_for
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target


class Polling:
    """One Engine.IO session over long-polling; `sid` is its id once it is open."""

    def __init__(self, target: Target, identity: Identity | None) -> None:
        self.target = target
        self.sid = ""
        self._http = session_for(target, identity)

    async def open(self) -> None:
        """Shake hands, and enter the default namespace. Raises `Gone` or `Unjudged` if the server does not let it."""
        self.target.transports_for("polling")
        status, text = await self.request("GET")
        if status != 200:
            raise Unjudged(f"a polling handshake was answered HTTP {status}")
        try:
            self.sid = Opened.read(split(text)[0]).sid
        except Closed as closed:
            raise Unjudged(str(closed)) from None
        await self.request("POST", "40")
        await self.request("GET")

    async def request(
        self,
        method: str,
        body: str | bytes | None = None,
        *,
        kind: str = "text/plain;charset=UTF-8",
        transport: str = "polling",
        sid: str | None = None,
        patience: float | None = None,
    ) -> tuple[int, str]:
        """Make one request to the documented path; returns status and text, status 0 if it got no answer."""
        query = f"?EIO=4&transport={transport}"
        if sid or self.sid:
            query += f"&sid={sid or self.sid}"
        data = None if body is None else io.BytesIO(body.encode() if isinstance(body, str) else body)
        headers = {} if body is None else {"Content-Type": kind}
        limit = self.target.limits.answer if patience is None else patience
        try:
            async with (
                asyncio.timeout(limit),
                self._http.request(
                    method,
                    self.target.socket + query,
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                return answer.status, await read_text(answer)
        except TimeoutError:
            return 0, ""
        except aiohttp.ClientConnectorError as error:
            raise Gone(f"no connection could be made: {error}") from None
        except (aiohttp.ClientError, OSError, ValueError):
            return 0, ""

    async def close(self) -> None:
        """Say that nobody is going to poll, and close the HTTP connections: a server may limit how many may poll."""
        try:
            if self.sid:
                with contextlib.suppress(Gone):
                    await self.request("POST", CLOSE, patience=LEAVE)
        finally:
            await self._http.close()


@asynccontextmanager
async def polling_session(target: Target, identity: Identity | None) -> AsyncIterator[Polling]:
    """Hold a polling connection in the default namespace while the block runs."""
    connection = Polling(target, identity)
    try:
        await connection.open()
        yield connection
    finally:
        await connection.close()
