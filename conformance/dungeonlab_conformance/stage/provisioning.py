"""What happens on a target before and after a scene: logging in, opening sessions, enrolling, revoking. Judges nothing.

Each act is done by the target's adapter if that defines it, and otherwise by the steps of the target's file.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dungeonlab_conformance.clients.http.cookies import can_be_sent
from dungeonlab_conformance.results.errors import Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.http.steps import HttpRunner, StepRefused
from dungeonlab_conformance.target.adapter import awaitable, complete, defines, foreign_code, text, texts
from dungeonlab_conformance.target.identity import Account, Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.templates import Undefined, fill

_SHOWN = 40  # characters of a cookie's name
# What an adapter may do in place of the steps of that name.
ACTS = {
    "login": "log_in",
    "logout": "log_out",
    "session.open": "open_session",
    "session.close": "close_session",
    "membership.add": "add_member",
    "membership.remove": "remove_member",
    "encounter.open": "open_encounter",
    "encounter.close": "close_encounter",
    "token.open": "open_token",
}


class TargetActs:
    """How an act is carried out on a target: by its adapter, or else by the steps of its file."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._steps = HttpRunner(target)

    def _adapts(self, act: str) -> bool:
        return defines(self.target.adapter, act)

    def offers(self, name: str) -> bool:
        """Whether the target says how to do this."""
        return bool(self.target.steps.get(name)) or (name in ACTS and self._adapts(ACTS[name]))

    async def close(self) -> None:
        """Let go of every HTTP session, and of the adapter."""
        await self._steps.close()
        if "made_adapter" in vars(self.target):
            if self._adapts("close"):
                await self._adapted("close")
            del self.target.made_adapter  # another run makes another

    async def _setting(
        self, name: str, who: Identity, variables: Mapping[str, str], member: Identity | None = None
    ) -> dict[str, str]:
        if not self.offers(name):
            raise Missing(self.target.advice(name))
        try:
            return await self._steps.carry_out(name, who, variables, member)
        except StepRefused as refused:
            raise Unjudged(f"the stage could not be set: {refused}") from None

    async def _adapted(self, act: str, *arguments: Any) -> Any:
        adapter = self.target.made_adapter
        async with foreign_code(act, 10 * self.target.limits.answer, self.target.secrets):
            return await awaitable(act, getattr(adapter, act)(*arguments))


