"""What one client may have the server compute: passwords, large requests. The others' turns come in between."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from tests.reference_server.people import PASSWORD, PATIENCE, House, draft, eventually, house

from dungeonlab_reference_server import http, passwords
from dungeonlab_reference_server.bounds import excess, is_crowded, weight
from dungeonlab_reference_server.passwords import PasswordQueue, TooBusy
from dungeonlab_reference_server.rate import Allowance
from dungeonlab_reference_server.settings import Settings

# -- passwords ---------------------------------------------------------------------------------------


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have each registration's hash take until the event is set."""
    go, hashed = threading.Event(), passwords.hash_password

    def slowly(password: str, n: int) -> str:
        go.wait(PATIENCE)
        return hashed(password, n)

    monkeypatch.setattr(http, "hash_password", slowly)
    yield go
    go.set()


async def test_no_login_waits_for_registrations(here: House, stuck: threading.Event) -> None:
    """While a hundred register, somebody logs in; then the hundred have their accounts too."""
    stuck.set()
    bob = await here.person("bob")
    stuck.clear()
    async with aiohttp.ClientSession(here.url) as crowd:
        bodies = [{"username": f"crowd-{n}", "password": PASSWORD} for n in range(100)]
        register = [asyncio.create_task(crowd.post("/api/auth/register", json=body)) for body in bodies]
        await bob.asks("POST", "/api/auth/login", {"username": "bob", "password": PASSWORD})
        assert not any(task.done() for task in register)
        stuck.set()
        assert {answer.status for answer in await asyncio.gather(*register)} == {201}


async def test_registrations_that_would_wait_too_long_are_answered_429(stuck: threading.Event) -> None:
    """With a code, and a time to come back; the one before is carried out."""
    async with house(Settings(password_wait=0.0)) as strict, aiohttp.ClientSession(strict.url) as http_session:
        body = {"username": "first", "password": PASSWORD}
        first = asyncio.create_task(http_session.post("/api/auth/register", json=body))

        async def refused() -> bool:
            async with http_session.post("/api/auth/register", json={"username": 5}) as answer:
                if answer.status == 429:
                    assert (await answer.json())["code"] == "RATE_LIMITED"
                    assert answer.headers["Retry-After"] == "1"
                return answer.status == 429

        await eventually(refused)
        stuck.set()
        assert (await first).status == 201


async def test_a_queue_is_as_long_as_can_be_waited_for() -> None:
    """What comes beyond raises at once; those in the queue are served one at a time, in order."""
    queue = PasswordQueue(1_000_000, longest_wait=5.0)  # 3 s each
    go, served = threading.Event(), list[int]()

    def work(number: int) -> None:
        go.wait(PATIENCE)
        served.append(number)

    running = [asyncio.create_task(queue.run(work, number)) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await queue.run(work, 2)
    go.set()
    await asyncio.gather(*running)
    assert served == [0, 1]
    await queue.run(work, 2)


# -- requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"a": [1, 2, {"b": None}]}, None),
        ([[[[1]]]], None),
        ([[[[[1]]]]], "deeper than 5"),
        ([0] * 20, "more than 10 values"),
        ({str(n): n for n in range(20)}, "more than 10 values"),
        ([[0] * 4] * 3, "more than 10 values"),
        ([0] * 9, None),
        ("x" * 1000, None),
    ],
)
def test_what_a_payload_has_too_much_of(payload: Any, sentence: str | None) -> None:
    """Levels and values are counted wherever they are; the length of a text is another matter."""
    found = excess(payload, 5, 10)
    assert found is sentence if sentence is None else sentence in (found or "")


@pytest.mark.parametrize(
    ("text", "crowded"),
    [
        (json.dumps([0] * 100), True),
        (json.dumps([[]] * 100), True),
        (json.dumps({str(n): {} for n in range(100)}), True),
        (json.dumps(["," * 1000, "[{" * 1000, '\\",,,,\\"' * 100, "\\"]), False),
        (json.dumps([0] * 10), False),
        ('["' + '\\"' * 400_000, False),
        ('"' * 500_001, False),
        ("[" * 100, True),
    ],
)
def test_crowded_json_is_known_before_it_is_read(text: str, crowded: bool) -> None:
    """By what separates values, not by what texts contain; a text without an end takes no longer than another."""
    assert is_crowded(text, 10) is crowded


def test_weight_grows_with_what_is_sent() -> None:
    """It is within a few times the length of the JSON, for texts, names, and many small values alike."""
    for payload in ("x" * 5000, {"name" * 100: 1}, [1] * 5000, [[{"a": "b"}]] * 500):
        assert len(json.dumps(payload)) / 4 < weight(payload) < len(json.dumps(payload)) * 4


async def test_a_request_of_many_values_is_refused(here: House) -> None:
    """Though its schema allows it; the connection goes on."""
    bob = await here.person()
    session = await here.table(bob)
    made = await bob.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "x"}, expect=201)
    place = {"sessionId": session, "encounterId": made["id"]}
    connection = await bob.joins(session)
    answer = await connection.asks("token:create", {**place, "token": draft(data={"x": [0] * 10_001})})
    assert answer["code"] == "VALIDATION_ERROR"
    assert "more than 10000 values" in answer["error"]
    await connection.does("token:create", {**place, "token": draft(data={"x": [0] * 9_000})})


