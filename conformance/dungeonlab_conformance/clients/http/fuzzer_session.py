"""The HTTP session of generated requests, like those of `client`, for schemathesis, which uses the library requests.

Imported only where schemathesis is installed.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from dungeonlab_conformance.clients.http.client import Body, Unreadable
from dungeonlab_conformance.target.target import Target

_PIECE = 65_536  # bytes
_INTERIM, _FINAL = 102, 200  # the least status of an answer behind which another comes, and of a last one
_MOST = 100  # interim answers ahead of one
_OF_THE_WIRE = ("content-encoding", "transfer-encoding", "content-length")  # headers that are done with by then


def new_session(target: Target) -> requests.Session:
    """Return a session with the target's headers and certificates, for which no proxy and no .netrc counts.

    It reads bodies up to `client.LONGEST_BODY`; beyond that, or if one takes longer than an answer may, it raises
    `requests.RequestException`. Redirects are followed unless each request says otherwise.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = target.verify
    session.headers.update({"Accept-Encoding": "identity", **target.headers})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Bounded(target.limits.answer))
    return session


class _LastAnswer(http.client.HTTPResponse):
    """An answer that is read from behind the interim ones, such as 103, of which the library knows 100 alone."""

    def begin(self) -> None:
        """Read the status and the headers, until they are those of the last answer."""
        super().begin()
        for _ in range(_MOST):
            if not _INTERIM <= self.status < _FINAL:
                return
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first
            super().begin()
        raise http.client.HTTPException(f"more than {_MOST} interim answers ahead of an answer")


class _Connection(HTTPConnection):
    response_class = _LastAnswer


class _SecureConnection(HTTPSConnection):
    response_class = _LastAnswer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Bounded(HTTPAdapter):
    """Reads bodies for `seconds` at most, and up to a limit; requests alone would read them whole."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make connections that read on behind interim answers."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(self, request: Any, *options: Any, **more: Any) -> requests.Response:
        """Send a request, and read the whole answer, whether that was asked for (`stream`) or not."""
        response = super().send(request, *options, **{**more, "stream": True})
        raw, end = response.raw, time.monotonic() + self.seconds
        try:
            body = Body(response.headers.get("Content-Encoding", ""))
            while piece := raw.read1(_PIECE, decode_content=False):
                body.add(piece)
                if time.monotonic() > end:
                    raise requests.ReadTimeout(f"its body took longer than {self.seconds:.0f} s")
        except Unreadable as why:
            raise requests.exceptions.ContentDecodingError(f"the server {why}") from None
        finally:
            raw.close()
        headers = {name: value for name, value in raw.headers.items() if name.lower() not in _OF_THE_WIRE}
        whole = HTTPResponse(io.BytesIO(body.whole), headers, raw.status, raw.version, preload_content=False)
        return self.build_response(request, whole)
