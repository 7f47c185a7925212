"""How the steps of a target file are carried out over HTTP, on a small server of many ways."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.serving import running

from dungeonlab_conformance.adapter import Adapter
from dungeonlab_conformance.results.errors import Gone, Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.http.captures import HttpAnswer, NotThere, capture
from dungeonlab_conformance.stage.http.steps import HttpRunner, StepRefused
from dungeonlab_conformance.stage.provisioning import Provisioner, parse_cookies
from dungeonlab_conformance.target.http_steps import Csrf, HttpRequestStep
from dungeonlab_conformance.target.identity import Account, Identity
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

PAGE = '<html><head><meta name="token" content="from-meta"></head><form><input value="from-form" name=csrf></form>'


async def echo(request: web.Request) -> web.Response:
    """Tell what was asked."""
    body = await request.text()
    result = {
        "path": request.raw_path,
        "method": request.method,
        "body": body,
        "cookies": dict(request.cookies),
        "headers": {key: value for key, value in request.headers.items() if key.startswith("X-")},
        "list": [{"id": 7}],
    }
    return web.json_response(result, headers={"X-Request-Id": "r-1"})


async def page(_: web.Request) -> web.Response:
    answer = web.Response(text=PAGE, content_type="text/html")
    answer.set_cookie("xsrf", "from-cookie")
    return answer


async def log_in(request: web.Request) -> web.Response:
    form = await request.post()
    answer = web.Response(status=302, headers={"Location": "/somewhere-else"})
    answer.set_cookie("sid", f"cookie-of-{form['name']!s}", secure="secure" in form)
    return answer


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=403, text=f"no: {await request.text()}")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Return where the small server is."""
    app = web.Application()
    app.add_routes(
        [
            web.route("*", "/echo/{rest:.*}", echo),
            web.get("/page", page),
            web.post("/login", log_in),
            web.post("/refuse", refuse),
        ]
    )
    async with running(app) as url:
        yield url


async def taken(target: Target, *steps: HttpRequestStep, other: Identity | None = None, **known: str) -> dict[str, str]:
    """Take steps as somebody, and return what they captured."""
    target.steps = {"this": steps}
    runner = HttpRunner(target)
    try:
        return await runner.carry_out("this", Identity("host", "1", {"sid": "host"}), known, other)
    finally:
        await runner.close()


async def test_variables_go_into_path_body_and_headers(url: str) -> None:
    """Into a path they are escaped; two braces are one."""
    step = HttpRequestStep(
        "PUT",
        "/echo/{session}/x",
        json={"a": ["{member}", 5], "b": "{{{label}}}"},
        headers={"X-Who": "{member}"},
        capture={"path": "/path", "body": "/body", "who": "/headers/X-Who", "method": "/method"},
    )
    result = await taken(Target(url), step, session="a/b c", member="m-1", label="run")
    assert result["path"] == "/echo/a%2Fb%20c/x"
    assert result["body"] == '{"a": ["m-1", 5], "b": "{run}"}'
    assert result["who"] == "m-1"
    assert result["method"] == "PUT"


async def test_what_one_step_captures_the_next_one_knows(url: str) -> None:
    """From a form, a meta tag, a header, a cookie, and an element of a list."""
    result = await taken(
        Target(url),
        HttpRequestStep("GET", "/page", capture={"a": "input:csrf", "b": "input:token", "c": "cookie:xsrf"}),
        HttpRequestStep(
            "POST", "/echo/", form={"all": "{a} {b} {c}"}, capture={"body": "/body", "d": "header:X-Request-Id"}
        ),
        HttpRequestStep("GET", "/echo/{d}", capture={"path": "/path", "e": "/list/0/id"}),
    )
    assert result["body"] == "all=from-form+from-meta+from-cookie"
    assert result["path"] == "/echo/r-1"
    assert result["e"] == "7"


async def test_a_captured_number_stays_one_where_it_stands_alone(url: str) -> None:
    """In JSON; in a path, a form, a header or beside other text it is text."""
    result = await taken(
        Target(url),
        HttpRequestStep("POST", "/echo/", capture={"id": "/list/0/id"}),
        HttpRequestStep(
            "POST",
            "/echo/{id}",
            json=["{id}", "n-{id}"],
            headers={"X-Id": "{id}"},
            capture={"a": "/body", "b": "/path"},
        ),
        HttpRequestStep(
            "POST",
            "/echo/",
            form={"id": "{id}"},
            headers={"X-Id": "{id}"},
            capture={"c": "/body", "d": "/headers/X-Id"},
        ),
    )
    assert result == {"id": "7", "a": '[7, "n-7"]', "b": "/echo/7", "c": "id=7", "d": "7"}


