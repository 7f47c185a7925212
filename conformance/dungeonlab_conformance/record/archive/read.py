"""Reads journals back that `write` has made, or anybody: what is no such row is refused, whatever it is.

Damaged     what should be a journal is none; the message is the end of a sentence
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from dungeonlab_conformance.record.archive.values import read
from dungeonlab_conformance.record.archive.write import MOST
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.journal import Journal, JournalState
from dungeonlab_conformance.record.observation import (
    Act,
    EndOfStay,
    Observation,
    Request,
    RequestOutcome,
    RoomStay,
    SentRequest,
)
from dungeonlab_conformance.record.rooms import RoomsState

T = TypeVar("T")
_LARGEST = 1 << 62  # of numbers that count something


class Damaged(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """What should be a record is none; the message is the end of a sentence."""


class Payloads:
    """The payloads that journals share, read when first asked for; a reader may ask for so much in all."""

    def __init__(self, written: object) -> None:
        self._written = sequence(written, "the payloads")
        self._arguments: dict[int, Arguments] = {}
        self._sizes: dict[int, int] = {}
        self._room = 2 * MOST

    def arguments(self, number: object) -> Arguments:
        """Return the arguments that have a number. Raises `Damaged`."""
        place = whole(number)
        if place not in self._arguments:
            if not 0 <= place < len(self._written):
                raise Damaged(f"there is no payload {place}")
            written = self._written[place]
            try:
                found = read(written)
            except (ValueError, RecursionError) as error:
                raise Damaged(f"payload {place} cannot be read: {error}") from None
            if not isinstance(found, list):
                raise Damaged(f"payload {place} is no list")
            self._arguments[place] = Arguments(found)
            self._sizes[place] = len(json.dumps(written))
        self._room -= self._sizes[place] + 8
        if self._room < 0:
            raise Damaged("its journals hold more than a run may")
        return self._arguments[place]


def journal_of(written: object, payloads: Payloads) -> Journal:
    """Return the journal that was written. Raises `Damaged`."""
    sheet = mapping(written, "a journal")
    requests = _requests(column(sheet, "requests"), payloads)
    sent = [_sent(row, requests) for row in column(sheet, "sent")]
    by_number = {each.number: each for each in sent}
    if len(by_number) < len(sent):
        raise Damaged("two requests have one number")
    last = {_one(requests, number): whole(of) for number, of in map(_pair, column(sheet, "last"))}
    if not by_number.keys() >= set(last.values()):
        raise Damaged("a request was sent under a number that is not there")
    state = JournalState(
        seconds(sheet.get("began")),
        seconds(sheet.get("epoch")),
        flag(sheet.get("accounted")),
        tuple(_seen(row, requests, payloads) for row in column(sheet, "seen")),
        tuple(sent),
        last,
        frozenset(_one(requests, number) for number in column(sheet, "expected")),
        _rooms(mapping(sheet.get("rooms"), "the rooms of a journal")),
    )
    return Journal.restored(state)


# -- rows --------------------------------------------------------------------------------------------


def _requests(rows: Iterable[object], payloads: Payloads) -> list[Request]:
    made: list[Request] = []
    for row in rows:
        event, args, mark, session, legal, requirement, action = cells(row, 7)
        made.append(
            Request(
                text(event),
                tuple(payloads.arguments(args)),
                mark if mark is None or isinstance(mark, str) else whole(mark),
                maybe(text, session),
                flag(legal),
                maybe(text, requirement),
                None if action is None else _one(made, action),
            )
        )
    return made


def _sent(row: object, requests: Sequence[Request]) -> SentRequest:
    request, number, actor, user, connection, at, answered_at, outcome, evidence, expected = cells(row, 10)
    asked = _one(requests, request)
    return SentRequest(
        asked.event,
        asked.args,
        asked.mark,
        asked.session,
        asked.legal,
        asked.requirement,
        asked.action,
        number=whole(number),
        actor=text(actor),
        user=maybe(text, user),
        connection=whole(connection),
        at=seconds(at),
        answered_at=seconds(answered_at),
        outcome=_word(outcome, RequestOutcome),
        evidence=text(evidence),
        expected=flag(expected),
    )


def _seen(row: object, requests: Sequence[Request], payloads: Payloads) -> Observation:
    found = sequence(row, "an observation")
    number, at, actor, connection, act, event, args, request, wire = cells([*found, None, None][:9], 9)
    over_the_wire = None if wire is None else payloads.arguments(wire)
    if over_the_wire is not None and (len(over_the_wire) != 2 or not isinstance(over_the_wire[1], list | tuple)):
        raise Damaged("what went over the wire is no name with arguments")
    return Observation(
        whole(number),
        seconds(at),
        text(actor),
        whole(connection),
        _word(act, Act),
        text(event),
        payloads.arguments(args),
        None if request is None else _one(requests, request),
        None if over_the_wire is None else (over_the_wire[0], over_the_wire[1]),
    )


def _rooms(sheet: Mapping[str, Any]) -> RoomsState:
    stays = tuple(map(_stay, column(sheet, "stays")))
    numbers = {stay.number for stay in stays}
    granted = {whole(connection): whole(stay) for connection, stay in map(_pair, column(sheet, "granted"))}
    if len(numbers) < len(stays) or not numbers >= set(granted.values()):
        raise Damaged("stays are not what their numbers say")
    return RoomsState(
        {whole(connection): maybe(text, user) for connection, user in map(_pair, column(sheet, "users"))},
        {
            text(session): frozenset(map(text, sequence(users, "members")))
            for session, users in map(_pair, column(sheet, "members"))
        },
        {text(session): text(user) for session, user in map(_pair, column(sheet, "masters"))},
        {text(encounter): seconds(at) for encounter, at in map(_pair, column(sheet, "encounters"))},
        frozenset(map(text, column(sheet, "shared"))),
        stays,
        granted,
        tuple((whole(connection), text(session)) for connection, session in map(_pair, column(sheet, "refused"))),
    )


def _stay(row: object) -> RoomStay:
    number, connection, session, joined_at, previous, acked_at, asked, left_at, exact, why, repeats = cells(row, 11)
    return RoomStay(
        whole(number),
        whole(connection),
        text(session),
        seconds(joined_at),
        maybe(whole, previous),
        maybe(seconds, acked_at),
        seconds(asked),
        maybe(seconds, left_at),
        flag(exact),
        None if why is None else _word(why, EndOfStay),
        whole(repeats),
    )


def _one(requests: Sequence[Request], number: object) -> Request:
    place = whole(number)
    if not 0 <= place < len(requests):
        raise Damaged(f"there is no request {place}")
    return requests[place]


# -- cells -------------------------------------------------------------------------------------------


def mapping(found: object, what: str) -> Mapping[str, Any]:
    """Return an object, or raise `Damaged`."""
    if not isinstance(found, dict):
        raise Damaged(f"{what} is no object")
    return found


def sequence(found: object, what: str) -> Sequence[Any]:
    """Return an array, or raise `Damaged`."""
    if not isinstance(found, list):
        raise Damaged(f"{what} is no array")
    return found


def column(sheet: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return an array of an object, or raise `Damaged`."""
    return sequence(sheet.get(name), name)


