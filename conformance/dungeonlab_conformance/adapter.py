"""For what a target's file cannot say: a Python class, named in the file as ``adapter = "my_pkg.my_mod:MyTarget"``.

    from dungeonlab_conformance.adapter import Adapter

    class MyTarget(Adapter):
        async def open_session(self, host, label):
            return {"session": await my_own_client.create(label, cookies=host.cookies)}

What a class does not define is done as the file says. Any exception out of it means that the stage could not be
set, and never counts against the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dungeonlab_conformance.target import Account, Identity, Target


class Adapter:
    """What may be done to a target by code of your own; override what you need. One is made for each run.

    An `Identity` has `name` (as in ``[actors]``), `user` (the server's id), `cookies` (by name) and `variables`
    (texts of your own, kept with it).
    """

    def __init__(self, target: Target) -> None:
        """Keep the target: `target.base`, `target.run` (the run's name, which all you make should carry)."""
        self.target = target

    async def log_in(self, identity: Identity, account: Account | None) -> None:
        """Log somebody in: fill in `identity.user` and `identity.cookies`.

        `account` is what ``[actors]`` says of `identity.name`; None if there is nothing, and an account is to be
        made. Called once more for the same name when a second, independent login is needed, with the `variables`
        that the first one left behind.
        """
        raise NotImplementedError

    async def log_out(self, identity: Identity) -> None:
        """End one login: its cookie is to be dead afterwards."""
        raise NotImplementedError

    async def open_session(self, host: Identity, label: str) -> Mapping[str, str]:
        """Open a game session with `host` as game master and nobody else; return ``{"session": its id, ...}``.

        Whatever else is returned is handed to the later steps as `place`; an ``"encounter"`` saves opening one.
        """
        raise NotImplementedError

    async def close_session(self, host: Identity, session: str, place: Mapping[str, str]) -> None:
        """Clear a session away with all that is in it."""
        raise NotImplementedError

    async def add_member(self, host: Identity, session: str, member: Identity, place: Mapping[str, str]) -> None:
        """Make somebody a participant."""
        raise NotImplementedError

    async def remove_member(self, host: Identity, session: str, member: Identity, place: Mapping[str, str]) -> None:
        """End somebody's membership."""
        raise NotImplementedError

    async def open_encounter(self, host: Identity, session: str, label: str, place: Mapping[str, str]) -> str:
        """Open an encounter in a session; return its id."""
        raise NotImplementedError

    async def close_encounter(self, host: Identity, session: str, encounter: str, place: Mapping[str, str]) -> None:
        """Clear an encounter away; only called for sessions that stay."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of whatever this holds; called once, at the end of the run."""


def defines(adapter: Adapter | type[Adapter] | None, act: str) -> bool:
    """Whether an adapter, or the class of one, defines an act itself."""
    kind = adapter if isinstance(adapter, type) else type(adapter)
    return adapter is not None and getattr(kind, act) is not getattr(Adapter, act)
