"""Each rule on journals written by hand: faulty clients break it and nothing else, correct ones break nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.client_rules.journals import FAILURE, TIME, Written

from dungeonlab_conformance.client_rules.judgement import Judgement, judgements
from dungeonlab_conformance.record.tapped.acts import DirectorAct

Play = Callable[[Written], Any]
MOVE = {"sessionId": "s1", "encounterId": "e1", "tokenId": "t1", "position": {"x": 1, "y": 1}}

TOKEN: dict[str, Any] = {"name": "goblin", "position": {"x": 0, "y": 0}}
DRAFT: dict[str, Any] = {"sessionId": "s1", "encounterId": "e1", "token": TOKEN}
PLACEHOLDER = {"image": {"_placeholder": True, "num": 0}}
VALID_ACTION = {"type": "token:move", "payload": MOVE}
ERROR = {"event": "token:move", "error": "no", "code": "INTERNAL_ERROR"}
LEFT = {"sessionId": "s1", "userId": "u2", "timestamp": TIME, "reason": "left"}


def in_session(journal: Written, connection: int = 1, user: str = "anna") -> Written:
    """A client connects and joins."""
    return journal.connect(connection, user).join(connection)


def playing(journal: Written) -> Written:
    """A client that is in a session and sends to it regularly."""
    return in_session(journal).chat(1, times=4)


def quietly_playing(journal: Written) -> Written:
    """A client that joins without a callback, and plays as soon as it hears something of the room."""
    journal.connect(1).send(1, "join-session", {"sessionId": "s1"}, ack=False)
    return journal.broadcast(1).chat(1, times=4)


def buffered(journal: Written) -> None:
    """What socket.io-client does by itself: what was emitted while offline is sent, and only then the join."""
    playing(journal).cut(1).wait(2).connect(2)
    journal.ask(2, "chat-message", journal.message())
    journal.join(2).chat(2, times=2)


def resending(journal: Written) -> None:
    """Each request is sent again after a second, until the answer comes."""
    in_session(journal)
    for _ in range(2):
        payload = journal.message()
        number = journal.send(1, "chat-message", payload)
        journal.wait(1.0)
        journal.send(1, "chat-message", payload)
        journal.wait(1.0).answer(1, "chat-message", number)


def counting_attempts(journal: Written) -> None:
    """A request is sent again after a second, in another order, with the number of the attempt and the time."""
    in_session(journal)
    payload = DRAFT | {"attempt": 1}
    number = journal.send(1, "token:create", payload)
    journal.wait(1.0)
    again = {**dict(reversed(payload.items())), "attempt": 2, "token": {**TOKEN, "sentAt": journal.at}}
    journal.send(1, "token:create", again)
    journal.wait(1.0).answer(1, "token:create", number)


def repeating_a_packet(journal: Written) -> None:
    """The same packet is sent again over WebSocket, under its number."""
    in_session(journal)
    payload = journal.message()
    number = journal.send(1, "chat-message", payload)
    journal.wait(1.0)
    journal.add("client", "event", 1, event="chat-message", ack_id=number, text=journal.packets[-1].text)
    journal.wait(1.0).answer(1, "chat-message", number)


def unanswered_join(journal: Written) -> None:
    """The client joins, does not wait, and sends."""
    number = journal.connect(1).send(1, "join-session", {"sessionId": "s1"})
    journal.send(1, "chat-message", journal.message())
    journal.answer(1, "join-session", number)


def join_without_callback(journal: Written) -> None:
    """The client joins without a callback, so that it cannot wait, and sends."""
    journal.connect(1).send(1, "join-session", {"sessionId": "s1"}, ack=False)
    journal.wait(0.5).send(1, "chat-message", journal.message())


def stay_and_leave(journal: Written) -> Written:
    """The client sends a few messages, leaves, and stays for a while without a word."""
    return journal.chat(1, times=3).leave(1).wait(3).act(DirectorAct.STOPPED)


def crash(journal: Written) -> Written:
    """The client's program ends with an error."""
    return journal.wait(0.05).close(1).act(DirectorAct.EXITED, "1")


