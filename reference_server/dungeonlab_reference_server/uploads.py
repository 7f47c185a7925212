"""Reads what clients upload: for a limited time, up to a limited size, and only so much of it at once.

The first 64 kB of each body or message need no permission. What goes beyond is claimed from a pool: so many
bytes for all, so many for each user. Users who are not logged in get nothing from the pool.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType

from aiohttp import web

FREE = 64 * 1024  # bytes that need no claim
_POOL = 64_000_000  # bytes of unfinished uploads, of everybody
_EACH = 16_000_000  # bytes of unfinished uploads, of one user
_SLOWEST = 5_000  # bytes per second that a body must come in at, when its first seconds are over


class Pool:
    """Counts the bytes of uploads that are not finished."""

    def __init__(self, most: int = _POOL, most_each: int = _EACH) -> None:
        self.most = most
        self.most_each = most_each
        self.taken: Counter[str] = Counter()  # bytes by user

    def claim(self, owner: str | None) -> Claim:
        """Return a claim that holds nothing yet, for a user or for somebody unknown."""
        return Claim(self, owner)


class Claim:
    """The bytes of one upload. Leaving the `with` block, or `reset`, gives them back."""

    def __init__(self, pool: Pool, owner: str | None) -> None:
        self._pool = pool
        self._owner = owner
        self._size = 0
        self._taken = 0

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.reset()

    def add(self, size: int) -> bool:
        """Claim further bytes; False if there is no room for them."""
        self._size += size
        more = self._size - FREE - self._taken
        if more <= 0:
            return True
        pool = self._pool
        if self._owner is None or pool.taken[self._owner] + more > pool.most_each:
            return False
        if pool.taken.total() + more > pool.most:
            return False
        pool.taken[self._owner] += more
        self._taken += more
        return True

    def reset(self) -> None:
        """Give everything back."""
        self._size = 0
        if self._taken and self._owner is not None:
            self._pool.taken[self._owner] -= self._taken
            if not self._pool.taken[self._owner]:
                del self._pool.taken[self._owner]
        self._taken = 0


class Uploads:
    """Reads the bodies of requests; `timeout` is in seconds, beside a second for each 5 kB."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.pool = Pool()

    async def read(self, request: web.Request, largest: int, owner: str | None = None) -> bytes:
        """Return a body of at most `largest` bytes.

        Raises 413 for a larger one, 415 for a compressed one, 400 for one that cannot be read or comes too slowly,
        503 if too much is being uploaded already, and `ConnectionError` if the client has gone.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise web.HTTPUnsupportedMediaType(reason="send the body as it is: compressed ones are not read")
        if (request.content_length or 0) > largest:
            raise web.HTTPRequestEntityTooLarge(largest, request.content_length or 0)
        try:
            return await self._read(request, largest, owner)
        except TimeoutError:
            raise web.HTTPBadRequest(reason="the body came too slowly") from None
        except web.RequestPayloadError:
            raise web.HTTPBadRequest(reason="the body cannot be read") from None

    async def _read(self, request: web.Request, largest: int, owner: str | None) -> bytes:
        body = bytearray()
        began = asyncio.get_running_loop().time()
        with self.pool.claim(owner) as claim:
            async with asyncio.timeout(self.timeout) as limit:
                while piece := await request.content.readany():
                    body += piece
                    if len(body) > largest:
                        raise web.HTTPRequestEntityTooLarge(largest, len(body))
                    if not claim.add(len(piece)):
                        raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
                    limit.reschedule(began + self.timeout + len(body) / _SLOWEST)
        return bytes(body)
