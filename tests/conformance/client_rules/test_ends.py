"""Programs that end with an error: what they are blamed for, and what is said of those that no rule explains."""

from __future__ import annotations

import pytest
from tests.conformance.client_rules.journals import FAILURE, Written
from tests.conformance.client_rules.test_rules import (
    MOVE,
    Play,
    broken,
    crash,
    disconnected,
    freezing,
    in_session,
    judged,
    playing,
    staying_until,
)

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
    """The last that was heard is the likeliest cause; of two at the same time nobody knows which it was."""
    assert broken(judged(lambda j: crash(playing(j).announce(1).wait(3).broadcast(1)))) == {}
    assert broken(judged(lambda j: crash(playing(j).announce(1).broadcast(1)))) == {}
    assert broken(judged(lambda j: crash(playing(j).broadcast(1).wait(1).announce(1)))).keys() == {PRESENCE}


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


def test_no_claim_is_made_without_a_freeze_that_nothing_explains() -> None:
    """As with a program that ends with an error; both are said. What a finding is about is neither."""
    journal = Written().act(DirectorAct.BEGIN, "moved-on")
    playing(journal).wait(12).close(1, "server").act(DirectorAct.FROZE, "11.9").act(DirectorAct.STOPPED)
    assert caveat(journal.packets, judge_clients(journal.packets)) == "its program froze in moved-on"
    end(in_session(journal.act(DirectorAct.BEGIN, "slow-answers"), 2).chat(2), 2)
    said = "its program ended with an error in slow-answers, and froze in moved-on"
    assert caveat(journal.packets, judge_clients(journal.packets)) == said
    journal = freezing(Written(), DirectorAct.REFUSE, answer=FAILURE)
    assert caveat(journal.packets, judge_clients(journal.packets)) == ""


def test_who_freezes_when_it_is_removed_has_not_gone_on() -> None:
    """To be removed is a reason to go, as it is for nobody who comes or goes, but none to freeze."""

    def play(journal: Written) -> None:
        staying_until(journal, DirectorAct.REMOVE).remove(2).wait(12).close(2, "server")
        journal.act(DirectorAct.FROZE, "11.9").act(DirectorAct.STOPPED)

    assert broken(judged(play)).keys() == {PRESENCE}
    gone = judged(
        lambda j: staying_until(j, DirectorAct.REMOVE).remove(2).disconnect(2).wait(2).act(DirectorAct.STOPPED)
    )
    assert broken(gone) == {}


def test_a_refused_join_is_a_failure_that_a_client_survives_if_it_asks_for_no_other_answer() -> None:
    """Of one that has callbacks for more, those are refused as well."""

    def play(journal: Written, *, ack: bool = False) -> None:
        journal.connect(1).join(1, answer=FAILURE).wait(1).join(1).wait(0.1)
        journal.send(1, "chat-message", journal.message(), ack=ack)
        journal.wait(0.5)

    assert judged(play)["client/survives-an-error-ack"].state == "held"
    assert judged(lambda j: play(j, ack=True))["client/survives-an-error-ack"].state == "not seen"


def ending_at_a_refusal(journal: Written) -> Written:
    """A client stays when nothing happens; when a request is refused, its program ends well, and says no goodbye."""
    journal = staying_until(journal, DirectorAct.REFUSE, answer=FAILURE).wait(0.05)
    return journal.act(DirectorAct.EXITED, "0").close(2)


def leaving(journal: Written, connection: int = 3) -> Written:
    """A client leaves the session, and goes."""
    journal.act(DirectorAct.BEGIN, "moved-on")
    return in_session(journal, connection).chat(connection).leave(connection).disconnect(connection)


