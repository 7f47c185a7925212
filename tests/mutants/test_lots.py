"""Sets of faults are drawn by lot, and what the suite says of them is counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey
from tests.mutants import lots
from tests.mutants.combination import fault_named, members
from tests.mutants.fault import Expectation, all_faults, every_fault

SETS = ("LeavesTheChatOnly+LooksForItsNameInTheOrigin", "DeletesWhatIsNotThere+TellsEveryRoom")


def result(*, name: str = "A", missed: int = 0, blamed: int = 0, unjudged: int = 0) -> lots.Result:
    """Return what the suite said of a server that breaks ten requirements."""
    return lots.Result(
        name=name,
        breaks=[f"a/{n}" for n in range(10)],
        found=[f"a/{n}" for n in range(10 - missed)],
        missed={f"a/{10 - n - 1}": "1 pass" for n in range(missed)},
        concealed=[],
        blamed=["b/b"] * blamed,
        unjudged={"nobody joined": unjudged},
        waiting={"join/member-admitted": unjudged},
        skipped=0,
        verdicts=456,
        seconds=1.0,
    )


def test_a_set_is_drawn_again_by_its_seed_and_number() -> None:
    """The same seed and number name the same set; another number another one."""
    assert lots.draw(1, 0) == lots.draw(1, 0)
    assert len({lots.draw(seed, number) for seed in range(2) for number in range(20)}) == 40


def test_a_set_is_one_server() -> None:
    """It has as many faults as asked for, in different methods, which a run without further parts can show."""
    for number in range(40):
        faults = [all_faults()[name] for name in members(lots.draw(7, number))]
        assert len(faults) == lots.SIZE
        assert sum(len(fault.methods) for fault in faults) == len(fault_named(lots.draw(7, number)).methods)
        assert not any(fault.run for fault in faults)


def test_a_new_fault_changes_only_the_sets_into_which_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault's lot depends on no other fault."""
    before = [lots.draw(7, number) for number in range(20)]
    gone = members(before[0])[0]
    left = {name: fault for name, fault in all_faults().items() if name != gone}
    monkeypatch.setattr(lots, "all_faults", lambda: left)
    after = [lots.draw(7, number) for number in range(20)]
    assert after[0] != before[0]
    assert [new for old, new in zip(before, after, strict=True) if gone not in members(old) and new != old] == []


def test_what_is_missed_blamed_and_unjudged_is_counted() -> None:
    """What is broken and passes is missed; what is found and not broken is blamed, with its scene; also is neither."""
    expectation = Expectation(name="A", claim="", breaks=frozenset({"a/a", "a/b"}), also={"c/*": "it follows"})
    finding = Finding("silence", "a message", check="listens", event="chat-message")
    waits_for = VerdictKey("join/member-admitted")
    run = Run(
        "u",
        [
            Verdict("a/a", None, "MUST", Outcome.FAIL, findings=[finding]),
            Verdict("a/b", None, "MUST", Outcome.PASS),
            Verdict("c/c", None, "SHOULD", Outcome.WARN, findings=[finding]),
            Verdict("d/d", "chat-message", "MUST", Outcome.FAIL, findings=[finding]),
            Verdict("e/e", None, "MUST", Outcome.ERROR, reason="no such name"),
            Verdict("f/f", None, "MUST", Outcome.UNJUDGED, reason="nobody joined", waits_for=waits_for),
            Verdict("g/g", None, "MUST", Outcome.UNJUDGED, reason="nobody joined"),
        ],
    )
    said = lots.result_of(expectation, run)
    assert (said.found, said.missed) == (["a/a"], {"a/b": "1 pass"})
    assert said.blamed == [
        "d/d [chat-message] in listens[chat-message]: expected silence; got a message",
        "e/e: the suite failed: no such name",
    ]
    assert said.unjudged == {"nobody joined": 2}
    assert said.waiting == {"join/member-admitted": 1, "nothing that is named": 1}
    assert said.count == 2
    assert not said.exact


