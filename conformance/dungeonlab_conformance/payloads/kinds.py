"""Kinds of payloads, by name: minimal and full ones, odd contents, invalid ones, and ids that are slightly wrong.

A play names a kind, and `payload_of` makes the request. Pure: sends nothing, and knows no stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

from dungeonlab_conformance.payloads.ids import with_ids
from dungeonlab_conformance.payloads.invalid import EXAMPLE_IDS
from dungeonlab_conformance.payloads.odd_values import DATA, DRAFTS, POSITIONS, TEXTS, TEXTS_BEFORE, UPDATES
from dungeonlab_conformance.payloads.requests import needed_ids, valid_request
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.text.tree import copied, replaced
from dungeonlab_spec import Catalogue, Event, accepts
from dungeonlab_spec.catalogue import examples
from dungeonlab_spec.pointer import find, keys

QUESTION = "validate-action"
INSIDE = "action:"  # in front of a kind that is meant for the action that a question is about
NAMES = ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "null", "undefined")
_TEXT, _DATA, _POSITION, _WITH = "text:", "data:", "position:", "with:"
_KEYS = {"session": "sessionId", "encounter": "encounterId", "token": "tokenId", "user": "userId"}
_SURROGATE = "half-surrogate"
CLAIMS = "claims-beside"  # to be somebody else: whose id is `claimedId`
_NO_OBJECTS = ("no-argument", "two-arguments", "not-an-object-true")  # but these are no examples
ASKED = "token:move"  # about, unless it is said what


def _instead(name: str, _: str) -> str:
    return name


def _last_digits(found: str) -> str:
    rest = found.rstrip("0123456789")
    return found[len(rest) :][-15:]


TWISTS: Mapping[str, Callable[[str], Any]] = {
    "case": lambda found: found.swapcase() if found.swapcase() != found else f"{found}A",
    "space": lambda found: f"{found} ",
    "space-before": lambda found: f" {found}",
    "look-alike": lambda found: chr(ord(found[0]) + 0xFEE0) + found[1:],  # the full-width form of its first letter
    "number": lambda found: int(digits) if (digits := _last_digits(found)) else 0,
    "list": lambda found: [found],
    "object": lambda _: {"$ne": ""},
    "longer": lambda found: f"{found}_",
    "zero-before": lambda found: f"0{found}",
    "percent-code": lambda found: f"%{ord(found[0]):02X}{found[1:]}",
    "slash": lambda found: f"{found}/",
    "NUL": lambda found: f"{found}\0",
    **{name: partial(_instead, name) for name in NAMES},
}


def twist_id(found: str, twist: str) -> Any:
    """Return an id altered by a twist; never the same one. Raises `ValueError` if there is no such twist.

    It may be an id that the schema allows, or none. Whether something else has it only the stage knows.
    """
    name = twist.rpartition(" ")[2]
    if name not in TWISTS:
        raise ValueError(f"ids have no twist {twist!r}")
    return TWISTS[name](found)


def twisted_key(event: str, twist: str, action: str = "") -> str:
    """Return the name of the id that a twist alters: the one it names, as `session case` does, or the narrowest.

    `action` is the event that a question is about.
    """
    named = twist.rpartition(" ")[0]
    if named:
        return _KEYS[named]
    if event == "get-user-data":
        return "userId"
    needed = needed_ids(Catalogue.load()[action or ASKED if event == QUESTION else event])
    return next(key for key in ("tokenId", "encounterId", "sessionId") if key in needed)


def payload_of(
    event: str,
    kind: str,
    ids: Mapping[str, Any],
    *,
    mark: str | int | None = None,
    action: str = "",
    twist: str = "",
) -> Request:
    """Return a request of an event with a kind of payload, with a mark of its own if none is given.

    `ids` holds the session's id and each that the event needs, by name; of a profile, `userId` unless the own is asked
    for; and `claimedId`, of the user whom a request may claim to come from. `action` is the event that a
    `validate-action` asks about, and `twist` how one of the ids is altered. Whether the request is `legal` is what the
    schema says. Its session is the one that `ids` names. Raises `ValueError` if the event has no such kind.
    """
    sent = dict(ids)
    if twist:
        key = twisted_key(event, twist, action)
        sent[key] = twist_id(str(ids.get(key, "")) or "user-1", twist)
    if event == QUESTION:
        return _question(kind, sent, ids["sessionId"], mark, action or ASKED)
    return _made(Catalogue.load()[event], kind, sent, ids["sessionId"], mark)


@cache
def kinds_of(event: str, action: str = "") -> Mapping[str, bool]:
    """Return the kinds of payloads that an event has, and whether each is legal."""
    names = [*_example_kinds(Catalogue.load()[event]), *_odd_kinds(Catalogue.load()[event])]
    if event == QUESTION:
        row = Catalogue.load()[action or ASKED]
        inside = (name for name in _example_kinds(row) if name != "minimal" and name not in _NO_OBJECTS)
        names = [*names, *_odd_kinds(row), *(INSIDE + name for name in inside)]
    made = {name: payload_of(event, name, EXAMPLE_IDS, action=action) for name in names}
    return {name: found.legal and (found.action is None or found.action.legal) for name, found in made.items()}


def _example_kinds(event: Event) -> list[str]:
    """Return the names of the examples, but of those about another session, user or action than is meant."""
    elsewhere = tuple(f"edge-{key}-" for key in (*_KEYS.values(), "action-type"))
    valid = [name for name in examples(event.name, "valid") if not name.startswith(elsewhere)]
    if event.name == "get-user-data":
        valid = ["minimal"]
    return [*valid, *examples(event.name, "invalid"), *_NO_OBJECTS]


def _odd_kinds(event: Event) -> list[str]:
    match event.name:
        case "chat-message":
            found = [_TEXT + name for name in (*TEXTS, *TEXTS_BEFORE, "longest-four-bytes", _SURROGATE)]
        case "token:create":
            found = [prefix + name for prefix, names in _of_a_token(DRAFTS) for name in names]
            found += [_POSITION + name for name in POSITIONS]
        case "token:update":
            found = [prefix + name for prefix, names in _of_a_token(UPDATES) for name in names]
        case "token:move":
            found = [_POSITION + name for name in POSITIONS]
        case _:
            found = []
    return [*found, "5-kB-beside", "9-kB-beside", "__proto__-beside", CLAIMS]


def _of_a_token(more: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (_TEXT, (*TEXTS, *TEXTS_BEFORE, "longest-four-bytes")), (_DATA, tuple(DATA)), (_WITH, tuple(more))


def _question(kind: str, ids: Mapping[str, Any], session: str, mark: str | int | None, action: str) -> Request:
    """Return a question; where that is malformed itself, it asks about a minimal action as far as it does so at all."""
    event = Catalogue.load()[QUESTION]
    is_itself_odd = kind in _example_kinds(event) and kind != "minimal"
    inner = _made(
        Catalogue.load()[action], "minimal" if is_itself_odd else kind.removeprefix(INSIDE), ids, session, mark
    )
    about = {"type": action, "payload": inner.args[0] if inner.args else None}
    question = {"sessionId": ids["sessionId"], "action": about}
    args: tuple[Any, ...] = (question,)
    if is_itself_odd:
        args = _example_args(event, kind, ids, question)
        if args and isinstance(args[0], dict) and "action" in args[0] and "-action" not in kind:
            args = ({**args[0], "action": about},)
    return Request(QUESTION, args, None, session, legal=_is_legal(event, args), action=inner)


def _made(event: Event, kind: str, ids: Mapping[str, Any], session: str, mark: str | int | None) -> Request:
    made = valid_request(event, ids)
    payload = made.args[0]
    if event.mark and event.mark != "/tokenId" and mark is not None:
        payload = replaced(payload, keys(event.mark), mark)
    elif event.mark:
        mark = made.mark
    if event.name == "get-user-data" and "userId" in ids:
        payload = {"userId": ids["userId"]}
    args: tuple[Any, ...] = (payload,)
    if kind == CLAIMS:
        args = (_claims(event, ids.get("claimedId", "user-1")) | payload,)
    elif kind in _odd_kinds(event):
        args = (_odd(event, kind, payload),)
    elif kind != "minimal":
        args = _example_args(event, kind, ids, payload)
    of_a_session = session if event.scope == "session" or "membership" in event.needs else None
    return Request(event.name, args, _carried(event, kind, args, mark, ids), of_a_session, legal=_is_legal(event, args))


def _carried(
    event: Event, kind: str, args: tuple[Any, ...], mark: str | int | None, ids: Mapping[str, Any]
) -> str | int | None:
    """Return what a request's broadcast is known by: its mark if that is still in it, or else the token's id."""
    if kind.startswith(f"{_POSITION}x") and event.mark == "/position/x":
        return int(find(args[0], event.mark))
    token = ids.get("tokenId") if "token" in event.needs else None
    for found in (mark, token):
        if isinstance(found, str | int) and contains(args, found):
            return found
    return None


def _is_legal(event: Event, args: tuple[Any, ...]) -> bool:
    return len(args) == 1 and accepts(event.request or "", args[0])


def _odd(event: Event, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload with odd contents."""
    prefix, _, name = kind.rpartition(":")
    part = next((key for key in ("token", "updates", "position") if key in payload), "")
    match f"{prefix}:":
        case ":" if name == "__proto__-beside":
            return {**payload, "__proto__": {"hp": 1}}
        case ":":
            return {**payload, "note": "x" * (1000 * int(name.partition("-")[0]))}
        case "text:":
            pointer = event.mark or ""
            return _replaced(payload, pointer, _odd_text(name, find(payload, pointer), 255 if part else 2000))
        case "position:":
            path = "/position" if part == "position" else "/token/position"
            place = find(payload, path)
            offset = place["x"] if part == "position" and "x" in POSITIONS[name] else 0
            return _replaced(
                payload, path, place | POSITIONS[name] | ({"x": POSITIONS[name]["x"] + offset} if offset else {})
            )
        case "data:":
            return {**payload, part: payload[part] | {"data": copied(DATA[name])}}
    return {**payload, part: payload[part] | copied(dict(DRAFTS[name]))}