def test_a_program_that_ends_well_at_a_refusal_has_hung_up() -> None:
    """That it ends is seen before its connection does, which over polling is not seen to end; not if it ends anyway."""
    assert broken(judged(ending_at_a_refusal)).keys() == {"client/survives-an-error-ack"}
    over_polling = judged(lambda j: staying_until(j, DirectorAct.REFUSE, answer=FAILURE).act(DirectorAct.EXITED, "0"))
    assert broken(over_polling).keys() == {"client/survives-an-error-ack"}

    def also_by_itself(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "moved-on")
        in_session(journal, 3).chat(3).act(DirectorAct.EXITED, "0").close(3)
        ending_at_a_refusal(journal)

    assert broken(judged(also_by_itself)) == {}


def test_who_leaves_and_goes_has_a_reason() -> None:
    """That says nothing about one who goes at a refusal, and is none itself if something comes between the two."""
    gone = judged(lambda j: ending_at_a_refusal(leaving(j).act(DirectorAct.STOPPED)))
    assert broken(gone).keys() == {"client/survives-an-error-ack"}

    def between(journal: Written) -> None:
        staying_until(journal, DirectorAct.UNKNOWN_EVENT).leave(2).hear(2, "x-bench:hello")
        journal.wait(0.05).disconnect(2).wait(2).act(DirectorAct.STOPPED)

    assert broken(judged(between)) == {}


def test_who_goes_later_than_it_was_ever_seen_to_stay_may_do_so_by_itself() -> None:
    """What was done to it shortly before is no reason then: a client may play for ten seconds, and end."""

    def play(journal: Written) -> None:
        staying_until(journal, DirectorAct.PRESENCE).chat(2, times=20).announce(2)
        journal.wait(0.05).disconnect(2).wait(2).act(DirectorAct.STOPPED)

    assert broken(judged(play)) == {}


def test_who_goes_though_nobody_came_or_went_on_purpose_is_not_blamed() -> None:
    """In other acts, somebody may come or go at any time."""

    def play(journal: Written) -> None:
        staying_until(journal, DirectorAct.SLOW).announce(2)
        journal.wait(0.05).disconnect(2).wait(2).act(DirectorAct.STOPPED)

    assert broken(judged(play)) == {}


def test_who_is_not_let_in_again_has_not_hung_up() -> None:
    """The server disconnects after a refusal, and the client ends a connection that was refused as well."""

    def play(journal: Written) -> None:
        staying_until(journal, DirectorAct.REFUSE).ask(2, "token:move", MOVE, answer=FAILURE)
        journal.act(DirectorAct.DISCONNECT).disconnect(2, "server").wait(1)
        journal.refused_connect(3).wait(5).act(DirectorAct.STOPPED)

    assert broken(judged(play)) == {}


DISCONNECTED = "client/tolerates-being-disconnected"


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (lambda j: disconnected(j).wait(4).act(DirectorAct.EXITED, "0"), "much later"),
        (lambda j: disconnected(j, stays=False).wait(0.1).act(DirectorAct.EXITED, "0"), "by itself elsewhere"),
        (lambda j: disconnected(j, code="NOT_JOINED").wait(0.1).act(DirectorAct.EXITED, "0"), "for a reason to go"),
    ],
)
def test_a_program_that_ends_well_for_another_reason_is_not_blamed_for_being_disconnected(play: Play, why: str) -> None:
    """It was not seen to go on either."""
    found = judged(play)
    assert broken(found) == {}, why
    assert found[DISCONNECTED].state == "not seen", why


def test_who_is_disconnected_and_ends_well_after_it_came_back_has_gone_on() -> None:
    """It connects again, and ends then."""
    found = judged(lambda j: in_session(disconnected(j).wait(0.1), 3).act(DirectorAct.EXITED, "0"))
    assert (broken(found), found[DISCONNECTED].state) == ({}, "held")


def test_who_ends_well_at_each_refusal_is_not_blamed_for_being_disconnected_after_one() -> None:
    """The server disconnects while the program ends."""

    def play(journal: Written) -> None:
        disconnected(journal).act(DirectorAct.EXITED, "0").act(DirectorAct.BEGIN, "refused").act(DirectorAct.REFUSE)
        in_session(journal, 3).chat(3).ask(3, "token:move", MOVE, answer=FAILURE).act(DirectorAct.EXITED, "0")

    assert broken(judged(play)).keys() == {"client/survives-an-error-ack"}