async def test_a_secure_cookie_comes_back_over_plain_http(url: str) -> None:
    """As in browsers, which take localhost for secure: a server behind TLS elsewhere is judged without it here."""
    steps = (
        HttpRequestStep("POST", "/login", form={"name": "x", "secure": "yes"}, expect=(302,)),
        HttpRequestStep("GET", "/echo/", capture={"c": "/cookies/sid"}),
    )
    assert (await taken(Target(url), *steps))["c"] == "cookie-of-x"


async def test_a_step_of_a_member_is_theirs(url: str) -> None:
    """It goes out with the member's cookies, the others with the host's."""
    member = Identity("alice", "2", {"sid": "member"}, {"username": "alice"})
    result = await taken(
        Target(url),
        HttpRequestStep("POST", "/echo/", capture={"host": "/cookies/sid"}),
        HttpRequestStep("POST", "/echo/{username}", capture={"theirs": "/cookies/sid", "path": "/path"}, by="member"),
        other=member,
    )
    assert result == {"host": "host", "theirs": "member", "path": "/echo/alice"}


async def test_a_csrf_cookie_is_fetched_and_sent_back(url: str) -> None:
    """With what changes something, and not with what only asks."""
    target = Target(url, csrf=Csrf("xsrf", "X-Xsrf", "/page"))
    result = await taken(target, HttpRequestStep("POST", "/echo/", capture={"sent": "/headers/X-Xsrf"}))
    assert result["sent"] == "from-cookie"
    with pytest.raises(StepRefused, match="nothing at /headers/X-Xsrf"):
        await taken(target, HttpRequestStep("GET", "/echo/", capture={"sent": "/headers/X-Xsrf"}))


async def test_headers_of_the_file_go_everywhere(url: str) -> None:
    """With each step."""
    result = await taken(
        Target(url, headers={"X-Run": "5"}), HttpRequestStep("GET", "/echo/", capture={"run": "/headers/X-Run"})
    )
    assert result["run"] == "5"


async def test_another_answer_is_reported_without_what_is_secret(url: str) -> None:
    """Status and text, but for the password that the server sent back."""
    target = Target(url)
    target.secrets.add("hunter2/secret")
    with pytest.raises(StepRefused) as refused:
        await taken(
            target, HttpRequestStep("POST", "/refuse", json={"password": "{password}"}), password="hunter2/secret"
        )
    assert str(refused.value) == 'this: POST /refuse was answered 403 no: {"password": "***"}'
    with pytest.raises(StepRefused, match=r"was answered 302"):  # a redirect is another answer too
        await taken(target, HttpRequestStep("POST", "/login", form={"name": "x"}))
    assert await taken(target, HttpRequestStep("POST", "/login", form={"name": "x"}, expect=(302,))) == {}


async def test_an_unknown_variable_and_a_server_that_is_gone() -> None:
    """The one is a fault of the file, the other leaves the scene unjudged."""
    with pytest.raises(TargetFault, match=r"names \{nobody\}"):
        await taken(Target("http://127.0.0.1:9"), HttpRequestStep("GET", "/{nobody}"))
    with pytest.raises(Gone):
        await taken(Target("http://127.0.0.1:9"), HttpRequestStep("GET", "/"))


@pytest.mark.parametrize(
    ("text", "source", "why"),
    [
        ("{}", "/id", "nothing at /id"),
        ("[1]", "/4", "nothing at /4"),
        ("[1]", "/x", "nothing at /x"),
        ('{"id": null}', "/id", "neither a text nor a number"),
        ('{"id": true}', "/id", "neither a text nor a number"),
        ('{"id": ""}', "/id", "neither a text nor a number"),
        ("<html>", "/id", "is no JSON"),
        ("<html>", "input:csrf", "no input 'csrf'"),
        ("<html>", "cookie:sid", "no cookie 'sid'"),
        ("<html>", "header:X-Id", "no header 'X-Id'"),
    ],
)
def test_what_is_not_there(text: str, source: str, why: str) -> None:
    """Where it was looked for is said."""
    with pytest.raises(NotThere, match=why):
        capture(HttpAnswer(200, text, {}, {}), source)


def test_json_pointers_are_those_of_the_standard() -> None:
    """Slash and tilde in a key are escaped, and the empty key is one."""
    answer = HttpAnswer(200, '{"a/b": {"m~n": {"": "x"}}}', {}, {})
    assert capture(answer, "/a~1b/m~0n/") == "x"


# -- who logs in -------------------------------------------------------------------------------------


def target_with(url: str, account: Account | None, **more: Any) -> Target:
    steps = more.pop("steps", {"whoami": (HttpRequestStep("GET", "/echo/me", capture={"user": "/cookies/sid"}),)})
    return Target(url, accounts={"alice": account}, steps=steps, limits=Limits(0.5), **more)


