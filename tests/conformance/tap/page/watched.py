"""A live page that is served in a thread, for a browser in the foreground: with a journal, a judge and a director."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from dungeonlab_conformance.record.tapped.journal import About, TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.tap.page.judgement import Standing
from dungeonlab_conformance.tap.page.live_page import LivePage

T = TypeVar("T")
EARLY, WHOLE = "client/joins-before-it-sends", "client/sends-only-valid-payloads"
REJOINS = "client/rejoins-after-reconnect"
TO_DO = "Let the client lose its connection while it is in a session."
MARKUP = '<script>document.title = 1</script><img src=x onerror="document.title = 2">'
REVERSED = "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd \"quoted\" 'so'"


class Judge:
    """Convicts the first chat message that is refused; calls payloads valid; asks for a lost connection."""

    def __init__(self) -> None:
        self.seen: list[TappedPacket] = []

    async def __call__(self, new: Sequence[TappedPacket], first: int) -> list[Standing]:
        """Judge what was given so far, from a number on."""
        self.seen = [packet for packet in (*self.seen, *new) if packet.number >= first]
        refused = [p for p in self.seen if p.kind == "ack" and p.event == "chat-message" and "NOT_JOINED" in p.text]
        early = (
            Standing(EARLY, "broken", f"It sent {MARKUP}", refused[0].number) if refused else Standing(EARLY, "held")
        )
        return [early, Standing(WHOLE, "held"), Standing(REJOINS, "not seen", TO_DO)]


class Recorder:
    """A director who notes what was asked of it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    @property
    def acts(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """One that can be carried out, one that cannot be now, and one that is wrong."""
        return {"refuse-next": self.refuse_next, "cut-off": self.cut_off, "log-out": self.log_out}

    async def refuse_next(self) -> str:
        """Refuse the next request."""
        self.done.append("refuse-next")
        return f"The next request is refused. {MARKUP}"

    async def cut_off(self) -> str:
        """Cut the connection off."""
        raise Unjudged("nobody is connected")

    async def log_out(self) -> str:
        """Let the cookie die."""
        raise KeyError("cookie")


@dataclass
class Watched:
    """What a test has in its hands: the journal, which it writes through `do`, and the page."""

    journal: TapJournal
    page: LivePage
    loop: asyncio.AbstractEventLoop
    director: Recorder = field(default_factory=Recorder)

    def do(self, act: Callable[[TapJournal], T]) -> T:
        """Do something with the journal, in the thread to which it belongs."""

        async def done() -> T:
            return act(self.journal)

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(20)

    def request(
        self,
        event: str,
        payload: str,
        answer: str = '[{"success":true}]',
        *,
        connection: int = 1,
        user: str = "alice",
        ack_id: int = 0,
    ) -> None:
        """Add a request and its answer."""
        about: About = {"connection": connection, "user": user, "transport": "websocket"}
        about |= {"event": event, "ack_id": ack_id}

        def both(journal: TapJournal) -> None:
            journal.add("client", "event", **(about | {"text": payload}))
            journal.add("server", "ack", **(about | {"text": answer}))

        self.do(both)


@contextmanager
def watched(most: int = 100_000) -> Iterator[Watched]:
    """Serve a page while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    director = Recorder()

    async def made() -> LivePage:
        journal = TapJournal(most)
        subject = "a client <b>and</b> a server"
        return await LivePage(journal, subject=subject, director=director, judge=Judge()).__aenter__()

    page = asyncio.run_coroutine_threadsafe(made(), loop).result(20)
    try:
        yield Watched(page.journal, page, loop, director)
    finally:
        asyncio.run_coroutine_threadsafe(page.__aexit__(None, None, None), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
