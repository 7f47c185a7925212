"""Counts what a user sends against limits per minute: its events, and its bytes."""

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


class Allowance:
    """So many bytes per minute for each user, 0 for any number. Unused ones are saved up for a minute.

    What is charged may exceed what is left; then the user waits until it is made up for.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: dict[str, tuple[float, float]] = {}  # bytes, and when that was
        self._swept = 0.0

    def charge(self, user: str, size: int, now: float) -> None:
        """Take bytes from a user's allowance, at `now` (seconds of any steady clock)."""
        if self.per_minute:
            self._left[user] = (self._now_left(user, now) - size, now)

    def allows(self, user: str, now: float) -> bool:
        """Say whether a user has any bytes left."""
        if not self.per_minute:
            return True
        if now - self._swept > _MINUTE:
            self._swept = now
            self._left = {u: left for u, left in self._left.items() if self._now_left(u, now) < self.per_minute}
        return self._now_left(user, now) > 0

    def _now_left(self, user: str, now: float) -> float:
        left, since = self._left.get(user, (self.per_minute, now))
        return min(self.per_minute, left + (now - since) * self.per_minute / _MINUTE)
