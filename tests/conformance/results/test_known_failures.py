"""The known failures, both ways: what is listed and fails is accepted, what is listed and holds is not."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import pytest
from tests.conformance.report.runs import ECHO, failing, passing_run

from dungeonlab_conformance.report import known_failures
from dungeonlab_conformance.results.exit_codes import EXIT_BROKEN, EXIT_OK, EXIT_TARGET
from dungeonlab_conformance.results.known_failures import Known, hold_against, load
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict

TODAY = datetime.date(2027, 3, 1)


def a_run(*broken: Verdict) -> Run:
    """Return a run in which everything holds but what is given."""
    run = passing_run()
    instead = {(v.requirement, v.event): v for v in broken}
    run.verdicts = [instead.get((v.requirement, v.event), v) for v in run.verdicts]
    return run


def held_against(run: Run, *known: Known) -> Run:
    hold_against(run, known, TODAY)
    return run


def test_a_listed_failure_does_not_fail_the_run() -> None:
    """What is broken and listed is marked with its reason, and the run ends well."""
    run = held_against(a_run(failing(ECHO, "token:move")), Known(ECHO, "ticket 41", "token:move"))
    assert [v.known for v in run.verdicts if v.outcome is Outcome.FAIL] == ["ticket 41"]
    assert (run.stale, run.exit_code) == ([], EXIT_OK)


def test_a_failure_that_is_not_listed_still_fails_the_run() -> None:
    """An entry for one event accepts nothing about another one."""
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"))
    assert held_against(run, Known(ECHO, "ticket 41", "token:move")).exit_code == EXIT_BROKEN


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (Known(ECHO, "r", "token:move"), "is listed as failing, but rooms/sender-hears-nothing [token:move] held"),
        (Known(ECHO, "r"), "held"),
        (Known("rooms/*", "r"), "held"),
        (Known("rooms/sender-hears-notes", "r"), "matches no requirement"),
        (Known(ECHO, "r", "token:fly"), "is judged for this event"),
        (Known("client/joins-before-it-sends", "r"), "matches no requirement"),
        (Known(ECHO, "r", "token:delete", datetime.date(2027, 2, 28)), "accepted until 2027-02-28"),
    ],
)
def test_an_entry_that_is_out_of_date_fails_the_run(entry: Known, said: str) -> None:
    """Whoever is listed and holds, matches nothing or is over: the run fails and says which entry and why."""
    run = a_run(failing(ECHO, "token:delete"))
    covering = Known(ECHO, "covers what fails", "token:delete")
    held_against(run, covering, entry)
    assert run.exit_code == EXIT_BROKEN
    assert len(run.stale) == 1
    assert said in run.stale[0]


def test_an_entry_that_is_over_accepts_nothing() -> None:
    """The failure it stood for is one again, on the day after its last."""
    entry = Known(ECHO, "r", "token:delete", datetime.date(2027, 3, 1))
    run = a_run(failing(ECHO, "token:delete"))
    hold_against(run, [entry], TODAY)
    assert (run.exit_code, run.stale) == (EXIT_OK, [])
    run = a_run(failing(ECHO, "token:delete"))
    hold_against(run, [entry], TODAY + datetime.timedelta(days=1))
    assert [v.known for v in run.verdicts if v.outcome is Outcome.FAIL] == [""]


def test_a_flaky_entry_may_hold() -> None:
    """It is accepted when it fails, and no complaint when it does not."""
    entry = Known(ECHO, "now and then", "token:move", flaky=True)
    assert held_against(passing_run(), entry).exit_code == EXIT_OK
    assert held_against(a_run(failing(ECHO, "token:move")), entry).exit_code == EXIT_OK


def test_what_was_not_selected_is_not_complained_of() -> None:
    """A run of a part says nothing about entries for the rest, not even that they are over."""
    run = a_run()
    run.verdicts = [v for v in run.verdicts if v.requirement != ECHO]
    assert held_against(run, Known(ECHO, "r"), Known(ECHO, "r", expires=datetime.date(2020, 1, 1))).stale == []


def test_what_could_not_be_judged_can_be_listed() -> None:
    """An unjudged MUST ends a run as untestable, unless that is known."""
    unjudged = Verdict(ECHO, "token:move", "MUST", Outcome.UNJUDGED, "no witness")
    assert a_run(unjudged).exit_code == EXIT_TARGET
    assert held_against(a_run(unjudged), Known(ECHO, "r", "token:move")).exit_code == EXIT_OK


def test_a_suite_error_cannot_be_listed() -> None:
    """The suite's own fault is never accepted as a failure of the server."""
    error = Verdict(ECHO, "token:move", "MUST", Outcome.ERROR, "KeyError")
    assert held_against(a_run(error), Known(ECHO, "r", "token:move")).exit_code == 4


