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

from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.verdict import VerdictKey


class Broken(Exception):  # noqa: N818 - a finding, not an error of the suite
    """The server broke a requirement: what was expected, what came, and where in the payload.

    `seen` is what shows it, where that is a single message; `request` is the one that the server got wrong, where
    there is a single one; `at` is when it was found, in seconds on the monotonic clock. It `is_cut` if all that shows
    it is that a connection was closed, which a network does too.
    """

    def __init__(
        self,
        expected: str,
        got: str | Observation | Acknowledgement,
        path: str | None = None,
        *,
        request: Request | None = None,
        is_cut: bool = False,
    ) -> None:
        """`got` is what came: in words, or the message itself, which then convicts, and may know its request."""
        self.expected = expected
        self.got = got if isinstance(got, str) else (got.shown if isinstance(got, Acknowledgement) else f"{got.args}")
        self.path = path
        self.seen = None if isinstance(got, str) else got
        self.request = request or (None if isinstance(got, str) else got.request)
        self.at = time.monotonic()
        self.is_cut = is_cut
        super().__init__(f"expected {expected}; got {self.got}")


class Unjudged(Exception):  # noqa: N818
    """The scene could not show anything, for the stated reason.

    `waits_for` is what the server has to keep before the scene can show something; None where that is not known.
    """

    def __init__(self, reason: str, *, waits_for: VerdictKey | None = None) -> None:
        super().__init__(reason)
        self.waits_for = waits_for


class Missing(Unjudged):
    """The target has no such capability."""


class Limited(Unjudged):
    """The server refused something for being too much in too short a time."""


class TargetFault(Exception):  # noqa: N818
    """The target cannot be tested; the message is one sentence that says why and what to do."""


class NotUp(TargetFault):
    """There is no server to be tested yet; it may be starting."""

    is_busy = False  # whether it was said, over HTTP, that there is one, which takes no more now


class Unreachable(NotUp):
    """Nothing listens at the target's address."""


class Gone(Unjudged):
    """The server, or one connection to it, is not there any more."""


class TurnedAway(Gone):
    """The server takes no further connection now, as it says over HTTP: it may limit those of one address."""
