"""Which pages may use the server, on both its sides: those of its own origin, and those configured.

A browser sends the cookie along for any page that asks, but it says which page that is. Behind a proxy the
server's own origin is what `X-Forwarded-Proto` and `X-Forwarded-Host` say: no page can make a browser send those.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from aiohttp import web
from yarl import URL

_HEADERS = re.compile(r"[A-Za-z0-9-]{1,60}(?: ?, ?[A-Za-z0-9-]{1,60}){0,20}")  # that a page asks to send
_REMEMBERED = "600"  # seconds for which a browser need not ask again

log = logging.getLogger("dungeonlab")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Admits = Callable[[str, web.Request], bool]


def own_url(request: web.Request) -> URL:
    """Return the scheme, host and port under which the server was called. Raises `ValueError` if they are none."""
    return _url(own_scheme(request), _first(request, "X-Forwarded-Host", request.headers.get("Host", "")))


def own_scheme(request: web.Request) -> str:
    """Return the scheme under which the server was called, in lower case."""
    return _first(request, "X-Forwarded-Proto", request.scheme).lower()


def is_own(origin: str, request: web.Request) -> bool:
    """Say whether `origin` is the server's own. That of a sandboxed page or a file, ``null``, never is."""
    try:
        return URL(origin).origin() == own_url(request).origin()
    except ValueError:
        return False


def guard(admits: Admits) -> Any:
    """Return a middleware that turns foreign pages away, and lets browsers know of those that may come."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            own_url(request)
        except ValueError:
            error = {"error": "the Host header cannot be read", "code": "VALIDATION_ERROR"}
            return web.json_response(error, status=400)
        origin = request.headers.get("Origin")
        if origin is None:
            return await handler(request)
        if not admits(origin, request):
            log.debug("refused page rule='Origin: the own one, or one of --origin'")
            error = {"error": "pages of this origin may not use this server", "code": "PERMISSION_DENIED"}
            return web.json_response(error, status=403)
        asks_first = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = web.Response(status=204) if asks_first else await handler(request)
        if not response.prepared:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Vary"] = "Origin"
        if asks_first:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
            asked = request.headers.get("Access-Control-Request-Headers", "")
            response.headers["Access-Control-Allow-Headers"] = asked if _HEADERS.fullmatch(asked) else "Content-Type"
            response.headers["Access-Control-Max-Age"] = _REMEMBERED
        return response

    return guarded


@lru_cache(maxsize=64)  # a server is called by few names
def _url(scheme: str, authority: str) -> URL:
    return URL.build(scheme=scheme, authority=authority)


def _first(request: web.Request, header: str, otherwise: str) -> str:
    return request.headers.get(header, otherwise).partition(",")[0].strip()
