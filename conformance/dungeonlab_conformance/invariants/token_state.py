"""Tokens as a server tells them, compared by what the protocol says of them. Pure.

Many servers let more through than they may, such as `updatedAt` or `__v`, which change by themselves. That is a finding
of its own; whether a token is as it was before is not asked of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from dungeonlab_conformance.invariants.content import same
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.payloads import stated

Token = dict[str, Any]

VOLATILE = frozenset({"version", "updatedBy"})  # what any change of a token changes
_TOKEN = "token.json#/$defs/Token"


def id_meant(token: Token) -> str | None:
    """Return the id of a token; where it has none, what must be meant for it, such as `_id`. None if nothing must.

    So a server that calls the id otherwise breaks that rule, and is judged by all the others.
    """
    if "id" in token:
        return token["id"] if isinstance(token["id"], str) else None
    found = [value for name, value in token.items() if re.sub(r"\W|_", "", name.casefold()) in ("id", "tokenid")]
    return found[0] if len(found) == 1 and isinstance(found[0], str) else None


def changed(before: Token, after: Token, but: Collection[str] = VOLATILE) -> list[str]:
    """Return which properties differ, of those that a token has by the protocol, in alphabetical order."""
    one, other = (stated(token, resolve(_TOKEN)) for token in (before, after))
    names = (one.keys() | other.keys()) - set(but)
    return sorted(name for name in names if name not in one or name not in other or not same(one[name], other[name]))


def known(name: str, value: Any) -> Any:
    """Return what the protocol says of a token, or of a property of one: `name` is that under which it was sent.

    Who changed the token last is left out, since that need not be said each time.
    """
    if name == "token" and isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key != "updatedBy"}
        return stated(value, resolve(_TOKEN))
    return stated({name: value}, resolve(_TOKEN)) or value


def whole(value: object) -> int | None:
    """Return an integer, however it is written (`3.0` is 3); None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
