"""What a scene has to do otherwise on a server that does not do what the protocol says, so that the rest is judged.

Found out before the first scene (`survey`), and by fences. On a server that keeps the protocol all of it is as here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.record.observation import Request

NAMESPACE = "a namespace"
_DEEPEST = 4  # levels of a payload that are looked at to tell one kind from another
_OFTEN = 2  # scenes in which the server died of valid requests of a kind, after which no other scene sends them
_ENOUGH = 2  # deadly payloads of one event, after which no more of it are tried

Kind = tuple[str, bool, bool, str]  # of a request: event, whether it is valid, lacks a callback, and what it is made of


class Deadly:
    """What the server died of in this run; `cautious` says that what may end it is sent one by one from now on."""

    def __init__(self) -> None:
        self.cautious = False
        self._payloads: dict[tuple[str | None, bool, str], str] = {}
        self._scenes: dict[Kind, set[str]] = {}  # in which the server died of a request of this kind
        self._broken: dict[Kind, str] = {}  # the requirement that it broke by that

    @property
    def is_known(self) -> bool:
        """Whether the server died of anything in this run."""
        return bool(self._payloads or self._scenes)

    def add(self, event: str | None, what: str, requirement: str) -> None:
        """Note that the server died of something that was sent to provoke it, in words, in a scene for an event.

        `requirement` is what it broke by that.
        """
        self._payloads[event, _is_uncalled(what), what] = requirement

    def broken_by(self, event: str | None, what: str) -> str | None:
        """Return the requirement that the server broke when it died of that, or of several others of the event.

        None if it did not.
        """
        return self._payloads.get((event, _is_uncalled(what), what)) or self._often_broken(event, _is_uncalled(what))

    def _often_broken(self, event: str | None, uncalled: bool) -> str | None:
        found = [
            name for (of, way, _), name in self._payloads.items() if of is not None and (of, way) == (event, uncalled)
        ]
        return found[0] if len(found) >= _ENOUGH else None

    def died_in(self, scene: str, kind: Kind, requirement: str) -> None:
        """Note that the server died in a scene, of a request of this kind; `requirement` is what it broke by that."""
        self._scenes.setdefault(kind, set()).add(scene)
        self._broken.setdefault(kind, requirement)

    def knows(self, kind: Kind) -> bool:
        """Whether the server died of a request of this kind in any scene."""
        return kind in self._scenes

    def knows_like(self, kind: Kind) -> bool:
        """Whether the server died of a request of this kind, or of any valid one of the event if this is valid."""
        return kind in self._scenes or (kind[1] and any(known[:3] == kind[:3] for known in self._scenes))

    def forbids(self, request: Request, *, uncalled: bool) -> str | None:
        """Return why not to send a request: what the server broke when it died of such a one; None if nothing.

        `uncalled` if it has no callback. A valid one that has one is sent until the server died of it in several
        scenes: little goes on without it. If it died of a valid one that has none, none without one is sent.
        """
        if not self._scenes:
            return None
        kind = kind_of(request, uncalled=uncalled)
        if len(self._scenes.get(kind, ())) >= (_OFTEN if request.legal and not uncalled else 1):
            return self._broken[kind]
        if uncalled:
            called = kind_of(request, uncalled=False)
            if called in self._broken:
                return self._broken[called]
            for known, requirement in self._broken.items():
                if known[:3] == (request.event, True, True):
                    return requirement
        return None if request.legal else self._often_broken(request.event, uncalled)


def kind_of(request: Request, *, uncalled: bool) -> Kind:
    """Return what kind of request this is: what dies of one most likely dies of another of the kind."""
    return request.event, request.legal, uncalled, ", ".join(_shape(arg, _DEEPEST) for arg in request.args)


def _is_uncalled(what: str) -> bool:
    return "without a callback" in what


def _shape(value: Any, levels: int) -> str:
    match value:
        case dict() if levels:
            inner = (f"{key!r}: {_shape(value[key], levels - 1)}" for key in sorted(value, key=str))
            return f"{{{', '.join(inner)}}}"
        case list() | tuple() if levels:
            return f"[{', '.join(sorted({_shape(each, levels - 1) for each in value}))}]"
        case int() | float() if not isinstance(value, bool):
            return "number"
    return type(value).__name__


@dataclass(slots=True)
class Workarounds:
    """What was found out about a server.

    Nobody could connect by the usual transport, but by this `transport`, if it is not empty.
    `silent` are events of which a valid request, or a plainly refused one, got no acknowledgement; `refused_silently`
    those of them of which the valid request got one, and `reported` those of which a request that was refused without a
    callback caused an error event. `unheard` are events whose broadcast no member heard. `shut_out` are roles that were
    refused when they asked to join, `cannot_create` those that were refused every token. `members_differ` where one
    member may do what another may not: then the same one is always enrolled first. Of the events in `full_only`
    the smallest valid request was refused, and the fullest one was not; of those in `minimal_only` it was the other way
    round. `fences` are what a round trip may be made by, first what was answered last: events, or `NAMESPACE` for
    asking to enter one that does not exist; of the events, those in `came_back` were answered at least once. `deadly`
    is what the server died of. `waited_in_vain` is how often a play waited for deliveries that did not come. `cut_off`
    is of how many requests of an event, upon which a connection was closed, it was looked into whether that happens
    each time. `tokens_come_late` is for how many seconds a token is not there yet that was created; None where that was
    waited for in vain.
    """

    transport: str = ""
    silent: set[str] = field(default_factory=set)
    refused_silently: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    unheard: set[str] = field(default_factory=set)
    shut_out: set[str] = field(default_factory=set)
    cannot_create: set[str] = field(default_factory=set)
    members_differ: bool = False
    full_only: set[str] = field(default_factory=set)
    minimal_only: set[str] = field(default_factory=set)
    deadly: Deadly = field(default_factory=Deadly, compare=False)
    waited_in_vain: int = 0
    tokens_come_late: float | None = 0.0
    cut_off: Counter[str] = field(default_factory=Counter, compare=False)
    fences: list[str] = field(default_factory=lambda: ["get-user-data", "join-session", "validate-action", NAMESPACE])
    came_back: set[str] = field(default_factory=set, compare=False)

    def never_answers(self, event: str) -> bool:
        """Whether requests of an event are not acknowledged, be they accepted or refused."""
        return event in self.silent - self.refused_silently
