"""Third-party servers, judged by their target files alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.target.file.servers import FOUR, PASSWORD, TAVERN, command, prepare, tavern
from tests.mutants.judge import served as faulty
from tests.other_stacks.judge import is_required, why_not
from tests.other_stacks.judge import served as peer

from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.play import play
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_spec import Catalogue

DIALECT = """
[server]
url = "${PEER_URL}"

[dialect.events]
join-session = "joinSession"
leave-session = "leaveSession"

[dialect.arguments]
join-session = "sessionId"
leave-session = "sessionId"

[dialect.broadcasts]
"token:create" = "token:created"
"token:move" = "token:moved"
"token:update" = "token:updated"
"token:delete" = "token:deleted"

[dialect.ack]
data = "top-level"
"""
REVOKING = """
[membership.add]
method = "PUT"
path = "/api/game-sessions/{session}/participants/{member}"

[membership.remove]
method = "DELETE"
path = "/api/game-sessions/{session}/participants/{member}"
"""


def judged(file: Path, *only: str, scale: float = 1.0) -> Run:
    return play(load_target(file, scale=scale), scenes(Selection(only=only), Catalogue.load()))


def outcomes(run: Run) -> Counter[Outcome]:
    return Counter(verdict.outcome for verdict in run.verdicts)


def with_outcome(run: Run, outcome: Outcome) -> set[tuple[str, str | None]]:
    return {(v.requirement, v.event) for v in run.verdicts if v.outcome is outcome}


# -- the worked example ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tavern_url() -> Iterator[str]:
    """Return where the Tavern is."""
    with tavern() as url:
        yield url


def test_the_worked_example_is_judged_by_its_own_files(tavern_url: str, tmp_path: Path) -> None:
    """Nothing is broken but what it knows of, and nothing unjudged; no password is in any report."""
    reports = {name: tmp_path / f"report.{name}" for name in ("json", "ndjson", "junit", "markdown", "html", "badge")}
    options = [word for name, file in reports.items() for word in (f"--{name}", str(file))]
    ran = command(
        *("run", "-v", "--fail-on", "should", "--known-failures", "known-failures.toml", *options),
        folder=TAVERN,
        TAVERN_URL=tavern_url,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads(reports["json"].read_text("utf-8"))
    assert document["counts"]["fail"] == 1
    assert document["counts"]["warn"] == 1
    assert document["counts"]["unjudged"] == document["counts"]["error"] == 0
    assert document["leftovers"] == []
    assert document["again"].endswith("--target dungeonlab-target.toml")
    skipped = {row["reason"] for row in document["verdicts"] if row["outcome"] == "skipped"}
    assert skipped == {
        f"the target offers no {part}: [capabilities] of dungeonlab-target.toml says so"
        for part in ("leave-session", "presence")
    }
    assert "leave-session" in ran.stdout
    for name, text in {"stdout": ran.stdout, **_texts(reports)}.items():
        assert text, name
        assert PASSWORD not in text, name
    assert PASSWORD not in ran.stderr


def _texts(reports: dict[str, Path]) -> dict[str, str]:
    return {name: file.read_text("utf-8") for name, file in reports.items() if name != "badge"}


def test_a_probe_ticks_each_step(tavern_url: str) -> None:
    """All sixteen, below the server's name, and exit code 0."""
    shown = command("probe", folder=TAVERN, TAVERN_URL=tavern_url)
    assert shown.returncode == 0, shown.stdout
    server, *lines = shown.stdout.splitlines()
    assert server == f"Probing {tavern_url} (dungeonlab-target.toml)"
    assert len(lines) == 16
    assert all(line.startswith("✓ ") for line in lines)
    for step in ("mallory logs in", "each is somebody else", "she joins the session", "her membership is revoked"):
        assert f"✓ {step}" in lines


