"""The command line, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.reference_server.people import PASSWORD, House

from dungeonlab_reference_server.__main__ import main
from dungeonlab_reference_server.settings import Settings

COMMAND = [sys.executable, "-m", "dungeonlab_reference_server"]
SOON = 60  # seconds: stopping takes a fraction of one, but this machine may have other things to do


@contextlib.contextmanager
def running(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the server on a free port; yields its URL and its process."""
    command = [*COMMAND, "--port", "0", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("Listening on ").strip(), process
        finally:
            process.kill()


@asynccontextmanager
async def guests(url: str) -> AsyncIterator[House]:
    """Return a house whose server runs elsewhere."""
    async with AsyncExitStack() as stack:
        nothing: Any = None
        yield House(url, nothing, nothing, stack)


def test_a_log_of_keys_that_cannot_be_written_is_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves without TLS."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/file")
    with running() as (url, _):
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(closed: str) -> None:
    """No socket takes their place, for which the loop would end the process when it is closed."""
    line = f"exec {' '.join(COMMAND)} --port 0 --stop-at-eof {closed}"
    done = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, timeout=SOON, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_at_once_with_everybody_connected(number: signal.Signals) -> None:
    """Over both transports, in a room or not, with uploads begun: it ends cleanly, and everybody is let go."""
    with running() as (url, process):
        async with guests(url) as house:
            gm, bob = await house.person(), await house.person()
            session = await house.table(gm, bob)
            people = [await who.joins(session, t) for who in (gm, bob) for t in ("websocket", "polling")]
            people += [await bob.connects(), await bob.connects("polling")]
            host, _, port = url.removeprefix("http://").partition(":")
            _, begun = await asyncio.open_connection(host, int(port))
            begun.write(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            process.send_signal(number)
            began = time.monotonic()
            assert await asyncio.to_thread(process.wait, SOON) == 0
            assert time.monotonic() - began < SOON
            for person in people:
                await asyncio.wait_for(person.closed.wait(), SOON)
            begun.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_right_after_the_start_is_heeded(number: signal.Signals) -> None:
    """As soon as it says where it listens, it can be stopped."""
    with running() as (_, process):
        process.send_signal(number)
        assert process.wait(SOON) == 0


def test_it_stops_at_the_end_of_standard_input() -> None:
    """With `--stop-at-eof` it ends cleanly when the pipe is closed, which the death of its starter does too."""
    command = [*COMMAND, "--port", "0", "--stop-at-eof"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Listening on ")
        process.stdin.write("not the end\n")
        process.stdin.flush()
        process.stdin.close()
        process.stdin = None  # or communicate would flush it
        assert process.communicate(timeout=SOON) == ("", "")
        assert process.returncode == 0


def test_it_says_where_it_listens() -> None:
    """Port 0 is a free one, which is printed and answers."""
    with running() as (url, _):
        host, _, port = url.removeprefix("http://").partition(":")
        assert int(port) > 0
        socket.create_connection((host, int(port)), SOON).close()


def test_it_listens_on_ipv6_too() -> None:
    """The address printed is one that can be copied."""
    with running("--host", "::1") as (url, _):
        assert url.startswith("http://[::1]:")


def test_a_port_in_use_is_one_sentence() -> None:
    """Exit 2, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert (
        ended.stderr
        == f"cannot listen on 127.0.0.1, port {port}: address already in use; choose another --host or --port\n"
    )
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--port", "70000"], "70000"),
        (["--origin", "play.example"], "'play.example' is no origin"),
        (["--origin", "https://play.example/"], "is no origin"),
        (["--rate-limit", "-1"], "-1"),
        (["--log-level", "loud"], "loud"),
        (["surplus"], "surplus"),
    ],
)
def test_wrong_usage_is_reported(options: list[str], sentence: str) -> None:
    """Exit 2 and what was wrong."""
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert sentence in result.output


def test_an_unknown_host_is_one_sentence() -> None:
    """Exit 2, and what to change."""
    result = CliRunner().invoke(main, ["--host", "nowhere.invalid", "--port", "0"])
    assert result.exit_code == 2
    assert result.output.startswith("cannot listen on nowhere.invalid, port 0: ")
    assert result.output.count("\n") == 1


def test_help_shows_every_option() -> None:
    """With its default."""
    shown = CliRunner().invoke(main, ["--help"]).output
    for option in (
        "--host",
        "--port",
        "--origin",
        "--rate-limit",
        "--log-level",
        "--check-outgoing",
        "--scrypt-n",
        "127.0.0.1",
    ):
        assert option in shown


async def test_options_reach_the_server() -> None:
    """Origin, rate limit and sizes are what the command line says."""
    with running("--origin", "https://play.example", "--rate-limit", "2", "--largest-message", "1000") as (url, _):
        async with guests(url) as house:
            bob = await house.person()
            await bob.asks("GET", "/api/auth/me", headers={"Origin": "https://play.example"})
            connection = await bob.connects()
            answer = await connection.asks("chat-message", {"sessionId": "s", "message": "x" * 1500})
            assert "larger than 1000 bytes" in answer["error"]
            await connection.does("get-user-data", {})
            assert await connection.is_refused("get-user-data", {}) == "RATE_LIMITED"


async def test_no_secrets_in_the_logs() -> None:
    """At the most talkative level: no password, no cookie, no chat, nothing a client put into a payload."""
    with running("--log-level", "debug") as (url, process):
        async with guests(url) as house:
            bob = await house.person()
            session = await house.table(bob)
            connection = await bob.joins(session)
            frames = await bob.frames()
            await connection.does("chat-message", {"sessionId": session, "message": "whisper-1"})
            await connection.asks("chat-message", {"sessionId": session, "message": 5, "x": "whisper-2"})
            await connection.asks("whisper-3", {})
            await connection.asks("chat-message", "whisper-4\nINFO forged=1")
            for frame in ('42["chat-message",{"whisper-5"', "4whisper-6", '42/whisper-7,["a"]', "whisper-8"):
                await frames.socket.send_str(frame)
            await bob.asks("POST", "/api/auth/register", {"username": "whisper-9", "password": ""}, expect=400)
            async with bob.http.post("/socket.io/?EIO=4&transport=polling&sid=whisper-10", data="whisper-11"):
                pass
            cookies = [c.value for c in bob.http.cookie_jar]
            await bob.asks("POST", "/api/auth/logout", expect=204)
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=SOON)
    assert "connected user=" in output
    assert "refused event=chat-message" in output
    assert "accepted event=chat-message" in output
    assert "checked=shape,membership,joined" in output
    assert "rule='$.message: type string'" in output
    assert "rule='there is no such event'" in output
    assert "refused method=POST route=/api/auth/register code=VALIDATION_ERROR" in output
    for secret in ("whisper", "forged", PASSWORD, *cookies):
        assert secret not in output, output
    assert "Traceback" not in output


def test_the_documented_limits_are_the_real_ones() -> None:
    """Each limit is in the table of `docs/reference-server.md`, with its default and, if it has one, its option."""
    page = (Path(__file__).parents[2] / "docs" / "reference-server.md").read_text("utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    switches = {"origins", "check_outgoing", "scrypt_n"}
    assert set(rows) == {field.name for field in dataclasses.fields(Settings)} - switches
    options = {option.name: option.opts[0] for option in main.params}
    for name, row in rows.items():
        _, _, default, option, _ = (cell.strip() for cell in row.split("|", 4))
        assert default == f"{getattr(Settings(), name):,.0f}", name
        assert option == (f"`{options[name]}`" if name in options else ""), name