def test_a_file_is_read_as_it_is_documented(tmp_path: Path) -> None:
    """Every key arrives, and an entry knows where it stands."""
    file = tmp_path / "known.toml"
    file.write_text(
        '# mine\n\n[[known]]\nid = "rooms/*"\nreason = "all of it"\n\n[[known]]\nid = "acks/failure-shape"\n'
        'event = "token:*"\nreason = "ticket 7"\nexpires = 2027-03-01\nflaky = true\n'
    )
    first, second = load(file)
    assert first == Known("rooms/*", "all of it", where=f"{file}:3")
    assert second == Known("acks/failure-shape", "ticket 7", "token:*", datetime.date(2027, 3, 1), True, f"{file}:7")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[known]\n", "is no TOML"),
        ("known = 3\n", "nothing else"),
        ('[known]\nid = "a/b"\n', "nothing else"),
        ('[[unknown]]\nid = "a/b"\n', "'unknown'"),
        ('[[known]]\nreason = "r"\n', "known.toml:1: a known failure needs an id"),
        ('\n[[known]]\nid = "a/b"\n', "known.toml:2: a/b has no reason"),
        ('[[known]]\nid = "a/b"\nreason = "  "\n', "has no reason"),
        ('[[known]]\nid = "a/b"\nreason = "r"\nuntil = 2027-01-01\n', "'until'"),
        ('[[known]]\nid = "a/b"\nreason = "r"\nexpires = "2027-01-01"\n', "a date such as 2027-03-01"),
        ('[[known]]\nid = "a/b"\nreason = "r"\nexpires = 2027-01-01T00:00:00Z\n', "a date such as"),
        ('[[known]]\nid = "a/b"\nreason = "r"\nflaky = 1\n', "true or false"),
        ("[[known]]\nid = 7\n", "a text"),
    ],
)
def test_a_file_that_is_wrong_is_met_with_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """The sentence names the file, the line where there is one, and what should be there."""
    file = tmp_path / "known.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"known\.toml") as raised:
        load(file)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_met_with_one_sentence(tmp_path: Path) -> None:
    """It says which file, and that it cannot be read."""
    with pytest.raises(ValueError, match="cannot be read: it does not exist"):
        load(tmp_path / "known.toml")


def test_a_written_list_asks_for_reasons_and_then_accepts_the_run(tmp_path: Path) -> None:
    """As it is written it is refused; with the reasons filled in, the same run ends well."""
    file = tmp_path / "known.toml"
    moves = [failing(ECHO, event) for event in ("token:move", "token:delete")]
    nasty = Finding("quiet\x00", 'an "echo"\n[[known]]\x7f \U0001f409', None, "s")
    run = a_run(*moves, failing("auth/cookie-accepted", None, nasty))
    assert known_failures.write(run, file) == 3
    with pytest.raises(ValueError, match="has no reason"):
        load(file)
    file.write_text(file.read_text().replace('reason = ""', 'reason = "known since spring"'))
    hold_against(run, load(file), TODAY)
    assert (run.exit_code, run.stale) == (EXIT_OK, [])


