"""Standard output and standard error while a command runs. Whatever a server sent may be printed through them.

- What cannot be written (a closed pipe, a full disk) is dropped, and said at the end: no command ends half-way for it.
- Where GitHub Actions reads along, no text is a workflow command but those that are meant to be, `commands`.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING

from dungeonlab_conformance.text.printable import without_commands

if TYPE_CHECKING:
    from rich.console import Console

_NARROWEST = 20  # columns; a terminal that has fewer, or says so, folds the lines itself


class Guarded(io.TextIOBase):
    """A stream that never raises; `problem` says why something could not be written, if so."""

    def __init__(self, stream: IO[str] | None, name: str, *, harmless: bool) -> None:
        """`harmless` is whether to take care that no text is a command to who reads along."""
        self._stream = stream
        self._name = name
        self._harmless = harmless
        self._line = ""  # what of the last line decides whether that is a command
        self.problem = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream itself."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Return the descriptor of the stream itself. Raises `OSError` if it has none."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if not isinstance(text, str):
            raise TypeError(f"a text is written here, not {type(text).__name__}")
        if self._harmless:
            said = self._line + text
            shown = without_commands(said)
            self._line = _deciding(shown)
            self._write(shown[len(said) - len(text) :])
        else:
            self._write(text)
        return len(text)

    def command(self, text: str) -> None:
        """Write a workflow command as it is, on lines of its own."""
        self._write(text + "\n")
        self._line = ""

    def flush(self) -> None:
        """Write what is still held back."""
        self._attempt("flush")

    def _write(self, text: str) -> None:
        self._attempt("write", text)

    def _attempt(self, what: str, *args: str) -> None:
        if self.problem:
            return
        try:
            if self._stream is not None:
                getattr(self._stream, what)(*args)
            elif args:
                self.problem = f"{self._name} could not be written: it is closed"
        except (OSError, ValueError) as error:  # of a stream that is closed, a ValueError
            reason = "it was closed" if isinstance(error, BrokenPipeError) else getattr(error, "strerror", None)
            self.problem = f"{self._name} could not be written: {reason or error}"
            self._let_go()

    def _let_go(self) -> None:
        """Have the interpreter, as it ends, write the rest to nowhere: it would complain otherwise."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def _deciding(text: str) -> str:
    """Return what of the last line of a text decides whether more of it makes a command."""
    line = text[max(text.rfind("\r"), text.rfind("\n")) + 1 :]
    begun = line.lstrip()
    if begun in ("", ":"):
        return line[:1] + begun if line != begun else begun
    return "x" + begun[-2:] if begun.endswith("#") else "x"


class Streams:
    """Guards both streams while the block runs."""

    def __enter__(self) -> Streams:
        self._before = sys.stdout, sys.stderr
        for stream in self._before:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(
                    errors="backslashreplace"
                )  # a terminal that cannot show a letter is no reason to fail
        harmless = os.environ.get("GITHUB_ACTIONS") == "true"
        self.output = Guarded(sys.stdout, "standard output", harmless=harmless)
        self.errors = Guarded(sys.stderr, "standard error", harmless=harmless)
        sys.stdout, sys.stderr = self.output, self.errors
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        sys.stdout, sys.stderr = self._before

    def flush(self) -> None:
        """Write out what is held back, and say on standard error what could not be."""
        self.output.flush()
        if self.output.problem:
            self.errors.write(f"{self.output.problem}\n")
        self.errors.flush()

    @property
    def problem(self) -> str:
        """What could not be written; empty if all was."""
        return self.output.problem or self.errors.problem


def commands(text: str, *, errors: bool = False) -> None:
    """Print workflow commands, one a line, which are escaped already."""
    stream = sys.stderr if errors else sys.stdout
    if isinstance(stream, Guarded):
        stream.command(text)
    else:
        print(text, file=stream)


def console(*, errors: bool = False) -> Console:
    """Return what prints for people on standard output, or on standard `errors`; no line is made for a few columns."""
    from rich.console import Console

    made = Console(highlight=False, stderr=errors)
    if made.width < _NARROWEST:
        made.width = _NARROWEST
    return made
