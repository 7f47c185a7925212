"""HTTP/1.x, one direction at a time: cut into lines of heads, pieces of bodies, and what stands between them.

Nothing is lost: the raw bytes of the pieces, put together, are what came. What is malformed ends the reading of that
direction: from there on everything is `REST`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

_LONGEST_HEAD = 256 << 10  # bytes of a head, or of trailers; servers accept a tenth of that
_LONGEST_LINE = 64 << 10  # bytes
_END = b"\r\n\r\n"
_MOST_WAITING = 1_000  # requests on one connection that are not answered yet
_MOST_HELD = 64 << 10  # bytes behind a request to change the protocol, until that is answered


class Part(Enum):
    """What a piece is of."""

    LINE = auto()  # a line of a head, or all its lines if they came at once
    HEAD = auto()  # no bytes: the head is whole
    BODY = auto()  # what a body holds
    FRAMING = auto()  # sizes of chunks, trailers, empty lines before a request
    END = auto()  # no bytes: the message is whole
    HELD = auto()  # behind a request to change the protocol: which it is of is not known yet
    REST = auto()  # of another protocol, or not read
    UNREADABLE = auto()  # no bytes: why reading ends here


@dataclass(frozen=True, slots=True)
class Head:
    """The start line, and the headers by lower-case name; the values of one that comes several times, comma between."""

    start: str
    headers: Mapping[str, str]

    def has(self, name: str, token: str) -> bool:
        """Say whether a header that is a list holds a token."""
        return token in (each.strip().lower() for each in self.headers.get(name, "").split(","))


class Piece(NamedTuple):
    """Some bytes of one part; the head, where that is whole; `why` nothing can be read from here on."""

    part: Part
    raw: bytes = b""
    head: Head | None = None
    why: str = ""


class Malformed(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """What came is no HTTP; the message says what it is."""


class Ahead(Enum):
    """What follows a head, where that is no number of bytes."""

    CHUNKS = auto()
    UNTIL_CLOSE = auto()
    ANSWER_DECIDES = auto()  # another protocol, if the other side agrees
    NO_HTTP = auto()


class _Mode(Enum):
    HEAD = auto()
    SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    BODY = auto()
    UNTIL_CLOSE = auto()
    HOLD = auto()
    REST = auto()


_BEHIND = {
    Ahead.CHUNKS: _Mode.SIZE,
    Ahead.UNTIL_CLOSE: _Mode.UNTIL_CLOSE,
    Ahead.ANSWER_DECIDES: _Mode.HOLD,
    Ahead.NO_HTTP: _Mode.REST,
}


class Framing:
    """One direction of one connection. `follows` says what follows a head; it may raise `Malformed`."""

    def __init__(self, follows: Callable[[Head], int | Ahead]) -> None:
        self.pending = bytearray()  # the beginning of a line
        self.forwarded = 0  # how many bytes of `pending` were passed on already
        self._follows = follows
        self._mode = _Mode.HEAD
        self._lines: list[bytes] = []
        self._size = 0  # of these lines
        self._left = 0  # bytes of the body, or of the chunk
        self._held = b""

    @property
    def in_head(self) -> bool:
        """Whether what comes next belongs to a head."""
        return self._mode is _Mode.HEAD

    @property
    def between_messages(self) -> bool:
        """Whether nothing is unfinished."""
        return self._mode is _Mode.HEAD and not self._lines and not self.pending

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces of what came. Raises nothing."""
        pieces: list[Piece] = []
        before, at = bytes(self.pending), 0
        try:
            while at < len(data):
                at = self._next(data, at, pieces)
        except Malformed as error:
            rest = (before + data)[sum(len(piece.raw) for piece in pieces) :]
            self.stop()
            pieces += (Piece(Part.REST, rest), Piece(Part.UNREADABLE, why=str(error)))
        return pieces

    def stop(self) -> None:
        """Read nothing of this direction any more."""
        self._mode, self._lines, self._held = _Mode.REST, [], b""
        self.pending.clear()
        self.forwarded = 0

    def held_back(self) -> bytes:
        """Return what was not passed on of a line that remains unfinished."""
        rest = bytes(self.pending[self.forwarded :])
        self.forwarded = len(self.pending)
        return rest

    def decided(self, *, changed: bool) -> list[Piece]:
        """Go on after the answer to a request to change the protocol; return the pieces of what came in between."""
        if self._mode is not _Mode.HOLD:
            return []
        self._mode = _Mode.REST if changed else _Mode.HEAD
        held, self._held = self._held, b""
        pieces = self.feed(held)
        self.forwarded = len(self.pending)
        return pieces

    def _next(self, data: bytes, at: int, pieces: list[Piece]) -> int:
        """Take one piece from `data` at `at`; return where it ends."""
        match self._mode:
            case _Mode.BODY | _Mode.CHUNK:
                end = min(at + self._left, len(data))
                self._left -= end - at
                pieces.append(Piece(Part.BODY, data[at:end]))
                if not self._left and self._mode is _Mode.BODY:
                    self._end(pieces)
                elif not self._left:
                    self._mode = _Mode.CHUNK_END
                return end
            case _Mode.UNTIL_CLOSE | _Mode.REST:
                pieces.append(Piece(Part.BODY if self._mode is _Mode.UNTIL_CLOSE else Part.REST, data[at:]))
                return len(data)
            case _Mode.HOLD:
                self._held += data[at:]
                if len(self._held) > _MOST_HELD:
                    raise Malformed("much is sent behind a request to change the protocol that was not answered")
                pieces.append(Piece(Part.HELD, data[at:]))
                return len(data)
        if self._mode is _Mode.HEAD and not self.pending and not self._lines:
            end = data.find(_END, at) + len(_END)
            if len(_END) <= end <= at + _LONGEST_LINE and self._whole_head(data[at:end], pieces):
                return end
        end = data.find(b"\n", at) + 1
        self.pending += data[at : end or len(data)]
        if len(self.pending) > _LONGEST_LINE:
            raise Malformed(f"a line of more than {_LONGEST_LINE:,} bytes in a head")
        if not end:
            return len(data)
        line = bytes(self.pending)
        self._line(line, pieces)
        self.pending.clear()
        return end

    def _whole_head(self, raw: bytes, pieces: list[Piece]) -> bool:
        """Take a head that came at once, as they do; False if its lines have to be looked at one by one."""
        lines = raw[: -len(_END)].split(b"\r\n")
        if not lines[0] or raw.count(b"\n") != len(lines) + 1:
            return False
        self._lines = lines
        self._end_head(raw, pieces)
        return True

    def _line(self, line: bytes, pieces: list[Piece]) -> None:
        text = line.rstrip(b"\r\n")
        match self._mode:
            case _Mode.SIZE:
                self._left = _number(text.partition(b";")[0].strip(), 16)
                self._mode = _Mode.CHUNK if self._left else _Mode.TRAILERS
                pieces.append(Piece(Part.FRAMING, line))
            case _Mode.CHUNK_END:
                if text:
                    raise Malformed("a chunk is longer than its size")
                self._mode = _Mode.SIZE
                pieces.append(Piece(Part.FRAMING, line))
            case _Mode.TRAILERS:
                self._grow(line)
                pieces.append(Piece(Part.FRAMING, line))
                if not text:
                    self._end(pieces)
            case _:
                self._head_line(line, text, pieces)

    def _head_line(self, line: bytes, text: bytes, pieces: list[Piece]) -> None:
        if not text and not self._lines:
            pieces.append(Piece(Part.FRAMING, line))
            return
        self._grow(line)
        if text:
            self._lines.append(text)
            pieces.append(Piece(Part.LINE, line))
        else:
            self._end_head(line, pieces)

    def _end_head(self, raw: bytes, pieces: list[Piece]) -> None:
        pieces.append(Piece(Part.LINE, raw))
        head = _head(self._lines)
        ahead = self._follows(head)
        pieces.append(Piece(Part.HEAD, head=head))
        self._lines, self._size = [], 0
        if isinstance(ahead, int):
            self._left, self._mode = ahead, _Mode.BODY if ahead else _Mode.HEAD
        else:
            self._mode = _BEHIND[ahead]
        if ahead in (0, Ahead.ANSWER_DECIDES):
            pieces.append(Piece(Part.END))

    def _grow(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > _LONGEST_HEAD:
            raise Malformed(f"a head of more than {_LONGEST_HEAD:,} bytes")

    def _end(self, pieces: list[Piece]) -> None:
        self._mode, self._size = _Mode.HEAD, 0
        pieces.append(Piece(Part.END))


class Dialogue:
    """Both directions of one connection: how long an answer is depends on what was asked."""

    def __init__(self) -> None:
        self.client = Framing(self._behind_request)
        self.server = Framing(self._behind_answer)
        self._asked: deque[str] = deque()  # the methods of the requests that are not answered

    def _behind_request(self, head: Head) -> int | Ahead:
        method, _, rest = head.start.partition(" ")
        if not rest.rpartition(" ")[2].startswith("HTTP/1."):
            raise Malformed("a request that is not of HTTP/1.x")
        if len(self._asked) == _MOST_WAITING:
            raise Malformed(f"more than {_MOST_WAITING:,} requests that are not answered")
        self._asked.append(method)
        length = _length(head)
        changes = head.has("connection", "upgrade") or method == "CONNECT"
        return Ahead.ANSWER_DECIDES if changes and not length else length or 0

    def _behind_answer(self, head: Head) -> int | Ahead:
        version, _, rest = head.start.partition(" ")
        status = rest[:3]
        if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit() and len(status) == 3):
            raise Malformed("an answer that is not of HTTP/1.x")
        if status.startswith("1") and status != "101":
            return 0
        method = self._asked.popleft() if self._asked else ""
        if status == "101" or (method == "CONNECT" and status.startswith("2")):
            return Ahead.NO_HTTP
        if method == "HEAD" or status in ("204", "304"):
            return 0
        length = _length(head)
        return Ahead.UNTIL_CLOSE if length is None else length


def _head(lines: list[bytes]) -> Head:
    headers: dict[str, str] = {}
    name = ""
    for line in lines[1:]:
        if line[:1] in b" \t" and name:  # the rest of the one before
            headers[name] += f" {line.decode('latin-1').strip()}"
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise Malformed("a line without a colon in a head")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(lines[0].decode("latin-1"), headers)


def _length(head: Head) -> int | Ahead | None:
    """Return what the headers say of the body; None if they say nothing."""
    if coding := head.headers.get("transfer-encoding"):
        if coding.rpartition(",")[2].strip().lower() != "chunked":
            raise Malformed("a transfer encoding other than chunked")
        return Ahead.CHUNKS
    if (given := head.headers.get("content-length")) is None:
        return None
    lengths = {each.strip() for each in given.split(",")}
    if len(lengths) != 1:
        raise Malformed("several lengths of one body")
    return _number(lengths.pop().encode("latin-1"), 10)


def _number(text: bytes, base: int) -> int:
    digits = b"0123456789abcdef"[:base]
    if not 0 < len(text) <= 16 or text.lower().strip(digits):
        raise Malformed("the size of a body is no number")
    return int(text, base)
