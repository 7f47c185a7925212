"""The live page as HTTP: whom it answers, what it sends, and that nobody can make it grow."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.conformance.tap.page.watched import EARLY, MARKUP, Judge, Recorder

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.page.live_page import LivePage
from dungeonlab_conformance.tap.page.stream import READERS


@asynccontextmanager
async def served(journal: TapJournal) -> AsyncIterator[tuple[LivePage, aiohttp.ClientSession]]:
    """Serve a page; yields it, and what asks it."""
    async with (
        LivePage(journal, subject="here", director=Recorder(), judge=Judge()) as page,
        aiohttp.ClientSession(page.url, timeout=aiohttp.ClientTimeout(10)) as asks,
    ):
        yield page, asks


async def event(stream: aiohttp.ClientResponse, name: str) -> Any:
    """Return the data of the next event of a name."""
    while line := (await stream.content.readuntil(b"\n\n")).decode():
        fields = dict(each.split(": ", 1) for each in line.strip().splitlines())
        if fields["event"] == name:
            return json.loads(fields["data"])
    raise AssertionError(f"the stream ended without {name}")


FOREIGN = [
    ("GET", {"Host": "evil.example"}),  # whose name leads to 127.0.0.1 now
    ("GET", {"Host": "127.0.0.1"}),  # of another port
    ("GET", {"Host": "127.0.0.1.evil.example:{port}"}),
    ("GET", {"Origin": "http://evil.example"}),
    ("GET", {"Origin": "http://localhost:5173"}),
    ("GET", {"Origin": "https://127.0.0.1:{port}"}),
    ("GET", {"Origin": "null"}),
    ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),  # a script of another page
    ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}),  # another port of this machine
    ("GET", {"Sec-Fetch-Site": "cross-site"}),
    ("POST", {}),  # no browser leaves the origin out
    ("POST", {"Origin": "http://localhost:{port}"}),  # but the host is 127.0.0.1
]


@pytest.mark.parametrize(("method", "headers"), FOREIGN)
@pytest.mark.parametrize("path", ["", "stream", "packets/1", "recording.ndjson", "acts/refuse-next", "live.js"])
async def test_what_is_foreign_is_refused(method: str, headers: dict[str, str], path: str) -> None:
    """Whatever it asks for: 403, one sentence, and nothing else happens."""
    async with served(TapJournal()) as (page, asks):
        port = page.url.rstrip("/").rpartition(":")[2]
        sent = {name: value.format(port=port) for name, value in headers.items()}
        async with asks.request(method, f"/{path}", headers=sent) as answer:
            assert answer.status == 403
            text = await answer.text()
    assert text.count("\n") == 1
    assert "page" in text


async def test_a_link_leads_to_the_page_and_no_further() -> None:
    """From a chat or a wiki, say; but no link downloads the recording, or takes a reader's place."""
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with served(TapJournal()) as (_, asks):
        for path, status in (("/", 200), ("/recording.ndjson", 403), ("/stream", 403), ("/packets/1", 403)):
            async with asks.get(path, headers=link) as answer:
                assert answer.status == status, path


async def test_two_hosts_are_refused() -> None:
    """A proxy and a server may disagree on which of them counts."""
    async with served(TapJournal()) as (page, _):
        port = page.url.rstrip("/").rpartition(":")[2]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).split()[1] in (b"400", b"403")
        writer.close()


@pytest.mark.parametrize("path", ["", "live.js", "page.css", "colours.css", "packets/1", "stream", "nothing"])
async def test_every_answer_forbids_what_the_page_does_not_need(path: str) -> None:
    """No script but its own files, none in it, no frame around it, no use by other pages, nothing kept."""
    async with served(TapJournal()) as (_, asks), asks.get(f"/{path}") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_who_comes_late_gets_what_is_kept() -> None:
    """From the first that the journal has; how many are gone is said; and what comes then."""
    journal = TapJournal(most=5)
    for number in range(8):
        journal.add("client", "event", connection=1, event=f"event-{number}")
    async with served(journal) as (_, asks), asks.get("/stream") as stream:
        assert (await event(stream, "begin"))["anew"]
        first = await event(stream, "rows")
        assert first["lost"] == 3
        assert [row[7] for row in first["rows"]] == [f"event-{number}" for number in range(3, 8)]
        journal.add("client", "event", connection=1, event="later")
        assert [row[7] for row in (await event(stream, "rows"))["rows"]] == ["later"]


async def test_who_comes_back_goes_on_where_it_was() -> None:
    """By the mark of the last event; a mark of another tap's counts for nothing."""
    journal = TapJournal()
    for number in range(3):
        journal.add("client", "event", connection=1, event=f"event-{number}")
    async with served(journal) as (_, asks):
        async with asks.get("/stream") as stream:
            text = ""
            while "event: rows" not in text:
                text = (await stream.content.readuntil(b"\n\n")).decode()
            mark = text.splitlines()[0].removeprefix("id: ")
        journal.add("client", "event", connection=1, event="meanwhile")
        async with asks.get("/stream", headers={"Last-Event-ID": mark}) as stream:
            assert not (await event(stream, "begin"))["anew"]
            assert [row[7] for row in (await event(stream, "rows"))["rows"]] == ["meanwhile"]
        for odd in ("00000000-3", "3", mark.replace("-3", "-\u0663"), f"{mark[:9]}{'9' * 5000}"):
            await asyncio.sleep(0.3)  # readers that have gone are noticed by now
            async with asks.get("/stream", headers={"Last-Event-ID": odd}) as stream:
                assert (await event(stream, "begin"))["anew"]


