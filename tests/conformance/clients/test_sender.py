"""What a connection knows of requests before it waits for them."""

from __future__ import annotations

import pytest
from aiohttp import web
from tests.conformance.scripted_server import ENTERED, OPEN, Handler, over_websocket, serving

from dungeonlab_conformance.clients.engine_io import Closed
from dungeonlab_conformance.clients.sender import Sender
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone
from dungeonlab_conformance.target.target import Target

QUESTION = Request("get-user-data", ({},), None, None)
ACCEPTED = '{"success":true,"data":{}}'


def test_malformed_requests_that_were_waited_for_in_vain_hold_nothing_up() -> None:
    """Where events answer, each would be waited for before the next is sent; valid ones may yet be answered."""
    sender = Sender("alice", None, Target("http://127.0.0.1:1"), Journal())
    malformed = Request("token:update", ({},), None, None, legal=False)
    valid, other = Request("token:update", ({},), None, None), Request("token:move", ({},), None, None, legal=False)
    assert not sender._is_hardly_answered(malformed)
    sender.target.limits.heard_of("token:update", 0.01)
    for _ in range(2):
        sender.target.limits.waited_for("token:update")
    assert [sender._is_hardly_answered(each) for each in (malformed, valid, other)] == [True, False, False]


def refuses_the_first() -> Handler:
    """Return a handler that refuses the first request of all, and accepts every other."""
    asked = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(OPEN)
        async for message in socket:
            if message.data == "40":
                await socket.send_str(ENTERED)
                continue
            asked += 1
            number = message.data[2:].partition("[")[0]
            refusal = '{"success":false,"error":"No.","code":"PERMISSION_DENIED"}'
            await socket.send_str(f"43{number}[{refusal if asked == 1 else ACCEPTED}]")
        return socket

    return handle


def end_with_the_next_request(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server's end of a connection be seen when the next request is sent, and no sooner."""
    line = sender._line
    assert line is not None

    async def send(*_: object) -> None:
        await line.close()
        raise Closed("the server closed the connection")

    monkeypatch.setattr(line, "send", send)


@pytest.mark.parametrize("way", ["try_send", "send_without_callback", "send_unawaited"])
async def test_a_request_that_meets_the_end_of_a_refused_connection_is_sent_on_a_new_one(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may end TCP behind a refusal, and the next request be sent before that was seen."""
    async with serving(refuses_the_first()) as url:
        alice = Sender("alice", None, Target(url), Journal())
        await alice.connect()
        first = alice.connection
        assert not (await alice.try_send(QUESTION)).accepted
        end_with_the_next_request(alice, monkeypatch)
        await getattr(alice, way)(QUESTION)
        assert alice.connection != first
        assert (await alice.try_send(QUESTION)).accepted
        await alice.close()


async def test_a_connection_that_was_refused_nothing_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it ended is a matter of the server."""
    async with serving(over_websocket()) as url:
        alice = Sender("alice", None, Target(url), Journal())
        await alice.connect()
        end_with_the_next_request(alice, monkeypatch)
        with pytest.raises(Gone):
            await alice.try_send(QUESTION)
        await alice.close()


async def test_a_round_trip_that_meets_the_end_of_its_connection_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that the connection is closed; the scene may go on with another."""
    async with serving(over_websocket()) as url:
        alice = Sender("alice", None, Target(url), Journal())
        await alice.connect()
        end_with_the_next_request(alice, monkeypatch)
        assert not await alice.fence()
        assert alice.closed
        await alice.close()
