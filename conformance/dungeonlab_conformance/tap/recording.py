"""Writes what a tap sees to a file, as it comes: a file is complete but for the last second, whatever ends the tap."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.files import STANDARD, open_to_write

_EVERY = 1.0  # seconds between two times at which what is held back is written


class Recording:
    """A file of what comes to a journal while a block runs, `-` for standard output; no file writes nothing.

    `problems` says why something could not be written, if so.
    """

    def __init__(self, file: Path | None, journal: TapJournal) -> None:
        self.problems: list[str] = []
        self._journal = journal
        self._name = "standard output" if file == STANDARD else str(file)
        self._file = file
        self._stream: IO[str] | None = None
        self._written = 0.0

    def __enter__(self) -> Self:
        if self._file is None:
            return self
        try:
            self._stream = sys.stdout if self._file == STANDARD else open_to_write(self._file)
        except OSError as error:
            self._fail(error)
        self._write(ndjson.head(directed=self._journal.directed))
        self._journal.listeners.append(self._add)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stream is not None:
                self._stream.flush()
            if self._stream not in (None, sys.stdout):
                self._stream.close()
        except OSError as failed:
            self._fail(failed)

    def _add(self, packet: TappedPacket) -> None:
        self._write(ndjson.line(packet))

    def _write(self, line: str) -> None:
        """Write a line; what cannot be written is not tried again."""
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            if (now := time.monotonic()) > self._written + _EVERY:
                self._written = now
                self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.problems = [f"{self._name} was not written to its end: {(error.strerror or str(error)).lower()}"]
        self._stream = None
