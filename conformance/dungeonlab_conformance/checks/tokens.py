"""Tokens: what creating, changing and deleting one does."""

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from dungeonlab_conformance.checks.acks import as_many_as_it_has_time_for
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_accepted
from dungeonlab_conformance.invariants.content import same, unlike
from dungeonlab_conformance.invariants.token_state import VOLATILE, Token, changed, known, whole
from dungeonlab_conformance.payloads.requests import edge_payloads, in_full
from dungeonlab_conformance.record.acknowledgement import UNKNOWN_TOKEN, Acknowledgement, Inferred
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    acknowledged_version,
    create_full_token,
    full_draft,
    id_of,
    need_another_cause_than_creation,
    need_another_cause_than_looking,
    need_its_own_answer,
    stored_token,
    token_request,
)
from dungeonlab_spec import Catalogue, Event, validate
from dungeonlab_spec.catalogue import examples
from dungeonlab_spec.validation import EXTRA

_EXACTLY = "tokens/content-comes-back-exactly"
AT_ONCE = 10  # changes sent without waiting for an answer in between


def must_be_same_but(before: Token, after: Token, but: set[str]) -> None:
    """Make sure that a token holds what it held, but for some properties."""
    for key in changed(before, after, VOLATILE | but | {"createdBy"}):  # whose it is, is another requirement's matter
        raise unlike(before.get(key), after.get(key), f"$.data.token.{key}", "as before")


@check("tokens/create-then-others-can-move")
async def what_one_creates_others_can_move(stage: Stage) -> None:
    """Alice creates a token; as soon as that is acknowledged, bob may move it."""
    alice, bob = await stage.joined("alice", "bob")
    token = acknowledged_token(await alice.try_prepare(await full_draft(stage)))
    await bob.must_be_allowed(await token_request(stage, "token:move", token))


async def _send_or_let(maker: Actor, actor: Actor, request: Request) -> Acknowledgement:
    """Have an actor change a token, or its maker where the actor may not; returns the answer."""
    answer = await actor.try_send(request, expected=True) if actor is not maker else None
    return answer if answer is not None and answer.accepted else await maker.send(dataclasses.replace(request))


_Places = tuple[dict[str, float], ...]
_BY_ALICE: _Places = (
    {"x": 71, "y": 83, "elevation": 2.1},  # which is another number in single precision
    {"x": 0, "y": 0},
)
_BY_BOB: _Places = (
    {"x": 72, "y": 84, "elevation": 2.5},
    {"x": 72, "y": 84},  # of which nothing but the elevation is another one
    {"x": 1, "y": 0, "elevation": 3},
    {"x": 1, "y": 0, "elevation": 0},
)


@check("tokens/move-changes-only-position")
async def a_move_changes_only_the_position(stage: Stage) -> None:
    """A token of alice's that has every property is moved; the whole position is new, and the rest stays the same.

    She moves it while she is alone, and then bob does.
    """
    alice = await stage.joined("alice")
    token = await stored_token(stage, alice, await create_full_token(stage, alice))
    await _must_only_move(stage, alice, alice, token, _BY_ALICE)
    await _must_only_move(stage, alice, await stage.joined("bob"), token, _BY_BOB)


async def _must_only_move(
    stage: Stage, alice: Actor, mover: Actor, token: Token, places: Iterable[dict[str, float]]
) -> None:
    for place in places:
        await _send_or_let(alice, mover, await token_request(stage, "token:move", token, position=place))
        after = await stored_token(stage, alice, token)
        different = changed(token, after, VOLATILE | {"createdBy", "position"})
        await need_another_cause_than_looking(stage, alice, alice, different)
        must_be_same_but(token, after, {"position"})
        expected = {"elevation": 0, **place}  # one that is left out is none, and not the old one
        came = after.get("position")
        if isinstance(came, dict) and "elevation" not in came:
            shape = VerdictKey("acks/success-shape", "token:update")
            raise Unjudged("the position is without its elevation", waits_for=shape)
        if changed({"position": expected}, {"position": came}):
            await need_another_cause_than_looking(stage, alice, alice, {"position"})
            raise unlike(expected, came, "$.data.token.position")


_REPLACED: tuple[dict[str, Any], ...] = (  # one after the other; what is merged, or is removed as null, shows
    {"in": {"hp": 1, "in": {"hp": 2}}, "list": [1, {"hp": 3}], "hp": 4},
    {"in": {"in": {"ac": 5}}, "list": [{"ac": 6}], "hp": None},
    {"in": {}, "list": [], "ac": {"hp": None}},
    {},
)


