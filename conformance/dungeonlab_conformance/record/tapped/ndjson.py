"""Packets as lines of JSON: a head that says what the file is, and each packet in the order in which it was seen.

Unreadable   a file is no such recording; one sentence that begins with its name, and the line
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import IO, Any, get_args, get_type_hints

from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket
from dungeonlab_conformance.text.files import Unreadable, from_json
from dungeonlab_conformance.text.printable import shortened

_HEADS = {  # by whether the server did what a director says
    False: {"recording": "dungeonlab-conformance tap", "version": 1},
    True: {"recording": "dungeonlab-conformance client", "version": 1},
}
MOST_ACTS = 50  # in one recording
_LONGEST = 1_000_000  # bytes of a line
_LONGEST_HEAD = 1_000  # bytes, however it is spaced
_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"recording"')
_DEFAULTS = {each.name: each.default for each in fields(TappedPacket) if each.default is not MISSING}
_NAMES = [each.name for each in fields(TappedPacket)]


def head(*, directed: bool = False) -> str:
    """Return the first line of a recording; it says whether the server did what a director says."""
    return json.dumps(_HEADS[directed])


def line(packet: TappedPacket) -> str:
    """Return a packet as one line, without what is as it is in most packets."""
    known = asdict(packet) | {"at": round(packet.at, 6)}
    return json.dumps({name: value for name, value in known.items() if _DEFAULTS.get(name, MISSING) != value})


def is_recording(path: Path) -> bool:
    """Say whether a file begins like a recording; what cannot be read by name does not."""
    return _BEGINS.match(_beginning(path)) is not None


def is_directed(path: Path) -> bool:
    """Say whether a recording is of clients to whom a director made things happen."""
    try:
        return bool(from_json(_beginning(path).decode("utf-8-sig")) == _HEADS[True])
    except ValueError:
        return False


def _beginning(path: Path) -> bytes:
    """Return the first line of a file, as far as it may be a head."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.readline(_LONGEST_HEAD)
    except (OSError, ValueError):
        return b""


def read(path: Path) -> Iterator[TappedPacket]:
    """Yield the packets of a recording, one by one. Raises `Unreadable`.

    A last line that is not whole is left out: a tap may have been stopped while it wrote.
    """
    try:
        with path.open("rb") as file:
            yield from _packets(path, file)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror or error}") from None


def _packets(path: Path, file: IO[bytes]) -> Iterator[TappedPacket]:
    number, last = 0, 0
    while raw := file.readline(_LONGEST):
        number += 1
        if not raw.endswith(b"\n"):
            if len(raw) == _LONGEST:
                raise Unreadable(path, f"a line of more than {_LONGEST:,} bytes; a packet takes less", number)
            return
        value = _value(path, raw, number)
        if number == 1:
            if value not in _HEADS.values():
                raise Unreadable(path, _no_head(value), number)
            continue
        packet = _packet(path, value, number)
        if packet.number <= last:
            raise Unreadable(path, f"packet {packet.number} comes after packet {last}", number)
        last = packet.number
        yield packet


def _no_head(value: object) -> str:
    """Say what is wrong with the first line of what should be a recording."""
    known = _HEADS[False]
    if isinstance(value, dict) and any(value.get("recording") == each["recording"] for each in _HEADS.values()):
        of = shortened(json.dumps(value.get("version")), 40)
        return f"this recording is of version {of}, and version {known['version']} is read here; take a newer suite"
    return f"this is no recording of a tap; its first line is {head()}"


def _value(path: Path, raw: bytes, number: int) -> Any:
    try:
        return from_json(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        raise Unreadable(path, "this is no UTF-8 text", number) from None
    except ValueError:
        raise Unreadable(path, "this line is no JSON", number) from None


def _packet(path: Path, value: Any, number: int) -> TappedPacket:
    if not isinstance(value, dict) or not {"number", "at", "sender", "kind"} <= value.keys() <= set(_NAMES):
        raise Unreadable(path, "this line is no packet: it needs number, at, sender and kind", number)
    for name, found in value.items():
        if not _fits(name, found):
            raise Unreadable(path, f"{name} of this packet is {json.dumps(found)[:80]}", number)
    return TappedPacket(**value)


_HIGHEST = {"act": MOST_ACTS}
_CHOICES = {
    "sender": get_args(Sender),
    "kind": get_args(Kind),
    "transport": get_args(get_type_hints(TappedPacket)["transport"]),
}


def _fits(name: str, value: object) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "cut":
        return isinstance(value, bool)
    if name in ("user", "event", "text"):
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return name == "ack_id" and value is None
    return 0 <= value <= _HIGHEST.get(name, value) and (name == "at" or isinstance(value, int))
