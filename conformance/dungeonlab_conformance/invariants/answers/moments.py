"""Times as the protocol writes them, read and compared. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,30})?Z")
_PRECISION = 1e-6  # seconds


def moment(written: object) -> float | None:
    """Return a time in seconds since 1970; None for what is no time in UTC as RFC 3339 has it."""
    if not isinstance(written, str) or not _WRITTEN.fullmatch(written):
        return None
    try:
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError):
        return None


def shown(at: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339 has it; what no calendar holds, in seconds."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s after 1970"


def same_moment(one: str, other: str) -> bool:
    """Whether two texts name the same time, with however many digits; what is no time is like anything."""
    at, then = moment(one), moment(other)
    return at is None or then is None or abs(at - then) < _PRECISION
