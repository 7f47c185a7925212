"""What can be configured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and switches.

    `origins` are accepted beside the server's own. `rate_limit` is in events per minute and user, 0 for none.
    `largest_message` is in bytes: a larger request is refused, one of four times the size ends its connection.
    `deepest_payload` is in levels of nesting. `check_outgoing` holds everything the server sends against the schemas.
    `scrypt_n` is how much work hashing a password is, a power of two: the usual one takes some 40 ms.
    """

    origins: tuple[str, ...] = ()
    rate_limit: int = 60_000
    largest_message: int = 1_000_000
    deepest_payload: int = 64
    check_outgoing: bool = False
    scrypt_n: int = 16_384
