"""What a change of one token leaves alone: the tokens beside it, however much they are like it."""

from __future__ import annotations

import contextlib
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.invariants.content import unlike
from dungeonlab_conformance.invariants.token_state import Token, changed
from dungeonlab_conformance.payloads.requests import new_actor
from dungeonlab_conformance.results.errors import Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.sessions import GameSession
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

    So it does when the two have nothing but a name each, and when it belongs to another encounter of the session.
    """
    alice = await stage.joined("alice")
    await _change_one_of_two(stage, alice, _twin(), stage.game)
    await _change_one_of_two(stage, alice, {}, stage.game)
    with contextlib.suppress(Missing):
        await _change_one_of_two(stage, alice, _twin(), await stage.with_another_encounter())


async def _change_one_of_two(stage: Stage, alice: Actor, alike: dict[str, Any], elsewhere: GameSession) -> None:
    """Have a token of the scene's encounter changed, and judge whether that changes one like it in that of a game."""
    one, other = [await _made(stage, alice, alike, game) for game in (stage.game, elsewhere)]
    if one is None or other is None:
        return  # that it is refused is found by itself
    if id_of(one) == id_of(other):
        raise Unjudged("two tokens have the same id", waits_for=VerdictKey("tokens/only-deletion-ends-it"))
    before = await stored_token(stage, alice, other, game=elsewhere)
    await alice.send(await token_request(stage, "token:move", one))
    await stage.judge(_MOVE, _must_be_as_before(stage, alice, elsewhere, before, "a token like it was moved"))
    before = await stored_token(stage, alice, other, game=elsewhere)
    for name, value in examples("token:update", "valid")["full"]["updates"].items():
        await alice.send(await token_request(stage, "token:update", one, updates={name: value}))
    await stage.judge(_UPDATE, _must_be_as_before(stage, alice, elsewhere, before, "a token like it was updated"))


def _twin() -> dict[str, Any]:
    """Return what two tokens are to have in common, and no other one."""
    return {"name": "Twin", "actorId": new_actor()}


async def _made(stage: Stage, maker: Actor, alike: dict[str, Any], game: GameSession) -> Token | None:
    """Create a token that names the properties given, or as little as possible; returns None if that is refused."""
    request = await stage.request(Catalogue.load()["token:create"], game=game, full=None if alike else False)
    if alike:
        request = request.with_properties({"token": {**request.args[0]["token"], **alike}}, mark=None)
    answer = await maker.try_send(request)
    return acknowledged_token(answer) if answer.accepted else None


async def _must_be_as_before(stage: Stage, looker: Actor, game: GameSession, before: Token, words: str) -> None:
    now = await stored_token(stage, looker, before, game=game)
    for key in changed(before, now):
        await need_another_cause_than_looking(stage, looker, looker, {key})
        raise unlike(before.get(key), now.get(key), f"$.data.token.{key}", f"as it was before {words}")
