"""Copied into every reproduction in Python: connections, what shows whether the fault is there, and values."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import socketio

if TYPE_CHECKING:
    from dungeonlab_conformance.runner.reproduction.python_stage import Stage

# -- copied from here on

PATIENCE = float(os.environ.get("PATIENCE", "4"))  # seconds to wait for an answer or a delivery
LATE = 0.5  # seconds in which what is sent late comes, too


class Undecided(Exception):  # noqa: N818
    """The stage could not be set, or what came does not show whether the fault is there; the message says why."""


def say(line: str) -> None:
    """Print what happens; on a terminal, as much of it as fits into a line."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else len(line)
    print(line if len(line) <= width else line[: width - 1] + "…")


class Anything:
    """`ANY`: what a server chooses anew each time, such as an id or a time. `ABSENT`: that there is nothing."""


ANY, ABSENT = Anything(), Anything()


class Asked:
    """A request with a callback, and its answer, which is not waited for before it is asked for."""

    def __init__(self, connection: Connection, event: str) -> None:
        self.connection, self.event = connection, event
        self.arguments: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def in_time(self) -> list[Any] | None:
        """Return the arguments of the answer, or None if none comes in time."""
        await asyncio.wait([self.arguments], timeout=PATIENCE)
        return self.arguments.result() if self.arguments.done() else None

    async def answer(self, accepted: bool = False) -> Any:
        """Return the first argument of the answer; a preparation that was `accepted` when it was recorded must be."""
        came = await self.in_time()
        who = f"{self.connection.name}'s {self.event}"
        if came is None:
            raise Undecided(f"{who} was not answered within {PATIENCE:g} s")
        body = came[0] if came else None
        if accepted and not (isinstance(body, dict) and body.get("success") is True):
            raise Undecided(f"{who} was refused, and had been accepted: {shown(came)}")
        return body


