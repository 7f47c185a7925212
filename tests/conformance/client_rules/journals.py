"""Journals written by hand: what a tap would have seen of clients, a line for each thing that happens."""

from __future__ import annotations

import itertools
import json
from typing import Any, Literal

from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket

Transport = Literal["", "polling", "websocket"]
FAILURE = {"success": False, "error": "no", "code": "INTERNAL_ERROR"}
TIME = "2026-01-01T00:00:00Z"


class Written:
    """A journal that grows; each thing that happens takes ten milliseconds."""

    def __init__(self) -> None:
        self.packets: list[TappedPacket] = []
        self.at = 0.0
        self._users: dict[int, str] = {}
        self._transports: dict[int, Transport] = {}
        self._ids: dict[int, itertools.count[int]] = {}
        self._texts = itertools.count(1)

    def add(self, sender: Sender, kind: Kind, connection: int = 0, **fields: Any) -> TappedPacket:
        """Write a packet as it is."""
        whose = {"user": self._users.get(connection, ""), "transport": self._transports.get(connection, "")}
        packet = TappedPacket(len(self.packets) + 1, self.at, sender, kind, connection, **(whose | fields))
        self.packets.append(packet)
        self.at += 0.01
        return packet

    def wait(self, seconds: float) -> Written:
        """Let time pass."""
        self.at += seconds
        return self

    def handshake(self, connection: int, user: str = "anna", transport: Transport = "websocket") -> Written:
        """A client asks for an Engine.IO session, and gets one."""
        self._users[connection], self._transports[connection] = user, transport
        self._ids[connection] = itertools.count()
        self.add("client", "handshake", connection)
        self.add("server", "open", connection)
        return self

    def connect(self, connection: int, user: str = "anna", transport: Transport = "websocket") -> Written:
        """A client connects, and is accepted."""
        self.handshake(connection, user, transport)
        self.add("client", "connect", connection)
        self.add("server", "connected", connection)
        return self

    def refused_connect(self, connection: int, user: str = "anna") -> Written:
        """A client connects, and the namespace is refused."""
        self.handshake(connection, user)
        self.add("client", "connect", connection)
        text = json.dumps({"message": "no", "data": {"code": "UNAUTHENTICATED"}})
        self.add("server", "connect-error", connection, text=text)
        self.add("client", "close", connection)
        return self

    def send(self, connection: int, event: str, *arguments: Any, ack: bool = True, attachments: int = 0) -> int | None:
        """A client sends an event; returns the number under which it is to be answered."""
        number = next(self._ids[connection]) if ack else None
        about = {"event": event, "ack_id": number, "text": json.dumps(arguments), "attachments": attachments}
        self.add("client", "event", connection, **about)
        return number

    def answer(self, connection: int, event: str, number: int | None, *arguments: Any) -> None:
        """The server answers an event, successfully unless it says otherwise."""
        body = arguments or ({"success": True, "data": {}},)
        self.add("server", "ack", connection, event=event, ack_id=number, text=json.dumps(body))

    def ask(self, connection: int, event: str, *arguments: Any, answer: Any = None) -> Written:
        """A client sends an event, and the server answers it."""
        number = self.send(connection, event, *arguments)
        self.answer(connection, event, number, *(() if answer is None else (answer,)))
        return self

    def join(self, connection: int, session: str = "s1", *, answer: Any = None) -> Written:
        """A client joins a session."""
        return self.ask(connection, "join-session", {"sessionId": session}, answer=answer)

    def leave(self, connection: int, session: str = "s1", *, answer: Any = None) -> Written:
        """A client leaves a session."""
        return self.ask(connection, "leave-session", {"sessionId": session}, answer=answer)

    def message(self, session: str = "s1") -> dict[str, Any]:
        """Return the payload of a chat message that nobody has sent yet."""
        return {"sessionId": session, "message": f"message {next(self._texts)}"}

    def chat(self, connection: int, session: str = "s1", times: int = 1, *, every: float = 0.5) -> Written:
        """A client sends messages, each answered at once, with a pause after each."""
        for _ in range(times):
            self.ask(connection, "chat-message", self.message(session)).wait(every)
        return self

    def hear(self, connection: int, event: str, payload: Any = None) -> Written:
        """The server sends an event."""
        self.add("server", "event", connection, event=event, text=json.dumps([payload] if payload is not None else []))
        return self

    def announce(self, connection: int, session: str = "s1") -> Written:
        """The server announces somebody."""
        return self.hear(connection, "user-joined", {"sessionId": session, "userId": "u2", "timestamp": TIME})

    def broadcast(self, connection: int, session: str = "s1") -> Written:
        """The server sends a message of somebody else."""
        more = {"messageId": "m1", "userId": "u2", "timestamp": TIME}
        return self.hear(connection, "chat-message", self.message(session) | more)

    def remove(self, connection: int, session: str = "s1") -> Written:
        """The server takes a connection out of a session."""
        return self.hear(connection, "session-removed", {"sessionId": session, "reason": "removed"})

    def act(self, act: DirectorAct, text: str = "", connection: int = 0) -> Written:
        """The director does something."""
        self.add("tap", "act", connection, event=act, text=text)
        return self

    def cut(self, connection: int, how: str = "rst") -> Written:
        """The director cuts a connection off."""
        self.act(DirectorAct.CUT, how, connection)
        self.add("tap", "close", connection, text=how)
        return self

    def close(self, connection: int, sender: Sender = "client") -> Written:
        """One side ends an Engine.IO session."""
        self.add(sender, "close", connection)
        return self

    def disconnect(self, connection: int, sender: Sender = "client") -> Written:
        """One side ends a Socket.IO connection in due form."""
        self.add(sender, "disconnect", connection)
        return self.close(connection, sender)

    def attempts(self, *pauses: float, pairs: bool = False) -> Written:
        """A client tries to connect after each of some pauses, and is not let in."""
        for pause in pauses:
            self.wait(pause)
            self.add("client", "attempt")
            if pairs:
                self.add("client", "attempt")
        return self
