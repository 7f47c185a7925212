"""What comes in on a connection: packets are recorded as what they are, within limits of size and number.

Knows which request an answer belongs to, and nothing of what either says.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.engine_io import TOO_LARGE, Closed, EngineIO, give_way
from dungeonlab_conformance.clients.packets import Decoder, Packet, Unreadable
from dungeonlab_conformance.record.arguments import storable
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request, RoomStay
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.event_answers import Awaited, EventAnswers, tells_of_others
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import is_own_event

NUMBERS = itertools.count(1)  # of connections
_OWN_EVENTS = 100  # of a name that the catalogue does not know, or of all such names, that one connection keeps
_LONGEST_NAME = 200  # characters of an event's name that are kept

Callback = Callable[..., None]


class Refused(Unjudged):
    """The server refused the connection. `reason` is the CONNECT_ERROR payload, if there was one, or an HTTP body.

    Of a body that is read in part, `names_the_code` says whether UNAUTHENTICATED stands in the whole of it.
    """

    def __init__(self, reason: Any, status: int | None = None, *, names_the_code: bool = False) -> None:
        super().__init__(f"the connection was refused: {reason}")
        self.reason = reason
        self.status = status
        self.names_the_code = names_the_code


@dataclass(eq=False)
class Receiver:
    """A user's connection, as far as it receives. `connection` is its number in the run, a new one each time.

    `failure` is what the suite itself failed at while it read what came in, if it did.
    """

    name: str
    identity: Identity | None
    target: Target
    journal: Journal
    connection: int = field(default_factory=lambda: next(NUMBERS))
    closed: bool = True
    was_too_much: bool = False  # whether it was closed here, since it was sent a message that is too large to be read
    transport: str = ""  # over which it connected, if it did
    failure: Exception | None = None
    _line: EngineIO | None = None
    _reader: asyncio.Task[None] | None = None
    _entered: asyncio.Future[None] | None = None  # the namespace; fails with `Refused` or `Closed`
    _recovers: bool = False  # whether the server adds an offset to each event, for recovering the connection's state
    _pending: set[asyncio.Future[Observation | None]] = field(default_factory=set)  # answers; None once it is closed
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _namespaces: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # that were asked for, by name
    _asked: dict[int, tuple[Request, Callback]] = field(default_factory=dict)  # by the number that its answer will have
    _by_event: EventAnswers = field(default_factory=EventAnswers)  # the requests that an event will answer
    _answered: dict[int, Request] = field(default_factory=dict)
    _unknown_events: Counter[str] = field(
        default_factory=Counter
    )  # how often events came that the catalogue does not know

    @property
    def user(self) -> str | None:
        """The user's id, as the server under test calls it."""
        return self.identity.user if self.identity else None

    @property
    def stay(self) -> RoomStay | None:
        """The stay in a room that this connection was granted last, unless it has left since."""
        return self.journal.rooms.stay_of(self.connection)

    def is_in(self, session: str) -> bool:
        """Whether this connection is in a session's room, as far as is known."""
        return self.stay is not None and self.stay.session == session and self.stay.left_at is None

    def gone(self, why: str) -> Gone:
        """Return why something cannot go on, that is that this connection or the server is not there any more.

        Raises `TargetFault` if it was the suite that closed the connection, since it keeps no more of what comes.
        """
        self.target.capacity.check()
        return Gone(f"{why}: {TOO_LARGE}" if self.was_too_much else why, waits_for=self._another_tab())

    def _another_tab(self) -> VerdictKey | None:
        """Return what a server may have broken by closing this connection; None if no other tab of its user joined."""
        rooms = self.journal.rooms
        user = rooms.users.get(self.connection)
        joined = [stay.joined_at for stay in rooms.stays if stay.connection == self.connection]
        others = [stay.joined_at for stay in rooms.stays if rooms.users.get(stay.connection) == user] if user else []
        later = joined and others and max(others) > max(joined)
        return VerdictKey("join/tabs-are-independent") if later else None

    async def _read(self, line: EngineIO, entered: asyncio.Future[None]) -> None:
        """Take whatever the server sends, until the connection is over."""
        decoder, connection = Decoder(), self.connection
        waiting: list[int] = []  # the weights of what has come of a packet that is not whole
        try:
            while True:
                for frame in await line.receive():
                    await give_way()
                    for found in decoder.decode(frame):
                        self.target.capacity.gives_back(sum(waiting), len(waiting))
                        waiting.clear()
                        await self._take(found, connection, line, entered)
                    if decoder.weight:  # a packet whose attachments may never come
                        waiting.append(decoder.weight if isinstance(frame, str) else len(frame))
                        self._keep(waiting[-1])
        except (Closed, Refused) as over:
            if not entered.done():
                entered.set_exception(over)
            self._close("is closed", str(over))
        except Exception as error:  # the suite's own fault, which must not pass for a server's silence
            self.failure = error
            self._close("is closed")
        finally:
            if not entered.done():
                entered.set_exception(Closed("the connection was given up"))
            entered.exception()
            await line.close()

    async def _take(
        self, found: Packet | Unreadable, connection: int, line: EngineIO, entered: asyncio.Future[None]
    ) -> None:
        if isinstance(found, Unreadable):
            self._cannot_read(found, connection)
        elif found.namespace != "/":  # which no client of the protocol enters
            if (asked := self._namespaces.get(found.namespace)) is not None and not asked.done():
                asked.set_result(None)
        elif found.kind == packets.EVENT:
            self._hear(found, connection)
            if found.number is not None:
                await line.send(*packets.encode(packets.ACK, [], number=found.number))
        elif found.kind == packets.ACK:
            self._be_answered(found, connection)
        elif found.kind == packets.CONNECT and not entered.done():
            self._recovers = isinstance(found.data, dict) and isinstance(found.data.get("pid"), str)
            entered.set_result(None)
        elif found.kind == packets.CONNECT_ERROR and not entered.done():
            raise Refused(found.data)
        elif found.kind == packets.DISCONNECT:
            raise Closed("io server disconnect")

    def _hear(self, found: Packet, connection: int) -> None:
        name, *args = found.data
        if self._recovers and args and isinstance(args[-1], str):
            args.pop()  # the packet's offset, which is for the client's library
            self.target.recovers = True
        if not isinstance(name, str):
            name = storable(json.dumps(name))
        if len(name) > _LONGEST_NAME:
            name = name[:_LONGEST_NAME] + "…"
        answers = self._answers(name, tuple(args))
        if answers is not None and answers.answered is not None:
            self._keep(found.weight)
            answers.answered(*args, name=name)
            return
        event, translated = self.target.dialect.received(name, tuple(args))
        if event not in Catalogue.load():
            self._unknown_events[name if len(self._unknown_events) < _OWN_EVENTS else ""] += 1
            if self._unknown_events[name] > _OWN_EVENTS or self._unknown_events[""]:
                return
            if is_own_event(event) and not self.target.capacity.takes_own(event):
                return
        if self._is_stray(translated) and not self.target.capacity.takes_stray(event, seated=self.stay is not None):
            return
        self._keep(found.weight)
        request = answers.request if answers is not None and event not in Catalogue.load() else None
        self.journal.write(self.name, connection, "hears", event, translated, request, wire=(name, tuple(args)))

    def _is_stray(self, args: Args) -> bool:
        """Whether an event is about a session that is not of this scene."""
        session = args[0].get("sessionId") if args and isinstance(args[0], dict) else None
        return isinstance(session, str) and session not in self.journal.rooms.members

    def _answers(self, name: str, args: Args) -> Awaited | None:
        """Return which request of this connection an event answers; None if it answers none."""
        dialect = self.target.dialect
        if not dialect.is_answer(name):
            return None
        _, said = dialect.received(name, args)
        refused = dialect.refused(name, args)
        of_others = partial(tells_of_others, said, refused, self.connection, self.user, self.journal)
        return self._by_event.take(name, said, of_others, refused)

    def _be_answered(self, found: Packet, connection: int) -> None:
        assert found.number is not None
        self._keep(found.weight)
        if (asked := self._asked.pop(found.number, None)) is not None:
            request, callback = asked
            self._answered[found.number] = request
            callback(*found.data)
        elif (before := self._answered.get(found.number)) is not None:
            self.journal.write(self.name, connection, "is answered again", before.event, found.data, before)
        else:
            self.journal.write(self.name, connection, "is sent", f"an answer to request {found.number}", found.data)

    def _cannot_read(self, found: Unreadable, connection: int) -> None:
        self._keep(len(found.text))
        if found.over and found.is_own_event:
            return
        self.journal.write(self.name, connection, "cannot read", f"a packet: {found.why}", (found.text,))
        if found.number in self._asked:  # then it is an answer, though none that says yes or no
            request, callback = self._asked.pop(found.number)
            self._answered[found.number] = request
            callback(found.text)

    def _keep(self, weight: int) -> None:
        if not self.target.capacity.takes(weight):
            raise Closed("no more is kept of what the server sends")

    def _close(self, act: Literal["is closed", "disconnects"], reason: str = "") -> None:
        if self.closed:
            return
        self.closed, self.was_too_much = True, reason == TOO_LARGE
        seen = self.journal.write(self.name, self.connection, act, reason)
        self.journal.rooms.closed(self.connection, seen.at, by_server=act == "is closed")
        for pending in self._pending:
            if not pending.done():
                pending.set_result(None)
