"""Cookies as a browser keeps them: quoted ones with their quotes, and why one is not sent to the Socket.IO server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.cookies import CookieError, Morsel

import aiohttp
from aiohttp.typedefs import LooseCookies
from multidict import CIMultiDict
from yarl import URL

_ANYWHERE = URL()
_SHOWN = 100  # characters of a cookie's name, domain or path


class Jar(aiohttp.CookieJar):
    """A cookie jar that sends each value back as it came, quotes and escapes included; aiohttp's own takes them off."""

    def __init__(self, url: URL) -> None:
        """Make a jar for a server: of one addressed by IP too, and with secure cookies as on localhost."""
        super().__init__(unsafe=True, quote_cookie=False, treat_as_secure_origin=url)

    def update_cookies(self, cookies: LooseCookies, response_url: URL = _ANYWHERE) -> None:
        """Take cookies by name; one called as no cookie can be, such as `Path`, goes nowhere."""
        if isinstance(cookies, Mapping):
            cookies = {name: value for name, value in cookies.items() if can_be_sent(name)}
        super().update_cookies(cookies, response_url)

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Take the cookies of an answer's Set-Cookie headers."""
        super().update_cookies_from_headers([_quoted_again(header) for header in headers], response_url)


def can_be_sent(name: str) -> bool:
    """Whether a cookie of this name can be sent."""
    try:
        Morsel[str]().set(name, "", "")
    except CookieError:
        return False
    return True


def sent_to(jar: aiohttp.abc.AbstractCookieJar, url: URL) -> dict[str, str]:
    """Return the cookies of a jar that go along with a request to `url`, by name."""
    return {cookie.key: cookie.value for cookie in jar.filter_cookies(url).values() if can_be_sent(cookie.key)}


def why_not_sent(header: str, came_from: URL, url: URL) -> tuple[str, str]:
    """Return the name of the cookie that a Set-Cookie header sets, and why it is not sent to `url`, if it is not."""
    pair, *parts = header.split(";")
    name, _, value = (part.strip() for part in pair.partition("="))
    attributes = CIMultiDict((key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in parts))
    domain, path = attributes.get("Domain", "").lstrip(".").lower(), attributes.get("Path", "")
    host = (came_from.host or "").lower()
    if not path.startswith("/"):
        path = came_from.path.rpartition("/")[0] or "/"
    if not value or attributes.get("Max-Age", "1").startswith(("0", "-")):
        return name, ""
    if domain and host != domain and not host.endswith(f".{domain}"):
        return name, f"it is for the domain {_short(domain)}; set [server] url to a host of that domain"
    if not _covers(path, url.path):
        why = f"its path {_short(path)} does not cover {url.path}"
        return name, f"{why}; if a proxy adds that path, set it as prefix in [server]"
    return name, ""


def _covers(path: str, wanted: str) -> bool:
    return wanted == path or wanted.startswith(path if path.endswith("/") else f"{path}/")


def _quoted_again(header: str) -> str:
    """Quote a value that is quoted already, so that its quotes are part of it."""
    name, equals, rest = header.partition("=")
    value, semicolon, attributes = rest.partition(";")
    value = value.strip(" \t")
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return header
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{equals}"{escaped}"{semicolon}{attributes}'


def _short(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
