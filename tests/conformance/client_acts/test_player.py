"""A program is played with in acts: a correct one is clean in all of them, a faulty one is caught in the act for it."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dungeonlab_conformance.client_acts.acts import acts, chosen_acts
from dungeonlab_conformance.client_acts.player import ActPlayer
from dungeonlab_conformance.record.tapped import ndjson
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, VerdictKey
from dungeonlab_conformance.tap.verdicts import judged

TINY = [sys.executable, str(Path(__file__).with_name("tiny_client.py"))]


async def played(command: Sequence[str], *names: str, time_limit: float = 120.0, **more: Any) -> Run:
    """Play acts with a program, and return what they came to."""
    run = Run("the client", side="client", options=RunOptions(clients=("client",), time_limit=time_limit))
    return await ActPlayer(command, chosen_acts(names), run, **more).play()


def outcomes(run: Run) -> dict[str, Outcome]:
    """Return what became of each requirement that was judged, by the last part of its name."""
    return {verdict.requirement.partition("/")[2]: verdict.outcome for verdict in run.verdicts}


async def test_a_correct_client_is_clean_in_every_act() -> None:
    """Nothing is found in it, and nearly all that clients have to keep was seen to hold."""
    run = await played(TINY)
    assert (run.fault, run.own_fault) == (None, "")
    assert not [note for note in run.notes if "froze" in note or "ended" in note]
    assert run.scenes == len(list(acts()))
    others = {name: outcome for name, outcome in outcomes(run).items() if outcome is not Outcome.PASS}
    assert set(others.values()) <= {Outcome.UNJUDGED}
    assert len(others) <= 2, others  # on a machine that is busy with all other tests, a client has little to send


@pytest.mark.parametrize(
    ("fault", "act", "broken"),
    [
        ("crashes", "refused/RATE_LIMITED", "survives-an-error-ack"),
        ("crashes-at-a-refused-profile", "refused/INTERNAL_ERROR", "survives-an-error-ack"),
        ("never-rejoins", "cut-off/fin", "rejoins-after-reconnect"),
        ("rejoins-once", "cut-off/fin", "rejoins-after-reconnect"),
        ("believes-a-refused-rejoin", "rejoin-refused", "joins-before-it-sends"),
        ("believes-it-is-only-limited", "join-refused", "joins-before-it-sends"),
        ("ignores-removal", "removed", "stops-when-removed"),
        ("crashes-at-removal", "removed", "tolerates-presence-events"),
        ("crashes-when-somebody-left", "come-and-go/left", "tolerates-presence-events"),
        ("crashes-when-somebody-disconnected", "come-and-go/disconnected", "tolerates-presence-events"),
        ("crashes-when-somebody-switched", "come-and-go/switched", "tolerates-presence-events"),
        ("crashes-when-somebody-removed", "come-and-go/removed", "tolerates-presence-events"),
        ("crashes-at-binary-data", "strange-events", "ignores-unknown-events"),
        ("crashes-at-a-new-token-event", "strange-events", "ignores-unknown-events"),
    ],
)
async def test_a_faulty_client_is_caught_in_the_act_for_it(fault: str, act: str, broken: str) -> None:
    """What it breaks is broken, and nothing else; the finding has a transcript."""
    run = await played([*TINY, fault], act)
    found = outcomes(run)
    assert found[broken] in (Outcome.FAIL, Outcome.WARN)
    assert [name for name, outcome in found.items() if outcome in (Outcome.FAIL, Outcome.WARN)] == [broken]
    [verdict] = [verdict for verdict in run.verdicts if verdict.findings]
    assert verdict.findings[0].transcript


async def test_a_client_that_freezes_is_caught_and_said() -> None:
    """It runs, its connection is open, and nothing comes of it; it is said in which act. Elsewhere it is alive."""
    run = await played([*TINY, "freezes"], "ordinary", "refused/RATE_LIMITED")
    found = outcomes(run)
    assert [name for name, outcome in found.items() if outcome in (Outcome.FAIL, Outcome.WARN)] == [
        "survives-an-error-ack"
    ]
    assert run.notes == [
        "in refused/RATE_LIMITED, the client froze: it runs, sends nothing, answers no ping, and does not connect again"
    ]


async def test_a_client_that_freezes_when_somebody_goes_has_not_gone_on() -> None:
    """As with a refusal: it is alive in the act where nobody goes."""
    run = await played([*TINY, "freezes-when-somebody-disconnected"], "ordinary", "come-and-go")
    assert [verdict.requirement for verdict in run.verdicts if verdict.findings] == ["client/tolerates-presence-events"]
    assert any(note.startswith("in come-and-go/disconnected, the client froze") for note in run.notes)


async def test_of_a_client_that_falls_silent_when_somebody_goes_it_is_said() -> None:
    """It may have nothing to say, so nothing is found; nor was it seen to go on, though it did after others."""
    run = await played([*TINY, "falls-silent-when-somebody-switched"], "come-and-go")
    [verdict] = [verdict for verdict in run.verdicts if verdict.requirement == "client/tolerates-presence-events"]
    assert verdict.outcome is Outcome.UNJUDGED
    assert "user-left (switched)" in verdict.reason


async def test_in_which_acts_a_client_fell_silent_at_a_refusal_is_said() -> None:
    """That it goes on elsewhere clears it, and its author learns where it did not."""
    run = await played([*TINY, "falls-silent-when-limited"], "refused/RATE_LIMITED", "refused/INTERNAL_ERROR")
    assert outcomes(run)["survives-an-error-ack"] is Outcome.PASS
    assert [note for note in run.notes if "sent nothing after it was refused" in note] == [
        "in refused/RATE_LIMITED, the client sent nothing after it was refused for the last time: "
        "it may have had nothing to say"
    ]


async def test_a_client_whose_join_is_refused_has_not_joined() -> None:
    """One that sends all the same is caught, also where no other act is played; one that gives up is not."""
    run = await played([*TINY, "believes-any-answer"], "join-refused")
    assert [verdict.requirement for verdict in run.verdicts if verdict.findings] == ["client/joins-before-it-sends"]
    run = await played(TINY, "join-refused")
    assert (run.fault, run.notes) == (None, [])
    assert not [verdict for verdict in run.verdicts if verdict.findings]


async def test_each_of_several_tabs_is_judged() -> None:
    """Before anything happens, one of them has sent enough to say how often it sends."""
    one = shlex.join(TINY)
    run = await played(["sh", "-c", f"{one} & {one} & {one} & wait"], "server-away")
    assert outcomes(run)["rejoins-after-reconnect"] is Outcome.PASS


async def test_of_a_client_that_sends_without_end_it_is_said_in_which_act() -> None:
    """The server and the others have to do with nothing else, whatever else the report says then."""
    run = await played([*TINY, "floods"], "ordinary")
    assert [note for note in run.notes if note.startswith("in ordinary, the client sent more than 2,000 requests")]


async def test_a_program_may_end_when_its_join_is_refused() -> None:
    """There is nothing to go on with; what it claims says in which act it ended."""
    run = await played([*TINY, "crashes"], "join-refused")
    assert not [verdict for verdict in run.verdicts if verdict.findings]
    assert run.caveat.startswith("its program ended with an error in join-refused/INTERNAL_ERROR")


async def test_a_client_that_was_refused_need_answer_no_ping() -> None:
    """It gives up, as it should, and leaves the connection as it is: that is no freezing."""
    run = await played([*TINY, "gives-up-in-silence"], "logged-out")
    assert outcomes(run)["stops-when-unauthenticated"] is Outcome.PASS
    assert run.notes == []


@pytest.mark.parametrize(
    ("way", "end"), [("ends-well", "ended by itself with 0"), ("is-killed", "was ended by SIGKILL")]
)
async def test_how_a_program_ended_is_said(way: str, end: str) -> None:
    """Also if it ended well before the act was over: what it did not do then has that reason."""
    run = await played([*TINY, way], "strange-events", "moved-on")
    assert run.notes == [f"in strange-events, moved-on, the client {end}"]


async def test_what_a_client_did_not_do_is_said_by_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that joins and sends nothing has not frozen: it answers pings; nothing of it can be refused."""
    monkeypatch.setattr("dungeonlab_conformance.client_acts.acts._REFUSED", 1.0)
    run = await played([*TINY, "only-listens"], "refused/RATE_LIMITED", "both-answers")
    assert run.notes == [
        "in refused/RATE_LIMITED, both-answers, "
        "the client did not send a request with a callback that could be refused within 1 s"
    ]
    assert not [verdict for verdict in run.verdicts if verdict.findings]