def hanging_up_at_refusals(journal: Written) -> None:
    """A client stays when nothing happens, and goes when a request is refused."""
    journal.act(DirectorAct.BEGIN, "ordinary")
    playing(journal).act(DirectorAct.STOPPED).close(1).act(DirectorAct.BEGIN, "refused").act(DirectorAct.REFUSE)
    in_session(journal, 2).ask(2, "token:move", MOVE, answer=FAILURE).disconnect(2).wait(2).act(DirectorAct.STOPPED)


def staying_until(journal: Written, act: DirectorAct, *heard: Any, answer: Any = None) -> Written:
    """A client stays when nothing happens, and is alive when something is done to it."""
    journal.act(DirectorAct.BEGIN, "ordinary")
    surviving(journal).act(DirectorAct.STOPPED).close(1).act(DirectorAct.BEGIN, "other").act(act)
    in_session(journal, 2).chat(2, times=2)
    if answer:
        journal.ask(2, "token:move", MOVE, answer=answer)
    if heard:
        journal.hear(2, *heard)
    return journal


def hanging_up(journal: Written, act: DirectorAct, *heard: Any, answer: Any = None) -> Written:
    """A client stays when nothing happens, and goes at something that is done to it."""
    return staying_until(journal, act, *heard, answer=answer).wait(0.05).disconnect(2).wait(2).act(DirectorAct.STOPPED)


def disconnected(journal: Written, *, stays: bool = True, code: str = "INTERNAL_ERROR") -> Written:
    """A client stays when nothing happens, or ends by itself; the server disconnects it after a refusal."""
    journal.act(DirectorAct.BEGIN, "ordinary")
    playing(journal).act(DirectorAct.STOPPED if stays else DirectorAct.EXITED, "" if stays else "0").close(1)
    journal.act(DirectorAct.BEGIN, "disconnected").act(DirectorAct.REFUSE, code)
    in_session(journal, 2).chat(2, times=2).ask(2, "token:move", MOVE, answer=FAILURE | {"code": code})
    return journal.act(DirectorAct.DISCONNECT).disconnect(2, "server")


def freezing(journal: Written, act: DirectorAct, *heard: Any, answer: Any = None, silent: str = "11.9") -> Written:
    """A client stays when nothing happens, and after something that is done to it answers no ping any more."""
    frozen = staying_until(journal, act, *heard, answer=answer).wait(12).close(2, "server")
    return frozen.act(DirectorAct.FROZE, silent).act(DirectorAct.STOPPED)


