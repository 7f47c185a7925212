"""The reference server answers as its description says: schemathesis finds nothing, with all its checks."""

from __future__ import annotations

import asyncio
import sys
from importlib.resources import files
from pathlib import Path

from tests.reference_server.people import House

DESCRIPTION = str(files("dungeonlab_spec") / "http.openapi.json")
OPTIONS = ["--max-examples", "10", "--seed", "1", "--no-color", "--generation-database", "none"]


async def told(here: House, folder: Path, *more: str) -> str:
    """Let schemathesis loose on the server; returns what it said, once it has found nothing."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", DESCRIPTION, "--url", here.url]
    running = await asyncio.create_subprocess_exec(
        *command, *OPTIONS, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    said = (await running.communicate())[0].decode()
    assert running.returncode == 0, said
    return said


async def test_schemathesis_finds_nothing_with_a_login(here: House, tmp_path: Path) -> None:
    """Edge cases, generated and chained requests: no answer is a surprise.

    Without logging out, which would end the login that every other request needs.
    """
    (cookie,) = (await here.person()).http.cookie_jar
    (tmp_path / "schemathesis.toml").write_text(f'[auth.openapi.cookie]\napi_key = "{cookie.value}"\n')
    said = await told(here, tmp_path, "--exclude-operation-id", "logOut")
    assert "10/11" in said
    assert "Authentication failed" not in said


async def test_schemathesis_finds_nothing_without_a_login(here: House, tmp_path: Path) -> None:
    """Every operation, by somebody whose cookies are all made up."""
    assert "11/11" in await told(here, tmp_path)
