"""A packet as the page is sent it: one short row of the list, and the whole when somebody asks. Shows no secret.

What comes from outside leaves as JSON text without invisible characters; the page takes it for text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from dungeonlab_conformance.record.secrets.leaks import redact
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import one_line, printable

Row = tuple[int, float, str, str, int, str, str, str, int | None, str, str, int]
_BRIEF = 120  # characters of a payload in the list
_NAME = 80  # characters of a name in the list
_WHOLE = 100_000  # characters of a payload where it is shown by itself
_OUTCOMES = {"connected": "success", "connect-error": "refused", "attempt": "refused", "unreadable": "failure"}


def row(packet: TappedPacket) -> Row:
    """Return number, seconds, sender, kind, connection, user, transport, event, ack number, outcome, text, act."""
    return (
        packet.number,
        round(packet.at, 3),
        packet.sender,
        packet.kind,
        packet.connection,
        _name(packet.user),
        packet.transport,
        _name(packet.event),
        packet.ack_id,
        outcome(packet),
        _shown(packet.text, _BRIEF),
        packet.act,
    )


def whole(packet: TappedPacket) -> dict[str, Any]:
    """Return what the page shows of one packet; `cut` says that the end of the text is missing."""
    shown = printable(_without_secrets(packet.text, _WHOLE))
    return {"number": packet.number, "text": shown, "cut": packet.cut or len(packet.text) > _WHOLE}


def outcome(packet: TappedPacket) -> str:
    """Return success, failure, refused, answered (neither success nor failure), or nothing where it says none."""
    if packet.kind == "ack":
        arguments = packet.arguments
        first = arguments[0] if arguments else None
        success = first.get("success") if isinstance(first, dict) else None
        return "success" if success is True else "failure" if success is False else "answered"
    if packet.kind == "event":
        return "failure" if packet.sender == "server" and packet.event == "error" else ""
    if packet.kind == "response":
        return "success" if packet.event[:1] in ("1", "2", "3") else "failure"
    return _OUTCOMES.get(packet.kind, "")


def after(packets: Sequence[TappedPacket], number: int, most: int) -> list[TappedPacket]:
    """Return at most so many packets that follow the one with a number: from what is kept, oldest first."""
    if not packets or (new := packets[-1].number - number) <= 0:
        return []
    if new <= most:
        return list(islice(reversed(packets), new))[::-1]
    start = max(0, number + 1 - packets[0].number)
    return list(islice(packets, start, start + most))


@lru_cache(maxsize=1_000)
def _name(text: str) -> str:
    return _shown(text, _NAME)


def _shown(text: str, most: int) -> str:
    return one_line(_without_secrets(text, most)) + ("…" if len(text) > most else "")


def _without_secrets(text: str, most: int) -> str:
    """Return the beginning of a text; a quote after it makes a secret that is cut off look like a whole one."""
    if len(text) <= most:
        return redact(text)
    return redact(text[:most].rstrip("\\") + '"').removesuffix('"')
