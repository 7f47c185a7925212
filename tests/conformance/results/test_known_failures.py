"""The known failures, both ways: what is listed and fails is accepted, what is listed and holds is not."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import pytest
from tests.conformance.report.runs import CREATE, ECHO, JOIN, failing, passing_run, waiting

from dungeonlab_conformance.report import known_failures
from dungeonlab_conformance.results.exit_codes import EXIT_BROKEN, EXIT_OK, EXIT_TARGET
from dungeonlab_conformance.results.known_failures import KnownFailure, compare_with_known_failures, load_known_failures
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey

TODAY = datetime.date(2027, 3, 1)


def a_run(*broken: Verdict) -> Run:
    """Return a run in which everything holds but what is given."""
    run = passing_run()
    instead = {(v.requirement, v.event): v for v in broken}
    run.verdicts = [instead.get((v.requirement, v.event), v) for v in run.verdicts]
    return run


def held_against(run: Run, *known: KnownFailure) -> Run:
    compare_with_known_failures(run, known, TODAY)
    return run


def test_a_listed_failure_does_not_fail_the_run() -> None:
    """What is broken and listed is marked with its reason, and the run ends well."""
    run = held_against(a_run(failing(ECHO, "token:move")), KnownFailure(ECHO, "ticket 41", "token:move"))
    assert [v.known for v in run.verdicts if v.outcome is Outcome.FAIL] == ["ticket 41"]
    assert (run.stale, run.exit_code) == ([], EXIT_OK)


def test_a_failure_that_is_not_listed_still_fails_the_run() -> None:
    """An entry for one event accepts nothing about another one."""
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"))
    assert held_against(run, KnownFailure(ECHO, "ticket 41", "token:move")).exit_code == EXIT_BROKEN


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            KnownFailure(ECHO, "r", "token:move"),
            "listed as failing, but rooms/sender-hears-nothing [token:move] held",
        ),
        (KnownFailure(ECHO, "r"), "held"),
        (KnownFailure("rooms/*", "r"), "held"),
        (KnownFailure("rooms/sender-hears-notes", "r"), "matches no requirement"),
        (KnownFailure(ECHO, "r", "token:fly"), "is judged for this event"),
        (KnownFailure("client/joins-before-it-sends", "r"), "matches no requirement"),
        (KnownFailure(ECHO, "r", "token:delete", datetime.date(2027, 2, 28)), "accepted until 2027-02-28"),
    ],
)
def test_an_entry_that_is_out_of_date_fails_the_run(entry: KnownFailure, said: str) -> None:
    """An entry that holds, matches nothing or has expired: the run fails and says which entry and why."""
    run = a_run(failing(ECHO, "token:delete"))
    covering = KnownFailure(ECHO, "covers what fails", "token:delete")
    held_against(run, covering, entry)
    assert run.exit_code == EXIT_BROKEN
    assert len(run.stale) == 1
    assert said in run.stale[0]


def test_an_entry_that_is_over_accepts_nothing() -> None:
    """The failure it stood for is one again, on the day after its last."""
    entry = KnownFailure(ECHO, "r", "token:delete", datetime.date(2027, 3, 1))
    run = a_run(failing(ECHO, "token:delete"))
    compare_with_known_failures(run, [entry], TODAY)
    assert (run.exit_code, run.stale) == (EXIT_OK, [])
    run = a_run(failing(ECHO, "token:delete"))
    compare_with_known_failures(run, [entry], TODAY + datetime.timedelta(days=1))
    assert [v.known for v in run.verdicts if v.outcome is Outcome.FAIL] == [""]


def test_a_flaky_entry_may_hold() -> None:
    """It is accepted when it fails, and no complaint when it does not."""
    entry = KnownFailure(ECHO, "now and then", "token:move", flaky=True)
    assert held_against(passing_run(), entry).exit_code == EXIT_OK
    assert held_against(a_run(failing(ECHO, "token:move")), entry).exit_code == EXIT_OK


def test_what_was_not_selected_is_not_complained_of() -> None:
    """A run of a part says nothing about entries for the rest, not even that they are over."""
    run = a_run()
    run.verdicts = [v for v in run.verdicts if v.requirement != ECHO]
    assert (
        held_against(run, KnownFailure(ECHO, "r"), KnownFailure(ECHO, "r", expires=datetime.date(2020, 1, 1))).stale
        == []
    )


def test_what_could_not_be_judged_can_be_listed() -> None:
    """An unjudged MUST ends a run as untestable, unless that is known."""
    unjudged = Verdict(ECHO, "token:move", "MUST", Outcome.UNJUDGED, "no witness")
    assert a_run(unjudged).exit_code == EXIT_TARGET
    assert held_against(a_run(unjudged), KnownFailure(ECHO, "r", "token:move")).exit_code == EXIT_OK


def stuck(*more: Verdict) -> Run:
    """Return a run in which two verdicts wait for one that is broken, one of them through the other."""
    first, second = VerdictKey("tokens/delete-ends-it"), VerdictKey("tokens/move-changes-only-position")
    return Run("url", [failing(*CREATE), waiting(first.requirement, CREATE), waiting(second.requirement, first), *more])


def test_what_waits_for_a_known_cause_is_known_with_it() -> None:
    """However long the chain; the reason names the cause. What waits for something else is not."""
    reason = f"waits for {CREATE.title}, which is known: ticket 41"
    entry = KnownFailure(CREATE.requirement, "ticket 41", CREATE.event)
    run = held_against(stuck(), entry)
    assert [v.known for v in run.verdicts] == ["ticket 41", reason, reason]
    assert (run.exit_code, run.stale) == (EXIT_OK, [])
    run = held_against(stuck(waiting(ECHO, JOIN)), entry)
    assert (run.verdicts[-1].known, run.exit_code) == ("", EXIT_TARGET)


def test_what_waits_for_an_unknown_cause_is_not_known() -> None:
    """A cause that is no more accepted takes what waits for it along."""
    over = KnownFailure(CREATE.requirement, "ticket 41", CREATE.event, datetime.date(2027, 2, 28))
    assert [v.known for v in held_against(stuck(), over).verdicts] == ["", "", ""]
    assert [v.known for v in held_against(stuck()).verdicts] == ["", "", ""]


def test_a_cause_that_was_not_selected_may_be_known_all_the_same() -> None:
    """In a run of a part, the list of the whole still accepts what waits for what it lists."""
    run = stuck()
    del run.verdicts[0]
    assert held_against(run, KnownFailure(CREATE.requirement, "ticket 41")).exit_code == EXIT_OK


def test_an_entry_for_what_waits_is_no_error() -> None:
    """It has its own reason then; the entry of a cause that holds is out of date, as any."""
    run = stuck()
    own, cause = KnownFailure("tokens/*", "mine"), KnownFailure(CREATE.requirement, "ticket 41")
    held_against(run, cause, own)
    assert ([v.known for v in run.verdicts], run.stale) == (["ticket 41", "mine", "mine"], [])
    run = stuck()
    run.verdicts[0] = Verdict(*CREATE, "MUST", Outcome.PASS)
    assert len(held_against(run, cause, own).stale) == 1


def test_a_suite_error_cannot_be_listed() -> None:
    """The suite's own fault is never accepted as a failure of the server."""
    error = Verdict(ECHO, "token:move", "MUST", Outcome.ERROR, "KeyError")
    assert held_against(a_run(error), KnownFailure(ECHO, "r", "token:move")).exit_code == 4


