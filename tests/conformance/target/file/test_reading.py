"""What a target file says, and what is made of it."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.target.file.document import read
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_conformance.target.file.schema import schema
from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API, HttpRequestStep
from dungeonlab_conformance.target.roles import ROLES

SERVER = '[server]\nurl = "http://127.0.0.1:3000"\n'
FULL = (
    SERVER
    + """
[actors.gamemaster]
username = "gm"
password = "pw-of-the-gm"
[actors.alice]
cookie = "sid=abcdef; other=12345"
user = "17"

[[login]]
method = "GET"
path = "/form"
capture = { csrf = "input:csrf" }
[[login]]
path = "/form"
form = { name = "{username}", csrf = "{csrf}" }
expect = [302, 303]
capture = { user = "/id" }

[session]
per = "run"
open = { path = "/games", capture = { session = "/id", invite = "/invite" } }

[membership]
add = { path = "/invite/{invite}", by = "member" }
"""
)


def write(folder: Path, text: str) -> Path:
    file = folder / "dungeonlab-target.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_bare_url_has_our_http_side(tmp_path: Path) -> None:
    """Who says nothing of logins and sessions offers the protocol's section 16, and has its accounts made."""
    target = load_target(write(tmp_path, SERVER))
    assert target.steps is REFERENCE_HTTP_API
    assert dict(target.accounts) == dict.fromkeys(ROLES)
    assert target.lanes is None


def test_a_file_with_recipes_has_only_those(tmp_path: Path) -> None:
    """Every recipe of the file becomes steps, and none of the reference API is mixed in."""
    target = load_target(write(tmp_path, FULL))
    assert set(target.steps) == {"login", "session.open", "membership.add"}
    assert target.steps["login"] == (
        HttpRequestStep("GET", "/form", capture={"csrf": "input:csrf"}),
        HttpRequestStep(
            "POST",
            "/form",
            form={"name": "{username}", "csrf": "{csrf}"},
            expect=(302, 303),
            capture={"user": "/id"},
        ),
    )
    assert target.steps["membership.add"][0].by == "member"
    assert target.keeps_sessions
    assert target.lanes == 1


def test_a_dialect_may_use_names_in_more_ways_than_one(tmp_path: Path) -> None:
    """A constant may be the name of a property that is sent as well, two names may be exchanged, and braces be sent."""
    file = write(
        tmp_path,
        SERVER
        + """
[dialect.events]
join-session = "leave-session"
leave-session = "join-session"
[dialect.arguments]
chat-message = [{ kind = "message", room = "{sessionId}", like = "{{x}}" }, "{message}"]
[dialect.ack]
data = "top-level"
rename = { ok = "success", gm = "gameMasterId" }
[dialect.answers]
"token:create" = { success = "created", failure = "oops" }
[dialect.data."token:create"]
rename = { by = "userId", figure = "token" }
""",
    )
    dialect = load_target(file).dialect
    assert dialect.request("chat-message", ({"sessionId": "s", "message": "m"},)) == (
        "chat-message",
        ({"kind": "message", "room": "s", "like": "{x}"}, "m"),
    )


def test_a_url_of_the_command_line_comes_first(tmp_path: Path) -> None:
    """So do its transport and its scale of time limits."""
    text = SERVER + 'transports = ["polling"]\n[timeouts]\nanswer = 2\n'
    target = load_target(write(tmp_path, text), url="http://localhost:1", scale=3)
    assert target.url == "http://localhost:1"
    assert target.transport == "polling"
    assert target.limits.answer == 6


def test_what_a_server_lacks(tmp_path: Path) -> None:
    """The four token events are one part."""
    target = load_target(write(tmp_path, SERVER + "[capabilities]\ntokens = false\npresence = false\nupgrade = true\n"))
    assert not any(target.offers(event) for event in ("token:create", "token:move", "token:delete", "presence"))
    assert target.offers("upgrade")


def test_the_environment_is_put_in(tmp_path: Path) -> None:
    """A variable, a default, two dollars for one; in lists and in tables within tables, and nowhere in keys."""
    text = 'a = "${HERE}"\nb = [{ c = "x${GONE:-fallback}y" }]\nd = "$${HERE} costs $$5"\ne = "${EMPTY:-}"\n'
    document = read(write(tmp_path, text), {"HERE": "value", "EMPTY": ""})
    assert document.data == {"a": "value", "b": [{"c": "xfallbacky"}], "d": "${HERE} costs $5", "e": ""}
    assert document.taken == {("a",): ["value"]}


def test_a_value_cannot_become_part_of_the_file(tmp_path: Path) -> None:
    """What the environment holds is put in after the file was read, whatever it looks like."""
    document = read(write(tmp_path, 'a = "${X}"\n'), {"X": '"\n[server]\nurl = "evil"'})
    assert document.data == {"a": '"\n[server]\nurl = "evil"'}


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("server",), 1),
        (("server", "url"), 2),
        (("actors", "gamemaster", "password"), 6),
        (("login", 0, "capture", "csrf"), 14),
        (("login", 1), 15),
        (("login", 1, "expect", 1), 18),
        (("session", "open", "capture"), 23),
        (("membership", "add", "no such thing"), 26),
        (("nothing",), 1),
    ],
)
def test_everything_has_a_line(where: tuple[str | int, ...], line: int, tmp_path: Path) -> None:
    """What is not there has the line of what it would stand in."""
    assert read(write(tmp_path, FULL), {}).line(where) == line


def test_statements_over_several_lines_have_their_first(tmp_path: Path) -> None:
    """Comments and blank lines before a statement are none of it."""
    text = '# one\n\na = [\n  1,\n\n  2,\n]\n# between\nb = """\nc = 5\n"""\nc = 1\n'
    document = read(write(tmp_path, text), {})
    assert [document.line((key,)) for key in "abc"] == [3, 9, 12]


def test_init_writes_a_file_that_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written it describes a server with our HTTP side; it is never written over by accident."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SERVER_URL", raising=False)
    assert CliRunner().invoke(main, ["init"]).exit_code == 0
    target = load_target(tmp_path / "dungeonlab-target.toml")
    assert target.url == "http://127.0.0.1:3000"
    assert target.steps is REFERENCE_HTTP_API
    again = CliRunner().invoke(main, ["init"])
    assert again.exit_code == 2
    assert "is there already; --force writes over it" in again.output
    assert CliRunner().invoke(main, ["init", "--force"]).exit_code == 0
    nowhere = CliRunner().invoke(main, ["init", "no/such/folder.toml"])
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.output


def test_every_example_that_init_writes_fits(tmp_path: Path) -> None:
    """Each line that is commented out can be taken in, and then fits the schema, every section of it."""
    text = files("dungeonlab_conformance.target.file").joinpath("template.toml").read_text("utf-8")
    whole = re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE).replace("${", "$")
    document = tomllib.loads(whole)
    assert list(Draft202012Validator(schema()).iter_errors(document)) == []
    shown = set(document) | {"adapter", "unregister"}
    assert shown == set(schema()["properties"])


def test_the_schema_is_one_and_can_be_exported(tmp_path: Path) -> None:
    """It is a JSON Schema, to standard output or into a file."""
    Draft202012Validator.check_schema(schema())
    result = CliRunner().invoke(main, ["export", "target-schema"])
    assert result.exit_code == 0
    assert '"title": "dungeonlab-target.toml"' in result.output
    file = tmp_path / "schema.json"
    assert CliRunner().invoke(main, ["export", "target-schema", str(file)]).exit_code == 0
    assert file.read_text("utf-8") == result.output
