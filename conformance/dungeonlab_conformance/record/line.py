"""One line of a transcript."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One line of a transcript: `at` in milliseconds since the scene began, the arguments as JSON.

    `cut` says that the body is not whole. `act` is one of `observation.Act`.
    """

    at: float
    actor: str
    act: str
    event: str
    body: str
    connection: int = 0
    cut: bool = False
