"""The stream: written while the run goes on, and whole even if the run is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.report.runs import CREATE, JOIN, broken_run, passing_run, stuck_run

from dungeonlab_conformance.report.ndjson import Stream
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import to_json
from dungeonlab_conformance.results.verdict import Finding


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where to write."""
    return tmp_path / "run.ndjson"


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_a_verdict_stands_in_the_file_before_the_run_is_over(file: Path) -> None:
    """Each line is flushed: anyone who reads along sees the verdict at once."""
    with Stream(file, Run("url"), 1) as stream:
        stream.on_scene(passing_run().verdicts[:1])
        assert [row["line"] for row in rows(file)] == ["run", "verdict"]


def test_a_stream_amounts_to_the_result(file: Path) -> None:
    """Read back, it is the run that `--json` would have written."""
    run = broken_run()
    with Stream(file, run, run.scenes) as stream:
        for _ in range(run.scenes):
            stream.on_scene([])
        stream.finish()
    assert rows(file)[-1]["complete"] is True
    assert load_run(file) == run


def test_the_last_line_names_the_causes(file: Path) -> None:
    """What to mend first is known when all is judged."""
    run = stuck_run()
    with Stream(file, run, 0) as stream:
        stream.finish()
    assert [row["requirement"] for row in rows(file)[-1]["causes"]] == [CREATE.requirement, JOIN.requirement]
    assert to_json(load_run(file))["causes"] == to_json(run)["causes"]


def test_a_verdict_that_changes_later_is_written_again(file: Path) -> None:
    """An invariant convicts at the end; of the two lines the later counts."""
    run = Run("url")
    verdict = passing_run().verdicts[0]
    with Stream(file, run, 1) as stream:
        stream.on_scene([verdict])
        verdict.convict(Finding("silence", "a leak"))
        run.verdicts = [verdict]
        stream.finish()
    assert [row["outcome"] for row in rows(file) if row["line"] == "verdict"] == ["pass", "fail"]
    assert [v.outcome for v in load_run(file).verdicts] == ["fail"]


@pytest.mark.parametrize(("how", "why"), [({"fault": "gone"}, "gone"), ({"interrupted": True}, "interrupted")])
def test_a_run_cut_short_says_so_in_the_last_line(file: Path, how: dict[str, Any], why: str) -> None:
    """The summary is there and says that the run is not complete, and why."""
    with Stream(file, Run("url", **how), 9) as stream:
        stream.finish()
    assert (rows(file)[-1]["complete"], rows(file)[-1]["reason"]) == (False, why)


def test_a_crash_of_the_suite_leaves_a_whole_stream(file: Path) -> None:
    """An exception on the way out still writes the summary, claims nothing, and reads back as the suite's fault."""

    def crash() -> None:
        with Stream(file, Run("url"), 2) as stream:
            stream.on_scene(passing_run().verdicts[:3])
            raise ZeroDivisionError("oops")

    with pytest.raises(ZeroDivisionError):
        crash()
    last = rows(file)[-1]
    assert (last["line"], last["complete"], last["reason"]) == ("summary", False, "ZeroDivisionError: oops")
    assert last["counts"]["pass"] == 3
    assert load_run(file).exit_code == 4


def test_a_stream_cut_off_by_force_can_still_be_read(file: Path) -> None:
    """Half a line at the end is left out; what came before it stands, and the run is known to be cut short."""
    with Stream(file, Run("url"), 2) as stream:
        stream.on_scene(passing_run().verdicts[:3])
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:-2]) + whole[-2][:20])
    run = load_run(file)
    assert len(run.verdicts) == 2
    assert (run.exit_code, run.claim) == (3, "")
    assert run.fault is not None


def test_a_full_disk_is_reported_and_does_not_end_the_run() -> None:
    """What cannot be written is reported once; the verdicts still come in."""
    with Stream(Path("/dev/full"), Run("url"), 1) as stream:
        stream.on_scene(passing_run().verdicts[:3])
        stream.finish()
    assert stream.problem == "/dev/full could not be written: No space left on device"
