"""What no server may accept, and none may die of. Each scene goes through many payloads of one event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.actor import Actor
from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said, carries
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken, Gone, Unjudged
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.catalogue import examples

# What an example file's name begins with, and the requirement that forbids it.
_FAULTS = {
    "missing-": "payloads/required-field-missing",
    "wrong-type-": "payloads/wrong-type",
    "null-": "payloads/wrong-type",
    "fraction-": "payloads/wrong-type",
    "out-of-bounds-": "payloads/bound-broken",
    "not-an-object-null": "payloads/null",
    "not-an-object-array": "payloads/array",
    "not-an-object-text": "payloads/text",
    "not-an-object-number": "payloads/number",
}
_SHAPES = (
    *dict.fromkeys(_FAULTS.values()),
    "payloads/no-argument",
    "payloads/binary",
    "payloads/extra-arguments",
)
_DEPTH = 300  # levels; JSON parsers that recurse give up around a thousand
_LENGTH = 100_000  # characters; far above every bound, far below Engine.IO's usual 1 MB


def invalid_requests(event: Event, valid: Said) -> Iterator[tuple[str, str, Said]]:
    """Yield requirement, name and request for each way of getting this event wrong.

    The examples' ids are replaced by those of a request that is valid on this stage, unless they are the fault.
    """
    for name, payload in examples(event.name, "invalid").items():
        requirement = next(r for start, r in _FAULTS.items() if name.startswith(start))
        yield requirement, name, _said(event, _at_home(payload, valid.args[0]), valid=valid)
    whole = valid.args[0]
    yield "payloads/no-argument", "no argument", _said(event, valid=valid)
    yield "payloads/binary", "binary data", _said(event, b"\x00\x01\xff", valid=valid)
    yield "payloads/extra-arguments", "two objects", _said(event, whole, whole, valid=valid)
    yield "payloads/extra-arguments", "an object and a text", _said(event, whole, "more", valid=valid)


def _said(event: Event, *args: Any, valid: Said) -> Said:
    return Said(event.name, args, valid.mark, valid.session, legal=False)


def _at_home(example: Any, valid: Any) -> Any:
    """Put this stage's ids into an example, wherever the example still has the ids it was written with."""
    if isinstance(example, dict):
        return {key: _at_home(value, valid) for key, value in example.items()}
    if isinstance(example, list):
        return [_at_home(value, valid) for value in example]
    return dict(_ids(valid)).get(example, example) if isinstance(example, str) else example


def _ids(valid: Any) -> Iterator[tuple[str, str]]:
    for key, written in (("sessionId", "session-1"), ("encounterId", "encounter-1"), ("tokenId", "token-1")):
        if (found := _find(valid, key)) is not None:
            yield written, found


def _find(payload: Any, key: str) -> Any:
    if isinstance(payload, dict):
        return payload.get(key) or next((f for v in payload.values() if (f := _find(v, key)) is not None), None)
    return None


async def _refuses(actor: Actor, name: str, said: Said) -> None:
    answer = await actor.asks(said)
    if answer.accepted:
        raise Broken(f"{name} to be refused", f"{answer.args}")


async def _prepared(stage: Stage, event: Event) -> tuple[Actor, Actor, Said]:
    """Return alice, who sends, bob, who looks on, and a valid request that shows that she may."""
    bob, alice = await stage.joined("bob"), await stage.joined("alice")
    await alice.does(await stage.request(event))
    if event.name == "leave-session":
        await alice.joins(stage.session)
    return alice, bob, await stage.request(event)


@check(*_SHAPES, "payloads/refused-not-broadcast", "payloads/refused-not-stored", alone=True)
async def what_is_invalid_is_refused(stage: Stage, event: Event) -> None:
    """Alice's valid request is accepted, each invalid one refused; bob hears none, and the token is what it was."""
    alice, bob, valid = await _prepared(stage, event)
    look = await stage.request(Catalogue.load()["token:update"]) if "token" in event.needs else None
    before: dict[str, Any] = {}
    if look is not None:
        look.args[0]["tokenId"] = valid.args[0]["tokenId"]
        before = (await alice.does(look)).data.get("token") or {}
    heard = len(stage.journal.heard(bob.connection))
    wrong = list(invalid_requests(event, valid))
    together = stage.target.limits.together
    for start in range(0, len(wrong), together):
        acts = [stage.judge(r, _refuses(alice, name, said)) for r, name, said in wrong[start : start + together]]
        await asyncio.gather(*acts)
    witness = await stage.request(event, fresh=True)
    await alice.does(witness)
    if event.is_broadcast:
        await bob.witnesses(witness)
        await stage.judge("payloads/refused-not-broadcast", _heard_only(bob, heard, witness))
    if look is not None:
        await stage.judge("payloads/refused-not-stored", _untouched(alice, look, before, witness))


async def _heard_only(bob: Actor, start: int, witness: Said) -> None:
    await bob.fence()
    accepted = [said for said in bob.journal.said if said.fate == "accepted"]  # bob may hear of them late
    for seen in bob.journal.heard(bob.connection)[start:]:
        if seen.event == witness.event and not any(carries(seen, said) for said in accepted):
            raise Broken(f"bob to hear no invalid {witness.event}", f"{seen.args}")


