"""One thing seen between a client and a server: what the rules for clients judge, and what the live page shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Sender = Literal["client", "server", "tap"]
Kind = Literal[
    "attempt",  # a TCP connection that was refused, by the tap or because the server is away
    "request",  # an HTTP request beside Socket.IO; `event` is its method and path, without query
    "response",  # the answer to it; `event` is the status
    "handshake",  # a client asks for a new Engine.IO session
    "open",  # the server's open packet
    "upgrade",  # a polling client has changed to WebSocket
    "connect",  # the client's Socket.IO CONNECT
    "connected",  # the server's answer to it
    "connect-error",  # the server's refusal
    "event",
    "ack",  # `event` is that of the request it answers, "" if there was none under its number
    "disconnect",  # a Socket.IO DISCONNECT
    "close",  # the Engine.IO session has ended, by a packet or with its TCP connection; `sender` ended it
    "unreadable",  # from here on this direction of the TCP connection is not read; `text` says why
    "act",  # of the director, by the name of `event`
]


@dataclass(frozen=True, slots=True)
class TappedPacket:
    """One thing seen. `at` is in seconds since the tap began; `connection` is the Engine.IO session, counted from 1.

    `connection` is 0 for what belongs to no session. `user` is a name for the cookie that came along, never the cookie;
    "" without one. `text` is the JSON array of an event's or an ack's arguments, the payload of a connect error,
    or a reason. A binary argument is {"_placeholder": true, "num": n}. `cut` says that the text was too long to keep.
    `attachments` is how many binary attachments the packet announces; earlier recordings do not say it.
    `act` counts the acts that are played with a program, side by side; 0 where none is.
    """

    number: int
    at: float
    sender: Sender
    kind: Kind
    connection: int = 0
    user: str = ""
    transport: Literal["", "polling", "websocket"] = ""
    event: str = ""
    ack_id: int | None = None
    text: str = ""
    cut: bool = False
    act: int = 0
    attachments: int = 0

    @property
    def arguments(self) -> Sequence[Any] | None:
        """Return the arguments of an event or ack; None if they are cut or no JSON array."""
        if self.cut:
            return None
        try:
            read = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return read if isinstance(read, list) else None
