"""Each fault is found, and nothing else is blamed."""

from __future__ import annotations

import json
import os

import pytest

from dungeonlab_conformance.checks.registry import Check, all_checks
from dungeonlab_conformance.results.load import problem
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import to_json
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_spec import Catalogue
from tests.mutants.combination import APART, TRIED, combine, fault_named, members
from tests.mutants.fault import Expectation, all_faults, default_set
from tests.mutants.incidents import INCIDENTS
from tests.mutants.judge import judge, judge_all, misjudged, settle, who_said_no
from tests.mutants.recordings import again_all

ALL = all_faults()
FAULTS = ALL if os.environ.get("MUTANTS") == "all" else default_set()  # all of them take long
DEMANDED = {r.id for r in Catalogue.load().requirements.values() if r.level != "MAY" and r.side == "server"}

# What can be shown on a server that refuses every request, since it is about refusals, or comes before any request.
REFUSING = {
    "connect/socket-io-v4-at-the-documented-path",
    "connect/old-protocol-refused",
    "auth/cookie-accepted",
    "auth/missing-cookie-refused",
    "auth/forged-cookie-refused",
    "auth/logged-out-cookie-refused",
    "auth/old-cookie-stays-dead",
    "auth/refusal-says-why",
    "auth/refusal-names-the-code",
    "auth/no-open-namespace",
    "auth/logout-ends-the-connection",
    "auth/foreign-origin-refused",
    "acks/failure-shape",
    "acks/exactly-one-answer",
    "acks/every-other-request-answers",
    "acks/many-at-once-are-answered",
    "acks/failure-without-callback-emits-error",
}


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest) -> dict[str, tuple[Expectation, Run]]:
    """Return, for every fault that a selected test asks about, the server that had it and what the suite said of it."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    names = {spec.params["name"] for spec in wanted if spec and "name" in spec.params}
    found = judge_all(combine(fault for name, fault in FAULTS.items() if name in names))
    return {fault: (fault_named(name), run) for name, run in found for fault in members(name)}


@pytest.fixture(scope="session")
def runs(judged: dict[str, tuple[Expectation, Run]]) -> dict[str, Run]:
    """Return what the suite said, by the faults that a server had."""
    return {name: run for name, (_, run) in judged.items()}


def test_every_requirement_has_a_server_that_breaks_it() -> None:
    """For each MUST and SHOULD that can be judged, some faulty server breaks it."""
    broken_by_some = {requirement for fault in ALL.values() for requirement in fault.breaks}
    assert DEMANDED - broken_by_some == set()


@pytest.mark.parametrize("what", INCIDENTS)
def test_what_really_happened_can_be_seen(what: str) -> None:
    """Each fault that a real server had is one of those on which the suite is proved every time."""
    assert INCIDENTS[what] <= default_set().keys()


@pytest.mark.parametrize("stated", ALL)
def test_a_faulty_server_says_what_it_breaks(stated: str) -> None:
    """It states its fault in one sentence, and breaks requirements that exist and are judged."""
    fault = ALL[stated]
    assert fault.claim.count(".") >= 1, "a sentence ends with a full stop"
    assert "\n" not in fault.claim
    assert fault.breaks
    assert fault.breaks <= DEMANDED
    assert all(reason for reason in fault.also.values())


def test_faults_share_a_server_only_if_they_can_be_distinguished() -> None:
    """Each is judged once; those of one server break different requirements, in different methods of it."""
    groups = combine(ALL.values())
    assert sorted(name for group in groups for name in members(group)) == list(ALL)
    for group in groups:
        faults = [ALL[name] for name in members(group)]
        assert sum(len(fault.breaks) for fault in faults) == len(fault_named(group).breaks)
        assert sum(len(fault.methods) for fault in faults) == len(fault_named(group).methods)


def test_which_faults_are_tried_together_or_apart_is_said_of_faults_that_are_judged() -> None:
    """A name that is no fault's any more would say nothing; those that are kept apart share no server."""
    pairs = [set(members(pair)) for pair in (*TRIED, *APART)]
    assert set[str]().union(*pairs) <= FAULTS.keys()
    groups = [set(members(group)) for group in combine(FAULTS.values())]
    assert not [pair for pair in APART for group in groups if set(members(pair)) <= group]


