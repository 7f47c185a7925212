"""The run as a stream: one JSON object a line, written and flushed while the run goes on.

    {"line": "run", ...}       first: format, suite, protocol, what is judged, ..., and how many scenes are to be played
    {"line": "verdict", ...}   as in the result; of two about the same requirement and event, the later counts
    {"line": "summary", ...}   last: `complete`, and if not, `reason`; then counts, causes, exit code as in the result

A stream without a summary was cut off by force: the verdicts before that stand, invariants were not applied.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import to_json, verdict_to_json
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.text.files import STANDARD, open_to_write


class Stream:
    """Writes a run to a file as it goes on. Use it as a context manager, so that the last line is never missing."""

    def __init__(self, file: Path, run: Run, scenes: int) -> None:
        """Open the file and write the first line of a run that begins; `scenes` is how many are to be played.

        That the file cannot be opened, or be written later, is recorded in `problem`.
        """
        self.problem = ""
        self._name = "standard output" if file == STANDARD else str(file)
        self._file = self._opened(file)
        self._run = run
        self._scenes = scenes
        self._played = 0
        self._written: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._over = False
        document = to_json(run)
        first = ("format", "suite", "protocol", "began", "target", "targetFile", "bundled", "side", "again", "options")
        self._write("run", {name: document[name] for name in first}, scenes=scenes)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._over:
            why = f"{type(error).__name__}: {error}".rstrip(": ") if error else "the run was never finished"
            self._summary(why, exitCode=None, claim="", counts=self._counts())
        try:
            if self._file not in (None, sys.stdout):
                self._file.close()
        except OSError as error:  # of a full disk, for instance, and then `problem` has said so before
            self.problem = self.problem or f"{self._name} could not be written: {error.strerror}"

    def _opened(self, file: Path) -> IO[str] | None:
        try:
            return sys.stdout if file == STANDARD else open_to_write(file)
        except OSError as error:
            self.problem = f"{self._name} could not be written: {error.strerror}"
            return None

    def on_scene(self, verdicts: list[Verdict]) -> None:
        """Write the verdicts of one scene; made to be handed to the runner."""
        self._played += 1
        self._verdicts(verdicts)

    def finish(self) -> None:
        """Write what changed since, such as verdicts that an invariant convicted, then the summary."""
        self._verdicts(self._run.verdicts)
        self._summary(self._cut_short())

    def _cut_short(self) -> str | None:
        run = self._run
        if run.fault or run.own_fault:
            return run.own_fault or run.fault
        if run.interrupted:
            return "interrupted"
        return None if self._played >= self._scenes else f"ended after {self._played} of {self._scenes} scenes"

    def _verdicts(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            key, row = (verdict.requirement, verdict.event), verdict_to_json(verdict)
            if self._written.get(key) != row:
                self._written[key] = row
                self._write("verdict", row)

    def _counts(self) -> dict[str, int]:
        found = Counter(row["outcome"] for row in self._written.values())
        return {str(outcome): found[outcome] for outcome in Outcome}

    def _summary(self, reason: str | None, **instead: Any) -> None:
        document = to_json(self._run) | {"scenes": self._played} | instead
        for name in ("format", "suite", "protocol", "began", "again", "options", "verdicts", "recording"):
            document.pop(name, None)
        self._write("summary", {"complete": reason is None, "reason": reason}, **document)
        self._over = True

    def _write(self, kind: str, row: dict[str, Any], **more: Any) -> None:
        if self._file is not None and not self.problem:
            try:
                self._file.write(json.dumps({"line": kind} | row | more, ensure_ascii=True) + "\n")
                self._file.flush()
            except OSError as error:
                self.problem = f"{self._name} could not be written: {error.strerror}"
