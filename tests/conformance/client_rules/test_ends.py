"""Programs that end with an error: what they are blamed for, and what is said of those that no rule explains."""

from __future__ import annotations

from tests.conformance.client_rules.journals import Written
from tests.conformance.client_rules.test_rules import broken, crash, in_session, judged, playing

from dungeonlab_conformance.client_rules.judgement import caveat, judge_clients
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.report import badge
from dungeonlab_conformance.report.content.headline import headline
from dungeonlab_conformance.results.claim import conclude
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_conformance.tap.verdicts import judged as judged_recording
from dungeonlab_spec import Catalogue

PRESENCE = "client/tolerates-presence-events"


def removed(journal: Written) -> Written:
    """A client bears that somebody comes, and is taken out of the session in another act."""
    journal.act(DirectorAct.BEGIN, "ordinary")
    playing(journal).announce(1).wait(0.5).chat(1).act(DirectorAct.STOPPED).close(1)
    journal.act(DirectorAct.BEGIN, "removed")
    in_session(journal, 2).chat(2, times=4).act(DirectorAct.REMOVE)
    return journal.remove(2)


def end(journal: Written, connection: int, code: str = "1") -> Written:
    """A client's program ends."""
    return journal.wait(0.05).close(connection).act(DirectorAct.EXITED, code)


def test_a_crash_when_removed_is_one_by_a_presence_event() -> None:
    """Other presence events that were borne are no excuse; a program that ends well may do so."""
    assert broken(judged(lambda j: end(removed(j), 2))).keys() == {PRESENCE}
    assert broken(judged(lambda j: end(removed(j), 2, "0"))) == {}


def test_a_crash_by_something_later_is_not_one_by_a_presence_event() -> None:
    """The last that was heard is the likeliest cause."""
    assert broken(judged(lambda j: crash(playing(j).announce(1).wait(3).broadcast(1)))) == {}
    assert broken(judged(lambda j: crash(playing(j).announce(1).broadcast(1)))).keys() == {PRESENCE}


def test_a_client_that_crashes_by_messages_is_not_blamed_for_presence_events() -> None:
    """It ends in another act, too, where nobody came."""

    def play(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "ordinary")
        end(in_session(journal).broadcast(1), 1).act(DirectorAct.BEGIN, "strange-events")
        end(in_session(journal, 2).announce(2).broadcast(2), 2)

    assert broken(judged(play)) == {}


def test_no_claim_is_made_without_an_end_that_nothing_explains() -> None:
    """The headline, the claim and the badge say so; what a finding is about is none of those."""
    journal = Written().act(DirectorAct.BEGIN, "moved-on")
    end(playing(journal), 1).act(DirectorAct.BEGIN, "removed")
    end(in_session(journal, 2).chat(2, times=4).act(DirectorAct.REMOVE).remove(2), 2)
    said = caveat(journal.packets, judge_clients(journal.packets))
    assert said == "its program ended with an error in moved-on"
    assert judged_recording("x", journal.packets, ("report", "x")).caveat == said
    demanded = [r for r in Catalogue.load().requirements.values() if r.side == "client"]
    verdicts = [Verdict(requirement.id, None, requirement.level, Outcome.PASS) for requirement in demanded]
    run = conclude(Run("the client node bot.mjs", verdicts, side="client", caveat=said))
    assert headline(run) == f"Client conformant: every MUST of version 1.0 held, but {said}"
    assert f", but {said}: " in run.claim
    assert badge.state(run) == ("conformant, with a caveat", "yellowgreen")
