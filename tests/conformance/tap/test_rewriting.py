"""What a tap changes since it has an address of its own, and nothing beside it; and a server behind TLS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.conformance.bytes_server import bytes_server, http

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.rewriting import cookies_for_http, names_of_server
from dungeonlab_conformance.tap.tap import Tap

TO_SERVER = names_of_server(urlsplit("https://play.example/base"), "192.0.2.7", 4000)


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (b"Host: 127.0.0.1:4000\r\n", b"Host: play.example\r\n"),
        (b"host:LOCALHOST:4000 \r\n", b"host:play.example \r\n"),
        (b"HOST:\t[::1]:4000\n", b"HOST:\tplay.example\n"),
        (b"Host: 192.0.2.7:4000\r\n", b"Host: play.example\r\n"),
        (b"Origin: http://127.0.0.1:4000\r\n", b"Origin: https://play.example\r\n"),
    ],
)
def test_the_taps_names_become_the_servers(line: bytes, changed: bytes) -> None:
    """In Host and Origin, by whatever name of the tap's; blanks, letters and line ends stay."""
    assert TO_SERVER.edit(line) == changed


@pytest.mark.parametrize(
    "line",
    [
        b"Host: 127.0.0.1\r\n",
        b"Host: 127.0.0.1:40001\r\n",
        b"Host: evil.example:4000\r\n",
        b"Host: 127.0.0.1:4000, 127.0.0.1:4000\r\n",
        b"Host : 127.0.0.1:4000\r\n",
        b"Origin: https://127.0.0.1:4000\r\n",
        b"Origin: http://127.0.0.1:4000.evil.example\r\n",
        b"Origin: http://localhost:5173\r\n",
        b"Origin: null\r\n",
        b"X-Host: 127.0.0.1:4000\r\n",
        b"Origin: 127.0.0.1:4000\r\n",
    ],
)
def test_other_names_stay(line: bytes) -> None:
    """Foreign hosts and origins, a page of another port, and whatever only looks like the tap's own."""
    assert TO_SERVER.edit(line) == line


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (b"Set-Cookie: a=b; Path=/; Secure; HttpOnly\r\n", b"Set-Cookie: a=b; Path=/; HttpOnly\r\n"),
        (b"set-cookie:a=secure;secure;Domain=play.example\r\n", b"set-cookie:a=secure\r\n"),
        (b"Set-Cookie: a=b; SameSite=None; Secure; Max-Age=5\n", b"Set-Cookie: a=b; Max-Age=5\n"),
        (b"Set-Cookie: a=b; SameSite=Lax; Partitioned\r\n", b"Set-Cookie: a=b; SameSite=Lax; Partitioned\r\n"),
    ],
)
def test_cookies_lose_what_binds_them_to_the_server(line: bytes, changed: bytes) -> None:
    """Secure, Domain, and SameSite=None, which needs Secure; nothing else."""
    assert cookies_for_http().edit(line) == changed


async def asked(url: str, *lines: str) -> bytes:
    """Send a request over TCP, and return all that is answered."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = ["GET /x HTTP/1.1", f"Host: {parts.netloc}", *lines, "", ""]
    writer.write("\r\n".join(head).encode())
    answered = await reader.read()
    writer.close()
    return answered


async def test_a_server_behind_tls_is_served_to_clients_without(tmp_path: Path) -> None:
    """Its certificate is looked at, unless that is not wanted; requests name it, and its cookies fit."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there to make a certificate")
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    made = await asyncio.create_subprocess_exec(
        "openssl", *words.split(" "), cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def answer(_: str) -> Iterable[bytes]:
        return http("200 OK", b"hi", "Set-Cookie: a=b; Secure; Path=/")

    async with bytes_server(answer, context=context) as server:
        async with Tap(server.url, TapJournal(), verify=False) as tap:
            answered = await asked(tap.url, f"Origin: {tap.url}")
        assert b"\r\nSet-Cookie: a=b; Path=/\r\n" in answered
        assert answered.endswith(b"hi")
        assert f"Host: {urlsplit(server.url).netloc}\r\nOrigin: {server.url}\r\n" in server.asked[0]
        journal = TapJournal()
        async with Tap(server.url, journal) as tap:
            with pytest.raises(ConnectionResetError):
                await asked(tap.url)
        assert "certificate" in journal.packets[0].text


async def test_a_tap_that_listens_everywhere_has_the_name_by_which_it_was_found() -> None:
    """A client on another machine names the address that it has connected to."""

    def answer(_: str) -> Iterable[bytes]:
        return http("200 OK", b"hi")

    async with bytes_server(answer) as server, Tap(server.url, TapJournal(), host="0.0.0.0") as tap:
        port = urlsplit(tap.url).port
        await asked(f"http://127.0.0.2:{port}")
        await asked(f"http://127.0.0.2:{port}", "X-Host: 127.0.0.1")
    assert [head.split("\r\n")[1] for head in server.asked] == [f"Host: {urlsplit(server.url).netloc}"] * 2