def _claims(event: Event, user: str) -> dict[str, Any]:
    """Return the ways in which clients say who they are where the cookie does not decide."""
    own = {} if event.name == "get-user-data" else {"userId": user}
    return {**own, "sender": user, "senderId": user, "user": {"id": user}}


def _replaced(payload: dict[str, Any], pointer: str, new: Any) -> dict[str, Any]:
    changed: dict[str, Any] = replaced(payload, keys(pointer), new)
    return changed


def _example_args(event: Event, kind: str, ids: Mapping[str, Any], payload: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of an example, with the ids and the mark of a payload unless they are what it is about."""
    plain = {"no-argument": (), "two-arguments": (payload, payload), "not-an-object-true": (True,)}
    if kind in plain:
        return plain[kind]
    known = {**examples(event.name, "valid"), **examples(event.name, "invalid")}
    if kind not in known:
        raise ValueError(f"{event.name} has no kind of payload {kind!r}")
    placed = with_ids(event, copied(known[kind]), ids)
    if event.mark is None or event.mark == "/tokenId":
        return (placed,)
    there, mark = find(placed, event.mark), find(payload, event.mark)
    usual = [find(whole, event.mark) for name, whole in examples(event.name, "valid").items() if "edge-" not in name]
    longest = f"edge{event.mark.replace('/', '-')}-longest"
    if kind == longest:
        return (replaced(placed, keys(event.mark), mark + "x" * (len(there) - len(mark))),)
    return (replaced(placed, keys(event.mark), mark) if there in usual and type(there) is type(mark) else placed,)


def _odd_text(name: str, mark: str, longest: int) -> str:
    if name == "longest-four-bytes":
        return mark + "\N{DRAGON}" * (longest - len(mark))
    if name == _SURROGATE:
        return f"{mark}\ud800"
    return TEXTS_BEFORE[name] + mark if name in TEXTS_BEFORE else f"{mark} {TEXTS[name]}"
