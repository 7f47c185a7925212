"""WebSocket frames, one direction at a time: put together to messages, decompressed, within bounds."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

LARGEST = 4 << 20  # bytes of a message, before and after it is decompressed; servers accept 1 MB
_TAIL = b"\x00\x00\xff\xff"  # that permessage-deflate leaves out at the end of a message
_CONTINUATION, _TEXT, _BINARY, _CLOSE = 0, 1, 2, 8


class Unreadable(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """What came cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Close:
    """A frame that closes; its code, and None without one."""

    code: int | None


class Frames:
    """One direction. `deflates`: whether permessage-deflate was agreed on; `forgets`: each message by itself."""

    def __init__(self, *, deflates: bool = False, forgets: bool = False) -> None:
        self._deflates, self._forgets = deflates, forgets
        self._inflater = zlib.decompressobj(-15)
        self._buffer = bytearray()
        self._message = bytearray()
        self._opcode = 0  # of the message that is being put together
        self._compressed = False

    @property
    def held(self) -> int:
        """How many bytes it holds of what is unfinished."""
        return len(self._buffer) + len(self._message)

    def feed(self, data: bytes) -> list[str | bytes | Close]:
        """Return the messages that are whole now. Raises `Unreadable`; call it no more then."""
        self._buffer += data
        found: list[str | bytes | Close] = []
        at = 0
        while (frame := self._frame(at)) is not None:
            first, begin, at, mask = frame
            payload = bytes(self._buffer[begin:at])
            message = self._take(first, _unmasked(payload, mask) if mask else payload)
            if message is not None:
                found.append(message)
        del self._buffer[:at]
        return found

    def _frame(self, at: int) -> tuple[int, int, int, bytes] | None:
        """Return the first byte of the frame at `at`, where its payload begins and ends, and its mask; None if cut."""
        buffer = self._buffer
        if len(buffer) < at + 2:
            return None
        size, begin = buffer[at + 1] & 127, at + 2
        if size >= 126:
            begin += 2 if size == 126 else 8
            size = int.from_bytes(buffer[at + 2 : begin])
            if len(buffer) < begin:
                return None
        if size + len(self._message) > LARGEST:
            raise Unreadable(f"a message of more than {LARGEST >> 20} MB")
        mask = b""
        if buffer[at + 1] & 128:
            mask, begin = bytes(buffer[begin : begin + 4]), begin + 4
        return (buffer[at], begin, begin + size, mask) if len(buffer) >= begin + size else None

    def _take(self, first: int, payload: bytes) -> str | bytes | Close | None:
        opcode, final = first & 15, bool(first & 128)
        if opcode == _CLOSE:
            return Close(int.from_bytes(payload[:2]) if len(payload) >= 2 else None)
        if opcode > _CLOSE:
            return None
        if opcode > _BINARY or first & 48 or (first & 64 and not (self._deflates and opcode)):
            raise Unreadable(f"a frame that begins with the byte {first:#04x}")
        if bool(opcode) == bool(self._opcode):
            raise Unreadable("a message in the midst of another" if opcode else "a continuation of no message")
        if opcode:
            self._opcode, self._compressed = opcode, bool(first & 64)
        self._message += payload
        return self._whole() if final else None

    def _whole(self) -> str | bytes:
        raw, opcode = bytes(self._message), self._opcode
        self._message.clear()
        self._opcode = 0
        if self._compressed:
            raw = self._inflated(raw)
        if opcode == _BINARY:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Unreadable("text that is no UTF-8") from None

    def _inflated(self, raw: bytes) -> bytes:
        try:
            inflated = self._inflater.decompress(raw + _TAIL, LARGEST + 1)
        except zlib.error:
            raise Unreadable("compressed data that cannot be decompressed") from None
        if len(inflated) > LARGEST:
            raise Unreadable(f"a message of more than {LARGEST >> 20} MB when decompressed")
        if self._forgets or self._inflater.eof:
            self._inflater = zlib.decompressobj(-15)
        return inflated


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return a payload without its mask."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def agreed(extensions: str) -> tuple[Frames, Frames]:
    """Return what reads the frames of the client and of the server, by the extensions that the server accepted."""
    names = {each.strip().lower() for each in extensions.replace(",", ";").split(";")}
    deflates = "permessage-deflate" in names
    return (
        Frames(deflates=deflates, forgets="client_no_context_takeover" in names),
        Frames(deflates=deflates, forgets="server_no_context_takeover" in names),
    )
