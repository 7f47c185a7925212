"""The command line of the reference server."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from dungeonlab_reference_server.settings import Settings

if TYPE_CHECKING:
    from dungeonlab_reference_server.misbehaviour import Misbehaviour
    from dungeonlab_reference_server.world_file import World

_LEVELS = ["debug", "info", "warning", "error"]
_DEFAULT = Settings()


def _origins(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins as browsers write them; refuse what none ever would."""
    for value in values:
        parts = urlsplit(value)
        if value != "null" and (parts.scheme not in ("http", "https") or value != f"{parts.scheme}://{parts.netloc}"):
            raise click.BadParameter(f"{value!r} is no origin; give one such as https://play.example:8443")
    return tuple(value.lower() for value in values)


def _misbehaviour(_: click.Context, __: click.Parameter, value: str | None) -> Misbehaviour | None:
    """Return what the server is to do wrong."""
    from dungeonlab_reference_server.misbehaviour import BadOrder, parse

    try:
        return parse(value) if value is not None else None
    except BadOrder as fault:
        raise click.BadParameter(str(fault)) from None


def _print_world(context: click.Context, _: click.Parameter, asked: str | None) -> None:
    """Print the demo's world, or the schema of such files, and end."""
    if asked is None or context.resilient_parsing:
        return
    from dungeonlab_reference_server.world_file import DEMO, schema

    click.echo(DEMO.read_text("utf-8") if asked == "toml" else json.dumps(schema(), indent=2) + "\n", nl=False)
    context.exit()


class _Command(click.Command):
    """A command whose environment is made fit for it first."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Parse, call and exit."""
        _open_closed_streams()
        os.environ.pop("SSLKEYLOGFILE", None)  # aiohttp fails where it is imported if the file cannot be written
        return super().main(*args, **options)


def _open_closed_streams() -> None:
    """Let no socket get the number of a standard stream that is closed: uvloop does not expect that."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # as the lowest number that is free


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks a free one.")
@click.option(
    "--origin", "origins", multiple=True, callback=_origins, help="Let pages of this origin connect; repeatable."
)
@click.option(
    "--rate-limit",
    type=click.IntRange(0),
    default=_DEFAULT.rate_limit,
    show_default=True,
    help="Requests per minute and user; 0 for no limit.",
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
@click.option(
    "--ping-interval",
    type=click.FloatRange(0.1),
    default=_DEFAULT.ping_interval,
    show_default=True,
    help="Seconds between two pings to a client.",
)
@click.option(
    "--ping-timeout",
    type=click.FloatRange(0.1),
    default=_DEFAULT.ping_timeout,
    show_default=True,
    help="Seconds within which a client must answer a ping.",
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
@click.option("--demo", is_flag=True, help="Start with users, sessions and tokens to try a client on, and print them.")
@click.option(
    "--world", type=click.Path(path_type=Path), metavar="FILE", help="Start with those of a file, as --print-world has."
)
@click.option(
    "--print-world",
    type=click.Choice(["toml", "schema"]),
    is_flag=False,
    flag_value="toml",
    callback=_print_world,
    is_eager=True,
    expose_value=False,
    help="Print the world of --demo, or the JSON Schema of such files, and end.",
)
@click.option("--allow-remote", is_flag=True, help="Let --demo, with passwords that are known, listen beyond loopback.")
@click.option(
    "--misbehave",
    metavar="WHAT",
    callback=_misbehaviour,
    help="Do on purpose what clients must cope with, such as refuse=token:move:RATE_LIMITED,delay=chat-message:2s,"
    "cut=every:30s; see: dungeonlab-conformance docs develop-against.",
)
@click.option("--stop-at-eof", is_flag=True, help="Stop when standard input ends, such as a pipe from its starter.")
@click.option("--control", is_flag=True, hidden=True, help="Take orders from standard input, and stop when it ends.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def main(host: str, port: int, origins: tuple[str, ...], scrypt_n: str, log_level: str, **others: Any) -> None:
    """Serve the real-time protocol of DungeonLab, with all state in memory, until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    for chatty in ("asyncio", "aiohttp.server", "engineio", "engineio.server", "socketio.server"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    starter = {name: others.pop(name) for name in ("stop_at_eof", "control", "misbehave")} | {"is_demo": others["demo"]}
    world = _world(host, **{name: others.pop(name) for name in ("demo", "world", "allow_remote")})
    if world is not None and click.get_current_context().get_parameter_source("scrypt_n") is ParameterSource.DEFAULT:
        scrypt_n = "2"  # the passwords stand in a file
    settings = Settings(origins=origins, scrypt_n=int(scrypt_n), **others)
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as loops:
            loops.run(_serve(host, port, settings, world=world, **starter))
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


def _world(host: str, *, demo: bool, world: Path | None, allow_remote: bool) -> World | None:
    """Return what the server is to start with. Ends with one sentence if that cannot be."""
    if demo and world:
        raise click.UsageError("--demo and --world are two worlds; give one of them")
    if demo and not allow_remote and not _is_loopback(host):
        raise click.UsageError(
            f"everybody knows the passwords of --demo, and {host} is no loopback address; "
            "add --allow-remote if others may log in, or give your own users with --world"
        )
    if not demo and not world:
        return None
    from dungeonlab_reference_server.world_file import DEMO, WorldFault, load

    try:
        return load(world or DEMO)
    except WorldFault as fault:
        click.echo(str(fault), err=True)
        raise SystemExit(2) from None


def _is_loopback(host: str) -> bool:
    """Say whether nobody on another machine can reach a host; also of one that does not exist."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)} if host else {"::"}
    except (OSError, UnicodeError):
        return True
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


async def _serve(
    host: str,
    port: int,
    settings: Settings,
    *,
    stop_at_eof: bool,
    control: bool,
    world: World | None,
    is_demo: bool,
    misbehave: Misbehaviour | None,
) -> None:
    from dungeonlab_reference_server.app import PIPELINE, make_app, serve
    from dungeonlab_reference_server.control import take_orders
    from dungeonlab_reference_server.interventions import Interventions
    from dungeonlab_reference_server.pipeline import Pipeline
    from dungeonlab_reference_server.store import MemoryStore
    from dungeonlab_reference_server.world import introduction, settle

    stop, store = _stop(at_eof=stop_at_eof), MemoryStore()
    app = make_app(settings, store=store, pipeline_class=Interventions if misbehave or control else Pipeline)
    if world is not None:
        await settle(world, store, settings.scrypt_n)
    if misbehave is not None:
        misbehave.announce(app)
    runner, taken = await serve(app, host, port)
    gc.freeze()  # what was imported stays
    gc.set_threshold(20_000, 20, 20)  # payloads are many, small, and seldom in a cycle
    shown = f"[{host}]" if ":" in host else host
    print(f"Listening on http://{shown}:{taken}", flush=True)
    if world is not None:
        url, origins = f"http://{shown}:{taken}", settings.origins
        print(await introduction(world, store, url, is_demo=is_demo, origins=origins), flush=True)
    pipeline = app[PIPELINE]
    if misbehave is not None and isinstance(pipeline, Interventions):
        misbehave.begin(pipeline)
    if control and isinstance(pipeline, Interventions):
        take_orders(pipeline, stop.set)
    await stop.wait()
    await runner.cleanup()


def _stop(*, at_eof: bool) -> asyncio.Event:
    """Return an event that is set when the server is to stop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if at_eof:
        threading.Thread(target=_await_eof, args=(lambda: loop.call_soon_threadsafe(stop.set),), daemon=True).start()
    return stop


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
