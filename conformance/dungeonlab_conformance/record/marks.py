"""Marks: values that occur nowhere else in a run, by which a broadcast is known as that of its request."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, overload

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import Observation, Request

_MARKS = itertools.count(1)
_SALT = secrets.token_hex(3)  # in the marks of what is no run
_UNLIKELY = 8  # letters of an id that two things hardly have by chance
_RUN: ContextVar[str] = ContextVar("_RUN", default=_SALT)


def name_marks_after(run: str) -> None:
    """Put the name of a run into every mark that is made in this context from now on."""
    _RUN.set(run)


@overload
def new_mark(like: int) -> int: ...


@overload
def new_mark(like: str = "") -> str: ...


def new_mark(like: str | int = "") -> str | int:
    """Return a value that occurs nowhere else in the run: a text, or a number if it is to stand for one."""
    return 100_000 + next(_MARKS) if isinstance(like, int) else f"mark-{_RUN.get()}-{next(_MARKS)}."


def marked(request: Request) -> str | int:
    """Return the mark of a request that has one."""
    assert request.mark is not None
    return request.mark


def contains(found: object, mark: str | int) -> bool:
    """Say whether a payload carries a mark, at any depth.

    One that was made up here may stand anywhere in a text; an id is the whole of one: `figure-4` is not in `figure-49`.
    """
    args = found if isinstance(found, Arguments) else Arguments((found,))
    if not isinstance(mark, str):
        return mark in args.numbers
    if not is_made_up(mark):
        return mark in args.texts
    for text in args.texts:  # noqa: SIM110 - a generator takes three times as long, and most is looked through for marks
        if mark in text:
            return True
    return False


def carries(observation: Observation, request: Request) -> bool:
    """Say whether an observation is the broadcast of a request, however broken the rest of it may be."""
    return observation.event == request.event and request.mark is not None and is_marked(observation.args, request.mark)


def is_marked(args: Sequence[Any], mark: str | int) -> bool:
    """Say whether the arguments of an event, as the protocol has them, carry a request's mark.

    An id is that of a token; where tokens are named, it is looked for there alone: 7 may be another id too.
    """
    named = () if is_made_up(mark) else tokens_named(args)
    return mark in named if named else contains(args, mark)


@lru_cache(maxsize=4_096)
def is_made_up(mark: str | int) -> bool:
    """Whether a mark was made for one request, and is not the id of a token."""
    return isinstance(mark, int) or (mark.startswith("mark-") and mark.endswith("."))  # no id has a full stop in it


def may_be_repeated(identifier: str) -> bool:
    """Whether the id of something is so short that things of other sessions may have it too, such as a number."""
    return len(identifier) < _UNLIKELY


def tokens_named(args: Sequence[Any]) -> tuple[str, ...]:
    """Return the ids of tokens that a payload names as such."""
    body = args[0] if args and isinstance(args[0], dict) else {}
    token = body.get("token")
    ids = (body.get("tokenId"), token.get("id") if isinstance(token, dict) else None)
    return tuple(each for each in ids if isinstance(each, str))
