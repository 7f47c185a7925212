"""Serves the reference server, or a variant of it, in a process of its own, for as long as somebody judges it."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

import jsonschema  # noqa: F401 - or each server would import it anew, as soon as it has something to explain
import uvloop
from aiohttp import web

from dungeonlab_conformance.runner.embedded import READY, command
from dungeonlab_reference_server.app import make_app, serve
from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore

Proxy = Callable[[int], Awaitable[int]]  # puts something before a port; returns the port to be used instead


async def _no_proxy(port: int) -> int:
    return port


@dataclass(frozen=True, slots=True)
class Variant:
    """What a server is put together from; each part may be somebody's own."""

    settings: Settings = field(default_factory=Settings)
    store: type[MemoryStore] = MemoryStore
    pipeline: type[Pipeline] = Pipeline
    http: type[HttpSide] = HttpSide
    proxy: Proxy = _no_proxy


@asynccontextmanager
async def running(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve an application in this process, on a free port, while the block runs; yields scheme, host and port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def served(variant: Variant) -> Iterator[str]:
    """Serve while the block runs; yields the URL."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(variant, theirs), daemon=True)
    server.start()
    theirs.close()  # so that a server that dies at once is not waited for
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.kill()
        server.join()


@contextmanager
def reference_server(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the reference server itself while the block runs; yields the process, to do harm to, and the URL."""
    words = command("--stop-at-eof", *options)  # the pipe ends with this process, whatever ends it
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(READY), line
        try:
            yield process, line.removeprefix(READY).strip()
        finally:
            process.kill()


def start_worker() -> None:
    """Prepare a worker of a pool, which judges one server after the other: fast loops, and it ends with its parent."""
    end_with_parent()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def end_with_parent() -> None:
    """Have this process, which multiprocessing made, end as soon as the one that made it has ended, in whatever way."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _serve(variant: Variant, pipe: Connection) -> None:
    logging.disable(logging.CRITICAL)
    gc.disable()  # it does not live long
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interrupted judge ends this process

    async def forever() -> None:
        settings = replace(variant.settings, scrypt_n=2)  # a slow hash would prove nothing here
        app = make_app(settings, store=variant.store(), pipeline_class=variant.pipeline, http_class=variant.http)
        _, port = await serve(app, "127.0.0.1", 0)
        pipe.send(await variant.proxy(port))
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(forever())
