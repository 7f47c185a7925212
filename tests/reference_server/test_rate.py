"""The limit per user and minute, on a clock of the test's own."""

from __future__ import annotations

from dungeonlab_reference_server.rate import RateLimit


def test_up_to_the_limit_and_no_further() -> None:
    """The first three of a minute are fine, the fourth is not."""
    rate = RateLimit(3)
    assert [rate.allows("alice", now) for now in (100.0, 101.0, 102.0, 103.0)] == [True, True, True, False]


def test_the_window_slides() -> None:
    """An event counts for a minute from when it happened, not from the turn of some minute."""
    rate = RateLimit(2)
    assert rate.allows("alice", 100.0)
    assert rate.allows("alice", 130.0)
    assert not rate.allows("alice", 159.9)
    assert rate.allows("alice", 160.0)
    assert not rate.allows("alice", 189.9)


def test_a_refused_event_does_not_count() -> None:
    """A user who keeps trying is admitted as soon as one who waited."""
    rate = RateLimit(1)
    assert rate.allows("alice", 100.0)
    assert not any(rate.allows("alice", 100.0 + i) for i in range(1, 60))
    assert rate.allows("alice", 160.0)


def test_each_user_for_themselves() -> None:
    """One user's events do not count against another."""
    rate = RateLimit(1)
    assert rate.allows("alice", 100.0)
    assert rate.allows("bob", 100.0)


def test_no_limit() -> None:
    """0 lets everything through."""
    rate = RateLimit(0)
    assert all(rate.allows("alice", 100.0) for _ in range(1000))


def test_a_silent_user_is_forgotten() -> None:
    """Memory holds the users of the last minutes, not all that ever were."""
    rate = RateLimit(5)
    for i in range(100):
        rate.allows(f"user-{i}", 100.0)
    rate.allows("alice", 170.0)
    assert set(rate._events) == {"alice"}
