"""The verdicts of a run follow from its recording; what somebody changed in a result is seen, and damage is refused."""

from __future__ import annotations

import base64
import copy
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import command
from tests.conformance.written import Written
from tests.mutants.judge import served

from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.record.archive.packed import packed, unpacked
from dungeonlab_conformance.record.archive.read import Damaged
from dungeonlab_conformance.record.secrets.leaks import Leak, Ours
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results import to_json
from dungeonlab_conformance.results.load import from_json
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Finding, Verdict, VerdictKey
from dungeonlab_conformance.runner.evaluation import RecordedScene, Recording, breaks
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.recheck.packed_recording import packed_recording, packed_trials, unpacked_recording
from dungeonlab_conformance.runner.recheck.patience import within
from dungeonlab_conformance.runner.recheck.recheck import recheck
from dungeonlab_conformance.runner.recheck.trials import Trial, conclusion
from dungeonlab_conformance.runner.selection import Selection, play_scenes, scenes
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent, Dialect, Shape
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec import Catalogue

ECHO = "rooms/sender-hears-nothing"
Document = dict[str, Any]


def recorded(name: str, *only: str, plays: Sequence[Play] = (), **otherwise: Any) -> Document:
    """Return the result of judging some of a faulty server, and with plays; with its recording."""
    options = RunOptions(only=only, **otherwise)
    chosen = [*scenes(Selection(only=only), Catalogue.load()), *play_scenes(plays)]
    with served(name) as url:
        target = Target(url, limits=Limits(0.5))
        document: Document = json.loads(to_json.text(play(target, chosen, target.new_run(options), recorded=True)))
    return document


@pytest.fixture(scope="module")
def echoing() -> Document:
    """Return the result of a server that sends a broadcast to its sender too."""
    return recorded("EchoesToTheSender", "rooms")


def differences(document: Document, expected: list[VerdictKey] | None = None) -> list[str]:
    return list(recheck(from_json(document), document, expected or []).differences)


def verdict(document: Document, requirement: str) -> Document:
    """Return the first verdict on a requirement."""
    found: Document = next(row for row in document["verdicts"] if row["requirement"] == requirement)
    return found


def test_what_is_written_follows_from_what_was_recorded(echoing: Document) -> None:
    """The same verdicts, with the same findings, and no server."""
    run = from_json(echoing)
    found = recheck(run, echoing, [each.key for each in run.verdicts])
    assert found.differences == ()
    assert found.convicted == sum(any(f.from_record for f in each.findings) for each in run.verdicts) > 0
    assert found.scenes >= run.scenes


def _take_out_a_finding(document: Document) -> None:
    row = verdict(document, ECHO)
    row["findings"] = [found for found in row["findings"] if not found["from_record"]]
    row["outcome"] = "fail" if row["findings"] else "pass"


def _call_it_good(document: Document) -> None:
    row = verdict(document, ECHO)
    row["findings"], row["outcome"] = [], "pass"


def _call_it_unjudged(document: Document) -> None:
    row = verdict(document, ECHO)
    row["findings"], row["outcome"], row["reason"] = [], "unjudged", "no time"


def _call_it_lesser(document: Document) -> None:
    verdict(document, ECHO).update(level="SHOULD", outcome="warn")


def _change_what_came(document: Document) -> None:
    next(found for found in verdict(document, ECHO)["findings"] if found["from_record"])["got"] = "nothing"


def _accuse(document: Document) -> None:
    innocent = verdict(document, "rooms/outsider-hears-nothing")
    innocent["findings"], innocent["outcome"] = verdict(document, ECHO)["findings"], "fail"


def _change_the_exit_code(document: Document) -> None:
    document["exitCode"] = 0


def _claim(document: Document) -> None:
    document["claim"] = "Conformant to version 1.0 of the DungeonLab protocol: us"


def _take_out_a_scene(document: Document) -> None:
    content = unpacked(document["recording"])
    del content["scenes"][:5]
    document["recording"] = packed(content)


def _twice(document: Document) -> None:
    document["verdicts"].append(verdict(document, ECHO))


