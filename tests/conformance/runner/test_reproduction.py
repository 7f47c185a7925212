"""Files that show a finding by themselves: they run without the suite, and what they say follows the server."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conformance.command import command, environment, unused_port
from tests.conformance.report.runs import NASTY, broken_run, nasty_run
from tests.environments import make_bare_environment, make_node_folder
from tests.mutants.judge import served
from tests.other_stacks.judge import why_not

from dungeonlab_conformance.checks.registry import all_checks
from dungeonlab_conformance.plays.acts import Act, Play
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.results.to_json import write
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.evaluation import finding as finding_of
from dungeonlab_conformance.runner.reproduction.languages import LANGUAGES
from dungeonlab_conformance.runner.reproduction.script import UNSEEN
from dungeonlab_conformance.runner.reproduction.statements import Irreproducible
from dungeonlab_conformance.runner.reproduction.writer import reproduction
from dungeonlab_conformance.runner.search.playing import Playing, judged
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

# Faults with two tabs, a leak, a wrong acceptance, a wrong code and a wrong value; and the verdicts that show them.
FAULTS = "DisconnectingUnseatsTheOtherTabs+TellsOutsiders+CutsOff+AsksWhoBeforeWhat+KnowsNoDefaults"
SHOWN = (
    ("join/tabs-are-independent", None),
    ("rooms/outsider-hears-nothing", "token:move"),
    ("chat/too-long-refused", None),
    ("acks/code-names-the-cause", "token:create"),
    ("tokens/defaults-filled", None),
)
ECHO = "rooms/sender-hears-nothing"
QUICKLY = {"PATIENCE": "1.5"}  # seconds that a file waits for what does not come
NODE = why_not()


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    """Return the URL of a server with these faults."""
    with served(FAULTS) as url:
        yield url


@pytest.fixture(scope="module")
def result(faulty: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a run found on it."""
    file = tmp_path_factory.mktemp("reproduce") / "r.json"
    areas = [word for name, _ in SHOWN for word in ("--only", name)]
    command("run", faulty, *areas, "--json", file)
    return file


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Return the words that run a file in an environment that has python-socketio and aiohttp, and nothing else."""
    folder = make_bare_environment(tmp_path_factory.mktemp("bare"), "python-socketio", "aiohttp")
    return (folder / "bin" / "python",)


def verdicts_of(words: tuple[object, ...], files: list[Path], url: str) -> list[tuple[int, str]]:
    """Run files at once; return the exit code and the output of each."""

    def one(file: Path) -> tuple[int, str]:
        done = subprocess.run(
            [*map(str, words), str(file), url],
            capture_output=True,
            text=True,
            cwd=file.parent,
            env=environment(**QUICKLY),
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(one, files))


def written(result: Path, folder: Path, suffix: str) -> list[Path]:
    """Have a file made for each of the faults."""
    files = []
    for number, (requirement, event) in enumerate(SHOWN):
        files.append(folder / f"fault-{number}{suffix}")
        about = ["--event", event] if event else []
        done = command("reproduce", result, requirement, *about, "-o", files[-1])
        assert done.returncode == 0, done.stderr
    return files


def test_a_file_in_python_follows_the_server(
    result: Path, python: tuple[Path, ...], faulty: str, reference_url: str, tmp_path: Path
) -> None:
    """In an environment with python-socketio alone: 1 on the server with the faults, 0 on one that has them mended."""
    files = written(result, tmp_path, ".py")
    assert [code for code, _ in verdicts_of(python, files, faulty)] == [1] * len(SHOWN)
    mended = verdicts_of(python, files, reference_url)
    assert [code for code, _ in mended] == [0] * len(SHOWN), "\n".join(said for code, said in mended if code)
    assert all("expected: " in said and "the fault is mended" in said for _, said in mended)


@pytest.mark.skipif(NODE is not None, reason=f"SKIPPED, NOT PASSED: {NODE}")
def test_a_file_in_javascript_follows_the_server(result: Path, faulty: str, reference_url: str, tmp_path: Path) -> None:
    """In a folder with socket.io-client alone: 1 on the server with the faults, 0 on one that has them mended."""
    make_node_folder(tmp_path, "socket.io-client")
    files = written(result, tmp_path, ".mjs")
    assert [code for code, _ in verdicts_of(("node",), files, faulty)] == [1] * len(SHOWN)
    mended = verdicts_of(("node",), files, reference_url)
    assert [code for code, _ in mended] == [0] * len(SHOWN), "\n".join(said for code, said in mended if code)


def test_a_file_needs_the_server(result: Path, python: tuple[Path, ...], tmp_path: Path) -> None:
    """Exit code 2, which says neither that the fault is there nor that it is mended, and one sentence."""
    [file, *_] = written(result, tmp_path, ".py")
    [(code, said)] = verdicts_of(python, [file], f"http://127.0.0.1:{unused_port()}")
    assert code == 2
    assert said.splitlines()[-1].startswith("undecided: POST /api/auth/register failed: ")


def test_a_missing_library_is_no_fault(result: Path, tmp_path: Path) -> None:
    """Exit code 2, and what to install."""
    file, script = written(result, tmp_path, ".py")[0], written(result, tmp_path, ".mjs")[0]
    [(code, said)] = verdicts_of((sys.executable, "-S"), [file], "http://127.0.0.1:9")
    assert code == 2
    assert 'pip install "python-socketio[asyncio_client]"' in said
    if NODE is None:
        [(code, said)] = verdicts_of(("node",), [script], "http://127.0.0.1:9")
        assert code == 2
        assert "npm install socket.io-client" in said


def test_a_file_comes_to_the_output_by_default(result: Path) -> None:
    """It is what `-o` would write, in Python."""
    done = command("reproduce", result, *SHOWN[4][:1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# tokens/defaults-filled\n#\n# expected: 'medium'\n# got: None\n")
    ast.parse(done.stdout)


TARGET = """
[server]
url = "{url}"
headers = {{ "X-Api-Key" = "literal-key-1", "X-Plain" = "plain" }}
[actors.gamemaster]
password = "${{GM_PASSWORD}}"
[actors.alice]
password = "literal-secret-2"
[actors.bob]
password = "${{BOB_PASSWORD}}"
[login]
path = "/api/auth/login"
json = {{ username = "{{username}}", password = "{{password}}" }}
capture = {{ user = "/id" }}
[session]
open = {{ path = "/api/game-sessions", json = {{ name = "{{label}}" }}, capture = {{ session = "/id" }} }}
close = {{ method = "DELETE", path = "/api/game-sessions/{{session}}" }}
[membership]
add = {{ method = "PUT", path = "/api/game-sessions/{{session}}/participants/{{member}}" }}
"""


def test_secrets_come_from_the_environment(python: tuple[Path, ...], tmp_path: Path) -> None:
    """None of a target's file gets into a file, which names the variables; without them, nothing is decided."""
    secrets = {"GM_PASSWORD": "secret-of-gm-0", "ALICE_PASSWORD": "literal-secret-2", "BOB_PASSWORD": "secret-of-bob-1"}
    given = {**secrets, "HEADER_X_API_KEY": "literal-key-1"}
    with served("EchoesToTheSender") as url:
        for name, password in zip(("gamemaster", "alice", "bob"), secrets.values(), strict=True):
            register(url, name, password)
        (tmp_path / "target.toml").write_text(TARGET.format(url=url), "utf-8")
        about = [ECHO, "--event", "chat-message"]
        run = ["run", "--target", "target.toml", "--only", *about, "--timeout", "0.5", "--json", "r.json"]
        assert command(*run, cwd=tmp_path, **secrets).returncode == 1
        done = command("reproduce", "r.json", *about, "-o", "r.py", "--target", "target.toml", cwd=tmp_path, **secrets)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "r.py").read_text("utf-8")
        assert not [secret for secret in given.values() if secret in text]
        assert all(f"${{{name}}}" in text for name in given)
        words = [*python, tmp_path / "r.py"]
        variables = environment(**QUICKLY)
        there = subprocess.run(words, env={**variables, **given}, capture_output=True, text=True, check=False)
        assert there.returncode == 1, there.stdout + there.stderr
        lost = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
        assert (lost.returncode, lost.stdout.splitlines()[-1]) == (
            2,
            "undecided: the environment variable HEADER_X_API_KEY is not set",
        )


