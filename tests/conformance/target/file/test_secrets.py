"""No secret is in anything that is printed or written, whatever the server does with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.conformance.command import PYTEST
from tests.conformance.target.file.servers import command
from tests.serving import Variant, served

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import COOKIE, Pipeline
from dungeonlab_reference_server.rules import Emission, Payload

PASSWORD = 'pass/word "q4711x" ü'
TOKEN = "header-token-8812"
HEADER = "X-Staging-Token"


class Talkative(Pipeline):
    """Tells everybody everything it was given: cookies, headers, in answers, broadcasts, refusals and errors."""

    known: dict[str, str]

    async def on_connect(self, connection: str, environ: Mapping[str, Any], _: Any = None) -> None:
        request: web.Request = environ["aiohttp.request"]
        result = f"{request.cookies.get(COOKIE)} {request.headers.get(HEADER)} {PASSWORD}"
        self.known = {**getattr(self, "known", {}), connection: result}
        await super().on_connect(connection, environ)

    def refuse_connection(self, message: str) -> None:
        super().refuse_connection(f"{message} {PASSWORD} {TOKEN}")

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: Any) -> None:
        if envelope["success"]:
            envelope = {**envelope, "debug": self.known[connection]}
        else:
            envelope = {**envelope, "error": "x" * 500 + self.known[connection]}
        await super().acknowledge(connection, name, envelope, where)

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        result = {**emission.payload, "debug": [self.known[sender]]}
        await self.sockets.emit(emission.event, result, room=self.room(emission.session))

    def _check(self, reference: str | None, payload: Payload) -> None:
        """Send whatever it is."""


class Confused(HttpSide):
    """Refuses some things, and quotes what it was sent."""

    async def revoke(self, request: web.Request) -> web.Response:
        result = f"{request.headers.get('Cookie')} {request.headers.get(HEADER)} {PASSWORD}"
        return web.Response(status=500, text=result)

    async def delete_session(self, request: web.Request) -> web.Response:
        return await self.revoke(request)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return where a server tells all."""
    with served(Variant(pipeline=Talkative, http=Confused)) as url:
        yield url


FILE = f"""
[server]
url = "${{SERVER_URL}}"
headers = {{ {HEADER} = "${{TOKEN}}" }}
[login]
path = "/api/auth/login"
json = {{ username = "{{username}}", password = "{{password}}" }}
capture = {{ user = "/id" }}
[session.open]
path = "/api/game-sessions"
json = {{ name = "{{label}}" }}
capture = {{ session = "/id" }}
[session.close]
method = "DELETE"
path = "/api/game-sessions/{{session}}"
[membership.add]
method = "PUT"
path = "/api/game-sessions/{{session}}/participants/{{member}}"
[membership.remove]
method = "DELETE"
path = "/api/game-sessions/{{session}}/participants/{{member}}"
[encounter.open]
path = "/api/game-sessions/{{session}}/encounters"
json = {{ name = "{{label}}" }}
capture = {{ encounter = "/id" }}
"""
NAMES = ("gamemaster", "alice", "bob", "carol", "dave", "mallory")


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Path:
    """Return a folder with a target file for accounts that exist; one of them has a ready cookie."""
    text = FILE
    for name in NAMES:
        username = f"{name}-{os.urandom(3).hex()}"
        body = json.dumps({"username": username, "password": PASSWORD}).encode()
        made = subprocess.run(
            ["curl", "--silent", "--include", "--data-binary", "@-", f"{url}/api/auth/register"],
            input=body,
            capture_output=True,
            check=True,
        ).stdout.decode()
        if name == "bob":
            cookie = next(line for line in made.splitlines() if line.startswith("Set-Cookie: ")).split()[1].strip(";")
            (tmp_path / "cookie").write_text(cookie.partition("=")[2], "utf-8")
            user = json.loads(made.splitlines()[-1])["id"]
            text += f'[actors.bob]\ncookie = "{COOKIE}=${{COOKIE}}"\nuser = "{user}"\n'
        else:
            text += f'[actors.{name}]\nusername = "{username}"\npassword = "${{PASSWORD}}"\n'
    (tmp_path / "dungeonlab-target.toml").write_text(text, "utf-8")
    return tmp_path


def environment(url: str, folder: Path) -> dict[str, str]:
    cookie = (folder / "cookie").read_text("utf-8")
    return {"SERVER_URL": url, "TOKEN": TOKEN, "PASSWORD": PASSWORD, "COOKIE": cookie}


def holds_none(text: str, folder: Path) -> bool:
    """Whether a text has none of the secrets in it, in no spelling; half a cookie is one too."""
    cookie = (folder / "cookie").read_text("utf-8")
    spelled = {PASSWORD, json.dumps(PASSWORD)[1:-1], json.dumps(PASSWORD, ensure_ascii=False)[1:-1], "q4711x"}
    return not any(secret in text for secret in (*spelled, TOKEN, cookie, cookie[: len(cookie) // 2], "&quot;q4711x"))


def test_no_output_holds_a_secret(url: str, folder: Path) -> None:
    """Every report format, the terminal, and what a report is made of again; plenty of failures are among it."""
    files = {name: folder / f"report.{name}" for name in ("json", "ndjson", "junit", "markdown", "html")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    options += ["--write-known-failures", str(folder / "known.toml"), "--timeout", "0.5", "-v"]
    only = [word for what in ("chat", "names", "acks", "rooms", "auth/refusal*", "authorization/checked*", "presence")
            for word in ("--only", what)]  # fmt: skip
    ran = command("run", *options, *only, folder=folder, **environment(url, folder))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    document = json.loads(files["json"].read_text("utf-8"))
    assert document["counts"]["fail"] > 10
    assert document["leftovers"]
    assert "***" in json.dumps(document["verdicts"])
    assert "***" in " ".join(document["leftovers"])
    outputs = {name: file.read_text("utf-8") for name, file in files.items()}
    outputs |= {"stdout": ran.stdout, "stderr": ran.stderr, "known": (folder / "known.toml").read_text("utf-8")}
    assert [name for name, text in outputs.items() if not holds_none(text, folder)] == []
    again = command("replay", "report.json", "rooms/sender-hears-nothing", folder=folder, **environment(url, folder))
    assert again.returncode in (1, 3), again.stdout + again.stderr  # its session cannot be cleared away either
    assert holds_none(again.stdout + again.stderr, folder)


def test_no_probe_and_no_pytest_item_holds_a_secret(url: str, folder: Path) -> None:
    """Nor what these say of steps and verdicts that fail."""
    probed = command("probe", folder=folder, **environment(url, folder))
    assert probed.returncode == 3
    assert "***" in probed.stdout
    assert holds_none(probed.stdout + probed.stderr, folder)
    chosen = ("dungeonlab-target.toml", "-k", "chat or names")
    tested = subprocess.run(
        [*PYTEST, "-p", "no:cacheprovider", *chosen, "--tb=long", "-rA"],
        cwd=folder,
        env={**os.environ, **environment(url, folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 1, tested.stdout + tested.stderr
    assert "***" in tested.stdout
    assert holds_none(tested.stdout + tested.stderr, folder)
