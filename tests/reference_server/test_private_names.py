"""What is relied on of other packages without being documented by them is still there, and nothing else is used.

python-socketio, python-engineio and aiohttp may change these names in any release. Of the first two, `pyproject.toml`
therefore allows only releases with which the tests were run.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import engineio
import pytest
import socketio
from aiohttp import web_protocol
from engineio import payload
from engineio.async_drivers import aiohttp as driver
from engineio.async_socket import AsyncSocket
from socketio import packet

from dungeonlab_conformance.clients import packets
from dungeonlab_reference_server import engine, socketio_server


@dataclass(frozen=True)
class Relied:
    """Names that one object of another package must have: what it is called, the object, and the names."""

    package: str
    called: str
    thing: object
    names: str

    def missing(self) -> Iterator[str]:
        """Yield a sentence for each name that the object does not have."""
        has = self.thing if isinstance(self.thing, dict) else dir(self.thing)
        for name in self.names.split():
            if name not in has:
                version = metadata.version(self.package)
                yield f"{self.package} {version} has no {self.called}.{name}, which this project relies on"


_SERVER = socketio.AsyncServer(async_mode="aiohttp")
_ENGINE = engineio.AsyncServer(async_mode="aiohttp")
RELIED = (
    Relied(
        "python-socketio",
        "AsyncServer",
        _SERVER,
        "_engineio_server_class _handle_eio_connect _handle_eio_message _handle_eio_disconnect _handle_connect "
        "_handle_disconnect _handle_event _send_packet _send_eio_packet eio manager packet_class reason",
    ),
    Relied(
        "python-socketio",
        "AsyncManager",
        _SERVER.manager,
        "is_connected eio_sid_from_sid sid_from_eio_sid disconnect",
    ),
    Relied(
        "python-socketio",
        "Packet",
        packet.Packet(),
        "json encode add_attachment attachment_count packet_type data id namespace",
    ),
    Relied("python-engineio", "AsyncServer", _ENGINE, "_async sockets create_queue handle_request transports"),
    Relied("python-engineio", "AsyncServer", _ENGINE, "ping_interval ping_timeout max_http_buffer_size"),
    Relied("python-engineio", "AsyncServer._async", _ENGINE._async, "translate_request websocket"),
    Relied(
        "python-engineio",
        "AsyncSocket",
        AsyncSocket(_ENGINE, "sid"),
        "sid queue poll close closed closing upgraded upgrading",
    ),
    Relied("python-engineio", "async_drivers.aiohttp", driver, "translate_request WebSocket"),
    Relied("python-engineio", "WebSocket", driver.WebSocket(None, _ENGINE), "_sock handler server send wait"),
    Relied("python-engineio", "Payload", payload.Payload, "max_decode_packets encode"),
    Relied("aiohttp", "RequestHandler", web_protocol.RequestHandler, "_payload_parser"),
)
_NAMES = {name for row in RELIED for name in row.names.split()}
OVERRIDDEN = (socketio_server.SocketIoServer, engine.Engine, engine.Transport, packets._Packet)


@pytest.mark.parametrize("row", RELIED, ids=lambda row: row.called)
def test_what_is_relied_on_is_there(row: Relied) -> None:
    """If this fails, an installed release lacks a name: adapt the code, or narrow the range in pyproject.toml."""
    assert list(row.missing()) == []


def test_a_name_that_is_gone_is_named_in_one_sentence() -> None:
    """The sentence says which release of what lacks which name."""
    [sentence] = Relied("aiohttp", "RequestHandler", web_protocol.RequestHandler, "start _gone").missing()
    assert (
        sentence == f"aiohttp {metadata.version('aiohttp')} has no RequestHandler._gone, which this project relies on"
    )


@pytest.mark.parametrize("own", OVERRIDDEN, ids=lambda own: own.__name__)
def test_no_override_is_left_out(own: type) -> None:
    """Each name that a class of the server takes from the library's is in the table."""
    inherited = {name for base in own.__mro__[1:] for name in vars(base)}
    taken = {name for name in vars(own).keys() & inherited if not name.startswith("__")}
    assert taken <= _NAMES


@pytest.mark.parametrize("module", [socketio_server, engine, packets], ids=lambda module: module.__name__)
def test_no_private_name_is_left_out(module: object) -> None:
    """Each private name that a module uses and does not define is in the table."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    nodes = list(ast.walk(tree))
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    defined = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    targets = [t for n in nodes for t in (n.targets if isinstance(n, ast.Assign) else [getattr(n, "target", None)])]
    defined |= {t.attr for t in targets if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name)}
    private = {name for name in used - defined if name.startswith("_") and not name.startswith("__")}
    assert private <= _NAMES
