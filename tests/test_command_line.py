"""The command lines of the proofs end with 1 if something is not judged as stated, with 2 for a name that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from tests.false_alarms import trial
from tests.hostile import __main__ as hostile
from tests.hostile.suite_run import SuiteRun
from tests.mutants import judge as mutants
from tests.other_stacks import judge as other_stacks

ECHO = "rooms/sender-hears-nothing"
Main = Callable[[Sequence[str]], int]


def run_that_found(*requirements: str) -> Run:
    return Run("u", [Verdict(name, None, "MUST", Outcome.FAIL) for name in requirements])


@pytest.mark.parametrize(("found", "code"), [((ECHO,), 0), ((), 1), ((ECHO, "auth/cookie-accepted"), 1)])
def test_a_faulty_server_that_is_not_judged_as_stated(
    monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...], code: int
) -> None:
    """Its requirement missed, or another one blamed, is an exit code of 1."""
    monkeypatch.setattr(mutants, "judge_all", lambda names: [(name, run_that_found(*found)) for name in names])
    assert mutants.main(["EchoesToTheSender"]) == code


@pytest.mark.parametrize(("found", "code"), [((ECHO,), 0), ((), 1)])
def test_a_fault_of_the_other_stack_that_is_not_judged_as_stated(
    monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...], code: int
) -> None:
    """It is an exit code of 1; the server without a fault, found at fault, is one too."""
    fault = other_stacks.NodeFault(name="io-to", claim="It echoes.", breaks=frozenset({ECHO}))
    monkeypatch.setattr(other_stacks, "why_not", lambda: None)
    monkeypatch.setattr(other_stacks, "all_faults", lambda: {"io-to": fault})
    monkeypatch.setattr(other_stacks, "judge_faulty", lambda names: [(n, run_that_found(*found)) for n in names])
    monkeypatch.setattr(other_stacks, "judge_clean", lambda _: [("polling", run_that_found(*found))])
    assert other_stacks.main(["io-to"]) == code
    assert other_stacks.main(["--clean", "1"]) == 1 - code


@pytest.mark.parametrize(
    ("red", "passed", "fault", "code"),
    [((), 456, None, 0), (("a line",), 455, None, 1), ((), 400, None, 1), ((), 456, "the server is gone", 1)],
)
def test_a_correct_server_that_is_not_found_correct(
    monkeypatch: pytest.MonkeyPatch, red: tuple[str, ...], passed: int, fault: str | None, code: int
) -> None:
    """Anything red, too much left unjudged, or a run cut short is an exit code of 1."""
    counts = {"pass": passed, "unjudged": 456 - passed}
    one = trial.Trial("undisturbed", 1.0, counts, red, {}, fault)
    monkeypatch.setattr(trial, "run_series", lambda *_: {"undisturbed": trial.Series("undisturbed", (one,))})
    assert trial.main(["undisturbed"]) == code


@pytest.mark.parametrize(("ended", "code"), [(1, 0), (4, 1)])
def test_a_run_that_ends_as_it_must_not(monkeypatch: pytest.MonkeyPatch, ended: int, code: int) -> None:
    """An exit code that no run may have is one of 1 here."""
    monkeypatch.setattr(hostile, "judge_through", lambda *_: SuiteRun(ended, 1.0, 100.0, ""))
    assert hostile.main(["accidents", "--runs", "1", "--kind", "killed"]) == code


@pytest.mark.parametrize(
    ("main", "words", "sentence"),
    [
        (mutants.main, ["EchoToTheSender"], "no faulty server EchoToTheSender; did you mean EchoesToTheSender?"),
        (mutants.main, ["EchoesToTheSender+MoveTwice"], "no faulty server MoveTwice; did you mean MovesTwice?"),
        (other_stacks.main, ["io-too"], "there is no fault io-too; did you mean io-to?"),
        (trial.main, ["far", "farr"], "there is no condition farr; did you mean far?"),
        (hostile.main, ["accidents", "--kind", "kiled"], "there is no kind kiled; did you mean killed?"),
        (hostile.main, ["proxy", "--kind", "byte"], "there is no kind byte; did you mean bytes?"),
    ],
)
def test_a_name_that_does_not_exist(
    main: Main, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is wrong usage: exit code 2, and a sentence that says which name is closest."""
    if main is other_stacks.main and other_stacks.why_not():
        pytest.skip("without Node.js there are no faults to name")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