async def test_what_cannot_be_read_of_a_client_is_said() -> None:
    """An event without a name ends the reading: what comes behind it is not judged."""
    run = await played([*TINY, "garbles"], "ordinary")
    said = "in ordinary, the client sent something that could not be read; what it sent from there on is not judged"
    assert said in run.notes, run.notes


async def test_joining_the_same_session_again_is_no_leaving() -> None:
    """The act goes on until the client leaves."""
    run = await played([*TINY, "joins-again"], "moved-on")
    assert outcomes(run)["stops-sending-after-leaving"] is Outcome.PASS, run.notes


async def test_a_client_that_only_answers_others_is_judged_as_well() -> None:
    """The others say something whenever it counts."""
    found = outcomes(await played([*TINY, "only-answers"], "come-and-go", "strange-events", "removed"))
    judged = {"ignores-unknown-events", "tolerates-presence-events", "stops-when-removed"}
    assert {name: found[name] for name in judged} == dict.fromkeys(judged, Outcome.PASS)


async def test_a_client_that_only_answers_others_is_judged_by_what_is_done_to_it() -> None:
    """The others say something as well where it is to be refused, or answered late."""
    run = await played([*TINY, "only-answers"], "refused/RATE_LIMITED", "both-answers", "disconnected", "slow-answers")
    found = outcomes(run)
    judged = {"survives-an-error-ack", "tolerates-an-error-event", "sends-no-duplicates"}
    judged.add("tolerates-being-disconnected")
    assert {name: found[name] for name in judged} == dict.fromkeys(judged, Outcome.PASS), run.notes