@pytest.mark.parametrize(
    ("change", "by", "failing", "hint"),
    [
        ('path = "/login"\nform', 'path = "/enter"\nform', "gamemaster logs in: ", "look at [actors.gamemaster] and"),
        ('"/guest/id"', '"/guest/no"', "alice logs in: ", "look at [actors.alice] and [login]"),
        (
            'username = "ada@',
            'username = "gm@',
            "each is somebody else: gamemaster and alice have the same",
            "captures",
        ),
        ('path = "/tables"', 'path = "/table"', "a session is opened: ", "look at [session.open]"),
        ("/invitations/{invitation}", "/invitations/x", "members are enrolled: ", "look at [membership.add]"),
        ("{session}/maps", "{session}/map", "an encounter is opened: ", "look at [encounter.open]"),
        ("{session}/kick", "{session}/lick", "her membership is revoked: ", "look at [membership.remove]"),
        ("{session}/close", "{session}/clothe", "everything is cleared away: ", "look at [session.close]"),
        (
            "[capabilities]",
            '[dialect.events]\njoin-session = "sit"\n[capabilities]',
            "she joins",
            "called join-session?",
        ),
        ("[server]\nurl", '[server]\npath = "/live/"\nurl', "answers a Socket.IO v4 handshake: ", "is the path right"),
    ],
)
def test_a_probe_says_what_to_change(
    change: str, by: str, failing: str, hint: str, tavern_url: str, tmp_path: Path
) -> None:
    """The step that fails has its reason and a hint; what needs it is not tried, and the rest is."""
    text = (TAVERN / "dungeonlab-target.toml").read_text("utf-8")
    assert change in text
    (tmp_path / "dungeonlab-target.toml").write_text(text.replace(change, by), "utf-8")
    shown = command("probe", "--timeout", "0.3", folder=tmp_path, TAVERN_URL=tavern_url)
    assert shown.returncode == 3
    lines = shown.stdout.splitlines()
    failed = [number for number, line in enumerate(lines) if line.startswith("✗")]
    assert any(failing in lines[number] and hint in lines[number + 1] for number in failed), shown.stdout
    assert PASSWORD not in shown.stdout + shown.stderr
    if "clear" not in failing and "answers" not in failing:
        assert "✓ everything is cleared away" in lines


def test_a_server_that_is_not_there() -> None:
    """A probe goes no further; a run ends with 3 and one sentence."""
    shown = command("probe", folder=TAVERN, TAVERN_URL="http://127.0.0.1:9")
    assert shown.returncode == 3
    assert shown.stdout.splitlines()[1].startswith("✗ http://127.0.0.1:9/socket.io/ can be reached: ")
    assert shown.stdout.count("(not tried)") == 15


# -- few accounts and ready-made sessions ------------------------------------------------------------


async def _written(url: str, folder: Path, *sessions: tuple[str, ...], more: str = "") -> Path:
    file = folder / "ready.toml"
    file.write_text(await prepare(url, FOUR, *sessions) + more, "utf-8")
    return file


async def _judged(file: Path, *only: str) -> Run:
    return await Runner(load_target(file), scenes(Selection(only=only), Catalogue.load())).play()


async def test_four_accounts_and_two_sessions(reference_url: str, tmp_path: Path) -> None:
    """One check at a time, all that can be judged holds; what was advised lets the rest be judged, and that holds too.

    The advice is a membership that can be taken and given back, one more encounter, and a promise.
    """
    file = await _written(reference_url, tmp_path, ("alice", "bob"), ("dave",))
    run = await _judged(file)
    assert run.concurrency == 1
    assert run.exit_code == 0
    assert set(outcomes(run)) <= {Outcome.PASS, Outcome.NOTE, Outcome.SKIPPED}
    assert outcomes(run)[Outcome.PASS] > 400
    why = Counter(v.reason for v in run.verdicts if v.outcome is Outcome.SKIPPED)
    carol = f"add [actors.carol] to {file}, and to the sessions it belongs to if those are ready-made"
    lasting = {
        f"the target offers no account to play carol, a member of both sessions; {carol}": 1,
        "the target offers no session that a scene may delete; add [session.open] and [session.close], with "
        f'per = "check" (in {file})': 8,
    }
    assert why == lasting | {
        f"the target offers no way to revoke a membership; add [membership.remove] (in {file})": 16,
        f"the target offers no second encounter; add [encounter.open], or one more to the encounters (in {file})": 4,
        "the target offers no session that nobody else speaks in; if there is, add exclusive = true to "
        f"[[static-session]] (in {file})": 5,
    }
    assert run.leftovers == []
    left = {(v.requirement, v.event) for v in run.verdicts if v.reason in lasting}
    skipped = with_outcome(run, Outcome.SKIPPED) - left
    file = await _written(reference_url, tmp_path, ("alice", "bob"), ("dave",), more=REVOKING)
    text = file.read_text("utf-8").replace("encounters = [", "exclusive = true\nencounters = [")
    opening = '\n[encounter.open]\npath = "/api/game-sessions/{session}/encounters"\njson = { name = "{label}" }\n'
    file.write_text(text + opening + 'capture = { encounter = "/id" }\n', "utf-8")
    run = await _judged(file, *sorted({requirement for requirement, _ in skipped}))
    assert skipped <= with_outcome(run, Outcome.PASS) | with_outcome(run, Outcome.NOTE)
    assert with_outcome(run, Outcome.SKIPPED) == set()
    assert with_outcome(run, Outcome.FAIL) == set()
    assert run.exit_code == 0
    assert run.leftovers == []


