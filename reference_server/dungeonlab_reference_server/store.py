"""Where state lives. `Store` is the interface, `MemoryStore` the default: gone when the process ends.

Nothing mutable is shared across the interface: what goes in and comes out is a copy or frozen. Any method may take
its time; who reads, decides and writes does so within a `turn`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from dungeonlab_reference_server.rules import Payload, Session


@dataclass(frozen=True, slots=True)
class User:
    """An account. `secret` is the salted hash of its password, and never leaves the HTTP side."""

    id: str
    username: str
    display_name: str | None
    secret: str

    def profile(self) -> dict[str, str]:
        """Return what others may know."""
        profile = {"id": self.id, "username": self.username}
        return profile if self.display_name is None else {**profile, "displayName": self.display_name}


class Store(Protocol):
    """Everything the server remembers."""

    def turn(self, key: str) -> AbstractAsyncContextManager[object]:
        """Be alone with a session or a user, named by its id, for as long as the block lasts.

        A task that needs both takes the session first. A task must not take a turn twice.
        """

    async def add_user(self, user: User) -> bool:
        """Keep an account; False if the username is taken."""

    async def user(self, user_id: str) -> User | None:
        """Return an account."""

    async def user_named(self, username: str) -> User | None:
        """Return the account of that username."""

    async def open_login(self, cookie: str, user_id: str) -> None:
        """Let a cookie stand for a user."""

    async def login(self, cookie: str) -> str | None:
        """Return the id of the user a cookie stands for."""

    async def close_login(self, cookie: str) -> None:
        """Let a cookie stand for nobody any more."""

    async def close_logins(self, user_id: str) -> None:
        """Let no cookie stand for a user any more."""

    async def save_session(self, session: Session) -> None:
        """Keep a game session as it is now."""

    async def session(self, session_id: str) -> Session | None:
        """Return a game session."""

    async def enrol(self, session_id: str, user_id: str) -> None:
        """Make a user a participant of a session, if there is such a session."""

    async def revoke(self, session_id: str, user_id: str) -> None:
        """Make a user a participant no more, if there is such a session."""

    async def delete_session(self, session_id: str) -> None:
        """Forget a game session with its encounters and their tokens."""

    async def share_session(self, one: str, other: str) -> bool:
        """Say whether two users are members of one session."""

    async def save_encounter(self, encounter_id: str, session_id: str) -> None:
        """Keep an encounter of a session."""

    async def encounter_session(self, encounter_id: str) -> str | None:
        """Return the id of the session an encounter belongs to."""

    async def save_token(self, token: Payload) -> None:
        """Keep a token as it is now."""

    async def token(self, token_id: str) -> Payload | None:
        """Return a token."""

    async def delete_token(self, token_id: str) -> None:
        """Forget a token."""


class MemoryStore:
    """Keeps everything in this process."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._names: dict[str, str] = {}
        self._logins: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._encounters: dict[str, str] = {}
        self._tokens: dict[str, Payload] = {}
        self._memberships: dict[str, set[str]] = {}  # user to sessions
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # those in use

    def turn(self, key: str) -> AbstractAsyncContextManager[object]:
        """See `Store`."""
        return self._turns.setdefault(key, asyncio.Lock())

    async def add_user(self, user: User) -> bool:
        """See `Store`."""
        if self._names.setdefault(user.username, user.id) != user.id:
            return False
        self._users[user.id] = user
        return True

    async def user(self, user_id: str) -> User | None:
        """See `Store`."""
        return self._users.get(user_id)

    async def user_named(self, username: str) -> User | None:
        """See `Store`."""
        return self._users.get(self._names.get(username, ""))

    async def open_login(self, cookie: str, user_id: str) -> None:
        """See `Store`."""
        self._logins[cookie] = user_id

    async def login(self, cookie: str) -> str | None:
        """See `Store`."""
        return self._logins.get(cookie)

    async def close_login(self, cookie: str) -> None:
        """See `Store`."""
        self._logins.pop(cookie, None)

    async def close_logins(self, user_id: str) -> None:
        """See `Store`."""
        self._logins = {cookie: user for cookie, user in self._logins.items() if user != user_id}

    async def save_session(self, session: Session) -> None:
        """See `Store`."""
        self._put(session)

    def _put(self, session: Session) -> None:
        self._sessions[session.id] = session
        for user in (session.game_master, *session.participants):
            self._memberships.setdefault(user, set()).add(session.id)

    async def session(self, session_id: str) -> Session | None:
        """See `Store`."""
        return self._sessions.get(session_id)

    async def enrol(self, session_id: str, user_id: str) -> None:
        """See `Store`."""
        session = self._sessions.get(session_id)
        if session is not None and user_id not in session.participants:
            self._put(dataclasses.replace(session, participants=(*session.participants, user_id)))

    async def revoke(self, session_id: str, user_id: str) -> None:
        """See `Store`."""
        session = self._sessions.get(session_id)
        if session is None:
            return
        left = tuple(p for p in session.participants if p != user_id)
        self._sessions[session_id] = dataclasses.replace(session, participants=left)
        if user_id != session.game_master:
            self._memberships.get(user_id, set()).discard(session_id)

    async def delete_session(self, session_id: str) -> None:
        """See `Store`."""
        session = self._sessions.pop(session_id, None)
        for user in (session.game_master, *session.participants) if session else ():
            self._memberships[user].discard(session_id)
        gone = {e for e, s in self._encounters.items() if s == session_id}
        self._encounters = {e: s for e, s in self._encounters.items() if e not in gone}
        self._tokens = {t: v for t, v in self._tokens.items() if v["encounterId"] not in gone}

    async def share_session(self, one: str, other: str) -> bool:
        """See `Store`."""
        return bool(self._memberships.get(one, set()) & self._memberships.get(other, set()))

    async def save_encounter(self, encounter_id: str, session_id: str) -> None:
        """See `Store`."""
        self._encounters[encounter_id] = session_id

    async def encounter_session(self, encounter_id: str) -> str | None:
        """See `Store`."""
        return self._encounters.get(encounter_id)

    async def save_token(self, token: Payload) -> None:
        """See `Store`."""
        self._tokens[token["id"]] = _copy(token)

    async def token(self, token_id: str) -> Payload | None:
        """See `Store`."""
        found = self._tokens.get(token_id)
        return None if found is None else _copy(found)

    async def delete_token(self, token_id: str) -> None:
        """See `Store`."""
        self._tokens.pop(token_id, None)


def _copy(token: Payload) -> Payload:
    copied: Payload = json.loads(json.dumps(token))  # tokens are JSON, and this takes a tenth of copy.deepcopy's time
    return copied
