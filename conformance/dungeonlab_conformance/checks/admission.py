"""Who shows the cookie of a login is let in, whatever else comes along."""

from __future__ import annotations

import contextlib
import dataclasses

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Broken, Gone, TurnedAway, Unjudged
from dungeonlab_conformance.stage.stage import Stage


@check("auth/cookie-accepted")
async def a_valid_cookie_is_accepted(stage: Stage) -> None:
    """Alice connects with the cookie of her login, over any transport that the server offers."""
    alice = await stage.actor("alice")
    try:
        await alice.connect()
    except Refused as refused:
        with contextlib.suppress(Refused, Gone):
            for other in stage.target.other_transports(stage.target.transport):
                await alice.connect(transport=other)
        if alice.closed:
            raise Broken("alice's connection to be accepted", f"{refused}") from None
    if not await alice.fence():
        raise Broken("alice's connection to stay open", "it was closed", is_cut=True)


# Values of cookies that scripts of the same host set, and browsers send as they are; each is one by RFC 6265.
_ODD_COOKIES = {"0_percent": "100%zz", "0_quoted": '"so"', "0_equals": "a=b==", "0_empty": ""}


@check("auth/cookie-accepted")
async def a_valid_cookie_is_accepted_among_others(stage: Stage) -> None:
    """Alice's cookie is accepted; so it is among others of the same host, one of which has a name that ends like its.

    Browsers send all that they have, in any order, and some of it is odd.
    """
    await stage.connected("alice")
    alice = await stage.roles.identity("alice")
    others = {**_ODD_COOKIES, "0_theme": "dark", "zz_zone": "none", **{f"0_{name}": "other" for name in alice.cookies}}
    among_others = dataclasses.replace(alice, cookies={**others, **alice.cookies})
    browser = await stage.actor("alice", called="alice with other cookies besides", identity=among_others)
    try:
        await browser.connect()
    except Refused as refused:
        try:
            await (await stage.actor("alice", called="alice once more")).connect()
        except Refused:
            raise Unjudged(f"one more connection of alice is refused, whatever it shows: {refused}") from None
        raise Broken("alice's cookie to be accepted among others", f"{refused}") from None
    if not await browser.fence():
        expected = "the connection of alice, with other cookies besides, to stay open"
        raise Broken(expected, "it was closed", is_cut=True)


@check("auth/cookie-accepted")
async def a_valid_cookie_is_accepted_with_an_auth_payload(stage: Stage) -> None:
    """Alice connects with her cookie, a query and a payload in the CONNECT packet, and then without those two.

    Clients send them to other servers; here the cookie alone says who acts. A connection may be cut by the network:
    what is not let in is tried twice.
    """
    await stage.connected("alice")
    for _ in range(2):
        client = await stage.actor("alice", called="alice with an auth payload")
        try:
            return await client.connect(claims={"client": "conformance", "token": ""})
        except TurnedAway:
            raise
        except (Refused, Gone) as refused:
            why = f"{refused}"
        try:
            await (await stage.actor("alice", called="alice once more")).connect()
        except (Refused, Gone):
            raise Unjudged(f"one more connection of alice is refused, whatever it shows: {why}") from None
    raise Broken("alice's cookie to be accepted beside a query and an auth payload", why)