FAULTY: dict[str, list[Play]] = {
    "client/connects-with-the-cookie": [
        lambda j: j.connect(1, user="").join(1).chat(1),
        lambda j: playing(j).cut(1).wait(1).refused_connect(2, user=""),
        lambda j: (j.add("client", "handshake", 1), j.add("server", "response", 1, event="401"), j.close(1, "server")),
        lambda j: j.act(DirectorAct.BEGIN).refused_connect(1).wait(9).act(DirectorAct.STOPPED),
        lambda j: j.act(DirectorAct.BEGIN).refused_connect(1).act(DirectorAct.EXITED, "0"),
        lambda j: (
            playing(j.act(DirectorAct.BEGIN)).cut(1).wait(1),
            j.refused_connect(2, "altered").wait(9).act(DirectorAct.STOPPED),
        ),
    ],
    "client/joins-before-it-sends": [
        lambda j: j.connect(1).chat(1),
        lambda j: j.connect(1).chat(1).join(1).chat(1),
        lambda j: j.connect(1).join(1, "s2").chat(1, "s1"),
        lambda j: j.connect(1).join(1, answer=FAILURE).chat(1),
        lambda j: in_session(j).disconnect(1).wait(1).connect(2).chat(2),
        lambda j: (in_session(j).chat(1), j.connect(2).chat(2)),
        lambda j: j.connect(1).join(1).ask(1, "validate-action", {"sessionId": "s2", "action": VALID_ACTION}),
    ],
    "client/waits-for-the-join": [unanswered_join, join_without_callback],
    "client/puts-session-id-in-every-session-event": [
        lambda j: in_session(j).ask(1, "chat-message", {"message": "x"}),
        lambda j: in_session(j).ask(1, "chat-message", {"message": "x", "sessionId": None}),
        lambda j: in_session(j).ask(1, "leave-session", {}),
        lambda j: j.connect(1).ask(1, "join-session", {"sessionId": ""}),
        lambda j: in_session(j).ask(1, "chat-message", {"message": "x", "sessionId": ""}),
    ],
    "client/sends-only-valid-payloads": [
        lambda j: in_session(j).ask(1, "token:move", MOVE | {"position": {"x": "1", "y": 2}}),
        lambda j: in_session(j).ask(1, "chat-message", "hello"),
        lambda j: in_session(j).ask(1, "chat-message", None),
        lambda j: in_session(j).ask(1, "chat-message", {"sessionId": "s1", "message": " "}),
        lambda j: in_session(j).ask(1, "chat-message", {"sessionId": "s1", "message": "\ud800"}),
        lambda j: in_session(j).send(
            1, "token:create", DRAFT | {"token": TOKEN | {"data": PLACEHOLDER}}, attachments=1
        ),
        lambda j: in_session(j).ask(1, "chat-message", {"sessionId": 7, "message": "x"}),
    ],
    "client/sends-one-argument": [
        lambda j: in_session(j).ask(1, "get-user-data"),
        lambda j: in_session(j).ask(1, "chat-message", j.message(), "more"),
    ],
    "client/sends-catalogue-events-only": [
        lambda j: in_session(j).ask(1, "chat-messages", j.message()),
        lambda j: in_session(j).ask(1, "user-joined", {"sessionId": "s1"}),
    ],
    "client/survives-an-error-ack": [
        lambda j: crash(in_session(j).ask(1, "chat-message", j.message(), answer=FAILURE)),
        lambda j: crash(playing(j).announce(1).ask(1, "chat-message", j.message(), answer=FAILURE)),
        lambda j: hanging_up_at_refusals(j),
        lambda j: freezing(j, DirectorAct.REFUSE, answer=FAILURE),
    ],
    "client/tolerates-an-error-event": [
        lambda j: crash(surviving(j).hear(1, "error", ERROR).ask(1, "token:move", MOVE, answer=FAILURE)),
        lambda j: crash(playing(j).hear(1, "error", ERROR)),
        lambda j: hanging_up(j, DirectorAct.ERROR_EVENT, "error", ERROR, answer=FAILURE),
    ],
    "client/tolerates-presence-events": [
        lambda j: crash(playing(j).announce(1)),
        lambda j: hanging_up(j, DirectorAct.PRESENCE, "user-left", LEFT),
        lambda j: freezing(j, DirectorAct.PRESENCE, "user-left", LEFT),
    ],
    "client/ignores-unknown-events": [
        lambda j: crash(playing(j).hear(1, "x-bench:hello", {})),
        lambda j: crash(playing(j).announce(1).hear(1, "user-typing", {})),
        lambda j: hanging_up(j, DirectorAct.UNKNOWN_EVENT, "x-bench:hello", {}),
        lambda j: freezing(j, DirectorAct.UNKNOWN_EVENT, "x-bench:hello", {}),
    ],
    "client/tolerates-being-disconnected": [
        lambda j: (
            surviving(j).ask(1, "token:move", MOVE, answer=FAILURE).disconnect(1, "server").wait(0.1),
            j.act(DirectorAct.EXITED, "1"),
        ),
        lambda j: disconnected(j).wait(0.1).act(DirectorAct.EXITED, "0"),
    ],
    "client/connects-again": [
        lambda j: (playing(j).cut(1).wait(40), j.act(DirectorAct.STOPPED)),
        lambda j: (playing(j).cut(1).wait(1), j.act(DirectorAct.EXITED, "1")),
        lambda j: playing(j).act(DirectorAct.CUT, "silence", 1).wait(10).close(1).wait(31).act(DirectorAct.STOPPED),
        lambda j: (
            playing(j).cut(1).attempts(0.1, 1.0).wait(9),
            j.act(DirectorAct.BACK).wait(31).act(DirectorAct.STOPPED),
        ),
    ],
    "client/rejoins-after-reconnect": [
        buffered,
        lambda j: quietly_playing(j).cut(1).wait(2).connect(2).chat(2),
        lambda j: playing(j).cut(1).wait(2).connect(2).chat(2, times=2),
        lambda j: playing(j).cut(1).wait(2).connect(2).leave(2, answer=FAILURE | {"code": "NOT_JOINED"}).chat(2),
        lambda j: playing(j).close(1, "server").wait(2).connect(2).chat(2),
        lambda j: playing(j).cut(1).wait(1).connect(2).cut(2).wait(1).connect(3).chat(3),
    ],
    "client/backs-off": [
        lambda j: playing(j).cut(1).attempts(*[1.0] * 10),
        lambda j: playing(j).cut(1).attempts(*[0.05] * 200),
        lambda j: playing(j).cut(1).attempts(*[2.0] * 6),
        lambda j: playing(j).cut(1).attempts(0.02, *[1.0] * 9),
        lambda j: playing(j).cut(1).attempts(0.02, *[2.0] * 6),
        lambda j: playing(j).cut(1).attempts(1.2, 0.8, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.1),
        lambda j: playing(j).cut(1).attempts(0.11, 0.11, *[0.25] * 40),
        lambda j: (playing(j), in_session(j, 2, "berta").cut(1).cut(2).attempts(*[0.5] * 20)),
    ],
    "client/stops-when-unauthenticated": [
        lambda j: (in_session(j).disconnect(1, "server"), refusals(j, 2, 3, 4, 5)),
        lambda j: (in_session(j).connect(2).close(1, "server").close(2, "server"), refusals(j, *range(3, 10))),
    ],
    "client/stops-sending-after-leaving": [
        lambda j: playing(j).leave(1).chat(1),
        lambda j: playing(j).join(1, "s2").chat(1, "s2", times=3).chat(1, "s1"),
        lambda j: (playing(j), j.send(1, "leave-session", {"sessionId": "s1"}), j.chat(1)),
        lambda j: playing(j).join(1, "s2").chat(1, "s1", times=5, every=0.1),
        lambda j: (playing(j), j.send(1, "leave-session", {"sessionId": "s1"}, ack=False), j.chat(1)),
    ],
    "client/stops-when-removed": [
        lambda j: playing(j).remove(1).chat(1, times=5),
        lambda j: playing(j).remove(1).chat(1, times=5, every=0.1),
    ],
    "client/sends-no-duplicates": [resending, counting_attempts, repeating_a_packet],
}


