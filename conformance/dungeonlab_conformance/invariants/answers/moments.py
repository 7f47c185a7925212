"""Times as the protocol writes them, read and compared. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.(?P<fraction>[0-9]{1,30}))?Z")


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
    """Whether two texts name the same time, to the digits that both have; what is no time is like anything."""
    at, then = moment(one), moment(other)
    if at is None or then is None:
        return True
    digits = [_digits(one), _digits(other)]
    if digits[0] == digits[1]:
        return abs(at - then) < 1e-6
    return abs(at - then) < 10.0 ** -min(digits)


def _digits(written: str) -> int:
    found = _WRITTEN.fullmatch(written)
    return len(found["fraction"] or "") if found else 0
