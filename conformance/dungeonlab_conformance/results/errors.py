"""The exceptions by which a scene, or a step that prepares one, says what came of it.

    Broken           the server broke a requirement
    Unjudged         nothing could be shown either way, for the stated reason
        Missing      the target lacks a part that the check needs; has an outcome of its own
        Gone         the server, or one connection to it, is not there any more
    TargetFault      the target could not be tested at all (login refused, ...)
        NotUp        no server answers yet
            Unreachable  nothing listens there

Any other exception out of a scene is the suite's own fault, never a finding about the server.
"""

from __future__ import annotations

import time

from dungeonlab_conformance.record.observation import Observation


class Broken(Exception):  # noqa: N818 - a finding, not an error of ours
    """The server broke a requirement: what was expected, what came, and where in the payload.

    `seen` is the observation that shows it, where a single one does; `at` is when it was found, in seconds on the
    monotonic clock.
    """

    def __init__(self, expected: str, got: str, path: str | None = None, seen: Observation | None = None) -> None:
        super().__init__(f"expected {expected}; got {got}")
        self.expected = expected
        self.got = got
        self.path = path
        self.seen = seen
        self.at = time.monotonic()


class Unjudged(Exception):  # noqa: N818
    """The scene could not show anything, for the stated reason."""


class Missing(Unjudged):
    """The target has no such capability."""


class TargetFault(Exception):  # noqa: N818
    """The target cannot be tested; the message is one sentence that says why and what to do."""


class NotUp(TargetFault):
    """There is no server to be tested yet; it may be starting."""


class Unreachable(NotUp):
    """Nothing listens at the target's address."""


class Gone(Unjudged):
    """The server, or one connection to it, is not there any more."""
