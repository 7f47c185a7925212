"""What a scene has to do otherwise on a server that does not do what the protocol says, so that the rest is judged.

Found out before the first scene (`survey`), and by fences. On a server that keeps the protocol all of it is as here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NAMESPACE = "a namespace"


@dataclass(slots=True)
class Workarounds:
    """What was found out about a server.

    Nobody could connect by the usual transport, but by this `transport`, if it is not empty.
    `silent` are events of which a valid request, or a plainly refused one, got no acknowledgement; `refused_silently`
    those of them of which the valid request got one. `unheard` are events whose broadcast no member heard. `shut_out`
    are roles that were refused when they asked to join, `cannot_create` those that were refused every token. Of the
    events in `full_only` the smallest valid request was refused, and the fullest one was not; of those in
    `minimal_only` it was the other way round. `fences` are what a round trip may be made by, first what was answered
    last: events, or `NAMESPACE` for asking to enter one that does not exist.
    """

    transport: str = ""
    silent: set[str] = field(default_factory=set)
    refused_silently: set[str] = field(default_factory=set)
    unheard: set[str] = field(default_factory=set)
    shut_out: set[str] = field(default_factory=set)
    cannot_create: set[str] = field(default_factory=set)
    full_only: set[str] = field(default_factory=set)
    minimal_only: set[str] = field(default_factory=set)
    fences: list[str] = field(default_factory=lambda: ["get-user-data", "join-session", "validate-action", NAMESPACE])
