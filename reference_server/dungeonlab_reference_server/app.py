"""Puts the server together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import UPLOADS, HttpSide, errors_as_json
from dungeonlab_reference_server.origins import guard
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore, Store
from dungeonlab_reference_server.tcp import Connections
from dungeonlab_spec import Catalogue

SETTINGS = web.AppKey("SETTINGS", Settings)
CONNECTIONS = web.AppKey("CONNECTIONS", Connections)
PIPELINE = web.AppKey("PIPELINE", Pipeline)

_LINGER = 5.0  # seconds for which a request that was answered early may go on arriving, so that the answer is read
_HEADERS = 64  # in one request, 8 kB each at most


def make_app(
    settings: Settings | None = None,
    *,
    store: Store | None = None,
    pipeline_class: type[Pipeline] = Pipeline,
    http_class: type[HttpSide] = HttpSide,
) -> web.Application:
    """Return an application that serves Socket.IO and HTTP; tests pass classes with faults."""
    settings = settings or Settings()
    store = store or MemoryStore()
    pipeline = pipeline_class(store, settings)
    connections = Connections(settings.most_connections, settings.write_timeout)
    app = web.Application(middlewares=[connections.middleware(), guard(pipeline.is_own_origin), errors_as_json])
    app[SETTINGS], app[CONNECTIONS], app[UPLOADS] = settings, connections, pipeline.sockets.uploads
    app[PIPELINE] = pipeline
    app.add_routes(http_class(store, pipeline).routes())
    pipeline.sockets.attach(app, socketio_path=Catalogue.load().path.strip("/"))

    async def close_connections(_: web.Application) -> None:
        await pipeline.close()

    app.on_shutdown.append(close_connections)
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start serving; returns what stops it again, and the port. Raises `OSError` if the port cannot be had."""
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=0.2,
        keepalive_timeout=app[SETTINGS].idle_timeout,
        lingering_time=_LINGER,
        max_headers=_HEADERS,
        auto_decompress=False,  # a few bytes may be gigabytes
    )
    listening: list[asyncio.Server] = []

    async def stop_listening(_: web.Application) -> None:
        for server in listening:
            server.close()

    app.on_shutdown.append(stop_listening)
    await runner.setup()
    assert runner.server is not None
    runner.server.request_handler = _with_readable_head(runner.server.request_handler)
    try:
        listening.append(await app[CONNECTIONS].listen(runner.server, host, port))
    except OSError:
        await runner.cleanup()
        raise
    return runner, listening[0].sockets[0].getsockname()[1]


def _with_readable_head(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> Any:
    """Answer 400 to a request that is no text; aiohttp would quote it before any middleware runs."""

    async def answer_readable(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await answer(request)
        except UnicodeError:
            error = {"error": "the request cannot be read", "code": "VALIDATION_ERROR"}
            return web.json_response(error, status=400)

    return answer_readable