async def test_a_membership_that_cannot_be_given_back_is_not_taken(reference_url: str, tmp_path: Path) -> None:
    """With a way to revoke and none to enrol, a ready-made session would end up without its members."""
    removing = REVOKING[REVOKING.index("[membership.remove]") :]
    file = await _written(reference_url, tmp_path, ("alice", "bob"), more=removing)
    run = await _judged(file, "authorization/checked-on-every-operation")
    assert {v.reason for v in run.verdicts} == {
        "the target offers no way to make somebody a member; "
        f"add [membership.add], or joining-enrols = true (in {file})"
    }


async def test_one_session_alone(reference_url: str, tmp_path: Path) -> None:
    """What needs a second one says so; dave, in none, is an outsider all the same."""
    file = await _written(reference_url, tmp_path, ("alice", "bob"))
    run = await _judged(file, "join", "authorization/*refused")
    missing = f"the target offers no second session; add a second [[static-session]], or [session.open] (in {file})"
    reasons = {v.reason for v in run.verdicts if v.outcome is Outcome.SKIPPED}
    assert missing in reasons
    assert ("join/outsider-refused", None) in with_outcome(run, Outcome.PASS)
    assert ("authorization/outsider-refused", "token:move") in with_outcome(run, Outcome.PASS)
    assert run.exit_code == 0


async def test_no_token_is_left_in_a_ready_made_session(reference_url: str, tmp_path: Path) -> None:
    """What a run made in it is deleted at its end; a run afterwards finds it as it was."""
    from dungeonlab_conformance.stage import cleanup

    file = await _written(reference_url, tmp_path, ("alice", "bob"), ("dave",))
    runner = Runner(load_target(file), scenes(Selection(only=("tokens",)), Catalogue.load()))
    await runner.play()
    journals = [stage.journal for _, stage in runner.stages]
    made = cleanup.tokens(journals)
    assert len(made) > 20
    assert runner.run.leftovers == []
    again = Runner(load_target(file), [])
    pool = again.pools.new()
    pool.kept[0] = runner.pools.all[0].kept[0]
    left = await cleanup.sweep(again.target, pool, journals)  # each is unknown by now
    assert left == []
    await again.provisioner.close()


async def test_a_fault_is_found_in_ready_made_sessions_too(tmp_path: Path) -> None:
    """An echo to the sender is blamed as ever, and nothing else is."""
    with faulty("EchoesToTheSender") as url:
        file = await _written(url, tmp_path, ("alice", "bob"), ("dave",))
        run = await _judged(file, "rooms", "join", "broadcasts", "tokens")
    assert {requirement for requirement, _ in with_outcome(run, Outcome.FAIL)} == {"rooms/sender-hears-nothing"}


async def test_sessions_made_once_per_run(reference_url: str, tmp_path: Path) -> None:
    """Two for each lane, with the same verdicts, all cleared away."""
    file = tmp_path / "per-run.toml"
    file.write_text(f'[server]\nurl = "{reference_url}"\n[session]\nper = "run"\n', "utf-8")
    chosen = scenes(Selection(only=("rooms", "join", "authorization", "tokens")), Catalogue.load())
    target = load_target(file)
    runner = Runner(target, chosen, target.new_run(RunOptions(concurrency=2)))
    run = await runner.play()
    assert outcomes(run)[Outcome.FAIL] == outcomes(run)[Outcome.UNJUDGED] == 0
    assert run.exit_code == 0
    assert runner.provisioner.opened == 4
    assert run.leftovers == []


