"""What a run came to. Only data, and what follows from it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import PurePath

from dungeonlab_conformance.results.exit_codes import EXIT_SUITE, exit_code
from dungeonlab_conformance.results.verdict import Verdict
from dungeonlab_spec import Catalogue, Level


@dataclass(slots=True)
class Run:
    """What a run came to.

    `target` is the name of the server that was judged, its URL unless it is the bundled one; `target_file` the file
    that described it, if any; `bundled` whether it was the suite's own reference server. `fault` says in one sentence
    why it ended early, if it did; `own_fault` what the suite itself failed at; `notes` what should be known of the
    server, and breaks nothing; `stale` what the list of known failures has wrong; `claim` what may be said of the
    server, if anything. `began` is when, in RFC 3339; `again` the command that repeats the run, to which a selection
    can be added.
    """

    target: str
    verdicts: list[Verdict] = field(default_factory=list)
    scenes: int = 0
    seconds: float = 0.0
    concurrency: int = 1
    fault: str | None = None
    own_fault: str = ""
    interrupted: bool = False
    leftovers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    protocol: str = field(default_factory=lambda: Catalogue.load().version)
    fail_on: Level = "MUST"
    stale: list[str] = field(default_factory=list)
    claim: str = ""
    dialect: bool = False  # whether the server was judged in a dialect of its own
    began: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    again: str = "dungeonlab-conformance run"
    suite: str = field(default_factory=lambda: version("dungeonlab-conformance"))
    target_file: str | None = None
    bundled: bool = False

    @property
    def subject(self) -> str:
        """What was judged, for the first and the last line of a report: the server, and the file that described it."""
        return f"{self.target} ({PurePath(self.target_file).name})" if self.target_file else self.target

    @property
    def exit_code(self) -> int:
        """How the process should end."""
        if self.own_fault:
            return EXIT_SUITE
        return exit_code(
            self.verdicts,
            interrupted=self.interrupted,
            fault=self.fault,
            fail_on=self.fail_on,
            stale=bool(self.stale),
        )
