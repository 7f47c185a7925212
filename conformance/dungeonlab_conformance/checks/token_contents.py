"""What a token holds: it comes back exactly, whatever it is, unless it must be refused; and what nobody named."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered
from dungeonlab_conformance.invariants.content import same, unlike
from dungeonlab_conformance.invariants.token_state import Token, changed
from dungeonlab_conformance.payloads.requests import new_actor
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    create_full_token,
    need_another_cause_than_creation,
    need_another_cause_than_looking,
    stored_token,
    token_request,
)
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import examples

_EXACTLY = "tokens/content-comes-back-exactly"
_UPDATE = "tokens/update-changes-only-what-was-sent"
_ROUNDS = 3
_LARGE = (33_000, 66_000, 131_000)  # characters of data; more than columns and buffers of 2^15 to 2^17 bytes hold
_DRAFTED = ("position", "conditions", "actorId")  # what a draft may name, and an update may not


def _nested(times: int) -> Any:
    """Return an object in a list in an object in a list, and so on."""
    return {"in": [_nested(times - 1)]} if times else {"hp": 1}


# Names without a mark, since careless code takes them for something else where they are the whole.
NAMES = (
    "0",
    "007",
    "1e3",
    "-0.50",
    "0x10",
    "true",
    "null",
    "NaN",
    "2026-01-02",
    "[]",
    "{}",
    '"so"',
    " 4 ",
    "=1+1",
)
# Names by which databases and serialisers know a value of some kind.
MEANT = ("$date", "$oid", "$numberLong", "$ref", "$type", "@class", "@type", "__type", "__class__", "_type", "!ref")
CONTENTS: Mapping[str, dict[str, Any]] = {  # one way of losing something in each
    "whole numbers beyond 32 bits": {"data": {"one": 2**31, "two": -(2**31) - 1, "three": 2**32, "four": 2**53}},
    "fractions and powers of ten": {"data": {"one": 0.1, "two": 1e-7, "three": 1e21, "four": 2.5}},
    "very small numbers": {"data": {"one": 1e-10, "two": -2.5e-15, "three": 1e-100}},
    "numbers of seventeen digits": {
        "data": {"one": 0.1 + 0.2, "two": math.pi, "list": [-math.e, 1.125]},
        "position": {"x": 1, "y": 2, "elevation": -math.pi},
        "conditions": [{"name": "slow", "duration": 0.1 + 0.2}, {"name": "fast", "duration": 1.125}],
    },
    "a position beyond 32 bits": {"position": {"x": 2**31, "y": 2**53, "elevation": -(2**31) - 1}},
    "empty lists and objects": {"data": {"list": [], "object": {}, "text": "", "nested": [[], {}, [[]], {"in": {}}]}},
    "what looks like binary data": {"data": {"in": {"_placeholder": True, "num": 0}}},
    "many levels": {"data": {"in": _nested(12)}},
    "null": {"data": {"none": None, "list": [None, 1, None]}},
    "keys with dots": {"data": {"a.b": 1, "c": {"d.e": {"f.": 2}}}},
    "keys with dollars": {"data": {"$set": 1, "c": {"$": 2}}},
    "keys that some programs give a meaning": {"data": {"list": [{key: "1"} for key in MEANT], "of": {"$date": 1}}},
    "keys that databases add": {"data": {"id": 1, "_id": "2", "__v": 3, "_rev": 4, "in": [{"_id": 5, "version": 6}]}},
    "keys that are called like secrets": {"data": {"password": "speak, friend", "in": {"secret": 1, "apiKey": "none"}}},
    "keys that are numbers": {"data": {"0": "a", "1": "b", "list": {"0": 1}}},
    "keys of several words": {"data": {"max_hp": 1, "armor-class": 2, "hitDice": 3, "in": {"is_prone": 4, "XP": 5}}},
    "long keys": {"data": {"k" * 300: 1, "in": {"k" * 70: 2}}},
    "keys of any kind": {"data": {"": 1, " a b ": 2, "constructor": 3, "length": 4, "e\u0301": 5, "/~": 6}},
    "keys of what a program inherits": {"data": {"__proto__": {"hp": 1}, "toString": 2, "in": {"__proto__": 3}}},
    "lists in their order": {"data": {"list": [3, 1, 1, 2, [2, 1]]}},
    "long lists and many keys": {
        "data": {
            "list": list(range(300)),
            "keys": {f"key-{number}": number for number in range(300)},
            **{f"key-{number}": number for number in range(300)},
        },
        "conditions": [{"name": f"condition {number}"} for number in range(30)],
    },
    "texts that look like something else": {"data": {"list": ["1", "007", "1e3", "true", "null", "NaN", "2026-01-02"]}},
    "texts that look like times": {"data": {"list": ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.600+07:00", "3:04"]}},
    "truth and numbers": {"data": {"list": [True, 1, False, 0, "1", "0"]}},
    "markup": {"data": {"text": "<b>&amp; \"x\" 'y'</b>"}, "name": "<i>&lt;</i>"},
    "percent signs": {"data": {"text": "100 % %41%zz"}, "name": "100 %41"},
    "combining characters": {"data": {"text": "e\u0301 \u212b"}, "name": "e\u0301"},
    "a text of four thousand characters": {"data": {"text": "four " * 800}},
    "texts that are nearly too long": {
        "name": "n" * 220,
        "imageUrl": f"https://example.org/{'p' * 2000}",
        "conditions": [{"name": "c" * 300, "source": "s" * 300}],
    },
    "white space": {"data": {"text": " \t two  \r\n"}, "name": "  two  "},
    "white space of other kinds": {
        "data": {"text": "a\u00a0b\u2009c\u3000d\ufeff\u200be\tf", "a\u00a0b": 1},
        "name": "a\u00a0b\u2009c\u3000d\u200be",
    },
    "letters that have a plainer form": {"data": {"text": "\ufb01 \uff21 \u00b2"}, "name": "\ufb01 \uff21 \u00b2"},
    "backslashes": {"data": {"text": "\\n \\u0041 \\\\"}, "name": "\\n"},
    "an address without a path": {"imageUrl": "https://example.org"},
    "an address that could be in small letters": {"imageUrl": "https://Example.ORG/A?B=C#D"},
    "an address that could be shorter": {"imageUrl": "https://example.org:443/a/../b%7Ec?q=%20&q#"},
    "conditions that are alike": {"conditions": [{"name": "prone"}, {"name": "prone"}, {"name": "blind"}]},
    "no duration, and one of nothing": {"conditions": [{"name": "a", "duration": 0, "source": ""}, {"name": "b"}]},
    "durations of days and of ages": {
        "conditions": [{"name": "cursed", "duration": 86_400}, {"name": "petrified", "duration": 2**31}]
    },
    "a fraction of a duration": {"conditions": [{"name": "slow", "duration": 0.5, "source": "<b>%41"}]},
    "the longest id of an actor": {"actorId": f"-_{'Az09' * 31}_-"},
    "letters of four bytes": {"data": {"text": "\N{DRAGON}"}, "name": "\N{DRAGON}"},
}


@check("tokens/content-comes-back-exactly", timeout_factor=3)
async def what_a_token_holds_comes_back_exactly(stage: Stage) -> None:
    """Alice makes tokens of all kinds of content; it is accepted, and is what bob hears, and what is stored.

    So it is when she updates a plain token to that. That bob hears what was asked for is an invariant.
    """
    alice, bob = await stage.joined("alice", "bob")
    usual = await create_full_token(stage, alice)
    await bob.send(await _updating(stage, usual, data={"hp": 1}))
    for what, content in CONTENTS.items():
        made = await stage.request(Catalogue.load()["token:create"])
        draft = {**made.args[0]["token"], **content, "name": f"{made.mark}{content.get('name', '')}"}
        made = made.with_properties({"token": draft}, requirement=_EXACTLY)
        token = await _must_hold(stage, alice, made, {**content, "name": draft["name"]}, what)
        await bob.hear(made)
        await _must_be_stored(stage, alice, bob, token, {**content, "name": draft["name"]}, f"as stored, with {what}")
        updates = {key: value for key, value in content.items() if key not in _DRAFTED}
        if updates:
            plain = acknowledged_token(await alice.send(await stage.request(Catalogue.load()["token:create"])))
        for key, value in updates.items():  # each by itself: whether all that is sent at once is done, is no content
            update = await token_request(stage, "token:update", plain, updates={key: value})
            await _must_hold(stage, alice, update.with_properties({}, requirement=_EXACTLY), {key: value}, what)


@check("tokens/content-comes-back-exactly", timeout_factor=3)
async def a_name_that_looks_like_something_else_comes_back_exactly(stage: Stage) -> None:
    """Alice makes a token of each name, and gives each name to one; it is what she is answered, and what is stored."""
    alice, bob = await stage.joined("alice", "bob")
    made = await stage.request(Catalogue.load()["token:create"])
    noted = {**made.args[0]["token"], "data": {"note": made.mark}}
    renamed = acknowledged_token(await alice.send(made.with_properties({"token": noted})))
    await bob.send(await _updating(stage, renamed, data={"note": "seen"}))
    for name in NAMES:
        made, what = await stage.request(Catalogue.load()["token:create"]), f"the name {name!r}"
        draft = {**made.args[0]["token"], "name": name, "data": {"note": made.mark}}
        made = made.with_properties({"token": draft}, requirement=_EXACTLY)
        token = await _must_hold(stage, alice, made, {"name": name}, what)
        await _must_be_stored(stage, alice, bob, token, {"name": name}, f"as stored, with {what}")
        update = await token_request(stage, "token:update", renamed)
        update = update.with_properties(
            {"updates": {"name": name, "data": {"note": update.mark}}}, requirement=_EXACTLY
        )
        await _must_hold(stage, alice, update, {"name": name}, what)


async def _updating(stage: Stage, token: Token, **updates: Any) -> Request:
    """Return a request that updates a token, of which nothing that is not named may change: data is not merged."""
    update = await token_request(stage, "token:update", token, updates=updates)
    return update.with_properties({}, requirement=_UPDATE)


async def _must_hold(stage: Stage, actor: Actor, request: Request, content: Token, what: str) -> Token:
    """Send what makes or changes a token, and return the token, which must hold what was asked for.

    A refusal shows nothing of the content where a usual request is refused by now as well.
    """
    answer = await actor.try_send(request)
    if answer.code == "TOKEN_NOT_FOUND":
        raise Unjudged("the token is there no more", waits_for=VerdictKey("tokens/only-deletion-ends-it"))
    if not answer.accepted:
        await stage.control(Catalogue.load()[request.event], actor)
        raise Broken(f"{request.event} with {what} to be accepted", answer)
    token = acknowledged_token(answer)
    _must_be(content, token, f"with {what}")
    return token


async def _must_be_stored(stage: Stage, maker: Actor, looker: Actor, token: Token, content: Token, words: str) -> None:
    stored = await stored_token(stage, looker, token)
    different = _different(content, stored)
    await need_another_cause_than_looking(stage, maker, looker, different)
    await need_another_cause_than_creation(stage, maker, different)
    _must_be(content, stored, words)


def _must_be(content: Token, token: Token, words: str) -> None:
    for key in _different(content, token):
        raise unlike(content[key], token.get(key), f"$.data.token.{key}", words)


def _different(content: Token, token: Token) -> list[str]:
    return changed(content, {name: token[name] for name in content if name in token}, ())


@check(_UPDATE)
async def updates_at_the_same_time_leave_each_others_properties(stage: Stage) -> None:
    """Alice renames a token while bob changes what it holds, several times; each time it has both afterwards.

    So it has when they do so one after the other.
    """
    alice, bob = await stage.joined("alice", "bob")
    token = await create_full_token(stage, alice)
    if await _lost_of_two(stage, alice, bob, token, "in turn", at_once=False):
        raise Unjudged("of two updates, one after the other, one is lost", waits_for=VerdictKey(_EXACTLY))
    for number in range(_ROUNDS):
        for key, (set_to, stored) in (await _lost_of_two(stage, alice, bob, token, f"{number}", at_once=True)).items():
            await need_another_cause_than_looking(stage, alice, alice, {key})
            raise unlike(set_to, stored, f"$.data.token.{key}", "as it was set while something else was updated")


async def _lost_of_two(
    stage: Stage, alice: Actor, bob: Actor, token: Token, words: str, *, at_once: bool
) -> dict[str, tuple[Any, Any]]:
    """Have two update a token, each another property; return of those that are lost what was set, and what is there."""
    changes = {"name": f"Renamed {words}", "data": {"by": words}}
    acts = [
        who.send(await _updating(stage, token, **{key: value}))
        for who, (key, value) in zip((alice, bob), changes.items(), strict=True)
    ]
    if at_once:
        await asyncio.gather(*acts)
    else:
        for act in acts:
            await act
    stored = await stored_token(stage, alice, token)
    return {key: (changes[key], stored.get(key)) for key in _different(changes, stored)}


@check("tokens/content-comes-back-exactly", phase="last")
async def what_is_large_comes_back_exactly_or_is_refused(stage: Stage) -> None:
    """Alice makes tokens of so much data that a server may refuse it; what it accepts is what bob hears, and is stored.

    That bob hears what was asked for is an invariant.
    """
    alice, bob = await stage.joined("alice", "bob")
    largest, data = await create_full_token(stage, alice), {}
    for length in _LARGE if not stage.target.limits.far else ():  # where each would take seconds
        made = await stage.request(Catalogue.load()["token:create"])
        large = {"text": "large " * (length // 6)}
        made = made.with_properties({"token": {**made.args[0]["token"], "data": large}}, requirement=_EXACTLY)
        what = f"{length} characters of data"
        try:
            with stage.provoking(f"a token:create with {what}"):
                answer = await alice.try_send(made)
        except (Gone, Unanswered):
            break  # as others answer it that is too long for them
        if not answer.accepted:
            break
        largest, data = acknowledged_token(answer), large
        _must_be({"data": data}, largest, f"with {what}")
        await bob.hear(made)
    if data:
        await _must_be_stored(stage, alice, bob, largest, {"data": data}, "as stored")


@check("payloads/half-surrogate-refused", phase="last")
async def half_a_surrogate_pair_is_refused(stage: Stage) -> None:
    """Alice's token holds a whole pair; half of one, as a text, in a list or as a key, is refused."""
    alice = await stage.joined("alice")
    token = await create_full_token(stage, alice)
    await alice.send(await token_request(stage, "token:update", token, updates={"data": {"text": "\N{DRAGON}"}}))
    for half in ("\ud800", "\udc00"):
        for data in ({"text": half}, {"list": ["a", f"b{half}c"]}, {f"key{half}": 1}):
            made = await stage.request(Catalogue.load()["token:create"])
            draft = {**made.args[0]["token"], "data": data}
            changed = await token_request(stage, "token:update", token, updates={"data": data})
            for request in (made.with_properties({"token": draft}, legal=False), replace(changed, legal=False)):
                try:
                    with stage.provoking(f"a {request.event} with half a surrogate pair"):
                        await alice.must_be_refused(request)
                except Gone:
                    continue  # a server may take it for a packet that cannot be read, and close this connection


