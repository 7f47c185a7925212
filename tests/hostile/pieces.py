"""Cuts a TCP stream of HTTP and WebSocket into pieces that can be damaged: whole HTTP messages, and frames.

A piece can be written again with other Engine.IO packets in it, its framing intact. Damages nothing itself.
"""

from __future__ import annotations

import asyncio
import base64
import re
import struct
from dataclasses import dataclass, replace

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_UPGRADE = re.compile(rb"(?i)\r\nupgrade: *websocket")
_COMPRESSION = re.compile(rb"(?i)\r\n(accept-encoding|sec-websocket-extensions):[^\r]*")
_TEXT, _BINARY = 1, 2  # opcodes of WebSocket frames
_SEPARATOR = b"\x1e"  # between the packets of one polling body


class Binary(bytes):
    """A packet that is sent as bytes: in a binary frame, or in base64 behind a `b`."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole HTTP message, request or response; `head` ends with an empty line."""

    head: bytes
    body: bytes = b""

    def raw(self) -> bytes:
        """Return the bytes that travel."""
        return self.head + self.body

    def packets(self) -> list[bytes]:
        """Return the Engine.IO packets of a polling body; none if it is something else."""
        is_text = b"content-type: text/plain" in self.head.lower()
        return self.body.split(_SEPARATOR) if is_text and self.body else []

    def with_packets(self, packets: list[bytes]) -> Message:
        """Return the same message with these packets as its body."""
        texts = [b"b" + base64.b64encode(packet) if isinstance(packet, Binary) else packet for packet in packets]
        return self.with_body(_SEPARATOR.join(texts))

    def with_body(self, body: bytes) -> Message:
        """Return the same message with another body, whose length it states."""
        length = f"\r\nContent-Length: {len(body)}".encode()
        return Message(_LENGTH.sub(length, self.head), body)


@dataclass(frozen=True, slots=True)
class Frame:
    """A WebSocket frame; `first` is its first byte, `mask` is empty for what a server sends."""

    first: int
    payload: bytes
    mask: bytes = b""

    def raw(self) -> bytes:
        """Return the bytes that travel."""
        masked = 0x80 if self.mask else 0
        size = len(self.payload)
        if size < 126:
            head = struct.pack("!BB", self.first, masked | size)
        elif size < 65_536:
            head = struct.pack("!BBH", self.first, masked | 126, size)
        else:
            head = struct.pack("!BBQ", self.first, masked | 127, size)
        return head + self.mask + _masked(self.payload, self.mask)

    def packets(self) -> list[bytes]:
        """Return the packet that the frame holds; none for a control frame."""
        return [self.payload] if self.first & 0x0F in (_TEXT, _BINARY) else []

    def with_packets(self, packets: list[bytes]) -> Frames:
        """Return a frame for each of these packets."""
        return Frames(
            tuple(
                replace(self, first=0x80 | (_BINARY if isinstance(packet, Binary) else _TEXT), payload=packet)
                for packet in packets
            )
        )


@dataclass(frozen=True, slots=True)
class Frames:
    """Several frames in a row, in the place of one."""

    frames: tuple[Frame, ...]

    def raw(self) -> bytes:
        """Return the bytes that travel."""
        return b"".join(frame.raw() for frame in self.frames)


Piece = Message | Frame


class Cutter:
    """Reads one direction of a connection piece by piece; what cannot be parsed comes as bytes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._frames = False  # whether the connection was, or is to be, upgraded to WebSocket

    async def next(self) -> Piece | bytes:
        """Return the next piece; bytes where there is no whole one, and none at all at the end."""
        try:
            first = await self._reader.readexactly(1)
            if self._frames and not first.isalpha():
                return await self._frame(first)
            return await self._message(first)
        except asyncio.IncompleteReadError as end:
            return end.partial
        except (asyncio.LimitOverrunError, ValueError, struct.error):
            return await self._reader.read(65_536)

    async def _frame(self, first: bytes) -> Frame | bytes:
        second = (await self._reader.readexactly(1))[0]
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4) if second & 0x80 else b""
        return Frame(first[0], _masked(await self._reader.readexactly(size), mask), mask)

    async def _message(self, first: bytes) -> Message | bytes:
        try:
            head = first + await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            return first + end.partial
        except asyncio.LimitOverrunError:
            return first + await self._reader.read(65_536)
        self._frames = bool(_UPGRADE.search(head)) and (first != b"H" or b" 101 " in head.split(b"\r\n")[0])
        head = _COMPRESSION.sub(b"", head)
        if length := _LENGTH.search(head):
            try:
                return Message(head, await self._reader.readexactly(int(length[1])))
            except asyncio.IncompleteReadError as end:
                return head + end.partial
        return Message(head, await self._chunks() if _CHUNKED.search(head) else b"")

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            line = await self._reader.readuntil(b"\r\n")
            body += line + await self._reader.readexactly(int(line, 16) + 2)
            if int(line, 16) == 0:
                return body


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(len(payload))
