"""A server behind a proxy that adds a prefix to every path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.serving import running

from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.app import make_app
from dungeonlab_spec import Catalogue


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """Return scheme, host and port of a reference server, all of whose paths begin with /vtt."""
    app = web.Application()
    app.add_subapp("/vtt", make_app())
    async with running(app) as url:
        yield url


def described(folder: Path, *lines: str) -> Target:
    file = folder / "dungeonlab-target.toml"
    file.write_text("\n".join(["[server]", *lines]), "utf-8")
    return load_target(file)


@pytest.mark.parametrize(
    ("path", "only"),
    [
        ("", ("connect/*", "chat", "payloads/server-survives")),
        ("/vtt", ("connect/websocket", "connect/polling", "connect/upgrade", "chat/text-arrives-unchanged")),
        ("/vtt/", ("connect/websocket", "connect/polling", "connect/upgrade", "chat/text-arrives-unchanged")),
    ],
)
async def test_the_documented_path_is_judged_behind_it(
    origin: str, path: str, only: tuple[str, ...], tmp_path: Path
) -> None:
    """Over every transport, with bare frames and bytes too; the address may have the prefix already."""
    target = described(tmp_path, f'url = "{origin}{path}"', 'prefix = "/vtt/"')
    assert target.socket == f"{origin}/vtt/socket.io/"
    run = await Runner(target, scenes(Selection(only=only), Catalogue.load())).play()
    assert run.fault is None
    assert {v.requirement: v.reason or v.findings for v in run.verdicts if v.outcome is not Outcome.PASS} == {}


async def test_without_it_the_sentence_names_it(origin: str, tmp_path: Path) -> None:
    """What answers at the bare path is no Socket.IO server."""
    run = await Runner(
        described(tmp_path, f'url = "{origin}"'), scenes(Selection(only=("chat",)), Catalogue.load())
    ).play()
    assert run.exit_code == 3
    assert "is the path right, and is it a Socket.IO server? If not, set [server] url, path or prefix" in str(run.fault)


@pytest.mark.parametrize(
    ("url", "prefix", "socket", "base"),
    [
        ("https://h", "", "https://h/socket.io/", "https://h"),
        ("https://h/api", "", "https://h/socket.io/", "https://h/api"),
        ("https://h/", "vtt", "https://h/vtt/socket.io/", "https://h/vtt"),
        ("https://h/vtt", "/vtt", "https://h/vtt/socket.io/", "https://h/vtt"),
        ("https://h/avtt", "/vtt", "https://h/vtt/socket.io/", "https://h/avtt/vtt"),
        ("https://h", "/a/b/", "https://h/a/b/socket.io/", "https://h/a/b"),
        ("https://h", "/", "https://h/socket.io/", "https://h"),
    ],
)
def test_where_requests_go(url: str, prefix: str, socket: str, base: str) -> None:
    """A path in the address stands before HTTP requests only, a prefix before everything."""
    target = Target(url, prefix=prefix)
    assert (target.socket, target.base) == (socket, base)


@pytest.mark.parametrize("prefix", ["vtt", "/vtt?a", "/vtt#a"])
def test_what_is_no_prefix_is_named(prefix: str, tmp_path: Path) -> None:
    """With file and line."""
    with pytest.raises(TargetFault, match=r"dungeonlab-target\.toml:3: .*prefix"):
        described(tmp_path, 'url = "http://h"', f'prefix = "{prefix}"')