def test_a_written_list_names_no_event_where_all_of_them_fail(tmp_path: Path) -> None:
    """One entry for the requirement says more than seven that look alike."""
    file = tmp_path / "known.toml"
    known_failures.write(
        a_run(*(failing(ECHO, v.event) for v in passing_run().verdicts if v.requirement == ECHO)), file
    )
    assert tomllib.loads(file.read_text())["known"] == [{"id": ECHO, "reason": ""}]


def test_a_list_written_again_keeps_reasons_and_drops_what_is_over(tmp_path: Path) -> None:
    """Entries that still fail stay word for word, those that hold go, and new ones are added."""
    file = tmp_path / "known.toml"
    day = datetime.date(2027, 6, 1)
    before = [
        Known(ECHO, 'a "reason"\n\x7f', "token:move", day, flaky=True),
        Known("acks/*", "glob that holds in part"),
        Known("auth/cookie-accepted", "holds now"),
        Known("auth/cookie-eaten", "no such thing"),
    ]
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"), failing("acks/failure-shape", "token:move"))
    hold_against(run, before, TODAY)
    assert known_failures.write(run, file, before) == 1
    assert tomllib.loads(file.read_text())["known"] == [
        {"id": ECHO, "event": "token:move", "reason": 'a "reason"\n\x7f', "expires": day, "flaky": True},
        {"id": ECHO, "event": "token:delete", "reason": ""},
        {"id": "acks/failure-shape", "event": "token:move", "reason": "glob that holds in part"},
    ]


def test_a_reason_is_given_to_every_entry_without_one(tmp_path: Path) -> None:
    """To the new ones, and to those that nobody gave one yet; a reason that is there stays."""
    file = tmp_path / "known.toml"
    before = [Known(ECHO, "ticket 41", "token:move"), Known("acks/failure-shape", " ", "token:move")]
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"), failing("acks/failure-shape", "token:move"))
    assert known_failures.write(run, file, before, "ticket 7") == 0
    assert [entry["reason"] for entry in tomllib.loads(file.read_text())["known"]] == [
        "ticket 41",
        "ticket 7",
        "ticket 7",
    ]


def test_an_entry_without_a_reason_accepts_nothing() -> None:
    """It may be read, to be written again with one; until then what it lists fails the run."""
    run = held_against(a_run(failing(ECHO, "token:move")), Known(ECHO, "", "token:move"))
    assert run.exit_code == EXIT_BROKEN


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        (Known("rooms/sender-hear-nothing", "r"), "rooms/sender-hears-nothing"),
        (Known("room/sender-hears-nothing", "r"), "rooms/sender-hears-nothing"),
        (Known(ECHO, "r", "token:moves"), "token:move"),
        (Known(ECHO, "r", "chat_message"), "chat-message"),
        (Known("acks/failure-shap", "r", "token:move"), "acks/failure-shape"),
    ],
)
def test_a_slip_of_the_pen_is_met_with_what_may_have_been_meant(entry: Known, meant: str) -> None:
    """One sentence that names a requirement, or an event of it, whichever the entry has wrong."""
    [said] = held_against(a_run(), entry).stale
    assert f"did you mean {meant}" in said
    assert "\n" not in said


def test_what_resembles_nothing_gets_no_guess() -> None:
    """A suggestion that is far off would mislead."""
    [said] = held_against(a_run(), Known("zzz", "r")).stale
    assert "did you mean" not in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (Known("rooms/sender-hears-notes", "r"), "; did you mean rooms/sender-hears-nothing?"),
        (Known(ECHO, "r", "token:moved"), "for this event; did you mean token:move?"),
        (Known("client/joins-before-it-sends", "r"), "this suite judges servers"),
    ],
)
def test_an_entry_that_matches_nothing_says_what_it_may_have_meant(entry: Known, said: str) -> None:
    """A slip of the pen is mended from the message alone."""
    [stale] = held_against(a_run(), entry).stale
    assert stale.endswith(said)