def test_a_file_is_read_as_it_is_documented(tmp_path: Path) -> None:
    """Every key arrives, and an entry knows where it stands."""
    file = tmp_path / "known.toml"
    file.write_text(
        '# mine\n\n[[known]]\nid = "rooms/*"\nreason = "all of it"\n\n[[known]]\nid = "acks/failure-shape"\n'
        'event = "token:*"\nreason = "ticket 7"\nexpires = 2027-03-01\nflaky = true\n'
    )
    first, second = load_known_failures(file)
    assert first == KnownFailure("rooms/*", "all of it", where=f"{file}:3")
    assert second == KnownFailure(
        "acks/failure-shape", "ticket 7", "token:*", datetime.date(2027, 3, 1), True, f"{file}:7"
    )


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
        load_known_failures(file)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_met_with_one_sentence(tmp_path: Path) -> None:
    """It says which file, and that it cannot be read."""
    with pytest.raises(ValueError, match="cannot be read: it does not exist"):
        load_known_failures(tmp_path / "known.toml")


def test_a_written_list_asks_for_reasons_and_then_accepts_the_run(tmp_path: Path) -> None:
    """As it is written it is refused; with the reasons filled in, the same run ends well."""
    file = tmp_path / "known.toml"
    moves = [failing(ECHO, event) for event in ("token:move", "token:delete")]
    nasty = Finding("quiet\x00", 'an "echo"\n[[known]]\x7f \U0001f409', None, "s")
    run = a_run(*moves, failing("auth/cookie-accepted", None, nasty))
    assert known_failures.write(run, file) == 3
    with pytest.raises(ValueError, match="has no reason"):
        load_known_failures(file)
    file.write_text(file.read_text().replace('reason = ""', 'reason = "known since spring"'))
    compare_with_known_failures(run, load_known_failures(file), TODAY)
    assert (run.exit_code, run.stale) == (EXIT_OK, [])