def refusals(journal: Written, *connections: int) -> Written:
    """A client connects again and again, and is refused."""
    for connection in connections:
        journal.wait(1.5).refused_connect(connection)
    return journal


def surviving(journal: Written) -> Written:
    """A client that goes on after a failure acknowledgement."""
    return in_session(journal).ask(1, "chat-message", journal.message(), answer=FAILURE).wait(0.5).chat(1, times=4)


CORRECT: dict[str, list[Play]] = {
    "client/connects-with-the-cookie": [playing, lambda j: j.connect(1, transport="polling").join(1).chat(1)],
    "client/joins-before-it-sends": [
        playing,
        lambda j: in_session(j).join(1).chat(1),
        lambda j: in_session(j).join(1, "s2", answer=FAILURE).chat(1),
        lambda j: in_session(j).join(1, answer=FAILURE).chat(1),
        lambda j: j.connect(1).join(1, answer=FAILURE).wait(1).join(1).chat(1),
        lambda j: (in_session(j), in_session(j, 2).chat(2).leave(1).chat(2)),
        lambda j: (in_session(j), j.connect(2, "berta").join(2, "s2").chat(2, "s2").chat(1)),
    ],
    "client/waits-for-the-join": [
        playing,
        lambda j: (j.connect(1), j.send(1, "join-session", {"sessionId": "s1"}, ack=False), j.broadcast(1).chat(1)),
    ],
    "client/puts-session-id-in-every-session-event": [lambda j: playing(j).ask(1, "get-user-data", {})],
    "client/sends-only-valid-payloads": [
        lambda j: playing(j).ask(1, "token:move", MOVE | {"extra": 1}),
        lambda j: in_session(j).ask(1, "token:create", DRAFT | {"token": TOKEN | {"data": PLACEHOLDER}}),
    ],
    "client/sends-one-argument": [playing],
    "client/sends-catalogue-events-only": [lambda j: playing(j).ask(1, "x-tavern:ring")],
    "client/survives-an-error-ack": [surviving],
    "client/tolerates-an-error-event": [
        lambda j: playing(j).hear(1, "error", ERROR).ask(1, "token:move", MOVE, answer=FAILURE).wait(0.5).chat(1),
    ],
    "client/tolerates-presence-events": [lambda j: playing(j).announce(1).wait(0.5).chat(1)],
    "client/ignores-unknown-events": [lambda j: playing(j).hear(1, "x-bench:hello").wait(0.5).chat(1)],
    "client/tolerates-being-disconnected": [
        lambda j: (surviving(j).ask(1, "token:move", MOVE, answer=FAILURE).disconnect(1, "server"), in_session(j, 2)),
        lambda j: (
            in_session(j).chat(1).send(1, "token:move", MOVE, ack=False),
            j.hear(1, "error", ERROR).disconnect(1, "server"),
            in_session(j, 2),
        ),
        lambda j: (
            surviving(j).ask(1, "token:move", MOVE, answer=FAILURE).disconnect(1, "server").wait(3),
            j.act(DirectorAct.STOPPED),
        ),
    ],
    "client/connects-again": [
        lambda j: (playing(j).cut(1).wait(2), in_session(j, 2)),
        lambda j: (playing(j.act(DirectorAct.BEGIN, "cut-off/rst")).cut(1).wait(2), in_session(j, 2, "anna-anew")),
    ],
    "client/rejoins-after-reconnect": [
        lambda j: (playing(j).cut(1).wait(2), in_session(j, 2).chat(2, times=2)),
        lambda j: (playing(j).cut(1, "silence").wait(9).close(1), in_session(j, 2).chat(2, times=2)),
        lambda j: (playing(j).close(1, "server").wait(2), j.connect(2).join(2, "s2").chat(2, "s2")),
    ],
    "client/backs-off": [
        lambda j: playing(j).cut(1).attempts(1.4, 2.5, 5.0),
        lambda j: playing(j).cut(1).attempts(1.5, 2.5, 4.2, 5.2, pairs=True),
        lambda j: playing(j).cut(1).attempts(0.02, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0),
        lambda j: playing(j).cut(1).attempts(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4),
        lambda j: playing(j).cut(1).attempts(*[5.0] * 12),
        lambda j: playing(j).cut(1).attempts(0.6, 1.1, 1.9, 2.1, 1.7, 2.2),
    ],
    "client/stops-when-unauthenticated": [
        lambda j: (in_session(j).disconnect(1, "server"), refusals(j, 2, 3, 4), j.wait(10).attempts(0)),
        lambda j: (in_session(j).disconnect(1, "server"), refusals(j, 2), j.act(DirectorAct.EXITED, "0")),
    ],
    "client/stops-sending-after-leaving": [
        lambda j: playing(j).leave(1).leave(1).disconnect(1),
        lambda j: (
            j.connect(1).send(1, "join-session", {"sessionId": "s1"}, ack=False),
            stay_and_leave(j.broadcast(1)),
        ),
        lambda j: (in_session(j).chat(1).leave(1).wait(3), j.act(DirectorAct.STOPPED)),
        lambda j: playing(j).leave(1).wait(3).join(1).chat(1),
        lambda j: playing(j).join(1, "s2").chat(1, "s2", times=5),
    ],
    "client/stops-when-removed": [
        lambda j: playing(j).remove(1).wait(0.3).chat(1).wait(3).leave(1).join(1, answer=FAILURE),
        lambda j: playing(j).remove(1).join(1).chat(1, times=8),
        lambda j: late(playing(j).remove(1), 2).wait(3).leave(1),
    ],
    "client/sends-no-duplicates": [lambda j: late(in_session(j), 3)],
}