def test_a_fault_that_another_hides_is_judged_by_itself() -> None:
    """On a server that refuses everything nobody hears an echo.

    What the two break is all that is looked at: each is judged as a whole below.
    """
    pair = "RefusesEverything+EchoesToTheSender"
    runs = dict(judge(pair, tuple(sorted(fault_named(pair).breaks))))
    assert runs.keys() == {"RefusesEverything", "EchoesToTheSender"}
    assert misjudged(ALL["EchoesToTheSender"], runs["EchoesToTheSender"]) == []


@pytest.mark.parametrize(
    ("found", "proved", "judged_again"),
    [
        ({"a": {"A"}, "b": {"B"}, "c": {"C"}}, "a+b+c", []),
        ({"a": {"A"}, "c": {"C"}}, "a+c", ["b"]),
        ({"a": {"A"}, "b": {"B"}, "c": {"C", "D"}}, "", ["a", "b+c"]),
        ({}, "", ["a", "b+c"]),
    ],
)
def test_what_one_run_did_not_prove_is_judged_again(
    found: dict[str, set[str]], proved: str, judged_again: list[str]
) -> None:
    """Each fault that others hid by itself, or both halves, if more was found than there should be, or nothing."""
    asked: list[str] = []

    def expectation(name: str) -> Expectation:
        return Expectation(name=name, claim="", breaks=frozenset(one.upper() for one in members(name)))

    def again(name: str) -> list[tuple[str, Run]]:
        asked.append(name)
        return []

    broken = sorted(set[str]().union(*found.values()))
    run = Run("u", [Verdict(name, None, "MUST", Outcome.FAIL) for name in broken])
    assert settle("a+b+c", run, expectation, lambda _: run, again) == ([(proved, run)] if proved else [])
    assert asked == judged_again


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_what_it_says_and_nothing_else(name: str, judged: dict[str, tuple[Expectation, Run]]) -> None:
    """The requirements found broken are those that the server is made to break, by this fault and those beside it."""
    expectation, run = judged[name]
    assert FAULTS[name].breaks <= expectation.breaks
    assert misjudged(expectation, run) == []


def test_what_was_found_fits_the_published_schema(judged: dict[str, tuple[Expectation, Run]]) -> None:
    """Whatever a faulty server does, its result is one that other programs can read."""
    if not judged:
        pytest.skip("no test was selected that has a faulty server judged, so there is no result to look at")
    servers = {expectation.name: run for expectation, run in judged.values()}
    problems = {name: problem(json.loads(json.dumps(to_json(run)))) for name, run in servers.items()}
    assert {name: said for name, said in problems.items() if said} == {}


def test_what_was_found_follows_from_what_was_recorded(judged: dict[str, tuple[Expectation, Run]]) -> None:
    """Rules convict the same, with the same findings, whether the run was just played or is read from its result."""
    if not judged:
        pytest.skip("no test was selected that has a faulty server judged, so there is no result to look at")
    servers = {expectation.name: run for expectation, run in judged.values()}
    found = dict(zip(servers, again_all(servers.values()), strict=True))
    assert {name: again.differences for name, again in found.items() if again.differences} == {}
    assert sum(again.convicted for again in found.values()) > 0


def test_every_check_can_say_no(runs: dict[str, Run]) -> None:
    """Each check, but for those of a MAY, has found some faulty server out: the verdict that it gave was no."""
    if not default_set().keys() <= runs.keys():
        pytest.skip("not all were selected")
    found = set[str]().union(*map(who_said_no, runs.values()))
    demanding = [check for check in all_checks() if DEMANDED & set(check.requirements)]
    assert {check.name for check in demanding if check.name not in found and not _finds_one_out(check)} == set()


def _finds_one_out(check: Check) -> bool:
    """Whether a check finds out a server with one fault; of several, another check may be the one that speaks."""
    wanted = tuple(check.requirements)
    likely = (name for name, fault in ALL.items() if fault.breaks & set(wanted) and not fault.run)
    return any(check.name in who_said_no(run) for name in likely for _, run in judge(name, wanted))


def test_who_refuses_everything_passes_nothing_of_it(runs: dict[str, Run]) -> None:
    """A server that lets people connect and refuses all they ask passes only what is about connecting and refusing."""
    if "RefusesEverything" not in runs:
        pytest.skip("it was not selected")
    passed = {v.requirement for v in runs["RefusesEverything"].verdicts if v.outcome == "pass"}
    assert passed <= REFUSING
