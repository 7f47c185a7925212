"""How long is waited for a server that leaves requests unanswered."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.target.limits import Limits


@pytest.mark.parametrize(("slowest", "expected"), [(None, 1.0), (0.01, 1.0), (0.5, 2.0), (3.0, 4.0)])
def test_what_was_waited_for_in_vain_is_waited_for_less(slowest: float | None, expected: float) -> None:
    """After some times; still for longer than any answer has taken, never for longer than at first."""
    limits = Limits()
    if slowest is not None:
        limits.heard_of("chat-message", 0.001)
        limits.heard_of("chat-message", slowest)
    for _ in range(3):
        limits.waited_for("chat-message")
    assert limits.answer_to((), "chat-message") == 4.0
    limits.waited_for("chat-message")
    assert limits.answer_to((), "chat-message") == expected
    assert limits.answer_to((), "token:move") == 4.0
