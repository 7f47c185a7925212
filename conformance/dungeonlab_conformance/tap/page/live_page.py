"""Serves the live page: its files, the stream of rows, one payload at a time, the recording, the director's acts."""

from __future__ import annotations

import asyncio
from importlib.resources import files as resources
from types import TracebackType
from typing import Self

from aiohttp import web

from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.page import same_origin
from dungeonlab_conformance.tap.page.director import Director, buttons, carry_out
from dungeonlab_conformance.tap.page.judge_process import JudgeProcess
from dungeonlab_conformance.tap.page.judgement import Judge, Standings
from dungeonlab_conformance.tap.page.rows import after, whole
from dungeonlab_conformance.tap.page.stream import Stream

_HOST = "127.0.0.1"  # and no other: what the page shows is for who sits at this machine
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_LINES = 500  # of a recording, written at a time


class LivePage:
    """The live page, served on loopback while the block runs; `url` is its address.

    `subject` says between whom something passes. Entering the block raises `OSError` if the port is taken; 0 takes one
    that is free. `judge` is for tests: the rules for clients, in a process of their own, otherwise.
    """

    def __init__(
        self,
        journal: TapJournal,
        *,
        subject: str,
        director: Director | None = None,
        port: int = 0,
        judge: Judge | None = None,
    ) -> None:
        self.url = ""
        self.journal, self._director, self._port = journal, director, port
        self._rules = JudgeProcess()
        self._stream = Stream(journal, {"subject": subject, "acts": buttons(director)}, lambda: self._standings.text)
        self._standings = Standings(journal, judge or self._rules, self._stream)
        app = web.Application(middlewares=[same_origin.middleware(lambda: self._port)], client_max_size=1024)
        app.on_response_prepare.append(same_origin.protect)
        app.router.add_get("/stream", self._stream.handle, allow_head=False)
        app.router.add_get(r"/packets/{number:\d{1,12}}", self._packet)
        app.router.add_get("/recording.ndjson", self._recording, allow_head=False)
        app.router.add_post("/acts/{name}", self._act)
        for path, content in _files().items():
            app.router.add_get(path, content)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, _HOST, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        self.url = f"http://{_HOST}:{self._port}/"
        self._judging = asyncio.create_task(self._standings.keep_up())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._judging.cancel()
        self._rules.close()
        self._stream.end()
        await self._runner.cleanup()

    async def _packet(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        found = after(self.journal.packets, number - 1, 1)
        if not found or found[0].number != number:
            return web.Response(status=404, text="The tap does not keep this message any more: it keeps the newest.")
        return web.json_response(whole(found[0]))

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="recording.ndjson"'})
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        packets = list(self.journal.packets)
        lines = [ndjson.head(directed=self.journal.directed)]
        for start in range(0, len(packets), _LINES):
            lines += map(ndjson.line, packets[start : start + _LINES])
            await response.write(("\n".join(lines) + "\n").encode())
            lines = []
        await response.write_eof()
        return response

    async def _act(self, request: web.Request) -> web.Response:
        return await carry_out(self._director, request.match_info["name"])


def _files() -> dict[str, same_origin.Handler]:
    """Return what answers each path of a file of the page."""
    folder = resources(__package__) / "browser"
    found = {f"/{each.name}": each for each in folder.iterdir()}
    found["/colours.css"] = resources("dungeonlab_conformance.results") / "colours.css"
    found["/"] = found.pop("/page.html")
    return {path: _answer(file.read_text("utf-8"), _TYPES[file.name.split(".")[-1]]) for path, file in found.items()}


def _answer(text: str, content_type: str) -> same_origin.Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8")

    return answer
