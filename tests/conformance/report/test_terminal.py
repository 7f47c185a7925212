"""What a person sees: what matters most stands last, many alike stand once, and nothing depends on the terminal."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import replace

import pytest
from rich.console import Console
from tests.conformance.report.runs import (
    CREATE,
    ECHO,
    JOIN,
    broken_run,
    failing,
    nasty_run,
    passing_run,
    played_run,
    stuck_run,
    waiting,
)

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report import terminal
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_spec import Catalogue, Level

SHOULD = "order/one-sender-in-order"


def unshown(level: Level = "MUST") -> Verdict:
    return Verdict(ECHO, "token:move", level, Outcome.UNJUDGED, "why")


def held() -> Verdict:
    return Verdict(ECHO, "token:delete", "MUST", Outcome.PASS)


def printed(run: Run, verbosity: int = 0, *, width: int = 80, is_terminal: bool = False) -> list[str]:
    """Return the lines that are printed."""
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, highlight=False)
    terminal.show(run, console, verbosity=verbosity)
    assert isinstance(console.file, io.StringIO)
    return re.sub("\x1b\\[[0-9;]*m", "", console.file.getvalue()).splitlines()


def where(lines: list[str], beginning: str) -> int:
    [found] = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    return found


def test_failures_stand_after_all_else_and_the_sum_at_the_end() -> None:
    """Reasons first, then what is broken, MUSTs after SHOULDs, then the areas, then one line for the whole."""
    run = broken_run()
    run.verdicts.append(failing(SHOULD, "token:move"))
    lines = printed(run)
    order = [where(lines, "UNJUDGED  join/refused-join-enrols"), where(lines, f"WARN  {SHOULD}")]
    order += [where(lines, f"FAIL  {ECHO}"), where(lines, "FAIL  join/outsider-refused"), where(lines, "area ")]
    assert order == sorted(order)
    assert lines[-1].startswith("http://127.0.0.1:18732: 11 requirements, 12 verdicts in ")


def test_a_requirement_that_fails_for_many_events_is_reported_once() -> None:
    """The first in full, the others in short, each with the command that repeats it."""
    lines = printed(broken_run())
    assert sum(line.startswith("FAIL  rooms/") for line in lines) == 1
    assert sum(line.startswith("  and for token:delete: got {") for line in lines) == 1
    assert sum("again:" in line and ECHO in line for line in lines) == 2
    assert sum(line.startswith("FAIL  rooms/") for line in printed(broken_run(), 1)) == 2


def test_many_verdicts_with_one_reason_are_one_line() -> None:
    """A server that cannot be joined leaves hundreds unjudged; that is said once, and named with -v."""
    run = Run(
        "url", [Verdict(v.requirement, v.event, v.level, Outcome.UNJUDGED, "why") for v in passing_run().verdicts]
    )
    result = [line for line in printed(run) if "why" in line]
    assert len(result) == 1
    assert re.match(r"UNJUDGED  \d+ verdicts on [\w/-]+, [\w/-]+ and \d+ more: why", result[0])
    assert sum("why" in line for line in printed(run, 1)) == len(run.verdicts)


def test_what_is_known_takes_one_line() -> None:
    """The reason stands beside it; the sum says how many there are."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    lines = printed(Run("url", [verdict], stale=["x/y holds"]))
    assert lines[0] == f"KNOWN  {ECHO} [token:move]: ticket 41"
    assert "known failures: x/y holds" in lines
    assert lines[-1].endswith("0 pass, 1 fail (1 known)")


def test_what_waits_for_a_cause_is_counted_in_the_sum() -> None:
    """Nowhere else, unless the whole is asked for; what has no known cause keeps its line."""
    run = stuck_run()
    number = sum(v.waits_for == CREATE for v in run.verdicts)
    mend = [f"mend {CREATE.title} first: {number} verdicts wait for it"]
    mend += [f"{JOIN.title} was not judged in this run: 1 verdict waits for it"]
    lines = printed(run, width=160)
    assert lines[-3:-1] == mend
    assert [line for line in lines if line.startswith("UNJUDGED")] == [f"UNJUDGED  {ECHO} [token:delete]: too slow"]
    lines = printed(run, 1, width=160)
    assert [line for line in lines if line in mend] == mend
    assert sum(line.endswith(f": no answer; waits for {CREATE.title}") for line in lines) == number


def test_the_first_causes_are_named_and_the_rest_is_counted() -> None:
    """The weightiest three; with -v all."""
    run = Run("http://u", [waiting(ECHO, VerdictKey(f"made-up/{name}"), name) for name in "abcde"])
    said = [f"made-up/{name} was not judged in this run: 1 verdict waits for it" for name in "abcde"]
    rest = "2 more causes: 2 verdicts wait for them"
    assert [line for line in printed(run) if "wait" in line] == [*said[:3], rest]
    assert [line for line in printed(run, 1) if line in said] == said


