"""Journals that hold anything: files are written by others, and clients send what they like."""

from __future__ import annotations

import json
import os
import time
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dungeonlab_conformance.client_rules.judgement import judge_clients
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import Kind, Sender, TappedPacket
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import text
from dungeonlab_spec import Catalogue

EXAMPLES = int(os.environ.get("CLIENT_RULES_EXAMPLES", "120"))
LONGEST = 20_000  # packets of a journal that is judged in bounded time
NAMES = [*Catalogue.load().events, *DirectorAct, "x-bench:hello", "", "401", "GET /"]
BODIES = [
    "[]",
    "[{}]",
    "[null]",
    "nothing",
    '[{"sessionId":"s1"}]',
    '[{"sessionId":"s2","message":"x"}]',
    '[{"sessionId":["s1"]}]',
    '[{"success":true,"data":{}}]',
    '[{"success":false,"code":"RATE_LIMITED"}]',
    '[{"success":false,"code":["x"]}]',
    '[{"event":"join-session","code":"INTERNAL_ERROR"}]',
    '[{"event":{},"code":{}}]',
    '{"data":{"code":"UNAUTHENTICATED"}}',
    "[NaN]",
    "[" * 3000 + "]" * 3000,
    "[" + "9" * 5000 + "]",
    '["\\ud800"]',
    "1",
    "-9",
]
PACKETS = st.lists(
    st.builds(
        TappedPacket,
        number=st.integers(0, 60),
        at=st.floats(0, 100) | st.sampled_from([float("nan"), float("inf"), -1.0]),
        sender=st.sampled_from(get_args(Sender)),
        kind=st.sampled_from(get_args(Kind)),
        connection=st.integers(-1, 3),
        user=st.sampled_from(["", "anna", "berta", "\x1b[31m\ud800" * 50]),
        transport=st.sampled_from(["", "polling", "websocket"]),
        event=st.sampled_from(NAMES) | st.text(max_size=5),
        ack_id=st.none() | st.integers(-1, 3),
        text=st.sampled_from(BODIES) | st.text(max_size=5),
        cut=st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PACKETS, st.booleans())
def test_any_packets_in_any_order_are_judged(packets: list[TappedPacket], numbered: bool) -> None:
    """Nothing is raised; there is a verdict for each requirement, and the result can be written as JSON."""
    if numbered:
        packets = [
            TappedPacket(n, p.at, p.sender, p.kind, p.connection, p.user, p.transport, p.event, p.ack_id, p.text, p.cut)
            for n, p in enumerate(packets, 1)
        ]
    verdicts = judge_clients(packets)
    assert len(verdicts) == sum(r.side == "client" for r in Catalogue.load().requirements.values())
    json.loads(text(Run("a client", verdicts, side="client")))


COMING: list[tuple[Sender, Kind, str, str]] = [  # connections by the thousand
    ("client", "handshake", "", ""),
    ("client", "connect", "", ""),
    ("server", "connected", "", ""),
    ("client", "event", "chat-message", '[{"sessionId":"s1"}]'),
    ("server", "event", "x", "[]"),
    ("tap", "act", "cut", "rst"),
    ("client", "attempt", "", ""),
    ("server", "connect-error", "", '{"data":{"code":"UNAUTHENTICATED"}}'),
    ("tap", "act", "begin", ""),
    ("tap", "act", "exited", "1"),
]
GOING: list[tuple[Sender, Kind, str, str]] = [  # in and out of a session, on one connection
    ("client", "event", "chat-message", '[{"sessionId":"s1"}]'),
    ("client", "event", "join-session", '[{"sessionId":"s1"}]'),
    ("client", "event", "leave-session", '[{"sessionId":"s1"}]'),
    ("server", "event", "session-removed", '[{"sessionId":"s1"}]'),
    ("server", "event", "error", '[{"event":"chat-message"}]'),
    ("server", "event", "user-left", '[{"sessionId":"s1"}]'),
]


def seconds(kinds: list[tuple[Sender, Kind, str, str]], packets: int, *, connections: bool) -> float:
    """Return the processor time that it takes to judge a journal of these kinds, again and again."""
    journal = [
        TappedPacket(0, 0.0, "client", "connect", 1),
        TappedPacket(1, 0.0, "server", "connected", 1),
        *(
            TappedPacket(
                n, 0.0, sender, kind, n // len(kinds) if connections else 1, "anna", "polling", event, None, body
            )
            for n in range(2, packets)
            for sender, kind, event, body in [kinds[n % len(kinds)]]
        ),
    ]
    began = time.process_time()
    judge_clients(journal)
    return time.process_time() - began


@pytest.mark.parametrize(("kinds", "connections"), [(COMING, True), (GOING, False)])
def test_a_long_hostile_journal_takes_bounded_time(
    kinds: list[tuple[Sender, Kind, str, str]], connections: bool
) -> None:
    """Eight times as many packets cost about eight times as much, whatever is done with them."""
    seconds(kinds, 100, connections=connections)
    short = seconds(kinds, LONGEST // 8, connections=connections)
    assert seconds(kinds, LONGEST, connections=connections) < 8 * 3 * short + 1.0
