"""Playing a finding again: on the server that has the fault, on one that has not, and what stands in for what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.command import command, unused_port
from tests.conformance.report.runs import ECHO, broken_run
from tests.mutants.judge import served

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import RunOptions
from dungeonlab_conformance.results.to_json import write
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.diagnostics.id_mapping import Correspondence
from dungeonlab_conformance.runner.diagnostics.turns import in_turn


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    """Return the URL of a server that echoes."""
    with served("EchoesToTheSender") as url:
        yield url


@pytest.fixture(scope="module")
def result(echoing: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a run found on the server that echoes."""
    file = tmp_path_factory.mktemp("replay") / "r.json"
    command("run", echoing, "--only", ECHO, "--event", "token:move", "--timeout", "1", "--json", file)
    return file


def test_the_faulty_server_does_it_again(result: Path) -> None:
    """On the server of the result, which it names, everything comes as recorded: exit code 0."""
    done = command("replay", result, ECHO, "--event", "token:move", "--timeout", "3")
    assert done.returncode == 0, done.stdout
    assert "alice hears token:move" in done.stdout
    assert re.fullmatch(r"http://\S+ did all \d+ things as recorded", done.stdout.splitlines()[-1])


def test_a_server_that_obeys_does_otherwise(result: Path, reference_url: str) -> None:
    """The echo does not come; the rest does, with other ids: exit code 1, and the place is marked."""
    done = command("replay", result, ECHO, reference_url, "--timeout", "1")
    assert done.returncode == 1
    [missing] = [line for line in done.stdout.splitlines() if line.startswith("∅") and "token:move" in line]
    assert "alice hears token:move" in missing
    assert [line for line in done.stdout.splitlines() if line.startswith("=") and "bob hears token:move" in line]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rooms/no-such"], f"this result has findings on: {ECHO}"),
        ([ECHO.replace("hears", "heard")], f"did you mean {ECHO}?"),
        ([ECHO, "--event", "token:delete"], "for 'token:delete'; there are findings on it for: token:move"),
        ([ECHO, "--finding", "9"], "there are only"),
    ],
)
def test_what_was_not_found_cannot_be_played(result: Path, words: list[str], said: str) -> None:
    """Exit code 2, and what there is."""
    done = command("replay", result, *words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_a_server_that_is_not_there_is_one_sentence(result: Path) -> None:
    """Exit code 3."""
    done = command("replay", result, ECHO, f"http://127.0.0.1:{unused_port()}")
    assert (done.returncode, len(done.stdout.splitlines())) == (3, 1)
    assert "Traceback" not in done.stderr


def test_what_was_done_besides_messages_is_done_again(reference_url: str, tmp_path: Path) -> None:
    """Refused connections, bare frames, a lost membership, leaving: each act of a transcript is played."""
    lines = (
        TranscriptLine(1, "nobody", "is refused", "connect", "{}", 1),
        TranscriptLine(2, "alice", "connects", "polling", "", 2),
        TranscriptLine(3, "bob", "connects", "websocket", "", 3),
        TranscriptLine(4, "bob", "sends", "join-session", '{"sessionId": "OLD"}', 3),
        TranscriptLine(5, "bob", "is answered", "join-session", '{"success": true}', 3),
        TranscriptLine(6, "bob", "tells", "chat-message", '{"sessionId": "OLD", "message": ""}', 3),
        TranscriptLine(7, "bob", "hears", "error", "{}", 3),
        TranscriptLine(8, "carol", "sends", "a frame", '"40"', 0),
        TranscriptLine(9, "carol", "hears", "a frame", '"0{}"', 0),
        TranscriptLine(10, "carol", "hears", "a frame", '"40{}"', 0),
        TranscriptLine(11, "carol", "sends", "a frame", '"421[\\"join-session\\",{\\"sessionId\\":\\"OLD\\"}]"', 0),
        TranscriptLine(12, "carol", "hears", "a frame", '"431[{\\"success\\":false}]"', 0),
        TranscriptLine(13, "bob", "is removed", "", "", 3),
        TranscriptLine(14, "bob", "hears", "session-removed", '{"sessionId": "OLD", "reason": "removed"}', 3),
        TranscriptLine(15, "alice", "disconnects", "", "", 2),
        TranscriptLine(16, "alice", "sends", "chat-message", '"xxx…', 2, cut=True),
    )
    run = broken_run()
    cast = {"nobody": None, "alice": "alice", "bob": "bob", "carol": "carol"}
    run.verdicts[1].findings = [Finding("a", "b", check="scene", transcript=lines, ids={"session": "OLD"}, cast=cast)]
    write(run, tmp_path / "r.json")
    done = command("replay", tmp_path / "r.json", run.verdicts[1].requirement, reference_url, "--timeout", "1")
    shown = [line[0] for line in done.stdout.splitlines() if " ms  " in line]
    assert "".join(shown) == "=>>>≠>≠>==>≠>=>-", done.stdout
    assert done.returncode == 1


def test_what_was_asked_at_once_is_asked_in_turn() -> None:
    """In the order of the answers, whichever actor sent first; what one actor sends stays in its order."""

    def line(actor: str, act: str, event: str) -> TranscriptLine:
        return TranscriptLine(0, actor, act, event, "", {"alice": 1, "bob": 2}[actor])

    asked_at_once = [
        line("alice", "sends", "join"),
        line("bob", "sends", "join"),
        line("bob", "is answered", "join"),
        line("alice", "hears", "joined"),
        line("alice", "is answered", "join"),
        line("bob", "sends", "a"),
        line("bob", "sends", "b"),
        line("alice", "tells", "c"),
        line("alice", "sends", "never answered"),
        line("bob", "is answered", "a"),
        line("bob", "is answered", "b"),
    ]
    order = [asked_at_once.index(one) for one in in_turn(asked_at_once)]
    assert order == [1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 10]


def test_ids_of_the_stage_are_known_beforehand() -> None:
    """Users, sessions and encounters stand in for each other by what they are of."""
    ids = Correspondence({"session": "s-1", "alice": "u-1", "token": "t-1"}, {"session": "S", "alice": "A"}, ["alice"])
    assert ids.now({"sessionId": "s-1", "who": ["u-1", "t-1", 3]}) == {"sessionId": "S", "who": ["A", "t-1", 3]}
    assert ids.now_in_text('42["join-session",{"sessionId":"s-1"}]') == '42["join-session",{"sessionId":"S"}]'
    assert ids.now_in_text(b"s-1") == b"s-1"


def test_ids_that_a_server_hands_out_are_learned_from_its_answers() -> None:
    """A token made now stands in for the one made then, wherever it is named afterwards."""
    ids = Correspondence({}, {}, [])
    assert ids.difference([{"data": {"token": {"id": "t-1"}}}], [{"data": {"token": {"id": "T"}}}]) is None
    assert ids.now({"tokenId": "t-1"}) == {"tokenId": "T"}
    assert ids.difference([{"tokenId": "t-1"}], [{"tokenId": "other"}]) == "$[0].tokenId"


@pytest.mark.parametrize(
    ("then", "now", "path"),
    [
        ({"timestamp": "2026-01-01T00:00:00Z"}, {"timestamp": "2027-02-02T10:00:00.5Z"}, None),
        ({"username": "alice-abc-1"}, {"username": "alice-def-2"}, None),
        ({"success": True}, {"success": False}, "$[0].success"),
        ({"code": "PERMISSION_DENIED"}, {"code": "NOT_JOINED"}, "$[0].code"),
        ({"version": 1}, {"version": True}, "$[0].version"),
        ({"a": 1}, {"a": 1, "secret": "x"}, "$[0]"),
        ({"a": [1, 2]}, {"a": [1]}, "$[0].a"),
        ({"message": "hello"}, {"message": "HELLO"}, "$[0].message"),
    ],
)
def test_what_is_said_otherwise_is_noticed(then: object, now: object, path: str | None) -> None:
    """Times and names made for a run may differ; everything else counts."""
    assert Correspondence({}, {}, ["alice"]).difference([then], [now]) == path


@pytest.mark.parametrize(
    ("then", "now", "path"),
    [
        ('0{"sid":"a"}', '0{"sid":"b"}', None),
        ('40{"sid":"a"}', '44{"message":"no"}', "$"),
        ('431[{"success":true}]', '431[{"success":false}]', "$[0].success"),
        ("431[broken", "431[broken", None),
        ("431[broken", "431[other", "$"),
        ("x", "x", None),
        (b"1", b"2", None),
        (b"1", "1", "$"),
    ],
)
def test_bare_frames_are_compared_by_type_and_content(then: str | bytes, now: str | bytes, path: str | None) -> None:
    """A handshake never says the same twice; an answer should."""
    assert Correspondence({}, {}, []).frame_difference(then, now) == path


def test_a_result_of_the_bundled_server_is_played_there(result: Path, tmp_path: Path) -> None:
    """It is started anew; a target file that happens to lie here does not take its place."""
    run = load_run(result)
    run.target, run.bundled, run.options = "the bundled reference server", True, RunOptions()
    write(run, tmp_path / "r.json")
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\n')
    done = command("replay", "r.json", ECHO, "--timeout", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1].startswith("the bundled reference server did otherwise than recorded in ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://***@127.0.0.1:9", "does not hold the secrets in http://***@127.0.0.1:9"),
        (None, "does not say which server was judged"),
    ],
)
def test_a_server_that_a_result_does_not_name_is_asked_for(
    result: Path, tmp_path: Path, url: str | None, said: str
) -> None:
    """Exit code 2; neither the bundled server nor one with another password takes its place."""
    run = load_run(result)
    run.options = RunOptions(url=url)
    write(run, tmp_path / "r.json")
    done = command("replay", "r.json", ECHO, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("command_name", ["replay", "reproduce"])
@pytest.mark.parametrize(
    ("url", "file", "added"),
    [
        ("http://127.0.0.1:9", "dungeonlab-target.toml", "http://127.0.0.1:9 --target dungeonlab-target.toml"),
        (None, "other.toml", "--target other.toml"),
    ],
)
def test_a_result_does_not_say_whose_accounts_go_where(
    result: Path, tmp_path: Path, command_name: str, url: str | None, file: str, added: str
) -> None:
    """A stranger may have written it, and have named a server to which the passwords of a file here would go."""
    run = load_run(result)
    run.options = RunOptions(url=url, target_file=file)
    write(run, tmp_path / "r.json")
    (tmp_path / file).write_text('adapter = "spy:Spy"\n')
    (tmp_path / "spy.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    done = command(command_name, "r.json", ECHO, "--event", "token:move", cwd=tmp_path)
    assert done.returncode == 2
    assert f"to use them, add: {added}\n" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_the_result_names_the_server_it_was_made_on(result: Path, echoing: str) -> None:
    """That is where `replay` goes by default."""
    assert load_run(result).options.url == echoing
