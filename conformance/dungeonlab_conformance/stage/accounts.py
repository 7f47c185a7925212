"""The accounts of one lane of scenes, logged in when first needed. Which of them plays whom is `casting`'s business."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.identity import Identity

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.sessions import GameSession


@dataclass(eq=False)
class AccountPool:
    """The accounts of one lane: made when first needed, kept for the run, never in two scenes at once.

    `kept` are the sessions that outlive a scene, by their number.
    """

    lane: int
    provisioner: Provisioner
    busy_until: float = 0.0
    kept: dict[int, GameSession] = field(default_factory=dict)
    _identities: dict[str, Identity] = field(default_factory=dict)
    _stale: dict[str, Identity] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def identity(self, account: str) -> Identity:
        """Return who the user of an account is, logged in."""
        async with self._locks.setdefault(account, asyncio.Lock()):
            if account not in self._identities:
                stale = self._stale.pop(account, None)
                self._identities[account] = await self.provisioner.log_in(account, self.lane, again=stale)
            return self._identities[account]

    def known(self) -> dict[str, Identity]:
        """Return everybody who has been logged in so far."""
        return dict(self._identities)

    async def second_login(self, account: str) -> Identity:
        """Log an account in once more, with a cookie of its own; ending that login may end the first as well.

        Raises `Missing` if the target offers but one login to an account.
        """
        first = await self.identity(account)
        second = await self.provisioner.log_in_once_more(first)
        self._stale[account] = self._identities.pop(account)
        return second
