"""What the director can do beside the acts, for a person: each button does what its sentence says."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from dungeonlab_conformance.client_acts.performance import World, world
from dungeonlab_conformance.client_acts.processes.directed_server import directed_server
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.target import Target


@pytest.fixture
async def here() -> AsyncIterator[World]:
    """Return a world on the bundled server."""
    async with directed_server() as server:
        provisioner = Provisioner(Target(server.url))
        async with world(server, AccountPool(0, provisioner), TapJournal(), "alice") as prepared:
            yield prepared
        await provisioner.close()


def chat(here: World) -> Request:
    """Return something to say."""
    return Request("chat-message", ({"sessionId": here.stage.session, "message": "hi"},), None, here.stage.session)


async def test_what_others_do_is_done(here: World) -> None:
    """Each request of theirs is accepted; what they make is gone again, but for the token that is named to a client."""
    for _ in range(4):
        await here.others.act()
    requests = here.stage.journal.requests
    assert {request.outcome for request in requests} == {"accepted"}
    asked = Counter(request.event for request in requests)
    assert asked["token:create"] == asked["token:delete"] + 1
    moves = [request.args[0] for request in requests if request.event == "token:move"]
    assert {move["position"].get("elevation") for move in moves if move["tokenId"] == here.others.token} > {None, 2.5}


async def test_who_was_thrown_out_can_be_taken_in_again(here: World) -> None:
    """Until then joining is refused; to throw somebody out twice is harmless."""
    alice = await here.stage.joined("alice")
    join = Request.naming("join-session", here.stage.session)
    assert "cannot join" in await here.director.throw_out()
    await here.director.throw_out()
    assert not (await alice.try_send(join)).accepted
    await here.director.take_in()
    assert (await alice.try_send(join)).accepted


async def test_late_answers_come_at_once_again(here: World) -> None:
    """The delay ends where it is ended."""
    alice = await here.stage.joined("alice")
    assert "30 seconds late" in await here.director.answer_late(30.0)
    assert "at once" in await here.director.answer_at_once()
    began = time.monotonic()
    assert (await alice.try_send(chat(here))).accepted
    assert time.monotonic() - began < 20


async def test_every_button_has_an_explanation_and_can_be_pressed_with_nobody_there(here: World) -> None:
    """Each returns one sentence on what it did."""
    for name, act in here.director.acts.items():
        assert act.__doc__, name
        said = await act()
        assert said.endswith("."), name
