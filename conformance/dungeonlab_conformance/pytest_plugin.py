"""The same checks as pytest items: ``pytest dungeonlab-target.toml``.

Or ``pytest --dungeonlab-url URL --pyargs dungeonlab_conformance``, with ``--dungeonlab-target FILE`` in its place.
Imports nothing heavy: pytest loads this in every run of whoever has the suite installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dungeonlab_conformance.target import Target
    from dungeonlab_conformance.verdict import Verdict

_HERE = Path(__file__).parent
_TARGET: pytest.StashKey[Target] = pytest.StashKey()
_WARNED: pytest.StashKey[list[str]] = pytest.StashKey()
_SUBJECTS: pytest.StashKey[list[str]] = pytest.StashKey()
_LEFT: pytest.StashKey[list[str]] = pytest.StashKey()
_FILE = "dungeonlab-target.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--dungeonlab-url``, ``--dungeonlab-target`` and ``--dungeonlab-timeout``."""
    group = parser.getgroup("dungeonlab")
    group.addoption("--dungeonlab-url", metavar="URL", help="judge the DungeonLab server at URL")
    group.addoption("--dungeonlab-target", metavar="FILE", help="judge the DungeonLab server that FILE tells of")
    group.addoption("--dungeonlab-timeout", type=float, default=1.0, metavar="SCALE", help="scale of its time limits")


def pytest_configure(config: pytest.Config) -> None:
    """Look at URL and target file before anything is collected."""
    url, file = config.getoption("--dungeonlab-url"), config.getoption("--dungeonlab-target")
    for option, value in (("--dungeonlab-url", url), ("--dungeonlab-target", file)):
        if value is not None and not value.strip():
            raise pytest.UsageError(f"{option} is empty, as if the variable it comes from were not set")
    if url or file:
        from dungeonlab_conformance.target import Limits, Target
        from dungeonlab_conformance.target_file.loading import load
        from dungeonlab_conformance.verdict import TargetFault

        scale = config.getoption("--dungeonlab-timeout")
        try:
            target = load(Path(file), url=url, scale=scale) if file else Target(url, limits=Limits(scale))
        except TargetFault as fault:
            raise pytest.UsageError(str(fault)) from None
        config.stash[_TARGET] = target


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which server is judged, and that a target file that lies here is not used beside a URL."""
    if _TARGET not in config.stash:
        return []
    from dungeonlab_conformance.run import Run
    from dungeonlab_conformance.target_file.loading import find

    target = config.stash[_TARGET]
    lines = [f"dungeonlab: judging {Run.of(target).subject}"]
    if target.file is None and find():
        lines.append(
            f"dungeonlab: {_FILE} is not used, since a URL was given; --dungeonlab-target {_FILE} uses it, too"
        )
    return lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which server was judged; list every broken SHOULD, and what was left behind.

    None of it fails a test, nor is a warning that somebody's configuration makes an error of.
    """
    for subject in config.stash.get(_SUBJECTS, ()):
        terminalreporter.write_line(f"dungeonlab: judged {subject}")
    for line in config.stash.get(_WARNED, ()):
        terminalreporter.write_line(f"SHOULD broken: {line}", yellow=True)
    for line in config.stash.get(_LEFT, ()):
        terminalreporter.write_line(f"not cleared away: {line}", yellow=True)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the suite's checks, and not its modules, when the package itself is named."""
    if path == _HERE and _TARGET in parent.config.stash:
        suite: Installed = Installed.from_parent(parent, path=path, nodeid=_HERE.name)
        suite.target = parent.config.stash[_TARGET]
        return suite
    return None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the suite's checks when a target file is named."""
    if file_path.name == _FILE and parent.session.isinitpath(file_path):
        suite: Described = Described.from_parent(parent, path=file_path)
        return suite
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a run in which a server is named and nothing judges it, before ``-k`` takes any item away."""
    judges = any(isinstance(item, Judged) for item in items)
    if _TARGET in config.stash and not judges and not session.testsfailed:
        raise pytest.UsageError(
            "a DungeonLab server is named, but nothing here judges it; add --pyargs dungeonlab_conformance"
        )


class Suite(pytest.Collector):
    """All checks against one server, played once, side by side, when the first item runs."""

    target: Target
    verdicts: dict[str, Verdict] | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each requirement and event."""
        from dungeonlab_conformance.selection import Selection, scenes
        from dungeonlab_spec import Catalogue

        for scene in scenes(Selection(), Catalogue.load()):
            for requirement in sorted(scene.wanted):
                name = f"{requirement}[{scene.event.name}]" if scene.event else requirement
                item: Judged = Judged.from_parent(self, name=name)
                item.scene = scene
                yield item

    def judged(self, name: str, items: list[pytest.Item]) -> Any:
        """Return one verdict; the first call plays the scenes of every selected item."""
        if self.verdicts is None:
            self.verdicts = self._play({item.scene for item in items if isinstance(item, Judged)})
        return self.verdicts[name]

    def _play(self, chosen: set[Any]) -> dict[str, Any]:
        import asyncio

        from dungeonlab_conformance.runner import Runner

        run = asyncio.run(Runner(self.target, sorted(chosen, key=lambda s: s.name)).play())
        self.config.stash.setdefault(_SUBJECTS, []).append(run.subject)
        self.config.stash.setdefault(_LEFT, []).extend(run.leftovers)
        if run.fault:
            pytest.exit(run.fault, returncode=3)
        return {f"{v.requirement}[{v.event}]" if v.event else v.requirement: v for v in run.verdicts}