async def test_of_a_client_that_wants_few_answers_one_of_those_is_refused() -> None:
    """What it sends without a callback before is refused as well, by error events."""
    run = await played([*TINY, "asks-now-and-then"], "refused/RATE_LIMITED", "both-answers")
    found = outcomes(run)
    judged = {"survives-an-error-ack", "tolerates-an-error-event"}
    assert {name: found[name] for name in judged} == dict.fromkeys(judged, Outcome.PASS), run.notes


async def test_a_recording_of_acts_is_judged_like_the_acts(tmp_path: Path) -> None:
    """What the director has the server do is no fault of it; each packet says in which act it was seen."""
    file = tmp_path / "acts.ndjson"
    run = await played([*TINY, "crashes"], "refused/RATE_LIMITED", "both-answers", "strange-events", record=file)
    again = judged("the recording", ndjson.read(file), ("report",), directed=ndjson.is_directed(file))
    found = {verdict.key: verdict.outcome for verdict in again.verdicts}
    assert {verdict.key: found[verdict.key] for verdict in run.verdicts} == {
        verdict.key: verdict.outcome for verdict in run.verdicts
    }
    assert all(
        outcome in (Outcome.PASS, Outcome.UNJUDGED) for key, outcome in found.items() if key not in run_keys(run)
    )
    assert outcomes(run)["survives-an-error-ack"] is Outcome.FAIL
    packets = list(ndjson.read(file))
    assert {packet.act for packet in packets} == {1, 2, 3}
    acts_of: dict[int, set[int]] = {}
    for packet in packets:
        acts_of.setdefault(packet.connection, set()).add(packet.act)
    assert all(len(acts) == 1 for connection, acts in acts_of.items() if connection)


def run_keys(run: Run) -> set[VerdictKey]:
    """Return what a run has a verdict on."""
    return {verdict.key for verdict in run.verdicts}


