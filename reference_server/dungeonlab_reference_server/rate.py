"""Counts a user's events against a limit per minute."""

from __future__ import annotations

from collections import deque

_MINUTE = 60.0  # seconds


class RateLimit:
    """A sliding window for each user; `limit` is in events per minute, 0 for none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._events: dict[str, deque[float]] = {}

    def allows(self, user: str, now: float) -> bool:
        """Count one event at `now` (seconds of any steady clock) and say whether it is still within the limit."""
        if not self.limit:
            return True
        window = self._events.setdefault(user, deque())
        while window and window[0] <= now - _MINUTE:
            window.popleft()
        if len(window) >= self.limit:
            return False
        window.append(now)
        return True