class Installed(Suite, pytest.Directory):
    """The suite as it is installed, named as a package; an option says which server is judged."""


class Described(Suite, pytest.File):
    """The suite as a target file names its server."""

    def collect(self) -> Iterator[pytest.Item]:
        """Read the file, then yield the items; a fault in it is one sentence."""
        from dungeonlab_conformance.target_file.loading import load
        from dungeonlab_conformance.verdict import TargetFault

        try:
            url, scale = (self.config.getoption(f"--dungeonlab-{name}") for name in ("url", "timeout"))
            self.target = load(self.path, url=url, scale=scale)
        except TargetFault as fault:
            raise self.CollectError(str(fault)) from None
        yield from super().collect()


class Judged(pytest.Item):
    """One requirement, for one event where it is judged per event."""

    scene: Any

    def runtest(self) -> None:
        """Raise, skip or take note as the verdict says; a MUST that could not be judged is not passed."""
        from dungeonlab_conformance.verdict import Outcome
        from dungeonlab_spec import Catalogue

        assert isinstance(self.parent, Suite)
        verdict = self.parent.judged(self.name, self.session.items)
        self.user_properties.append(("requirement", verdict.requirement))
        self.user_properties.append(("level", verdict.level))
        self.user_properties.append(("outcome", str(verdict.outcome)))
        unshown = verdict.outcome is Outcome.UNJUDGED
        if verdict.outcome in (Outcome.FAIL, Outcome.ERROR) or (unshown and verdict.level == "MUST"):
            raise NotConformant(Catalogue.load().requirements[verdict.requirement].sentence, verdict)
        if unshown or verdict.outcome in (Outcome.SKIPPED, Outcome.NOTE):
            pytest.skip(verdict.reason or "optional, and not there")
        if verdict.outcome is Outcome.WARN:
            found = verdict.findings[0]
            line = f"{self.name}: expected {found.expected}; got {found.got}"
            self.config.stash.setdefault(_WARNED, []).append(line)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the finding, never a stack trace of the suite."""
        from dungeonlab_conformance.report.words import finding_lines

        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        sentence, verdict = excinfo.value.args
        lines = [f"{verdict.outcome}: {sentence}", *([verdict.reason] if verdict.reason else [])]
        for finding in verdict.findings:
            lines += finding_lines(finding)
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item by its requirement."""
        return _HERE, None, self.name


class NotConformant(Exception):  # noqa: N818
    """Carries a requirement's sentence and its verdict to pytest."""
