"""Has schemathesis hold a running server against the description of the HTTP side, with all its checks."""

from __future__ import annotations

import asyncio
import sys
from importlib.resources import files
from pathlib import Path

DESCRIPTION = files("dungeonlab_spec") / "http.openapi.json"
COOKIE = "dungeonlab_session"  # as the description calls it; a server may have another name for it
OPTIONS = ["--max-examples", "10", "--seed", "1", "--no-color", "--generation-database", "none"]


async def agrees(url: str, folder: Path, *more: str, cookie: tuple[str, str] | None = None) -> str:
    """Let schemathesis loose on a server; returns what it said, once it has found nothing.

    With a cookie, by name and value, every operation is tried but logging out, which would end the login that
    the others need. `folder` is where its files may lie.
    """
    name, value = cookie or (COOKIE, "")
    (folder / "openapi.json").write_text(DESCRIPTION.read_text("utf-8").replace(COOKIE, name), "utf-8")
    if cookie:
        (folder / "schemathesis.toml").write_text(f"[auth.openapi.cookie]\napi_key = '{value}'\n", "utf-8")
        more = ("--exclude-operation-id", "logOut", *more)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "openapi.json", "--url", url]
    running = await asyncio.create_subprocess_exec(
        *command, *OPTIONS, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    said = (await running.communicate())[0].decode()
    assert running.returncode == 0, said
    if cookie:
        assert "Authentication failed" not in said, said
    return said