def test_a_written_list_names_no_event_where_all_of_them_fail(tmp_path: Path) -> None:
    """One entry for the requirement says more than seven that look alike."""
    file = tmp_path / "known.toml"
    known_failures.write(
        a_run(*(failing(ECHO, v.event) for v in passing_run().verdicts if v.requirement == ECHO)), file
    )
    assert tomllib.loads(file.read_text())["known"] == [{"id": ECHO, "reason": ""}]


LIST = f"""\
# Ours. Ask Ursula.

# Echo: since the rewrite.
[[known]]
id = "{ECHO}"   # all day
event = "token:move"
reason = 'a "reason"'  # hers
expires = 2027-06-01
flaky = true
# seen by everybody

# Held for years.
[[known]]
id = "acks/*"
reason = "glob that holds in part"

# Holds now.
[[known]]
id = "auth/cookie-accepted"
reason = "holds now"

[[known]]
id = "auth/cookie-eaten"
reason = "no such thing"

# Shape.
[[known]]
reason = ""  # who knows?
id = "acks/failure-shape"
event = "token:delete"
# The end.
"""


def test_a_list_written_again_keeps_what_people_wrote_and_drops_what_is_over(tmp_path: Path) -> None:
    """Entries that still fail stay word for word, with comments; those that hold go with theirs; new ones come last."""
    file = tmp_path / "known.toml"
    file.write_text(LIST)
    shapes = [failing("acks/failure-shape", event) for event in ("token:move", "token:delete")]
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"), *shapes)
    compare_with_known_failures(run, load_known_failures(file, needs_reasons=False), TODAY)
    assert known_failures.write(run, file) == 2
    first, last = LIST.index("# Held for years."), LIST.index("# Shape.")
    kept, fresh = LIST[:first] + LIST[last:], file.read_text()[len(LIST[:first] + LIST[last:]) :]
    assert file.read_text().startswith(kept)
    assert tomllib.loads(fresh)["known"] == [
        {"id": ECHO, "event": "token:delete", "reason": ""},
        {"id": "acks/failure-shape", "event": "token:move", "reason": "glob that holds in part"},
    ]
    assert fresh.startswith("\n[[known]]\n")
    assert "\n# expected silence; got an echo\n" in fresh


def written(run: Run, file: Path) -> list[tuple[str, str | None]]:
    """Return what a list names that was written from a run, which ends well with it, and stays the same then."""
    known_failures.write(run, file, "ticket 7")
    entries = load_known_failures(file)
    assert held_against(run, *entries).exit_code == EXIT_OK
    before = file.read_bytes()
    known_failures.write(run, file)
    assert file.read_bytes() == before
    return [(entry.id, entry.event) for entry in entries]


def test_a_list_names_causes_and_not_what_waits_for_them(tmp_path: Path) -> None:
    """One entry for a fault that much waits for; what has no known cause has its own."""
    unexplained = Verdict(ECHO, "token:move", "MUST", Outcome.UNJUDGED, "too slow")
    assert written(stuck(unexplained), tmp_path / "known.toml") == [CREATE, (ECHO, "token:move")]


@pytest.mark.parametrize("outcome", [Outcome.WARN, Outcome.UNJUDGED])
def test_a_cause_is_listed_even_if_it_would_not_fail_the_run(tmp_path: Path, outcome: Outcome) -> None:
    """What waits for it does: without the entry the list would not be enough."""
    run = stuck()
    run.verdicts[0] = Verdict(*CREATE, "SHOULD", outcome, "why", [Finding("a", "b")] * (outcome is Outcome.WARN))
    assert written(run, tmp_path / "known.toml") == [CREATE]


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, None])
def test_where_a_cause_cannot_be_listed_what_waits_is(tmp_path: Path, outcome: Outcome | None) -> None:
    """It was skipped, or not judged: nothing was seen of it that could be accepted."""
    run = stuck()
    run.verdicts[:1] = [Verdict(*CREATE, "MUST", outcome, "why")] if outcome else []
    assert written(run, tmp_path / "known.toml") == [v.key for v in run.verdicts if v.waits_for]


