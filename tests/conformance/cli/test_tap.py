"""`tap`: how it begins and ends, what it says, what it writes, and what is made of that."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import socketio
from tests.conformance.command import command, started, unused_port
from tests.serving import Variant, served

from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_reference_server.pipeline import COOKIE


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The reference server."""
    with served(Variant()) as url:
        yield url


def test_clients_are_carried_and_judged(server: str, tmp_path: Path) -> None:
    """The address is printed at once; Ctrl-C ends in a report; the recording is judged alike; no secret is anywhere."""
    recording, result = tmp_path / "tap.ndjson", tmp_path / "tap.json"
    with started("tap", server, "--record", recording, "--json", result) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        cookie = asyncio.run(_play(url))
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "client/sends-only-valid-payloads" in printed
    assert "connections seen: 1; messages of clients: 1; answers to them: 1" in printed
    written = json.loads(result.read_text())
    assert written["exitCode"] == 1
    verdicts = {each["requirement"]: each["outcome"] for each in written["verdicts"]}
    assert verdicts["client/connects-with-the-cookie"] == "pass"
    again = command("report", recording, "--json", tmp_path / "again.json")
    assert again.returncode == 0, again.stderr
    repeated = json.loads((tmp_path / "again.json").read_text())["verdicts"]
    assert {each["requirement"]: each["outcome"] for each in repeated} == verdicts
    assert cookie not in printed + recording.read_text() + result.read_text()


def test_who_is_connected_at_the_end_is_recorded_until_then(server: str, tmp_path: Path) -> None:
    """A connection that the end of the tap closes is no fault of the tap; what it said is in the file, and its end."""
    recording = tmp_path / "tap.ndjson"

    async def stay(url: str) -> int:
        client, _ = await _connected(url)
        process.send_signal(signal.SIGINT)
        returncode = await asyncio.to_thread(process.wait, 60)
        await client.disconnect()
        return returncode

    with started("tap", server, "--record", recording) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        returncode = asyncio.run(stay(url))
        _, errors = process.communicate(timeout=60)
    assert (returncode, errors) == (0, "")
    assert [packet.kind for packet in ndjson.read(recording)][-1] == "close"


def watched(server: str, *words: object, strange: bool = False) -> tuple[int, str, str]:
    """Have a tap judge a client that sends what is invalid, or just strange; return exit code, output and errors."""
    with started("tap", server, *words) as process:
        assert process.stdout
        asyncio.run(_play(process.stdout.readline().split()[-1], strange=strange))
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    return process.returncode, printed, errors


def test_known_failures_are_written_and_accepted(server: str, tmp_path: Path) -> None:
    """Only what was broken is listed; what was not seen is no failure. What held does not belong there."""
    listed = tmp_path / "known.toml"
    code, _, errors = watched(server, "--write-known-failures", listed, "--reason", "Ticket 7.", "--quiet")
    assert (code, errors) == (1, "")
    assert [line for line in listed.read_text("utf-8").splitlines() if line.startswith("id")] == [
        'id = "client/puts-session-id-in-every-session-event"',
        'id = "client/sends-only-valid-payloads"',
    ]
    code, printed, _ = watched(server, "--known-failures", listed, "--quiet")
    assert (code, "(2 known)" in printed, "FAIL" in printed) == (0, True, False)
    listed.write_text(
        '[[known]]\nid = "client/connects-with-the-cookie"\nreason = "It holds."\n'
        '[[known]]\nid = "tokens/*"\nreason = "Of the server, which is watched as well."\n',
        "utf-8",
    )
    code, printed, _ = watched(server, "--known-failures", listed)
    assert code == 1
    assert "connects-with-the-cookie is listed as failing, but" in " ".join(printed.split())
    assert "tokens/*" not in printed


def test_a_should_fails_if_it_is_to_count(server: str) -> None:
    """With `--quiet` it is printed only then; what was not seen fails nothing at any level."""
    for words, code, failing in (
        ((), 0, []),
        (("--fail-on", "should"), 1, ["WARN  client/sends-catalogue-events-only"]),
    ):
        found, printed, _ = watched(server, "--quiet", *words, strange=True)
        assert found == code
        assert [line for line in printed.splitlines() if line.startswith(("FAIL", "WARN", "UNJUDGED"))] == failing


async def _play(url: str, *, strange: bool = False) -> str:
    """Log in and send something invalid, or an event that no catalogue knows; return the cookie's value."""
    client, cookie = await _connected(url)
    if strange:
        await client.emit("dance", {})
        await client.call("join-session", {"sessionId": "nowhere"})  # and wait until both were sent
    else:
        assert not (await client.call("chat-message", {"message": 1}))["success"]
    await client.disconnect()
    return cookie


