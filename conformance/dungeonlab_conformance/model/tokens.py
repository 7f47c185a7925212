"""What a token must be like after a request, and how what a server shows of it differs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.model.world import Token
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.payloads import stated

_DRAFT, _UPDATES = "token.json#/$defs/TokenDraft", "token.json#/$defs/TokenUpdates"
_TOKEN = "token.json#/$defs/Token"
_APART = frozenset({"id", "encounterId", "version", "updatedBy"})  # compared otherwise, or not said each time
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """A property that a server shows otherwise than it must be; `blamed` is the requirement, judged for an `event`."""

    name: str
    expected: str
    got: str
    blamed: str
    event: str


def drafted(draft: Mapping[str, Any], maker: str | None) -> dict[str, Any]:
    """Return the properties of a token that was made from a draft: what it names, and the defaults."""
    asked = stated(dict(draft), resolve(_DRAFT))
    known = resolve(_DRAFT)[0]["properties"]
    defaults = {name: rule["default"] for name, rule in known.items() if "default" in rule}
    return {**defaults, **asked, "position": placed(asked["position"]), "createdBy": maker}


def placed(position: Mapping[str, Any]) -> dict[str, Any]:
    """Return a position as a server keeps it: an elevation that was left out is 0."""
    return {"elevation": 0, **stated(dict(position), resolve("token.json#/$defs/PositionRequest"))}


def begin(token: Token, event: str, body: Mapping[str, Any]) -> None:
    """Take into account that a change is under way: from now on each of its values may be there, or not yet."""
    if not token.changes:
        token.before = {name: list(values) for name, values in token.values.items()}
    token.changes += 1
    for name, value in _asked(event, body).items():
        token.values[name] = [*token.values.get(name, [_ABSENT]), value]


def change(token: Token, event: str, body: Mapping[str, Any]) -> None:
    """Take into account that a change was accepted."""
    token.accepted += 1
    for name, value in _asked(event, body).items():
        token.group.setdefault(name, []).append(value)
        token.set_by[name] = event
        token.shown.discard(name)


def settle(token: Token) -> list[int] | None:
    """Conclude changes that were under way at the same time: of each property any of them may have been the last.

    Returns the versions that they must have been answered with, in any order; None if that is not known.
    """
    token.values = {**token.before, **token.group}
    token.group, accepted, token.accepted = {}, token.accepted, 0
    if token.version is None:
        return None
    expected = [token.version + 1 + number for number in range(accepted)]
    token.version += accepted
    return expected


def while_changing(token: Token) -> dict[str, list[Any]]:
    """Return the values that each property had at any moment of the last changes at the same time."""
    if not token.before:
        return {name: list(values) for name, values in token.values.items()}
    both = (token.before, token.values)
    return {name: [v for values in both for v in values.get(name, [_ABSENT])] for name in {**both[0], **both[1]}}


def _asked(event: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that a change sets, as they are kept."""
    if event == "token:move":
        return {"position": placed(body["position"])}
    found: dict[str, Any] = stated(dict(body["updates"]), resolve(_UPDATES))
    return found


def differences(
    token: Token, shown: Mapping[str, Any], event: str, body: Mapping[str, Any], *, follow: bool = True
) -> Iterator[Difference]:
    """Compare a whole token, as a server shows it with an `event`, with what it must be like.

    `body` is the payload of the request that it answers, or tells of. The token is as it was shown afterwards, if it is
    to `follow`; one that was shown while other changes were under way may be another one by now.
    """
    named = {**body.get("token", {}), **body.get("updates", {})}
    known = resolve(_TOKEN)[0]["properties"]
    for name in sorted((token.values.keys() | shown.keys() & known.keys()) - _APART):
        values = token.values.get(name, [_ABSENT])
        came = stated({name: shown[name]}, resolve(_TOKEN))[name] if name in shown else _ABSENT
        if any(_alike(value, came) for value in values):
            token.shown.add(name)
        else:
            blamed, of = _blamed(token, name, event, named)
            if any(_is_merged(value, came) for value in values):
                blamed, of = "tokens/update-changes-only-what-was-sent", event
            yield Difference(name, " or ".join(_said(value) for value in values), _said(came), blamed, of)
        if follow and not token.changes:
            token.values[name] = [came]
    for name in [name for name, values in token.values.items() if values == [_ABSENT]]:
        del token.values[name]


def _blamed(token: Token, name: str, event: str, named: Mapping[str, Any]) -> tuple[str, str]:
    exactly = "tokens/content-comes-back-exactly"
    if name == "createdBy":
        return "tokens/true-creator", event
    if name in named and name not in resolve(_DRAFT if event == "token:create" else _UPDATES)[0]["properties"]:
        return "payloads/unknown-properties-ignored", event
    if event == "token:create":
        return exactly if name in named else "tokens/defaults-filled", event
    if name in named:
        return exactly, event
    if name in token.shown:
        return "tokens/update-changes-only-what-was-sent", event
    by = token.set_by.get(name)
    if by is None:
        return "tokens/defaults-filled", event
    return (exactly, by) if by == "token:create" else ("tokens/broadcast-equals-stored-state", by)


def _is_merged(value: Any, came: Any) -> bool:
    """Whether there is more in an object than was put there, and nothing less."""
    return (
        isinstance(value, dict)
        and isinstance(came, dict)
        and value.keys() < came.keys()
        and all(same(came[key], value[key]) for key in value)
    )


def _alike(value: Any, came: Any) -> bool:
    return value is came or (_ABSENT not in (value, came) and same(value, came))


def _said(value: Any) -> str:
    return "nothing" if value is _ABSENT else quoted(value)
