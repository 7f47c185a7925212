"""Who may use the page: browsers on this machine that opened it by its own address. Other pages in them may not.

A page from elsewhere may name this address, or make its own name lead to it (DNS rebinding). What it sends carries its
origin, or a foreign host: both are refused before anything is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def middleware(port: Callable[[], int]) -> Middleware:
    """Return what refuses foreign requests with 403 and one sentence; `port` is that of the page."""

    @web.middleware
    async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        if why := _foreign(request, {f"{name}:{port()}" for name in ("127.0.0.1", "localhost")}):
            return web.Response(status=403, text=f"{why}\n")
        try:
            return await handler(request)
        except ConnectionError:
            return web.Response()  # to nobody: the page was closed meanwhile

    return same_origin


async def protect(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer that keep what it holds from running, and from other pages."""
    response.headers.update(HEADERS)


def _foreign(request: web.Request, hosts: set[str]) -> str:
    """Say why a request is not one of this page's own; empty if it is."""
    named, origins = request.headers.getall("Host", []), request.headers.getall("Origin", [])
    if len(named) != 1 or named[0].lower() not in hosts:
        return f"This page answers to {' and '.join(sorted(hosts))} only; the request is for another host."
    if origins and origins != [f"http://{named[0].lower()}"]:
        return "This page answers to itself only; the request comes from another origin."
    if not origins and request.method not in ("GET", "HEAD"):
        return "Only this page itself may change anything here; the request has no origin."
    site, is_link = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in ("same-origin", "none") and not (is_link and request.path == "/"):
        return "This page answers to itself only; the request comes from another site."
    return ""