@pytest.mark.parametrize(
    "forge",
    [
        _take_out_a_finding,
        _call_it_good,
        _call_it_unjudged,
        _call_it_lesser,
        _change_what_came,
        _accuse,
        _change_the_exit_code,
        _claim,
        _take_out_a_scene,
        _twice,
    ],
)
def test_what_was_changed_is_seen(echoing: Document, forge: Callable[[Document], None]) -> None:
    """If a finding is taken out, or what follows is changed, the recording shows something else than is written."""
    document = copy.deepcopy(echoing)
    forge(document)
    assert differences(document) != []


def test_a_verdict_that_was_taken_out_is_missed(echoing: Document) -> None:
    """On what was selected there has to be a verdict."""
    document = copy.deepcopy(echoing)
    expected = [each.key for each in from_json(document).verdicts]
    document["verdicts"].remove(gone := verdict(document, ECHO))
    assert any(gone["requirement"] in line for line in differences(document, expected))


def test_what_a_scene_found_itself_is_taken_as_it_is(echoing: Document) -> None:
    """It cannot be computed; how much of it there is is said."""
    document = copy.deepcopy(echoing)
    own = sum(not found["from_record"] for row in document["verdicts"] for found in row["findings"])
    assert recheck(from_json(document), document, []).taken == own


def test_what_was_not_played_any_more_stays_unjudged() -> None:
    """Although the recording may show that it is broken; and nobody can call it good."""
    document = recorded("EchoesToTheSender", "rooms", fail_fast=True)
    assert document["counts"]["unjudged"] > 0
    assert differences(document) == []
    row = next(row for row in document["verdicts"] if row["outcome"] == "unjudged")
    row.update(outcome="pass", reason="")
    assert any(row["requirement"] in line for line in differences(document))


def test_what_a_play_shows_can_be_computed_again() -> None:
    """The model follows the recorded play just as it followed the play."""
    acts = [Act("connect", "alice"), Act("send", "alice", event="join-session", session="here")]
    acts += [Act("send", "alice", event="token:create", token="t1", payload="full")]
    acts += [
        Act("send", "alice", event="token:update", token="t1", payload=what) for what in ("full", "data:empty-list")
    ]
    broken = "tokens/update-changes-only-what-was-sent"
    document = recorded("MergesData", broken, plays=[Play.of("merging", acts)])
    shown = [each for each in verdict(document, broken)["findings"] if each["check"] == "merging"]
    assert [each["from_record"] for each in shown] == [True]
    assert shown[0]["acts"] == [*map(str, acts[:-1])], "up to what convicts"
    assert differences(document) == []


# -- secrets -----------------------------------------------------------------------------------------


def test_what_a_search_saw_at_times_is_a_warning() -> None:
    """Of ten plays two show it: that is written, or it differs; nothing less than each time fails a search."""
    joined = [Act("connect", tab) for tab in ("alice", "bob")]
    joined += [Act("send", tab, event="join-session") for tab in ("alice", "bob")]
    made = [Act("send", "alice", event="token:create", token="t1")]
    made += [Act("send", "alice", event="token:move", token="t1", callback=False)]
    shows = [Play.of(f"shows {number}", [*joined, *made]) for number in (1, 2)]
    shows_not = [Play.of(f"shows not {number}", joined) for number in range(8)]
    key = VerdictKey("tokens/version-grows", "token:move")
    document = recorded("TellsTheOldVersion", key.requirement, plays=[*shows, *shows_not])
    recording, _ = unpacked_recording(document["recording"])
    recording = replace(recording, scenes=[scene for scene in recording.scenes if not scene.requirements])
    found = conclusion([(Trial(key, counted=True, recording=recording), [*breaks(recording)])])
    assert (found.how_often, found.outcome("MUST")) == ("seen 2 of 10 times", "warn")
    assert found.first is not None
    said = found.first.broken
    play = next(scene.check for scene in recording.scenes if scene.journal is found.first.journal)
    verdict = Verdict(*key, "MUST", found.outcome("MUST"), check=play)
    often = f"{found.how_often}; 5 of 20 plays showed it"
    verdict.findings = [Finding(said.expected, said.got, said.path, play, from_record=True, how_often=often)]
    run = Run("http://a.server", [verdict], options=RunOptions(search=("--plays", "20")))
    run.recording = packed_trials([Trial(key, counted=True, recording=recording)], Secrets())
    document = json.loads(to_json.text(run))
    assert differences(document) == []
    document["verdicts"][0]["outcome"] = "fail"
    assert any("it follows warn" in line for line in differences(document))


