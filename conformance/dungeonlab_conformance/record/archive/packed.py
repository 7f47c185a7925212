"""A record in a few characters that fit into any JSON: packed, and unpacked within bounds."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from dungeonlab_conformance.record.archive.read import Damaged
from dungeonlab_conformance.record.archive.values import TooLarge
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.tree import deeper_than

MOST_PACKED = 12_000_000  # characters; a run on a server that keeps the protocol takes 400,000
_MOST = 100_000_000  # bytes, unpacked
_MOST_VALUES = 4_000_000
_DEEPEST = 120  # levels
_LEVEL = 6  # of compression


def packed(document: object) -> str:
    """Return what `unpacked` takes. Raises `TooLarge`."""
    text = json.dumps(document, separators=(",", ":"))
    found = base64.b64encode(zlib.compress(text.encode("ascii"), _LEVEL)).decode("ascii")
    if len(found) > MOST_PACKED or len(text) > _MOST or _values(text) > _MOST_VALUES:
        raise TooLarge("larger than what is kept of a run")
    return found


def unpacked(text: str) -> Any:
    """Return what was packed, whatever somebody else may have packed. Raises `Damaged`."""
    if len(text) > MOST_PACKED:
        raise Damaged(f"it is longer than {MOST_PACKED} characters")
    unzip = zlib.decompressobj()
    try:
        raw = unzip.decompress(base64.b64decode(text, validate=True), _MOST)
        if unzip.unconsumed_tail or not unzip.eof or unzip.unused_data:
            raise Damaged("it is cut off, or unpacks into more than a run may hold")
        written = raw.decode("ascii")
    except (binascii.Error, zlib.error, UnicodeDecodeError, ValueError) as error:
        raise error if isinstance(error, Damaged) else Damaged("it cannot be unpacked") from None
    if _values(written) > _MOST_VALUES:
        raise Damaged(f"it holds more than {_MOST_VALUES} values")
    try:
        found = files.from_json(written)
    except ValueError as error:
        raise Damaged(f"it is no JSON: {error}") from None
    if deeper_than(found, _DEEPEST):
        raise Damaged("it is nested too deeply")
    return found


def _values(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")
