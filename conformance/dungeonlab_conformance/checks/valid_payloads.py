"""Payloads that a server must accept: valid ones, and such with properties that nobody knows."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any
from uuid import uuid4

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_accepted
from dungeonlab_conformance.payloads.ids import ids_of, with_ids
from dungeonlab_conformance.payloads.requests import adorned, unusual_payloads
from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.marks import contains, new_mark
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Missing, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import acknowledged_token, id_of
from dungeonlab_conformance.text.tree import names
from dungeonlab_spec import Event
from dungeonlab_spec.catalogue import examples

_LONG_AGO = "2001-02-03T04:05:06.789Z"  # a time that no server states
AT_ONCE = 8  # changes of one token, by two users


@check("payloads/valid-accepted")
async def what_is_valid_is_accepted(stage: Stage, event: Event) -> None:
    """Alice sends the smallest payload that the schema allows, one with every property, and unusual ones: all right.

    So is what she and bob change of one token at the same time, if it is one after the other.
    """
    alice, bob = await stage.joined("alice", "bob")  # what it is about is hers
    for name in ("minimal", "full"):
        valid = await stage.request(event, fresh=True)
        example = examples(event.name, "valid").get(name, valid.args[0])
        payload = with_ids(event, example, {**ids_of(valid.args[0]), "userId": alice.user or ""})
        requirement = "chat/text-arrives-unchanged" if "message" in payload else None
        request = Request(event.name, (payload,), None, stage.session, requirement=requirement)
        answer = await alice.try_send(request, expected=True)
        if not answer.accepted:
            await _need_a_matter_of_the_payload(stage, alice, event, answer)
            raise Broken(f"the {name} {event.name} to be accepted", answer)
        if event.name == "leave-session":
            await alice.join(stage.session)
    ids = ids_of((await stage.request(event, fresh=True)).args[0])
    await asyncio.gather(*(_must_be_accepted(stage, alice, event, *one, ids) for one in unusual_payloads(event)))
    if "token" in event.needs and event.effect != "removes-token":
        await _both_must_be_accepted(stage, alice, bob, event)
    await bob.fence()


async def _both_must_be_accepted(stage: Stage, alice: Actor, bob: Actor, event: Event) -> None:
    """Have two change a token at the same time; where one may not in turn either, that is another matter."""
    for member in (alice, bob):
        answer = await member.try_send(await stage.request(event))
        if not answer.accepted or isinstance(answer, Inferred):
            return
    burst = [await stage.request(event) for _ in range(AT_ONCE)]
    pairs = zip(burst, [alice, bob] * AT_ONCE, strict=False)
    for answer in await asyncio.gather(*(member.try_send(request) for request, member in pairs)):
        if not answer.accepted and not answer.limited:
            raise Broken(f"each {event.name} of two users at the same time to be accepted", answer)


async def _must_be_accepted(
    stage: Stage, alice: Actor, event: Event, what: str, payload: dict[str, Any], ids: dict[str, str]
) -> None:
    request = Request(event.name, (with_ids(event, payload, ids),), None, stage.session)
    if not (answer := await alice.try_send(request, expected=True)).accepted:
        await _need_a_matter_of_the_payload(stage, alice, event, answer)
        raise Broken(f"a {event.name} with {what} to be accepted", answer)


async def _need_a_matter_of_the_payload(stage: Stage, alice: Actor, event: Event, refused: Acknowledgement) -> None:
    """Raise `Unjudged` if alice was refused for want of rights, and may not send what is usual either."""
    if refused.code in ("PERMISSION_DENIED", "NOT_JOINED"):
        usual = await alice.try_send(await stage.request(event, fresh=True), expected=True)
        if not usual.accepted:
            raise Unjudged(f"alice may not: {usual.args}", waits_for=not_accepted(usual))


@check("payloads/unknown-properties-ignored")
async def unknown_properties_are_ignored(stage: Stage, event: Event) -> None:
    """Alice adds unknown properties at every level, and some that only the server sets; none takes effect."""
    bob, alice = await stage.joined("bob"), await stage.joined("alice")
    usual = await stage.control(event, alice)
    valid = await stage.request(event)
    name, number = f"claimed-{new_mark()[:-1]}", new_mark(0)
    stated: dict[str, str | int] = {"version": number, "timestamp": _LONG_AGO, "messageId": uuid4().hex}  # by servers
    claims = (name, number, *stated.values())
    request = replace(valid, args=({**adorned(_with_conditions(valid.args[0]), name, number), **stated},))
    answer = await alice.try_send(request, expected=True)
    if not answer.accepted:
        await _need_a_matter_of_the_payload(stage, alice, event, answer)
    if not answer.accepted or (answer.data.get("valid") is False and usual.data.get("valid")):
        raise Broken(f"{event.name} with unknown properties to be accepted", answer)
    _must_be_free_of(claims, answer, "stored")
    if event.is_broadcast:
        _must_be_free_of(claims, await bob.hear(request), "broadcast")
    if event.effect == "creates-token":
        await _must_make_another(stage, alice, event)
    if key := {"token:create": "token", "token:update": "updates"}.get(event.name):
        await _must_stay_as_made(stage, alice, event, key, {"createdBy": bob.user, "updatedBy": bob.user})


async def _must_make_another(stage: Stage, alice: Actor, event: Event) -> None:
    """Have a token created whose draft names the id of one that exists."""
    known = id_of(acknowledged_token(await alice.send(await stage.request(event))))
    request = await stage.request(event)
    answer = await alice.try_send(request.with_properties({"token": {**request.args[0]["token"], "id": known}}))
    if answer.accepted and id_of(acknowledged_token(answer)) == known:
        raise Broken("a token with an id of its own, although its draft names that of another one", answer)


async def _must_stay_as_made(stage: Stage, alice: Actor, event: Event, key: str, claims: dict[str, Any]) -> None:
    """Have a token named after what there is: another encounter of the session, and somebody else as its maker."""
    usual = acknowledged_token(await alice.send(await stage.request(event)))
    with contextlib.suppress(Missing):
        claims = {**claims, "encounterId": (await stage.with_another_encounter()).encounters[0]}
    for name, claim in claims.items():
        request = await stage.request(event)
        answer = await alice.try_send(request.with_properties({key: {**request.args[0][key], name: claim}}))
        if answer.accepted and usual.get(name) != claim and acknowledged_token(answer).get(name) == claim:
            raise Broken(f"{name} not to be what a request says, who or whatever has that id", answer)


def _with_conditions(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload whose draft, if it has one, holds a list of objects."""
    draft = payload.get("token")
    return {**payload, "token": {**draft, "conditions": [{"name": "prone"}]}} if isinstance(draft, dict) else payload


def _must_be_free_of(claims: tuple[str | int, ...], came: Acknowledgement | Observation, what: str) -> None:
    if "unheardOf" in set(names(came.args)) or any(contains(came.args, claim) for claim in claims):
        raise Broken(f"unknown properties not to be {what}", came)
