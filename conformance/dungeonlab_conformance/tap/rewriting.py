"""What a tap changes on the way, since it has an address of its own: Host and Origin, and cookies of an https server.

A client that talks to the server directly names the server in Host and Origin. Through a tap it names the tap; so that
the server receives what it would receive, both are translated. Everything else stays as it is, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import SplitResult

from dungeonlab_conformance.tap.reading.framing import Framing, Part, Piece

Edit = Callable[[bytes], bytes]

_VALUE = re.compile(rb"([A-Za-z-]+:[ \t]*)([^\s]*)([ \t]*\r?\n)")
_COOKIE = re.compile(rb"(set-cookie:[ \t]*)(.*?)(\r?\n)", re.IGNORECASE | re.DOTALL)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Lines:
    """How the lines of heads are changed that begin with one of `names` (lower case, with their colon)."""

    def __init__(self, names: tuple[bytes, ...], edit: Edit) -> None:
        self.names, self.edit = names, edit
        self._lines = re.compile(rb"^(?:%b)[^\n]*\n" % b"|".join(names), re.IGNORECASE | re.MULTILINE)

    def changed(self, lines: bytes) -> bytes:
        """Return one line, or several, with those changed that are to be."""
        return self._lines.sub(lambda found: self.edit(found[0]), lines)

    def may_begin(self, begun: bytes) -> bool:
        """Say whether the beginning of a line may become one that is changed."""
        lower = begun.lower()
        return lower.startswith(self.names) or any(name.startswith(lower) for name in self.names)


def rewritten(framing: Framing, lines: Lines, data: bytes) -> tuple[bytes, list[Piece]]:
    """Return the bytes to forward for `data`, and its pieces, still as they came.

    A line that is not whole is held back only as long as it may be one that is changed.
    """
    skip, framing.forwarded = framing.forwarded, 0
    pieces = framing.feed(data)
    out = []
    for piece in pieces:
        if not piece.raw:
            continue
        whole = piece.part is Part.LINE and not skip
        out.append(lines.changed(piece.raw) if whole else piece.raw[skip:])
        skip = 0
    pending = bytes(framing.pending)
    if skip or not framing.in_head or not lines.may_begin(pending):
        out.append(pending[skip:])
        skip = len(pending)
    framing.forwarded = skip
    return b"".join(out), pieces


def authority(parts: SplitResult) -> str:
    """Return what a client puts into Host for a URL."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = 443 if parts.scheme == "https" else 80
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


def names_of_server(upstream: SplitResult, host: str, port: int) -> Lines:
    """Return what translates the tap's names at `host` and `port` into those of the server."""
    own = {f"{name}:{port}".encode() for name in (*_LOOPBACK, f"[{host}]" if ":" in host else host)}
    there = authority(upstream).encode()
    origin = f"{upstream.scheme}://".encode() + there

    def edit(line: bytes) -> bytes:
        found = _VALUE.fullmatch(line)
        if found is None:
            return line
        before, value, after = found.groups()
        if before[:5].lower() == b"host:" and value.lower() in own:
            return before + there + after
        if before[:7].lower() == b"origin:" and value.lower().removeprefix(b"http://") in own and b"://" in value:
            return before + origin + after
        return line

    return Lines((b"host:", b"origin:"), edit)


def cookies_for_http() -> Lines:
    """Return what makes the cookies of an https server fit for clients that speak http to another host."""

    def edit(line: bytes) -> bytes:
        found = _COOKIE.fullmatch(line)
        if found is None:
            return line
        before, value, after = found.groups()
        pair, *attributes = value.split(b";")
        return before + b";".join([pair, *(each for each in attributes if not _binds(each))]) + after

    return Lines((b"set-cookie:",), edit)


def _binds(attribute: bytes) -> bool:
    """Say whether an attribute binds a cookie to https, or to the server's own host; SameSite=None needs https."""
    name, _, value = (part.strip().lower() for part in attribute.partition(b"="))
    return name in (b"secure", b"domain") or (name == b"samesite" and value == b"none")
