"""The run as a stream: one JSON object a line, written and flushed while the run goes on.

    {"line": "run", ...}       first: format, suite, protocol, target, how many scenes are to be played
    {"line": "verdict", ...}   as in the result; of two about the same requirement and event, the later counts
    {"line": "summary", ...}   last: `complete`, and if not, `reason`; then counts and exit code as in the result

A stream without a summary was cut off by force: the verdicts before that stand, invariants were not applied.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from dungeonlab_conformance.report.result import to_json
from dungeonlab_conformance.runner import Run, Scene
from dungeonlab_conformance.verdict import Verdict


class Stream:
    """Writes a run to a file as it goes on. Use it as a context manager, so that the last line is never missing."""

    def __init__(self, file: Path, target: str, scenes: int) -> None:
        """Open the file and write the first line; `scenes` is how many are to be played."""
        self._file = file.open("w", encoding="utf-8", newline="\n")
        self._scenes = scenes
        self._run = Run(target)
        self._written: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._over = False
        document = to_json(self._run)
        self._write("run", {name: document[name] for name in ("format", "suite", "protocol", "target")}, scenes=scenes)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._over:
            why = f"{type(error).__name__}: {error}".rstrip(": ") if error else "the run was never finished"
            self._summary(self._run, why)
        self._file.close()

    def on_scene(self, _: Scene, verdicts: list[Verdict]) -> None:
        """Write the verdicts of one scene; made to be handed to the runner."""
        self._run.scenes += 1
        self._verdicts(verdicts)

    def finish(self, run: Run) -> None:
        """Write what changed since, such as verdicts that an invariant convicted, then the summary."""
        self._verdicts(run.verdicts)
        self._summary(run, self._cut_short(run))

    def _cut_short(self, run: Run) -> str | None:
        if run.fault:
            return run.fault
        if run.interrupted:
            return "interrupted"
        return None if run.scenes >= self._scenes else f"ended after {run.scenes} of {self._scenes} scenes"

    def _verdicts(self, verdicts: Iterable[Verdict]) -> None:
        for row in to_json(Run("", list(verdicts)))["verdicts"]:
            key = row["requirement"], row["event"]
            if self._written.get(key) != row:
                self._written[key] = row
                self._write("verdict", row)

    def _summary(self, run: Run, reason: str | None) -> None:
        document = to_json(run)
        for name in ("format", "suite", "protocol", "verdicts"):
            del document[name]
        if run is self._run:  # no result was handed over: count what was written, claim nothing
            document["exitCode"] = None
            document["counts"] = {
                outcome: sum(row["outcome"] == outcome for row in self._written.values())
                for outcome in document["counts"]
            }
        self._write("summary", {"complete": reason is None, "reason": reason}, **document)
        self._over = True

    def _write(self, kind: str, row: dict[str, Any], **more: Any) -> None:
        self._file.write(json.dumps({"line": kind} | row | more, ensure_ascii=True) + "\n")
        self._file.flush()