async def _untouched(alice: Actor, look: Said, before: dict[str, Any], witness: Said) -> None:
    answer = await alice.asks(look)
    if not answer.accepted:
        raise Broken("the token to be as it was", f"{answer.args}")
    after = answer.data.get("token") or {}
    same_token = witness.args[0].get("tokenId") == look.args[0]["tokenId"]
    allowed = {"version", "updatedBy", *(("position", "name") if same_token else ())}
    for key in sorted(before.keys() | after.keys()):
        if key not in allowed and before.get(key) != after.get(key):
            raise Broken(f"{before.get(key)!r} as before", f"{after.get(key)!r}", f"$.token.{key}")
    steps = 2 if same_token else 1
    if isinstance(before.get("version"), int) and isinstance(after.get("version"), int):
        grown = after["version"] - before["version"]
        if grown > steps:
            raise Broken(f"{steps} changes of the token", f"{grown}", "$.token.version")


@check("payloads/unknown-properties-ignored", alone=True)
async def unknown_properties_are_ignored(stage: Stage, event: Event) -> None:
    """Alice adds properties nobody knows, at every level; she is accepted, and finds them neither stored nor sent."""
    bob, alice = await stage.joined("bob"), await stage.joined("alice")
    said = await stage.request(event)
    _adorn(said.args[0])
    answer = await alice.asks(said)
    if not answer.accepted:
        raise Broken(f"{event.name} with unknown properties to be accepted", f"{answer.args}")
    if "unheardOf" in repr(answer.args):
        raise Broken("unknown properties not to be stored", f"{answer.args}")
    if event.is_broadcast and "unheardOf" in repr((await bob.witnesses(said)).args):
        raise Broken("unknown properties not to be broadcast", f"{bob.sightings(said)[0].args}")


def _adorn(payload: dict[str, Any]) -> None:
    for key, value in list(payload.items()):
        if isinstance(value, dict) and key != "data":
            _adorn(value)
    payload["unheardOf"] = {"secret": 1}


@check(
    "payloads/very-deep",
    "payloads/very-long",
    "payloads/missing-callback-is-harmless",
    "payloads/server-survives",
    "payloads/others-notice-nothing",
    alone=True,
)
async def nothing_brings_the_server_down(stage: Stage, event: Event) -> None:
    """Alice sends the worst there is, with a callback and without; the server answers on, and bob notices nothing."""
    alice, bob, valid = await _prepared(stage, event)
    await stage.judge("payloads/very-deep", _digests(alice, _deep(await stage.request(event))))
    await stage.judge("payloads/very-long", _digests(alice, _said(event, _long(valid), valid=valid)))
    await stage.judge("payloads/missing-callback-is-harmless", _survives_without_callback(stage, event, valid))
    await stage.judge("payloads/server-survives", _still_answers(stage))
    await stage.judge("payloads/others-notice-nothing", _unmoved(bob))


def _deep(valid: Said) -> Said:
    """Nest something deep into every object of a request; where an object may hold anything, that is valid."""
    nested: Any = "bottom"
    for _ in range(_DEPTH):
        nested = {"deeper": nested}
    for part in (valid.args[0], *valid.args[0].values()):
        if isinstance(part, dict):
            part["data"] = nested
    return valid


def _long(valid: Said) -> dict[str, Any]:
    if "message" in valid.args[0]:
        return {**valid.args[0], "message": " " * _LENGTH + "a"}
    return {**valid.args[0], "sessionId": "a" * _LENGTH}


async def _digests(alice: Actor, said: Said) -> None:
    """An answer of either kind will do, and so will a closed connection to whoever sent it."""
    try:
        await alice.asks(said)
    except Gone:
        await alice.come_back()


async def _survives_without_callback(stage: Stage, event: Event, valid: Said) -> None:
    sender: Actor = await stage.connected("alice")
    for _, _, said in invalid_requests(event, valid):
        await sender.tells(said)
    if not await sender.fence():
        anew: Actor = await stage.connected("alice")
        await anew.fence()


async def _still_answers(stage: Stage) -> None:
    anew: Actor = await stage.connected("alice")
    if not await anew.fence():
        raise Broken("a new connection to be answered", "it was closed")


async def _unmoved(bob: Actor) -> None:
    if bob.closed or not await bob.fence():
        raise Broken("bob's connection to stay open", "it was closed")


@check("payloads/unknown-event-is-harmless", alone=True)
async def an_unknown_event_is_harmless(stage: Stage) -> None:
    """Alice sends events nobody knows; bob's connection stays open, and he is heard as before."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    for name in ("no-such-event", "constructor", "__proto__", "token:explode", "joinSession"):
        for args in ((), ({"sessionId": stage.session},), (None,)):
            await alice.tells(Said(name, args, None, None))
    if not await alice.fence():
        raise Unjudged("alice's connection was closed")
    await _unmoved(bob)
    said = await stage.request(Catalogue.load()["chat-message"])
    await bob.is_allowed(said)
    await carol.hears(said)
