"""Says in one sentence why there is no server to judge at an address, and what to change, by keys of the target file.

`of_error` explains requests that failed, `of_answer` answers that are no handshake. What a failure does not say is
found out by one bare connection to the same port, which carries nothing of the target's: no cookie and no header.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
from collections.abc import Mapping

import aiohttp
from yarl import URL

from dungeonlab_conformance.clients.http.client import Unreadable
from dungeonlab_conformance.target.target import tls
from dungeonlab_conformance.text.system import shortage

_PATIENCE = 2.0  # seconds for the bare connection
_SHOWN = 100  # characters of what the server wrote
_NOT_UP = (502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OLD_OPEN = re.compile(r"\d{1,9}:0\{")  # an OPEN packet behind its length, as Engine.IO 3 frames it
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)
# By OpenSSL's number of what is wrong with a certificate: what that is, and what helps.
_CERTIFICATES: Mapping[int, tuple[str, str]] = {
    9: ("its certificate is not valid yet", "set the clocks right"),
    10: ("its certificate has expired", "renew it"),
    18: ("its certificate is self-signed", "name its file as ca"),
    19: ("its certificate's authority is self-signed", "name that one's file as ca"),
    20: ("its certificate is from an authority that is not known here", "name that one's file as ca"),
    21: ("its certificate comes without the ones that it depends on", "name their file as ca"),
    62: ("its certificate is for another host", "set url to a name that the certificate has"),
    64: ("its certificate is for another host", "set url to a name that the certificate has"),
}


async def of_error(url: str, error: BaseException) -> str:
    """Say why a request to `url` failed, and what to do."""
    if lacking := shortage(error):
        return lacking
    why, cure = await _trouble(URL(url), error)
    return f"{url} cannot be reached ({why}); {cure}"


def reason(error: BaseException) -> str:
    """Say why a request got no answer that can be read: a few words, on one line."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"its answer is not HTTP: {_line(error.message)}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    inner = getattr(error, "os_error", None) or error
    if (number := getattr(inner, "errno", None) or 0) > 0 and not isinstance(inner, ssl.SSLError):
        return os.strerror(number)
    return _line(getattr(inner, "strerror", None) or str(inner) or type(inner).__name__)


def may_pass(error: BaseException) -> bool:
    """Whether a request that failed so may succeed later, without anything being changed."""
    return isinstance(error, OSError | aiohttp.ServerDisconnectedError) and not isinstance(
        error, aiohttp.ClientSSLError
    )


async def of_silence(url: str, seconds: float, *, known: bool) -> str:
    """Say that a request to `url` was not answered in so many seconds, and what to do; `known` if others were."""
    where, secure = URL(url), url.startswith("https:")
    if not known and not await _speaks(where, secure=secure) and await _speaks(where, secure=not secure):
        why, cure = _other(where)
        return f"{url} cannot be reached ({why}); {cure}"
    return f"{url} did not answer within {round(seconds, 1):g} s; is it the right server?{proxies()}"


async def _trouble(url: URL, error: BaseException) -> tuple[str, str]:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _of_certificate(error.certificate_error)
    if isinstance(error, aiohttp.ClientSSLError):
        if await _speaks(url, secure=False):
            return _other(url)
        return f"TLS failed: {reason(error)}", "look at [server] url, and at how the server is set up for TLS"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host {url.host} is unknown", f"is [server] url right?{proxies()}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return reason(error), f"is the server running?{proxies()}"
    if isinstance(error, Unreadable):
        return f"it {error}", "is [server] url that of a Socket.IO server?"
    if url.scheme == "http" and await _speaks(url, secure=True):
        return _other(url)
    if isinstance(error, aiohttp.ClientResponseError):
        return reason(error), "is [server] url that of a web server?"
    return reason(error), "is the server running?"


def _other(url: URL) -> tuple[str, str]:
    """Say that the server speaks TLS where the URL says that it does not, or the other way round."""
    scheme, spoken, said = ("http", "plain HTTP", "TLS") if url.scheme == "https" else ("https", "TLS", "plain HTTP")
    there = URL.build(scheme=scheme, host=url.host or "", port=url.port, path=url.path.rstrip("/"))
    return f"it speaks {spoken} at this port, not {said}", f"set [server] url to {there}"


