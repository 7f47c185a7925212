"""Carries out the steps of a target's file: HTTP requests with variables put in and captures taken out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from http.cookies import CookieError
from urllib.parse import quote

import aiohttp
from yarl import URL

from dungeonlab_conformance.clients.http.client import Unreadable, new_connector, read_text, session_for
from dungeonlab_conformance.clients.http.cookies import sent_to, why_not_sent
from dungeonlab_conformance.clients.http.diagnosis import reason
from dungeonlab_conformance.results.errors import Gone, TargetFault, Unjudged
from dungeonlab_conformance.stage.http.captures import HttpAnswer, NotThere, capture
from dungeonlab_conformance.target.http_steps import HttpRequestStep
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.rate_limits import Turn, pause_wanted
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.printable import one_line, shortened
from dungeonlab_conformance.text.templates import Undefined, fill

_SHOWN = 200  # characters of an unexpected answer
_RENEWALS = 100  # cookies hidden; a server that renews them with each answer would make hiding slower and slower
_SAFE = ("GET", "HEAD", "OPTIONS")


class StepRefused(Exception):  # noqa: N818
    """A step was answered otherwise than expected; the message says by what, and holds no secret."""


def _what_to_do(answer: HttpAnswer) -> str:
    """Say what to do about an answer that was not expected, where its status says that; empty otherwise."""
    if pause_wanted(answer) is not None:
        return "; raise the server's rate limit for the run"
    if 300 <= answer.status < 400:
        where = one_line(shortened(answer.headers.get("Location", "nowhere"), _SHOWN))
        return f" to {where}; redirects are not followed: expect = {answer.status} if that means that it worked"
    return ""


class HttpRunner:
    """One HTTP session per identity, and the steps taken on them, over connections that all of them share."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._https: dict[Identity, aiohttp.ClientSession] = {}
        self._connector: aiohttp.TCPConnector | None = None  # made when it is first needed
        self._given: set[Identity] = set()  # who has been given cookies that are not theirs yet
        self._kept_back: dict[Identity, dict[str, str]] = {}  # by cookie: why it is not sent, if it is not
        self._hidden = 0  # cookies that were renewed
        self._alone: defaultdict[Identity, asyncio.Lock] = defaultdict(asyncio.Lock)  # where an answer ends a cookie
        self._turns: defaultdict[str, Turn] = defaultdict(Turn)  # of steps that come too often, by name

    async def carry_out(
        self, name: str, who: Identity, known: Mapping[str, str], member: Identity | None = None
    ) -> dict[str, str]:
        """Take all steps of one name, as `who` or, where a step says so, as the member; returns what they captured.

        Raises `StepRefused`, `Unjudged` if there is no answer in time, `Gone` if there is no server.
        """
        found: dict[str, str] = {}
        for step in self.target.steps[name]:
            try:
                doer = member if step.by == "member" and member is not None else who
                async with self._alone[doer] if self._hidden else nullcontext():
                    found.update(await self._one(name, step, doer, {**doer.variables, **known, **found}))
                    if name != "logout" and doer in self._given:  # those of a logout are to be tried when they are dead
                        self._given.remove(doer)
                        self._renew(doer)
            except Undefined as undefined:
                raise TargetFault(f"{name}: {undefined}") from None
        return found

    def cookies(self, who: Identity) -> dict[str, str]:
        """Return the cookies that an identity has been given."""
        return {cookie.key: cookie.value for cookie in self._http(who).cookie_jar}

    def socket_cookies(self, who: Identity) -> dict[str, str]:
        """Return the cookies of an identity that go to the Socket.IO server.

        Raises `StepRefused` if there are cookies, but none that goes there.
        """
        sent = sent_to(self._http(who).cookie_jar, URL(self.target.socket))
        for name, why in self._kept_back.get(who, {}).items():
            if why and not sent:
                raise StepRefused(f"the cookie {name} is not sent to {self.target.socket}, since {why}")
        return sent

    def _renew(self, who: Identity) -> None:
        """Let an identity have the cookies that the last answer gave it in place of older ones; hide them."""
        for name, value in sent_to(self._http(who).cookie_jar, URL(self.target.socket)).items():
            if who.cookies.get(name) not in (None, value) and self._hidden < _RENEWALS:
                self._hidden += 1
                self.target.secrets.add(value)
            who.cookies[name] = value

    async def close(self) -> None:
        """Close every HTTP session, and what they share."""
        await asyncio.gather(*(http.close() for http in self._https.values()))
        if self._connector is not None:
            await self._connector.close()

    async def _one(self, name: str, step: HttpRequestStep, who: Identity, known: Mapping[str, str]) -> dict[str, str]:
        path = fill(step.path, {key: quote(value, safe="", errors="surrogatepass") for key, value in known.items()})
        what = f"{name}: {step.method} {path}"
        redact = self.target.secrets.redact

        async def ask() -> HttpAnswer:
            try:
                async with asyncio.timeout(2 * self.target.limits.answer):
                    texts = {key: str(value) for key, value in known.items()}
                    headers = {**fill(dict(step.headers), texts), **await self._csrf(step, who)}
                    return await self._ask(step, path, headers, who, known)
            except TimeoutError:
                raise Unjudged(redact(f"{what} was not answered in time")) from None
            except Unreadable as unreadable:
                raise Unjudged(redact(f"{what} {unreadable}")) from None
            except (aiohttp.ClientError, OSError, CookieError, ValueError) as error:
                raise Gone(redact(f"{what} failed: {reason(error)}")) from None

        if 429 in step.expect or 503 in step.expect:
            answer = await ask()
        else:
            answer = await self.target.rate_limit.within(self._turns[name], ask)
        if not (answer.status in step.expect if step.expect else 200 <= answer.status < 300):
            answered = redact(f"{what} was answered {answer.status} {answer.text.strip()}")[: 2 * _SHOWN].rstrip()
            raise StepRefused(answered + redact(_what_to_do(answer)))
        try:
            return {variable: capture(answer, source) for variable, source in step.capture.items()}
        except NotThere as missing:
            raise StepRefused(redact(f"{what} was answered {answer.status}, but {missing}")) from None

    async def _ask(
        self, step: HttpRequestStep, path: str, headers: dict[str, str], who: Identity, known: Mapping[str, str]
    ) -> HttpAnswer:
        http = self._http(who)
        url = self.target.base + path
        texts = {name: str(value) for name, value in known.items()}
        async with http.request(
            step.method,
            url,
            json=fill(step.json, known) if step.json is not None else None,
            data=fill(dict(step.form), texts) if step.form is not None else None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            text = await read_text(answer)
            headers_set = self._set_cookies(answer, who)
            self._kept_back.setdefault(who, {}).update(
                why_not_sent(header, URL(url), URL(self.target.socket)) for header in headers_set
            )
            return HttpAnswer(answer.status, text, answer.headers, self.cookies(who))

    async def _csrf(self, step: HttpRequestStep, who: Identity) -> dict[str, str]:
        csrf = self.target.csrf
        if csrf is None or step.method in _SAFE:
            return {}
        if csrf.cookie not in self.cookies(who) and csrf.path is not None:
            async with self._http(who).get(self.target.base + csrf.path, allow_redirects=False) as answer:
                await read_text(answer)
                self._set_cookies(answer, who)
        value = self.cookies(who).get(csrf.cookie)
        return {csrf.header: value} if value else {}

    def _set_cookies(self, answer: aiohttp.ClientResponse, who: Identity) -> Sequence[str]:
        headers = answer.headers.getall("Set-Cookie", ())
        if headers:
            self._given.add(who)
        return headers

    def _http(self, who: Identity) -> aiohttp.ClientSession:
        if self._connector is None:
            self._connector = new_connector(self.target.verify)
        if who not in self._https:
            self._https[who] = session_for(self.target, who, self._connector)
        return self._https[who]

    def take_cookies(self, who: Identity) -> None:
        """Let an identity's HTTP session carry the cookies it has now."""
        self._http(who).cookie_jar.update_cookies(who.cookies, URL(self.target.url))