def test_a_secret_that_a_server_sent_is_found_again_and_not_kept() -> None:
    """A reader far away comes to the same finding, and learns no secret."""
    secret, cookie = "$2b$12$" + "abcdefghijklmnopqrstuv", "cookie-of-alice-0123"
    scene = Written()
    scene.connects(1)
    scene.joins(1, "alice")
    body = {"user": {"passwordHash": secret}, "seen": f"id={cookie}; x", "mail": "runner-0a-alice@example.org"}
    scene.journal.write("alice", 1, "hears", "x-profile", (body,))
    ours = Ours(frozenset([cookie]), frozenset(["runner-0a-alice"]))
    known = Secrets()
    known.add(cookie)
    known.add_username("runner-0a-alice")
    live = Recording([RecordedScene("a_check", None, (), scene.journal)], ours, Dialect(), 1.0)
    text = packed_recording(live, known)
    content = json.dumps(unpacked(text))
    assert all(hidden not in content for hidden in (secret[7:], cookie, "alice@example"))
    back, hidden = unpacked_recording(text)
    [seen] = [each for each in scene.journal.observations if each.act == "hears"]
    assert back.secrets == {
        seen.number: [
            Leak("$.mail", "a mail address of this run"),
            Leak("$.seen", "a password or cookie of this run"),
            Leak("$.user.passwordHash", "a password hash"),
        ]
    }
    [again] = [each for each in back.scenes[0].journal.observations if each.act == "hears"]
    assert again.args[0]["seen"].removeprefix("id=").removesuffix("; x") in hidden


def test_a_run_in_which_secrets_were_sent_can_be_checked_again() -> None:
    """The findings are there again; the recording has nothing that the report hides."""
    document = recorded("SaysTheHashInItsErrors", "direct/no-secrets", "auth", "authorization/outsider-refused")
    found = verdict(document, "direct/no-secrets")["findings"]
    assert [each["got"] for each in found if each["from_record"]] == ["a password hash"] * 3
    assert differences(document) == []
    content = unpacked(document["recording"])
    assert "N9qo8uLOickgx2ZMRZoMye" not in json.dumps([document, content])
    assert len(content["hidden"]) == 1


# -- dialects and gaps -------------------------------------------------------------------------------


def test_a_dialect_comes_back() -> None:
    """All that it says, but for an adapter's code, of which it is only known that there is some."""
    shape = Shape({"msg": "message"}, ["{a}", {"b": "{null}"}])
    dialect = Dialect(
        events={"token:move": "move"},
        broadcasts={"chat-message": "said"},
        arguments={"join-session": ["{sessionId}"]},
        requests={"chat-message": shape},
        answers={"token:move": AnswerByEvent("moved", "error"), "token:delete": "none"},
        ack=shape,
        data={"get-user-data": shape},
        data_at_top_level=True,
        codes={"E1": "NOT_JOINED"},
        emissions={"token:moved": shape},
        guessed=frozenset(["chat-message"]),
    )
    unplayed = [VerdictKey("chat/a", "chat-message"), VerdictKey("auth/b")]
    recording = Recording([], {}, dialect, 2.5, [(1.0, 2.0), (3.0, 1e999)], unplayed)
    assert unpacked_recording(packed_recording(recording, Secrets()))[0] == recording


def test_what_was_seen_while_the_server_was_gone_does_not_count() -> None:
    """From just after it went until it was back."""
    recording = Recording([], {}, Dialect(), 1.0, [(1.0, 2.0)])
    assert [recording.counts(at) for at in (0.5, 1.0, 1.5, 2.0, 2.5)] == [True, True, False, False, True]


def test_what_takes_too_long_is_given_up() -> None:
    """A recording may be made for that."""

    def endless() -> None:
        with within(0.05):
            while True:
                pass

    with pytest.raises(TimeoutError, match=r"more than 0.05 s"):
        endless()


# -- files that somebody hands in --------------------------------------------------------------------


