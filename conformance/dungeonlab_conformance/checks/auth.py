"""Authentication by cookie: which connections are accepted, which are refused, and as whom users act."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.raw.websocket_frames import RawConnection
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.payloads.requests import profile_request
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, TargetFault, TurnedAway, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import let_time_pass
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_spec import Catalogue, Event


async def must_not_connect(actor: Actor, what: str, **options: Any) -> Refused:
    """Return how a connection was refused that must be.

    A server that closes it in place of an answer refuses as well, if it does so twice: a network may cut one.
    """
    for closed_before in (False, True):
        try:
            await actor.connect(**options)
            break
        except Refused as refused:
            return refused
        except TurnedAway:
            raise
        except Gone:
            if closed_before:
                return Refused(None)
    try:
        served = await actor.fence()
    except Unjudged:
        served = True
    if not served:
        return Refused(None)  # let in for a moment, and thrown out before anything was answered
    raise Broken(f"a connection with {what} to be refused", "it was accepted")


async def _must_not_connect_over(stage: Stage, transport: str, actor: Actor, what: str) -> None:
    """Have a connection refused over a transport; over another than the usual one, it may be that anybody is let in."""
    try:
        await must_not_connect(actor, f"{what}, over {transport},", transport=transport)
    except Broken as broken:
        if transport != stage.target.transport:
            try:
                await must_not_connect(await stage.actor("nobody"), "no cookie", transport=transport)
            except Broken:
                raise Unjudged(f"{broken}", waits_for=VerdictKey("auth/missing-cookie-refused")) from None
        raise


async def with_cookies(stage: Stage, cookies: dict[str, str]) -> Actor:
    """Return somebody who shows these cookies in place of alice's."""
    alice = await stage.roles.identity("alice")
    forged = Identity("alice", alice.user, cookies)
    return await stage.actor("alice", called="somebody", identity=forged)


@check("auth/missing-cookie-refused")
async def a_connection_without_a_cookie_is_refused(stage: Stage) -> None:
    """Alice connects; a connection without a cookie is refused, over either transport, even if it names alice."""
    alice = await stage.connected("alice")
    for transport in stage.target.transports:
        with contextlib.nullcontext() if transport == stage.target.transport else contextlib.suppress(Gone):
            await must_not_connect(await stage.actor("nobody"), f"no cookie, over {transport},", transport=transport)
    await must_not_connect(await stage.actor("nobody"), "no cookie and a claim", claims=_claims(alice))


@check("auth/missing-cookie-refused")
async def asking_again_lets_nobody_in(stage: Stage) -> None:
    """Somebody without a cookie, who is refused, asks to enter once more over the same WebSocket; it is of no use."""
    await stage.connected("alice")
    if "websocket" not in stage.target.transports:
        return
    with contextlib.suppress(Gone, Unjudged):  # a server may turn the WebSocket down, or end it
        raw = await stage.raw("nobody", entered=False)
        refused = not await _enters(raw)
        raw.frames.clear()  # the next answer is another one
        if refused and await _enters(raw):
            raise Broken("nobody to be refused without a cookie each time", "the second request to enter was granted")


def _claims(actor: Actor) -> dict[str, Any]:
    """Return the ways in which clients say who they are where the cookie does not decide."""
    return {"userId": actor.user, "sender": actor.user, "senderId": actor.user, "user": {"id": actor.user}}