async def test_a_ready_cookie_is_a_login(url: str) -> None:
    """The server is asked whose it is; there is no second one."""
    provisioner = Provisioner(target_with(url, Account(cookie="sid=cookie-4711; other=1")))
    alice = await provisioner.log_in("alice", 0)
    assert alice.user == "cookie-4711"
    assert alice.cookies == {"sid": "cookie-4711", "other": "1"}
    with pytest.raises(Missing, match=r"second login for an account; add \[login\]"):
        await provisioner.log_in_once_more(alice)
    await provisioner.close()


async def test_a_command_prints_a_cookie(url: str) -> None:
    """It is given what the template says, and what it printed is hidden from then on."""
    command = (sys.executable, "-c", "import sys; print('sid=cookie-of-' + sys.argv[1])", "{username}")
    target = target_with(url, Account(username="ann"), login_command=command)
    provisioner = Provisioner(target)
    alice = await provisioner.log_in("alice", 0)
    assert alice.user == "cookie-of-ann"
    assert target.secrets.redact("it is cookie-of-ann") == "it is ***"
    await provisioner.close()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('wrong password hunter2-secret')", r"ended with 1: wrong password \*\*\*"),
        ("", "printed no cookie"),
        ("print('no cookie at all')", "a cookie is written name=value"),
        ("print('no name=value')", "no cookie can be called 'no name'"),
    ],
)
async def test_a_command_that_fails(url: str, code: str, why: str) -> None:
    """The reason is its last word, without the password."""
    target = target_with(url, Account(password="hunter2-secret"), login_command=(sys.executable, "-c", code))
    target.secrets.add("hunter2-secret")
    with pytest.raises(TargetFault, match=why):
        await Provisioner(target).log_in("alice", 0)


async def test_a_command_that_is_none(url: str) -> None:
    """One sentence, with its name."""
    target = target_with(url, Account(), login_command=("/no/such/program",))
    with pytest.raises(TargetFault, match="'/no/such/program' could not be run: No such file"):
        await Provisioner(target).log_in("alice", 0)


async def test_a_login_by_form_keeps_what_it_captures(url: str) -> None:
    """Cookies and variables are the account's from then on; each login has a jar of its own."""
    steps = {
        "login": (HttpRequestStep("POST", "/login", form={"name": "{username}"}, expect=(302,)),),
        "whoami": (HttpRequestStep("GET", "/echo/me", capture={"user": "/cookies/sid"}),),
        "logout": (HttpRequestStep("POST", "/echo/{user}", capture={}),),
    }
    provisioner = Provisioner(target_with(url, Account(username="ann"), steps=steps))
    alice = await provisioner.log_in("alice", 0)
    again = await provisioner.log_in_once_more(alice)
    assert alice.user == again.user == "cookie-of-ann"
    assert alice.cookies is not again.cookies
    await provisioner.log_out(again)
    await provisioner.close()


def test_cookies_as_they_are_copied() -> None:
    """With a header's name in front, or equals signs in the value."""
    assert parse_cookies("Cookie: a=1; b=x==\n") == {"a": "1", "b": "x=="}


# -- adapters ----------------------------------------------------------------------------------------


class Own(Adapter):
    """Does some things itself and leaves others to the file."""

    async def log_in(self, identity: Identity, account: Account | None) -> None:  # noqa: ARG002
        identity.user, identity.cookies = "u-1", {"sid": "by-adapter"}
        identity.variables["note"] = "kept"

    async def open_session(self, host: Identity, label: str) -> dict[str, str]:
        return {"session": f"{label} by {host.user}", "invite": "i-1"}

    async def add_member(self, *_: object) -> None:
        raise RuntimeError("hunter2-secret is wrong")


async def test_an_adapter_does_what_it_defines(url: str) -> None:
    """What it does not define is done by the file's steps, with the cookies that it set."""
    target = target_with(url, None, adapter=Own, steps={"session.close": (HttpRequestStep("POST", "/echo/{session}"),)})
    provisioner = Provisioner(target)
    alice = await provisioner.log_in("alice", 0)
    assert (alice.user, alice.variables["note"]) == ("u-1", "kept")
    place = await provisioner.open_session(alice, "conformance")
    assert place == {"session": f"conformance-{target.run} by u-1", "invite": "i-1"}
    await provisioner.close_session(alice, place["session"], place)
    assert not provisioner.offers("membership.remove")
    assert provisioner.offers("membership.add")
    await provisioner.close()


async def test_what_an_adapter_raises_is_no_finding(url: str) -> None:
    """The scene is unjudged, and the message without secrets."""
    target = target_with(url, None, adapter=Own)
    target.secrets.add("hunter2-secret")
    provisioner = Provisioner(target)
    alice = await provisioner.log_in("alice", 0)
    with pytest.raises(Unjudged, match=r"the adapter's add_member raised RuntimeError: \*\*\* is wrong"):
        await provisioner.add_member(alice, "s", alice, {"invite": "i-1"})
    await provisioner.close()