def _elsewhere(content: Any) -> Any:
    content["scenes"][0][3]["seen"][0][6] = 10**6
    return content


def _unknown_events(content: Any) -> Any:
    for scene in content["scenes"]:
        for row in scene[3]["requests"]:
            row[0] = "no-such-event"
        for row in scene[3]["seen"]:
            row[5] = "no-such-event"
    return content


HOSTILE: dict[str, Any] = {
    "empty": lambda _: {},
    "a list": lambda _: [],
    "a number": lambda _: 1,
    "another format": lambda content: content | {"format": 99},
    "no payloads": lambda content: {name: part for name, part in content.items() if name != "payloads"},
    "no scenes": lambda content: content | {"scenes": {}},
    "a scene that is none": lambda content: content | {"scenes": [[1, 2]]},
    "a secret that is none": lambda content: content | {"secrets": [["x"]]},
    "a gap that is none": lambda content: content | {"gaps": [[None, None]]},
    "a dialect that is none": lambda content: content | {"dialect": 0},
    "patience that is none": lambda content: content | {"patience": "long"},
    "a payload that is not there": _elsewhere,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_recording_that_is_none_is_refused(echoing: Document, what: str) -> None:
    """With the end of a sentence."""
    document = echoing | {"recording": packed(HOSTILE[what](unpacked(echoing["recording"])))}
    with pytest.raises(Damaged):
        recheck(from_json(document), document, [])


def test_a_recording_of_what_is_in_no_catalogue_ends_in_a_sentence_too(echoing: Document) -> None:
    """Rules that cannot be applied are no fault of the suite."""
    document = echoing | {"recording": packed(_unknown_events(unpacked(echoing["recording"])))}
    try:
        found = differences(document)
    except Damaged:
        return
    assert found


def _json(document: Document) -> str:
    return json.dumps(document)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda _: "{", "no result of this suite"),
        (lambda d: _json({**d, "recording": 5}), "no result of this suite"),
        (lambda d: _json({**d, "recording": "x"}), "cannot be unpacked"),
        (lambda d: _json({**d, "recording": d["recording"][:-40]}), "cannot be"),
        (lambda d: _json({name: d[name] for name in d if name != "recording"}), "holds no recording of its run"),
        (
            lambda d: _json({**d, "recording": base64.b64encode(zlib.compress(b"[" * 3_000_000)).decode()}),
            "cannot be used",
        ),
        (lambda d: _json({**d, "recording": base64.b64encode(zlib.compress(b" " * 200_000_000)).decode()}), "cut off"),
    ],
    ids=["no JSON", "a number", "no base64", "cut off", "none", "deep", "a bomb"],
)
def test_a_hostile_file_is_wrong_usage(
    echoing: Document, tmp_path: Path, damage: Callable[[Document], str], says: str
) -> None:
    """Exit code 2, one clear sentence, no traceback."""
    file = tmp_path / "r.json"
    file.write_text(damage(echoing))
    done = command("recheck", file)
    assert done.returncode == 2, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_command_says_what_differs(echoing: Document, tmp_path: Path) -> None:
    """Exit code 0 for a result as it was written, 1 for one that somebody has changed, with what differs."""
    file = tmp_path / "r.json"
    file.write_text(_json(echoing))
    done = command("recheck", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"verdicts computed again: {len(echoing['verdicts'])}, from" in done.stdout
    assert "all is as it is written" in done.stdout
    assert re.search("no claim of conformance follows: .* verdicts on a MUST: not selected", done.stdout)
    document = copy.deepcopy(echoing)
    _call_it_good(document)
    file.write_text(_json(document))
    done = command("recheck", file)
    assert done.returncode == 1
    assert f"≠ {ECHO}" in done.stdout
    assert "differences from what is written: " in done.stdout


def test_other_commands_read_a_result_with_or_without_its_recording(echoing: Document, tmp_path: Path) -> None:
    """A report is the same."""
    reports = []
    for name in ("with", "without"):
        file = tmp_path / f"{name}.json"
        file.write_text(_json({k: v for k, v in echoing.items() if name == "with" or k != "recording"}))
        reports.append(command("report", file).stdout)
    assert reports[0] == reports[1] != ""