class AccountProvisioner(TargetActs):
    """Logs accounts in and out, and creates those that the target's file does not name."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.logins: list[Identity] = []  # as they were made: those too that were ended, or replaced by another
        self._made: list[Identity] = []
        self._tried: Counter[str] = Counter()  # usernames

    async def log_in(self, name: str, lane: int, *, again: Identity | None = None) -> Identity:
        """Log an account in, made for the purpose if the target's file names none; or once more, after a logout.

        Raises `TargetFault` if the server refuses.
        """
        account = self.target.accounts[name]
        if again is not None:
            variables = dict(again.variables)
        else:
            variables = {"actor": name, "run": self.target.run, **self._credentials(name, lane, account)}
        identity = Identity(name, account.user if account else "", {}, variables)
        try:
            await self._log_in(identity, account, new=account is None and again is None)
            if not identity.user:
                identity.user = await self._whoami(identity)
        except (StepRefused, Unjudged) as refused:
            raise TargetFault(f"{name} could not be logged in: {refused}") from None
        identity.variables["user"] = identity.user
        for value in identity.cookies.values():
            self.target.secrets.add(value)
        self.logins.append(replace(identity, cookies=dict(identity.cookies)))
        if account is None and again is None:
            self._made.append(identity)
        return identity

    async def log_in_once_more(self, first: Identity) -> Identity:
        """Log an account in with a second cookie. Raises `Missing` if the target offers but one."""
        account = self.target.accounts[first.name]
        if (account is not None and account.cookie) or not (self.offers("login") or self.target.login_command):
            raise Missing(self.target.advice("login"))
        return await self.log_in(first.name, 0, again=first)

    def _credentials(self, name: str, lane: int, account: Account | None) -> dict[str, str]:
        if account is not None:
            return {"username": account.username or name, "password": account.password}
        password = secrets.token_urlsafe(12)
        self.target.secrets.add(password)
        username = f"{name}-{self.target.run}-{lane}"
        self._tried[username] += 1  # an attempt that came to nothing may have made an account all the same
        again = self._tried[username] - 1
        username = f"{username}-{again}" if again else username
        self.target.secrets.add_username(username)
        return {"username": username, "password": password}

    async def _log_in(self, identity: Identity, account: Account | None, *, new: bool) -> None:
        if account is not None and account.cookie:
            identity.cookies = parse_cookies(account.cookie)
            self._steps.take_cookies(identity)
        elif self._adapts("log_in"):
            await self._adapted("log_in", identity, account)
            complete(identity)
            self._steps.take_cookies(identity)
        elif self.target.login_command:
            identity.cookies = parse_cookies(await self._command(identity))
            self._steps.take_cookies(identity)
        else:
            found = await self._steps.carry_out("register" if new else "login", identity, {})
            identity.user = found.pop("user", identity.user)
            for value in found.values():
                self.target.secrets.add(value)
            identity.variables.update(found)
            identity.cookies = self._steps.socket_cookies(identity)

    async def _whoami(self, identity: Identity) -> str:
        if not self.offers("whoami"):
            raise StepRefused("nothing says by which id the server calls its user; capture `user`, or add [whoami]")
        return (await self._steps.carry_out("whoami", identity, {}))["user"]

    async def _command(self, identity: Identity) -> str:
        """Run the command that prints a cookie, in the folder of the target's file."""
        try:
            command = fill(self.target.login_command, identity.variables)
        except Undefined as undefined:
            raise TargetFault(f"login: {undefined}") from None
        folder = os.path.dirname(self.target.file or "") or "."  # noqa: PTH120 - asyncio wants no file system
        patience = 10 * self.target.limits.answer
        try:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise TargetFault(f"the login command {command[0]!r} could not be run: {error.strerror}") from None
        try:
            async with asyncio.timeout(patience):
                printed, complained = await process.communicate()
        except TimeoutError:
            raise StepRefused(f"the login command did not end within {patience:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode or not printed.strip():
            said = complained.decode(errors="replace").strip().splitlines()
            why = f"ended with {process.returncode}" if process.returncode else "printed no cookie"
            raise StepRefused(
                self.target.secrets.redact(f"the login command {why}" + (f": {said[-1]}" if said else ""))
            )
        return printed.decode(errors="replace")

    async def log_out(self, identity: Identity) -> None:
        """End an identity's login on the server."""
        if self._adapts("log_out"):
            await self._adapted("log_out", identity)
        else:
            await self._setting("logout", identity, {})

    def forget(self) -> None:
        """Take no account that was made so far away at the end: the server knows none of them any more."""
        self._made.clear()

    async def clear(self) -> list[str]:
        """Take away the accounts that were made, if the target says how; returns what could not be."""
        if not self.offers("unregister"):
            return []
        left = []
        for identity in list(self._made):
            try:
                alive = await self.log_in(identity.name, 0, again=identity)  # what it logged in by may be dead by now
                await self._setting("unregister", alive, {})
            except (Unjudged, TargetFault) as why:
                left.append(f"the account {identity.variables['username']}: {why}")
        return left


class Provisioner(AccountProvisioner):
    """Everything that prepares a scene on one target: accounts, game sessions, memberships, encounters.

    `opened` is how many game sessions were created.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.opened = 0

    async def open_session(self, host: Identity, label: str) -> dict[str, str]:
        """Open a game session of which `host` is game master; return its id as ``session``, with other captures."""
        label = f"{label}-{self.target.run}"
        self.opened += 1
        if self._adapts("open_session"):
            found = await self._adapted("open_session", host, label)
            return texts("open_session", found, 'a dict {"session": its id, ...}', "session")
        return await self._setting("session.open", host, {"label": label})

    async def close_session(self, host: Identity, session: str, variables: Mapping[str, str]) -> None:
        """Clear a session away, if the target says how."""
        if self._adapts("close_session"):
            await self._adapted("close_session", host, session, variables)
        elif self.offers("session.close"):
            await self._setting("session.close", host, {**variables, "session": session})

    async def add_member(self, host: Identity, session: str, member: Identity, variables: Mapping[str, str]) -> None:
        """Make somebody a participant."""
        if self._adapts("add_member"):
            await self._adapted("add_member", host, session, member, variables)
        else:
            await self._about_member("membership.add", host, session, member, variables)

    async def remove_member(self, host: Identity, session: str, member: Identity, variables: Mapping[str, str]) -> None:
        """Take somebody's membership away."""
        if self._adapts("remove_member"):
            await self._adapted("remove_member", host, session, member, variables)
        else:
            await self._about_member("membership.remove", host, session, member, variables)

    async def open_encounter(self, host: Identity, session: str, label: str, variables: Mapping[str, str]) -> str:
        """Open an encounter in a session; return its id."""
        label = f"{label}-{self.target.run}"
        if self._adapts("open_encounter"):
            found = await self._adapted("open_encounter", host, session, label, variables)
            return text("open_encounter", found, "the encounter's id, a text")
        found = await self._setting("encounter.open", host, {**variables, "session": session, "label": label})
        return found["encounter"]

    async def close_encounter(self, host: Identity, session: str, encounter: str, variables: Mapping[str, str]) -> None:
        """Clear an encounter away, if the target says how."""
        if self._adapts("close_encounter"):
            await self._adapted("close_encounter", host, session, encounter, variables)
        elif self.offers("encounter.close"):
            known = {**variables, "session": session, "encounter": encounter}
            await self._setting("encounter.close", host, known)

    async def open_token(self, host: Identity, session: str, encounter: str, variables: Mapping[str, str]) -> str:
        """Make a token in an encounter over HTTP; return its id."""
        label = f"token-{self.target.run}"
        if self._adapts("open_token"):
            found = await self._adapted("open_token", host, session, encounter, label, variables)
            return text("open_token", found, "the token's id, a text")
        known = {**variables, "session": session, "encounter": encounter, "label": label}
        return (await self._setting("token.open", host, known))["token"]

    async def _about_member(
        self, name: str, host: Identity, session: str, member: Identity, variables: Mapping[str, str]
    ) -> None:
        known = {**variables, "session": session, "member": member.user, "member-name": member.variables["username"]}
        await self._setting(name, host, known, member)


def parse_cookies(text: str) -> dict[str, str]:
    """Return the cookies of ``name=value; other=value``. Raises `TargetFault` if there are none."""
    pairs = (part.strip().partition("=") for part in text.strip().removeprefix("Cookie:").split(";"))
    found = {name: value for name, equals, value in pairs if name and equals}
    if not found:
        raise TargetFault("a cookie is written name=value, or name=value; other=value")
    if (wrong := next((name for name in found if not can_be_sent(name)), None)) is not None:
        raise TargetFault(f"no cookie can be called {wrong[:_SHOWN]!r}; a cookie is written name=value")
    return found
