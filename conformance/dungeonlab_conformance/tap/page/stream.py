"""Sends the rows to each open page as they come, as Server-Sent Events: many in one event, about thirty times a second.

A reader is a place in the journal, and no queue: who reads slowly costs no memory, and misses what the journal drops
meanwhile. The page says how much that was.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.tap.page.rows import Row, after, row

READERS = 4  # a browser opens six connections to one address: two remain for what is clicked
_EVERY = 0.03  # seconds between two events
_ROWS = 1_000  # in one event
_AT_ONCE = 100  # rows: they take two milliseconds to make, in which nothing passes through the tap
_LOOK = 0.2  # seconds after which a reader that has gone is noticed


class Stream:
    """The readers of one page. `about` is what each is sent first, `standing` what is sent again where it changed."""

    def __init__(self, journal: TapJournal, about: dict[str, Any], standing: Callable[[], str]) -> None:
        self._journal, self._about, self._standing = journal, about, standing
        self._run = secrets.token_hex(4)  # a page that was fed by an earlier tap begins anew
        self._news: set[asyncio.Event] = set()
        self._ended = False
        journal.listeners.append(self._arrived)

    @property
    def watched(self) -> bool:
        """Whether a page is open."""
        return bool(self._news)

    def wake(self) -> None:
        """Have each reader look for what is new."""
        for news in self._news:
            news.set()

    def end(self) -> None:
        """Take leave of all readers."""
        self._ended = True
        self._journal.listeners.remove(self._arrived)
        self.wake()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Feed one page until it closes or the tap ends."""
        if len(self._news) >= READERS:
            return web.Response(status=503, text=f"{READERS} pages are open; close one, and load this one again.\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        news = asyncio.Event()
        self._news.add(news)
        try:
            await self._feed(request, response, news)
        finally:
            self._news.discard(news)
        return response

    def _arrived(self, _packet: TappedPacket) -> None:
        self.wake()

    async def _feed(self, request: web.Request, response: web.StreamResponse, news: asyncio.Event) -> None:
        run, _, last = request.headers.get("Last-Event-ID", "").partition("-")
        number = int(last) if run == self._run and last.isascii() and last.isdigit() and len(last) < 16 else 0
        standing = ""
        await self._send(response, "begin", self._about | {"anew": not number})
        while not self._ended and not (request.transport is None or request.transport.is_closing()):
            news.clear()
            if (now := self._standing()) != standing:
                standing = now
                await response.write(f"event: requirements\ndata: {standing}\n\n".encode())
            packets = after(self._journal.packets, number, _ROWS)
            if packets:
                lost, number = packets[0].number - number - 1, packets[-1].number
                await self._send(response, "rows", {"lost": lost, "rows": await _rows(packets)}, number)
            if len(packets) < _ROWS:
                await _soon(news)
            await asyncio.sleep(_EVERY)
        await self._send(response, "end", {})

    async def _send(self, response: web.StreamResponse, event: str, data: dict[str, Any], number: int = 0) -> None:
        mark = f"id: {self._run}-{number}\n" if number else ""
        text = json.dumps(data, separators=(",", ":"))  # ASCII: half a surrogate pair is a text to JSON, not to UTF-8
        await response.write(f"{mark}event: {event}\ndata: {text}\n\n".encode())


async def _rows(packets: Sequence[TappedPacket]) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(packets), _AT_ONCE):
        rows += map(row, packets[start : start + _AT_ONCE])
        await asyncio.sleep(0)
    return rows


async def _soon(news: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(news.wait(), _LOOK)
    except TimeoutError:
        return