def register(url: str, name: str, password: str) -> None:
    """Make an account on the reference server."""
    import urllib.request

    body = json.dumps({"username": name, "password": password, "displayName": name}).encode()
    asked = urllib.request.Request(f"{url}/api/auth/register", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        assert answer.status == 201


# -- what plays found ---------------------------------------------------------------------------------


def joined(*tabs: str) -> list[Act]:
    """Return what some tabs do to be in the room."""
    return [act for tab in tabs for act in (Act("connect", tab), Act("send", tab, event="join-session"))]


def on_a_token(tab: str, event: str, payload: str) -> Act:
    """Return what a tab does to the only token."""
    return Act("send", tab, event=event, token="t1", payload=payload)


SAID = Act("send", "bob", event="chat-message")
PLAYED = {  # by faulty servers with a leak, a tab that does not hear, wrong contents, and a wrong id
    "TellsOutsiders": [*joined("bob"), Act("connect", "mallory"), SAID],
    "DisconnectingUnseatsTheOtherTabs": [*joined("alice", "alice/2", "bob"), Act("disconnect", "alice/2"), SAID],
    "MergesData": [
        *joined("alice", "bob"),
        on_a_token("alice", "token:create", "minimal"),
        *(on_a_token("alice", "token:update", payload) for payload in ("unknown-property", "data:composed-key")),
    ],
    "NamesAMessageTwice": [*joined("alice", "bob"), SAID],
}


async def found_by(plays: Iterable[Sequence[Act]], url: str) -> list[tuple[str, Finding]]:
    """Return the first thing that each play shows on a server, and which requirement it breaks."""
    playing, found = Playing(Target(url, limits=Limits(0.5)), lanes=1), []
    try:
        for carried in await playing.together(Play.of("a play", acts) for acts in plays):
            breach = judged([carried]).breaches[0]
            found.append((breach.requirement, finding_of(breach.broken, carried.scene, carried.stage, breach.seen)))
        return found
    finally:
        await playing.clear_away()


@pytest.mark.parametrize(
    "names", ["TellsOutsiders", "DisconnectingUnseatsTheOtherTabs+MergesData", "NamesAMessageTwice"]
)
def test_what_a_play_found_is_shown_in_both_languages(
    names: str, python: tuple[Path, ...], reference_url: str, tmp_path: Path
) -> None:
    """1 on a server with the faults, 0 on one without, in Python and in JavaScript from the same statements."""
    languages: list[tuple[str, tuple[object, ...], str]] = [("python", python, ".py")]
    if NODE is None:
        make_node_folder(tmp_path, "socket.io-client")
        languages.append(("javascript", ("node",), ".mjs"))
    with served(names) as url:
        found = asyncio.run(found_by([PLAYED[name] for name in names.split("+")], url))
        for language, words, suffix in languages:
            files = [tmp_path / f"{number}{suffix}" for number, _ in enumerate(found)]
            for file, (requirement, finding) in zip(files, found, strict=True):
                file.write_text(reproduction(requirement, finding, Target(url), language, file.name), "utf-8")
            for server, code in ((url, 1), (reference_url, 0)):
                came = verdicts_of(words, files, server)
                assert [each for each, _ in came] == [code] * len(found), f"{language}: {came}"


# -- what is done over HTTP in the course of a play --------------------------------------------------


def play_with_arrangements() -> Finding:
    """Return a play in which people log out and in, come and go, and the session is deleted; then nobody may join."""
    acts: list[tuple[str, str, str, object, int]] = [
        ("the game master", "arranges", "session.open", {"session": "S", "members": ["A", "B"], "whole": True}, 0),
        ("the game master", "arranges", "encounter.open", {"session": "S", "encounter": "E"}, 0),
        ("alice", "connects", "websocket", None, 1),
        ("alice", "sends", "join-session", {"sessionId": "S"}, 1),
        ("alice", "is answered", "join-session", {"success": True}, 1),
        ("the game master", "arranges", "logout", {"user": "A"}, 0),
        ("alice with the old cookie", "arranges", "handshake", {"cookie": "logged out"}, 2),
        ("alice with the old cookie", "is refused", "connect", {}, 2),
        ("alice/2", "connects", "polling", None, 3),
        ("the game master", "arranges", "membership.remove", {"session": "S", "user": "B"}, 0),
        ("bob", "connects", "websocket", None, 4),
        ("bob", "sends", "join-session", {"sessionId": "S"}, 4),
        ("bob", "is answered", "join-session", {"success": False, "code": "PERMISSION_DENIED"}, 4),
        ("the game master", "arranges", "membership.add", {"session": "S", "user": "B"}, 0),
        ("bob/2", "connects", "websocket", None, 5),
        ("bob/2", "sends", "join-session", {"sessionId": "S"}, 5),
        ("bob/2", "is answered", "join-session", {"success": True}, 5),
        ("the game master", "arranges", "encounter.open", {"session": "S", "encounter": "E2"}, 0),
        ("bob/2", "sends", "token:create", {"sessionId": "S", "encounterId": "E2", "token": TOKEN}, 5),
        ("bob/2", "is answered", "token:create", {"success": True, "data": {"token": {"id": "T"}}}, 5),
        ("bob/2", "tells", "token:delete", {"sessionId": "S", "encounterId": "E2", "tokenId": "T"}, 5),
        ("the game master", "arranges", "session.close", {"session": "S"}, 0),
        ("alice/2", "sends", "join-session", {"sessionId": "S"}, 3),
        ("alice/2", "is answered", "join-session", {"success": True}, 3),
    ]
    lines = tuple(
        TranscriptLine(number, actor, act, event, "" if body is None else json.dumps(body), connection)
        for number, (actor, act, event, body, connection) in enumerate(acts)
    )
    cast = {"alice": "alice", "alice/2": "alice", "alice with the old cookie": "alice", "bob": "bob", "bob/2": "bob"}
    ids = {"session": "S", "encounter": "E", "alice": "A", "bob": "B"}
    why = "alice/2's join-session to be refused: the session was deleted"
    return Finding(why, "success", None, "a play", None, (), lines, len(lines) - 1, ids, cast)


TOKEN = {"name": "a token", "position": {"x": 1, "y": 2}}


def test_what_is_done_over_http_is_done_again(python: tuple[Path, ...], reference_url: str, tmp_path: Path) -> None:
    """Logins, memberships, encounters and sessions of a play, in both languages: 0 where a deleted session is gone."""
    languages: list[tuple[str, tuple[object, ...], str]] = [("python", python, "r.py")]
    if NODE is None:
        make_node_folder(tmp_path, "socket.io-client")
        languages.append(("javascript", ("node",), "r.mjs"))
    for language, words, name in languages:
        text = reproduction("a play", play_with_arrangements(), Target(reference_url), language, name)
        (tmp_path / name).write_text(text, "utf-8")
        [(code, said)] = verdicts_of(words, [tmp_path / name], reference_url)
        assert code == 0, said


# -- results that somebody has edited ----------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_a_result_becomes_code(language: str) -> None:
    """Whatever a result holds: a file is not written, or the text stands in it as a text."""
    code = '"""\nimport os\nos.abort()\n*/ process.abort() //\u2028process.abort()\\'
    wicked = [f"alice{code}", code, NASTY, "__proto__", "class", "stage", "${HOME}"]
    made = 0
    for text in wicked:
        lines = (
            TranscriptLine(0, text, "connects", "websocket", "", 1),
            TranscriptLine(1, text, "sends", text, json.dumps({text: [text, {"__proto__": text}]}), 1),
            TranscriptLine(2, text, "is answered", text, json.dumps({"success": True, "data": {"id": text}}), 1),
        )
        finding = Finding(
            f"{text} to be refused", text, None, text, None, (), lines, 2, {"session": text}, {text: "bob"}
        )
        try:
            written = reproduction(text, finding, Target("http://127.0.0.1:9"), language, text)
        except Irreproducible:
            continue
        made += 1
        if language == "python":
            usual = reproduction("x", usual_finding(), Target("http://127.0.0.1:9"), language, "x")
            assert shape(written) == shape(usual)
        else:
            assert not [line for line in written.splitlines() if line.lstrip().startswith("process.abort")]
    assert made


def usual_finding() -> Finding:
    lines = (
        TranscriptLine(0, "bob", "connects", "websocket", "", 1),
        TranscriptLine(1, "bob", "sends", "x", "{}", 1),
        TranscriptLine(2, "bob", "is answered", "x", '{"success": true}', 1),
    )
    return Finding("bob to be refused", "x", None, "x", None, (), lines, 2, {"session": "s"}, {"bob": "bob"})


def shape(text: str) -> list[str]:
    """Return what the statements of a file are, apart from what is said about a finding."""
    found = ast.parse(text).body
    return [
        ast.dump(node) if not isinstance(node, ast.Assign | ast.AsyncFunctionDef) else type(node).__name__
        for node in found
    ]


def test_findings_that_no_file_can_show_say_why(tmp_path: Path) -> None:
    """One sentence that begins with the verdict, exit code 2, and nothing is written."""
    run = nasty_run()
    write(run, tmp_path / "r.json")
    names = [verdict.requirement for verdict in run.verdicts if verdict.findings]
    done = command("reproduce", tmp_path / "r.json", names[0], "http://127.0.0.1:9", "-o", tmp_path / "out.py")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.py").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"left_out": 3}, "the first 3 lines of what was played were not kept"),
        ({"transcript": ()}, "no transcript of it was kept"),
        ({"expected": "something better", "got": "something worse"}, "cannot be decided by a single message"),
        ({"cast": {"bob": "zoe"}}, "this target has no account for zoe"),
    ],
)
def test_what_cannot_be_shown(change: dict[str, object], said: str) -> None:
    """The reason is one sentence."""
    finding = replace(usual_finding(), **{"convicting": None, **change} if "expected" in change else change)  # type: ignore[arg-type]
    with pytest.raises(Irreproducible, match=said):
        reproduction("x", finding, Target("http://127.0.0.1:9"), "python", "x")