def cells(row: object, count: int) -> Sequence[Any]:
    """Return the cells of a row, or raise `Damaged`."""
    found = sequence(row, "a row")
    if len(found) != count:
        raise Damaged(f"a row has {len(found)} cells in place of {count}")
    return found


def _pair(row: object) -> tuple[Any, Any]:
    one, other = cells(row, 2)
    return one, other


def text(found: object) -> str:
    """Return a text, or raise `Damaged`."""
    try:
        found = read(found) if isinstance(found, dict) else found
    except ValueError as error:
        raise Damaged(str(error)) from None
    if not isinstance(found, str):
        raise Damaged(f"{_kind(found)} stands in the place of a text")
    return found


def whole(found: object) -> int:
    """Return a number that counts something, or raise `Damaged`."""
    if not isinstance(found, int) or isinstance(found, bool) or abs(found) > _LARGEST:
        raise Damaged(f"{_kind(found)} stands in the place of a number")
    return found


def seconds(found: object) -> float:
    """Return a time, or raise `Damaged`."""
    if not isinstance(found, float | int) or isinstance(found, bool) or not math.isfinite(found):
        raise Damaged(f"{_kind(found)} stands in the place of a time")
    return found


def flag(found: object) -> bool:
    """Return what is true or false, or 1 or 0; or raise `Damaged`."""
    if found not in (0, 1):
        raise Damaged(f"{_kind(found)} stands in the place of yes or no")
    return bool(found)


def maybe(reader: Callable[[object], T], found: object) -> T | None:
    """Return what a reader makes of what is there; None if nothing is."""
    return None if found is None else reader(found)


def _word(found: object, words: Any) -> Any:
    if found not in get_args(words):
        raise Damaged(f"{_kind(found)} is none of {', '.join(get_args(words))}")
    return found


def _kind(found: object) -> str:
    return repr(found) if isinstance(found, str) and len(found) < 40 else f"something of type {type(found).__name__}"
