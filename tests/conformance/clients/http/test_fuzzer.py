"""The HTTP session of generated requests keeps to the same rules as that of all others."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from tests.conformance.bytes_server import bytes_server, http

from dungeonlab_conformance.clients.http import fuzzer
from dungeonlab_conformance.clients.http.fuzzer import Generator
from dungeonlab_conformance.clients.http.users import Operation, operations
from dungeonlab_conformance.results.errors import Gone
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

requests = pytest.importorskip("requests")
pytest.importorskip("schemathesis")

CHUNKED = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]


async def got(answer: Iterable[bytes]) -> str:
    """Return what the session reads of an answer."""
    from dungeonlab_conformance.clients.http.fuzzer_session import new_session

    async with bytes_server(lambda _: answer) as server:
        with new_session(Target(server.url, limits=Limits(0.2))) as session:
            text: str = (await asyncio.to_thread(session.get, server.url, timeout=60)).text
            return text


async def test_a_body_is_read() -> None:
    """Compressed or not, and an empty one."""
    assert await got(http("200 OK", b"hello")) == "hello"
    assert await got(http("200 OK", zlib.compress(b"hello"), "Content-Encoding: deflate")) == "hello"
    assert await got(http("204 No Content")) == ""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: itertools.chain(CHUNKED, itertools.repeat(b"10000\r\n" + b"a" * 65536 + b"\r\n")), "more than 4 MB"),
        (lambda: http("200 OK", zlib.compress(bytes(50_000_000)), "Content-Encoding: gzip"), "more than 4 MB"),
        (lambda: itertools.chain(CHUNKED, itertools.repeat(b"1\r\na\r\n")), "more than 4 MB|took longer than 1 s"),
    ],
)
async def test_a_body_without_an_end_is_cut(answer: object, says: str) -> None:
    """By its length as by the time it takes."""
    with pytest.raises(requests.RequestException, match=says):
        await got(answer())  # type: ignore[operator]


async def test_an_interim_answer_is_not_taken_for_the_last_one() -> None:
    """Any server may send some, but not without an end."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    assert await got([b"HTTP/1.1 102 Processing\r\n\r\n", early, *http("200 OK", b"hello")]) == "hello"
    with pytest.raises(requests.RequestException, match="more than 100 interim answers"):
        await got(itertools.repeat(early))


@pytest.mark.filterwarnings("ignore:.*register_random")  # schemathesis hands hypothesis a passing generator
async def test_a_generated_request_follows_no_redirect_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is asked anything; a redirect is an answer that is judged as it came."""
    async with bytes_server(lambda _: http("200 OK", b"{}"), host="127.0.0.2") as other:
        monkeypatch.setenv("HTTP_PROXY", other.url)
        answer = http("307 Away", b"", f"Location: {other.url}/there")
        async with bytes_server(lambda _: answer) as server:
            target = Target(server.url, headers={"X-Secret": "secret"})
            generator = Generator(target, {"sid": "secret"}, "s", "u", seconds=10)
            await asyncio.to_thread(generator.run)
            assert len(server.asked) > 10
        assert other.asked == []
    assert generator.found


async def test_a_server_that_is_gone_is_no_fault_of_the_suite() -> None:
    """The scene ends unjudged, with the reason."""
    async with bytes_server(lambda _: [b""]) as server:
        generator = Generator(Target(server.url), {}, "s", "u", seconds=10)
        with pytest.raises(Gone, match=r"a generated request was not answered: (GET|POST)"):
            await asyncio.to_thread(generator.run)


@pytest.mark.filterwarnings("ignore:.*register_random")
def test_a_slow_server_is_asked_less_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not everything of the first ones, and nothing of the last ones."""
    now, asked = 0.0, Counter[str]()

    def takes_a_while(_: Generator, row: Operation, case: object, http: object) -> None:
        nonlocal now
        now += 0.1
        asked[row.id] += 1

    monkeypatch.setattr(fuzzer, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(Generator, "_one", takes_a_while)
    generator = Generator(Target("http://127.0.0.1:1"), {}, "s", "u", seconds=20)
    generator.run()
    assert generator.complete
    assert now < 20
    assert asked.keys() == operations().keys() - {"logOut", "deleteSession"}
    assert all(asked[row.id] >= 2 * fuzzer.FEWER for row in operations().values() if row.has_body)
    generator.seconds = 5
    generator.run()
    assert not generator.complete
