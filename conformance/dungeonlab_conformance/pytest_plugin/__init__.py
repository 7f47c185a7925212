"""The same checks as pytest items: ``pytest dungeonlab-target.toml``.

Or ``pytest --dungeonlab-url URL --pyargs dungeonlab_conformance``, with ``--dungeonlab-target FILE`` in its place.
Imports nothing heavy: pytest loads this in every run where the suite is installed.

The exit code is pytest's own, but for a session whose only failures are that a server could not be tested: 3, as on the
command line; 4 if the suite itself failed; and 1 if the list of known failures is out of date.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dungeonlab_conformance.pytest_plugin.items import (
    KNOWN,
    PACKAGE,
    RUNS,
    Described,
    Installed,
    Judged,
    offered_by_name,
    shown,
    verdict_name,
)
from dungeonlab_conformance.pytest_plugin.shared_runs import SharedRuns

if TYPE_CHECKING:
    from dungeonlab_conformance.results.known_failures import KnownFailure
    from dungeonlab_conformance.results.run import Run
    from dungeonlab_conformance.target.target import Target

_TARGET: pytest.StashKey[Target] = pytest.StashKey()
_NAMED: pytest.StashKey[frozenset[str]] = pytest.StashKey()  # items of the package that the command line names
_FOLDER: pytest.StashKey[Path] = pytest.StashKey()  # where the workers of pytest-xdist meet
_OTHERS: pytest.StashKey[_Others] = pytest.StashKey()
_FOLDER_INPUT = "dungeonlab_runs"
_FILE = "dungeonlab-target.toml"
_SCALES = (0.01, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options ``--dungeonlab-…``."""
    group = parser.getgroup("dungeonlab")
    group.addoption("--dungeonlab-url", metavar="URL", help="judge the DungeonLab server at URL")
    group.addoption("--dungeonlab-target", metavar="FILE", help="judge the DungeonLab server that FILE describes")
    group.addoption("--dungeonlab-known-failures", metavar="FILE", help="accept the failures that FILE lists")
    group.addoption("--dungeonlab-timeout", type=_scale, default=1.0, metavar="SCALE", help="scale of its time limits")


def _scale(text: str) -> float:
    least, most = _SCALES
    try:
        if least <= (scale := float(text)) <= most:
            return scale
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no scale; give a number from {least} to {most}")


def pytest_configure(config: pytest.Config) -> None:
    """Check URL, target file and list of known failures before anything is collected."""
    folder = getattr(config, "workerinput", {}).get(_FOLDER_INPUT)
    config.stash[RUNS] = SharedRuns(folder and Path(folder))
    config.stash[_OTHERS] = _Others()
    config.pluginmanager.register(config.stash[_OTHERS])
    url, file = config.getoption("--dungeonlab-url"), config.getoption("--dungeonlab-target")
    listed = config.getoption("--dungeonlab-known-failures")
    for option, value in (
        ("--dungeonlab-url", url),
        ("--dungeonlab-target", file),
        ("--dungeonlab-known-failures", listed),
    ):
        if value is not None and not value.strip():
            raise pytest.UsageError(f"{option} is empty, as if the variable it comes from were not set")
    config.stash[KNOWN] = _known(listed)
    if url is not None or file is not None:
        config.stash[_TARGET] = _target(url, file, config.getoption("--dungeonlab-timeout"))


def _known(listed: str | None) -> list[KnownFailure]:
    if listed is None:
        return []
    from dungeonlab_conformance.results.known_failures import load_known_failures

    try:
        return load_known_failures(Path(listed))
    except ValueError as error:
        raise pytest.UsageError(shown(str(error))) from None


