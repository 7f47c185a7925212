"""Counts a user's events against a limit per minute."""

from __future__ import annotations

from collections import deque

_MINUTE = 60.0  # seconds


class RateLimit:
    """A sliding window for each user; `limit` is in events per minute, 0 for none.

    Remembers the events of the last two minutes, and nothing of users who were silent as long.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._events: dict[str, deque[float]] = {}
        self._swept = 0.0

    def allows(self, user: str, now: float) -> bool:
        """Count one event at `now` (seconds of any steady clock) and say whether it is still within the limit."""
        if not self.limit:
            return True
        if now - self._swept > _MINUTE:
            self._sweep(now)
        window = self._events.setdefault(user, deque())
        while window and window[0] <= now - _MINUTE:
            window.popleft()
        if len(window) >= self.limit:
            return False
        window.append(now)
        return True

    def _sweep(self, now: float) -> None:
        self._swept = now
        self._events = {user: window for user, window in self._events.items() if window[-1] > now - _MINUTE}