@check("auth/forged-cookie-refused")
async def a_forged_cookie_is_refused(stage: Stage) -> None:
    """Alice's cookie is accepted; a made-up one, half of hers, and hers with letters changed or added are refused.

    The made-up one is tried over any transport that the server offers.
    """
    await stage.connected("alice")
    cookies = (await stage.roles.identity("alice")).cookies
    if not any(cookies.values()):
        raise Unjudged("alice's login set no cookie")
    made_up = {name: "f" * len(value) for name, value in cookies.items()}
    for transport in stage.target.other_transports(stage.target.transport):
        await _must_not_connect_over(stage, transport, await with_cookies(stage, made_up), "a made-up cookie")
    for what, forge in (
        ("a made-up cookie", lambda v: "f" * len(v)),
        ("half a cookie", lambda v: v[: len(v) // 2]),
        ("a changed cookie", lambda v: _changed_at(v, len(v) // 2)),
        ("a cookie changed at its beginning", lambda v: _changed_at(v, 0)),
        ("a cookie with another last letter", _changed_at_the_end),
        ("a longer cookie", lambda v: v + "abcdefgh"),
        ("a cookie with another signature behind it", lambda v: v + ".abcdefgh"),
        ("a cookie in other case", _in_other_case),
    ):
        forged = {name: forge(value) if value else value for name, value in cookies.items()}
        if any(value and forged[name] == value for name, value in cookies.items()):
            continue  # what was not changed may be the one that counts
        somebody = await with_cookies(stage, forged)
        await must_not_connect(somebody, what)


_LONG = 16  # letters of a cookie that are no address of a server behind the one that was asked
_LIKE_W = frozenset("wxyz0123456789-_")  # begin with the same two bits in base 64


def _in_other_case(value: str) -> str:
    """Return a value with its letters in other case, where it has both kinds: else it may be a number of some base."""
    return value.swapcase() if value not in (value.lower(), value.upper()) else value


def _changed_at(value: str, place: int) -> str:
    return value[:place] + ("x" if value[place] != "x" else "y") + value[place + 1 :]


def _changed_at_the_end(value: str) -> str:
    """Return a value with another last letter, where what that belongs to is long: short parts may be addresses.

    It is no digit of base 16, and differs by more than the bits that base 64 or 32 leaves unused at an end.
    """
    end = len(value.rstrip("=")) - 1
    if len(re.split(r"[^\w-]", value[: end + 1])[-1]) < _LONG:
        return value
    return value[:end] + ("g" if value[end] in _LIKE_W else "w") + value[end + 1 :]


async def logged_out(stage: Stage) -> Identity:
    """Log alice in once more, see that this login is let in, and end it; return it with the cookie that it had."""
    login = await stage.roles.second_login("alice")
    before = await stage.actor("alice", identity=login)
    try:
        await before.connect()
    except Refused:
        raise Unjudged("a second login of alice is not let in") from None
    await before.close()
    stale = dataclasses.replace(login, cookies=dict(login.cookies))
    await stage.roles.log_out(login)
    return stale


@check("auth/logged-out-cookie-refused")
async def a_logged_out_cookie_is_refused(stage: Stage) -> None:
    """The cookie of alice's second login is accepted; after she logs out of that login, it is refused.

    So it is over any transport that the server offers, and so is that of a login of which she logs out after one that
    goes on, if a user may have several.
    """
    stale = await logged_out(stage)
    await _must_be_dead(stage, stale)
    try:
        older = await stage.roles.second_login("alice")
        newer = await stage.roles.login_beside(older)
    except (Missing, TargetFault):
        return  # a server may limit how many logins there are
    before = await stage.actor("alice", identity=older)
    try:
        await before.connect()
    except Refused:
        return  # the newer login has ended it
    await before.close()
    if older.cookies != newer.cookies:
        stale = dataclasses.replace(older, cookies=dict(older.cookies))
        await stage.roles.log_out(older)
        await must_not_connect(await stage.actor("alice", identity=stale), "a logged-out cookie beside a newer one")


@check("auth/logged-out-cookie-refused", slow=True)
async def a_cookie_that_was_logged_out_a_while_ago_is_refused(stage: Stage) -> None:
    """Alice logs out of a login that was accepted; a while later its cookie is refused, as it was at once."""
    stale = await logged_out(stage)
    await must_not_connect(await stage.actor("alice", identity=stale), "a logged-out cookie")
    await let_time_pass()
    await must_not_connect(await stage.actor("alice", identity=stale), "a cookie that was logged out a while ago")


@check("auth/old-cookie-stays-dead")
async def an_old_cookie_stays_dead(stage: Stage) -> None:
    """Alice logs out of a login that was accepted, begins to connect with its cookie, and logs in again.

    The new cookie is accepted. The old one is not: neither on the connection that was begun before the new login, nor
    on one that is begun after it, over any transport, nor once she has logged out of the new one, too.
    """
    stale = await logged_out(stage)
    await _need_a_dead_cookie(stage, stale)
    begun = await _begun(stage, stale)
    new = await stage.roles.second_login("alice")
    if new.cookies == stale.cookies:
        raise Unjudged("the next login was given the same cookie")
    alice = await stage.actor("alice", called="alice, who logged in again", identity=new)
    try:
        await alice.connect()
    except Refused:
        raise Unjudged("the next login of alice is not let in") from None
    if begun is not None and await _enters(begun):
        raise Broken("a connection that was begun with a logged-out cookie to be refused", "it was accepted")
    await _must_be_dead(stage, stale)
    await stage.roles.log_out(new)
    await must_not_connect(await stage.actor("alice", identity=stale), "a cookie that was logged out before another")


async def _must_be_dead(stage: Stage, stale: Identity) -> None:
    """Have a logged-out cookie refused over any transport."""
    for transport in stage.target.transports:
        again = await stage.actor("alice", called="alice with the old cookie", identity=stale)
        await _must_not_connect_over(stage, transport, again, "a logged-out cookie")


async def _need_a_dead_cookie(stage: Stage, stale: Identity) -> None:
    try:
        await _must_be_dead(stage, stale)
    except Broken as broken:
        raise Unjudged(f"{broken}", waits_for=VerdictKey("auth/logged-out-cookie-refused")) from None


async def _begun(stage: Stage, stale: Identity) -> RawConnection | None:
    """Open a WebSocket with a cookie, and do not enter the namespace yet; None where that is refused or not served."""
    if "websocket" not in stage.target.transports:
        return None
    try:
        return await stage.raw("alice", entered=False, identity=stale)
    except (Gone, Unjudged):
        return None


async def _enters(raw: RawConnection) -> bool:
    """Ask to enter the default namespace; returns whether the connection is let in and served."""
    with contextlib.suppress(Gone):
        await raw.send_frame("40")
        answer = await raw.try_receive("40", "44")
        return answer is not None and answer.startswith("40") and bool(await raw.try_send(profile_request()))
    return False


@check("auth/identity-comes-from-the-cookie")
async def identity_comes_from_the_cookie(stage: Stage, event: Event) -> None:
    """Bob claims to be carol, and his broadcast names bob; mallory claims to be alice, and is refused all the same.

    The broadcast of the game master names the game master, though they claim to be carol.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await bob.send(claim := (await stage.request(event)).with_properties(_claims(carol)))
    await _must_not_be_named(carol, alice, claim, bob)
    request = await stage.request(event, fresh=True)
    mallory = await stage.connected("mallory")
    for requirement, answer in (
        (VerdictKey("authorization/outsider-refused", event.name), await mallory.try_send(request)),
        (VerdictKey("join/outsider-refused"), await mallory.try_join(stage.session)),
    ):
        if answer.accepted:
            raise Unjudged("mallory is let through without claiming anything", waits_for=requirement)
    request = await stage.request(event, fresh=True)
    await mallory.must_be_refused(request.with_properties(_claims(alice)))
    await _must_remain_mallory(stage, alice, mallory, await stage.request(event, fresh=True))
    master = await stage.onlooker("gamemaster")
    if master is not None and (await master.try_join(stage.session, expected=True)).accepted:
        claim = (await stage.request(event)).with_properties(_claims(carol))
        if (await master.try_send(claim, expected=True)).accepted:
            await _must_not_be_named(carol, alice, claim, master)


async def _must_not_be_named(claimed: Actor, listener: Actor, request: Request, sender: Actor) -> None:
    """Have somebody hear the broadcast of a request; it does not name whom its sender claimed to be."""
    if Catalogue.load()[request.event].is_broadcast:
        heard = (await listener.hear(request)).args[0]
        user = heard.get("userId") if isinstance(heard, dict) else None
        if user == claimed.user:
            expected = f"the id of {sender.name}, {sender.user!r}"
            raise Broken(expected, f"{quoted(user)}, which is {claimed.name}'s, as {sender.name} claimed", "$.userId")


async def _must_remain_mallory(stage: Stage, alice: Actor, mallory: Actor, request: Request) -> None:
    """Mallory connects with her own cookie and claims, in the handshake, to be alice: she remains mallory."""
    impostor = await stage.actor("mallory", called="mallory claiming to be alice")
    try:
        await impostor.connect(claims=_claims(alice))
    except (Refused, Gone):  # whether anybody is let in with such data is judged by itself
        return
    answer = await impostor.try_join(stage.session)
    if answer.accepted or (await impostor.try_send(request)).accepted:
        if (await mallory.try_join(stage.session)).accepted:
            raise Unjudged("mallory is let in by now without claiming anything")
        raise Broken("mallory to be refused, whatever user she names in the handshake", "she was let through")


_NAMESPACES = ("/admin", "/dm", "/game", "/session", "/chat")


@check("auth/no-open-namespace")
async def no_namespace_stands_open(stage: Stage) -> None:
    """Alice's connection is accepted; a connection without a cookie asks for other namespaces and enters none."""
    await stage.connected("alice")
    await _must_enter_none(stage, "without a cookie", None)


@check("auth/no-open-namespace")
async def no_namespace_takes_an_old_cookie(stage: Stage) -> None:
    """A connection with a cookie of which alice has logged out asks for other namespaces and enters none."""
    with contextlib.suppress(Missing):  # that there is a second login
        stale = await logged_out(stage)
        await _need_a_dead_cookie(stage, stale)
        await _must_enter_none(stage, "with a logged-out cookie", stale)


async def _must_enter_none(stage: Stage, how: str, identity: Identity | None) -> None:
    """Have a connection that may enter no namespace ask for several, each over a WebSocket of its own."""
    for namespace in _NAMESPACES:
        try:
            raw = await stage.raw("nobody" if identity is None else "alice", entered=False, identity=identity)
            await raw.send_frame(f"40{namespace},")
        except Gone:
            return  # turned away before any namespace could be asked for, and not for want of a server
        answer = await raw.try_receive(f"40{namespace}", "44")
        if answer is not None and answer.startswith(f"40{namespace}"):
            raise Broken(f"{namespace} to be refused {how}", f"{answer}")


@check("auth/logout-ends-the-connection")
async def logging_out_ends_the_connection(stage: Stage) -> None:
    """Alice logs out while connected, over each transport, and in a room; the server closes all her connections.

    What a server lets her have besides the first one is up to it. They are many, since a server may have several
    processes, and each connection is in one of them.
    """
    await stage.roles.member("alice")
    login = await stage.roles.second_login("alice")
    alice = await stage.actor("alice", identity=login)
    await alice.connect()
    connected = {"alice's connection": alice}
    further: dict[str, str | None] = {"in a room": None, "in no room": None, "in no room either": None}
    further |= {f"over {transport}": transport for transport in stage.target.other_transports(stage.target.transport)}
    for which, transport in further.items():
        another = await stage.actor("alice", called="alice's other tab", identity=login)
        with contextlib.suppress(Refused, Gone, Unjudged):
            await another.connect(transport=transport)
            connected[f"alice's connection {which}"] = another
            if which == "in a room":
                await another.try_join(stage.session)
    await stage.roles.log_out(login)
    for which, actor in connected.items():
        await _must_be_closed(actor, which)


async def _must_be_closed(actor: Actor, which: str) -> None:
    if not actor.closed and await actor.try_observe_fenced(lambda o: o.act == "is closed") is None and not actor.closed:
        raise Broken(f"{which} to be ended", "it stayed open")
