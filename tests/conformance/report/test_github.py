"""GitHub Actions: annotations as the runner reads them, and the job summary."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from tests.conformance.report.runs import (
    CREATE,
    ECHO,
    broken_run,
    failing,
    nasty_run,
    passing_run,
    played_run,
    stuck_run,
)

from dungeonlab_conformance.report import github
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_spec import Catalogue

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\r\n]+)::([^\r\n]*)")


def read(run: Run) -> list[tuple[str, str, str]]:
    """Return kind, title and message as the runner does: line by line, unescaped."""
    found = []
    for line in github.commands(run).splitlines():
        command = COMMAND.fullmatch(line)
        assert command, line
        found.append((command[1], unquote(command[2]), unquote(command[3])))
    return found


def test_each_broken_requirement_is_one_annotation() -> None:
    """MUSTs are errors, SHOULDs warnings; the events stand in the message."""
    verdicts = [failing(ECHO, "token:move"), failing(ECHO, "token:delete"), failing("order/one-sender-in-order")]
    (kind, title, message), (weaker, other, _) = read(Run("url", verdicts))
    assert (kind, title, weaker, other) == ("error", ECHO, "warning", "order/one-sender-in-order")
    assert "Broken for token:move, token:delete." in message
    assert f"--only {ECHO}" in message
    assert "\njudged: url\n" in message


def test_a_failure_in_a_play_says_who_did_what() -> None:
    """The last acts with their numbers, below all else."""
    ((_, _, message),) = read(played_run())
    acts = message.splitlines()[-21:]
    assert acts[:2] == ["… 4 earlier acts", "  5  alice chat-message in here, 5"]
    assert acts[-1] == " 24  alice chat-message in here, 24"


def test_what_is_known_is_not_annotated() -> None:
    """Only what is new asks for attention."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    assert read(Run("url", [verdict])) == []


def test_many_failures_do_not_drown_the_last() -> None:
    """GitHub shows ten of a kind; the tenth says how many there are more."""
    musts = [r.id for r in Catalogue.load().requirements.values() if r.level == "MUST" and not r.each][:14]
    found = read(Run("url", [failing(name) for name in musts]))
    assert len(found) == 10
    assert "5 more requirements are broken" in found[-1][2]


def test_what_much_waits_for_is_a_notice_and_the_first_error() -> None:
    """Among more errors than GitHub shows, the one to mend first is there."""
    run = stuck_run()
    musts = [r.id for r in Catalogue.load().requirements.values() if r.level == "MUST" and not r.each]
    run.verdicts = [*(failing(name) for name in musts[:14]), *run.verdicts]
    found = read(run)
    assert found[0][:2] == ("error", CREATE.requirement)
    [notice] = [message for kind, _, message in found if kind == "notice"]
    assert re.match(rf"mend {re.escape(CREATE.title)} first: \d+ verdicts wait for it\n", notice)


def test_what_was_judged_stands_in_every_annotation_about_the_whole() -> None:
    """Several servers may be judged in one workflow."""
    for run in (Run("url", fault="gone"), Run("url", interrupted=True), Run("url", own_fault="KeyError")):
        assert "judged: url" in read(run)[0][2]


def test_a_run_that_failed_without_breaking_anything_is_one_error() -> None:
    """Unreachable, interrupted, the suite's own fault, a list out of date: each is reported."""
    assert "cannot be reached" in read(Run("url", fault="url cannot be reached"))[0][2]
    assert "interrupted" in read(Run("url", interrupted=True))[0][2]
    assert "KeyError" in read(Run("url", own_fault="KeyError"))[0][2]
    assert "KeyError" in read(Run("url", [Verdict(ECHO, None, "MUST", Outcome.ERROR, "KeyError")]))[0][2]
    assert ("error", "Known failures", "x holds") in read(Run("url", stale=["x holds"]))


def test_the_bundled_server_is_no_success(tmp_path: Path) -> None:
    """A workflow that names no server learns so from an annotation and from a result of its own; nothing is claimed."""
    run = passing_run()
    run.target, run.bundled = "the bundled reference server", True
    assert read(run) == [
        (
            "warning",
            "DungeonLab conformance",
            "the bundled reference server was judged, and no other; give a URL or a target file",
        )
    ]
    github.append_outputs(run, {"GITHUB_OUTPUT": str(tmp_path / "outputs")})
    rows = dict(row.split("=", 1) for row in (tmp_path / "outputs").read_text().splitlines())
    assert (rows["result"], rows["claim"]) == ("bundled", "")


def test_a_good_run_is_not_annotated() -> None:
    """Silence is the best news."""
    assert read(passing_run()) == []


def test_a_server_cannot_give_commands_to_the_runner() -> None:
    """Whatever it answers stays inside one message."""
    run = broken_run()
    run.fault = "x\n::error title=y::z\r\n::set-output name=a::b"
    assert all(title != "y" for _, title, _ in read(run))
    assert read(nasty_run())


def test_the_summary_is_appended_where_github_says(tmp_path: Path) -> None:
    """What other steps wrote stays; without the variable nothing is written."""
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    assert github.append_summary(broken_run(), {"GITHUB_STEP_SUMMARY": str(file)}) == file
    assert file.read_text().startswith("before\n## ")
    assert github.append_summary(broken_run(), {}) is None


def test_the_summary_keeps_to_githubs_limit(tmp_path: Path) -> None:
    """One MiB for all of a step's summary, or GitHub shows none of it."""
    file = tmp_path / "summary.md"
    file.write_text("x" * 1_045_000)
    github.append_summary(broken_run(), {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.stat().st_size < 1 << 20
    assert "did not fit" in file.read_text()