class Connection:
    """One Socket.IO connection of somebody, and everything that it was sent."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.name, self.stage = name, stage
        self.heard: list[tuple[str, list[Any]]] = []
        self.taken: set[int] = set()  # places in `heard` that have been waited for
        self.missed: set[str] = set()  # events that were waited for in vain
        self.news = asyncio.Condition()
        self.closed = False
        self.http: aiohttp.ClientSession | None = None
        self.io: Any = None

    refused: str | None = None  # why it could not be opened

    async def open(self, headers: dict[str, str], transports: list[str]) -> None:
        """Connect, or note why the server refused."""
        self.http = self.stage.http_session(headers)
        verify = self.stage.server["verify"] is not False
        self.io = socketio.AsyncClient(reconnection=False, http_session=self.http, ssl_verify=verify)
        self.io.on("*", self._hear)
        self.io.on("disconnect", self._end)
        try:
            await self.io.connect(
                self.stage.origin,
                transports=transports,
                socketio_path=self.stage.socket_path,
                wait_timeout=PATIENCE,
            )
        except socketio.exceptions.ConnectionError as refused:
            self.refused, self.closed = str(refused) or "no reason given", True
        say(f"  {self.name} {'connects' if self.refused is None else f'is refused: {self.refused}'}")

    async def _hear(self, event: str, *args: Any) -> None:
        say(f"  {self.name} hears {event} {shown(args)}")
        async with self.news:
            self.heard.append((event, list(args)))
            self.news.notify_all()

    async def _end(self, *_: Any) -> None:
        self.closed = True

    async def ask(self, event: str, *args: Any) -> Asked:
        """Send a request with a callback."""
        asked = Asked(self, event)

        def answered(*came: Any) -> None:
            say(f"  {self.name} is answered {event} {shown(came)}")
            if not asked.arguments.done():
                asked.arguments.set_result(list(came))

        await self._emit(event, args, answered)
        return asked

    async def tell(self, event: str, *args: Any) -> None:
        """Send a request without a callback."""
        await self._emit(event, args, None)

    async def _emit(self, event: str, args: tuple[Any, ...], callback: Any) -> None:
        if self.closed:
            raise Undecided(f"{self.name}'s connection was closed before {event} could be sent")
        say(f"  {self.name} {'sends' if callback else 'tells'} {event} {shown(args)}")
        await self.io.emit(event, args, callback=callback)

    async def request(self, event: str, *args: Any) -> Any:
        """Send a request with a callback; returns the first argument of its answer."""
        return await (await self.ask(event, *args)).answer()

    async def prepare(self, event: str, *args: Any) -> Any:
        """Send a request that was accepted when it was recorded, and must be; returns as `request` does."""
        return await (await self.ask(event, *args)).answer(accepted=True)

    async def hear(self, event: str) -> Any:
        """Wait until an event has come, which must; returns its first argument."""
        found = await self._next(event, PATIENCE)
        if found is ABSENT:
            raise Undecided(f"{self.name} did not hear {event}")
        return found

    async def may_hear(self, event: str) -> None:
        """Wait until an event has come, but not for long, and not again once it did not come."""
        if await self._next(event, 0.0 if event in self.missed else min(PATIENCE, 1.0)) is ABSENT:
            self.missed.add(event)

    async def _next(self, event: str, patience: float) -> Any:
        def places() -> list[int]:
            named = [place for place, (name, _) in enumerate(self.heard) if name == event]
            return [place for place in named if place not in self.taken]

        if not places() and not (patience and await self.comes(lambda: bool(places()), patience)):
            return ABSENT
        [place, *_] = places()
        self.taken.add(place)
        return next(iter(self.heard[place][1]), None)

    def deliveries(self, event: str, like: Any = None, since: int = 0) -> list[list[Any]]:
        """Return what came under an event's name from a place on; only what is `like` that, if something is given."""
        return [args for name, args in self.heard[since:] if name == event and (like is None or holds(like, args))]

    async def comes(self, there: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to come to hold of what was heard; whether it does in time."""
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(there), seconds)
            except TimeoutError:
                return False
        return True

    async def round_trip(self) -> bool:
        """Have something answered, whatever the answer: what was sent before has arrived then."""
        if self.closed:
            return False
        asked = Asked(self, self.stage.server["fence"])
        await self.io.emit(asked.event, ({},), callback=lambda *came: asked.arguments.set_result(list(came)))
        return await asked.in_time() is not None

    async def disconnect(self) -> None:
        """End the connection, and leave a server the time to notice it."""
        say(f"  {self.name} disconnects")
        await self.close()
        await asyncio.sleep(LATE)

    async def close(self) -> None:
        """End the connection, if it is still there, without a word."""
        if not self.closed:
            await self.io.disconnect()
        if self.http is not None:
            await self.http.close()


# -- what shows whether the fault is there: each returns whether it is, and what came -------------------


async def must_accept(asked: Asked) -> tuple[bool, str]:
    """A request is to be accepted."""
    came = await asked.in_time()
    accepted = bool(came) and isinstance(came[0], dict) and came[0].get("success") is True if came else False
    return not accepted, "no answer" if came is None else shown(came)


async def must_refuse(asked: Asked) -> tuple[bool, str]:
    """A request is to be refused: answered, and not by a success."""
    came = await asked.in_time()
    refused = bool(came) and isinstance(came[0], dict) and came[0].get("success") is False if came else False
    return not refused, "no answer" if came is None else shown(came)


async def must_answer(asked: Asked) -> tuple[bool, str]:
    """A request is to be answered, on a connection on which others are."""
    came = await asked.in_time()
    if came is None and not await asked.connection.round_trip():
        raise Undecided(f"neither {asked.event} nor anything else was answered")
    return came is None, "no answer" if came is None else shown(came)


async def must_not_answer(asked: Asked, wrong: list[Any]) -> tuple[bool, str]:
    """A request is not to be answered so."""
    came = await asked.in_time()
    if came is None:
        raise Undecided(f"{asked.connection.name}'s {asked.event} was not answered")
    return same(wrong, came), shown(came)


async def must_not_be(body: Any, path: list[str | int], *wrong: Any) -> tuple[bool, str]:
    """A place of an answer or of a delivery is not to have one of these values; `ABSENT` is that there is none."""
    value = look(body, path)
    return any(same(each, value) for each in wrong), shown_value(value)


async def must_be(body: Any, path: list[str | int], *right: Any) -> tuple[bool, str]:
    """A place of an answer or of a delivery is to have one of these values."""
    value = look(body, path)
    return not any(same(each, value) for each in right), shown_value(value)


async def must_hear(
    listener: Connection, event: str, like: Any, since: int = 0, times: int | None = None
) -> tuple[bool, str]:
    """A connection is to be sent a broadcast, so many `times` if that is said; it must be able to hear at all."""
    await listener.comes(lambda: bool(listener.deliveries(event, like, since)), PATIENCE)
    if not await all_has_arrived(listener):
        raise Undecided(f"{listener.name}'s connection does not answer")
    await asyncio.sleep(LATE)
    count = len(listener.deliveries(event, like, since))
    said = {0: "nothing", 1: "it came once"}.get(count, f"it came {count} times")
    return count == 0 if times is None else count != times, said


async def must_not_hear(listener: Connection, event: str, like: Any, most: int = 0) -> tuple[bool, str]:
    """A connection is not to be sent something that holds this, or no more than `most` times."""
    return await silence(listener, most, lambda: listener.deliveries(event, like))


async def must_not_hear_exactly(listener: Connection, event: str, wrong: Any, most: int = 0) -> tuple[bool, str]:
    """A connection is not to be sent just this, or no more than `most` times."""
    return await silence(listener, most, lambda: [args for args in listener.deliveries(event) if same(wrong, args)])


async def silence(listener: Connection, most: int, found: Callable[[], list[list[Any]]]) -> tuple[bool, str]:
    """Wait for what is not to come: as long as a round trip takes, and a little longer."""
    if not await listener.comes(lambda: len(found()) > most, LATE):
        answers = await all_has_arrived(listener)
        if not await listener.comes(lambda: len(found()) > most, LATE) and not answers:
            raise Undecided(f"{listener.name}'s connection does not answer, so that its silence shows nothing")
    return len(found()) > most, shown(found()[-1]) if found() else "nothing"


async def must_list(body: Any, path: list[str | int], right: list[str], free: list[str]) -> tuple[bool, str]:
    """A place of an answer is to hold these ids and no others, in any order; some it is `free` to hold."""
    value = look(body, path)
    listed = value if isinstance(value, list) else [None]
    wrong = [each for each in listed if each not in right and each not in free]
    return bool(wrong) or any(each not in listed for each in right if each not in free), shown_value(value)


async def must_agree(one: Any, path: list[str | int], other: Any, where: list[str | int]) -> tuple[bool, str]:
    """Two messages are to have the same at a place of each."""
    first, second = look(one, path), look(other, where)
    return not same(second, first), f"{shown_value(first)}, and {shown_value(second)}"


async def must_survive(stage: Stage) -> tuple[bool, str]:
    """The server is to go on answering."""
    await asyncio.sleep(LATE)
    refused = await stage.answers()
    return refused is not None, refused or "it goes on answering"


async def all_has_arrived(listener: Connection) -> bool:
    """Make a round trip on every other connection, then on the listener's; returns whether that was answered.

    The server has dealt with all that was sent before, and the listener has got all that was sent to it by then.
    """
    others = [each for each in listener.stage.connections if each is not listener and not each.closed]
    await asyncio.gather(*(other.round_trip() for other in others))
    return await listener.round_trip()


async def must_be_connected(connection: Connection) -> tuple[bool, str]:
    """A connection is to be accepted."""
    return connection.refused is not None, connection.refused or "it was accepted"


async def must_be_unconnected(connection: Connection) -> tuple[bool, str]:
    """A connection is to be refused."""
    return connection.refused is None, connection.refused or "it was accepted"


async def must_stay_open(connection: Connection) -> tuple[bool, str]:
    """A connection is not to be closed by the server."""
    answers = await connection.round_trip()
    if not answers and not connection.closed:
        raise Undecided(f"{connection.name}'s connection is open, but does not answer")
    return not answers, "it is open" if answers else "it was closed"


# -- values --------------------------------------------------------------------------------------------


def look(body: Any, path: list[str | int]) -> Any:
    """Return what stands at a path, or `ABSENT`."""
    for key in path:
        inside = isinstance(body, dict) and key in body
        if not inside and not (isinstance(body, list) and isinstance(key, int) and key < len(body)):
            return ABSENT
        body = body[key]
    return body


def the_id(body: Any, *path: str | int) -> str:
    """Return the id that a server handed out, at a path of what it said."""
    found = look(body, list(path))
    if not isinstance(found, str):
        raise Undecided(f"there is no id at {'.'.join(map(str, path))} of {shown_value(body)}")
    return found


def same(then: Any, now: Any) -> bool:
    """Whether two values are the same, but for what a server chooses anew."""
    if then is ANY:
        return now is not ABSENT
    if isinstance(then, dict) and isinstance(now, dict):
        return then.keys() == now.keys() and all(same(value, now[key]) for key, value in then.items())
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(map(same, then, now))
    number = isinstance(then, int | float) and isinstance(now, int | float)
    alike = isinstance(then, bool) == isinstance(now, bool) if number else type(then) is type(now)
    return then is now or (then is not ABSENT and alike and bool(then == now))


def holds(part: Any, whole: Any) -> bool:
    """Whether a value holds all that another does."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(holds, part, whole))
    return same(part, whole)


def shown(args: Any) -> str:
    """Return arguments as people read them, in one line."""
    return ", ".join(map(shown_value, args))


def shown_value(value: Any) -> str:
    """Return a value as people read it."""
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")
    text = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return text if len(text) <= 300 else text[:300] + "…"
