"""Carries out the steps that set a stage: logging in, opening sessions, enrolling, revoking. Judges nothing."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp

from dungeonlab_conformance.target import Identity, Step, Target
from dungeonlab_conformance.verdict import Gone, Missing, TargetFault, Unjudged

_VARIABLE = re.compile(r"\{([a-z]+)\}")


class StepRefused(Exception):  # noqa: N818
    """A step was answered otherwise than expected; the message says by what."""


class Backstage:
    """What happens on a target before and after a scene, over its HTTP side."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.run = secrets.token_hex(3)
        self._https: dict[int, aiohttp.ClientSession] = {}

    def offers(self, name: str) -> bool:
        """Whether the target says how to do this."""
        return bool(self.target.steps.get(name))

    async def log_in(self, actor: str, lane: int, *, again: Identity | None = None) -> Identity:
        """Make an account for an actor and log it in; or log an identity in once more, with a cookie of its own.

        Raises `TargetFault` if the server refuses.
        """
        variables = (
            dict(again.variables)
            if again
            else {
                "actor": actor,
                "run": self.run,
                "username": f"{actor}-{self.run}-{lane}",
                "password": secrets.token_urlsafe(12),
            }
        )
        identity = Identity(actor, "", {}, variables)
        name = "login" if again else "register"
        try:
            identity.user = (await self._carry_out(name, identity, variables))["user"]
        except StepRefused as refused:
            raise TargetFault(f"{actor} could not be logged in: {refused}") from None
        except KeyError:
            raise TargetFault(f"the step {name!r} captures no 'user', the id of who logged in") from None
        http = self._http(identity)
        identity.cookies = {c.key: c.value for c in http.cookie_jar}
        return identity

    async def log_out(self, identity: Identity) -> None:
        """End an identity's login on the server."""
        await self._setting("logout", identity, {})

    async def open_session(self, host: Identity, label: str) -> str:
        """Open a game session of which `host` is game master; return its id."""
        return (await self._setting("open-session", host, {"label": f"{label}-{self.run}"}))["session"]

    async def close_session(self, host: Identity, session: str) -> None:
        """Clear a session away, if the target says how."""
        if self.offers("close-session"):
            await self._setting("close-session", host, {"session": session})

    async def enrol(self, host: Identity, session: str, member: Identity) -> None:
        """Make somebody a participant."""
        await self._setting("enrol", host, {"session": session, "member": member.user})

    async def revoke(self, host: Identity, session: str, member: Identity) -> None:
        """Take somebody's membership away."""
        await self._setting("revoke", host, {"session": session, "member": member.user})

    async def open_encounter(self, host: Identity, session: str, label: str) -> str:
        """Open an encounter in a session; return its id."""
        found = await self._setting("open-encounter", host, {"session": session, "label": label})
        return found["encounter"]

    async def close(self) -> None:
        """Close every HTTP session."""
        await asyncio.gather(*(http.close() for http in self._https.values()))

    async def _setting(self, name: str, who: Identity, variables: Mapping[str, str]) -> dict[str, str]:
        if not self.offers(name):
            raise Missing(name)
        try:
            return await self._carry_out(name, who, {**who.variables, **variables})
        except StepRefused as refused:
            raise Unjudged(f"the stage could not be set: {refused}") from None

    async def _carry_out(self, name: str, who: Identity, variables: Mapping[str, str]) -> dict[str, str]:
        known = dict(variables)
        for step in self.target.steps[name]:
            known.update(await self._one(name, step, who, known))
        return known

    async def _one(self, name: str, step: Step, who: Identity, known: Mapping[str, str]) -> dict[str, str]:
        url = self.target.url + fill(step.path, known)
        try:
            async with (
                asyncio.timeout(2 * self.target.limits.answer),
                self._http(who).request(
                    step.method,
                    url,
                    json=fill(step.json, known) if step.json is not None else None,
                    data=fill(step.form, known) if step.form is not None else None,
                    headers=fill(dict(step.headers), known),
                ) as answer,
            ):
                if answer.status not in step.expect:
                    said = (await answer.text(errors="replace"))[:200]
                    raise StepRefused(f"{name}: {step.method} {fill(step.path, known)} answered {answer.status} {said}")
                body = await answer.json(content_type=None) if step.capture else None
        except TimeoutError:
            raise Unjudged(f"{name}: {step.method} {step.path} was not answered in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Gone(f"{name}: {step.method} {step.path} failed: {error}") from None
        except ValueError:
            raise StepRefused(f"{name}: {step.method} {step.path} answered no JSON") from None
        return {variable: _pick(name, body, pointer) for variable, pointer in step.capture.items()}

    def _http(self, who: Identity) -> aiohttp.ClientSession:
        if id(who) not in self._https:
            self._https[id(who)] = self.target.http_session(who)
        return self._https[id(who)]


def fill(template: Any, known: Mapping[str, str]) -> Any:
    """Put variables into every text of a template. Raises `TargetFault` for one that nothing defines."""
    if isinstance(template, dict):
        return {key: fill(value, known) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, known) for value in template]
    if not isinstance(template, str):
        return template

    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise TargetFault(f"{template!r} names {{{match[1]}}}, which nothing defines")
        return known[match[1]]

    return _VARIABLE.sub(value, template)


def _pick(name: str, body: Any, pointer: str) -> str:
    found = body
    for part in pointer.strip("/").split("/"):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise StepRefused(f"{name}: the answer has nothing at {pointer}") from None
    return str(found)
