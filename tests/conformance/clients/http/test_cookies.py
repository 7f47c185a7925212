"""Cookies are kept and sent as browsers do; one that does not reach the Socket.IO server is named, with the reason."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.conformance.bytes_server import bytes_server, http
from tests.serving import running
from yarl import URL

from dungeonlab_conformance.clients.handshake import handshake
from dungeonlab_conformance.clients.http.client import new_session
from dungeonlab_conformance.clients.http.cookies import sent_to
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.http_steps import HttpRequestStep
from dungeonlab_conformance.target.identity import Account, Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.app import make_app
from dungeonlab_reference_server.pipeline import COOKIE
from dungeonlab_spec import Catalogue

LOGIN = {
    "login": (HttpRequestStep("POST", "/in", capture={"user": "header:X-User"}),),
    "whoami": (HttpRequestStep("GET", "/me"),),
}


def sent(head: str) -> list[str]:
    """Return the cookies of a request's head."""
    return [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("cookie:")]


async def logged_in(server_url: str, **options: Any) -> Identity:
    """Return who logs in by LOGIN."""
    provisioner = Provisioner(Target(server_url, steps=LOGIN, accounts={"alice": Account()}, **options))
    try:
        return await provisioner.log_in("alice", 0)
    finally:
        await provisioner.close()


@pytest.mark.parametrize(
    "value",
    [
        "s%3Aabc.def%2Bg%3D",  # signed, as express-session does
        '"quoted value"',
        r'"a\054b\"c"',  # as Python's http.cookies writes "a,b
        "a=b==",
        '{"j":1,"k":[2]}',
        "two words",
        '"open',
        '""',
    ],
)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_value_goes_back_as_it_came(value: str, transport: str) -> None:
    """To the Socket.IO server, and with further requests."""
    async with bytes_server(lambda _: http("200 OK", b"{}", "X-User: u", f"Set-Cookie: sid={value}; Path=/")) as server:
        alice = await logged_in(server.url)
        await handshake(Target(server.url), alice, transport=transport)
        assert sent(server.asked[-1]) == [f"sid={value}"]


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ("Domain=vtt.example.org", "the domain vtt.example.org; set [server] url to a host of that domain"),
        ("Domain=" + "x" * 900, "it is for the domain xxx"),
        ("Path=/api", "its path /api does not cover /socket.io/; if a proxy adds that path, set it as prefix"),
        ("Path=/socket", "its path /socket does not cover /socket.io/"),
    ],
)
async def test_a_cookie_that_does_not_get_there_is_named(attributes: str, says: str) -> None:
    """Its name, why, and the key that helps; it cannot be tested, and is no finding."""
    answer = http("200 OK", b"{}", "X-User: u", f"Set-Cookie: sid=secret; {attributes}")
    async with bytes_server(lambda _: answer) as server:
        with pytest.raises(TargetFault) as raised:
            await logged_in(server.url)
        start = f"alice could not be logged in: the cookie sid is not sent to {server.url}/socket.io/, since "
        assert str(raised.value).startswith(start)
        assert says in str(raised.value)
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    "attributes",
    ["Path=/; Secure", "Secure; SameSite=None", "Path=/socket.io", "Path=/socket.io/", "Domain=127.0.0.1", "Path=x"],
)
async def test_a_cookie_that_gets_there_is_sent(attributes: str) -> None:
    """Secure ones too, over plain HTTP, as browsers do on localhost: TLS may end at a proxy."""
    answer = http("200 OK", b"{}", "X-User: u", "Set-Cookie: gone=; Path=/api", f"Set-Cookie: sid=secret; {attributes}")
    async with bytes_server(lambda _: answer) as server:
        assert (await logged_in(server.url)).cookies == {"sid": "secret"}


async def test_a_cookie_of_the_prefix_gets_there() -> None:
    """What the proxy adds is part of the path."""
    answer = http("200 OK", b"{}", "X-User: u", "Set-Cookie: sid=secret; Path=/vtt")
    async with bytes_server(lambda _: answer) as server:
        assert (await logged_in(server.url, prefix="/vtt")).cookies == {"sid": "secret"}


async def test_a_cookie_for_something_else_is_no_trouble() -> None:
    """One that gets there is enough; the others stay where they belong."""
    cookies = (
        "Set-Cookie: sid=secret; Path=/",
        "Set-Cookie: refresh=r; Path=/auth",
        "Set-Cookie: ad=a; Domain=ads.example",
    )
    async with bytes_server(lambda _: http("200 OK", b"{}", "X-User: u", *cookies)) as server:
        assert (await logged_in(server.url)).cookies == {"sid": "secret"}


async def test_a_cookie_called_as_none_can_be_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A server may call one like an attribute, or with a space; those beside it are sent, and nothing is printed."""
    url = URL("http://127.0.0.1:1/")
    async with new_session(str(url), {"Path": "x", "a b": "x", "good": "y"}, {}) as http:
        headers = ["Path=/; Path=/", "expires=soon", "a b=c", "other=z"]
        http.cookie_jar.update_cookies_from_headers(headers, url)
        sent = sent_to(http.cookie_jar, url)
    assert sent == {"good": "y", "other": "z"}
    await new_session(str(url), sent, {}).close()
    assert capfd.readouterr().err == ""


async def test_cookies_without_an_end_are_bounded() -> None:
    """However many an answer sets, and however many answers do."""
    numbers = itertools.count()

    def answer(_: str) -> list[bytes]:
        return http(
            "200 OK", b"{}", "X-User: u", *(f"Set-Cookie: c{next(numbers)}={'x' * 4000}; Path=/" for _ in range(99))
        )

    async with bytes_server(answer) as server:
        provisioner = Provisioner(Target(server.url, steps=LOGIN, accounts={"alice": Account()}))
        try:
            for _ in range(20):
                alice = await provisioner.log_in("alice", 0)
        finally:
            await provisioner.close()
    assert len(alice.cookies) <= 200


@asynccontextmanager
async def rolling() -> AsyncIterator[str]:
    """Serve a reference server whose cookie has another name and quotes, and another value after each answer."""
    names: dict[str, str] = {}  # the value that is valid, to the reference server's own
    numbers = itertools.count()

    @web.middleware
    async def renew(request: web.Request, handler: Any) -> web.StreamResponse:
        ours = names.get(request.cookies.get("connect.sid", ""))
        headers = {**request.headers, "Cookie": f"{COOKIE}={ours}" if ours else ""}
        answer: web.StreamResponse = await handler(request.clone(headers=headers))
        made = answer.cookies.pop(COOKIE, None)
        value = made.value if made is not None else ours
        if request.path.startswith("/api/") and value and not request.path.endswith("/logout"):
            name = f"r {next(numbers)}"
            for old in [old for old, kept in names.items() if kept == value]:
                del names[old]
            names[name] = value
            answer.headers.add("Set-Cookie", f'connect.sid="{name}"; Path=/; HttpOnly')
        return answer

    app = make_app()
    app.middlewares.append(renew)
    async with running(app) as url:
        yield url


async def test_a_server_that_renews_its_cookie_with_each_answer_is_judged() -> None:
    """The old value is dead at once; nothing fails, and who has logged out is still tried with a dead cookie."""
    async with rolling() as url:
        only = ("connect/websocket", "connect/polling", "chat", "auth/logged-out*", "rooms/removed*")
        run = await Runner(Target(url), scenes(Selection(only=only), Catalogue.load())).play()
    assert run.fault is None
    assert {v.requirement: v.reason or v.findings for v in run.verdicts if v.outcome is not Outcome.PASS} == {}
