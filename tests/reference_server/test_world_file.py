"""A world's file: what may stand in it, and the one sentence about what may not."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from dungeonlab_reference_server.__main__ import main
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_reference_server.world import introduction, settle
from dungeonlab_reference_server.world_file import DEMO, WorldFault, load, schema
from dungeonlab_spec import validate

DEMO_TEXT = DEMO.read_text("utf-8")


@pytest.fixture
def sentence(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Return what gives the sentence about a file; the file is called world.toml in it."""
    path = tmp_path / "world.toml"

    def fault(text: str | bytes) -> str:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(WorldFault) as raised:
            load(path)
        return str(raised.value).replace(str(path), "world.toml")

    return fault


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        ("gwen-demo", "short", "world.toml:5: [users.gwen] password must have at least 8 characters"),
        ('password = "gwen', 'pasword = "gwen', "[users.gwen] pasword is no key there; did you mean 'password'?"),
        ("[users.bob]", "[usres.bob]", "world.toml:12: usres is no key there; did you mean 'users'?"),
        ("[users.bob]", '[users."b b"]', "[users.b b] must consist of letters, digits, _ and -"),
        ("[users.bob]", '[users.bob]\nid = "user-alice"', ":13: [users.bob] id is that of alice, too"),
        ('["alice", "bob"]', '["alice", "bbo"]', "names 'bbo', which is not in [users]; did you mean 'bob'?"),
        ('["alice", "bob"]', '"alice"', "world.toml:21: [sessions.tavern] participants must be a list"),
        ('["alice", "bob"]', '["bob", "bob"]', "[sessions.tavern] participants names somebody twice"),
        ('game-master = "gwen"', "", "world.toml:18: [sessions.tavern] lacks 'game-master'"),
        (
            'session = "tavern"',
            'session = "x"',
            "names 'x', which is not in [sessions]; there is no table [sessions.x]",
        ),
        ('encounter = "attic"', 'encounter = "atic"', "[tokens.owl] encounter names 'atic'"),
        ('created-by = "alice"', 'created-by = "zoe"', "[tokens.alice-hero] created-by names 'zoe'"),
        ("x = 4", "x = -4", "world.toml:37: [tokens.goblin] position.x: expected at least 0, got -4"),
        ("x = 4", "z = 1, x = 4", "[tokens.goblin] position.z is no key there; known are x, y, elevation"),
        ("duration", "durration", "conditions.0.durration is no key there; did you mean 'duration'?"),
        ("isPlayerControlled", "isPlayerControled", "isPlayerControled is no key there; did you mean"),
        ('name = "Owl"\n', "", "[tokens.owl] lacks 'name'"),
        ("hp = 12", "hp = nan", "[tokens.alice-hero] data.hp: expected a finite number, got nan"),
        ("hp = 12", "hp = 2020-01-01", "data.hp: expected a JSON value, got date"),
        ("hp = 12", f"hp = {'[' * 200}{']' * 200}", "nested deeper than 32 levels"),
        ("hp = 12", f"hp = {'[' * 20_000}{']' * 20_000}", "it is nested too deeply to be read"),
        ("hp = 12", f"hp = {'1' * 5_000}", "it holds a number that is too long to be read"),
        ("hp = 12", f"{'.'.join('a' * 30_000)} = 1", "a key has too many parts"),
        ("bob-demo", "bob\\u0000-demo", "[users.bob] password must not hold a NUL"),
        ("[users.gwen]", "[users.gwen", "this is no TOML: "),
    ],
)
def test_what_is_wrong_is_one_sentence(
    sentence: Callable[[str], str], written: str, instead: str, expected: str
) -> None:
    """With its place, and what may have been meant."""
    assert written in DEMO_TEXT
    found = sentence(DEMO_TEXT.replace(written, instead, 1))
    assert expected in found
    assert found.startswith("world.toml")
    assert "\n" not in found
    assert len(found) < 400


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", "is no UTF-8 text"),
        (b"#" * 300_000, "is larger than 256 KiB"),
        (b"users = []", "users must be a table"),
    ],
)
def test_what_is_no_world_is_one_sentence(sentence: Callable[[bytes], str], content: bytes, expected: str) -> None:
    """Bytes, something large, something else."""
    assert expected in sentence(content)