@check("tokens/update-changes-only-what-was-sent")
async def an_update_changes_only_what_was_sent(stage: Stage) -> None:
    """Of a token of alice's that has every property, one after another is changed; each time, only that one changes.

    She and bob change it in turn. Of the data, nothing is merged at any depth, and what is null stays.
    """
    alice, bob = await stage.joined("alice", "bob")
    token = full = await create_full_token(stage, alice)
    updates = examples("token:update", "valid")["full"]["updates"]
    flags = [("isVisible", True), ("isVisible", False)]
    changes = [*updates.items(), *flags, *(("data", data) for data in _REPLACED)]
    for actor, (name, value) in zip(itertools.cycle((alice, bob)), changes, strict=False):
        update = await token_request(stage, "token:update", token, updates={name: value})
        after = acknowledged_token(await _send_or_let(alice, actor, update))
        if token is full:
            await need_another_cause_than_creation(stage, alice, changed(token, after, VOLATILE | {"createdBy", name}))
        must_be_same_but(token, after, {name})
        if changed({name: value}, {name: after.get(name)}):
            if token is full or await _is_made_otherwise(stage, alice, name, value):
                raise Unjudged("an update was answered without what it changed", waits_for=VerdictKey(_EXACTLY, None))
            raise unlike(value, after.get(name), f"$.data.token.{name}")
        token = after


async def _is_made_otherwise(stage: Stage, alice: Actor, name: str, value: Any) -> bool:
    """Whether a new token, too, is answered with another value of a property than was asked for."""
    made = await stage.request(Catalogue.load()["token:create"])
    answer = await alice.send(made.with_properties({"token": {**made.args[0]["token"], name: value}}))
    return bool(changed({name: value}, {name: acknowledged_token(answer).get(name)}))


@check("tokens/true-creator")
async def a_token_names_who_made_it(stage: Stage) -> None:
    """Alice makes a token, bob changes and moves it, and alice changes it again, as bob hears; so with one of bob's.

    Bob changes a token of alice's once more when she is a member no more.

    Whom each answer and each broadcast names is an invariant; here the answers name somebody.
    """
    alice, bob = await stage.joined("alice", "bob")
    await stage.judge_all(_made_and_changed(stage, ((alice, bob), (bob, alice))))
    token = await create_full_token(stage, alice)
    with contextlib.suppress(Missing):
        await stage.revoke(alice)
        await bob.try_send(await _renaming(stage, token))


async def _made_and_changed(stage: Stage, pairs: Iterable[tuple[Actor, Actor]]) -> None:
    for maker, other in pairs:
        token = await create_full_token(stage, maker)
        update = await _renaming(stage, token)
        named = [token, acknowledged_token(await other.send(update))]
        await maker.hear(update)
        await other.send(await token_request(stage, "token:move", token))
        named.append(acknowledged_token(await maker.send(await _renaming(stage, token))))
        if not all(isinstance(each.get("createdBy"), str) for each in named):
            shape = VerdictKey("acks/success-shape", "token:update")
            raise Unjudged("a token was acknowledged without its createdBy", waits_for=shape)


async def _renaming(stage: Stage, token: Token) -> Request:
    """Return a request that gives a token a name of its own, by which its broadcast is known from any other."""
    request = await stage.request(Catalogue.load()["token:update"], fresh=True)
    return request.with_properties({"tokenId": id_of(token), "updates": {"name": request.mark}})


@check("tokens/version-grows")
async def the_version_grows(stage: Stage, event: Event) -> None:
    """Alice changes a token three times, and once more in the same way; its version grows by one each time.

    Then she and bob change it at the same time, in the same way and then in different ones; it grows by one for each
    change.
    """
    alice, bob = await stage.joined("alice", "bob")
    token = await create_full_token(stage, alice)
    version = whole(token.get("version"))
    changes = [await token_request(stage, event.name, token) for _ in range(3)]
    for request in (*changes, dataclasses.replace(changes[-1])):
        grown = acknowledged_version(await alice.send(request))
        if version is None or grown is None:
            raise Unjudged("the token was acknowledged without its version")
        if grown != version + 1:
            raise Broken(f"version {version} to grow by one", f"{grown!r}", "$.data.version")
        version = grown
    version = await _must_grow_with_each(stage, alice, bob, token, version, (event.name,))
    other = "token:move" if event.name == "token:update" else "token:update"
    before = acknowledged_version(await alice.try_send(await token_request(stage, other, token)))
    if version is not None and before == version + 1:
        await _must_grow_with_each(stage, alice, bob, token, before, (event.name, other))


