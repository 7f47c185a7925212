"""What a connection knows of requests before it waits for them."""

from __future__ import annotations

from dungeonlab_conformance.clients.sender import Sender
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.target.target import Target


def test_malformed_requests_that_were_waited_for_in_vain_hold_nothing_up() -> None:
    """Where events answer, each would be waited for before the next is sent; valid ones may yet be answered."""
    sender = Sender("alice", None, Target("http://127.0.0.1:1"), Journal())
    malformed = Request("token:update", ({},), None, None, legal=False)
    valid, other = Request("token:update", ({},), None, None), Request("token:move", ({},), None, None, legal=False)
    assert not sender._is_hardly_answered(malformed)
    sender.target.limits.heard_of("token:update")
    for _ in range(2):
        sender.target.limits.waited_for("token:update")
    assert [sender._is_hardly_answered(each) for each in (malformed, valid, other)] == [True, False, False]
