"""How those are refused who may not connect: with a message, and with a code."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dungeonlab_conformance.checks.auth import logged_out, must_not_connect, with_cookies
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.handshake import handshake
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage


@check("auth/refusal-says-why")
async def a_refusal_says_why(stage: Stage) -> None:
    """Alice's connection is accepted; one without a cookie is refused with a message.

    So is one with a cookie that is made up, and one with a cookie that was logged out.
    """
    async for what, somebody in _who_may_not_connect(stage):
        refused = await _must_get_an_answer(stage, somebody, what)
        if refused is None or (refused.status is not None and refused.reason):
            continue
        message = refused.reason.get("message") if isinstance(refused.reason, dict) else refused.reason
        if not isinstance(message, str) or not message:
            raise Broken(f"a message for who connects with {what}", quoted(refused.reason), "$.message")


@check("auth/refusal-names-the-code")
async def a_refusal_names_the_code(stage: Stage) -> None:
    """Alice's connection is accepted; one without a cookie is refused with the code UNAUTHENTICATED.

    So is one with a cookie that is made up, and one with a cookie that was logged out.
    """
    async for what, somebody in _who_may_not_connect(stage):
        try:
            refused = await _must_get_an_answer(stage, somebody, what)
        except Broken as silent:
            raise Unjudged(f"{silent}", waits_for=VerdictKey("auth/refusal-says-why")) from None
        if refused is None:
            continue
        if refused.status is not None and not refused.names_the_code and "polling" in stage.target.transports:
            refused = await _refusal_over_polling(stage, somebody, what)  # browsers show no body of a refused WebSocket
        reason = refused.reason
        if refused.status is not None:
            if not refused.names_the_code:
                got = f"HTTP {refused.status} with {f'{reason}'[:200]!r}"
                raise Broken(f"UNAUTHENTICATED in the body of the answer to {what}", got)
            continue
        data = reason.get("data") if isinstance(reason, dict) else None
        if not isinstance(data, dict) or data.get("code") != "UNAUTHENTICATED":
            raise Broken(f"UNAUTHENTICATED for who connects with {what}", quoted(reason), "$.data.code")


async def _who_may_not_connect(stage: Stage) -> AsyncIterator[tuple[str, Actor]]:
    """Yield those whom a server refuses that lets alice in; where nobody is let in, there is nothing to say."""
    await stage.connected("alice")
    yield "no cookie", await stage.actor("nobody")
    cookies = (await stage.roles.identity("alice")).cookies
    if any(cookies.values()):
        made_up = {name: "f" * len(value) for name, value in cookies.items()}
        yield "a made-up cookie", await with_cookies(stage, made_up)
    try:
        stale = await logged_out(stage)
    except (Missing, TargetFault, Unjudged):
        return  # of which another requirement says more
    yield "a logged-out cookie", await stage.actor("alice", identity=stale)


async def _must_get_an_answer(stage: Stage, somebody: Actor, what: str) -> Refused | None:
    """Return how somebody is refused; None if somebody with a cookie is let in, which is another requirement's matter.

    Who is never answered is not refused, if that is so twice, and alice is let in meanwhile.
    """
    for left in (True, False):
        try:
            return await must_not_connect(somebody, what)
        except Broken as broken:
            if what == "no cookie":
                raise Unjudged(f"{broken}", waits_for=VerdictKey("auth/missing-cookie-refused")) from None
            return None
        except Gone:
            raise
        except Unjudged as silent:
            await stage.connected("alice")
            if not left:
                raise Broken(f"who connects with {what} to be refused with a message", f"{silent}") from None
    return None


async def _refusal_over_polling(stage: Stage, somebody: Actor, what: str) -> Refused:
    """Return how somebody is refused over long-polling: the handshake, or what comes after it."""
    answer = await handshake(stage.target, somebody.identity)
    if not answer.opened:
        return Refused(answer.text, answer.status, names_the_code=answer.names_the_code)
    try:
        return await must_not_connect(somebody, f"{what}, over polling,", transport="polling")
    except Broken as broken:
        raise Unjudged(f"{broken}", waits_for=VerdictKey("auth/missing-cookie-refused")) from None
