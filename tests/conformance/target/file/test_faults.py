"""Each error that the maker of a target file can make is met with one sentence: file, line, what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.target.file.document import FileFault
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_conformance.target.file.schema import schema
from dungeonlab_conformance.target.file.values import FORMS

SERVER = '[server]\nurl = "http://127.0.0.1:3000"\n'  # lines 1 and 2
ACTORS = '[actors.gamemaster]\npassword = "pw-of-gm"\n[actors.alice]\npassword = "pw-of-alice"\n'  # 2 lines each
LOGIN = '[login]\npath = "/login"\njson = { name = "{username}" }\ncapture = { user = "/id" }\n'
OPEN = '[session.open]\npath = "/games"\ncapture = { session = "/id" }\n'

FAULTS = {
    "no TOML": (SERVER + "this is none", 3, "this is no TOML"),
    "no end": (SERVER + '[actors.alice]\npassword = """', 4, "this is no TOML"),
    "no server": ("[timeouts]\nanswer = 1\n", 1, "the file lacks 'server'"),
    "no url": ("# nothing\n[server]\npath = '/'\n", 2, "server lacks 'url'"),
    "an unknown section": (SERVER + "[sevrer]\nx = 1\n", 3, "unknown key 'sevrer'; did you mean 'server'?"),
    "an unknown key": (
        SERVER + "[actors.alice]\npasword = 'x'\n",
        4,
        "unknown key 'pasword' in [actors.alice]; did you mean 'password'?",
    ),
    "an unknown actor": (SERVER + "\n[actors.erin]\n", 4, "unknown key 'erin' in [actors]; known are alice, bob"),
    "a key in a list": (
        SERVER + "[[login]]\npath = '/'\n[[login]]\npath = '/'\nmthod = 'GET'\n",
        7,
        "unknown key 'mthod' in [login]; did you mean 'method'?",
    ),
    "a step without a path": (SERVER + "[logout]\nmethod = 'POST'\n", 3, "logout lacks 'path'"),
    "a path that is none": (SERVER + "[logout]\npath = 'out'\n", 4, "[logout] path: it must begin with /"),
    "an unknown method": (SERVER + "[logout]\npath = '/'\nmethod = 'get'\n", 5, "[logout] method must be one of 'GET'"),
    "two bodies": (SERVER + "[logout]\npath = '/'\njson = {}\nform = {}\n", 3, "logout has both json and form"),
    "a number for a text": (SERVER + "[actors.alice]\npassword = 5\n", 4, "must be a text, not a number"),
    "a text for a table": (SERVER + "actors = 5\n", 3, "unknown key 'actors' in [server]"),
    "a text for a step": ("logout = 'x'\n" + SERVER, 1, "logout must be one request, or a list of them, not a text"),
    "a wrong status": (SERVER + "[logout]\npath='/'\nexpect = '200'\n", 5, "a status, or a list of those, not a text"),
    "a bad capture": (SERVER + "[whoami]\npath='/'\ncapture = { user = 'id' }\n", 5, "give a JSON pointer that begins"),
    "a bad variable": (SERVER + "[whoami]\npath='/'\ncapture = { User = '/id' }\n", 5, "a variable's name is of small"),
    "a status that is none": (
        SERVER + "[logout]\npath='/'\nexpect = [99]\n",
        5,
        "[logout] expect must be at least 100",
    ),
    "a status too high": (SERVER + "[logout]\npath='/'\nexpect = 600\n", 5, "[logout] expect must be at most 599"),
    "a role that is none": (
        SERVER + "[[static-session]]\nid = 'x'\nmembers = ['erin']\n",
        5,
        "[static-session] members must be one of 'gamemaster', 'alice', 'bob'",
    ),
    "an event that is none": (
        SERVER + "[dialect.events]\njoin-sesion = 'x'\n",
        4,
        "unknown key 'join-sesion' in [dialect.events]; did you mean 'join-session'?",
    ),
    "two of several faults": (SERVER + "[logout]\npath='/'\nexpect = 5\nmethod = 'get'\n", 5, "must be at least 100"),
    "a timeout without end": (SERVER + "[timeouts]\nanswer = inf\n", 4, "[timeouts] answer must be a finite number"),
    "a time for a number": (SERVER + "[timeouts]\nquiet = 12:00:00\n", 4, "must be a number, not a date or time"),
    "no timeout at all": (SERVER + "[timeouts]\nanswer = 0\n", 4, "[timeouts] answer must be greater than 0"),
    "no transports": (SERVER + "transports = []\n", 3, "[server] transports must not be empty"),
    "a prefix without its slash": (SERVER + "prefix = 'vtt'\n", 3, "[server] prefix: it must begin with /"),
    "a prefix with a query": (SERVER + "prefix = '/vtt?a=b'\n", 3, "and have no ? and no #"),
    "a path without its slash": (SERVER + "path = 'socket.io'\n", 3, "[server] path: it must begin with /"),
    "an adapter without a class": ("adapter = 'my_adapter'\n" + SERVER, 1, "write it as package.module:Class"),
    "a transport twice": (SERVER + "transports = ['polling', 'polling']\n", 3, "names something twice"),
    "three sessions": (
        SERVER + ACTORS + "".join(f"[[static-session]]\nid = '{n}'\nmembers = []\n" for n in range(3)),
        7,
        "has 3 entries; 2 at most are used",
    ),
    "a url that is none": ("[server]\nurl = 'localhost:3000'\n", 2, "'localhost:3000' is no server URL"),
    "an unset variable": ("[server]\nurl = '${NO_SUCH_THING}'\n", 2, "environment variable NO_SUCH_THING is not set"),
    "an empty variable": ("[server]\nurl = '${EMPTY_THING}'\n", 2, "environment variable EMPTY_THING is empty"),
    "no variable's name": ("[server]\nurl = 'http://${1}'\n", 2, "names no variable; write $${"),
    "a template that names nothing": (
        SERVER + ACTORS + "[login]\npath = '/login'\n\nform = { name = '{usr}' }\n",
        10,
        "the template names {usr}, which nothing defines; there are {actor}, {password}, {run}, {username}",
    ),
    "a capture that comes too late": (
        SERVER + ACTORS + LOGIN + "[session.open]\npath = '/games/{session}'\ncapture = { session = '/id' }\n",
        12,
        "the template names {session}, which nothing defines",
    ),
    "a command's template": (SERVER + "[login]\ncommand = ['sh', '{usr}']\n", 4, "the template names {usr}"),
    "no session captured": (SERVER + "[session.open]\npath = '/'\n", 3, "[session.open] captures no 'session'"),
    "no encounter captured": (SERVER + "[encounter.open]\npath = '/'\n", 3, "[encounter.open] captures no 'encounter'"),
    "no user captured": (SERVER + "[register]\npath = '/'\n" + OPEN, 3, "[register] captures no 'user'"),
    "an actor without a user": (
        SERVER + ACTORS + "[login]\npath = '/login'\n" + OPEN,
        3,
        "nothing says by which id the server calls gamemaster",
    ),
    "an actor without a login": (SERVER + ACTORS + OPEN, 3, "there is no way to log gamemaster in: add [login], or a"),
    "nobody": (SERVER + LOGIN + OPEN, 1, "nobody can log in: add [actors], or [register]"),
    "no game master": (
        SERVER + ACTORS[ACTORS.index("[actors.a") :] + LOGIN + OPEN,
        3,
        "somebody must open the sessions: add [actors.gamem",
    ),
    "no session": (SERVER + ACTORS + LOGIN, 1, "there is no session to join: add [session.open], or name one as"),
    "accounts made and had": (
        SERVER + ACTORS + "[register]\npath = '/'\ncapture = { user = '/id' }\n",
        3,
        "there are both [register], which makes accounts, and [actors]",
    ),
    "sessions made and had": (
        SERVER + ACTORS + LOGIN + OPEN + "[[static-session]]\nid = 'x'\nmembers = ['alice']\n",
        11,
        "there are both [session], which opens sessions, and [[static-session]]",
    ),
    "a session of nobody": (
        SERVER + "[[static-session]]\nid = 'x'\nmembers = ['alice']\n",
        3,
        "[[static-session]] needs [actors]",
    ),
    "a member who is not there": (
        SERVER + ACTORS + LOGIN + "[[static-session]]\nid = 'x'\nmembers = ['alice', 'bob']\n",
        13,
        "'bob' is in this session, and there is no [actors.bob]",
    ),
    "members made in two ways": (
        SERVER + "[membership]\njoining-enrols = true\n[membership.add]\npath = '/'\n",
        5,
        "there is also joining-enrols, by which nobody is made a member but by joining",
    ),
    "one session twice": (
        SERVER + ACTORS + LOGIN + 2 * "[[static-session]]\nid = 'x'\nmembers = ['alice']\n",
        15,
        "both [[static-session]] have the same id",
    ),
    "one name for two events": (
        SERVER + "[dialect.events]\njoin-session = 'x'\nleave-session = 'x'\n",
        5,
        "'leave-session' and 'join-session' cannot both be called 'x'",
    ),
    "an argument that is none": (
        SERVER + "[dialect.arguments]\njoin-session = 'userId'\n",
        4,
        "join-session has no property 'userId'; it has 'sessionId'",
    ),
    "a template of a request": (
        SERVER + "[dialect.arguments]\nchat-message = [{ to = '{sessionId}' }, '{text}']\n",
        4,
        "chat-message has no property 'text'; it has 'message', 'sessionId'",
    ),
    "a template of nothing": (SERVER + "[dialect.arguments]\njoin-session = []\n", 4, "must not be empty"),
    "a template of a number": (
        SERVER + "[dialect.arguments]\njoin-session = 5\n",
        4,
        "must be the name of a property, or a list of arguments, not a number",
    ),
    "a template with a date": (
        SERVER + "[dialect.arguments]\njoin-session = ['{sessionId}', 12:00:00]\n",
        4,
        "only what JSON has can be sent",
    ),
    "a template of a broadcast": (
        SERVER + "[dialect.broadcast.chat-message]\narguments = ['{sender}']\n",
        4,
        "chat-message has no property 'sender'; it has 'message', 'messageId'",
    ),
    "a template that cannot be read": (
        SERVER + "[dialect.broadcast.chat-message]\narguments = ['{userId}: {message}']\n",
        4,
        "'{userId}: {message}' names several properties",
    ),
    "properties said twice": (
        SERVER + "[dialect.arguments]\nchat-message = 'message'\n"
        "[dialect.request.chat-message]\nrename = { text = 'message' }\n",
        5,
        "there is also [dialect.arguments] chat-message",
    ),
    "two names of a property": (
        SERVER + "[dialect.data.'token:create']\nrename = { a = 'token', b = 'token' }\n",
        4,
        "'a' and 'b' cannot both be 'token'",
    ),
    "a name that another event has anyway": (
        SERVER + "[dialect.broadcasts]\n'token:create' = 'token:update'\n",
        4,
        "'token:create' and 'token:update' cannot both be called 'token:update'",
    ),
    "a property turned round": (
        SERVER + "[dialect.request.'token:create']\nrename = { token = 'tokenData' }\n",
        4,
        'the server\'s name comes first: tokenData = "token"',
    ),
    "a property that is none": (
        SERVER + "[dialect.data.get-user-data]\nrename = { 'user.login' = 'user.username' }\n",
        4,
        "'user.username' is no property that the protocol knows here; there are 'user'",
    ),
    "a property without its braces": (
        SERVER + "[dialect.broadcast.chat-message]\narguments = ['{userId}', 'message', {}]\n",
        4,
        "'message' stands for itself; for that property of chat-message write '{message}'",
    ),
    "half a pair of braces": (
        SERVER + "[dialect.arguments]\nchat-message = ['{sessionId', '{message}']\n",
        4,
        "'{sessionId' has a brace without its pair",
    ),
    "an answer that is none": (
        SERVER + "[dialect.answers]\nchat-message = 'never'\n",
        4,
        '[dialect.answers] chat-message must be "none", or a table with success and failure, not a text',
    ),
    "an answer of another kind": (SERVER + "[dialect.answers]\nchat-message = 5\n", 4, 'must be "none", or a table'),
    "an answer without a failure": (
        SERVER + "[dialect.answers]\nchat-message = { success = 'x' }\n",
        4,
        "[dialect.answers] chat-message lacks 'failure'",
    ),
    "an answer that says both": (
        SERVER + "[dialect.answers]\nchat-message = { success = 'x', failure = 'x' }\n",
        4,
        "'x' cannot say both yes and no",
    ),
    "a code that is none": (SERVER + "[dialect.codes]\nX = 'FORBIDDEN'\n", 4, "must be one of 'VALIDATION_ERROR'"),
    "a header of two lines": (SERVER + 'headers = { X = "a\\nb" }\n', 3, "a header and a cookie are one line"),
    "a step's header": (
        SERVER + '[logout]\npath = "/"\nheaders.X = "a\\rb"\n',
        5,
        "a header and a cookie are one line",
    ),
    "a cookie of two lines": (SERVER + '[actors.bob]\ncookie = "a=b\\n"\n', 4, "a header and a cookie are one line"),
    "a header without a name": (SERVER + 'headers = { "X Y" = "a" }\n', 3, "'X Y' is no name of a header"),
    "a url with a query": ("[server]\nurl = 'http://127.0.0.1:3000/?x=1'\n", 2, "has something behind its path"),
    "no certificates": (SERVER + "[server.tls]\nca = 'dungeonlab-target.toml'\n", 4, "holds no certificates in PEM"),
    "no file of authorities": (SERVER + "[server.tls]\nca = 'none.pem'\n", 4, "there is no file"),
    "an adapter of another form": ("adapter = 'my_mod'\n" + SERVER, 1, "adapter: write it as package.module:Class"),
    "no adapter's module": ("adapter = 'no_such:My'\n" + SERVER, 1, "no_such cannot be imported: ModuleNotFoundError"),
    "no adapter's class": ("adapter = 'json:My'\n" + SERVER, 1, "json has no My"),
    "an adapter that is none": ("adapter = 'json:JSONDecoder'\n" + SERVER, 1, "is no class derived from"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_sentence_with_file_and_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence begins with file and line, and says what is wrong; it is one line."""
    monkeypatch.setenv("EMPTY_THING", "")
    text, line, said = FAULTS[name]
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(FileFault) as fault:
        load_target(file)
    assert str(fault.value).startswith(f"{file}:{line}: "), str(fault.value)
    assert said in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """The line is that of the byte which is none."""
    file = tmp_path / "t.toml"
    file.write_bytes(b"[server]\nurl = '\xff'\n")
    with pytest.raises(FileFault, match=r"t\.toml:2: this is no UTF-8 text"):
        load_target(file)


@pytest.mark.parametrize("command", ["run", "probe"])
@pytest.mark.parametrize("name", ["an unknown key", "an unset variable", "a template that names nothing"])
def test_on_the_command_line(command: str, name: str, tmp_path: Path) -> None:
    """Exit code 2, and nothing but the sentence."""
    text, line, said = FAULTS[name]
    file = tmp_path / "t.toml"
    file.write_text(text, "utf-8")
    result = CliRunner().invoke(main, [command, "--target", str(file)])
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {file}:{line}: ")
    assert said in result.output
    assert result.output.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It says how to come by one; a folder is no file either."""
    result = CliRunner().invoke(main, ["run", "--target", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "none.toml does not exist; `dungeonlab-conformance init` writes one" in result.output
    result = CliRunner().invoke(main, ["run", "--target", str(tmp_path)])
    assert result.exit_code == 2
    assert "is a folder" in result.output


def test_no_trace_of_the_suite_in_a_process(tmp_path: Path) -> None:
    """A file found in the working directory is met the same way."""
    (tmp_path / "dungeonlab-target.toml").write_text(FAULTS["an unknown key"][0], "utf-8")
    command = [sys.executable, "-m", "dungeonlab_conformance", "run"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: dungeonlab-target.toml:4: unknown key 'pasword'")
    assert result.stderr.count("\n") == 1


def test_a_fault_never_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from the environment stands in the wrong place; the sentence says so without it."""
    monkeypatch.setenv("MY_SECRET", "hunter2-and-more")
    file = tmp_path / "t.toml"
    for text in (
        SERVER + "transports = ['${MY_SECRET}']\n",
        SERVER + "[logout]\npath = '${MY_SECRET}'\n",
        SERVER + "[logout]\npath = '/'\nmethod = '${MY_SECRET}'\n",
        SERVER + "headers = '${MY_SECRET}'\n",
        "adapter = '${MY_SECRET}:My'\n" + SERVER,
        "[server]\nurl = '${MY_SECRET}'\n",
        SERVER + "[dialect.events]\njoin-session = '${MY_SECRET}'\nleave-session = '${MY_SECRET}'\n",
        SERVER + "[server.tls]\nca = '${MY_SECRET}'\n",
        SERVER + ACTORS + LOGIN.replace("{username}", "{nobody} ${MY_SECRET}") + OPEN,
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(FileFault) as fault:
            load_target(file)
        assert "hunter2" not in str(fault.value)


def test_each_form_that_the_schema_asks_for_has_a_sentence() -> None:
    """A pattern without one could not be reported."""
    patterns = {found["pattern"] for found in _tables(schema()) if isinstance(found.get("pattern"), str)}
    assert patterns == set(FORMS)


def _tables(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _tables(inner)
