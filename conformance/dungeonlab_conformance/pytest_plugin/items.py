"""Requirements as pytest items: one for each verdict, and the collectors that yield them.

The first item that runs has the whole suite played; all others only report. Imports nothing heavy before that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dungeonlab_conformance.pytest_plugin.shared_runs import SharedRuns
    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.results.verdict import Verdict
    from dungeonlab_conformance.runner.selection import Scene
    from dungeonlab_conformance.target.target import Target

PACKAGE = Path(__file__).parents[1]
RUNS: pytest.StashKey[SharedRuns] = pytest.StashKey()
KNOWN: pytest.StashKey[list[KnownFailure]] = pytest.StashKey()


@dataclass(slots=True)
class Offered:
    """A verdict that can be had: on a requirement, for an event or for none, by these scenes."""

    requirement: str
    event: str | None
    scenes: list[Scene] = field(default_factory=list)


def offered_by_name() -> dict[str, Offered]:
    """Return every verdict that can be had by the name of its item."""
    from dungeonlab_conformance.runner.selection import Selection, scenes
    from dungeonlab_spec import Catalogue

    found: dict[str, Offered] = {}
    for scene in scenes(Selection(), Catalogue.load()):
        for requirement in sorted(scene.wanted):
            event = scene.event.name if scene.event else None
            found.setdefault(verdict_name(requirement, event), Offered(requirement, event)).scenes.append(scene)
    return found


def verdict_name(requirement: str, event: str | None) -> str:
    """Return the name of the item for a verdict."""
    return f"{requirement}[{event}]" if event else requirement


def shown(text: str) -> str:
    """Return a text of a server's without what a terminal, or GitHub Actions, would take for more than that."""
    from dungeonlab_conformance.text.printable import printable, without_commands

    text = printable(text)
    return without_commands(text) if os.environ.get("GITHUB_ACTIONS") == "true" else text


class Suite(pytest.Collector):
    """All checks against one server, played once, side by side, when the first item runs."""

    target: Target
    named: frozenset[str] = frozenset()  # the only items to yield; empty for all

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each requirement and event, though several scenes may judge it."""
        for name, offered in offered_by_name().items():
            if not self.named or name in self.named:
                item: Judged = Judged.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}")
                item.offered = offered
                yield item

    def run_of(self, session: pytest.Session) -> Run:
        """Return the run of every selected item; the first call of all processes plays it."""
        return self.config.stash[RUNS].get(self.nodeid, lambda: self._play(session.items))

    def _play(self, items: list[pytest.Item]) -> Run:
        import asyncio

        from dungeonlab_conformance.results.claim import conclude
        from dungeonlab_conformance.runner.runner import Runner

        chosen: dict[str, Scene] = {}
        for item in items:
            if isinstance(item, Judged) and item.parent is not None and item.parent.nodeid == self.nodeid:
                for scene in item.offered.scenes:
                    before = chosen[scene.name].wanted if scene.name in chosen else frozenset[str]()
                    chosen[scene.name] = replace(scene, wanted=before | {item.offered.requirement})
        run = asyncio.run(Runner(self.target, [chosen[name] for name in sorted(chosen)]).play())
        known: list[KnownFailure] = self.config.stash[KNOWN]
        return conclude(run, known)


class Installed(Suite, pytest.Directory):
    """The suite as it is installed, named as a package; an option says which server is judged."""


class Described(Suite, pytest.File):
    """The suite as a target file names its server."""

    def collect(self) -> Iterator[pytest.Item]:
        """Read the file, then yield the items; a fault in it is one sentence."""
        from dungeonlab_conformance.results.errors import TargetFault
        from dungeonlab_conformance.target.file.load import load_target

        url, scale = self.config.getoption("--dungeonlab-url"), self.config.getoption("--dungeonlab-timeout")
        try:
            self.target = load_target(self.path, url=url, scale=scale)
        except TargetFault as fault:
            raise self.CollectError(shown(str(fault))) from None
        yield from super().collect()


class Judged(pytest.Item):
    """One requirement, for one event where it is judged per event."""

    offered: Offered

    def runtest(self) -> None:
        """Raise or skip as the verdict says; a MUST that was not judged is not passed, what is known is expected."""
        from dungeonlab_conformance.results.verdict import Outcome

        assert isinstance(self.parent, Suite)
        run = self.parent.run_of(self.session)
        verdict = self._verdict(run)
        self.user_properties[:] = [
            ("requirement", verdict.requirement),
            ("level", verdict.level),
            ("outcome", str(verdict.outcome)),
        ]
        if run.interrupted:
            pytest.exit("interrupted while the server was judged", returncode=pytest.ExitCode.INTERRUPTED)
        if stopped := run.fault or (run.own_fault and f"the suite itself failed, please report it: {run.own_fault}"):
            self._end(run, verdict, stopped)
        if verdict.known and verdict.outcome is not Outcome.WARN:  # a SHOULD fails no item anyway
            pytest.xfail(shown(f"known: {verdict.known}"))
        unshown = verdict.outcome is Outcome.UNJUDGED
        if verdict.outcome in (Outcome.FAIL, Outcome.ERROR) or (unshown and verdict.level == "MUST"):
            raise NotConformant(verdict)
        if unshown or verdict.outcome in (Outcome.SKIPPED, Outcome.NOTE):
            pytest.skip(shown(verdict.reason) or "optional, and not there")

    def _verdict(self, run: Run) -> Verdict:
        from dungeonlab_conformance.results.verdict import Outcome, Verdict
        from dungeonlab_spec import Catalogue

        requirement, event = self.offered.requirement, self.offered.event
        for verdict in run.verdicts:
            if (verdict.requirement, verdict.event) == (requirement, event):
                return verdict
        level = Catalogue.load().requirements[requirement].level
        return Verdict(requirement, event, level, Outcome.UNJUDGED, "the run ended before")

    def _end(self, run: Run, verdict: Verdict, why: str) -> None:
        """Fail this item and end the session, unless the run came to a verdict here or will at an item to come."""
        from dungeonlab_conformance.results.verdict import Outcome

        if verdict.outcome is not Outcome.UNJUDGED:
            return
        if all(v.outcome is Outcome.UNJUDGED for v in run.verdicts):
            self.session.shouldfail = shown(why)
        raise NotConformant(replace(verdict, reason=why))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the finding, never a stack trace of the suite."""
        from dungeonlab_conformance.report.content.wording import finding_lines
        from dungeonlab_conformance.text.printable import one_line
        from dungeonlab_spec import Catalogue

        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        verdict = excinfo.value.verdict
        sentence = Catalogue.load().requirements[verdict.requirement].sentence
        lines = [f"{verdict.outcome}: {sentence}", *([verdict.reason] if verdict.reason else [])]
        for finding in verdict.findings:
            lines += finding_lines(finding)
        return shown("\n".join(map(one_line, lines)))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item by its requirement."""
        return PACKAGE, None, self.name


class NotConformant(Exception):  # noqa: N818
    """Carries a verdict to pytest, whose short summary shows what it says of itself."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(shown(verdict.reason) or str(verdict.outcome))
        self.verdict = verdict
