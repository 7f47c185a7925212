"""The Origin of a connection: pages of other sites are refused, and the server's own are accepted."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

from yarl import URL

from dungeonlab_conformance.checks.auth import must_not_connect
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.target import Target

_FOREIGN = "https://evil.example"
_HIGHEST_PORT = 65_535
_PORT_OF_NO_PAGE = 9  # from which browsers load nothing


@check("auth/foreign-origin-refused")
async def a_foreign_origin_is_refused(stage: Stage) -> None:
    """Pages of other sites connect with alice's cookie and are refused; a connection without an Origin is accepted.

    So is a page of the server's own, over some transport: where all are refused, nothing shows what is foreign.
    """
    foreign = _foreign_origins(stage.target.url)
    served: list[str] = []
    for transport in stage.target.transports:
        alice = await stage.actor("alice")
        try:
            await alice.connect(transport=transport)
        except (Refused, Gone):
            continue  # whatever the Origin
        served.append(transport)
        for origin in foreign:
            page = await stage.actor("alice", called="a foreign page")
            await must_not_connect(page, f"the Origin {origin}", transport=transport, headers={"Origin": origin})
    if not served:
        raise Unjudged("alice is not let in over any transport")
    own = _own_origin(stage.target)
    if all([await _refusal(stage, transport, own) for transport in served]):
        why = f"every Origin is refused, even {own}; if pages come from another, set Origin in [server.headers]"
        raise Unjudged(why)


@check("auth/cookie-accepted")
async def a_page_of_the_servers_own_is_accepted_over_each_transport(stage: Stage) -> None:
    """A page with alice's cookie and the server's own Origin is accepted over one transport, and so over the other.

    What a server's own is does not follow from its address. It shows where this page is accepted and a foreign one is
    not.
    """
    own, refused = _own_origin(stage.target), dict[str, Refused | None]()
    for transport in stage.target.transports:
        with contextlib.suppress(Gone):
            if await _refusal(stage, transport, None) is None:
                refused[transport] = await _refusal(stage, transport, own)
    are_refused = [await _refusal(stage, each, _FOREIGN) for each, refusal in refused.items() if refusal is None]
    for transport, refusal in refused.items():
        still = refusal and any(are_refused) and await _refusal(stage, transport, own)
        if still and await _refusal(stage, transport, None) is None:
            raise Broken(f"a page of {own} to be accepted over {transport}", f"{still}")


async def _refusal(stage: Stage, transport: str, origin: str | None) -> Refused | None:
    """Return how a page of an origin is refused that has alice's cookie; None if it is let in."""
    page = await stage.actor("alice", called=f"a page of {origin}" if origin else None)
    try:
        await page.connect(transport=transport, headers={"Origin": origin} if origin else None)
    except Refused as refused:
        return refused
    await page.close()
    return None


def _own_origin(target: Target) -> str:
    """Return the origin of pages that come from a target: what its file sends with every request, or its address."""
    given = next((value for name, value in target.headers.items() if name.lower() == "origin"), None)
    return given or str(URL(target.url).origin())


def _foreign_origins(own: str) -> list[str]:
    """Return origins that are not the server's, some of which look like it where only a part is compared."""
    url = urlsplit(own)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    found = [_FOREIGN, "null", f"{url.scheme}://{url.hostname}.evil.example"]
    found += [f"{scheme}://{host}:{_PORT_OF_NO_PAGE}" for scheme in ("http", "https")]
    if url.port is not None and url.port > 9:
        found.append(f"{url.scheme}://{host}:{str(url.port)[0]}")  # begins like its own
    if url.port is not None and url.port < _HIGHEST_PORT // 10:
        found.append(f"{url.scheme}://{host}:{url.port}1")  # its own is the beginning of this one
    if (url.hostname or "").replace(".", "").isdigit():  # beside a name there may be others of the same owner
        found.append(f"{url.scheme}://evil-{url.netloc}")
    return found
