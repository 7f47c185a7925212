"""What is right in a way of its own is not blamed: each scene that it concerns passes."""

from __future__ import annotations

import pytest
from tests.conformance.correct_servers import (
    AnnouncesLater,
    CallsTokensAfterNames,
    ConnectsSeldom,
    CountsConnectionsForAWhile,
    DisconnectsTheRemoved,
    DisconnectsWhomeverItRefuses,
    DropsOlderWebSockets,
    DropsPagesOfOthers,
    HasEventsOfItsOwn,
    LagsBehind,
    LosesListeners,
    LosesOneConnection,
    LosesWhoJoins,
    NamesTheDefaultNamespace,
    RefusesWebSocketOverHttp,
    RefusesWithoutNames,
    TakesFewConnections,
    TakesJoinsByPollingLater,
    TakesShortMessages,
    TakesSixtyASecondOfAll,
    TakesTenASecond,
    TakesThreeOfAKindASecond,
    WritesIntegersWithAPoint,
)
from tests.serving import Variant, served

from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.settings import Settings
from dungeonlab_spec import Catalogue

SERVERS = {
    "integers written 3.0": (Variant(pipeline=WritesIntegersWithAPoint), ("tokens", "order", "broadcasts", "rooms")),
    "the default namespace is written out": (
        Variant(pipeline=NamesTheDefaultNamespace),
        ("connect/upgrade", "auth/refusal-*", "acks/exactly-one-answer", "rooms/every-transport-hears"),
    ),
    "tokens called like things in languages": (
        Variant(pipeline=CallsTokensAfterNames),
        ("payloads/any-id-is-an-id", "payloads/ids-compared-exactly"),
    ),
    "a removed member is disconnected": (
        Variant(pipeline=DisconnectsTheRemoved),
        ("authorization/checked-on-every-operation", "authorization/removed-member-hears-nothing", "presence"),
    ),
    "anyone who is refused is disconnected at once, without a callback too": (
        Variant(pipeline=DisconnectsWhomeverItRefuses),
        (
            "connect/readable-packets",
            "acks/failure-without-callback-emits-error",
            "payloads/missing-callback-is-harmless",
        ),
    ),
    "no packet above 20 kB": (Variant(pipeline=TakesShortMessages), ("payloads/very-long", "payloads/bound-broken")),
    "nobody learns what exists": (Variant(pipeline=RefusesWithoutNames), ("acks/code-names-the-cause", "join")),
    "four connections of a user, which count for a while after their end": (
        Variant(pipeline=CountsConnectionsForAWhile),
        ("acks/error-event-reaches-only-the-sender", "join/tabs-are-independent", "rooms/own-other-connection-hears"),
    ),
    "six connections of a user in a moment": (
        Variant(pipeline=ConnectsSeldom),
        ("connect/malformed-frames-are-harmless",),
    ),
    "ten requests a second": (
        Variant(pipeline=TakesTenASecond),
        ("payloads/half-surrogate-refused", "order", "connect/polling"),
    ),
    "three requests of one event a second": (
        Variant(pipeline=TakesThreeOfAKindASecond),
        ("tokens/version-grows", "order/one-sender-in-order", "connect/polling"),
    ),
    "broadcasts come a moment later": (
        Variant(pipeline=LagsBehind),
        ("payloads/refused-not-broadcast", "rooms/refused-event-is-not-broadcast"),
    ),
    "who came is announced a moment later": (Variant(pipeline=AnnouncesLater), ("presence",)),
    "a feed and other events of its own": (
        Variant(pipeline=HasEventsOfItsOwn),
        ("connect/upgrade", "rooms/direct-answers-stay-direct", "join/disconnect-leaves-the-room"),
    ),
    "sixty requests a second of all users together": (
        Variant(pipeline=TakesSixtyASecondOfAll),
        ("rooms/every-other-member-hears-once", "authorization/outsider-refused", "tokens/version-grows"),
    ),
    "WebSocket is refused over HTTP, and polling in the namespace": (
        Variant(http=RefusesWebSocketOverHttp),
        ("auth/refusal-*", "auth/missing-cookie-refused"),
    ),
    "a WebSocket of a foreign page is dropped without a word": (
        Variant(pipeline=DropsPagesOfOthers),
        ("auth/foreign-origin-refused", "auth/cookie-accepted", "connect"),
    ),
    "a WebSocket in an older version is dropped without a word": (
        Variant(pipeline=DropsOlderWebSockets),
        ("connect/old-protocol-refused", "connect/websocket"),
    ),
    "the first joins over long-polling come too soon": (
        Variant(pipeline=TakesJoinsByPollingLater),
        ("rooms/every-transport-hears",),
    ),
    "sixteen connections": (
        Variant(pipeline=TakesFewConnections),
        ("rooms/outsider-hears-nothing", "join/one-session-per-user", "auth/refusal-says-why"),
    ),
    "60 events a minute, malformed ones too": (
        Variant(Settings(rate_limit=60)),
        ("connect/malformed-frames-are-harmless", "authorization/outsider-refused"),
    ),
}


@pytest.mark.parametrize("what", SERVERS)
def test_a_correct_server_passes(what: str) -> None:
    """All of it, so that nothing is left unjudged either."""
    variant, only = SERVERS[what]
    with served(variant) as url:
        run = play(Target(url, limits=Limits(2.0)), scenes(Selection(only=only), Catalogue.load()))
    assert (run.fault, run.own_fault) == (None, "")
    assert [(v.requirement, v.event, v.reason, v.findings[:1]) for v in run.verdicts if v.outcome != "pass"] == []


def test_what_a_lost_connection_did_not_hear_counts_for_nothing() -> None:
    """A network may lose a connection at any time: what rests on it is left unjudged, and nothing is broken."""
    with served(Variant(pipeline=LosesListeners)) as url:
        selection = Selection(only=("rooms/every-other-member-hears-once",), events=("chat-message",))
        run = play(Target(url, limits=Limits(2.0)), scenes(selection, Catalogue.load()))
    assert (run.fault, run.own_fault) == (None, "")
    assert [(v.outcome, v.reason) for v in run.verdicts] == [("unjudged", "bob's connection was closed")]


def test_a_connection_that_is_lost_once_was_not_closed_by_malformed_data() -> None:
    """What closes the connections of others does so again."""
    with served(Variant(pipeline=LosesOneConnection)) as url:
        selection = Selection(only=("connect/malformed-frames-are-harmless",))
        run = play(Target(url, limits=Limits(2.0)), scenes(selection, Catalogue.load()))
    assert [(run.fault, verdict.outcome, verdict.reason) for verdict in run.verdicts] == [(None, "pass", "")]


def test_who_is_lost_behind_the_answer_to_a_join_joins_again_before_anything_else() -> None:
    """What was to be sent meanwhile waits for that, and goes out in its order."""
    with served(Variant(pipeline=LosesWhoJoins)) as url:
        selection = Selection(only=("order", "authorization/any-member-allowed"), events=("chat-message",))
        run = play(Target(url, limits=Limits(2.0)), scenes(selection, Catalogue.load()))
    assert (run.fault, run.own_fault) == (None, "")
    broken = [verdict for verdict in run.verdicts if verdict.outcome in ("fail", "warn")]
    assert [(verdict.requirement, verdict.event, verdict.findings[:1]) for verdict in broken] == []
