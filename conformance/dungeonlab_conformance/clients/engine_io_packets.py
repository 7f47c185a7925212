"""Engine.IO packets: their types, and how they stand in the body of a poll. Sends nothing; what is unreadable is noise.

A packet is text that begins with its type, or the bytes of a binary message over WebSocket.
"""

from __future__ import annotations

import base64
import binascii

Frame = str | bytes  # a message without its type, or the bytes of a binary one

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "probe"  # what the ping and the pong hold that try a WebSocket before an upgrade
ENTER_NOTHING, NOTHING_ENTERED = "0/fence,", "4/fence,"  # a message about a namespace that is none, and its refusal
_BINARY = "b"  # begins a binary message over long-polling, which is in base64
_BETWEEN = "\x1e"  # stands between the packets of one body


class Noise(str):
    """What came in place of a packet, and is none of Engine.IO's."""

    __slots__ = ()


def split(body: str) -> list[str]:
    """Return the packets of one body; of an empty one, an empty packet."""
    return body.split(_BETWEEN)


def join(packets: list[str]) -> str:
    """Return the body that holds packets."""
    return _BETWEEN.join(packets)


def as_text(frame: Frame) -> str:
    """Return the packet of a message over long-polling."""
    return _BINARY + base64.b64encode(frame).decode() if isinstance(frame, bytes) else MESSAGE + frame


def message_in(packet: str) -> Frame | None:
    """Return the message that a packet holds, `Noise` if it is broken base64, and None if it holds no message."""
    if packet.startswith(MESSAGE):
        return packet[1:]
    if not packet.startswith(_BINARY):
        return None
    try:
        return base64.b64decode(packet[1:], validate=True)
    except (binascii.Error, ValueError):
        return Noise(packet)