async def test_a_page_that_reads_nothing_costs_nothing() -> None:
    """It has no queue: what it has not read is dropped with the journal, and it is said how much that was."""
    journal = TapJournal(most=1_000)
    async with served(journal) as (page, _):
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop, port = asyncio.get_running_loop(), int(page.url.rstrip("/").rpartition(":")[2])
            await loop.sock_connect(slow, ("127.0.0.1", port))
            await loop.sock_sendall(slow, f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            for _ in range(40):
                for _ in range(1_000):
                    journal.add("client", "event", connection=1, event="e" * 80, text='["' + "x" * 400 + '"]')
                await asyncio.sleep(0.03)
            server = page._runner.server
            assert server
            piled_up = [each.transport.get_write_buffer_size() for each in server.connections if each.transport]
            read = b""
            while not re.search(rb'"lost":[1-9]', read):
                read = read[-20:] + await loop.sock_recv(slow, 1 << 20)
    assert piled_up
    assert max(piled_up) < 1_000_000  # two events, of which each has a thousand rows


async def test_more_pages_than_a_browser_bears_are_refused_with_a_sentence() -> None:
    """And the place of one that closes is free again."""
    async with served(TapJournal()) as (_, asks):
        open_ones = [await asks.get("/stream") for _ in range(READERS)]
        async with asks.get("/stream") as answer:
            assert answer.status == 503
            assert "close one" in await answer.text()
        open_ones[0].close()
        async with asyncio.timeout(10):
            while (answer := await asks.get("/stream")).status == 503:
                answer.close()
                await asyncio.sleep(0.05)
        for each in (*open_ones, answer):
            each.close()


async def test_an_act_is_carried_out_for_the_page_alone() -> None:
    """What it says comes back; one that cannot be now, one that is wrong and one that does not exist say so."""
    async with served(TapJournal()) as (page, asks):
        ours = {"Origin": page.url.rstrip("/")}
        found = {}
        for name in ("refuse-next", "cut-off", "log-out", "nothing", "__class__"):
            async with asks.post(f"/acts/{name}", headers=ours) as answer:
                found[name] = (answer.status, await answer.text())
    assert found["refuse-next"] == (200, f"The next request is refused. {MARKUP}")
    assert found["cut-off"] == (409, "nobody is connected")
    assert found["log-out"] == (500, "The suite itself failed while it acted: KeyError: 'cookie'")
    assert found["nothing"][0] == found["__class__"][0] == 404


async def test_the_recording_can_be_loaded() -> None:
    """As a file: each packet that is kept, one a line, after the head."""
    journal = TapJournal()
    for number in range(1_200):
        journal.add("client", "event", connection=1, event=f"event-{number}", text='["\ud800"]')
    async with served(journal) as (_, asks), asks.get("/recording.ndjson") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="recording.ndjson"'
        lines = (await answer.text()).splitlines()
    assert json.loads(lines[0])["recording"]
    assert [json.loads(line)["event"] for line in lines[1:]] == [f"event-{number}" for number in range(1_200)]


async def test_a_packet_that_is_gone_is_said_to_be() -> None:
    """A payload is sent whole while the journal has it."""
    journal = TapJournal(most=1)
    journal.add("client", "event", text='["old"]')
    journal.add("client", "event", text='["new"]')
    async with served(journal) as (_, asks):
        async with asks.get("/packets/2") as answer:
            assert await answer.json() == {"number": 2, "text": '["new"]', "cut": False}
        for number in (0, 1, 3, 999_999_999_999):
            async with asks.get(f"/packets/{number}") as answer:
                assert answer.status == 404


async def test_what_was_broken_stays_broken() -> None:
    """The packet that showed it may be gone: judged anew without it, the page still shows who broke what."""
    journal = TapJournal(most=2)
    async with served(journal) as (_, asks), asks.get("/stream") as stream:
        journal.add("server", "ack", event="chat-message", text='[{"success":false,"code":"NOT_JOINED"}]')
        found = await event(stream, "requirements")
        while not any(each["state"] == "broken" for each in found["requirements"]):
            found = await event(stream, "requirements")
        for _ in range(3):
            journal.add("client", "event", event="later")
        await asyncio.sleep(1.2)  # the next judgement
        journal.add("client", "event", event="last")
        async with asks.get("/stream") as late:
            states = {each["requirement"]: each for each in (await event(late, "requirements"))["requirements"]}
    assert (states[EARLY]["state"], states[EARLY]["packet"]) == ("broken", 1)


async def test_a_port_that_is_taken_raises_what_the_command_line_says() -> None:
    """`OSError`, and nothing is left open."""
    async with served(TapJournal()) as (page, _):
        port = int(page.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with LivePage(TapJournal(), subject="here", port=port):
                raise AssertionError("it was opened")
