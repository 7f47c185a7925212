"""What Engine.IO packets look like; whatever does not is hostile."""

from __future__ import annotations

import binascii
import re

_PACKET = re.compile(r"4[0-6]|[1-356](?:probe)?$")  # what a packet begins with


def is_packet(frame: str) -> bool:
    """Say whether a text frame is a packet that a client may send."""
    return _PACKET.match(frame) is not None


def are_packets(upload: str) -> bool:
    """Say whether an upload over polling consists of packets, of which some may be binary."""
    return all(is_packet(part) or _is_binary(part) for part in upload.split("\x1e"))


def _is_binary(part: str) -> bool:
    try:
        return part.startswith("b") and bool(binascii.a2b_base64(part[1:], strict_mode=True) or True)
    except binascii.Error:
        return False