def test_what_no_client_can_see_is_not_missed() -> None:
    """Beside a server that refuses everything, what is about connecting shows, and nothing else has to."""
    breaks = frozenset({"auth/a", "chat/a", "chat/b"})
    verdicts = [Verdict(name, None, "MUST", Outcome.UNJUDGED) for name in ("auth/a", "chat/a")]
    finding = Finding("silence", "a message", check="listens")
    verdicts += [Verdict("chat/b", None, "MUST", Outcome.FAIL, findings=[finding])]
    said = lots.result_of(Expectation(name="A+RefusesEverything", claim="", breaks=breaks), Run("u", verdicts))
    assert (said.found, said.missed, said.concealed) == (["chat/b"], {"auth/a": "1 unjudged"}, ["chat/a"])


def test_where_no_refusal_has_a_code_none_is_missed() -> None:
    """Which code a refusal should have is concealed then; what its shape should be is not."""
    breaks = frozenset({"acks/code-names-the-cause", "acks/failure-shape"})
    said = lots.result_of(Expectation(name="A+NumbersItsCodes", claim="", breaks=breaks), Run("u", []))
    assert (list(said.missed), said.concealed) == (["acks/failure-shape"], ["acks/code-names-the-cause"])


def test_what_a_busy_machine_leaves_open_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the usual time limits, and only then."""
    said = [result(unjudged=11), result(unjudged=10)]
    scales: list[float] = []
    monkeypatch.setattr(lots, "judged", lambda _, scale: scales.append(scale))
    monkeypatch.setattr(lots, "result_of", lambda *_: said[len(scales) - 1])
    assert lots.judge("TellsEveryRoom") is said[1]
    assert (scales[0] < 1.0, scales[1:]) == (True, [1.0])
    said[0] = said[1]
    scales.clear()
    assert (lots.judge("TellsEveryRoom"), len(scales)) == (said[0], 1)


def test_a_server_that_dies_is_started_again() -> None:
    """What it does wrong besides is found, in the same run."""
    said = lots.judge("DiesOfNull+EchoesToTheSender")
    assert said.exact, said
    assert said.count <= lots.WORST


@pytest.mark.parametrize(
    ("results", "reached"),
    [
        ([result()], True),
        ([result(unjudged=120), result(), result()], True),
        ([result(unjudged=121), result(), result()], False),
        ([result(unjudged=400, name="RefusesEverything+A"), result(), result()], True),
        ([result(unjudged=11)], False),
        ([result(blamed=1)], False),
        ([result(missed=1)], False),
        ([result(missed=1), *[result()] * 3], True),
    ],
)
def test_the_goals_are_for_all_servers_together(results: list[lots.Result], reached: bool) -> None:
    """Found are 97 of 100, nothing is blamed wrongly, and in most servers and the worst one little is unjudged."""
    assert lots.good(lots.summary(results)) is reached


@pytest.mark.parametrize(("blamed", "code"), [(0, 0), (1, 1)])
@pytest.mark.parametrize("words", [["--sets", "2"], ["--variants"]])
def test_the_exit_code_says_whether_the_goals_are_reached(
    words: list[str], blamed: int, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is 0 if they are, and 1 if not; what was found is written down in both cases."""

    def judge_all(names: Iterable[str]) -> Iterator[lots.Result]:
        return (result(blamed=blamed) for _ in names)

    monkeypatch.setattr(lots, "judge_all", judge_all)
    assert lots.main([*words, "--json", str(tmp_path / "found.json")]) == code
    assert bool(json.loads((tmp_path / "found.json").read_text("utf-8"))["blamed"]) == bool(blamed)


@pytest.mark.parametrize("words", [["--sets", "0"], ["--size", "0"], ["--seed", "x"]])
def test_who_asks_for_nothing_is_refused(words: list[str]) -> None:
    """That is wrong usage."""
    with pytest.raises(SystemExit, match="2"):
        lots.main(words)


def test_each_variant_is_a_faulty_server() -> None:
    """The single faults that are measured exist, and so do those that conceal others."""
    assert {*lots.VARIANTS, *lots.SHOW_LITTLE_ELSE, *lots.CODELESS} <= every_fault().keys()


def test_two_faults_in_one_server_are_found_and_nothing_else() -> None:
    """Of two servers; forty with five faults each are judged every night."""
    for said in map(lots.judge, SETS):
        assert said.exact, said
        assert said.count <= lots.MEDIAN
