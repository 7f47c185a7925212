"""A server behind TLS, with a certificate that the system does not know."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.serving import running

from dungeonlab_conformance.clients.http.fuzzer import Generator
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.file.load import load_target
from dungeonlab_reference_server.app import make_app
from dungeonlab_spec import Catalogue

if shutil.which("openssl") is None:
    pytest.skip("openssl is not there to make a certificate", allow_module_level=True)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Return where a reference server is, behind TLS; its certificate is in server.pem."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out server.pem -days 2 -subj /CN=localhost"
    subject = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    await asyncio.to_thread(
        subprocess.run, [*command.split(), *subject], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "key.pem")
    async with running(make_app(), context) as url:
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize("how", ["verify = false", 'ca = "server.pem"'])
async def test_it_is_judged_over_both_transports(how: str, port: int, tmp_path: Path) -> None:
    """Without looking at the certificate, or with that one as an authority; cookies are secure ones."""
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(f'[server]\nurl = "https://localhost:{port}"\n[server.tls]\n{how}\n', "utf-8")
    run = await Runner(
        load_target(file),
        scenes(Selection(only=("connect/websocket", "connect/polling", "connect/upgrade", "chat")), Catalogue.load()),
    ).play()
    assert run.fault is None
    assert {v.outcome for v in run.verdicts} == {Outcome.PASS}


@pytest.mark.parametrize("how", ["verify = false", 'ca = "server.pem"'])
@pytest.mark.filterwarnings("ignore:.*register_random")  # schemathesis hands hypothesis a passing generator
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_generated_requests_are_made_so_too(how: str, port: int, tmp_path: Path) -> None:
    """Those of schemathesis, which has settings of its own."""
    pytest.importorskip("schemathesis")
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(f'[server]\nurl = "https://localhost:{port}"\n[server.tls]\n{how}\n', "utf-8")
    generator = Generator(load_target(file), {}, "s", "u", seconds=3.0)
    await asyncio.to_thread(generator.run)  # raises `Gone` where a request is not answered


async def test_otherwise_it_cannot_be_judged(port: int, tmp_path: Path) -> None:
    """One sentence, and nothing is found broken."""
    file = tmp_path / "dungeonlab-target.toml"
    file.write_text(f'[server]\nurl = "https://localhost:{port}"\n', "utf-8")
    run = await Runner(load_target(file), scenes(Selection(only=("chat",)), Catalogue.load())).play()
    assert run.exit_code == 3
    assert run.fault is not None
    assert "cannot be reached" in run.fault
    assert {v.outcome for v in run.verdicts} == {Outcome.UNJUDGED}