async def test_the_live_page_shows_the_acts_while_they_are_played() -> None:
    """Its address is known at once; every message says in which act it passes, and what was seen to hold is there."""
    pages, seen = asyncio.Queue[str](), b""

    async def look() -> str:
        nonlocal seen
        page = await pages.get()
        async with aiohttp.ClientSession() as http, http.get(f"{page}stream") as stream:
            async for line in stream.content:
                seen += line
        return page

    looking = asyncio.create_task(look())
    await played(TINY, "ordinary", "strange-events", on_page=pages.put_nowait)
    page = await asyncio.wait_for(looking, 20)
    rows = [
        row for line in seen.splitlines() if line.startswith(b'data: {"lost"') for row in json.loads(line[6:])["rows"]
    ]
    assert {row[-1] for row in rows} == {1, 2}
    assert {row[10] for row in rows if row[7] == "begin"} == {"ordinary", "strange-events"}
    assert b'"acts":[]' in seen  # no buttons: the acts direct
    assert b"event: end" in seen
    assert page.startswith("http://127.0.0.1:")


async def test_without_all_acts_only_what_they_are_about_is_left_open() -> None:
    """A requirement that no chosen act is about has no verdict unless it was seen all the same."""
    run = await played(TINY, "moved-on")
    assert outcomes(run)["stops-sending-after-leaving"] is Outcome.PASS
    assert "backs-off" not in outcomes(run)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "print('no such host'); raise SystemExit(7)",
            "the client ended with 7 before it had joined a session; the last",
        ),
        ("pass", "the client ended before it made a connection to DUNGEONLAB_URL"),
    ],
)
async def test_a_program_that_ends_at_once_is_no_client(script: str, why: str) -> None:
    """The run is cut short after one act, with what the program printed last."""
    run = await played([sys.executable, "-c", script])
    assert run.fault is not None
    assert run.fault.startswith(why)
    assert run.scenes == 1
    assert run.exit_code == 3


async def test_a_program_that_hangs_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given some time to connect, and not that time for each act."""
    monkeypatch.setattr("dungeonlab_conformance.client_acts.player.START", 0.3)
    run = await played([sys.executable, "-c", "import time; time.sleep(60)"])
    assert run.fault == "the client made no connection to DUNGEONLAB_URL"
    assert run.scenes == 1


async def test_a_program_that_connects_and_does_not_join_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the same as one that never came."""
    monkeypatch.setattr("dungeonlab_conformance.client_acts.performance._JOIN", 0.3)
    script = (
        "import os, time, socketio; c = socketio.Client();"
        "c.connect(os.environ['DUNGEONLAB_URL'], headers={'Cookie': os.environ['DUNGEONLAB_COOKIE']}); time.sleep(60)"
    )
    run = await played([sys.executable, "-c", script])
    assert run.fault == "the client connected, and did not join DUNGEONLAB_SESSION"


@pytest.mark.parametrize("header", ["{'Cookie': cookie + 'x'}", "{'Authorization': 'Bearer ' + cookie}"])
async def test_a_program_that_shows_no_cookie_of_a_login_is_found_out(header: str) -> None:
    """It is refused, whatever it shows in place of that, and has joined nothing."""
    script = (
        "import os, socketio; c = socketio.SimpleClient(); cookie = os.environ['DUNGEONLAB_COOKIE']\n"
        f"try: c.connect(os.environ['DUNGEONLAB_URL'], headers={header})\n"
        "except Exception: pass"
    )
    run = await played([sys.executable, "-c", script])
    assert outcomes(run)["connects-with-the-cookie"] is Outcome.FAIL
    assert run.fault is not None
    assert run.fault.startswith("the client was refused when it connected")


async def test_the_time_limit_ends_the_acts() -> None:
    """What was seen until then is judged."""
    run = await played(TINY, "ordinary", time_limit=3.0)
    assert run.fault == "the acts took longer than 3 s; raise --time-limit"
    assert outcomes(run)["connects-with-the-cookie"] in (Outcome.PASS, Outcome.UNJUDGED)