def test_a_client_that_ends_anyway_is_not_blamed_for_a_refusal() -> None:
    """It ends by itself too when nothing happens to it, so that nobody knows why it does."""

    def play(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "ordinary")
        playing(journal).disconnect(1).act(DirectorAct.EXITED, "0").act(DirectorAct.BEGIN, "refused")
        in_session(journal.act(DirectorAct.REFUSE), 2).ask(2, "token:move", MOVE, answer=FAILURE)
        journal.disconnect(2).act(DirectorAct.EXITED, "0")

    assert judged(play)["client/survives-an-error-ack"].state == "not seen"


def test_a_client_that_repeats_itself_is_judged_by_what_else_it_sends() -> None:
    """It says the same again before an answer and after one, and moves a token while answers are late."""

    def play(journal: Written) -> None:
        in_session(journal)
        payload = journal.message()
        for pause in (1.0, 0.5):
            number = journal.send(1, "chat-message", payload)
            journal.wait(pause)
        journal.answer(1, "chat-message", number)
        journal.wait(1).ask(1, "chat-message", payload)
        assert judged_so_far(journal) == "not seen"
        number = journal.send(1, "token:move", MOVE)
        journal.wait(2).answer(1, "token:move", number)

    assert judged(play)["client/sends-no-duplicates"].state == "held"


