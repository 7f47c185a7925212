"""The address of a server, as a user wrote it: what is wrong with it, and what of it may be shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from yarl import URL

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault

_LIKE = "give one such as http://127.0.0.1:3000"
_LONGEST = 2000  # characters
_SHOWN = 100
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff<>\"\\^`{|}]")


def check(url: str) -> SplitResult:
    """Return the parts of a server's URL. Raises `TargetFault` with a sentence that shows no password."""
    shown = ascii(Secrets().shortened(url, _SHOWN))

    def fault(why: str) -> TargetFault:
        return TargetFault(f"{shown} is no server URL: {why}; {_LIKE}")

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        _ = URL(url).host  # what sends the requests may be stricter
    except UnicodeError:  # a host of another alphabet, wrongly encoded
        raise fault("its host is malformed") from None
    except ValueError as error:
        raise fault("its port is not between 1 and 65535" if "ort" in str(error) else "its host is malformed") from None
    if parts.scheme not in ("http", "https") or not host:
        raise TargetFault(f"{shown} is no server URL; {_LIKE}")
    if len(url) > _LONGEST:
        raise fault(f"it is longer than {_LONGEST} characters")
    if _NOT_IN_A_URL.search(url):
        raise fault("it has a space, or a character that no URL may have")
    if port == 0 or parts.netloc.endswith(":"):
        raise fault("its port is not between 1 and 65535")
    if not _is_host(host):
        raise fault("its host is malformed")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise TargetFault(f"{shown} has something behind its path, where requests put theirs; leave it out")
    return parts


def _is_host(host: str) -> bool:
    if ":" in host:
        return True  # an address in brackets, which `urlsplit` has looked at
    try:
        plain = host.encode("idna").decode()
    except UnicodeError:
        return False
    labels = plain.removesuffix(".").split(".")
    return len(plain) <= 253 and all(re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", x) for x in labels)


def hide_credentials(parts: SplitResult, secrets: Secrets) -> None:
    """Hide the password of a URL as it is written, as it is meant, and as a header carries it."""
    if parts.password:
        user, password = unquote(parts.username or ""), unquote(parts.password)
        for value in (parts.password, password, f"{user}:{password}"):
            secrets.add(value)
