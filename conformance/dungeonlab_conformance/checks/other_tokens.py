"""What a change of one token leaves alone: the tokens beside it, however much they are like it."""

from __future__ import annotations

from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.invariants.content import unlike
from dungeonlab_conformance.invariants.token_state import Token, changed
from dungeonlab_conformance.payloads.requests import new_actor
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    id_of,
    need_another_cause_than_looking,
    stored_token,
    token_request,
)
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import examples

_MOVE, _UPDATE = "tokens/move-changes-only-position", "tokens/update-changes-only-what-was-sent"


@check(_MOVE, _UPDATE)
async def a_change_of_one_token_leaves_another_like_it(stage: Stage) -> None:
    """Alice makes two tokens of the same name and actor, and changes one in every way; the other stays as it was.

    So it does when the two have nothing but a name each.
    """
    alice = await stage.joined("alice")
    for alike in ({"name": "Twin", "actorId": new_actor()}, {}):
        one, other = [await _made(stage, alice, alike) for _ in range(2)]
        if one is None or other is None:
            continue  # that it is refused is found by itself
        if id_of(one) == id_of(other):
            raise Unjudged("two tokens have the same id", waits_for=VerdictKey("tokens/only-deletion-ends-it"))
        before = await stored_token(stage, alice, other)
        await alice.send(await token_request(stage, "token:move", one))
        await stage.judge(_MOVE, _must_be_as_before(stage, alice, before, "a token like it was moved"))
        before = await stored_token(stage, alice, other)
        for name, value in examples("token:update", "valid")["full"]["updates"].items():
            await alice.send(await token_request(stage, "token:update", one, updates={name: value}))
        await stage.judge(_UPDATE, _must_be_as_before(stage, alice, before, "a token like it was updated"))


async def _made(stage: Stage, maker: Actor, alike: dict[str, Any]) -> Token | None:
    """Create a token that names the properties given, or as little as possible; returns None if that is refused."""
    request = await stage.request(Catalogue.load()["token:create"], full=None if alike else False)
    if alike:
        request = request.with_properties({"token": {**request.args[0]["token"], **alike}}, mark=None)
    answer = await maker.try_send(request)
    return acknowledged_token(answer) if answer.accepted else None


async def _must_be_as_before(stage: Stage, looker: Actor, before: Token, words: str) -> None:
    now = await stored_token(stage, looker, before)
    for key in changed(before, now):
        await need_another_cause_than_looking(stage, looker, looker, {key})
        raise unlike(before.get(key), now.get(key), f"$.data.token.{key}", f"as it was before {words}")