async def test_a_question_about_a_large_action_is_answered_in_short(here: House) -> None:
    """Of thousands of mistakes the first is said; that of a small action are all said."""
    bob = await here.person()
    session = await here.table(bob)
    connection = await bob.joins(session)

    async def errors(conditions: int) -> list[str]:
        wrong = {"sessionId": session, "encounterId": "e", "token": draft(conditions=[1] * conditions)}
        asked = {"sessionId": session, "action": {"type": "token:create", "payload": wrong}}
        found: list[str] = (await connection.does("validate-action", asked))["errors"]
        return found

    assert len(await errors(9000)) == 1
    assert len(await errors(9)) == 9


async def test_large_requests_are_limited_by_their_size() -> None:
    """RATE_LIMITED on each of the user's connections, without being read; another user goes on."""
    async with house(Settings(bytes_per_minute=100_000, check_outgoing=True)) as strict:
        bob, carol = await strict.person(), await strict.person()
        one, other, third = await bob.connects(), await bob.connects(), await carol.connects()
        await one.does("get-user-data", {"x": "x" * 99_000})
        await one.asks("get-user-data", {"x": "x" * 50_000})
        assert await other.is_refused("get-user-data", {}) == "RATE_LIMITED"
        frames = await bob.frames()
        await frames.socket.send_str('427["this is no JSON')
        assert "RATE_LIMITED" in await frames.until("437[")
        await third.does("get-user-data", {})


async def test_a_small_request_that_sends_a_lot_is_charged_for_it() -> None:
    """Each update of a large token counts as what it sends to the room."""
    async with house(Settings(bytes_per_minute=1_000_000, check_outgoing=True)) as strict:
        bob = await strict.person()
        session = await strict.table(bob)
        made = await bob.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "x"}, expect=201)
        place = {"sessionId": session, "encounterId": made["id"]}
        connection = await bob.joins(session)
        large = draft(data={"x": "x" * 200_000})
        token = (await connection.does("token:create", {**place, "token": large}))["token"]["id"]
        update = {**place, "tokenId": token, "updates": {"name": "y"}}
        answers = [await connection.asks("token:update", update) for _ in range(6)]
        assert answers[0]["success"]
        assert answers[-1]["code"] == "RATE_LIMITED"


def test_an_allowance_is_made_up_for() -> None:
    """What was charged beyond it must be waited for; a minute of silence restores it, and no more than that."""
    allowance = Allowance(60)
    assert allowance.allows("bob", 100.0)
    allowance.charge("bob", 90, 100.0)
    assert not allowance.allows("bob", 129.9)
    assert allowance.allows("bob", 131.0)
    assert allowance.allows("carol", 100.0)
    allowance.charge("bob", 59, 1000.0)
    assert allowance.allows("bob", 1000.0)
    allowance.charge("bob", 2, 1000.0)
    assert not allowance.allows("bob", 1000.0)


def test_an_allowance_of_none_limits_nothing() -> None:
    """And remembers nobody; neither does another one, when all is made up for."""
    endless, allowance = Allowance(0), Allowance(60)
    endless.charge("bob", 10**9, 0.0)
    assert endless.allows("bob", 0.0)
    allowance.charge("bob", 30, 100.0)
    assert allowance.allows("carol", 1000.0)
    assert not endless._left
    assert not allowance._left


# -- what cannot be read -----------------------------------------------------------------------------


UNREADABLE = {
    "host": ("Host: \xff\xfe", b"{}"),
    "port": ("Host: x:99999999", b"{}"),
    "port text": ("Host: x:abc", b"{}"),
    "forwarded": ("Host: x\r\nX-Forwarded-Host: [[", b"{}"),
    "gzip": ("Host: x\r\nContent-Encoding: gzip", b"xxxxxx"),
    "deflate": ("Host: x\r\nContent-Encoding: deflate", b"xxxxxx"),
    "unknown": ("Host: x\r\nContent-Encoding: x-nothing", b"{}"),
    "chunk": ("Host: x\r\nTransfer-Encoding: chunked", b"zz\r\n"),
    "later chunk": ("Host: x\r\nTransfer-Encoding: chunked", b"1\r\n{\r\nzz\r\n"),
    "both lengths": ("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    "negative": ("Host: x\r\nContent-Length: -5", b""),
    "huge": ("Host: x\r\nContent-Length: 99999999", b""),
    "no number": ("Host: x\r\nContent-Length: \xb2", b""),
    "expect": ("Host: x\r\nExpect: \xff\xfe", b""),
    "expect more": ("Host: x\r\nExpect: much", b""),
    "headers": ("Host: x" + "\r\nX: y" * 500, b""),
    "cookie": ("Host: x\r\nCookie: " + "a" * 20_000, b""),
}


@pytest.mark.parametrize("path", ["/api/auth/register", "/socket.io/?EIO=4&transport=polling&sid={sid}"])
@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_request_that_cannot_be_read_is_answered(
    here: House, case: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """400, 413, 415 or 417; nothing has happened, nothing is logged as a fault, and the server goes on."""
    more, body = UNREADABLE[case]
    bob = await here.person()
    async with bob.http.get("/socket.io/?EIO=4&transport=polling") as answer:
        sid = json.loads((await answer.text())[1:])["sid"]
    if body and "Transfer" not in more:
        more += f"\r\nContent-Length: {len(body)}"
    host, _, port = here.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path.format(sid=sid)} HTTP/1.1\r\n{more}\r\n\r\n".encode("latin-1") + body)
    async with asyncio.timeout(PATIENCE):
        status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in (400, 413, 415, 417)
    assert len(here.store._users) == 1
    await (await bob.connects()).does("get-user-data", {})
    assert not [r for r in caplog.records if r.name == "dungeonlab" and r.levelname == "ERROR"]
