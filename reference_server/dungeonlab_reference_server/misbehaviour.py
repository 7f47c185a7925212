"""What `--misbehave` says, and the orders that it becomes: for clients in development, which must cope with all of it.

What cannot be read is a fault of its own:

BadOrder   a part of it cannot be read; the message is one sentence, with what may have been meant
"""

from __future__ import annotations

import asyncio
import difflib
import re
import sys
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from dungeonlab_reference_server.interventions import AddErrorEvent, Delay, Interventions, Order, Refuse, RefuseConnect
from dungeonlab_spec import Catalogue

HEADER = "X-Dungeonlab-Misbehaves"
STRANGE_EVENT = "x-dungeonlab:unknown"

_WARNING = (
    "THIS IS NOT HOW THE REFERENCE SERVER BEHAVES: it misbehaves on purpose, so that clients can be tried. "
    "Judge no server by it."
)
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LONGEST = 600.0  # seconds
_SHORTEST_PAUSE = 0.1  # seconds
_ANY = "*"
FORMS = {
    "refuse": "refuse=EVENT:CODE or refuse=EVENT:CODE:every:3, such as refuse=token:move:RATE_LIMITED",
    "delay": "delay=EVENT:TIME, such as delay=chat-message:2s",
    "refuse-connect": "refuse-connect or refuse-connect=every:2",
    "error-event": "error-event",
    "unknown-event": "unknown-event=every:TIME, such as unknown-event=every:10s",
    "cut": "cut=every:TIME, such as cut=every:30s",
}


class BadOrder(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A part of `--misbehave` cannot be read; one sentence."""


@dataclass(slots=True)
class Misbehaviour:
    """What a server does wrong on purpose: standing orders, and what is done each so many seconds."""

    text: str = ""
    orders: list[Order] = field(default_factory=list)
    cut_every: float | None = None
    strange_every: float | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def announce(self, app: web.Application) -> None:
        """Say so on standard error, and have every response say that this is not how the reference behaves."""

        async def add_header(_: web.Request, response: web.StreamResponse) -> None:
            response.headers[HEADER] = self.text

        app.on_response_prepare.append(add_header)
        print(f"{_WARNING}\n  --misbehave {self.text}", file=sys.stderr, flush=True)

    def begin(self, server: Interventions) -> None:
        """Give the orders, and go on doing what is to be done from time to time until the event loop ends."""
        for order in self.orders:
            server.give(order)
        if self.cut_every is not None:
            self._tasks.append(asyncio.create_task(_each(self.cut_every, lambda: server.end_connections(None))))
        if self.strange_every is not None:
            payload = {"sent": "on purpose, to see what the client makes of it"}
            strange = partial(server.emit, None, STRANGE_EVENT, payload)
            self._tasks.append(asyncio.create_task(_each(self.strange_every, strange)))


async def _each(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await act()


def parse(text: str) -> Misbehaviour:
    """Return what the option asks for. Raises `BadOrder`."""
    parts = [part.strip() for part in text.split(",")]
    found = Misbehaviour(", ".join(parts))
    for part in parts:
        name, _, value = part.partition("=")
        match name:
            case "refuse":
                value, every = _every(part, value)
                event, code = _event(part, value)
                found.orders.append(Refuse(event=event, code=_code(event, code), every=every))
            case "delay":
                event, time = _event(part, value)
                found.orders.append(Delay(event=event, seconds=_seconds(part, time)))
            case "refuse-connect":
                rest, every = _every(part, f":{value}" if value else "")
                found.orders.append(RefuseConnect(every=every))
                _must(not rest, part)
            case "error-event":
                found.orders.append(AddErrorEvent())
                _must(part == name, part)
            case "unknown-event":
                found.strange_every = _pause(part, value)
            case "cut":
                found.cut_every = _pause(part, value)
            case _:
                raise BadOrder(f"{_shown(name)!r} is nothing that can be asked for; {_meant(name, FORMS)}")
    return found


def _must(holds: object, part: str) -> None:
    if not holds:
        raise BadOrder(f"{_shown(part)!r} cannot be read; write {FORMS[part.partition('=')[0]]}")


def _every(part: str, value: str) -> tuple[str, int]:
    """Return what stands before ``:every:3``, and the number, which is 1 if that is not there."""
    rest, asked, number = value.rpartition(":every:")
    if not asked:
        return value, 1
    _must(re.fullmatch(r"[1-9]\d{0,5}", number, re.ASCII), part)
    return rest, int(number)


def _event(part: str, value: str) -> tuple[str | None, str]:
    """Return the event before the last colon, None for any, and what stands behind it."""
    name, colon, rest = value.rpartition(":")
    _must(colon and name and rest, part)
    requests = [event.name for event in Catalogue.load() if event.request]
    if name not in (_ANY, *requests):
        raise BadOrder(f"{_shown(name)!r} is no event that a client sends; {_meant(name, (_ANY, *requests))}")
    return None if name == _ANY else name, rest


def _code(event: str | None, code: str) -> str:
    """Return a code, if the protocol knows a refusal of the event with it."""
    catalogue = Catalogue.load()
    names = [event] if event else list(catalogue.events)
    known = dict.fromkeys(code for name in names for code in catalogue[name].refusals)
    if code not in known:
        raise BadOrder(f"{event or 'no request'} is never refused with {_shown(code)!r}, but with {', '.join(known)}")
    return code


def _seconds(part: str, time: str, least: float = 0.0) -> float:
    found = _TIME.fullmatch(time)
    _must(found, part)
    assert found is not None
    seconds = float(found[1]) * _UNITS[found[2]]
    if not least <= seconds <= _LONGEST:
        raise BadOrder(f"{_shown(part)!r} is not between {least:g} and {_LONGEST:g} seconds")
    return seconds


def _pause(part: str, value: str) -> float:
    every, _, time = value.partition(":")
    _must(every == "every", part)
    return _seconds(part, time, _SHORTEST_PAUSE)


def _meant(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:60])
