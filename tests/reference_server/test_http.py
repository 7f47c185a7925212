"""The HTTP side: accounts, cookies, sessions; who may do what; origins; and errors in JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from tests.reference_server.people import PASSWORD, House, house

from dungeonlab_reference_server.origins import is_own
from dungeonlab_reference_server.passwords import check_password, hash_password
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import MemoryStore


def attributes(answer: aiohttp.ClientResponse) -> set[str]:
    """Return the attributes of the cookie that an answer sets."""
    (header,) = answer.headers.getall("Set-Cookie")
    return {part.strip().lower() for part in header.split(";")[1:]}


async def test_an_account(here: House) -> None:
    """Registered and logged in at once; logged out, the cookie is worthless; logging in yields another."""
    bob = await here.person("bob")
    assert await bob.asks("GET", "/api/auth/me") == {"id": bob.id, "username": "bob"}
    (first,) = bob.http.cookie_jar
    await bob.asks("POST", "/api/auth/logout", expect=204)
    assert not list(bob.http.cookie_jar)
    stale = {"Cookie": f"{first.key}={first.value}"}
    assert (await bob.asks("GET", "/api/auth/me", expect=401, headers=stale))["code"] == "UNAUTHENTICATED"
    await bob.asks("POST", "/api/auth/logout", expect=401, headers=stale)
    again = await bob.asks("POST", "/api/auth/login", {"username": "bob", "password": PASSWORD})
    assert again == {"id": bob.id, "username": "bob"}
    (second,) = bob.http.cookie_jar
    assert second.value != first.value
    assert len(second.value) >= 40


async def test_logging_out_ends_one_login_of_several(here: House) -> None:
    """A user's other logins go on: the cookie dies that was logged out."""
    bob = await here.person("bob")
    other = {"username": "bob", "password": PASSWORD}
    async with aiohttp.ClientSession(here.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as phone:
        async with phone.post("/api/auth/login", json=other) as answer:
            assert answer.status == 200
        await bob.asks("POST", "/api/auth/logout", expect=204)
        async with phone.get("/api/auth/me") as answer:
            assert answer.status == 200


@pytest.mark.parametrize("body", [{"username": "bob", "password": "wrong"}, {"username": "nobody", "password": "x"}])
async def test_a_wrong_login_is_refused(here: House, body: dict[str, str]) -> None:
    """Without saying which of the two was wrong, and without a cookie."""
    bob = await here.person("bob")
    bob.http.cookie_jar.clear()
    answer = await bob.asks("POST", "/api/auth/login", body, expect=401)
    assert answer == {"error": "wrong username or password", "code": "UNAUTHENTICATED"}
    assert not list(bob.http.cookie_jar)


async def test_a_username_is_taken_once(here: House) -> None:
    """The second gets 409, and no cookie."""
    bob = await here.person("bob")
    body = {"username": "bob", "password": "another one"}
    assert (await bob.asks("POST", "/api/auth/register", body, expect=409))["code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("headers", "secure"),
    [({}, False), ({"X-Forwarded-Proto": "https"}, True), ({"X-Forwarded-Proto": "https, http"}, True)],
)
async def test_the_cookie_is_kept_from_scripts_and_other_sites(here: House, headers: Any, secure: bool) -> None:
    """HttpOnly and SameSite=Lax always, Secure where the browser speaks TLS, to a proxy in front too."""
    await here.person("bob")
    body = {"username": "bob", "password": PASSWORD}
    async with aiohttp.ClientSession(here.url, headers=headers) as http:
        answer = await http.post("/api/auth/login", json=body)
        assert attributes(answer) == {"httponly", "samesite=lax", "path=/"} | ({"secure"} if secure else set())


BAD_ACCOUNTS: dict[str, Any] = {
    "no username": {"password": PASSWORD},
    "short password": {"username": "x", "password": "1234567"},
    "long username": {"username": "x" * 65, "password": PASSWORD},
    "empty username": {"username": "", "password": PASSWORD},
    "number": {"username": 5, "password": PASSWORD},
    "null name": {"username": "x", "password": PASSWORD, "displayName": None},
    "surrogate": {"username": "\ud800", "password": PASSWORD},
    "zero": {"username": "a\x00b", "password": PASSWORD},
    "array": [],
    "text": "hello",
}


@pytest.mark.parametrize("body", BAD_ACCOUNTS.values(), ids=BAD_ACCOUNTS)
async def test_a_body_that_does_not_fit_is_refused(here: House, body: Any) -> None:
    """400 and VALIDATION_ERROR, and no account is made."""
    async with aiohttp.ClientSession(here.url) as http, http.post("/api/auth/register", json=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "VALIDATION_ERROR"
    assert not here.store._users


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000, b"NaN"])
async def test_a_body_that_is_no_json_is_refused(here: House, body: bytes) -> None:
    """400, whatever it is."""
    async with aiohttp.ClientSession(here.url) as http, http.post("/api/auth/login", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "VALIDATION_ERROR"


async def test_a_body_that_is_too_large_is_refused(here: House) -> None:
    """413, in JSON."""
    async with aiohttp.ClientSession(here.url) as http, http.post("/api/auth/login", data=b" " * 70_000) as answer:
        assert answer.status == 413
        assert (await answer.json())["code"] == "TOO_LARGE"


async def test_a_body_may_arrive_in_pieces(here: House) -> None:
    """A slow link cuts a body anywhere; it is the same body."""
    raw = json.dumps({"username": "bob", "password": PASSWORD}).encode()

    async def pieces() -> Any:
        for i in range(0, len(raw), 10):
            yield raw[i : i + 10]
            await asyncio.sleep(0.002)

    async with aiohttp.ClientSession(here.url) as http, http.post("/api/auth/register", data=pieces()) as answer:
        assert answer.status == 201


async def test_a_session_belongs_to_who_opened_it(here: House) -> None:
    """The caller is game master and no participant; members see it, others do not."""
    gm, bob, mallory = await here.person(), await here.person(), await here.person()
    session = await here.table(gm, bob)
    shown = {"id": session, "name": "A table", "gameMasterId": gm.id, "participantIds": [bob.id]}
    for member in (gm, bob):
        assert await member.asks("GET", f"/api/game-sessions/{session}") == shown
    assert (await mallory.asks("GET", f"/api/game-sessions/{session}", expect=403))["code"] == "PERMISSION_DENIED"


async def test_what_only_the_game_master_may_do(here: House) -> None:
    """Participants and strangers are refused, users who are not logged in are asked to, and nothing has changed."""
    gm, bob, mallory = await here.person(), await here.person(), await here.person()
    session = await here.table(gm, bob)
    nobody = await here.person()
    nobody.http.cookie_jar.clear()
    path = f"/api/game-sessions/{session}"
    for who, status in ((bob, 403), (mallory, 403), (nobody, 401)):
        await who.asks("DELETE", path, expect=status)
        await who.asks("PUT", f"{path}/participants/{mallory.id}", expect=status)
        await who.asks("DELETE", f"{path}/participants/{bob.id}", expect=status)
        await who.asks("POST", f"{path}/encounters", {"name": "x"}, expect=status)
    assert (await gm.asks("GET", path))["participantIds"] == [bob.id]


async def test_what_is_not_there(here: House) -> None:
    """404 for sessions, users and paths, 405 for methods, in JSON."""
    gm = await here.person()
    session = await here.table(gm)
    for method, path in (
        ("GET", "/api/game-sessions/nowhere"),
        ("DELETE", "/api/game-sessions/%00"),
        ("PUT", f"/api/game-sessions/{session}/participants/nobody"),
        ("DELETE", f"/api/game-sessions/{session}/participants/nobody"),
        ("POST", "/api/game-sessions/nowhere/encounters"),
        ("GET", "/nowhere"),
        ("GET", "/"),
    ):
        answer = await gm.asks(method, path, {"name": "x"} if method == "POST" else None, expect=404)
        assert answer["code"] == "NOT_FOUND", path
    async with gm.http.patch("/api/game-sessions") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
        assert set(await answer.json()) == {"error", "code"}


async def test_the_server_says_that_it_is_up(here: House) -> None:
    """Without a login."""
    async with aiohttp.ClientSession(here.url) as http, http.get("/healthz") as answer:
        assert await answer.json() == {"status": "ok"}


async def test_a_fault_of_the_server_is_answered_in_json(caplog: pytest.LogCaptureFixture) -> None:
    """500, INTERNAL_ERROR, and nothing of what the client sent in the log."""

    class Falls(MemoryStore):
        async def user_named(self, username: str) -> Any:
            raise KeyError(username)

    body, path = {"username": "hush", "password": "hush"}, "/api/auth/login"
    async with house(store=Falls()) as broken, aiohttp.ClientSession(broken.url) as http:
        answer = await http.post(path, json=body)
        assert answer.status == 500
        assert (await answer.json())["code"] == "INTERNAL_ERROR"
    assert "KeyError" in caplog.text
    assert "hush" not in caplog.text


def test_a_hash_is_salted_and_fits_its_password_only() -> None:
    """Two hashes of one password differ, both fit it, and neither fits another."""
    one, two = hash_password("secret", 2), hash_password("secret", 2)
    assert one != two
    assert check_password("secret", one)
    assert check_password("secret", two)
    assert not check_password("Secret", one)
    assert "secret" not in one


# -- origins -----------------------------------------------------------------------------------------

ORIGINS = {
    "own": ("http://{host}", True),
    "none": (None, True),
    "configured": ("https://play.example:8443", True),
    "foreign": ("https://evil.example", False),
    "null": ("null", False),
    "other port": ("http://127.0.0.1:1", False),
    "other scheme": ("https://{host}", False),
    "longer": ("http://{host}.evil.example", False),
    "configured, other port": ("https://play.example", False),
    "configured, other scheme": ("http://play.example:8443", False),
    "nonsense": ("http://[", False),
    "empty": ("", False),
}


@pytest.mark.parametrize(("origin", "admitted"), ORIGINS.values(), ids=ORIGINS)
async def test_foreign_pages_are_refused_on_every_side(origin: str | None, admitted: bool) -> None:
    """HTTP side, polling and WebSocket: 403 in JSON, and nothing has happened."""
    async with house(Settings(origins=("https://play.example:8443",), check_outgoing=True)) as strict:
        bob = await strict.person("bob")
        headers = {} if origin is None else {"Origin": origin.format(host=strict.url.removeprefix("http://"))}
        for path in ("/healthz", "/api/auth/me", "/socket.io/?EIO=4&transport=polling"):
            async with bob.http.get(path, headers=headers) as answer:
                assert answer.status == (200 if admitted else 403)
                if not admitted:
                    assert (await answer.json())["code"] == "PERMISSION_DENIED"
        opening = bob.http.ws_connect("/socket.io/?EIO=4&transport=websocket", headers=headers)
        if admitted:
            async with opening as opened:
                assert (await opened.receive_str()).startswith("0{")
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await opening
        await bob.asks("POST", "/api/auth/logout", expect=204 if admitted else 403, headers=headers)


async def test_a_configured_page_may_read_the_answers() -> None:
    """The browser learns so, for errors too, and before it asks with a body."""
    page = {"Origin": "https://play.example"}
    async with house(Settings(origins=("https://play.example",))) as strict, aiohttp.ClientSession(strict.url) as http:
        async with http.get("/api/auth/me", headers=page) as answer:
            assert answer.status == 401
            assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert answer.headers["Vary"] == "Origin"
        asks = {**page, "Access-Control-Request-Method": "PUT"}
        async with http.options("/api/game-sessions/x/participants/y", headers=asks) as answer:
            assert answer.status == 204
            assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
            assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
            assert int(answer.headers["Access-Control-Max-Age"]) > 0
        for wanted, allowed in (("content-type, x-trace-id", None), ("a;b", "Content-Type"), ("*", "Content-Type")):
            headers = {**asks, "Access-Control-Request-Headers": wanted}
            async with http.options("/socket.io/?EIO=4&transport=polling", headers=headers) as answer:
                assert answer.headers["Access-Control-Allow-Headers"] == (allowed or wanted)


async def test_a_configured_page_may_poll() -> None:
    """Each answer over polling is one that a page with credentials may read, that of an unknown session too."""
    page = {"Origin": "http://localhost:5173"}
    async with house(Settings(origins=("http://localhost:5173",))) as here:
        bob = await here.person()
        path = "/socket.io/?EIO=4&transport=polling"
        async with bob.http.get(path, headers=page) as answer:
            sid = json.loads((await answer.text())[1:])["sid"]
            assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
        for method, status, of in (("POST", 200, sid), ("GET", 200, sid), ("GET", 400, "nobody")):
            body = "40" if method == "POST" else None
            async with bob.http.request(method, f"{path}&sid={of}", data=body, headers=page) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
                assert answer.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    ("origin", "headers", "own"),
    [
        ("https://play.example", {"Host": "play.example", "X-Forwarded-Proto": "https"}, True),
        ("http://play.example", {"Host": "play.example", "X-Forwarded-Proto": "https"}, False),
        ("https://play.example", {"Host": "inner:80", "X-Forwarded-Host": "play.example, x"}, False),
        (
            "https://play.example",
            {"Host": "inner:80", "X-Forwarded-Host": "play.example", "X-Forwarded-Proto": "https"},
            True,
        ),
        ("http://play.example", {"Host": "play.example:80"}, True),
        ("http://PLAY.example", {"Host": "play.example"}, True),
        ("http://play.example", {"Host": "["}, False),
    ],
)
def test_ones_own_origin_behind_a_proxy(origin: str, headers: dict[str, str], own: bool) -> None:
    """Scheme, host and port are those that the browser sees; a default port may be said or left out."""
    assert is_own(origin, make_mocked_request("GET", "/", headers=headers)) is own