@check("tokens/version-grows", event="token:move", destructive=1, floods=True)
async def the_version_goes_on_growing(stage: Stage, event: Event) -> None:
    """Alice moves one token some hundred times, as in a long game; its version grows by one each time.

    This ends where a move is not acknowledged with a version, as on a server that limits them.
    """
    alice = await stage.joined("alice")
    token = await create_full_token(stage, alice)
    before = acknowledged_version(await alice.send(await token_request(stage, event.name, token)))
    for _ in range(await as_many_as_it_has_time_for(alice) // AT_ONCE):
        burst = [await token_request(stage, event.name, token) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*map(alice.try_send_once, burst))
        given = [Acknowledgement(request, answer) for request, answer in zip(burst, answers, strict=True) if answer]
        versions = sorted(version for answer in given if (version := acknowledged_version(answer)) is not None)
        if before is None or len(versions) < AT_ONCE or not all(answer.accepted for answer in given):
            return
        if versions != list(range(before + 1, before + 1 + AT_ONCE)):
            expected = f"{AT_ONCE} moves to take version {before} to {before + AT_ONCE}"
            raise Broken(expected, f"versions {versions}", "$.data.version", request=burst[0])
        before = versions[-1]


async def _must_grow_with_each(
    stage: Stage, alice: Actor, bob: Actor, token: Token, version: int | None, events: Sequence[str]
) -> int | None:
    """Have alice and bob change a token at the same time, each by one of these events.

    Returns its version then; None if it may still grow.
    """
    burst = [await token_request(stage, events[number % len(events)], token) for number in range(AT_ONCE)]
    answers = await asyncio.gather(
        *(a.try_send(request) for request, a in zip(burst, [alice, bob] * AT_ONCE, strict=False))
    )
    unsure = sum(isinstance(answer, Inferred) for answer in answers)  # of many alike at once, none is known for certain
    accepted = sum(answer.accepted for answer in answers if not isinstance(answer, Inferred))
    after = whole((await stored_token(stage, alice, token)).get("version"))
    if version is None or after is None:
        raise Unjudged("the token was acknowledged without its version")
    if not accepted <= after - version - 1 <= accepted + unsure:
        raise Broken(f"version {version} to grow by {accepted + 1}", f"{after!r}", "$.data.token.version")
    return None if unsure else after


@check("tokens/unknown-token-refused")
async def an_unknown_token_is_refused(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the same about a token that does not exist, or not in that encounter, is refused."""
    alice = await stage.joined("alice")
    await alice.send(await stage.request(event))
    request = await stage.request(event)
    await alice.must_be_refused(request.with_properties({"tokenId": "no-such-token"}, mark=None))
    misplaced = await stage.request(event, fresh=True)
    try:
        elsewhere = await stage.with_another_encounter()
    except Missing:
        return  # there is but one encounter
    await alice.must_be_refused(misplaced.with_properties({"encounterId": elsewhere.encounters[0]}))


@check("tokens/unknown-encounter-refused")
async def an_unknown_encounter_is_refused(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the same about an encounter that does not exist is refused."""
    alice = await stage.joined("alice")
    await alice.send(await stage.request(event))
    request = await stage.request(event, fresh=True)
    await alice.must_be_refused(request.with_properties({"encounterId": "no-such-encounter"}))


async def _must_be_stored_when_heard(stage: Stage, actor: Actor, request: Request, maker: Actor) -> tuple[Token, Token]:
    """Return what somebody hears of a token, and what is stored of it the moment it is heard, but for its name."""
    seen = await actor.hear(request)
    heard = seen.args[0] if seen.args else None
    if not isinstance(heard, dict) or not _lacks_nothing(request.event, heard, "emission"):
        shape = VerdictKey("broadcasts/valid-payload", request.event)
        raise Unjudged("the broadcast does not fit its schema", waits_for=shape)
    look = await stage.request(Catalogue.load()["token:update"])
    look = look.with_properties({"tokenId": heard.get("tokenId") or id_of(heard["token"])})
    answer = await actor.try_send(look)
    if answer.code == UNKNOWN_TOKEN:
        await _need_others_to_see_it_too(actor, maker, look)
        raise Broken("the token to be there when its broadcast is heard", answer)
    if not answer.accepted:
        raise Unjudged(f"{actor.name} could not look at the token: {answer.args}")
    return heard, acknowledged_token(answer)


async def _need_others_to_see_it_too(actor: Actor, maker: Actor, look: Request) -> None:
    """Raise `Unjudged` if a token is there for its maker, and not for another one either then or afterwards."""
    if maker.closed or not (await maker.try_send(look)).accepted:
        return
    if (await actor.try_send(look)).code == UNKNOWN_TOKEN:
        why = f"a token that {maker.name} made is there for {maker.name}, and not for {actor.name}"
        raise Unjudged(why, waits_for=VerdictKey("tokens/create-then-others-can-move"))


@check("tokens/broadcast-equals-stored-state")
async def what_is_broadcast_is_what_is_stored(stage: Stage, event: Event) -> None:
    """Alice sends the request; what bob hears equals what is stored at that moment, and what her answer says.

    What he hears last is stored still when her connection has ended.
    """
    alice, bob = await stage.joined("alice", "bob")
    request = in_full(await stage.request(event))
    look = asyncio.create_task(_must_be_stored_when_heard(stage, bob, request, alice))
    try:
        answer = await alice.send(request)
        heard, stored = await look
    finally:
        look.cancel()
    if not isinstance(answer, Inferred):
        need_its_own_answer(stage, answer)
        _must_say_the_same(event.name, answer, heard)
    await _must_be_alike(stage, alice, bob, heard, stored, "as stored")
    last = in_full(await stage.request(event))
    await alice.send(last)
    await bob.hear(last)
    await alice.disconnect_cleanly()
    await bob.fence()
    try:
        heard, stored = await _must_be_stored_when_heard(stage, bob, last, alice)
    except Broken:
        lasts = VerdictKey("tokens/only-deletion-ends-it")
        raise Unjudged("the token has gone with the connection of its maker", waits_for=lasts) from None
    await _must_be_alike(stage, bob, bob, heard, stored, "as stored when the connection that sent it has ended")


@check("tokens/broadcast-equals-stored-state", phase="last")
async def what_is_broadcast_is_stored_where_no_answer_is_wanted(stage: Stage, event: Event) -> None:
    """Alice's request has no callback; what bob hears of it equals what is stored."""
    alice, bob = await stage.joined("alice", "bob")
    silent = in_full(await stage.request(event))
    await alice.send_without_callback(silent)
    await _must_be_alike(stage, alice, bob, *await _must_be_stored_when_heard(stage, bob, silent, alice), "as stored")


async def _must_be_alike(stage: Stage, maker: Actor, looker: Actor, heard: Token, stored: Token, words: str) -> None:
    shown = heard.get("token", {"position": heard.get("position")})
    kept = {key: value for key, value in stored.items() if key in shown or "token" in heard}
    for key in changed(shown, kept, VOLATILE | {"name"}):
        await need_another_cause_than_looking(stage, maker, looker, {key})
        raise unlike(kept.get(key), shown.get(key), f"$.{key}", words)


def _must_say_the_same(event: str, answer: Acknowledgement, heard: Token) -> None:
    """Compare an acknowledgement, where there is one, with what is heard."""
    if not answer.readable or not _lacks_nothing(event, answer.args[0], "ack"):
        raise Unjudged("the acknowledgement does not fit its schema", waits_for=VerdictKey("acks/success-shape", event))
    for key in ("token", "tokenId", "position", "version"):
        said, came = known(key, answer.data.get(key)), known(key, heard.get(key))
        if key in answer.data and not same(came, said):
            path = "$" if isinstance(said, dict) and key in said else f"$.{key}"
            raise unlike(said, came, path, "as acknowledged")


def _lacks_nothing(event: str, body: object, part: Literal["emission", "ack"]) -> bool:
    """Whether what was sent fits its schema, but for faults by themselves: unknown properties, the id, the time."""
    beside = ("$.timestamp", "$.userId", "$.token.id", "$.data.token.id")
    return all(found.expected == EXTRA or found.path in beside for found in validate(event, body, part))


@check("tokens/bounds-reached", slow=True)
async def a_value_on_its_bound_is_accepted(stage: Stage, event: Event) -> None:
    """Alice sends each bound that the schema allows: longest, shortest, least, and each value of an enumeration.

    Each is accepted and heard by bob; that it arrives as it was sent is an invariant.
    """
    alice, bob = await stage.joined("alice", "bob")
    await stage.control(event, alice)
    for name, payload in edge_payloads(event):
        request = await stage.request(event, fresh=True)
        ids = {key: value for key, value in request.args[0].items() if key.endswith("Id")}
        requirement = "tokens/bounds-reached" if name.startswith("edge-") else None
        edge = Request(event.name, ({**payload, **ids},), ids.get("tokenId"), stage.session, requirement=requirement)
        if "token" in payload and "token-name" not in name:
            named = {**payload["token"], "name": request.mark}
            edge = edge.with_properties({"token": named}, mark=request.mark)
        if event.name in stage.target.workarounds.full_only:
            edge = in_full(edge)
        answer = await alice.try_send(edge)
        if not answer.accepted and not name.startswith("edge-"):
            raise Unjudged(f"{name} was refused: {answer.shown}", waits_for=not_accepted(answer))
        if not answer.accepted:
            raise Broken(f"{name} to be accepted", answer)
        if edge.mark is not None:
            await bob.hear(edge)
    await bob.fence()