@pytest.mark.parametrize(("comes_back", "state"), [(True, "held"), (False, "broken")])
def test_what_is_refused_because_the_connection_has_ended_is_not_what_it_ended_for(
    comes_back: bool, state: str
) -> None:
    """Requests may be under way when the server disconnects; their refusals come behind the packet that says so."""

    def play(journal: Written) -> None:
        in_session(journal).chat(1).ask(1, "token:move", MOVE, answer=FAILURE)
        under_way = journal.send(1, "chat-message", journal.message())
        journal.add("server", "disconnect", 1)
        journal.answer(1, "chat-message", under_way, FAILURE)
        journal.close(1, "server")
        if comes_back:
            in_session(journal.wait(1), 2)
        else:
            journal.wait(0.1).act(DirectorAct.EXITED, "1")

    found = judged(play)
    assert found["client/tolerates-being-disconnected"].state == state
    assert broken(found).keys() <= {"client/tolerates-being-disconnected"}


def test_who_only_leaves_after_a_refusal_has_not_gone_on() -> None:
    """It is not seen to, nor is it blamed; who sends something before it leaves has gone on."""

    def leaves(journal: Written) -> None:
        in_session(journal).chat(1).ask(1, "token:move", MOVE, answer=FAILURE).wait(0.5).leave(1)

    def sends_and_leaves(journal: Written) -> None:
        in_session(journal).chat(1).ask(1, "token:move", MOVE, answer=FAILURE).wait(0.5).chat(1).leave(1)

    assert judged(leaves)["client/survives-an-error-ack"].state == "not seen"
    assert judged(sends_and_leaves)["client/survives-an-error-ack"].state == "held"


def test_who_ends_by_what_others_do_is_not_blamed_for_who_comes_and_goes_right_then() -> None:
    """A program takes some time to end, and others do one thing after the other meanwhile."""

    def amid(journal: Written) -> None:
        in_session(journal).chat(1)
        journal.broadcast(1).announce(1)
        journal.wait(0.02).act(DirectorAct.EXITED, "1")

    assert broken(judged(amid)) == {}


def test_who_ends_by_what_others_do_is_not_blamed_for_what_was_done_before() -> None:
    """It ends by that in another act, too, where nothing was done to it; what it ends by at once is another matter."""

    def play(journal: Written, *, at_once: bool) -> None:
        journal.act(DirectorAct.BEGIN, "ordinary")
        end(in_session(journal).broadcast(1), 1).act(DirectorAct.BEGIN, "strange-events")
        in_session(journal, 2).hear(2, "x-bench:hello", {})
        if not at_once:
            journal.wait(0.3).broadcast(2)
        end(journal, 2)

    assert broken(judged(lambda j: play(j, at_once=False))) == {}
    assert broken(judged(lambda j: play(j, at_once=True))).keys() == {"client/ignores-unknown-events"}


@pytest.mark.parametrize(
    ("what_comes", "why"),
    [
        (lambda j: j.act(DirectorAct.EXITED, "0"), "its program ended with 0"),
        (lambda j: j.disconnect(1).act(DirectorAct.STOPPED), "it hung up"),
        (lambda j: j.act(DirectorAct.FROZE, "12").act(DirectorAct.STOPPED), "its program froze"),
        (lambda j: j.act(DirectorAct.STOPPED).close(1), "let it send something, a moment later"),
    ],
)
def test_what_became_of_a_client_that_sent_nothing_is_said(what_comes: Play, why: str) -> None:
    """Where it is known; who was there until the end is asked to send something."""
    reason = judged(lambda j: what_comes(playing(j).announce(1)))[PRESENCE].reason
    assert reason.startswith(f"the client sent nothing afterwards: {why}")
