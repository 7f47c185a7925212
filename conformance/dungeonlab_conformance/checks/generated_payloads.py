"""Scenes with generated payloads: what is valid is accepted and broadcast unchanged, what is not leaves no trace.

What they find are breaches of requirements that have checks of their own; the findings join theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dungeonlab_conformance.checks.payloads import heard_of_nothing_valid
from dungeonlab_conformance.checks.registry import Check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, Unreadable
from dungeonlab_conformance.invariants.content import differences
from dungeonlab_conformance.invariants.token_state import Token, changed, whole
from dungeonlab_conformance.payloads.ids import ids_of, with_ids
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import need_another_cause_than_looking
from dungeonlab_spec import Catalogue, Event
from dungeonlab_spec.validation import explainer

_VALID = (
    "payloads/valid-accepted",
    "broadcasts/says-what-was-done",
    "rooms/every-other-member-hears-once",
)
_NO_OBJECT = {type(None): "payloads/null", list: "payloads/array", str: "payloads/text"}
_INVALID = (
    "payloads/required-field-missing",
    "payloads/wrong-type",
    "payloads/bound-broken",
    *_NO_OBJECT.values(),
    "payloads/number",
    "payloads/refused-not-broadcast",
    "payloads/refused-not-stored",
    "acks/code-names-the-cause",
)
_LAST = 9  # played after all other scenes that are destructive
_AT_A_TIME = 20  # payloads in the time of an ordinary scene, at the worst

_GENERATING = asyncio.Lock()  # hypothesis makes things up for one at a time

Found = dict[str, Broken]  # by requirement
Attempt = Callable[[Any], Awaitable[Found]]


def checks(count: int, number: int) -> tuple[Check, ...]:
    """Return the checks that try so many valid and so many invalid payloads of each event."""
    factor = 2 + count / _AT_A_TIME
    return (
        Check(
            "whatever_is_valid_is_accepted",
            _VALID,
            partial(_valid, count, number),
            "Alice sends a generated valid payload; it is accepted, and bob hears it as it was sent.",
            per_event=True,
            destructive=_LAST,
            timeout_factor=factor,
        ),
        Check(
            "whatever_is_invalid_is_refused",
            _INVALID,
            partial(_invalid, count, number),
            "Alice sends a generated invalid payload; it is refused, bob hears nothing, the token is what it was.",
            per_event=True,
            destructive=_LAST,
            timeout_factor=factor,
        ),
    )


@dataclass
class _Players:
    """The actors of a search, and a token that is compared with its former state after each attempt."""

    stage: Stage
    event: Event
    alice: Actor
    bob: Actor
    slowest: float = 0.0  # answer so far, in seconds
    look: Request | None = None
    before: dict[str, Any] = field(default_factory=dict)

    async def try_send(self, request: Request) -> Acknowledgement | Broken:
        """Send alice's request; an answer that never comes, or says nothing, is a finding."""
        try:
            return await self.alice.try_send(request)
        except (Unanswered, Unreadable) as none:
            return Broken("", str(none))
        except Gone:
            await self.alice.reconnect()  # or the server is gone, and this says so
            return Broken("", "the connection was closed instead of an answer")


async def _set(stage: Stage, event: Event) -> _Players:
    stage.journal.leave_unaccounted()  # each request here is compared at once with what bob hears of it
    bob, alice = await stage.joined("bob"), await stage.joined("alice")
    return _Players(stage, event, alice, bob)


async def _valid(count: int, number: int, stage: Stage, event: Event) -> None:
    players = await _set(stage, event)
    await _search(players, count, number, partial(_try_valid, players), valid=True)


async def _invalid(count: int, number: int, stage: Stage, event: Event) -> None:
    players = await _set(stage, event)
    if "token" in event.needs:
        await _look_at_another_token(players)
    await _search(players, count, number, partial(_try_invalid, players), valid=False)


async def _search(players: _Players, count: int, number: int, attempt: Attempt, *, valid: bool) -> None:
    """Search for all that payloads show, one thing after the other; record what was found, and what held."""
    from dungeonlab_conformance.payloads.strategies import smallest, strategy

    loop, stage = asyncio.get_running_loop(), players.stage
    known: dict[str, Broken | Unjudged] = {}
    trouble: list[BaseException] = []

    def attempted(payload: Any) -> str | None:
        if trouble:
            return None
        try:
            found = asyncio.run_coroutine_threadsafe(_as_is(attempt(payload)), loop).result()
        except BaseException as reason:  # not about this payload: it ends the search, and is raised below
            trouble.append(reason)
            return None
        fresh = sorted(found.keys() & stage.wanted - known.keys())
        return fresh[0] if fresh else None

    made = strategy(players.event, valid=valid)
    try:
        async with _GENERATING:
            while not trouble and (least := await asyncio.to_thread(smallest, made, count, number, attempted)):
                requirement, payload = least
                known[requirement] = (await attempt(payload)).get(requirement) or _no_more(payload)
    finally:
        trouble.append(asyncio.CancelledError())  # a thread that is left behind sends nothing more
        for requirement, broken in known.items():
            stage.judged[requirement] = [broken]
    if len(trouble) > 1:
        raise trouble[0]
    for requirement in stage.wanted:
        stage.judged.setdefault(requirement, [])


