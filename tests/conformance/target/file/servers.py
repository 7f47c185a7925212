"""Servers to be judged by a target file: the worked example, and one with nothing but ready-made sessions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.conformance.command import run_command

TAVERN = Path(__file__).resolve().parents[4] / "examples" / "tavern"
PASSWORD = "open-sesame-4711"
FOUR = ("gamemaster", "alice", "bob", "dave")


def command(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a folder."""
    variables = {**os.environ, "NO_COLOR": "1", "TAVERN_PASSWORD": PASSWORD, **environment}
    return run_command(words, folder, variables)


@contextmanager
def tavern() -> Iterator[str]:
    """Run the worked example; yields its URL."""
    environment = {**os.environ, "TAVERN_PASSWORD": PASSWORD}
    start = [sys.executable, str(TAVERN / "server.py"), "0"]
    with subprocess.Popen(start, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        try:
            yield found[0]
        finally:
            process.terminate()


async def prepare(url: str, names: Sequence[str], *sessions: Sequence[str]) -> str:
    """Make accounts and sessions on a server with our HTTP side; return a target file that names them as ready-made."""
    http = {name: aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) for name in names}
    suffix = os.urandom(3).hex()
    text = f'[server]\nurl = "{url}"\n\n[login]\npath = "/api/auth/login"\n'
    text += 'json = { username = "{username}", password = "{password}" }\ncapture = { user = "/id" }\n\n'
    text += '[logout]\npath = "/api/auth/logout"\n'

    async def ask(name: str, method: str, path: str, body: Any = None) -> str:
        async with http[name].request(method, f"{url}/api/{path}", json=body) as answer:
            assert answer.status in (201, 204), await answer.text()
            return str((await answer.json())["id"]) if answer.status == 201 else ""

    try:
        users = {}
        for name in names:
            account = {"username": f"{name}-{suffix}", "password": f"{PASSWORD}-{name}"}
            users[name] = await ask(name, "POST", "auth/register", account)
            text += f"\n[actors.{name}]\n" + "".join(f"{key} = {json.dumps(v)}\n" for key, v in account.items())
        for number, members in enumerate(sessions):
            session = await ask("gamemaster", "POST", "game-sessions", {"name": f"ready-made {number}"})
            encounter = await ask("gamemaster", "POST", f"game-sessions/{session}/encounters", {"name": "map"})
            for member in members:
                await ask("gamemaster", "PUT", f"game-sessions/{session}/participants/{users[member]}")
            text += f'\n[[static-session]]\nid = "{session}"\nmembers = {json.dumps(list(members))}\n'
            text += f'encounters = ["{encounter}"]\n'
    finally:
        for session_ in http.values():
            await session_.close()
    return text
