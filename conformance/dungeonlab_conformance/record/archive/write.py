"""Writes journals as JSON: rows of a few values each, in which requests and payloads stand by their number.

`read` says what the columns are, and takes them back.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

from dungeonlab_conformance.record.archive.values import DEEPEST, Hiding, Writer
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request, RoomStay, SentRequest
from dungeonlab_conformance.record.rooms import RoomsState
from dungeonlab_conformance.text import files

Row = list[Any]
MOST = 64_000_000  # characters of payloads, each as often as it stands in a record; what is larger is not kept


class Shelf:
    """Payloads by number, each written once for all journals. Raises `TooLarge` of `values` where they are too much."""

    def __init__(self, hiding: Hiding) -> None:
        self.hiding = hiding
        self.payloads: list[Any] = []
        self._writer = Writer(hiding, MOST)
        self._numbers: dict[str, int] = {}  # by what stands for them
        self._plain: dict[str, int] = {}  # of what is JSON as it is, by that
        self._texts: dict[str, Any] = {}

    def number(self, value: Sequence[Any]) -> int:
        """Return the number of a payload, whatever is in it."""
        plain = _as_json(value)
        if (known := self._plain.get(plain)) is not None:
            self._writer.take(len(plain))
            return known
        if plain and not self.hiding.is_needed(value):
            self._writer.take(len(plain))
            number = self._plain[plain] = self._put(plain, value)
            return number
        written = self._writer.written(value)
        return self._put(json.dumps(written), written)

    def _put(self, text: str, written: object) -> int:
        number = self._numbers.setdefault(text, len(self.payloads))
        if number == len(self.payloads):
            self.payloads.append(written)
        return number

    def text(self, text: str | None) -> Any:
        """Return a text of a row, or what stands for none."""
        if text is None:
            return None
        if (written := self._texts.get(text)) is None:
            written = self._texts[text] = self._writer.written(text)
        return written


def _as_json(value: Sequence[Any]) -> str:
    """Return the JSON of a payload that is the same when it is read back, and nowhere deep; else an empty text."""
    try:
        text = json.dumps(value, allow_nan=False)
        if text.count("[") + text.count("{") <= DEEPEST and '"$' not in text and files.from_json(text) == value:
            return text
    except (TypeError, ValueError, RecursionError):
        pass
    return ""


def journal_to_json(journal: Journal, shelf: Shelf) -> dict[str, Any]:
    """Return a journal as one object; its payloads go on the shelf."""
    return _Sheet(journal, shelf).written()


class _Sheet:
    """The rows of one journal."""

    def __init__(self, journal: Journal, shelf: Shelf) -> None:
        self._state = journal.state
        self._shelf = shelf
        self._requests: list[Row] = []
        self._numbers: dict[Request, int] = {}  # of the rows of requests
        self._alike: dict[Hashable, list[Request]] = {}  # by all that they are but their arguments

    def written(self) -> dict[str, Any]:
        state = self._state
        for request in (*state.last, *state.expected):
            self._request(request)
        sent = [self._sent(each) for each in state.requests]
        seen = [self._seen(each) for each in state.observations]
        return {
            "began": state.began,
            "epoch": state.epoch,
            "accounted": state.accounted,
            "requests": self._requests,
            "sent": sent,
            "last": [[self._numbers[request], number] for request, number in state.last.items()],
            "expected": sorted(self._numbers[request] for request in state.expected),
            "seen": seen,
            "rooms": rooms_to_json(state.rooms, self._shelf),
        }

    def _request(self, request: Request) -> int:
        """Return the number of a request's row, which is made if there is none."""
        if (known := self._numbers.get(request)) is not None:
            return known
        text = self._shelf.text
        row = [
            text(request.event),
            self._shelf.number(list(request.args)),
            self._mark(request.mark),
            text(request.session),
            int(request.legal),
            request.requirement,
            None if request.action is None else self._request(request.action),
        ]
        self._requests.append(row)
        self._alike.setdefault(_all_but_arguments(request), []).append(request)
        number = self._numbers[request] = len(self._requests) - 1
        return number

    def _mark(self, mark: str | int | None) -> Any:
        return self._shelf.text(mark) if mark is None or isinstance(mark, str) else self._shelf.hiding.number(mark)

    def _sent(self, sent: SentRequest) -> Row:
        alike = self._alike.get(_all_but_arguments(sent), ())
        request = next((each for each in alike if each.args is sent.args), sent)
        text = self._shelf.text
        return [
            self._request(request),
            sent.number,
            sent.actor,
            text(sent.user),
            sent.connection,
            sent.at,
            sent.answered_at,
            sent.outcome,
            text(sent.evidence),
            int(sent.expected),
        ]

    def _seen(self, seen: Observation) -> Row:
        row = [
            seen.number,
            seen.at,
            seen.actor,
            seen.connection,
            seen.act,
            self._shelf.text(seen.event),
            self._shelf.number(list(seen.args)),
        ]
        if seen.request is not None or seen.wire is not None:
            row.append(None if seen.request is None else self._request(seen.request))
        if seen.wire is not None:
            row.append(self._shelf.number(list(seen.wire)))
        return row


def _all_but_arguments(request: Request) -> Hashable:
    mark = request.mark, isinstance(request.mark, str)
    return request.event, mark, request.session, request.legal, request.requirement, request.action


def rooms_to_json(state: RoomsState, shelf: Shelf) -> dict[str, Any]:
    """Return who was who, and which connection was in which room."""
    text = shelf.text
    return {
        "users": [[connection, text(user)] for connection, user in state.users.items()],
        "members": [[text(name), [text(user) for user in sorted(users)]] for name, users in state.members.items()],
        "masters": [[text(name), text(user)] for name, user in state.masters.items()],
        "encounters": [[text(name), at] for name, at in state.encounters.items()],
        "shared": [text(name) for name in sorted(state.shared)],
        "stays": [_stay(stay, shelf) for stay in state.stays],
        "granted": [list(pair) for pair in state.granted.items()],
        "refused": [[connection, text(session)] for connection, session in state.refused_joins],
    }


def _stay(stay: RoomStay, shelf: Shelf) -> Row:
    return [
        stay.number,
        stay.connection,
        shelf.text(stay.session),
        stay.joined_at,
        stay.previous,
        stay.acked_at,
        stay.leave_requested_at,
        stay.left_at,
        int(stay.exact),
        stay.why,
        stay.repeats,
    ]
