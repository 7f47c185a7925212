"""The files that a user names, of whatever kind: read within bounds, and written. ``-`` is standard input or output.

    Unreadable   a file cannot be read, or is too large; the message is one sentence that begins with its name

What stands in a file is its reader's business.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from dungeonlab_conformance.text.tree import TooDeep

STANDARD = Path("-")
MOST = 64 << 20  # bytes of a file; no result has more than 15 million
_SILENCE = 10.0  # seconds for which a pipe may say nothing, and six times that in all
_PAUSE = 0.05  # seconds until a pipe that nobody reads is tried again
_PIECE = 1 << 20  # bytes
_LONGEST_NUMBER = 30  # characters


class Unreadable(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A file cannot be read; one sentence that begins with the file's name, and the line if there is one."""

    def __init__(self, path: Path, what: str, line: int | None = None) -> None:
        super().__init__(f"{shown(path)}:{line}: {what}" if line else f"{shown(path)} {what}")


def shown(path: Path) -> str:
    """Return how a message calls a file that is read."""
    return "standard input" if path == STANDARD else str(path)


def read(path: Path, most: int = MOST) -> str:
    """Return the text of a file in UTF-8, without its byte order mark. Raises `Unreadable`.

    A pipe or a device is read like a file, as long as it says something.
    """
    pieces, size = [], 0
    with _named(path):
        for piece in _pieces(path, within=6 * _SILENCE):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise Unreadable(path, f"is larger than {_amount(most)}, the most that is read of such a file")
    raw = b"".join(pieces)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(path, "this is no UTF-8 text", raw[: error.start].count(b"\n") + 1) from None


def lines(path: Path, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file of any size as they come, without the line breaks. Raises `Unreadable`.

    No more is kept than one line; one of more than `longest` bytes is the end.
    """
    rest, number = b"", 1
    with _named(path):
        for piece in _pieces(path):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
                number += 1
            if len(rest) > longest:
                raise Unreadable(path, f"this line is longer than {_amount(longest)}; nothing below it is read", number)
    if rest:
        yield rest


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a sentence about it."""
    try:
        yield
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable(path, "cannot be read: it does not exist") from None
    except IsADirectoryError:
        raise Unreadable(path, "is a folder; name the file in it") from None
    except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
        raise Unreadable(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _pieces(path: Path, within: float = math.inf) -> Iterator[bytes]:
    """Yield a file's bytes to its end; those of a pipe or a device only as long as it says something."""
    if path == STANDARD and isinstance(getattr(sys.stdin, "buffer", None), io.BytesIO):  # as tests put it there
        yield sys.stdin.buffer.read()
        return
    descriptor = sys.__stdin__.fileno() if path == STANDARD and sys.__stdin__ else -1
    opened = descriptor if descriptor >= 0 else os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        kind = os.fstat(opened).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        yield from _read(path, opened, within, patient=not stat.S_ISREG(kind) and path != STANDARD)
    finally:
        if opened != descriptor:
            os.close(opened)


def _read(path: Path, opened: int, within: float, *, patient: bool) -> Iterator[bytes]:
    """Yield what is read; of a `patient` reading, no longer than it takes to be sure that nothing comes."""
    end = time.monotonic() + within
    poll = select.poll()
    poll.register(opened, select.POLLIN)
    while True:
        if patient and (time.monotonic() > end or not poll.poll(1000 * _SILENCE)):
            raise Unreadable(path, f"is a pipe or a device to which nobody writes for {_SILENCE:.0f} s; name a file")
        piece = os.read(opened, _PIECE)
        if not piece:
            return
        yield piece


def _amount(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def write(text: str, path: Path) -> None:
    """Write a text in UTF-8; lone surrogates, which that cannot hold, as JSON escapes them. Raises `OSError`."""
    if path == STANDARD:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with open_to_write(path) as file:
        file.write(text)


def open_to_write(path: Path, mode: Literal["w", "a"] = "w") -> IO[str]:
    """Open a file that takes text as `write` does. Raises `OSError`, also for a pipe that nobody comes to read."""
    return open(path, mode, encoding="utf-8", errors="backslashreplace", newline="\n", opener=_opened)


def _opened(name: str, flags: int) -> int:
    """Open what a system may otherwise open only when somebody reads it; a pipe is given some time for that."""
    end = time.monotonic() + _SILENCE
    while True:
        try:
            opened = os.open(name, flags | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if error.errno != errno.ENXIO or not Path(name).is_fifo():
                raise
            if time.monotonic() > end:
                why = f"it is a pipe that nobody reads for {_SILENCE:.0f} s; name a file"
                raise OSError(error.errno, why) from None
        else:
            os.set_blocking(opened, True)
            return opened
        time.sleep(_PAUSE)


def to_json(value: Any) -> str:
    """Return a value as a JSON text for people and files: indented, and ending with a line break."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str) -> Any:
    """Return what a JSON text holds. Raises `ValueError` with what is wrong, which a number without end is too."""
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise TooDeep from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _float(text: str) -> float:
    if not math.isfinite(found := float(text)):
        raise ValueError(f"{text[:_LONGEST_NUMBER]} is too large a number")
    return found


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"{text[:_LONGEST_NUMBER]}… is too large a number")
    return int(text)