def test_a_number_that_javascript_lacks_is_not_written_otherwise() -> None:
    """2^53 + 1 would be sent as another number."""
    finding = usual_finding()
    lines = (
        finding.transcript[0],
        replace(finding.transcript[1], body='{"x": 9007199254740993}'),
        finding.transcript[2],
    )
    finding = replace(finding, transcript=lines)
    with pytest.raises(Irreproducible, match="write it in Python"):
        reproduction("x", finding, Target("http://127.0.0.1:9"), "javascript", "x")
    assert "9007199254740993" in reproduction("x", finding, Target("http://127.0.0.1:9"), "python", "x")


def test_ids_of_the_result_are_not_sent() -> None:
    """Neither those of the stage nor those that the server handed out on the way."""
    lines = (
        TranscriptLine(0, "alice", "connects", "websocket", "", 1),
        TranscriptLine(1, "alice", "sends", "token:create", '{"sessionId": "S-1", "token": {"name": "x"}}', 1),
        TranscriptLine(
            2, "alice", "is answered", "token:create", '{"success": true, "data": {"token": {"id": "T-1"}}}', 1
        ),
        TranscriptLine(
            3, "alice", "sends", "token:move", '{"tokenId": "T-1", "by": "A-1", "position": {"x": "T-1"}}', 1
        ),
        TranscriptLine(4, "alice", "is answered", "token:move", '{"success": false, "code": "NO"}', 1),
    )
    ids = {"session": "S-1", "alice": "A-1"}
    finding = Finding("alice's token:move to be accepted", "x", None, "c", None, (), lines, 4, ids, {"alice": "alice"})
    for language in LANGUAGES:
        text = reproduction("x", finding, Target("http://127.0.0.1:9"), language, "x")
        assert not [recorded for recorded in ("S-1", "T-1", "A-1") if recorded in text]


