"""The command line of the reference server."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import click

from dungeonlab_reference_server.settings import Settings

_LEVELS = ["debug", "info", "warning", "error"]
_DEFAULT = Settings()


def _origins(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins as browsers write them; refuse what none ever would."""
    for value in values:
        parts = urlsplit(value)
        if value != "null" and (parts.scheme not in ("http", "https") or value != f"{parts.scheme}://{parts.netloc}"):
            raise click.BadParameter(f"{value!r} is no origin; give one such as https://play.example:8443")
    return tuple(value.lower() for value in values)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks a free one.")
@click.option("--origin", "origins", multiple=True, callback=_origins, help="Pages of it may come too; repeatable.")
@click.option(
    "--rate-limit",
    type=click.IntRange(0),
    default=_DEFAULT.rate_limit,
    show_default=True,
    help="Events per minute and user; 0 for no limit.",
)
@click.option(
    "--largest-message",
    type=click.IntRange(1000),
    default=_DEFAULT.largest_message,
    show_default=True,
    help="In bytes; a larger one is refused, one of four times the size ends its connection.",
)
@click.option(
    "--deepest-payload",
    type=click.IntRange(8, 500),
    default=_DEFAULT.deepest_payload,
    show_default=True,
    help="In levels of nesting.",
)
@click.option(
    "--most-values",
    type=click.IntRange(1000),
    default=_DEFAULT.most_values,
    show_default=True,
    help="Values that one request may hold in all.",
)
@click.option(
    "--bytes-per-minute",
    type=click.IntRange(0),
    default=_DEFAULT.bytes_per_minute,
    show_default=True,
    help="Size of a user's requests within a minute; 0 for no limit.",
)
@click.option(
    "--connect-timeout",
    type=click.FloatRange(0.1),
    default=_DEFAULT.connect_timeout,
    show_default=True,
    help="Seconds after which a connection is closed that has entered no namespace.",
)
@click.option(
    "--most-connections",
    type=click.IntRange(10),
    default=_DEFAULT.most_connections,
    show_default=True,
    help="TCP connections, and Socket.IO connections, at once.",
)
@click.option("--check-outgoing", is_flag=True, help="Check everything sent against the schemas (for debugging).")
@click.option(
    "--scrypt-n",
    type=click.Choice([str(2**exponent) for exponent in range(1, 15)]),
    default=str(_DEFAULT.scrypt_n),
    show_default=True,
    metavar="N",
    help="How much work hashing a password is, a power of two; little only where accounts do not last.",
)
@click.option("--stop-at-eof", is_flag=True, help="Stop when standard input ends, such as a pipe from its starter.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def main(
    host: str, port: int, origins: tuple[str, ...], scrypt_n: str, log_level: str, stop_at_eof: bool, **limits: Any
) -> None:
    """Serve the real-time protocol of DungeonLab, with all state in memory, until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    for chatty in ("asyncio", "aiohttp.server", "engineio", "engineio.server", "socketio.server"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    settings = Settings(origins=origins, scrypt_n=int(scrypt_n), **limits)
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as loops:
            loops.run(_serve(host, port, settings, stop_at_eof))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        click.echo(f"cannot listen on {host}, port {port}: {why.lower()}; choose another --host or --port", err=True)
        raise SystemExit(2) from None


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of uvloop, where that is installed; None for one of asyncio."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(host: str, port: int, settings: Settings, stop_at_eof: bool) -> None:
    from dungeonlab_reference_server.app import make_app, serve

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if stop_at_eof:
        threading.Thread(target=_await_eof, args=(lambda: loop.call_soon_threadsafe(stop.set),), daemon=True).start()
    runner, taken = await serve(make_app(settings), host, port)
    gc.freeze()  # what was imported stays
    gc.set_threshold(20_000, 20, 20)  # payloads are many, small, and seldom in a cycle
    shown = f"[{host}]" if ":" in host else host
    print(f"Listening on http://{shown}:{taken}", flush=True)
    await stop.wait()
    await runner.cleanup()


def _await_eof(then: Callable[[], object]) -> None:
    """Wait in a thread of its own: not every file can be waited for in an event loop."""
    with suppress(OSError):  # it was closed from the start
        while os.read(0, 65536):  # not by sys.stdin, whose lock would be held when the process ends
            pass
    with suppress(RuntimeError):  # the server has stopped already
        then()


if __name__ == "__main__":
    for name in ("requests", "websocket"):  # imported by python-engineio, if they are there, for a client not used here
        sys.modules[name] = None  # type: ignore[assignment]
    main()
