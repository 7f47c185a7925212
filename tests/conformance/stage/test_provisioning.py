"""What goes on behind the scenes, when it does not go smoothly."""

from __future__ import annotations

import time

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.conformance.scripted_server import serving

from dungeonlab_conformance.clients.http.client import session_for
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.target import Target


async def test_an_attempt_to_register_may_be_repeated(reference_url: str) -> None:
    """An account whose making was not answered in time may exist all the same: the next attempt makes another."""
    provisioner = Provisioner(Target(reference_url))
    try:
        first, second = await provisioner.log_in("alice", 0), await provisioner.log_in("alice", 0)
    finally:
        await provisioner.close()
    assert first.user != second.user


@pytest.mark.parametrize(("idle", "connections"), [(0.2, 1), (1.5, 2)])
async def test_an_idle_connection_is_not_used_again(
    idle: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may hang up on it at any moment, and a request sent into that moment is lost."""
    seen: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        seen.add(request.transport)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server, session_for(Target(str(server.make_url("/"))), None) as http:
        for later in (0.0, idle):
            clock = time.monotonic() + later
            monkeypatch.setattr(aiohttp.connector, "monotonic", lambda now=clock: now)
            async with http.post(server.make_url("/")) as answered:
                assert answered.status == 200
                await answered.read()
    assert len(seen) == connections


async def test_users_share_the_connections_of_their_http_requests(reference_url: str) -> None:
    """What is done over HTTP, one request after the other, goes over one connection; cookies are each user's own."""
    provisioner = Provisioner(Target(reference_url))
    try:
        alice, bob = await provisioner.log_in("alice", 0), await provisioner.log_in("bob", 0)
        session = (await provisioner.open_session(alice, "one"))["session"]
        await provisioner.add_member(alice, session, bob, {})
        connector = provisioner._steps._connector
        assert connector is not None
        assert [len(idle) for idle in connector._conns.values()] == [1]
    finally:
        await provisioner.close()
    assert alice.user != bob.user
    assert alice.cookies != bob.cookies


async def test_an_id_that_is_half_a_surrogate_pair_is_no_failure_of_the_suite() -> None:
    """A server may give out such ids, in JSON; the request that names one is made, and judged by its answer."""

    async def nowhere(_: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(nowhere) as url:
        provisioner = Provisioner(Target(url))
        host, member = (Identity(name, chr(0xD800), {}, {"username": name}) for name in ("gamemaster", "bob"))
        with pytest.raises(Unjudged, match="404"):
            await provisioner.add_member(host, chr(0xD800), member, {})
        await provisioner.close()
