"""`search`: random plays, and what they show made short."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import command, started, unused_port
from tests.mutants.judge import served
from tests.serving import reference_server

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.load import from_json, load_run
from dungeonlab_conformance.results.run import RunOptions
from dungeonlab_conformance.runner.recheck.packed_recording import packed_trials
from dungeonlab_conformance.runner.recheck.recheck import recheck
from dungeonlab_conformance.runner.search.playing import LANES, Carried, Playing
from dungeonlab_conformance.runner.search.search import Search, SearchOptions
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

Document = dict[str, Any]
SOON = 60  # seconds, for a busy machine
FEW = ("--plays", "10", "--seed", "1", "--timeout", "0.5")


def test_nothing_is_found_on_the_reference_server(reference_url: str, tmp_path: Path) -> None:
    """Exit code 0; what was visited is a figure, nothing is claimed, and nothing is left."""
    done = command("search", reference_url, *FEW, "--json", tmp_path / "r.json")
    assert (done.returncode, done.stderr) == (0, "")
    first, seed, played, last = done.stdout.splitlines()
    assert first == f"Judging {reference_url}"
    assert seed == "The same plays again: --seed 1"
    assert played.startswith("played: 10 plays, ")
    assert "pairs" in played
    assert ": nothing was found in " in last
    result = load_run(tmp_path / "r.json")
    assert (result.verdicts, result.claim, result.leftovers, result.scenes) == ([], "", [], 10)
    assert command("recheck", tmp_path / "r.json").returncode == 0


@pytest.mark.parametrize(
    ("name", "requirement", "most"),
    [
        ("TellsTheOldVersion", "tokens/broadcast-equals-stored-state", 8),
        ("MergesData", "broadcasts/says-what-was-done", 9),
        ("DisconnectingUnseatsTheOtherTabs", "join/tabs-are-independent", 10),
    ],
)
def test_a_fault_is_found_and_shown_by_a_few_acts(name: str, requirement: str, most: int, tmp_path: Path) -> None:
    """Exit code 1; the finding has the shortest play, how often that showed it, and the command that finds it again.

    What is written follows from what was recorded, and what somebody changes in it shows.
    """
    with served(name) as url:
        files = ("--json", tmp_path / "r.json", "--html", tmp_path / "r.html")
        done = command("search", url, *FEW, "--plays", "20", *files)
    assert (done.returncode, done.stderr) == (1, "")
    result = load_run(tmp_path / "r.json")
    verdict = next(verdict for verdict in result.verdicts if verdict.requirement == requirement)
    [finding] = verdict.findings
    assert verdict.outcome == "fail"
    assert re.fullmatch(r"seen 10 of 10 times; [1-9]\d* of 20 plays showed it", finding.how_often)
    assert 3 <= len(finding.acts) <= most
    assert all(f"  {number}  {act}" in done.stdout for number, act in enumerate(finding.acts, 1))
    assert f"again: dungeonlab-conformance search {url} --timeout 0.5 --seed 1 --plays 20" in done.stdout
    assert finding.how_often in (tmp_path / "r.html").read_text("utf-8")
    again = command("recheck", tmp_path / "r.json")
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    assert f"verdicts computed again: {len(result.verdicts)}, from {10 * len(result.verdicts)} plays" in again.stdout
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [change.__name__ for change in _CHANGES if not _shows(change, document, requirement)] == []


def _shows(change: Callable[[Document, Document], None], document: Document, requirement: str) -> bool:
    """Whether computing the verdicts again shows that a result was changed."""
    changed = copy.deepcopy(document)
    change(changed, next(row for row in changed["verdicts"] if row["requirement"] == requirement))
    return recheck(from_json(changed), changed, ()).differences != ()


def _take_it_out(document: Document, verdict: Document) -> None:
    document["verdicts"].remove(verdict)


def _call_it_good(_: Document, verdict: Document) -> None:
    verdict.update(outcome="pass", findings=[])


def _call_it_rare(_: Document, verdict: Document) -> None:
    verdict["outcome"] = "warn"
    verdict["findings"][0]["how_often"] = "seen 9 of 10 times; 1 of 20 plays showed it"


def _say_it_was_less(_: Document, verdict: Document) -> None:
    verdict["findings"][0]["expected"] = "something else"


def _accuse_another_event(_: Document, verdict: Document) -> None:
    verdict["event"] = "token:delete"


def _change_the_exit_code(document: Document, _: Document) -> None:
    document["exitCode"] = 0


def _call_it_seen_by_a_scene(document: Document, verdict: Document) -> None:
    document["recording"] = packed_trials([], Secrets())
    verdict["findings"][0]["from_record"] = False


_CHANGES: tuple[Callable[[Document, Document], None], ...] = (
    _take_it_out,
    _call_it_good,
    _call_it_rare,
    _say_it_was_less,
    _accuse_another_event,
    _change_the_exit_code,
    _call_it_seen_by_a_scene,
)


def test_what_is_known_fails_no_search(tmp_path: Path) -> None:
    """A finding that is listed is found, and accepted."""
    known = tmp_path / "known.toml"
    known.write_text('[[known]]\nid = "*"\nreason = "later"\n', "utf-8")
    with served("TellsTheOldVersion") as url:
        done = command("search", url, *FEW, "--known-failures", known)
    assert done.returncode == 0, done.stdout
    assert "KNOWN" in done.stdout


def test_the_same_seed_is_the_same_plays() -> None:
    """Another seed, length or number of tabs makes others."""
    same = [*SearchOptions(seed=1, plays=2).all_plays()]
    assert same == [*SearchOptions(seed=1, plays=2).all_plays()]
    assert same[0].acts != same[1].acts
    assert same[0].acts != next(SearchOptions(seed=2).all_plays()).acts
    acts = next(SearchOptions(seed=1, actors=2, length=5).all_plays()).acts
    assert [act.tab for act in acts[:3] if act.does == "connect"] == ["alice", "bob"]
    assert len(acts) < len(same[0].acts)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plays", "0"], "--plays"),
        (["--actors", "1"], "--actors"),
        (["--minutes", "nan"], "--minutes"),
        (["--quiet", "--verbose"], "contradict"),
        (["--known-failures", "none.toml"], "none.toml"),
        (["--json", "no/such/folder.json"], "there is no folder"),
        (["--badge", "b.json"], "bundled"),
        ([""], "it is empty"),
    ],
)
def test_wrong_usage_is_known_before_anything_is_played(words: list[str], said: str, tmp_path: Path) -> None:
    """Exit code 2, and one sentence."""
    done = command("search", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_server_that_is_not_there() -> None:
    """Exit code 3, and why."""
    done = command("search", f"http://127.0.0.1:{unused_port()}", *FEW)
    assert done.returncode == 3
    assert "cut short:" in done.stdout
    assert "cannot be reached" in done.stdout


def test_a_server_that_dies_ends_the_search(tmp_path: Path) -> None:
    """Exit code 3, with nothing blamed on what was seen as it went."""
    with reference_server() as (process, url), started("search", url, "--plays", "100000") as search:
        assert search.stdout is not None
        search.stdout.readline()
        search.stdout.readline()  # so it has begun
        process.kill()
        code, said = _ended(search)
    assert code == 3, said
    assert "Traceback" not in said
    assert "FAIL" not in said


def test_an_interrupted_search_tells_what_it_found(reference_url: str, tmp_path: Path) -> None:
    """Exit code 130; how much was played is there, and everything is cleared away."""
    file = tmp_path / "r.json"
    with started("search", reference_url, "--plays", "100000", "--json", file) as search:
        assert search.stdout is not None
        search.stdout.readline()
        search.stdout.readline()
        search.send_signal(signal.SIGINT)
        code, said = _ended(search)
    assert code == 130, said
    assert "Traceback" not in said
    result = load_run(file)
    assert (result.interrupted, result.leftovers) == (True, [])


def _ended(search: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = search.communicate(timeout=SOON)
    return search.returncode, out + err


def test_a_search_in_which_nothing_was_played_is_no_success() -> None:
    """Exit code 3, and what to do: this server answers so late that its time is over before the first play."""
    with served("AnswersTheNewestTab") as url:
        done = command("search", url, "--minutes", "0.01", "--timeout", "0.2")
    assert done.returncode == 3
    assert "nothing was played in 0.01 minutes; raise --minutes" in done.stdout


def test_a_search_is_over_in_time_and_has_played_again_what_it_found(tmp_path: Path) -> None:
    """No play begins after its time but those that show again what was found."""
    file = tmp_path / "r.json"
    with served("TellsTheOldVersion") as url:
        done = command("search", url, *FEW, "--plays", "1000", "--minutes", "0.4", "--json", file)
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    result = load_run(file)
    assert result.seconds < 24 + 30 + SOON / 2
    assert 1 <= result.scenes < 1000
    assert any(finding.how_often.startswith("seen 10 of 10") for each in result.verdicts for finding in each.findings)
    assert command("recheck", file).returncode == 0


def test_plays_are_cut_when_there_is_no_time_left_for_them() -> None:
    """The others do not begin: this server leaves everything unanswered, for four seconds each."""
    carried = asyncio.run(_play_for(2.0, "AnswersNothing"))
    assert len(carried) == LANES
    assert all(each.was_cut and each.seconds < SOON for each in carried)


async def _play_for(seconds: float, name: str) -> list[Carried]:
    plays = [*SearchOptions(seed=1, plays=20).all_plays()]
    with served(name) as url:
        playing = Playing(Target(url))
        playing.until = time.monotonic() + seconds
        try:
            return await playing.together(plays)
        finally:
            await playing.clear_away()


def test_a_search_without_a_play_that_came_to_its_end_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, and what to do: all plays wait for their first answers when the time is over."""
    monkeypatch.setattr(Playing, "survey", _survey_nothing)
    with served("AnswersNothing") as url:
        target = Target(url, limits=Limits(2.0))
        run = asyncio.run(Search(target, SearchOptions(seed=1, minutes=0.2), target.new_run(RunOptions())).play())
    assert run.exit_code == 3
    assert run.fault == "no play came to its end in 0.2 minutes; raise --minutes"


async def _survey_nothing(_: Playing) -> None:
    """Find nothing out: that would take all the time there is."""