def judged_so_far(journal: Written) -> str:
    """Return what became of repetitions in a journal that goes on."""
    found = {judgement.requirement: judgement for judgement in judgements(journal.packets)}
    return found["client/sends-no-duplicates"].state


def test_a_crash_is_not_blamed_on_what_the_client_bore_before() -> None:
    """Somebody came shortly before its program ended, as somebody had when it went on."""
    found = judged(lambda j: crash(playing(j).announce(1).wait(0.5).chat(1, times=2).announce(1)))
    assert broken(found) == {}


def test_a_short_client_is_not_blamed_for_what_it_has_outlived() -> None:
    """It ends each time it has said all; elsewhere it is stopped, since it waits for a server that is away."""

    def play(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "ordinary")
        in_session(journal).chat(1).disconnect(1).act(DirectorAct.EXITED, "0")
        journal.act(DirectorAct.BEGIN, "logged-out").act(DirectorAct.LOG_OUT)
        in_session(journal, 2).chat(2).act(DirectorAct.STOPPED).close(2)
        journal.act(DirectorAct.BEGIN, "refused").act(DirectorAct.REFUSE)
        in_session(journal, 3).ask(3, "token:move", MOVE, answer=FAILURE).disconnect(3).act(DirectorAct.EXITED, "0")

    assert broken(judged(play)) == {}


