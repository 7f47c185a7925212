"""What can still be read of a request whose text was cut because it was too long: its beginning."""

from __future__ import annotations

import json
import re
from typing import Any

from dungeonlab_conformance.record.tapped.packet import TappedPacket

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*("?)|[\[\]{}]', re.DOTALL)
_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")  # one that is not whole
_CLOSING = {"[": "]", "{": "}"}


def beginning(packet: TappedPacket) -> Any:
    """Return the first argument as far as it was kept, its last text cut off; None if the cut is in no text of it."""
    text, open_, in_text = packet.text, list[str](), False
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in _CLOSING:
            open_.append(_CLOSING[token])
        elif token in ("]", "}"):
            if not open_ or open_.pop() != token:
                return None
        else:
            in_text = not found[1]
    if not in_text:
        return None
    whole = _ESCAPE.sub(r"\1", text)
    try:
        read = json.loads(f'{whole}"{"".join(reversed(open_))}')
    except (ValueError, RecursionError):
        return None
    return read[0] if isinstance(read, list) and read else None


def session_named(packet: TappedPacket) -> str | None:
    """Return the session that the beginning of a request names."""
    body = beginning(packet)
    session = body.get("sessionId") if isinstance(body, dict) else None
    return session if isinstance(session, str) and list(body) != ["sessionId"] else None
