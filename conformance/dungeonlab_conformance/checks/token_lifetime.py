"""How long a token lives: until it is deleted, and not a moment longer, whatever else happens meanwhile."""

import asyncio
import contextlib
import itertools
from dataclasses import replace

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.checks.tokens import must_be_same_but
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_accepted
from dungeonlab_conformance.invariants.answers.makers import given_twice
from dungeonlab_conformance.invariants.token_state import Token, changed
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    acknowledged_version,
    create_full_token,
    created_id,
    id_of,
    need_another_cause_than_looking,
    stored_token,
    token_request,
)
from dungeonlab_conformance.stage.traffic import let_time_pass
from dungeonlab_spec import Catalogue, Event

_EXACTLY = "tokens/content-comes-back-exactly"
FEW = 4  # tokens that are deleted while they are changed, or created in an encounter; and encounters
MANY = 20  # tokens: more than fit on the first page of anything


@check("tokens/delete-ends-it")
async def deletion_ends_it(stage: Stage) -> None:
    """Alice deletes a token that bob has just moved; then their requests to move, update or delete it are refused.

    They are however often they ask.
    """
    alice, bob = await stage.joined("alice", "bob")
    token = await create_full_token(stage, alice)
    events = ("token:move", "token:update", "token:delete") * 2
    later = [(actor, await token_request(stage, event, token)) for actor in (bob, alice) for event in events]
    await bob.try_send(await token_request(stage, "token:move", token))
    await alice.send(await token_request(stage, "token:delete", token))
    for actor, request in later:
        await actor.must_be_refused(request)


@check("tokens/delete-ends-it")
async def deletion_ends_what_is_being_changed(stage: Stage) -> None:
    """Alice deletes a token while bob moves and updates it; once all is answered, it is not there."""
    alice, bob = await stage.joined("alice", "bob")
    later = []
    for _ in range(FEW):
        token = await create_full_token(stage, alice)
        changes = [await token_request(stage, event, token) for event in ("token:move", "token:update")]
        deletion = await token_request(stage, "token:delete", token)
        later.append(await token_request(stage, "token:move", token))
        *_, deleted = await asyncio.gather(*map(bob.try_send, changes), alice.try_send(deletion))
        if not deleted.accepted:
            raise Unjudged(f"the deletion was refused: {deleted.shown}", waits_for=not_accepted(deleted))
    if any(given_twice(stage.journal)):
        raise Unjudged("two tokens have the same id", waits_for=VerdictKey("tokens/only-deletion-ends-it"))
    for request in later:
        await alice.must_be_refused(request)


@check("tokens/only-deletion-ends-it")
async def nothing_but_deletion_ends_a_token(stage: Stage) -> None:
    """Alice creates a token that bob may move. It stays when both create many more, one of the same name and actor.

    It stays when that one is deleted, when there are others in other encounters, when alice leaves, when her connection
    ends and then her membership, and when the room is empty.
    """
    alice, bob = await stage.joined("alice", "bob")
    token = acknowledged_token(await alice.send(await _namesake(stage)))
    await bob.send(await token_request(stage, "token:move", token))
    await _must_make_many(stage, alice, bob)
    await _must_still_be_there(stage, bob, token, "many others were created, and one of the same name was deleted")
    if (elsewhere := await _make_some_elsewhere(stage, alice)) is not None:
        after = "others were created, and some deleted, in encounters that were opened later"
        await _must_still_be_there(stage, bob, token, after, control=elsewhere)
    if stage.target.offers("leave-session"):
        await alice.leave()
        await _must_still_be_there(stage, bob, token, "its maker has left the room")
    await alice.disconnect_cleanly()
    await _must_still_be_there(stage, bob, token, "its maker has gone")
    with contextlib.suppress(Missing):
        await stage.revoke(alice)
        await _must_still_be_there(stage, bob, token, "its maker's membership was revoked")
    request = await token_request(stage, "token:move", token)
    await bob.disconnect_cleanly()
    carol = await stage.joined("carol" if stage.roles.can_play("carol") else "gamemaster")
    await _must_still_be_there(stage, carol, token, "the room has been empty", request)


@check("tokens/only-deletion-ends-it", "tokens/delete-ends-it", _EXACTLY, slow=True)
async def a_while_later_tokens_are_there_or_not(stage: Stage) -> None:
    """Alice makes two tokens and deletes one, bob moves the other; then nobody does anything for a while.

    The one is gone still, and the other is there, and holds what it held before that while.
    """
    alice, bob = await stage.joined("alice", "bob")
    kept, gone = [await create_full_token(stage, alice) for _ in range(2)]
    late = await token_request(stage, "token:move", gone)
    await bob.send(await token_request(stage, "token:move", kept))
    await alice.send(await token_request(stage, "token:delete", gone))
    before = await stored_token(stage, alice, kept)
    await let_time_pass()
    await stage.judge(_EXACTLY, _must_hold_what_it_held(stage, alice, before))
    words = "nobody has done anything for a while"
    await stage.judge("tokens/only-deletion-ends-it", _must_still_be_there(stage, bob, kept, words))
    await stage.judge("tokens/delete-ends-it", alice.must_be_refused(late))