def test_a_client_that_went_on_after_a_refusal_may_hang_up_at_once() -> None:
    """A request that waited for another's answer is no longer one that was under way."""

    def play(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "ordinary")
        playing(journal).act(DirectorAct.STOPPED).close(1).act(DirectorAct.BEGIN, "refused").act(DirectorAct.REFUSE)
        in_session(journal, 2).ask(2, "token:move", MOVE, answer=FAILURE)
        for _ in range(2):
            journal.ask(2, "chat-message", journal.message())
        journal.disconnect(2).wait(2).act(DirectorAct.STOPPED)

    assert broken(judged(play)) == {}


def test_a_client_is_blamed_for_freezing_only_if_that_is_certain() -> None:
    """Not if it also freezes when nothing happens, nor if nobody knows, nor if it was alive afterwards."""

    def also_by_itself(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "moved-on")
        in_session(journal, 3).chat(3).wait(12).close(3, "server").act(DirectorAct.FROZE, "11.8").act(
            DirectorAct.STOPPED
        )
        freezing(journal, DirectorAct.REFUSE, answer=FAILURE)

    def nobody_knows(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN, "refused").act(DirectorAct.REFUSE)
        in_session(journal).ask(1, "token:move", MOVE, answer=FAILURE).wait(12)
        journal.act(DirectorAct.FROZE, "11.9").act(DirectorAct.STOPPED)

    for play in (also_by_itself, nobody_knows):
        assert broken(judged(play)) == {}
    for silent in ("5", "-1", "nan", "1e999", "long"):
        assert broken(judged(lambda j, s=silent: freezing(j, DirectorAct.REFUSE, answer=FAILURE, silent=s))) == {}  # type: ignore[misc]


def test_a_client_may_go_when_it_is_no_member() -> None:
    """That code is a reason to hang up."""

    def play(journal: Written) -> None:
        refused = {"success": False, "error": "no", "code": "PERMISSION_DENIED"}
        hanging_up(journal, DirectorAct.REFUSE, answer=refused)

    assert broken(judged(play)) == {}


@pytest.mark.parametrize("pauses", [(1.2, 1.6, 1.9, 1.7, 2.1, 1.8, 1.6), (0.7, 0.9, 1.5, 1.1, 1.4, 1.2, 1.5)])
def test_a_client_may_try_at_uneven_intervals_up_to_a_low_limit(pauses: tuple[float, ...]) -> None:
    """That is how libraries try whose limit was set to two seconds, or less: by chance they begin with long ones."""
    assert broken(judged(lambda j: playing(j).cut(1).attempts(*pauses))) == {}


def test_a_client_that_tries_ever_more_rarely_has_not_given_up() -> None:
    """It may take far longer than before until it tries again; and nobody need try while the server is away."""

    def patient(journal: Written) -> None:
        playing(journal).cut(1).attempts(3, 9).act(DirectorAct.BACK).wait(40).act(DirectorAct.STOPPED)

    def away(journal: Written) -> None:
        playing(journal).cut(1).attempts(0.1, 1.0).wait(90).act(DirectorAct.STOPPED)

    assert broken(judged(patient)) == broken(judged(away)) == {}


def test_who_logs_in_anew_may_be_who_was_cut_off() -> None:
    """Of several people nobody knows who comes with a cookie that was not seen before."""

    def play(journal: Written) -> None:
        playing(journal).cut(1).wait(2)
        in_session(journal, 2, "anna-anew").wait(40).chat(2)

    assert broken(judged(play)) == {}


@pytest.mark.parametrize("act", [DirectorAct.BEGIN, DirectorAct.LOG_OUT])
def test_a_cookie_may_have_died(act: DirectorAct) -> None:
    """It was alive before, or the client gets a new one and is let in with that; what the server did is no fault."""

    def old_cookie(journal: Written) -> None:
        journal.act(DirectorAct.BEGIN).act(act).refused_connect(1, "anna-before")
        in_session(journal.wait(1), 2).chat(2, times=4).wait(9).act(DirectorAct.STOPPED)

    def logged_out(journal: Written) -> None:
        playing(journal.act(DirectorAct.BEGIN)).act(act).close(1, "server").wait(1)
        journal.refused_connect(2).wait(9).act(DirectorAct.STOPPED)

    assert broken(judged(old_cookie)) == broken(judged(logged_out)) == {}