def test_no_sentence_shows_a_password_or_controls_a_terminal(sentence: Callable[[str], str]) -> None:
    """Whatever is wrong with it; names are shown without what cannot be seen."""
    for value in ('"hunt2"', '["hunt2"]', '{ hunt2 = "hunt2" }', f'"{"hunt2" * 500}"'):
        assert "hunt2" not in sentence(f"[users.bob]\npassword = {value}")
    assert "\x1b" not in sentence('[users."\\u001b[31m"]\npassword = "long enough"')


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """Folders, devices, pipes that nobody writes to, names of nothing: exit 2, at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "pipe", tmp_path / "nothing"):
        result = CliRunner().invoke(main, ["--port", "0", "--world", str(path)])
        assert result.exit_code == 2
        assert result.output.startswith(f"{path} ")
        assert result.output.count("\n") == 1


def test_the_schema_is_of_the_same_mind() -> None:
    """The demo's world is valid under it; what the loader refuses as a wrong key or value, it refuses too."""
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(tomllib.loads(DEMO_TEXT))
    for written, instead in (
        ("gwen-demo", "short"),
        ("[users.bob]", "[usres.bob]"),
        ("x = 4", "x = -4"),
        ("durration", "duration"),
        ('name = "Owl"\n', ""),
        ("isPlayerControlled", "isPlayerControled"),
    ):
        changed = DEMO_TEXT.replace(*((instead, written) if written == "durration" else (written, instead)), 1)
        assert not validator.is_valid(tomllib.loads(changed)), instead


def test_the_demo_can_be_printed_and_used_again(tmp_path: Path) -> None:
    """`--print-world` prints a file to start from, and the schema that an editor checks it by."""
    printed = CliRunner().invoke(main, ["--print-world"]).output
    assert printed == DEMO_TEXT
    assert json.loads(CliRunner().invoke(main, ["--print-world", "schema"]).output) == schema()
    (tmp_path / "mine.toml").write_text(printed, "utf-8")
    assert load(tmp_path / "mine.toml") == load(DEMO)


async def test_what_is_in_the_file_is_in_the_store() -> None:
    """Tokens are those that a client would have created: every default filled in, valid in a broadcast."""
    store = MemoryStore()
    await settle(load(DEMO), store, 2)
    tavern = await store.session("tavern")
    assert tavern is not None
    assert (tavern.game_master, tavern.participants) == ("user-gwen", ("user-alice", "user-bob"))
    assert await store.encounter_session("attic") == "tower"
    goblin, hero = await store.token("goblin"), await store.token("alice-hero")
    assert goblin is not None
    assert hero is not None
    assert (goblin["createdBy"], hero["createdBy"], goblin["position"]["elevation"]) == ("user-gwen", "user-alice", 0)
    for token in (goblin, hero):
        broadcast: dict[str, Any] = {"sessionId": "tavern", "encounterId": "cellar", "token": token}
        broadcast |= {"userId": "user-gwen", "timestamp": "2026-01-01T00:00:00Z"}
        assert validate("token:create", broadcast, "emission") == []


async def test_only_the_demos_secrets_are_printed() -> None:
    """The passwords of a file are its author's; nothing prints them, nor a cookie."""
    store, world = MemoryStore(), load(DEMO)
    await settle(world, store, 2)
    shown = await introduction(world, store, "http://127.0.0.1:8000", is_demo=False)
    assert "-demo" not in shown
    assert "dungeonlab_session" not in shown
    assert "user-mallory" in shown