def _of_certificate(error: Exception) -> tuple[str, str]:
    said = _line(getattr(error, "verify_message", "") or str(error))
    other = f"its certificate is not accepted: {said}", "name its authority's file as ca"
    what, cure = _CERTIFICATES.get(getattr(error, "verify_code", 0), other)
    return what, f"{cure}, or set verify = false in [server.tls] of the target file"


def proxies() -> str:
    """Say that a proxy of the environment is not used, if there is one; empty otherwise."""
    named = next((name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())), None)
    return f" {named} is set, and not used: the suite connects to the server itself" if named else ""


def of_answer(socket: URL, path: str, status: int, text: str, location: str) -> str:
    """Say what answered a handshake at `socket` in place of a Socket.IO server, and what to do.

    `path` is the Socket.IO path, without any prefix; `text` the body, `location` where a redirect leads to.
    """
    if status in _REDIRECTS:
        return f"{socket} answered {status} to {_line(location) or 'nowhere'}; {_of_redirect(socket, path, location)}"
    if status in _NOT_UP:
        return (
            f"{socket} answered HTTP {status}: the server is not up, or not where a proxy looks for it; "
            "if it is starting, --wait SECONDS waits for it"
        )
    if status == 429:
        return f"{socket} answered HTTP 429, too many requests, to a handshake; raise the server's limit for the run"
    if _is_old(text):
        return f"{socket} speaks Engine.IO 3, which is Socket.IO 2; the protocol needs Socket.IO 4"
    if "html" in text[:500].lower():
        title = _TITLE.search(text)
        page = f"a web page, {_line(title[1])!r}," if title else "a web page"
        return (
            f"{socket} answered HTTP {status} with {page} and no Socket.IO v4 handshake; is the path right? "
            "Set [server] path, or prefix for what a proxy adds before it"
        )
    return (
        f"{socket} answered HTTP {status} and no Socket.IO v4 handshake; is the path right, and is it a Socket.IO "
        "server? If not, set [server] url, path or prefix"
    )


def may_come_up(status: int) -> bool:
    """Whether what answers so may be a server, or a proxy before one, that is still starting."""
    return status not in _REDIRECTS


def _of_redirect(socket: URL, path: str, location: str) -> str:
    try:
        there = socket.join(URL(location)).with_query(None).with_fragment(None)
        base = there.origin()
    except ValueError:
        return "redirects are not followed: set [server] url to where the server is"
    if there.path.rstrip("/").endswith(path.rstrip("/")):
        prefix = there.path.rstrip("/").removesuffix(path.rstrip("/"))
        here = socket.path.rstrip("/").removesuffix(path.rstrip("/"))
        more = f" and prefix to {_line(prefix)}" if prefix != here and prefix else ""
        return f"redirects are not followed: set [server] url to {_line(str(base))}{more}"
    if base != socket.origin():
        return f"redirects are not followed: set [server] url to {_line(str(base))} if the server is there"
    return "redirects are not followed: set [server] path or prefix to where Socket.IO is, or headers that grant access"


def _is_old(text: str) -> bool:
    if _OLD_OPEN.match(text):
        return True
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("code") == 5  # "Unsupported protocol version"


async def _speaks(url: URL, *, secure: bool) -> bool:
    """Whether there is TLS, or plain HTTP, at the port of a URL."""
    try:
        async with asyncio.timeout(_PATIENCE):
            context = tls(False) if secure else None
            reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
            try:
                if secure:
                    return True
                writer.write(f"GET / HTTP/1.0\r\nHost: {url.host}\r\n\r\n".encode())
                return await reader.readexactly(5) == b"HTTP/"
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, EOFError):
        return False


def _line(text: str) -> str:
    """Return what a server wrote as one short line."""
    whole = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return whole if len(whole) <= _SHOWN else whole[: _SHOWN - 1] + "…"
