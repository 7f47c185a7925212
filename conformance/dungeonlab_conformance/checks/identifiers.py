"""Ids: compared exactly, and nothing but ids. A server may die of what it looks up, so these scenes come last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered
from dungeonlab_conformance.payloads.ids import ids_of
from dungeonlab_conformance.payloads.refused import unknown_id
from dungeonlab_conformance.record.acknowledgement import CODES, Acknowledgement
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Event, accepts

_IDENTIFIER = "identifiers.json#/$defs/Identifier"
NAMES = ("__proto__", "constructor", "toString", "hasOwnProperty", "__class__", "null")  # of things in languages
_UNKNOWN = {"encounterId": "tokens/unknown-encounter-refused", "tokenId": "tokens/unknown-token-refused"}
_LONGEST = 128  # characters
_SHORT = 12  # characters; half of an id that has as many is hardly another one
_WIDE = 0xFEE0  # from a letter or digit of ASCII to the same in full width


@check("payloads/ids-compared-exactly", "payloads/any-id-is-an-id", phase="last")
async def an_id_is_that_id_and_no_other(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; with another spelling of an id, or a name in its place, it is refused.

    Names are those of things in languages, and the user's own.
    """
    alice: Actor = await (stage.connected if event.name == "join-session" else stage.joined)("alice")
    bob = await stage.roles.member("bob") if event.name == "get-user-data" else None
    valid = await _about(stage, event, bob.user if bob else "")
    answer = await alice.send(valid)
    if event.name == "leave-session":
        await alice.join(stage.session)
    keys = [key for key in ids_of(valid.args[0]) if key in valid.args[0]]
    for key in keys:
        again = await _about(stage, event, bob.user if bob else "")
        unknown = again.with_properties({key: unknown_id(key.removesuffix("Id"))}, mark=None)
        usual = await alice.try_send(unknown)
        if usual.accepted:
            reason = f"{key} {unknown.args[0][key]!r}, which nothing has, was accepted"
            why = Unjudged(reason, waits_for=_rule_about_unknown(key, event))
            stage.leave_open(("payloads/ids-compared-exactly", "payloads/any-id-is-an-id"), why)
            continue
        await stage.judge("payloads/ids-compared-exactly", _must_be_the_only_one(stage, alice, again, key))
        if event.name == "get-user-data":
            await stage.judge("payloads/ids-compared-exactly", _must_not_be_found_by_name(stage, alice, again, answer))
        await stage.judge("payloads/any-id-is-an-id", _must_be_an_id_like_any(stage, alice, again, key, usual))


def _rule_about_unknown(key: str, event: Event) -> VerdictKey | None:
    """Return what is broken if something that is not there is accepted in a request, if one rule says so."""
    if event.name == "join-session":
        return VerdictKey("join/unknown-session-refused")
    return VerdictKey(_UNKNOWN[key], event.name) if key in _UNKNOWN else None


async def _about(stage: Stage, event: Event, user: str) -> Request:
    request = await stage.request(event)
    return request.with_properties({"userId": user}) if user else request


async def _must_be_the_only_one(stage: Stage, alice: Actor, valid: Request, key: str) -> None:
    for how, other in _other_ways(valid.args[0][key]):
        if _is_in_use(stage, other):
            continue
        legal = accepts(_IDENTIFIER, other)
        request = valid.with_properties({key: other}, mark=None, legal=legal)
        if stage.target.on_the_wire(request.event, request.args) == stage.target.on_the_wire(valid.event, valid.args):
            continue  # the target's dialect writes both alike
        answer = await _refusal(stage, alice, request, f"{key} {how}")
        if answer is not None and answer.accepted:
            raise Broken(f"{key} {other!r} to be refused, which is not {valid.args[0][key]!r}", answer)


async def _must_not_be_found_by_name(stage: Stage, alice: Actor, valid: Request, found: Acknowledgement) -> None:
    """Ask for a user's profile by the name that was found in it, unless that is an id as well."""
    user = found.data.get("user")
    name = user.get("username") if isinstance(user, dict) else None
    if not isinstance(name, str) or name in stage.ids().values():
        return
    request = valid.with_properties({"userId": name}, mark=None, legal=accepts(_IDENTIFIER, name))
    answer = await _refusal(stage, alice, request, "the name of a user as the userId")
    if answer is not None and answer.accepted:
        raise Broken(f"userId {name!r} to be refused, which is the name of that user, and no id", answer)


def _other_ways(right: str) -> Iterator[tuple[str, Any]]:
    """Yield what is not an id, and may be taken for it: by people, by databases, by what converts types."""
    if right.swapcase() != right:
        yield "in other case", right.swapcase()
    yield "with a blank behind it", f"{right} "
    yield "with a blank before it", f" {right}"
    yield "in letters of full width", "".join(chr(ord(letter) + _WIDE) for letter in right)
    yield "with a letter of no width", f"{right}\u200b"
    if len(right) >= _SHORT:
        yield "by its first half", right[: len(right) // 2]
    if len(right) <= _LONGEST - 2:
        yield "with more behind it", f"{right}-x"
    if right.isdigit():
        yield "with a zero before it", f"0{right}"
        yield "with a letter behind it", f"{right}x"
        yield "as a number", int(right)
    yield "in a list", [right]


async def _must_be_an_id_like_any(stage: Stage, alice: Actor, valid: Request, key: str, usual: Acknowledgement) -> None:
    unused = [name for name in NAMES if not _is_in_use(stage, name)]
    if not unused:
        raise Unjudged(f"this server calls something by each of these names: {', '.join(NAMES)}")
    for name in unused:
        request = valid.with_properties({key: name}, mark=None)
        answer = await _refusal(stage, alice, request, f"the {key} {name}")
        if answer is None or (answer.code == "INTERNAL_ERROR" and usual.code != "INTERNAL_ERROR"):
            raise Broken(
                f"the {key} {name} to be refused as another that nothing has: {usual.shown}", answer or "nothing"
            )
        if answer.accepted:
            raise Broken(f"the {key} {name} to be refused", answer)
        if answer.code not in CODES and not _is_said_alike(answer, usual, key):
            why = f"the {key} {name} was refused without a documented code, in other words than an id that nothing has"
            raise Unjudged(f"{why}: {answer.shown}", waits_for=VerdictKey("acks/failure-shape", request.event))


def _is_said_alike(one: Acknowledgement, other: Acknowledgement, key: str) -> bool:
    """Whether two refusals say the same of different ids: that the server failed over one of them would show."""
    said = [f"{answer.args}".replace(answer.request.args[0][key], "") for answer in (one, other)]
    return said[0] == said[1]


def _is_in_use(stage: Stage, name: Any) -> bool:
    """Whether something is called so that the server has sent: ids may look like anything."""
    sent = (seen.args for seen in stage.journal.observations if seen.act in ("is answered", "hears"))
    return isinstance(name, str) and any(contains(args, name) for args in sent)


async def _refusal(stage: Stage, alice: Actor, request: Request, what: str) -> Acknowledgement | None:
    """Return the answer to what should be refused; None where there is none twice, and others are answered."""
    with stage.provoking(f"a {request.event} with {what}"):
        for _ in range(2):
            try:
                return await alice.try_send(request)
            except Unanswered:
                if request.event in stage.target.workarounds.silent:
                    raise
    return None
