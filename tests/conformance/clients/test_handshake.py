"""What is said where there is no server to judge: each trouble as what it is, with what helps."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from tests.conformance.bytes_server import Answer, bytes_server, http
from tests.conformance.command import unused_port
from tests.conformance.scripted_server import serving

from dungeonlab_conformance.clients.handshake import handshake, reach, wait_for
from dungeonlab_conformance.clients.http.diagnosis import of_error
from dungeonlab_conformance.results.errors import NotUp, TargetFault
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

OPEN = '0{"sid":"1","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
PAGE = b"<!doctype html><html><head><title>Welcome\n to nginx</title></head></html>"


async def fault_of(answer: Answer, **options: str) -> TargetFault:
    """Return what is said of a server that answers so; `{url}` in a sentence stands for its address."""
    async with bytes_server(answer) as server:
        with pytest.raises(TargetFault) as raised:
            await reach(Target(server.url, **options))  # type: ignore[arg-type]
    raised.value.args = (str(raised.value).replace(server.url, "{url}"),)
    return raised.value


@pytest.mark.parametrize("held", [False, True])
async def test_a_handshake_is_taken_back(held: bool) -> None:
    """A server would keep it for a while otherwise, over long-polling. One that does not hear holds nobody up."""
    posted, never = list[tuple[str, str]](), asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        if request.method == "POST":
            posted.append((request.query["sid"], await request.text()))
            if held:
                await never.wait()
        return web.Response(text=OPEN)

    async with serving(handle) as url:
        async with asyncio.timeout(1.9):
            made = await handshake(Target(url), None)
        never.set()
    assert made.opened
    assert posted == [("1", "1")]


async def test_a_redirect_to_https_is_named() -> None:
    """The address to set is named, and not followed."""
    fault = await fault_of(lambda _: http("301 Moved", b"", "Location: https://vtt.example.org/socket.io/?EIO=4"))
    assert str(fault) == (
        "{url}/socket.io/ answered 301 to https://vtt.example.org/socket.io/?EIO=4; "
        "redirects are not followed: set [server] url to https://vtt.example.org"
    )
    assert not isinstance(fault, NotUp)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/vtt/socket.io/?EIO=4&transport=polling", "set [server] url to {url} and prefix to /vtt"),
        ("https://other.example.org/vtt/socket.io", "set [server] url to https://other.example.org and prefix to /vtt"),
        ("/login?next=/socket.io/", "set [server] path or prefix to where Socket.IO is, or headers that grant access"),
        ("https://sso.example.org/login", "set [server] url to https://sso.example.org if the server is there"),
        ("http://[::1", "set [server] url to where the server is"),
        ("", "answered 307 to nowhere; redirects are not followed"),
        ("/" + "x" * 9_000, "set [server] path or prefix"),
    ],
)
async def test_where_a_redirect_leads_is_turned_into_what_to_set(location: str, says: str) -> None:
    """A prefix, another host, a login, and what is no address; in a sentence of bounded length."""
    result = str(await fault_of(lambda _: http("307 Temporary Redirect", b"", f"Location: {location}")))
    assert says in result
    assert len(result) < 500


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (http("503 Service Unavailable"), "answered HTTP 503: the server is not up, or not where a proxy looks for it"),
        (http("502 Bad Gateway", PAGE), "answered HTTP 502: the server is not up"),
        (http("504 Gateway Timeout"), "--wait SECONDS"),
        (
            http("200 OK", PAGE),
            "with a web page, 'Welcome to nginx', and no Socket.IO v4 handshake; is the path right?",
        ),
        (http("404 Not Found", b"<HTML>"), "Set [server] path, or prefix for what a proxy adds before it"),
        (http("404 Not Found", b"nothing"), "answered HTTP 404 and no Socket.IO v4 handshake; is the path right"),
        (http("429 Too Many Requests"), "too many requests, to a handshake; raise the server's limit"),
        (http("200 OK", f"97:{OPEN}2:40".encode()), "speaks Engine.IO 3, which is Socket.IO 2"),
        (http("400 Bad Request", b'{"code":5,"message":"Unsupported protocol version"}'), "speaks Engine.IO 3"),
        (http("200 OK", b"[" * 100_000), "no Socket.IO v4 handshake"),
        (http("200 OK", b"a" * 5_000_000), "it answered more than 4 MB; the rest was not read"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "its answer is not HTTP"),
        ([b""], "it closed the connection without an answer"),
    ],
)
async def test_each_trouble_is_said_as_what_it_is(answer: list[bytes], says: str) -> None:
    """A server that is starting, a proxy's page, an older protocol, another protocol, nothing at all."""
    assert says in str(await fault_of(lambda _: answer))


