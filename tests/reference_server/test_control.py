"""Orders by standard input are carried out one by one and answered; what is no order is answered too."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from tests.reference_server.people import house
from tests.reference_server.test_cli import SOON, guests, running

from dungeonlab_reference_server.control import obey
from dungeonlab_reference_server.interventions import Interventions


def ordered(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    """Write a line to a server's standard input; returns its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


async def test_an_order_is_carried_out_on_a_running_server() -> None:
    """The next request of one user is refused; the end of standard input stops the server."""
    with running("--control") as (url, process):
        async with guests(url) as house_:
            gm = await house_.person()
            session = await house_.table(gm)
            member = await gm.joins(session)
            order = {"number": 7, "order": "refuse_next", "with": [gm.id, "RATE_LIMITED"]}
            assert ordered(process, json.dumps(order)) == {"number": 7}
            chat = {"sessionId": session, "message": "hi"}
            assert await member.is_refused("chat-message", chat) == "RATE_LIMITED"
            await member.does("chat-message", chat)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(SOON) == 0


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "property name"),
        ("[1]", "indices"),
        ('{"number": 1}', "order"),
        ('{"number": 1, "order": "close"}', "no such order"),
        ('{"number": 1, "order": "refuse_next"}', "missing"),
        ('{"number": 1, "order": "refuse_next", "with": ["x", "OUT_OF_MANA"]}', "OUT_OF_MANA"),
        ('{"number": 1, "order": "emit", "with": ["x", "disconnect"]}', "disconnect"),
    ],
)
async def test_what_cannot_be_carried_out_is_answered_with_why(line: str, problem: str) -> None:
    """No line ends the server, and each has its answer."""
    async with house(pipeline_class=Interventions) as here:
        assert isinstance(here.pipeline, Interventions)
        answer = json.loads(await obey(line.encode(), here.pipeline))
    assert problem in answer["error"]