@pytest.mark.parametrize("width", [30, 80])
def test_a_cause_is_folded_between_words(width: int) -> None:
    """No id is torn apart on a narrow terminal."""
    lines = printed(stuck_run(), width=width)
    first = lines.index(next(line for line in lines if line.startswith("mend")))
    words = " ".join(line.strip() for line in lines[first:-1]).split()
    assert words[:3] == ["mend", CREATE.requirement, f"[{CREATE.event}]"]
    assert JOIN.requirement in words


def test_a_cause_that_is_known_is_nothing_to_mend() -> None:
    """What waits for it is known with it, and takes one line."""
    run = stuck_run()
    for verdict in run.verdicts:
        verdict.known = "ticket 41" if CREATE in (verdict.key, verdict.waits_for) else ""
    lines = printed(run)
    assert not any(line.startswith("mend ") for line in lines)
    assert sum("ticket 41" in line for line in lines) == 2


def test_a_claim_is_the_last_line() -> None:
    """Only where there is one."""
    claim = "Conformant to version 1.0 of the DungeonLab protocol: http://127.0.0.1:3000"
    assert printed(passing_run())[-1] == claim
    assert not any("onformant" in line for line in printed(broken_run()))


def test_what_stands_in_the_way_of_a_claim_can_be_asked_for() -> None:
    """With -v, as many verdicts as are missing, and why."""
    [line] = [line for line in printed(broken_run(), 1) if line.startswith("no claim of conformance: ")]
    assert "verdicts on a MUST: not selected" in line
    assert "3 of " in line
    assert "broken" in line


def test_a_run_that_never_began_is_one_sentence() -> None:
    """Nothing was judged: no list of what was not, no empty table."""
    run = Run("url", [Verdict(ECHO, None, "MUST", Outcome.UNJUDGED, "gone")], fault="url cannot be reached")
    assert printed(run) == ["cut short: url cannot be reached"]


def test_a_run_that_never_began_says_of_what() -> None:
    """Where the sentence about it does not: a login that is refused, an interruption, the bundled server."""
    gone = [Verdict(ECHO, None, "MUST", Outcome.UNJUDGED, "gone")]
    for run in (Run("url", gone, fault="alice could not be logged in"), Run("url", gone, interrupted=True)):
        assert printed(run)[-1] == "url: nothing was judged"


@pytest.mark.parametrize(
    ("run", "named"),
    [
        (passing_run(), []),
        (Run("u", [failing(ECHO, "token:move"), failing(SHOULD)]), [f"FAIL  {ECHO} [token:move]"]),
        (Run("u", [failing(SHOULD)], fail_on="SHOULD"), [f"WARN  {SHOULD}"]),
        (Run("u", [unshown(), failing(ECHO)]), [f"FAIL  {ECHO}"]),
        (Run("u", [unshown(), held()]), [f"UNJUDGED  {ECHO} [token:move]"]),
        (Run("u", [replace(unshown(), known="ticket 41"), held()]), []),
        (Run("u", [unshown(), waiting("a/a", JOIN), held()]),
         [f"UNJUDGED  {ECHO} [token:move]", f"{JOIN.title} was not judged in this run: 1 verdict waits for it"]),
        (Run("u", [waiting("a/a", JOIN), failing(*JOIN)]), [f"FAIL  {JOIN.title}"]),
        (Run("u", [unshown("SHOULD"), held()]), []),
        (Run("u", [replace(unshown(), outcome=Outcome.SKIPPED)]), [f"SKIPPED  {ECHO} [token:move]"]),
        (Run("u", [replace(unshown(), outcome=Outcome.ERROR), failing(ECHO)]),
         [f"ERROR  {ECHO} [token:move]", f"FAIL  {ECHO}"]),
    ],
)  # fmt: skip
def test_a_quiet_run_names_what_decides_how_it_ends(run: Run, named: list[str]) -> None:
    """One id a line, with its event, then the last line; nothing else, and no id where the run ends well."""
    lines = printed(run, -1)
    assert lines[:-1] == named
    assert run.subject in lines[-1]
    assert bool(named) == bool(run.exit_code)


def test_a_quiet_run_that_was_cut_short_names_no_id_that_it_did_not_reach() -> None:
    """The server is what is wrong then, and a list of hundreds would hide it."""
    run = Run("http://u", [unshown(), held()], fault="http://u stopped answering")
    assert printed(run, -1)[0] == "cut short: http://u stopped answering"