_DEFAULTS = {"size": "medium", "isVisible": True, "isPlayerControlled": False, "data": {}, "conditions": []}


@check("tokens/defaults-filled")
async def defaults_are_filled(stage: Stage) -> None:
    """Alice creates a token with a name and a position only; the rest has the documented defaults.

    So it has when she names one other property, whichever that is. A token with everything was there before, and is
    deleted.
    """
    alice = await stage.joined("alice")
    gone = await alice.try_send(await stage.request(Catalogue.load()["token:create"], full=True))
    if gone.accepted:
        await alice.try_send(await token_request(stage, "token:delete", acknowledged_token(gone)))
    smallest = await stage.request(Catalogue.load()["token:create"], full=False)
    _must_have_the_defaults(acknowledged_token(await alice.send(smallest)))
    full = {**examples("token:create", "valid")["full"]["token"], "actorId": new_actor()}
    for name in sorted(full.keys() - {"name", "position"}):
        small = await stage.request(Catalogue.load()["token:create"], full=False)
        draft = {**small.args[0]["token"], name: full[name]}
        if (answer := await alice.try_prepare(small.with_properties({"token": draft}))).accepted:
            _must_have_the_defaults(acknowledged_token(answer), but=name)


def _must_have_the_defaults(token: Token, but: str = "") -> None:
    position = token.get("position")
    if not isinstance(position, dict):
        raise Unjudged("the token was acknowledged without its position")
    for key, value in _DEFAULTS.items():
        if key != but and not same(token.get(key), value):
            raise Broken(f"{value!r}", quoted(token.get(key)), f"$.data.token.{key}")
    if not same(position.get("elevation"), 0):
        raise Broken("0", quoted(position.get("elevation")), "$.data.token.position.elevation")
    for key in sorted({"imageUrl", "actorId"} - {but}):
        if token.get(key) is not None:  # to send null for what is absent breaks another rule
            raise Broken("nothing, since the draft has none", quoted(token[key]), f"$.data.token.{key}")
