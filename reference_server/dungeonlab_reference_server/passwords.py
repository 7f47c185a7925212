"""Hashes passwords, which is slow on purpose: in a thread, one at a time, and no more than can be waited for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_SECONDS_PER_N = 3e-6  # what one unit of work took on the machine this was written on; measured anew with each password
_NOBODY = "$AAAAAAAAAAAAAAAAAAAAAA==$AAAA"


class TooBusy(Exception):  # noqa: N818 - an answer, not an accident
    """The work would have to wait for too long."""


class PasswordQueue:
    """A queue in which password work waits for its turn; `n` is the usual amount of work, `longest_wait` in seconds."""

    def __init__(self, n: int, longest_wait: float) -> None:
        self.longest_wait = longest_wait
        self._seconds = n * _SECONDS_PER_N  # that one piece of work takes
        self._waiting = 0
        self._turn = asyncio.Semaphore(1)

    def check_room(self) -> None:
        """Raise `TooBusy` if what comes now would wait for longer than `longest_wait`."""
        if self._waiting * self._seconds > self.longest_wait:
            raise TooBusy

    async def run(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Return what `work` returns, called in a thread. Raises `TooBusy`."""
        self.check_room()
        self._waiting += 1
        try:
            async with self._turn:
                began = time.perf_counter()
                result = await asyncio.to_thread(work, *args, **options)
                self._seconds += (time.perf_counter() - began - self._seconds) / 8
                return result
        finally:
            self._waiting -= 1


def hash_password(password: str, n: int) -> str:
    """Return a salted scrypt hash, with how much work it was."""
    salt = secrets.token_bytes(16)
    return f"{n}${base64.b64encode(salt).decode()}${base64.b64encode(_scrypt(password, salt, n)).decode()}"


def check_password(password: str, secret: str) -> bool:
    """Say whether a password belongs to a hash."""
    n, *parts = secret.split("$")
    salt, digest = map(base64.b64decode, parts)
    return hmac.compare_digest(_scrypt(password, salt, int(n)), digest)


def nobodys_secret(n: int) -> str:
    """Return a hash that no password has, and that takes as long to check as any."""
    return f"{n}{_NOBODY}"


def _scrypt(password: str, salt: bytes, n: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=8, p=1)
