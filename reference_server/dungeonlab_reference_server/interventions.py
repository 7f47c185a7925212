"""A pipeline that does on order what clients must cope with: refusals, late answers, lost connections, strange events.

Users are named by their ids; None stands for everybody. An order holds from the call until it is used up or withdrawn,
and concerns nobody else. All methods are called from the server's event loop. Requests keep their order and their
acknowledgement numbers, over both transports: what is done here goes the way that any answer and any event goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Catalogue

WHY = "refused on purpose, to see what the client makes of it"

_LET_THROUGH = ("join-session", "leave-session")
_RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
_MOST_HELD = 1_000  # answers of one connection that wait; then its next request waits, too

log = logging.getLogger("dungeonlab")


@dataclass(kw_only=True, eq=False)
class Order:
    """Which requests are meant: whose, of which event (None: any), and how many of them.

    Of those that fit, every `every`-th is meant; `times` is how many more, None for any number.
    """

    user: str | None = None
    event: str | None = None
    every: int = 1
    times: int | None = None
    _fitted: int = 0

    def fits(self, user: str | None, event: str) -> bool:
        """Say whether the order is for such a request at all."""
        return self.user in (None, user) and self.event in (None, event) and self.times != 0

    def takes(self) -> bool:
        """Count one request that fits, and say whether it is one that is meant."""
        self._fitted += 1
        if self._fitted % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(kw_only=True, eq=False)
class Refuse(Order):
    """Requests are refused with `code`; those that the protocol never refuses with it are let through.

    If no event is named, so are joining and leaving: a client that cannot join shows nothing more. With `answered`, a
    request that wants no answer is refused and does not count.
    """

    code: str
    with_error_event: bool = False
    answered: bool = False

    def fits(self, user: str | None, event: str) -> bool:
        """Say whether the order is for such a request at all."""
        if self.event is None and event in _LET_THROUGH:
            return False
        return super().fits(user, event) and self.code in _codes(event)


@dataclass(kw_only=True, eq=False)
class Delay(Order):
    """Answers are held back for so many seconds; what was asked for is done, and broadcast, at once."""

    seconds: float


@dataclass(kw_only=True, eq=False)
class AddErrorEvent(Order):
    """An `error` event precedes the acknowledgement of a failure."""


@dataclass(kw_only=True, eq=False)
class RefuseConnect(Order):
    """The namespace is refused with `UNAUTHENTICATED`, in spite of a cookie."""


Given = TypeVar("Given", bound=Order)


class Interventions(Pipeline):
    """The pipeline, and the orders that are in force."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.orders: list[Order] = []
        self._refused: dict[str, Refuse] = {}  # the order by which the request under way is refused, by connection
        self._held: dict[str, asyncio.Task[None]] = {}  # the last answer that waits, by connection
        self._waiting: Counter[str] = Counter()  # answers that wait, by connection

    # -- orders that stand until they are used up or withdrawn ----------------------------------------

    def give(self, order: Given) -> Given:
        """Put an order into force. Raises `ValueError` for a refusal that the protocol does not know."""
        if isinstance(order, Refuse) and not any(order.fits(order.user, event) for event in self.catalogue.events):
            raise ValueError(f"{order.event or 'no request'} is never refused with {order.code}")
        self.orders.append(order)
        return order

    def withdraw(self, order: Order) -> None:
        """End an order; harmless if it is used up."""
        self.orders = [other for other in self.orders if other is not order]

    def refuse_next(
        self,
        user: str | None,
        code: str,
        *,
        event: str | None = None,
        with_error_event: bool = False,
        answered: bool = False,
    ) -> Refuse:
        """Refuse the next request, of an event or of any but joining and leaving; with `answered`, as `Refuse` says."""
        order = Refuse(user=user, event=event, times=1, code=code, with_error_event=with_error_event, answered=answered)
        return self.give(order)

    def delay(self, user: str | None, seconds: float | None) -> None:
        """Hold back all answers to a user from now on; None ends it."""
        self._end(Delay, user)
        if seconds is not None:
            self.give(Delay(user=user, seconds=seconds))

    def refuse_connects(self, user: str | None, refused: bool = True) -> None:
        """Refuse the namespace to a user from now on, or to everybody; False ends it."""
        self._end(RefuseConnect, user)
        if refused:
            self.give(RefuseConnect(user=user))

    def _end(self, kind: type[Order], user: str | None) -> None:
        self.orders = [order for order in self.orders if not (isinstance(order, kind) and order.user == user)]

    def _due(self, kind: type[Given], user: str | None, event: str) -> Given | None:
        """Return the first order of a kind that means this request, counted as one that it was carried out on."""
        for order in self.orders:
            if isinstance(order, kind) and order.fits(user, event) and order.takes():
                if order.times == 0:
                    self.withdraw(order)
                log.info("on order %s event=%s user=%s", kind.__name__, event or "none", user)
                return order
        return None

    # -- what happens at once -------------------------------------------------------------------------

    async def emit(self, user: str | None, event: str, *args: Any) -> None:
        """Send any event, valid or not, to all connections of a user. Raises `ValueError` for a reserved name."""
        _check_name(event)
        for connection in list(self.users) if user is None else self.connections_of(user):
            await self.sockets.emit(event, args, to=connection)

    async def emit_binary(self, user: str | None, event: str, size: int) -> None:
        """Send an event with so many bytes of binary data, as `emit` does; an order in JSON can name none."""
        await self.emit(user, event, {"name": "portrait", "data": bytes(size)})

    async def emit_to_room(self, session: str, event: str, *args: Any) -> None:
        """Send any event, valid or not, to all who joined a session. Raises `ValueError` for a reserved name."""
        _check_name(event)
        await self.sockets.emit(event, args, room=self.room(session))

    async def end_connections(self, user: str | None) -> None:
        """End the Engine.IO sessions of a user as a broken network does: no packet says so, and nothing is resumed."""
        await self.sockets.cut(user)

    async def remove(self, user: str, session: str) -> None:
        """End a membership, as a game master does over HTTP. Raises `ValueError` if there is none that could end."""
        async with self.store.turn(session):
            found = await self.store.session(session)
            if found is None or user not in found.participants or user == found.game_master:
                raise ValueError("this user is no participant of this session")
            await self.store.revoke(session, user)
            await self.remove_member(user, session)

    async def end_login(self, user: str, *, as_if_cut: bool = False) -> None:
        """Let all cookies of a user die, and end the connections: as a logout does, or without a packet that says so.

        Client libraries connect again after the second only, and are then refused with `UNAUTHENTICATED`.
        """
        async with self.store.turn(user):
            await self.store.close_logins(user)
            await (self.end_connections(user) if as_if_cut else self.end_user(user))

    # -- where orders are carried out -----------------------------------------------------------------

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        """Refuse a connection on order."""
        if self._due(RefuseConnect, await self.authenticate(environ), ""):
            self.refuse_connection(WHY)
        await super().on_connect(connection, environ)

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        """Refuse a request on order."""
        user = self.check_open(connection)
        order = self._due(Refuse, user, name)
        if order is None:
            return await super().perform(connection, name, args)
        self.check_limit(user)
        self._refused[connection] = order
        raise Refusal(order.code, WHY)

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        """Answer, on order late, or with an `error` event besides; answers of one connection keep their order."""
        refused = self._refused.pop(connection, None)
        if where is None and refused is not None and refused.answered and refused.times == 0:
            refused.times = 1
            self.give(refused)
        if envelope["success"] and where is None:
            return
        user = self.users.get(connection)
        both = False
        if not envelope["success"] and where is not None:
            both = refused is not None and refused.with_error_event
            both = both or self._due(AddErrorEvent, user, name) is not None
        order = self._due(Delay, user, name)
        answer = partial(self._answer_now, connection, name, envelope, where, both)
        if order is None and connection not in self._held:
            await answer()
            return
        earlier, seconds = self._held.get(connection), order.seconds if order else 0.0
        task = asyncio.create_task(self._answer_later(earlier, seconds, connection, answer))
        self._held[connection] = task
        self._waiting[connection] += 1
        if self._waiting[connection] > _MOST_HELD:
            await asyncio.wait([task])

    async def close(self) -> None:
        """Close every connection, and forget the answers that wait."""
        for task in list(self._held.values()):
            task.cancel()
        await super().close()

    async def _answer_later(
        self, earlier: asyncio.Task[None] | None, seconds: float, connection: str, answer: partial[Any]
    ) -> None:
        """Answer after some time, and after the answers before, unless the connection has ended."""
        try:
            await asyncio.sleep(seconds)
            if earlier is not None:
                await asyncio.wait([earlier])
            if self.sockets.is_open(connection):
                await answer()
        finally:
            self._waiting[connection] -= 1
            if not self._waiting[connection]:
                del self._waiting[connection]
                self._held.pop(connection, None)

    async def _answer_now(
        self, connection: str, name: str, envelope: Payload, where: AckAddress | None, both: bool
    ) -> None:
        if both:
            await super().acknowledge(connection, name, envelope, None)  # which is an error event
        await super().acknowledge(connection, name, envelope, where)


def _codes(event: str) -> tuple[str, ...]:
    """Return what a request may be refused with."""
    catalogue = Catalogue.load()
    return catalogue[event].refusals if event in catalogue else ()


def _check_name(event: str) -> None:
    if event in _RESERVED:
        raise ValueError(f"{event} is an event of the client libraries themselves")
