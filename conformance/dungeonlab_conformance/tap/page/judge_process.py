"""The rules in a process of their own: to judge a long journal takes seconds, in which the tap must not wait."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection

from dungeonlab_conformance.client_rules.judgement import judgements
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.record.tapped.side_by_side import one_after_the_other
from dungeonlab_conformance.tap.page.judgement import Standing
from dungeonlab_conformance.text.printable import sentence_of

_AT_ONCE = 1_000  # packets: to hand over more would hold up the tap
_MODEST = 10  # how much it yields to other processes, as `nice` counts
_PATIENCE = 2.0  # seconds for which it is waited at the end


class JudgeProcess:
    """Judges what it was given so far. Its process begins with the first call; it ends by `close`, or with its parent.

    A call raises `RuntimeError` with a rule's fault, and `EOFError` or `OSError` if the process has ended.
    """

    def __init__(self) -> None:
        self._pipe: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    async def __call__(self, new: Sequence[TappedPacket], first: int) -> Sequence[Standing]:
        """Judge further packets with those that were given before and have at least the number `first`."""
        return await asyncio.to_thread(self._ask, new, first)

    def close(self) -> None:
        """End the process."""
        if self._process and self._pipe:
            self._process.terminate()
            self._process.join(_PATIENCE)
            self._pipe.close()

    def _ask(self, new: Sequence[TappedPacket], first: int) -> Sequence[Standing]:
        pipe = self._pipe or self._begin()
        for start in range(0, len(new), _AT_ONCE):
            pipe.send(new[start : start + _AT_ONCE])
        pipe.send(first)
        found: Sequence[Standing] | str = pipe.recv()
        if isinstance(found, str):
            raise RuntimeError(found)
        return found

    def _begin(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # it is for the tap, and inherited
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return self._pipe


def _serve(pipe: Connection) -> None:
    os.nice(_MODEST)
    seen: deque[TappedPacket] = deque()
    try:
        while True:
            came: Sequence[TappedPacket] | int = pipe.recv()
            if isinstance(came, int):
                pipe.send(_judged(seen, came))
            else:
                seen.extend(came)
    except (EOFError, BrokenPipeError):
        return  # the tap has ended


def _judged(seen: deque[TappedPacket], first: int) -> Sequence[Standing] | str:
    while seen and seen[0].number < first:
        seen.popleft()
    in_order = list(one_after_the_other(seen))
    numbers = {judged.number: was.number for judged, was in in_order}
    try:
        return [Standing.of(judgement, numbers) for judgement in judgements(judged for judged, _ in in_order)]
    except Exception as error:  # a rule's: the page says it
        return sentence_of(error)