async def test_a_run_that_skips_everything_is_no_success(reference_url: str, tmp_path: Path) -> None:
    """It ends as one that could not judge; one verdict that passed is enough for success."""
    file = tmp_path / "absent.toml"
    file.write_text(f'[server]\nurl = "{reference_url}"\n[capabilities]\npresence = false\n', "utf-8")
    nothing = await _judged(file, "presence/joining-announced", "presence/leaving-announced")
    assert set(outcomes(nothing)) == {Outcome.SKIPPED}
    assert nothing.exit_code == 3
    assert (await _judged(file, "presence/joining-announced", "chat/blank-refused")).exit_code == 0


async def test_a_server_of_one_transport(reference_url: str, tmp_path: Path) -> None:
    """What needs the other one is skipped, by name."""
    file = tmp_path / "polling.toml"
    file.write_text(f'[server]\nurl = "{reference_url}"\ntransports = ["polling"]\n', "utf-8")
    run = await _judged(file, "connect", "join/disconnect-leaves-the-room", "chat")
    assert ("connect/websocket", None) in with_outcome(run, Outcome.SKIPPED)
    assert ("connect/upgrade", None) in with_outcome(run, Outcome.SKIPPED)
    assert {v.reason for v in run.verdicts if v.outcome is Outcome.SKIPPED} == {
        f"the target offers no websocket transport: [server] transports of {file} does not list it"
    }
    assert ("chat/text-arrives-unchanged", None) in with_outcome(run, Outcome.PASS)


async def test_a_session_whose_game_master_is_not_to_be_had(reference_url: str, tmp_path: Path) -> None:
    """What the game master would have to do is skipped, what members do is judged."""
    file = await _written(reference_url, tmp_path, ("alice", "bob"), ("dave",))
    text = file.read_text("utf-8")
    begins, ends = text.index("[actors.gamemaster]"), text.index("[actors.alice]")
    file.write_text(text[:begins] + text[ends:], "utf-8")
    run = await _judged(file, "join/game-master-admitted", "rooms/game-master-hears", "rooms/sender-hears-nothing")
    assert {requirement for requirement, _ in with_outcome(run, Outcome.PASS)} == {"rooms/sender-hears-nothing"}
    assert {v.reason for v in run.verdicts if v.outcome is Outcome.SKIPPED} == {
        "the target offers no account to play gamemaster, the game master of the first session; add "
        f"[actors.gamemaster] to {file}, and to the sessions it belongs to if those are ready-made"
    }


ADAPTER = """
import aiohttp
from dungeonlab_conformance.adapter import Adapter

class Mine(Adapter):
    def __init__(self, target):
        super().__init__(target)
        self.http = {}

    async def ask(self, who, method, path, body=None):
        async with self.http[who.name].request(method, self.target.url + "/api/" + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != 204 else None

    async def log_in(self, identity, account):
        http = self.http[identity.name] = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        new = "name" not in identity.variables
        identity.variables.setdefault("name", f"{identity.name}-{self.target.run}-{identity.variables['username']}")
        body = {"username": identity.variables["name"], "password": "adapted-4711"}
        identity.user = (await self.ask(identity, "POST", f"auth/{'register' if new else 'login'}", body))["id"]
        identity.cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}

    async def log_out(self, identity):
        await self.ask(identity, "POST", "auth/logout")

    async def open_session(self, host, label):
        session = (await self.ask(host, "POST", "game-sessions", {"name": label}))["id"]
        encounter = (await self.ask(host, "POST", f"game-sessions/{session}/encounters", {"name": label}))["id"]
        return {"session": session, "encounter": encounter}

    async def close_session(self, host, session, place):
        await self.ask(host, "DELETE", f"game-sessions/{session}")

    async def add_member(self, host, session, member, place):
        await self.ask(host, "PUT", f"game-sessions/{session}/participants/{member.user}")

    async def remove_member(self, host, session, member, place):
        await self.ask(host, "DELETE", f"game-sessions/{session}/participants/{member.user}")

    async def open_encounter(self, host, session, label, place):
        return (await self.ask(host, "POST", f"game-sessions/{session}/encounters", {"name": label}))["id"]

    async def close(self):
        for http in self.http.values():
            await http.close()
"""


