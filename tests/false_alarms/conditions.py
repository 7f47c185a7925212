"""The conditions under which correct servers are judged. What a run under one comes to is in `trial`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.settings import Settings
from tests.false_alarms.disturbance import load_other_cores, pause_suite, play_other_games
from tests.false_alarms.link import Link, Network
from tests.false_alarms.servers import (
    AnswersLate,
    DisconnectsLater,
    DisconnectsUnauthorized,
    LimitsUploads,
    NumbersTokens,
    RefusesHandshakesOverHttp,
    SendsErrorsTwice,
    SendsFurtherEvents,
    ServesWebSocketOnly,
    WaitsInHandlers,
    WaitsInHttpHandlers,
    paused_server,
)
from tests.mutants.combination import members
from tests.serving import Variant

SLOW_ACTOR = "bob"  # whose link is slow, where one is


class NamedActors(Target):
    """A target whose requests name their actor in a header, so that the network can tell them apart."""

    def headers_for(self, identity: Identity | None) -> Mapping[str, str]:
        return {**self.headers, "X-Actor": identity.name if identity else "nobody"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A correct server, and what disturbs judging it."""

    claim: str
    variant: Variant = field(default_factory=Variant)
    target: type[Target] = Target
    disturbance: Callable[[str], None] | None = None
    transport: str = "websocket"
    transports: tuple[str, ...] = ("websocket", "polling")
    one_core: bool = False
    scale: float = 1.0  # of the suite's time limits


FAR = Link(latency=0.100, jitter=0.020, rate=10_000)

CONDITIONS: Mapping[str, Condition] = {
    "undisturbed": Condition("nothing disturbs the run"),
    "slow-handlers": Condition(
        "every handler waits up to 30 ms", Variant(pipeline=WaitsInHandlers, http=WaitsInHttpHandlers)
    ),
    "far": Condition("100 ms each way, with jitter, at 10 kB/s", Variant(proxy=Network(FAR).before)),
    "slow-bob": Condition(
        f"{SLOW_ACTOR}'s link is much slower than all other links",
        Variant(proxy=Network(Link(0.001), f"X-Actor: {SLOW_ACTOR}".encode(), Link(0.150, 0.100, 10_000)).before),
        target=NamedActors,
    ),
    "lossy": Condition(
        "one chunk in four hundred ends its WebSocket, on the way there or back",
        Variant(proxy=Network(Link(loss=0.0025)).before, pipeline=SendsFurtherEvents),
    ),
    "errors-twice": Condition("refusals are reported by an error event as well", Variant(pipeline=SendsErrorsTwice)),
    "disconnects": Condition(
        "unauthorized requests are answered and their sender disconnected", Variant(pipeline=DisconnectsUnauthorized)
    ),
    "disconnects-later": Condition(
        "the sender of a refused request is disconnected a moment later", Variant(pipeline=DisconnectsLater)
    ),
    "numbers": Condition(
        "ids are small numbers; handshakes without a login get 401; long-polling",
        Variant(pipeline=NumbersTokens, http=RefusesHandshakesOverHttp),
        transport="polling",
    ),
    "websocket-only": Condition(
        "long-polling is not served", Variant(http=ServesWebSocketOnly), transports=("websocket",)
    ),
    "small-messages": Condition(
        "20 kB a message, 16 packets an upload; long-polling",
        Variant(Settings(largest_message=20_000), pipeline=LimitsUploads),
        transport="polling",
    ),
    "further-events": Condition(
        "presence events, and events outside the catalogue", Variant(pipeline=SendsFurtherEvents)
    ),
    "rate-limit": Condition("60 events per minute and user", Variant(Settings(rate_limit=60))),
    "late-answers": Condition(
        "one answer in a hundred comes after the time limit", Variant(pipeline=AnswersLate), scale=0.1
    ),
    "paused-server": Condition("server process paused at random", Variant(proxy=paused_server), scale=0.1),
    "paused-suite": Condition("suite process paused at random", disturbance=pause_suite, scale=0.1),
    "other-users": Condition("other users play on the same server", disturbance=play_other_games),
    "one-core": Condition(
        "server and suite pinned to one core, the other fully loaded", disturbance=load_other_cores, one_core=True
    ),
}

TOGETHER = (  # conditions that one server can have, none of which is in the way of what another one shows
    "errors-twice+websocket-only+further-events",
    "numbers+small-messages",
)


def condition_named(name: str) -> Condition:
    """Return the condition of this name, or all those of several names on one server."""
    first, *others = (CONDITIONS[one] for one in members(name))
    for other in others:
        first = replace(
            first,
            claim=f"{first.claim}; {other.claim}",
            variant=_both(first.variant, other.variant),
            transports=tuple(name for name in first.transports if name in other.transports),
        )
    return first


def _both(one: Variant, other: Variant) -> Variant:
    """Return a server that differs from the plain one in all in which either of two differs."""
    plain = Variant()
    return Variant(
        settings=other.settings if one.settings == plain.settings else one.settings,
        pipeline=type("Both", (one.pipeline, other.pipeline), {}),
        http=other.http if one.http is plain.http else one.http,
    )