async def _connected(url: str) -> tuple[socketio.AsyncClient, str]:
    """Return a client that is logged in and connected, and its cookie's value."""
    body = {"username": "alice", "password": "a-password"}
    async with aiohttp.ClientSession(url) as http:
        async with http.post("/api/auth/register", json=body):
            pass
        async with http.post("/api/auth/login", json=body) as answer:
            cookie = answer.cookies[COOKIE].value
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, headers={"Cookie": f"{COOKIE}={cookie}"}, transports=["websocket"])
    return client, cookie


def test_the_live_page_is_there_while_the_tap_runs(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is printed, `--open` opens it, and what passes is on its stream, and what is made of that."""
    opened = tmp_path / "xdg-open"
    opened.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    opened.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with started("tap", server, "--open") as process:
        assert process.stdout
        printed = [process.stdout.readline().split() for _ in range(3)]
        page = printed[2][-1]
        asyncio.run(_play(printed[0][-1]))
        stream = asyncio.run(_seen(page))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert printed[2][:2] == ["live", "page"]
    assert (tmp_path / "opened").read_text().strip() == page
    assert '"chat-message"' in stream
    assert '"client/sends-only-valid-payloads", "state": "broken"' in stream
    assert errors == ""


async def _seen(page: str) -> str:
    """Return what the page is sent until it knows what clients did."""
    seen = b""
    async with asyncio.timeout(30), aiohttp.ClientSession() as http, http.get(f"{page}stream") as stream:
        while b'"broken"' not in seen or b"event: rows" not in seen:
            seen += await stream.content.readany()
    return seen.decode()


def test_nobody_came(tmp_path: Path) -> None:
    """Without clients nothing is judged, which is no success; the recording is there, and empty."""
    recording = tmp_path / "tap.ndjson"
    done = command("tap", f"http://127.0.0.1:{unused_port()}", "--for", "0.2", "--record", recording)
    assert done.returncode == 3, done.stderr
    assert recording.read_text() == ndjson.head() + "\n"


def test_a_target_file_may_say_how_the_server_speaks(tmp_path: Path) -> None:
    """One that is wrong is refused before anything begins; a right one is taken."""
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text('[server]\nurl = "http://127.0.0.1:1"\n[dialect.events]\nchat-message = "say"\n')
    url = f"http://127.0.0.1:{unused_port()}"
    assert command("tap", url, "--for", "0.2", "--target", file).returncode == 3
    file.write_text("[server")
    done = command("tap", url, "--for", "0.2", "--target", file)
    assert done.returncode == 2
    assert "dungeonlab-target.toml:1" in done.stderr


def test_a_server_that_is_away_is_said_to_be() -> None:
    """Clients are reset, and counted."""
    with started("tap", f"http://127.0.0.1:{unused_port()}", "--for", "1") as process:
        assert process.stdout
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client, pytest.raises(ConnectionResetError):
            client.recv(1)
        printed, _ = process.communicate(timeout=60)
    assert "connections that the server, or the tap, did not accept: 1" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "no server URL"),
        (("http://127.0.0.1:1/?a=b",), "behind its path"),
        ((" ",), "it is empty"),
        (("http://127.0.0.1:1", "--for", "0"), "not in the range"),
        (("http://127.0.0.1:1", "--host", "192.0.2.1"), "cannot listen at 192.0.2.1"),
        (("http://127.0.0.1:1", "--record", "/nowhere/tap.ndjson"), "there is no folder"),
        (("http://127.0.0.1:1", "-q", "-v"), "contradict"),
        (("http://127.0.0.1:1", "--known-failures", "/nowhere/known.toml"), "known.toml"),
        (("http://127.0.0.1:1", "--reason", "Ticket 7."), "--reason is for the list"),
        (("http://127.0.0.1:1", "--record", "x", "--write-known-failures", "x"), "is named for two reports"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    """With exit code 2, before anything begins."""
    done = command("tap", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    """And so is the option for another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("tap", "http://127.0.0.1:1", "--port", port)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}: address already in use; choose another --port" in done.stderr


def test_a_broken_recording_is_refused(tmp_path: Path) -> None:
    """By one sentence with the line."""
    file = tmp_path / "tap.ndjson"
    file.write_text(f"{ndjson.head()}\n{{}}\n")
    done = command("report", file)
    assert done.returncode == 2
    assert "tap.ndjson:2: this line is no packet" in done.stderr
