"""`--misbehave`: what it understands, and what it does."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
import socketio
from click.testing import CliRunner
from tests.reference_server.people import eventually
from tests.reference_server.test_cli import SOON, guests, running

from dungeonlab_reference_server.__main__ import main
from dungeonlab_reference_server.interventions import AddErrorEvent, Delay, Refuse, RefuseConnect
from dungeonlab_reference_server.misbehaviour import FORMS, HEADER, STRANGE_EVENT, BadOrder, parse


def test_all_of_it_is_understood() -> None:
    """Each form, with and without what may be left out."""
    found = parse(
        "refuse=token:move:RATE_LIMITED, refuse=*:INTERNAL_ERROR:every:3,delay=chat-message:2s,delay=*:50ms,"
        "refuse-connect,refuse-connect=every:2,error-event,unknown-event=every:1.5m,cut=every:30s"
    )
    kinds = [Refuse, Refuse, Delay, Delay, RefuseConnect, RefuseConnect, AddErrorEvent]
    assert [type(order) for order in found.orders] == kinds
    assert [(order.event, order.every) for order in found.orders] == [
        ("token:move", 1),
        (None, 3),
        ("chat-message", 1),
        (None, 1),
        (None, 1),
        (None, 2),
        (None, 1),
    ]
    assert [order.seconds for order in found.orders if isinstance(order, Delay)] == [2.0, 0.05]
    assert (found.cut_every, found.strange_every) == (30.0, 90.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "'' is nothing that can be asked for; there are refuse, delay"),
        ("refuze=x", "did you mean 'refuse'?"),
        ("\x1b[31m", "'?[31m' is nothing that can be asked for"),
        ("refuse=token:mov:RATE_LIMITED", "'token:mov' is no event that a client sends; did you mean 'token:move'?"),
        ("refuse=user-joined:RATE_LIMITED", "'user-joined' is no event that a client sends"),
        ("refuse=chat-message:TOKEN_NOT_FOUND", "chat-message is never refused with 'TOKEN_NOT_FOUND', but with "),
        ("refuse=*:GONE", "no request is never refused with 'GONE'"),
        ("refuse=RATE_LIMITED", "write refuse=EVENT:CODE"),
        ("refuse=*:RATE_LIMITED:every:0", "write refuse=EVENT:CODE"),
        ("delay=chat-message", "write delay=EVENT:TIME"),
        ("delay=chat-message:2", "write delay=EVENT:TIME"),
        ("delay=chat-message:²s", "write delay=EVENT:TIME"),
        ("delay=chat-message:11m", "is not between 0 and 600 seconds"),
        ("cut=30s", "write cut=every:TIME"),
        ("cut=every:1ms", "is not between 0.1 and 600 seconds"),
        ("unknown-event", "write unknown-event=every:TIME"),
        ("error-event=1", "write error-event"),
        ("refuse-connect=2", "write refuse-connect or refuse-connect=every:2"),
    ],
)
def test_what_is_not_understood_is_one_sentence(text: str, expected: str) -> None:
    """With what may have been meant; the command ends with 2."""
    with pytest.raises(BadOrder) as raised:
        parse(text)
    assert expected in str(raised.value)
    result = CliRunner().invoke(main, ["--misbehave", text])
    assert result.exit_code == 2
    assert f"Error: Invalid value for '--misbehave': {raised.value}\n" in result.output


def test_each_form_is_an_example_of_itself() -> None:
    """What a message tells people to write is understood."""
    for form in FORMS.values():
        example = form.rpartition("such as ")[2].rpartition(" or ")[2]
        assert parse(example).text == example


async def test_it_misbehaves_and_says_so() -> None:
    """At the start, in each response, WebSocket's too, and in the log; what nothing was asked about goes well."""
    what = "refuse=chat-message:RATE_LIMITED:every:2,error-event,unknown-event=every:100ms,refuse-connect=every:3"
    with running("--demo", "--misbehave", what) as (url, process):
        async with guests(url) as house:
            bob = await house.person()
            async with bob.http.get("/healthz") as answer:
                assert answer.headers[HEADER] == what.replace(",", ", ")
            async with bob.http.ws_connect("/socket.io/?EIO=4&transport=websocket") as socket:
                assert socket._response.headers[HEADER]
            session = await house.table(bob)
            first = await bob.joins(session)
            chat = {"sessionId": session, "message": "hi"}
            answers = [await first.asks("chat-message", chat) for _ in range(4)]
            assert [answer.get("code") for answer in answers] == [None, "RATE_LIMITED", None, "RATE_LIMITED"]
            assert [error["code"] for error in first.events("error")] == ["RATE_LIMITED", "RATE_LIMITED"]
            await eventually(lambda: len(first.events(STRANGE_EVENT)) > 1)
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=SOON)
    assert output.startswith("THIS IS NOT HOW THE REFERENCE SERVER BEHAVES")
    assert what.replace(",", ", ") in output
    assert "on order Refuse event=chat-message" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_it_cuts_connections_again_and_again(transport: str) -> None:
    """Each so often everybody is cut off, and gets in again."""
    with running("--misbehave", "cut=every:300ms", "--log-level", "error") as (url, _):
        async with guests(url) as house:
            bob = await house.person()
            ended = 0
            while ended < 2:
                with suppress(socketio.exceptions.ConnectionError):  # cut while it was opened
                    connection = await bob.connects(transport)
                    await eventually(connection.closed.is_set)
                    ended += 1
