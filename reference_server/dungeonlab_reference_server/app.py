"""Puts the server together."""

from __future__ import annotations

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide, errors_as_json
from dungeonlab_reference_server.origins import guard
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore, Store
from dungeonlab_reference_server.wire import Wire
from dungeonlab_spec import Catalogue


def make_app(
    settings: Settings | None = None,
    *,
    store: Store | None = None,
    wire_class: type[Wire] = Wire,
    http_class: type[HttpSide] = HttpSide,
) -> web.Application:
    """Return an application that serves both sides; the classes are what tests put faults into."""
    settings = settings or Settings()
    store = store or MemoryStore()
    wire = wire_class(store, settings)
    app = web.Application(middlewares=[guard(wire.is_own_origin), errors_as_json])
    app.add_routes(http_class(store, wire).routes())
    wire.sockets.attach(app, socketio_path=Catalogue.load().path.strip("/"))

    async def say_goodbye(_: web.Application) -> None:
        await wire.close()

    app.on_shutdown.append(say_goodbye)
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start serving; returns what stops it again, and the port. Raises `OSError` if the port cannot be had."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    address = runner.addresses[0]
    return runner, address[1]