@pytest.mark.parametrize("said", ["M-1", "2026-11-26T19:10:09.401Z"])
def test_what_a_server_chooses_anew_is_compared_with_nothing_recorded(said: str) -> None:
    """An id that was acknowledged, or a time, is another one on any server, mended or not."""
    key = "messageId" if said == "M-1" else "timestamp"
    lines = (
        TranscriptLine(0, "alice", "connects", "websocket", "", 1),
        TranscriptLine(1, "bob", "connects", "websocket", "", 2),
        TranscriptLine(2, "alice", "sends", "chat-message", '{"message": "hello"}', 1),
        TranscriptLine(3, "bob", "hears", "chat-message", json.dumps({key: "another", "message": "hello"}), 2),
    )
    cast = {"alice": "alice", "bob": "bob"}
    finding = Finding(f"{said!r}, as acknowledged", "'another'", f"$.{key}", "c", None, (), lines, 3, {}, cast)
    with pytest.raises(Irreproducible, match="is chosen anew each time"):
        reproduction("x", finding, Target("http://127.0.0.1:9"), "javascript", "x")


def test_a_scene_that_acts_unseen_is_not_shown() -> None:
    """Each check is known whose scene does over HTTP what no transcript shows, such as to log out or to take in."""
    acts = r"\.(log_out|second_login|take_in|open_third|delete_session)\("
    unseen = re.compile(rf"{acts}|_share_a_session\(|logged_out\(|_who_may_not_connect\(|_has_played\(")
    acting = {check.name for check in all_checks() if unseen.search(inspect.getsource(check.scene))}
    assert acting == UNSEEN
    with pytest.raises(Irreproducible, match="over HTTP"):
        reproduction("x", replace(usual_finding(), check=min(UNSEEN)), Target("http://127.0.0.1:9"), "python", "x")


def test_an_earlier_result_can_be_shown_as_well() -> None:
    """What an earlier version wrote names its convicting lines otherwise, and is decided all the same."""
    found = [finding for verdict in broken_run().verdicts for finding in verdict.findings]
    texts = [reproduction("x", finding, Target("http://127.0.0.1:9"), "python", "x") for finding in found[:1]]
    assert all("must_" in text for text in texts)
