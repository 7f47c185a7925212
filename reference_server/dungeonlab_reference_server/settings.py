"""What can be configured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and switches. Sizes are in bytes, times in seconds.

    `origins` are accepted beside the server's own. `rate_limit` is in events per minute and user, 0 for none;
    `bytes_per_minute` limits each user's requests by their size, 0 for no limit.
    `largest_message`: a larger request is refused, one of four times the size ends its connection.
    `deepest_payload` is in levels of nesting, `most_values` is how many values a request may hold in all.
    `check_outgoing` validates everything the server sends against the schemas.
    `scrypt_n` is how much work hashing a password is, a power of two: the usual one takes some 40 ms.
    `password_wait` is how long a registration, or a login, may have to wait for others' passwords to be hashed;
    one that would wait longer is answered 429.
    `connect_timeout` is how long a connection may stay that has entered no namespace; `idle_timeout` how long a TCP
    connection may take until the head of a request is complete; `upload_timeout` how long a body may take, beside
    a second for each 5 kB; `write_timeout` how long an answer may take, beside a second for each 2 kB.
    A client is sent a ping each `ping_interval`, and must answer within `ping_timeout`.
    `most_connections` counts TCP connections and, separately, Socket.IO connections; `connections_per_user`
    counts a user's Socket.IO connections.
    """

    origins: tuple[str, ...] = ()
    rate_limit: int = 60_000
    largest_message: int = 1_000_000
    deepest_payload: int = 64
    check_outgoing: bool = False
    scrypt_n: int = 16_384
    most_values: int = 10_000
    bytes_per_minute: int = 60_000_000
    password_wait: float = 10.0
    connect_timeout: float = 45.0
    idle_timeout: float = 20.0
    upload_timeout: float = 20.0
    write_timeout: float = 20.0
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    most_connections: int = 2_000
    connections_per_user: int = 200
