"""How many scenes to play side by side: by the link to begin with, then by how little the judge has to do."""

from __future__ import annotations

import time

_NEAR, _FAR = (8, 16), (64, 80)  # lanes to begin with, and at most, for a near server and for a far one
_IDLE = 0.35  # of a processor; with less than that to do, the judge waits most of the time, and may do more at once
_WARM = 3.0  # seconds before that is measured; until then it may be the making of accounts that is waited for
_WINDOW = 0.4  # seconds over which it is measured


class Pace:
    """The number of lanes: `first` to begin with, `most` in the end.

    There are accounts for `most`; so many of them as `spare` may rest while scenes go on in half of the first lanes. It
    is 0 where each lane keeps to its own: a far link has lanes enough, and users who say how many want no more.
    """

    def __init__(self, far: bool, *, exactly: int | None = None, limit: int | None = None, spares: bool = True) -> None:
        """`exactly` is what the user wants, `limit` what the target bears, `spares` whether it bears more accounts."""
        first, most = (exactly, exactly) if exactly else _FAR if far else _NEAR
        self.first, self.most = (first, most) if limit is None else (min(first, limit), min(most, limit))
        self.spare = 0 if far or exactly or limit or not spares else self.most - self.first // 2
        self._since, self._used = time.monotonic(), time.process_time()
        self._window, self._is_idle = _WARM, False

    def narrow(self) -> None:
        """Allow one lane only from now on: the server limits how many accounts and sessions it makes."""
        self.first = self.most = 1

    def allows_another(self, lanes: int) -> bool:
        """Whether there may be one lane more than so many."""
        now, used = time.monotonic(), time.process_time()
        if now - self._since >= self._window:
            self._is_idle = (used - self._used) / (now - self._since) < _IDLE
            self._since, self._used, self._window = now, used, _WINDOW
        return lanes < self.most and self._is_idle