async def _as_is(found: Awaitable[Found]) -> Found:
    return await found


def _no_more(payload: Any) -> Unjudged:
    return Unjudged(f"what {_shown(payload)} showed once, it did not show again")


def _shown(payload: Any) -> str:
    return json.dumps(payload, ensure_ascii=True)


async def _try_valid(players: _Players, payload: Any) -> Found:
    stage, event, alice, bob = players.stage, players.event, players.alice, players.bob
    valid = await stage.request(event)
    settled = with_ids(event, payload, {**ids_of(valid.args[0]), "userId": bob.user or ""})
    request = Request(event.name, (settled,), None, stage.session)
    start = stage.journal.observations[-1].number
    answer = await players.try_send(request)
    if isinstance(answer, Broken) or not answer.accepted:
        got = answer.got if isinstance(answer, Broken) else f"{answer.args}"
        return {"payloads/valid-accepted": Broken(f"this to be accepted: {_shown(settled)}", got)}
    if event.name == "leave-session":
        await alice.join(stage.session)
    if not event.is_broadcast:
        return {}
    connection = bob.connection
    heard = await bob.try_observe_fenced(
        lambda o: o.connection == connection and o.act == "hears" and o.event == event.name and o.number > start
    )
    if heard is None:
        expected = f"bob to hear of {_shown(settled)}"
        return {"rooms/every-other-member-hears-once": Broken(expected, "nothing")}
    for path, asked, came in differences(request, heard):
        return {"broadcasts/says-what-was-done": Broken(f"{asked}, of {_shown(settled)}", came, path)}
    return {}


async def _try_invalid(players: _Players, payload: Any) -> Found:
    stage, event, bob = players.stage, players.event, players.bob
    valid = await stage.request(event)
    settled = with_ids(event, payload, {**ids_of(valid.args[0]), "userId": bob.user or ""})
    shown = _shown(settled)
    start = len(stage.journal.heard(bob.connection))
    answer = await players.try_send(Request(event.name, (settled,), None, stage.session, legal=False))
    found: Found = {}
    if isinstance(answer, Broken):
        found[_fault(event, settled)] = Broken(f"this to be refused: {shown}", answer.got)
    elif answer.accepted:
        found[_fault(event, settled)] = Broken(f"this to be refused: {shown}", answer)
    elif answer.code != "VALIDATION_ERROR":
        expected = f"VALIDATION_ERROR for {shown}"
        found["acks/code-names-the-cause"] = Broken(expected, f"{answer.body.get('code')!r}", "$.code")
    if event.is_broadcast and (isinstance(answer, Broken) or not answer.accepted):
        await bob.fence()
        if (heard := heard_of_nothing_valid(bob, event, start)) is not None:
            found["payloads/refused-not-broadcast"] = Broken(f"bob to hear nothing of {shown}", heard)
    if players.look is not None and (different := await _changed(players)):
        found["payloads/refused-not-stored"] = Broken(f"the token to be as it was before {shown}", different)
    return found


async def _changed(players: _Players) -> str | None:
    """Look at the token: it is renamed to what it is called, which is the only change there may be.

    One that did change is looked at no more: the same payload would not change another time what it has changed.
    """
    assert players.look is not None
    answer = await players.alice.try_send(players.look)
    before, players.before = players.before, _token(answer)
    different = _difference(before, players.before) if answer.accepted else f"{answer.args}"
    if different:
        keys = changed(before, players.before) if answer.accepted else ()
        await need_another_cause_than_looking(players.stage, players.alice, players.alice, keys)
        await _look_at_another_token(players)
    return different


async def _look_at_another_token(players: _Players) -> None:
    players.stage.game.token = None
    players.look = await players.stage.request(Catalogue.load()["token:update"])
    players.before = _token(await players.alice.send(players.look))


def _token(answer: Acknowledgement) -> dict[str, Any]:
    token = answer.data.get("token")
    return token if isinstance(token, dict) else {}


def _difference(before: Token, after: Token) -> str | None:
    for key in changed(before, after):
        return f"{key} {before.get(key)!r} became {after.get(key)!r}"
    old, new = whole(before.get("version")), whole(after.get("version"))
    if old is not None and new is not None and new - old > 1:
        return f"version {old} became {new}, after one change"
    return None


def _fault(event: Event, payload: Any) -> str:
    """Name the requirement that forbids a payload: the first of its faults."""
    if not isinstance(payload, dict):
        return _NO_OBJECT.get(type(payload), "payloads/number")
    assert event.request is not None
    broken = {error.validator for error in explainer(event.request).iter_errors(payload)}
    if "required" in broken:
        return "payloads/required-field-missing"
    return "payloads/wrong-type" if "type" in broken else "payloads/bound-broken"
