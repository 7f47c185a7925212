"""Everything that a run makes carries its name and is cleared away, however the run ends; what is not is reported."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.conformance.target.file.servers import FOUR, prepare
from tests.serving import Variant, served

from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_reference_server.app import make_app, serve
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload, Refusal, Session
from dungeonlab_reference_server.store import MemoryStore, User
from dungeonlab_spec import Catalogue

SECTION_16 = """
[server]
url = "${SERVER_URL}"
[register]
path = "/api/auth/register"
json = { username = "{username}", password = "{password}" }
capture = { user = "/id" }
[login]
path = "/api/auth/login"
json = { username = "{username}", password = "{password}" }
capture = { user = "/id" }
[session.open]
path = "/api/game-sessions"
json = { name = "{label}" }
capture = { session = "/id" }
[membership.add]
method = "PUT"
path = "/api/game-sessions/{session}/participants/{member}"
[encounter.open]
path = "/api/game-sessions/{session}/encounters"
json = { name = "{label}" }
capture = { encounter = "/id" }
"""
CLOSING = '[session.close]\nmethod = "DELETE"\npath = "/api/game-sessions/{session}"\n'


class Watched(MemoryStore):
    """Remembers everything that was ever in it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.first = asyncio.Event()

    async def add_user(self, user: User) -> bool:
        self.seen.append(user.username)
        return await super().add_user(user)

    async def save_session(self, session: Session) -> None:
        self.seen.append(session.name)
        await super().save_session(session)
        self.first.set()

    async def save_token(self, token: dict[str, Any]) -> None:
        self.seen.append(token["name"])
        await super().save_token(token)

    @property
    def left(self) -> tuple[int, int, int]:
        """How many sessions, encounters and tokens there are now."""
        return len(self._sessions), len(self._encounters), len(self._tokens)


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    """Return what a server in this process remembers; its accounts can be taken away, and its URL is SERVER_URL."""
    store = Watched()
    app = make_app(store=store)

    async def take_away(request: web.Request) -> web.Response:
        user = await store.login(request.cookies.get("dungeonlab_session", ""))
        assert user is not None
        found = await store.user(user)
        assert found is not None
        store.seen.remove(found.username)
        return web.Response(status=204)

    async def close(request: web.Request) -> web.Response:
        assert await store.encounter_session(request.match_info["encounter"]) == request.match_info["session"]
        del store._encounters[request.match_info["encounter"]]
        return web.Response(status=204)

    app.router.add_delete("/account", take_away)
    app.router.add_delete("/encounters/{session}/{encounter}", close)
    runner, port = await serve(app, "127.0.0.1", 0)
    monkeypatch.setenv("SERVER_URL", f"http://127.0.0.1:{port}")
    yield store
    await runner.cleanup()


def ready(folder: Path, text: str, *only: str) -> Runner:
    file = folder / "dungeonlab-target.toml"
    file.write_text(text, "utf-8")
    target = load_target(file)
    return Runner(target, scenes(Selection(only=only), Catalogue.load()), target.new_run(RunOptions(concurrency=3)))


async def test_everything_carries_the_name_of_the_run(store: Watched, tmp_path: Path) -> None:
    """Accounts, sessions and tokens; and no session, encounter or token is there afterwards."""
    runner = ready(tmp_path, SECTION_16 + CLOSING, "tokens/version-grows", "rooms/sender-hears-nothing", "chat")
    run = await runner.play()
    assert run.exit_code == 0
    assert run.leftovers == []
    assert len(store.seen) > 20
    unnamed = [name for name in store.seen if runner.target.run not in name and name != "Goblin"]
    assert unnamed == []
    assert store.left == (0, 0, 0)


async def test_an_interrupted_run_clears_away_too(store: Watched, tmp_path: Path) -> None:
    """It is cut short with sessions open, those just being opened included."""
    runner = ready(tmp_path, SECTION_16 + CLOSING)
    playing = asyncio.create_task(runner.play())
    await store.first.wait()
    playing.cancel()
    run = await playing
    assert run.interrupted
    assert run.exit_code == 130
    assert store.left == (0, 0, 0)
    assert run.leftovers == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["run", "probe"])
async def test_a_process_that_is_asked_to_stop_clears_away(
    command: str, number: int, store: Watched, tmp_path: Path
) -> None:
    """On Ctrl-C and on SIGTERM; the last word of a run is a report, and the exit code 130."""
    (tmp_path / "dungeonlab-target.toml").write_text(SECTION_16 + CLOSING, "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dungeonlab_conformance", command),
        cwd=tmp_path,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await store.first.wait()
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130
    assert (b"interrupted" in out) is (command == "run")
    assert b"not cleared away" not in out
    assert b"Traceback" not in out + err
    assert store.left == (0, 0, 0)