def test_what_stands_above_the_first_entry_goes_with_it(tmp_path: Path) -> None:
    """What is said of the list as a whole stays, and so does what is said of the entry that is the first one now."""
    file = tmp_path / "known.toml"
    file.write_text(LIST)
    assert known_failures.write(a_run(failing("acks/failure-shape", "token:delete")), file, "ticket 7") == 0
    assert file.read_text() == (
        "# Ours. Ask Ursula.\n\n# Echo: since the rewrite.\n"
        + LIST[LIST.index("[[known]]") : LIST.index("\n# Held")]
        + "\n"
        + LIST[LIST.index("# Shape.") :].replace('reason = ""', 'reason = "ticket 7"')
    )  # the first entry is flaky, and so it stays
    file.write_text(LIST.replace("flaky = true\n", ""))
    known_failures.write(a_run(failing("acks/failure-shape", "token:delete")), file, "ticket 7")
    assert file.read_text().startswith(
        '# Ours. Ask Ursula.\n\n\n# Shape.\n[[known]]\nreason = "ticket 7"  # who knows?'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing is known",
        'known = [ # one\n  {id = "auth/cookie-accepted", reason = "r"}, # holds\n  {id = "acks/*", reason = "r"},\n]',
        'known = [{id = "rooms/sender-hears-nothing", event = "token:move", reason = ""}]',
        '[[known]]\nid = "rooms/sender-hears-nothing"\nevent = "token:move"\nreason = "r" # no end of line',
        '[[known]]\r\nid = "auth/cookie-accepted"\r\nreason = "r"\r\n',
        '[[known]]\nreason = """\n[[known]]\n\n# r"""\nid = "auth/cookie-accepted"\n',
    ],
)
def test_a_list_of_any_form_can_be_written_again(tmp_path: Path, text: str) -> None:
    """What is broken is listed once afterwards, and nothing else."""
    file = tmp_path / "known.toml"
    file.write_text(text, newline="")
    run = a_run(failing(ECHO, "token:move"))
    known_failures.write(run, file, "ticket 7")
    assert [(e.id, e.event) for e in load_known_failures(file)] == [(ECHO, "token:move")]
    compare_with_known_failures(run, load_known_failures(file), TODAY)
    assert (run.exit_code, run.stale) == (EXIT_OK, [])
    before = file.read_bytes()
    known_failures.write(run, file)
    assert file.read_bytes() == before


def test_a_list_that_was_spoilt_meanwhile_is_not_written(tmp_path: Path) -> None:
    """A run takes a while; what is no list by then is met with one sentence, and stays as it is."""
    file = tmp_path / "known.toml"
    file.write_text("[[known\n")
    with pytest.raises(ValueError, match=r"known\.toml:1: this is no TOML"):
        known_failures.write(a_run(failing(ECHO, "token:move")), file)
    assert file.read_text() == "[[known\n"


def test_a_reason_is_given_to_every_entry_without_one(tmp_path: Path) -> None:
    """To the new ones, and to those that nobody gave one yet; a reason that is there stays."""
    file = tmp_path / "known.toml"
    file.write_text(
        f'[[known]]\nid = "{ECHO}"\nevent = "token:move"\nreason = "ticket 41"\n'
        '[[known]]\nid = "acks/failure-shape"\nevent = "token:move"\nreason = " "\n'
    )
    run = a_run(failing(ECHO, "token:move"), failing(ECHO, "token:delete"), failing("acks/failure-shape", "token:move"))
    assert known_failures.write(run, file, "ticket 7") == 0
    assert [entry["reason"] for entry in tomllib.loads(file.read_text())["known"]] == [
        "ticket 41",
        "ticket 7",
        "ticket 7",
    ]


def test_an_entry_without_a_reason_accepts_nothing() -> None:
    """It may be read, to be written again with one; until then what it lists fails the run."""
    run = held_against(a_run(failing(ECHO, "token:move")), KnownFailure(ECHO, "", "token:move"))
    assert run.exit_code == EXIT_BROKEN


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        (KnownFailure("rooms/sender-hear-nothing", "r"), "rooms/sender-hears-nothing"),
        (KnownFailure("room/sender-hears-nothing", "r"), "rooms/sender-hears-nothing"),
        (KnownFailure(ECHO, "r", "token:moves"), "token:move"),
        (KnownFailure(ECHO, "r", "chat_message"), "chat-message"),
        (KnownFailure("acks/failure-shap", "r", "token:move"), "acks/failure-shape"),
    ],
)
def test_a_slip_of_the_pen_is_met_with_what_may_have_been_meant(entry: KnownFailure, meant: str) -> None:
    """One sentence that names a requirement, or an event of it, whichever the entry has wrong."""
    [said] = held_against(a_run(), entry).stale
    assert f"did you mean {meant}" in said
    assert "\n" not in said


def test_what_resembles_nothing_gets_no_guess() -> None:
    """A suggestion that is far off would mislead."""
    [said] = held_against(a_run(), KnownFailure("zzz", "r")).stale
    assert "did you mean" not in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (KnownFailure("rooms/sender-hears-notes", "r"), "; did you mean rooms/sender-hears-nothing?"),
        (KnownFailure(ECHO, "r", "token:moved"), "for this event; did you mean token:move?"),
        (
            KnownFailure("client/joins-before-it-sends", "r"),
            ": it is for clients, which the commands `client` and `tap` judge",
        ),
    ],
)
def test_an_entry_that_matches_nothing_says_what_it_may_have_meant(entry: KnownFailure, said: str) -> None:
    """A slip of the pen is mended from the message alone."""
    [stale] = held_against(a_run(), entry).stale
    assert stale.endswith(said)
