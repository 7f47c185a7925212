"""A client's run in every report, as that of a server: findings with their packets, claim, known failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conformance.client_rules.journals import Written
from tests.conformance.client_rules.test_rules import in_session, playing
from tests.conformance.command import command

from dungeonlab_conformance.client_rules.judgement import judge_clients
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.report import badge, html, junit, markdown
from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.report.ndjson import Stream
from dungeonlab_conformance.results.claim import conclude, obstacles
from dungeonlab_conformance.results.known_failures import KnownFailure
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.to_json import write
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict
from dungeonlab_spec import Catalogue

REJOINS = "client/rejoins-after-reconnect"
WORDS = ("client", "--", "node", "bot.mjs")


def a_run() -> Run:
    """Return the run of a client that was seen in two acts, and does not rejoin in the second."""
    journal = Written()
    playing(journal.act(DirectorAct.BEGIN, "ordinary")).act(DirectorAct.STOPPED).close(1)
    in_session(journal.act(DirectorAct.BEGIN, "cut-off/rst"), 2).chat(2, times=4).cut(2).wait(2).connect(3).chat(3)
    options = RunOptions(clients=WORDS)
    return Run("the client node bot.mjs", judge_clients(journal.packets), scenes=2, side="client", options=options)


def the_finding(run: Run) -> Finding:
    """Return what is wrong with that client."""
    [finding] = [finding for verdict in run.verdicts for finding in verdict.findings]
    return finding


def test_a_finding_shows_the_packets_around_the_breach() -> None:
    """They are those of the connections that it is about, in the act that it was seen in, up to a little later."""
    finding = the_finding(a_run())
    assert finding.scene == "rejoins_after_reconnect[cut-off/rst]"
    assert finding.convicting is not None
    shown = [(line.actor, line.act, line.event) for line in finding.transcript]
    assert shown[0] == ("director", "arranges", "begin cut-off/rst")
    assert ("director", "arranges", "cut rst") in shown
    assert shown[finding.convicting] == ("anna (3)", "sends", "chat-message")
    assert len(shown) > finding.convicting + 1
    assert {line.connection for line in finding.transcript} == {0, 2, 3}


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Its side, and the command that repeats it, too."""
    run = conclude(a_run())
    write(run, tmp_path / "result.json")
    again = load_run(tmp_path / "result.json")
    assert (again.side, again.again) == ("client", "dungeonlab-conformance client -- node bot.mjs")
    assert again.verdicts == run.verdicts


def test_a_run_is_read_back_from_a_stream(tmp_path: Path) -> None:
    """One line for each verdict, written when all acts are over."""
    run = conclude(a_run())
    with Stream(tmp_path / "stream.ndjson", run, 0) as stream:
        stream.finish()
    again = load_run(tmp_path / "stream.ndjson")
    assert (again.side, again.again, again.exit_code) == ("client", run.again, run.exit_code)
    assert again.verdicts == run.verdicts


def test_a_client_that_breaks_the_same_often_is_read_back_too(tmp_path: Path) -> None:
    """No more findings are kept than a result may hold."""
    journal = Written()
    journal.connect(1).chat(1, times=20)
    write(Run("a client", judge_clients(journal.packets), side="client"), tmp_path / "result.json")
    assert [len(v.findings) for v in load_run(tmp_path / "result.json").verdicts if v.findings] == [3]


def test_each_format_names_the_client_and_how_to_judge_it_again() -> None:
    """No report says that a server was judged."""
    run = conclude(a_run())
    for text in (html.page(run), markdown.text(run), junit.text(run)):
        assert "the client node bot.mjs" in text
        assert "dungeonlab-conformance client -- node bot.mjs" in text
        assert "--only" not in text
    assert "on clients from 2 acts" in html.page(run)
    assert badge.endpoint(run)["label"] == "DungeonLab 1.0 client"
    assert badge.state(run) == ("1 of 19 broken", "red")


@pytest.mark.parametrize("words", [["replay", REJOINS], ["reproduce", REJOINS], ["recheck"]])
def test_what_only_works_for_servers_says_so(tmp_path: Path, words: list[str]) -> None:
    """A client's requests are not played against a server, nor its verdicts computed from a recording."""
    write(conclude(a_run()), tmp_path / "result.json")
    done = command(words[0], f"{tmp_path / 'result.json'}", *words[1:])
    assert done.returncode == 2
    assert "client" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def held() -> Run:
    """Return a run in which everything that is demanded of clients was seen to hold."""
    demanded = [r for r in Catalogue.load().requirements.values() if r.side == "client"]
    verdicts = [Verdict(requirement.id, None, requirement.level, Outcome.PASS) for requirement in demanded]
    return Run("the client node bot.mjs", verdicts, side="client")


def test_a_client_that_keeps_every_must_may_say_so() -> None:
    """What is demanded of servers stands in nobody's way."""
    run = conclude(held())
    assert run.claim == "Client conformant to version 1.0 of the DungeonLab protocol: the client node bot.mjs"
    assert headline(run) == "Client conformant: every MUST of version 1.0 held"
    assert badge.state(run) == ("conformant", "brightgreen")


def test_what_was_not_seen_stands_in_the_way_of_the_claim() -> None:
    """A client that leaves out one thing claims nothing, and its run fails."""
    run = held()
    must = next(verdict for verdict in run.verdicts if verdict.requirement == REJOINS)
    must.outcome = Outcome.UNJUDGED
    assert conclude(run).claim == ""
    assert run.exit_code == 3
    assert [*obstacles(run)] == ["1 of 12 verdicts on a MUST: could not be judged"]


def test_known_failures_of_clients_work_both_ways() -> None:
    """A listed failure is accepted, a listed success is an error, and what is demanded of servers is named as such."""
    run = conclude(a_run(), [KnownFailure(REJOINS, "ticket 7")])
    assert [verdict.known for verdict in run.verdicts if verdict.requirement == REJOINS] == ["ticket 7"]
    assert run.stale == []
    assert [*conclude(held(), [KnownFailure(REJOINS, "ticket 7")]).stale]
    [stale] = conclude(held(), [KnownFailure("rooms/*", "ticket 7")]).stale
    assert stale.endswith("it is for servers, which the command `run` judges")


@pytest.mark.parametrize("text", ["[" * 5000, '["' + "x" * 100_000 + '"]', "\x1b[31m\ud800"])
def test_a_finding_holds_what_clients_send_within_bounds(text: str) -> None:
    """Payloads are cut, and can be written as JSON."""
    journal = Written()
    journal.connect(1).add("client", "event", 1, event="chat-messages", ack_id=1, text=text)
    verdicts = judge_clients(journal.packets)
    [finding] = [finding for verdict in verdicts for finding in verdict.findings]
    assert max(len(line.body) for line in finding.transcript) < 5_000
    json.dumps([line.body for line in finding.transcript])
