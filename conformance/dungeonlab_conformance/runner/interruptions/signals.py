"""Signals that end a command early: the first lets it end in an orderly way, the second waits for nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dungeonlab_conformance.results.exit_codes import EXIT_INTERRUPTED

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 5.0  # seconds after the second signal in which reports may still be written


class Signals:
    """What ends a command early, while the block lasts. A hangup that is ignored already, as under nohup, stays so.

    The first signal stops what is under way; what comes after it, such as reports, is done to its end. The second
    leaves off clearing away, and some seconds later ends the process whatever it does. Where nothing is cleared away
    the second ends the process at once, as does any further one. The exit code is 130 then. Signals only come to the
    main thread: in another one the block changes nothing.
    """

    def __init__(self) -> None:
        self._count = 0
        self._stop: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._ending: threading.Timer | None = None

    @property
    def came(self) -> bool:
        """Whether there was a signal, even if nothing had begun yet."""
        return self._count > 0

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
            self._before = {number: signal.signal(number, self._heed) for number in SIGNALS if number not in ignored}
        return self

    def __exit__(self, *_: object) -> None:
        if self._ending is not None:
            self._ending.cancel()  # all is done; what the process does next is none of its business
        for number, handler in self._before.items():
            signal.signal(number, handler)

    async def until_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, which a signal cancels. Raises `CancelledError` if it was, also before it could begin."""
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        with self._stopping(lambda: loop.call_soon_threadsafe(task.cancel)):
            if self.came:
                task.cancel()
            return await task

    @contextmanager
    def _stopping(self, stop: Callable[[], object]) -> Iterator[None]:
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _heed(self, *_: object) -> None:
        self._count += 1
        if self._count == 1 or (self._count == 2 and self._stop):
            if self._stop:
                self._stop()
            if self._count == 2:
                self._ending = threading.Timer(_GRACE, os._exit, (EXIT_INTERRUPTED,))
                self._ending.daemon = True
                self._ending.start()
        else:
            os._exit(EXIT_INTERRUPTED)  # a file or a thread that hangs may not keep it
