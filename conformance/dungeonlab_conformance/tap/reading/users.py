"""Names the user of a cookie, `user-1` and so on, by a digest that cannot be reversed. No cookie is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping

_MOST = 10_000  # users with a name each
_SHORTEST = 12  # characters of a value that nobody can guess
_OF_A_LOGIN = re.compile(r"sess|sid|auth|token|login|jwt", re.IGNORECASE)
_OF_NO_LOGIN = re.compile(r"csrf|xsrf|^_ga|^_gid|theme|lang|locale|consent", re.IGNORECASE)


class Users:
    """Names for the logins that are seen: user-1, user-2 ..."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._names: OrderedDict[bytes, str] = OrderedDict()
        self._count = 0

    def name(self, headers: Mapping[str, str]) -> str:
        """Return the name of who sends a request with these headers; "" for who shows nothing."""
        shown = _login(headers.get("cookie", "")) or headers.get("authorization", "")
        if not shown:
            return ""
        digest = hashlib.blake2b(shown.encode("utf-8", "replace"), digest_size=16, key=self._salt).digest()
        if digest not in self._names:
            self._count += 1
            self._names[digest] = f"user-{self._count}"
            if len(self._names) > _MOST:
                self._names.popitem(last=False)
        self._names.move_to_end(digest)
        return self._names[digest]


def _is_a_login(name: str, value: str) -> bool:
    """Whether a cookie is a login by its name, and by a value that nobody can guess: two people have different ones."""
    return len(value) >= _SHORTEST and bool(_OF_A_LOGIN.search(name))


def _login(header: str) -> str:
    """Return what of a Cookie header tells one login from another."""
    pairs = sorted({pair.strip() for pair in header.split(";") if "=" in pair})
    likely = [pair for pair in pairs if not _OF_NO_LOGIN.search(pair.partition("=")[0])]
    certain = [pair for pair in likely if _is_a_login(*pair.partition("=")[::2])]
    return "; ".join(certain or likely)