async def test_of_a_long_refusal_a_part_is_kept() -> None:
    """Hundreds of handshakes are made in a run, and what they were answered is kept."""
    async with bytes_server(lambda _: http("401 No", b"a" * 3_900_000)) as server:
        assert len((await handshake(Target(server.url), None)).text) <= 10_000


async def test_a_server_that_serves_websocket_only_is_reached() -> None:
    """What polling is answered does not matter then."""
    switching = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    async with bytes_server(lambda line: [switching] if "websocket" in line else http("404 Not Found")) as server:
        await reach(Target(server.url))


async def test_a_dropped_websocket_does_not_hide_what_polling_was_answered() -> None:
    """Engine.IO in Node.js drops a WebSocket to any path but its own, while HTTP says that nothing is there."""
    fault = await fault_of(lambda line: [] if "websocket" in line else http("404 Not Found", b"Cannot GET"))
    assert str(fault) == (
        "{url}/socket.io/ answered HTTP 404 and no Socket.IO v4 handshake; is the path right, and is it a Socket.IO "
        "server? If not, set [server] url, path or prefix"
    )


@pytest.mark.parametrize("space", ["", " ", "\n  ", "\t"])
async def test_an_open_packet_is_json_however_it_is_written(space: str) -> None:
    """Space is free in JSON; Python's `json.dumps` with an indent puts some after the first brace."""
    opened = f'0{space}{{{space}"sid":"1","upgrades":[],"pingInterval":25000,"pingTimeout":20000}}'
    async with bytes_server(lambda _: http("200 OK", opened.encode())) as server:
        await reach(Target(server.url))
        assert (await handshake(Target(server.url), None)).opened


async def test_a_name_that_nobody_has_is_named() -> None:
    """The host, and the key to look at."""
    with pytest.raises(NotUp, match=r"the host nobody\.invalid is unknown\); is \[server\] url right\?"):
        await reach(Target("http://nobody.invalid:3000"))