def test_an_adapter_alone_does_it_all(reference_url: str, tmp_path: Path) -> None:
    """A class beside the file, and no recipe in it: nothing is skipped, and nothing left behind."""
    (tmp_path / "my_target.py").write_text(ADAPTER, "utf-8")
    (tmp_path / "dungeonlab-target.toml").write_text(
        f'adapter = "my_target:Mine"\n[server]\nurl = "{reference_url}"\n', "utf-8"
    )
    only = ("chat", "auth/logged-out*", "rooms/no-encounter-rooms", "authorization/checked*", "join/outsider-refused")
    words = [word for what in only for word in ("--only", what)]
    ran = command("run", "--json", "r.json", "--concurrency", "1", *words, folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert {row["outcome"] for row in document["verdicts"]} == {"pass"}
    assert document["leftovers"] == []
    assert command("probe", folder=tmp_path).returncode == 0


# -- another stack, plain and in a dialect -----------------------------------------------------------


@pytest.fixture
def node() -> None:
    """Skip, or where it must be there fail, without Node.js."""
    missing = why_not()
    if missing and not is_required():
        pytest.skip(missing)


@pytest.mark.usefixtures("node")
def test_the_plain_peer_by_target_file_alone(tmp_path: Path) -> None:
    """It conforms over WebSocket: no verdict is anything but a pass or a note, and a claim is made."""
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "${PEER_URL}"\n', "utf-8")
    with peer() as url:
        ran = command("run", "--json", "r.json", folder=tmp_path, PEER_URL=url)
    assert ran.returncode == 0, ran.stdout
    verdicts = json.loads((tmp_path / "r.json").read_text("utf-8"))["verdicts"]
    assert {row["outcome"] for row in verdicts} <= {"pass", "note"}
    assert "Conformant to version 1.0" in ran.stdout


@pytest.mark.usefixtures("node")
def test_a_dialect_is_reported_once_and_the_rest_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, a bare argument and flat acknowledgements are found broken, and nothing else; no claim is made."""
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(DIALECT, "utf-8")
    with peer("dialect.mjs") as url:
        monkeypatch.setenv("PEER_URL", url)
        run = judged(file)
    requests = {event.name for event in Catalogue.load().requests()}
    tokens = {f"token:{what}" for what in ("create", "move", "update", "delete")}
    calls = {("acks/every-other-request-answers", event) for event in ("join-session", "leave-session")}
    assert with_outcome(run, Outcome.FAIL) == calls | {
        *(("acks/success-shape", event) for event in requests),
        *(("rooms/every-other-member-hears-once", event) for event in tokens),
        ("payloads/text", "join-session"),
        ("payloads/text", "leave-session"),
    }
    assert with_outcome(run, Outcome.WARN) == with_outcome(run, Outcome.UNJUDGED) == set()
    assert with_outcome(run, Outcome.ERROR) == set()
    assert outcomes(run)[Outcome.PASS] > 400
    found = {(v.requirement, v.event): v.findings for v in run.verdicts}
    assert {f.got for call in calls for f in found[call]} == {"joinSession", "leaveSession"}
    heard = [found["rooms/every-other-member-hears-once", event] for event in sorted(tokens)]
    assert [[f.got for f in each] for each in heard] == [
        [f"token:{what}"] for what in ("created", "deleted", "moved", "updated")
    ]
    assert all(len(found["acks/success-shape", event]) == 1 for event in requests)
    assert any(line.event == "joinSession" for call in calls for f in found[call] for line in f.transcript)


@pytest.mark.usefixtures("node")
def test_a_dialect_that_the_file_does_not_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the section the server cannot even be joined, and a probe names the section."""
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "${PEER_URL}"\n', "utf-8")
    with peer("dialect.mjs") as url:
        shown = command("probe", "--timeout", "0.2", folder=tmp_path, PEER_URL=url)
    assert shown.returncode == 3
    assert "✗ she joins the session: join-session was not answered" in shown.stdout
    assert "see [dialect.events]" in shown.stdout