async def test_a_probe_clears_away(store: Watched, tmp_path: Path) -> None:
    """Walked to its end, and cut short."""
    from dungeonlab_conformance.runner.diagnostics.probe import probing

    steps = [step async for step in probing(ready(tmp_path, SECTION_16 + CLOSING).target)]
    assert [step.name for step in steps if step.state == "failed"] == []
    assert [step.name for step in steps if step.state == "missing"] == ["her membership is revoked"]
    assert store.left == (0, 0, 0)
    walking: Any = probing(ready(tmp_path, SECTION_16 + CLOSING).target)
    async for step in walking:
        if step.name == "an encounter is opened":
            assert store.left == (1, 1, 0)
            break
    await walking.aclose()
    assert store.left == (0, 0, 0)


async def test_what_cannot_be_cleared_away_is_listed_apart(store: Watched, tmp_path: Path) -> None:
    """Each session by the run's name, with the reason; the verdicts and the exit code are what they would be."""
    runner = ready(tmp_path, SECTION_16 + CLOSING.replace("DELETE", "PUT"), "names", "chat")
    run = await runner.play()
    assert run.exit_code == 0
    assert {v.outcome for v in run.verdicts} == {Outcome.PASS}
    assert "".join(run.leftovers).count("was answered 405") == store.left[0] > 1
    for leftover in run.leftovers:
        assert leftover.startswith(f"a session named conformance-{runner.target.run}: ")
        assert "session.close: PUT /api/game-sessions/" in leftover
        assert "was answered 405" in leftover


async def test_a_target_that_offers_no_way_is_named_once(store: Watched, tmp_path: Path) -> None:
    """With how many there are, and what would clear them away."""
    runner = ready(tmp_path, SECTION_16, "names", "chat")
    run = await runner.play()
    assert run.exit_code == 0
    assert run.leftovers == [
        f"{store.left[0]} sessions named conformance-{runner.target.run}: the target offers no way "
        f"to close a session; add [session.close] (in {tmp_path / 'dungeonlab-target.toml'})"
    ]


async def test_accounts_are_taken_away_if_there_is_a_way(store: Watched, tmp_path: Path) -> None:
    """Those that were made for the run, even if what they logged in by is dead by then."""
    taking = '[unregister]\nmethod = "DELETE"\npath = "/account"\n[logout]\npath = "/api/auth/logout"\n'
    text = SECTION_16 + CLOSING + taking
    run = await ready(tmp_path, text, "auth/logged-out-cookie-refused", "join/member-admitted").play()
    assert run.exit_code == 0
    assert run.leftovers == []
    assert [name for name in store.seen if name.startswith(("alice", "bob", "gamemaster"))] == []
    refusing = text.replace('"/account"', '"/no-such-account"')
    run = await ready(tmp_path, refusing, "join/member-admitted").play()
    assert len(run.leftovers) >= 3
    assert all(line.startswith("the account ") for line in run.leftovers)


class KeepsTokens(Pipeline):
    """Refuses to delete tokens."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        if name == "token:delete":
            raise Refusal("PERMISSION_DENIED", "tokens stay")
        return await super().perform(connection, name, args)


async def test_tokens_that_stay_in_a_ready_made_session_are_reported(tmp_path: Path) -> None:
    """How many, and where; they do not change the verdicts."""
    with served(Variant(pipeline=KeepsTokens)) as url:
        file = tmp_path / "ready.toml"
        file.write_text(await prepare(url, FOUR, ("alice", "bob")), "utf-8")
        target = load_target(file)
        run = await Runner(target, scenes(Selection(only=("tokens/version-grows",)), Catalogue.load())).play()
    assert {v.outcome for v in run.verdicts} == {Outcome.PASS}
    assert run.exit_code == 0
    session = target.ready_made[0].session
    assert run.leftovers == [
        f"{left} tokens in session {session}, most of them named mark-{target.run}-…"
        for left in [run.leftovers[0].split()[0]]
    ]
    assert int(run.leftovers[0].split()[0]) >= 2


async def test_encounters_opened_in_ready_made_sessions_are_closed(store: Watched, tmp_path: Path) -> None:
    """If there is a way; the sessions stay."""
    url = os.environ["SERVER_URL"]
    file = tmp_path / "ready.toml"
    opening = SECTION_16[SECTION_16.index("[encounter.open]") :]
    closing = '[encounter.close]\nmethod = "DELETE"\npath = "/encounters/{session}/{encounter}"\n'
    file.write_text(await prepare(url, FOUR, ("alice", "bob")) + opening + closing, "utf-8")
    before = store.left
    run = await Runner(
        load_target(file), scenes(Selection(only=("rooms/no-encounter-rooms",)), Catalogue.load())
    ).play()
    assert {v.outcome for v in run.verdicts} == {Outcome.PASS}
    assert run.leftovers == []
    assert store.left == before


def test_a_run_is_known_by_its_name() -> None:
    """Two runs have two names."""
    assert Run("x").target == Run("x").target
    from dungeonlab_conformance.target.target import Target

    assert Target("http://x").run != Target("http://x").run