async def test_a_proxy_of_the_environment_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not used, which may be why a server cannot be reached; where none is set, nothing is said of it."""
    target = Target(f"http://127.0.0.1:{unused_port()}")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotUp, match=r"\(Connection refused\); is the server running\?$"):
        await reach(target)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(NotUp, match="HTTP_PROXY is set, and not used: the suite connects to the server itself"):
        await reach(target)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for requests nor for WebSockets: what is judged is the server itself."""
    async with (
        bytes_server(lambda _: http("502 Bad Gateway")) as proxy,
        bytes_server(lambda _: http("403 No")) as server,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "WS_PROXY", "ws_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await reach(Target(server.url))
        await handshake(Target(server.url), None, transport="websocket")
        assert proxy.asked == []


async def test_a_redirected_websocket_carries_nothing_away() -> None:
    """Headers of the target file stay with the server they are for."""
    async with (
        bytes_server(lambda _: http("200 OK", OPEN.encode()), host="127.0.0.2") as other,
        bytes_server(lambda _: http("307 Away", b"", f"Location: {other.url}/socket.io/")) as server,
    ):
        target = Target(server.url, headers={"X-Secret": "secret"})
        for transport in ("websocket", "polling"):
            answer = await handshake(target, None, transport=transport)
            assert (answer.status, answer.location) == (307, f"{other.url}/socket.io/")
        assert other.asked == []


# -- TLS ---------------------------------------------------------------------------------------------


async def certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's TLS context with a new self-signed certificate for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there to make a certificate")
    options = "-newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=localhost"
    words = f"req -x509 {options} -addext subjectAltName=DNS:localhost".split()
    made = await asyncio.create_subprocess_exec("openssl", *words, cwd=folder, stderr=asyncio.subprocess.DEVNULL)
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return context


@pytest.fixture
async def self_signed(tmp_path: Path) -> ssl.SSLContext:
    return await certificate(tmp_path)


async def test_a_self_signed_certificate_is_named(self_signed: ssl.SSLContext) -> None:
    """With both keys that help."""
    async with bytes_server(lambda _: http("403 No"), context=self_signed) as server:
        with pytest.raises(TargetFault) as raised:
            await reach(Target(server.url))
        assert str(raised.value) == (
            f"{server.url} cannot be reached (its certificate is self-signed); name its file as ca, "
            "or set verify = false in [server.tls] of the target file"
        )
        assert not isinstance(raised.value, NotUp)
        await reach(Target(server.url, verify=False))


async def test_a_certificate_for_another_host_is_named(self_signed: ssl.SSLContext, tmp_path: Path) -> None:
    """By name as by address."""
    async with bytes_server(lambda _: http("403 No"), context=self_signed) as server:
        with pytest.raises(TargetFault, match=r"its certificate is for another host\); set url to a name"):
            await reach(Target(server.url, verify=str(tmp_path / "c.pem")))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (9, "is not valid yet"),
        (10, r"has expired\); renew it, or set verify = false in \[server\.tls\]"),
        (20, "authority that is not known here.*name that one's file as ca"),
        (21, "comes without the ones that it depends on"),
        (23, "is not accepted: certificate revoked"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_named(number: int, says: str) -> None:
    """By OpenSSL's numbers; what has no sentence of its own has OpenSSL's."""
    wrong = ssl.SSLCertVerificationError(1, "failed")
    wrong.verify_code, wrong.verify_message = number, "certificate revoked"
    connection = ConnectionKey("localhost", 443, True, True, None, None, None)
    result = await of_error("https://localhost", aiohttp.ClientConnectorCertificateError(connection, wrong))
    assert re.search(f"its certificate.*{says}", result), result


async def test_too_many_open_files_are_not_blamed_on_the_server() -> None:
    """They are this process's own."""
    connection = ConnectionKey("localhost", 80, False, True, None, None, None)
    fault = aiohttp.ClientConnectorError(connection, OSError(errno.EMFILE, "Too many open files"))
    assert "raise the limit" in await of_error("http://localhost", fault)


async def test_https_at_a_port_of_http_is_named() -> None:
    """The address to set is named."""
    async with bytes_server(lambda _: http("403 No")) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(TargetFault, match=f"speaks plain HTTP at this port.*; set .* url to {server.url}$"):
            await reach(Target(url))


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_http_at_a_port_of_https_is_named(self_signed: ssl.SSLContext, transport: str) -> None:
    """The address to set is named."""
    async with bytes_server(lambda _: http("403 No"), context=self_signed) as server:
        url = server.url.replace("https:", "http:")
        with pytest.raises(TargetFault, match=f"speaks TLS at this port.*; set .* url to {server.url}$"):
            await handshake(Target(url), None, transport=transport)


# -- waiting -----------------------------------------------------------------------------------------


async def test_waiting_ends_as_soon_as_the_server_is_up() -> None:
    """Each new reason is reported once."""
    answers = iter([http("503 No"), http("503 No"), http("502 No"), http("502 No")])
    reasons: list[str] = []

    def answer(line: str) -> list[bytes]:
        return http("503 No") if "websocket" in line else next(answers, http("401 Come in"))

    async with bytes_server(answer) as server:
        await wait_for(Target(server.url), 60, reasons.append)
        await reach(Target(server.url))
    assert [line.count("HTTP 503") + 2 * line.count("HTTP 502") for line in reasons] == [1, 2]
    assert reasons[0].startswith("waiting up to 60 s: ")


async def test_waiting_has_an_end() -> None:
    """With a server that never comes up, and with one that does not answer at all."""
    reasons: list[str] = []
    await wait_for(Target(f"http://127.0.0.1:{unused_port()}"), 0.6, reasons.append)
    assert len(reasons) == 1
    assert "Connection refused" in reasons[0]
    with socket.create_server(("127.0.0.1", 0)) as server:  # it accepts, and says nothing
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        await wait_for(Target(url, limits=Limits(100)), 0.2, reasons.append)


async def test_what_waiting_cannot_help_is_not_waited_for() -> None:
    """A redirect stays one."""
    async with bytes_server(lambda _: http("307 Away", b"", "Location: https://example.org/")) as server:
        await asyncio.wait_for(wait_for(Target(server.url), 600, lambda _: None), 20)
        assert len(server.asked) <= 2


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"error":"%s","code":"UNAUTHENTICATED"}' % (b"x" * 30_000), True),
        (b'{"code": "\\u0055NAUTHENTICATED"}', True),
        (b"UNAUTHENTICATED: log in first", True),
        (b'{"error": "log in first"}', False),
        (b"", False),
    ],
    ids=["long", "escaped", "text", "without", "empty"],
)
async def test_a_refusal_names_the_code_wherever_it_stands(transport: str, body: bytes, *, named: bool) -> None:
    """In the whole of the body, and as JSON says it; over WebSocket as well."""
    async with bytes_server(lambda _: http("401 Unauthorized", body)) as server:
        answer = await handshake(Target(server.url), None, transport=transport)
    assert (answer.status, answer.names_the_code) == (401, named)
