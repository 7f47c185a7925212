"""The accounts of one lane of scenes, logged in when first needed, and which of them plays whom in a scene."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.adapter import defines
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.rate_limits import Throttle
from dungeonlab_conformance.target.roles import pick
from dungeonlab_conformance.target.target import Target

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.sessions import GameSession, GameSessions


@dataclass(eq=False)
class AccountPool:
    """The accounts of one lane: made when first needed, kept for the run, never in two scenes at once.

    `kept` are the sessions that outlive a scene, by their number. `leftovers` says that there may be others in which
    the accounts have met, since they could not be deleted. A `throttle` is what they send by, if they must not send as
    fast as they can.
    """

    lane: int
    provisioner: Provisioner
    busy_until: float = 0.0
    kept: dict[int, GameSession] = field(default_factory=dict)
    leftovers: bool = False
    throttle: Throttle | None = None
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


class RoleAssignment:
    """Which account plays which role in one scene: given out when a role is first asked for, and kept.

    Its methods raise `Missing` where the target has no account left that could play a role.
    """

    def __init__(
        self, pool: AccountPool, target: Target, games: GameSessions, stand_ins: Mapping[str, str] | None = None
    ) -> None:
        """`stand_ins` are accounts that play another role than their own, by that role."""
        self.pool = pool
        self.target = target
        self._games = games
        self._accounts = dict(stand_ins or {})  # by role

    def account(self, role: str) -> str:
        """Return the account that plays a role."""
        if role not in self._accounts:
            account = pick(role, self.target.accounts, *self._games.parties, self._accounts.values())
            if account is None:
                standing_in = next((other for other, taken in self._accounts.items() if taken == role), role)
                raise Missing(self.target.advice(standing_in))
            self._accounts[role] = account
        return self._accounts[role]

    def can_play(self, role: str) -> bool:
        """Whether an account plays a role, or is left that could."""
        try:
            self.account(role)
        except Missing:
            return False
        return True

    def available(self, *roles: str) -> list[str]:
        """Return those of the roles that an account can play and the server lets join, at least one."""
        shut_out = self.target.workarounds.shut_out
        return [role for role in roles if role not in shut_out and self.can_play(role)] or [self.account(roles[0])]

    async def identity(self, role: str) -> Identity:
        """Return who plays a role, logged in."""
        return await self.pool.identity(self.account(role))

    async def second_login(self, role: str) -> Identity:
        """Log in once more who plays a role, with a cookie of its own."""
        return await self.pool.second_login(self.account(role))

    async def login_beside(self, login: Identity) -> Identity:
        """Log in once more who has logged in already; that login goes on.

        Raises `Missing` where an adapter logs out: nothing says that it tells the logins of one user apart.
        """
        if defines(self.target.adapter, "log_out"):
            raise Missing("an adapter logs out, and may not tell the logins of one user apart")
        return await self.pool.provisioner.log_in_once_more(login)

    async def log_out(self, login: Identity) -> None:
        """End one login on the server."""
        await self.pool.provisioner.log_out(login)

    async def member(self, role: str) -> Identity:
        """Return who plays a role, enrolled in each session where the role belongs."""
        return await self._games.enrolled(self.account(role))

    def need_no_shared_session(self, *roles: str) -> None:
        """Raise `Missing` if those who play these roles all belong to one of the two sessions."""
        accounts = [self.account(role) for role in roles]
        if any(party and all(name in party for name in accounts) for party in self._games.parties):
            raise Missing(self.target.advice("strangers"))

    def need_no_other_game(self, role: str) -> None:
        """Raise `Missing` if who plays a role is a member of the second session as well."""
        other = self._games.parties[1]
        if other is not None and self.account(role) in other:
            raise Missing(self.target.advice("first-session-only"))