@pytest.mark.parametrize("latency", [0.01, 0.1])
def test_who_says_the_same_at_a_fixed_rate_does_not_send_it_again(latency: float) -> None:
    """The timer of a client waits for no answer; late ones fall behind it, and that is all that is different."""

    def play(journal: Written) -> None:
        in_session(journal.act(DirectorAct.BEGIN))
        for _ in range(5):
            began = journal.at
            number = journal.send(1, "token:move", MOVE)
            journal.wait(latency).answer(1, "token:move", number)
            journal.at = began + 0.395
        in_session(journal.act(DirectorAct.BEGIN), 2)
        asked = []
        for _ in range(5):
            asked.append(journal.send(2, "token:move", MOVE))
            journal.wait(0.395)
        for number in asked:
            journal.answer(2, "token:move", number)

    assert broken(judged(play)) == {}


def test_who_tries_a_cookie_and_is_not_watched_may_log_in_later() -> None:
    """Nor is it known of clients that are not started for an act what they did before."""
    assert broken(judged(lambda j: j.act(DirectorAct.BEGIN).refused_connect(1).act(DirectorAct.STOPPED))) == {}
    assert broken(judged(lambda j: j.refused_connect(1).wait(60))) == {}


def late(journal: Written, times: int) -> Written:
    """A client sends while the answers to what it sent before are still to come."""
    asked = []
    for _ in range(times):
        asked.append(journal.send(1, "chat-message", journal.message()))
        journal.wait(0.5)
    for number in asked:
        journal.wait(0.5).answer(1, "chat-message", number)
    return journal


def judged(play: Play) -> dict[str, Judgement]:
    """Return what became of each requirement in a journal."""
    journal = Written()
    play(journal)
    return {judgement.requirement: judgement for judgement in judgements(journal.packets)}


def cases(plays: dict[str, list[Play]]) -> list[Any]:
    """Return each play with the requirement that it is about."""
    return [
        pytest.param(name, play, id=f"{name.partition('/')[2]}-{number}")
        for name, each in plays.items()
        for number, play in enumerate(each, 1)
    ]


def broken(found: dict[str, Judgement]) -> dict[str, Any]:
    """Return what is broken, and by what."""
    return {name: [breaks.got for breaks in each.breaks] for name, each in found.items() if each.state == "broken"}


@pytest.mark.parametrize(("requirement", "play"), cases(FAULTY))
def test_a_faulty_client_breaks_one_requirement_alone(requirement: str, play: Play) -> None:
    """It is blamed for what it does wrong, and for nothing that follows from that."""
    assert broken(judged(play)).keys() == {requirement}


@pytest.mark.parametrize(("requirement", "play"), cases(CORRECT))
def test_a_correct_client_keeps_it_and_breaks_nothing(requirement: str, play: Play) -> None:
    """The requirement was seen to hold; what was not seen says what to let the client do."""
    found = judged(play)
    assert broken(found) == {}
    assert found[requirement].state == "held", found[requirement].reason
    assert all(each.reason for each in found.values() if each.state == "not seen")


def test_each_requirement_has_faulty_and_correct_clients() -> None:
    """None of the rules goes untried."""
    assert FAULTY.keys() == CORRECT.keys() == judged(lambda _: None).keys()


def test_what_convicts_is_the_packet_that_shows_it() -> None:
    """It is the last packet of what shows a breach, and the first such one of the requirement."""
    found = judged(lambda j: j.connect(1).chat(1, times=3))["client/joins-before-it-sends"]
    assert found.packet is not None
    assert (found.packet.event, found.packet.number, found.times) == ("chat-message", 5, 3)
