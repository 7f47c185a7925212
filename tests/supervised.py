"""Serves a variant of the reference server that really dies, under a supervisor that starts it again."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import pickle
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from dungeonlab_reference_server.app import make_app, serve
from dungeonlab_reference_server.store import Store
from tests.serving import Variant, end_with_parent

_FORK = multiprocessing.get_context("fork")
_KEPT = ("_users", "_names", "_logins", "_sessions", "_encounters", "_tokens", "_memberships")


@dataclass(slots=True)
class Supervised:
    """A server under a supervisor: its URL, and how often it died."""

    url: str
    _pipe: Connection
    _deaths: int = 0

    @property
    def deaths(self) -> int:
        """How often it died so far."""
        while self._pipe.poll():
            self._deaths += self._pipe.recv()
        return self._deaths


def remember(store: Store, memory: Path) -> None:
    """Write down everything that a server knows, before it dies."""
    memory.write_bytes(pickle.dumps({name: getattr(store, name) for name in _KEPT}))


@contextmanager
def supervised(variant: Variant, memory: Path | None = None) -> Iterator[Supervised]:
    """Serve while the block runs, again after each death; what is written in the `memory` is then known again."""
    ours, theirs = _FORK.Pipe()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    supervisor = _FORK.Process(target=_supervise, args=(variant, port, memory, theirs))
    supervisor.start()
    assert ours.recv() == 0
    try:
        yield Supervised(f"http://127.0.0.1:{port}", ours)
    finally:
        supervisor.kill()
        supervisor.join()


def _supervise(variant: Variant, port: int, memory: Path | None, pipe: Connection) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began, died = _FORK.Pipe()
    while True:
        server = _FORK.Process(target=_serve, args=(variant, port, memory, died), daemon=True)
        server.start()
        pipe.send(began.recv())
        server.join()
        pipe.send(1)


def serve_alone(variant: Variant, port: int) -> None:
    """Serve in this process, without a supervisor, until it dies."""
    _, theirs = _FORK.Pipe()
    _run(variant, port, None, theirs)


def _serve(variant: Variant, port: int, memory: Path | None, pipe: Connection) -> None:
    gc.disable()
    end_with_parent()
    _run(variant, port, memory, pipe)


def _run(variant: Variant, port: int, memory: Path | None, pipe: Connection) -> None:
    logging.disable(logging.CRITICAL)

    store = variant.store()
    if memory is not None and memory.exists():
        vars(store).update(pickle.loads(memory.read_bytes()))

    async def forever() -> None:
        settings = replace(variant.settings, scrypt_n=2)
        app = make_app(settings, store=store, pipeline_class=variant.pipeline, http_class=variant.http)
        await serve(app, "127.0.0.1", port)
        pipe.send(0)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(forever())