async def _must_hold_what_it_held(stage: Stage, alice: Actor, before: Token) -> None:
    after = await stored_token(stage, alice, before)
    await need_another_cause_than_looking(stage, alice, alice, changed(before, after))
    must_be_same_but(before, after, set())


@check("tokens/version-grows", event="token:move", slow=True)
async def a_while_later_the_version_goes_on(stage: Stage, event: Event) -> None:
    """Alice moves a token some times, and once more a while later; the version has grown by one."""
    alice = await stage.joined("alice")
    token = await create_full_token(stage, alice)
    for _ in range(FEW):
        before = acknowledged_version(await alice.send(await token_request(stage, event.name, token)))
    await let_time_pass()
    after = acknowledged_version(await alice.send(await token_request(stage, event.name, token)))
    if before is not None and after is not None and after != before + 1:
        raise Broken(f"version {before + 1} after a while in which nothing was done", f"{after}", "$.data.version")


async def _namesake(stage: Stage, name: str = "Namesake") -> Request:
    """Return a draft of a token with the name, the actor and the place of others like it, and a mark elsewhere."""
    request = await stage.request(Catalogue.load()["token:create"])
    draft = {**request.args[0]["token"], "name": name, "actorId": "namesake", "data": {"note": request.mark}}
    return request.with_properties({"token": draft})


async def _must_make_many(stage: Stage, *makers: Actor) -> None:
    """Create many tokens, each of which has an id of its own, and after them a namesake, which is deleted again.

    Some of them are drafted alike, by one maker and by another, one soon after the other.
    """
    create, maker = Catalogue.load()["token:create"], makers[0]
    requests = [await stage.request(create) for _ in range(MANY)]
    answers = await asyncio.gather(
        *(who.try_send(request) for who, request in zip(itertools.cycle(makers), requests, strict=False))
    )
    ids = [created_id(answer, stage.journal) for answer in answers if answer.accepted]
    if len(set(ids)) < len(ids):
        raise Broken("each token of an encounter to have an id of its own", f"{len(set(ids))} ids of {len(ids)} tokens")
    for another in (makers[-1], maker):
        again = await another.try_send(replace(requests[0]))
        if isinstance(again.data.get("token"), dict) and (same := created_id(again, stage.journal)) in ids:
            raise Broken("a token of the same draft to have an id of its own", f"{same!r} once more")
    await makers[-1].try_prepare(await _namesake(stage, "NAMESAKE"))  # to refuse it is found after the run
    answer = await maker.try_send(await _namesake(stage))
    if answer.accepted:
        await maker.try_send(await token_request(stage, "token:delete", acknowledged_token(answer)))
    oldest = next((acknowledged_token(answer) for answer in answers if answer.accepted), None)
    if oldest is not None:  # ids that are counted are not those of the tokens that are left
        await maker.try_send(await token_request(stage, "token:delete", oldest))
        await maker.try_send(await stage.request(create))


async def _make_some_elsewhere(stage: Stage, maker: Actor) -> Request | None:
    """Open encounters, create tokens in them and delete these; return a request to move one in the newest.

    None if the target does not say how to open one.
    """
    create, elsewhere = Catalogue.load()["token:create"], stage.game
    for _ in range(FEW):
        try:
            elsewhere = await stage.with_another_encounter()
        except Missing:
            return None
        requests = [await stage.request(create, game=elsewhere) for _ in range(FEW)]
        answers = await asyncio.gather(*map(maker.try_send, requests))
        ids = [id_of(acknowledged_token(answer)) for answer in answers if answer.accepted]
        place = {"sessionId": elsewhere.session, "encounterId": await stage.encounter(elsewhere)}
        gone = [Request("token:delete", ({**place, "tokenId": each},), each, elsewhere.session) for each in ids]
        await asyncio.gather(*map(maker.try_send, gone))
    return await stage.request(Catalogue.load()["token:move"], game=elsewhere)


async def _must_still_be_there(
    stage: Stage,
    member: Actor,
    token: Token,
    after: str,
    request: Request | None = None,
    *,
    control: Request | None = None,
) -> None:
    """Have a member move a token; one who may not move any other either shows nothing of this one.

    The other one is moved by the `control`, or made for that in the same encounter. Nor does a refusal show anything
    that is unlike that of a token which never was.
    """
    request = request or await token_request(stage, "token:move", token)
    answer = await member.try_send(request)
    if not answer.accepted:
        if control is None:
            control = await token_request(stage, "token:move", await create_full_token(stage, member))
        await member.send(control)
        never = await member.try_send(request.with_properties({"tokenId": "no-such-token"}, mark=None))
        if not never.accepted and never.code != answer.code:
            why = f"{member.name}'s token:move was refused, as it is not for a token that is missing: {answer.shown}"
            raise Unjudged(why, waits_for=not_accepted(answer))
        raise Broken(f"the token to be there after {after}", answer)
