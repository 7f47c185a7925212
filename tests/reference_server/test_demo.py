"""`--demo`: a server to develop a client against, used by what it prints and as docs/develop-against.md says."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any

import aiohttp
import pytest
import socketio
from click.testing import CliRunner
from tests.chromium import chromium
from tests.environments import make_node_folder
from tests.other_stacks.judge import NODE, is_required, why_not
from tests.reference_server.people import PATIENCE, Connection, eventually
from tests.reference_server.test_cli import guests, running

from dungeonlab_reference_server.__main__ import main
from dungeonlab_spec import Catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "develop-against.md"
TEXT = PAGE.read_text("utf-8")


@dataclass(frozen=True)
class Demo:
    """A server that runs with `--demo`: its URL, what it printed, and the folder of the pages that may use it."""

    url: str
    printed: str
    pages: str
    folder: Path

    @property
    def by_name(self) -> str:
        """The URL with the host name that the pages have, too."""
        return self.url.replace("127.0.0.1", "localhost")


def introduction(process: Popen[str]) -> str:
    """Return what is printed behind the URL."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "Cookie: " not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    return "".join(lines)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the server, and another one that serves the pages of a folder."""
    folder = tmp_path_factory.mktemp("pages")
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pages = f"http://localhost:{server.server_port}"
        with running("--demo", "--origin", pages) as (url, process):
            yield Demo(url, introduction(process), pages, folder)
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@asynccontextmanager
async def logged_in(demo: Demo, name: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Log in with the password of the demo."""
    async with aiohttp.ClientSession(demo.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        body = {"username": name, "password": f"{name}-demo"}
        async with http.post("/api/auth/login", json=body) as answer:
            assert answer.status == 200
        yield http


@asynccontextmanager
async def connected(demo: Demo, transport: str, cookie: str) -> AsyncIterator[Connection]:
    """Connect with a cookie, such as `name=value`."""
    connection = Connection(socketio.AsyncClient(reconnection=False, handle_sigint=False))
    connection.client.on("*", connection.hear)
    try:
        options: dict[str, Any] = {"transports": [transport], "headers": {"Cookie": cookie}, "wait_timeout": PATIENCE}
        await connection.client.connect(demo.url, **options)
        yield connection
    finally:
        await connection.client.shutdown()


def _run(*command: str, cwd: Path) -> str:
    """Run a command that must succeed and complain of nothing; returns what it prints."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def cookie_of(demo: Demo) -> str:
    """Return the cookie that was printed."""
    return demo.printed.rpartition("Cookie: ")[2].strip()


async def test_everybody_who_is_printed_can_log_in(demo: Demo) -> None:
    """With the password and under the id that stand there; it is the table of the documentation."""
    rows = [line.split()[:3] for line in demo.printed.splitlines() if re.match(r"  \w+ +\w+-demo ", line)]
    assert [row[0] for row in rows] == ["gwen", "alice", "bob", "mallory"]
    for name, password, user in rows:
        assert password == f"{name}-demo"
        async with logged_in(demo, name) as http, http.get("/api/auth/me") as answer:
            assert (await answer.json())["id"] == user
    table = TEXT.partition("```text\n")[2].partition("```")[0]
    assert table in demo.printed


def test_pages_of_another_host_name_are_given_the_right_one(demo: Demo) -> None:
    """A cookie of 127.0.0.1 would never be sent from a page of localhost."""
    assert f"On pages of {demo.pages}, call this server {demo.by_name}," in demo.printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
def test_the_printed_curl_lines_work(demo: Demo, tmp_path: Path) -> None:
    """The first logs in and keeps the cookie, the second shows with it who that is."""
    lines = [line.strip() for line in demo.printed.splitlines() if line.startswith("  curl ")]
    answers = [json.loads(_run(*shlex.split(line), cwd=tmp_path)) for line in lines]
    assert [answer["id"] for answer in answers] == ["user-gwen", "user-gwen"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_printed_cookie_enters(demo: Demo, transport: str) -> None:
    """It connects, joins the session, and acts on the token of the encounter; others hear that."""
    place = {"sessionId": "tavern", "encounterId": "cellar"}
    async with logged_in(demo, "alice") as http:
        alice = "; ".join(f"{cookie.key}={cookie.value}" for cookie in http.cookie_jar)
        async with connected(demo, transport, cookie_of(demo)) as gwen, connected(demo, transport, alice) as other:
            joined = await gwen.does("join-session", {"sessionId": "tavern"})
            assert joined["participantIds"] == ["user-alice", "user-bob"]
            await other.does("join-session", {"sessionId": "tavern"})
            await gwen.does("token:move", {**place, "tokenId": "goblin", "position": {"x": 1, "y": 1}})
            await eventually(lambda: other.events("token:move"))
            assert other.events("token:move")[0]["tokenId"] == "goblin"
            assert await gwen.is_refused("token:delete", {**place, "tokenId": "owl"}) == "TOKEN_NOT_FOUND"


async def test_the_documented_page_works_in_a_browser(demo: Demo, tmp_path: Path) -> None:
    """On a page of another port, with credentials: it logs in, connects by polling, moves to WebSocket, and acts."""
    if (missing := why_not()) is not None:
        pytest.fail(missing) if is_required() else pytest.skip(missing)
    shutil.copy(NODE / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js", demo.folder / "io.js")
    script = TEXT.partition("```js\n")[2].partition("```")[0]
    assert "http://localhost:8000" in script
    script = script.replace("http://localhost:8000", demo.by_name)
    page = f'<script src="io.js"></script><script type="module">{script}window.socket = socket;</script>'
    (demo.folder / "index.html").write_text(page, "utf-8")
    async with connected(demo, "websocket", cookie_of(demo)) as gwen:
        await gwen.does("join-session", {"sessionId": "tavern"})
        with chromium(tmp_path) as chrome:
            chrome.get(demo.pages)
            await eventually(lambda: gwen.events("chat-message"))
            said = gwen.events("chat-message")[0]
            assert (said["userId"], said["message"]) == ("user-alice", "Hello")
            await eventually(lambda: chrome.execute_script("return socket.io.engine.transport.name") == "websocket")
            log = chrome.get_log("browser")  # type: ignore[no-untyped-call]
            assert [entry for entry in log if "favicon" not in entry["message"]] == []


def test_the_documented_bot_works_in_node(demo: Demo, tmp_path: Path) -> None:
    """It logs in, carries the cookie, joins, and prints who takes part."""
    if (missing := why_not()) is not None:
        pytest.fail(missing) if is_required() else pytest.skip(missing)
    make_node_folder(tmp_path, "socket.io-client")
    script = TEXT.split("```js\n")[2].partition("```")[0].replace("http://localhost:8000", demo.url)
    (tmp_path / "bot.mjs").write_text(script, "utf-8")
    assert _run("node", "bot.mjs", cwd=tmp_path) == "[ 'user-alice', 'user-bob' ]\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
async def test_the_documented_shell_works(demo: Demo, tmp_path: Path) -> None:
    """A game master takes a member out and in again, whom the session removes; then she logs out."""
    commands = TEXT.partition("```sh\napi=")[2].partition("```")[0].replace("http://localhost:8000", demo.url)
    async with logged_in(demo, "bob") as http:
        cookie = "; ".join(f"{cookie.key}={cookie.value}" for cookie in http.cookie_jar)
        async with connected(demo, "websocket", cookie) as bob:
            await bob.does("join-session", {"sessionId": "tavern"})
            printed = await asyncio.to_thread(_run, "sh", "-ec", f"api={commands}", cwd=tmp_path)
            assert json.loads(printed)["id"] == "user-gwen"
            await eventually(lambda: bob.events("session-removed"))
            await bob.does("join-session", {"sessionId": "tavern"})


def test_the_documented_options_are_real() -> None:
    """Each server that the page starts has options that exist; each code is one of the protocol's."""
    known = {option for parameter in main.params for option in parameter.opts}
    lines = re.findall(r"^dungeonlab-reference-server (.*)$", TEXT, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        assert {word for word in line.split() if word.startswith("--")} <= known, line
    requests = {event.name for event in Catalogue.load() if event.request}
    assert set(re.findall(r"(?:refuse|delay)=([a-z:-]+):[A-Z0-9]", TEXT)) <= requests


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1"])
def test_known_passwords_are_for_loopback_only(host: str) -> None:
    """`--demo` does not listen where others reach it, unless that is asked for; it says how."""
    result = CliRunner().invoke(main, ["--demo", "--host", host, "--port", "0"])
    assert result.exit_code == 2
    assert "add --allow-remote if others may log in" in result.output


@pytest.mark.parametrize("options", [("--host", "localhost"), ("--host", "0.0.0.0", "--allow-remote")])
async def test_it_listens_where_it_may(options: tuple[str, ...]) -> None:
    """On loopback by any name, and elsewhere if that is asked for."""
    with running("--demo", *options) as (url, _):
        async with guests(url.replace("0.0.0.0", "127.0.0.1")) as house:
            await house.person()


def test_two_worlds_are_too_many(tmp_path: Path) -> None:
    """`--demo` and `--world` contradict each other."""
    result = CliRunner().invoke(main, ["--demo", "--world", str(tmp_path / "x.toml")])
    assert result.exit_code == 2
    assert "give one of them" in result.output