def _target(url: str | None, file: str | None, scale: float) -> Target:
    from dungeonlab_conformance.results.errors import TargetFault
    from dungeonlab_conformance.target.file.load import load_target
    from dungeonlab_conformance.target.limits import Limits
    from dungeonlab_conformance.target.target import Target

    try:
        return (
            load_target(Path(file), url=url, scale=scale)
            if file is not None
            else Target(url or "", limits=Limits(scale))
        )
    except TargetFault as fault:
        raise pytest.UsageError(shown(str(fault))) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which server is judged, and that a target file that lies here is not used beside a URL."""
    if _TARGET not in config.stash:
        return []
    from dungeonlab_conformance.target.file.load import find

    target = config.stash[_TARGET]
    lines = [f"dungeonlab: judging {shown(target.new_run().subject)}"]
    if target.file is None and find():
        lines.append(
            f"dungeonlab: {_FILE} is not used, since a URL was given; --dungeonlab-target {_FILE} uses it, too"
        )
    return lines


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker of pytest-xdist where the workers of this session meet."""
    stash: pytest.Stash = node.config.stash
    if _FOLDER not in stash:
        stash[_FOLDER] = Path(tempfile.gettempdir()) / f"dungeonlab-{secrets.token_hex(16)}"
        stash[RUNS] = SharedRuns(stash[_FOLDER])
    node.workerinput[_FOLDER_INPUT] = str(stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete what the workers shared."""
    if _FOLDER in config.stash:
        shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Take ``dungeonlab_conformance::NAME``, which is how pytest prints an item, for a selection of items.

    Of a package that an argument names by ``--pyargs`` pytest itself selects no items.
    """
    config, prefix = session.config, f"{PACKAGE.name}::"
    if not (config.getoption("pyargs") and any(arg.startswith(prefix) for arg in config.args)):
        return
    named = [arg.removeprefix(prefix) for arg in config.args if arg.startswith(prefix)]
    config.args[:] = dict.fromkeys(PACKAGE.name if arg.startswith(prefix) else arg for arg in config.args)
    from dungeonlab_conformance.text.spelling import did_you_mean

    offered = offered_by_name()
    for name in named:
        if not (matching := [known for known, one in offered.items() if name in (known, one.requirement)]):
            raise pytest.UsageError(f"there is no {prefix}{name}; {did_you_mean(name, offered)}")
        config.stash[_NAMED] = config.stash.get(_NAMED, frozenset()) | frozenset(matching)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the suite's checks, and not its modules, when the package itself is named."""
    if path == PACKAGE and _TARGET in parent.config.stash:
        suite: Installed = Installed.from_parent(parent, path=path, nodeid=PACKAGE.name)
        suite.target = parent.config.stash[_TARGET]
        suite.named = parent.config.stash.get(_NAMED, frozenset())
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


class _Others:
    """Notes whether anything but a requirement failed: somebody's own test, or a worker that crashed."""

    def __init__(self) -> None:
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or (report.failed and "requirement" not in dict(report.user_properties))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell a server that could not be tested, and a failure of the suite, from broken requirements."""
    runs = [] if hasattr(session.config, "workerinput") else session.config.stash[RUNS].all()
    if not (codes := {run.exit_code for run in runs if not run.interrupted}):
        return
    from dungeonlab_conformance.results.exit_codes import EXIT_BROKEN, EXIT_SUITE, EXIT_TARGET

    if EXIT_SUITE in codes:
        session.exitstatus = EXIT_SUITE
    elif EXIT_TARGET in codes and EXIT_BROKEN not in codes and not session.config.stash[_OTHERS].failed:
        session.exitstatus = EXIT_TARGET
    elif session.exitstatus == pytest.ExitCode.OK and any(run.stale for run in runs):
        session.exitstatus = EXIT_BROKEN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which server was judged; list every broken SHOULD, what was left behind, and why a run ended early.

    None of it fails a test, nor is a warning that somebody's configuration makes an error of.
    """
    for run in config.stash[RUNS].all():
        terminalreporter.write_line(f"dungeonlab: judged {shown(run.subject)}")
        for line in run.stale:
            terminalreporter.write_line(shown(f"known failures: {line}"), red=True)
        for line in _notes(run):
            terminalreporter.write_line(shown(line), yellow=True)


def _notes(run: Run) -> Iterator[str]:
    from dungeonlab_conformance.report.content.wording import LONGEST
    from dungeonlab_conformance.results.verdict import Outcome
    from dungeonlab_conformance.text.printable import one_line, shortened

    for verdict in run.verdicts:
        level = "MUST" if run.interrupted and verdict.outcome is Outcome.FAIL else "SHOULD"
        if verdict.findings and not verdict.known and (verdict.outcome is Outcome.WARN or level == "MUST"):
            found = verdict.findings[0]
            line = f"{verdict_name(verdict.requirement, verdict.event)}: expected {found.expected}; got {found.got}"
            yield f"{level} broken: {shortened(one_line(line), LONGEST)}"
    yield from (f"note: {line}" for line in run.notes)
    yield from (f"not cleared away: {line}" for line in run.leftovers)
    if run.own_fault:
        yield f"the suite itself failed, please report it: {run.own_fault}"