@pytest.mark.parametrize("width", [40, 80])
def test_the_first_and_the_last_line_say_what_was_judged(width: int) -> None:
    """However narrow the terminal, and whatever the address holds."""
    options = RunOptions(target_file="/some/where/here.toml")
    run = replace(passing_run(), target="http://127.0.0.1/[bold]x[/]", options=options, claim="")
    console = Console(file=io.StringIO(), width=width, highlight=False)
    terminal.open_run(run, console)
    terminal.show(run, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "Judging http://127.0.0.1/[bold]x[/] (here.toml)"
    assert lines[-1].startswith("http://127.0.0.1/[bold]x[/] (here.toml): ")


def test_what_was_left_behind_is_reported_once() -> None:
    """Twenty sessions that could not be cleared away for one reason are one line."""
    assert "not cleared away: a session stays (20 times)" in printed(Run("url", leftovers=["a session stays"] * 20))


def test_a_terminal_of_80_columns_shows_each_act_on_one_line() -> None:
    """What is too long ends in an ellipsis there; in a log it is whole."""
    acts = [line for line in printed(broken_run(), is_terminal=True) if re.match(r" +\d+\.\d ms", line)]
    assert acts
    assert max(map(len, acts)) <= 80
    assert any(line.endswith("…") for line in acts)
    assert max(len(line) for line in printed(broken_run()) if " ms  " in line) > 120


def test_sentences_are_wrapped_and_commands_are_not() -> None:
    """In a log, what is read is folded to the width; what is copied is one line."""
    lines = printed(broken_run(), width=40)
    assert max(len(line) for line in lines if line.startswith("  usually:")) <= 40
    assert any(len(line) > 80 for line in lines if "again:" in line)


def test_a_hostile_server_cannot_speak_to_the_terminal() -> None:
    """No control character of its own, and no markup taken from its words."""
    text = "\n".join(printed(nasty_run(), 1))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    lines = printed(Run("url", [Verdict(ECHO, None, "MUST", Outcome.UNJUDGED, "[bold red]x[/] [link=y]z")]))
    assert "[bold red]x[/] [link=y]z" in lines[0]


def test_progress_counts_what_was_played_and_what_is_broken() -> None:
    """On a terminal, while the run goes on; it is gone when the run is over."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    chosen = scenes(Selection(only=("connect",)), Catalogue.load())
    with terminal.Following(console, len(chosen)) as following:
        following.on_scene([failing(ECHO, "token:move"), failing(SHOULD, "token:move")])
        [task] = following.progress.tasks
        assert (task.completed, task.total, task.fields["failing"]) == (1, len(chosen), "1 broken")


def test_there_is_no_progress_where_nobody_watches() -> None:
    """A log is not filled with bars."""
    console = Console(file=io.StringIO(), force_terminal=False)
    with terminal.Following(console, 3) as following:
        following.on_scene([])
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


def test_the_line_that_convicts_is_there_and_marked() -> None:
    """However much came after it; what was sent stands above what was expected."""
    lines = tuple(TranscriptLine(n, "alice", "hears", f"event-{n}", "{}") for n in range(60))
    sent = TranscriptLine(1, "alice", "sends", "chat-message", '{"message": 5}')
    seen = Finding("a", "b", None, "s", None, (), lines, 9, sent=sent)
    found = printed(Run("url", [failing(ECHO, "token:move", seen)]))
    assert [line for line in found if line.startswith("►")] == ["►      9.0 ms  alice hears event-9 {}"]
    at = where(found, '  sent: chat-message {"message": 5}')
    assert found[at + 1] == "  expected: a"
    assert "  … 46 later lines (-v shows more)" in found


def test_what_a_play_showed_begins_with_who_did_what() -> None:
    """An act a line; with -v all of them, and else the last ones."""
    found = printed(played_run())
    at = where(found, "  … 4 earlier acts (-v shows them)")
    assert found[at + 1] == "    5  alice chat-message in here, 5"
    assert found[at + 21 : at + 23] == ["  seen 10 of 10 times", "  expected: nothing"]
    assert "    1  alice connect" in printed(played_run(), 1)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_terminal_divides_lines_between_words(width: int) -> None:
    """Only a word that is longer than a line, and a payload without a space, is longer than the terminal is wide."""
    logged, lines = printed(broken_run()), printed(broken_run(), width=width, is_terminal=True)
    assert all(len(line) <= width or " " not in line.strip() for line in lines)
    words = {word for line in logged for word in line.split()}
    whole = [line for line in lines if not line.endswith("…")]
    assert {word for line in whole for word in line.split()} <= words | {"\\"}


def test_a_command_that_takes_several_lines_is_one_to_a_shell() -> None:
    """An option stays with its value, and nothing is divided that is quoted."""
    run = Run("url", [failing(ECHO, "token:move")], options=RunOptions(target_file="a file of many words.toml"))
    [command] = [line.removeprefix("  again: ") for line in printed(run) if "again:" in line]
    shown = "\n".join(printed(run, width=50, is_terminal=True))
    lines = re.findall(r"again: ((?:.*\\\n)+.*)", shown)[0]
    assert shlex.split(lines.replace("\\\n", "")) == shlex.split(command)  # as a shell reads it
    assert "--target 'a file of many words.toml' \\\n" in lines
