"""A client and a server talk through a tap as they do without it, byte for byte."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.tap.conversation import Act, Conversation, Send, played
from tests.conformance.tap.conversations import AGREES, CONVERSATIONS, GET, MASK, OK, frame, request

from dungeonlab_conformance.tap import link
from dungeonlab_conformance.tap.link import End
from dungeonlab_conformance.tap.reading.framing import Framing, Piece

_EXAMPLES = int(os.environ.get("TAP_EXAMPLES", "40"))


def test_the_cases_are_many() -> None:
    """Forty at least, each of its own name."""
    names = {each.name for each in CONVERSATIONS}
    assert len(names) == len(CONVERSATIONS) >= 40


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda each: each.name)
async def test_both_ends_receive_the_same(conversation: Conversation) -> None:
    """The same bytes, and the same end of them, directly and through a tap."""
    direct = await played(conversation, tapped=False)
    tapped = await played(conversation, tapped=True)
    assert tapped == direct


def test_on_the_faster_event_loop_they_do_too() -> None:
    """The commands run on uvloop, where it is installed; it begins to read, and ends connections, at other moments."""

    async def all_of_them() -> None:
        for conversation in CONVERSATIONS:
            assert await played(conversation, tapped=True) == await played(conversation, tapped=False), conversation

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loops:
        loops.run(all_of_them())


def _closes(end: End) -> None:
    end.close()


def _is_over(_: End) -> bool:
    return False


def _unchanged(framing: Framing, _: object, data: bytes) -> tuple[bytes, list[Piece]]:
    return data, framing.feed(data)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (lambda patch: patch.setattr(End, "finish", _closes), "the client sends no more, and is answered"),
        (lambda patch: patch.setattr(End, "reset", _closes), "the client resets in the midst of an answer"),
        (lambda patch: patch.setattr(End, "eof_received", _is_over), "requests without waiting"),
        (lambda patch: patch.setattr(link, "rewritten", _unchanged), "byte by byte"),
    ],
    ids=["closes both directions", "never resets", "drops a direction", "leaves Host as it is"],
)
async def test_a_relay_that_changes_something_is_seen(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None], name: str
) -> None:
    """The comparison knows what it forbids: a tap with a fault does not pass it."""
    conversation = next(each for each in CONVERSATIONS if each.name == name)
    direct = await played(conversation, tapped=False)
    fault(monkeypatch)
    assert await played(conversation, tapped=True) != direct


_ELSEWHERE = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
_WELL_FORMED = [_ELSEWHERE, OK, AGREES, frame(0x81, b"42[]", MASK), frame(0xC1, b"x"), b"Host: ", b"5\r\nhello\r\n"]
_PARTS = [b"\r\n", b"\n", b"Origin: http://", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n\r\n"]
_BYTES = st.binary(min_size=1, max_size=200) | st.sampled_from(_WELL_FORMED) | st.sampled_from(_PARTS)
_AT_ONCE = st.sampled_from([0, 0, 1, 7])
_SENT = st.lists(st.builds(Send, _BYTES, _AT_ONCE), max_size=8)


def _requests(bodies: list[bytes]) -> bytes:
    """Return requests to the address that a client has connected to, one with each body, by turns of either kind."""
    kinds = itertools.cycle([(b"Content-Length: %d", b"%b"), (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n")])
    asked = b""
    for body, (header, form) in zip(bodies, kinds, strict=False):
        chunked = form != b"%b"
        content = form % ((len(body), body) if chunked else body)
        asked += request(header if chunked else header % len(body), start=b"POST / HTTP/1.1", body=content)
    return asked


def _same(client: tuple[Act, ...], server: tuple[Act, ...]) -> None:
    ends: tuple[Act, ...] = ("half-close", "read to the end", "close")
    conversation = Conversation("", (*client, *ends), (*server, *ends))

    async def both() -> None:
        assert await played(conversation, tapped=True) == await played(conversation, tapped=False)

    asyncio.run(both())


@settings(max_examples=_EXAMPLES, deadline=None)
@given(_SENT, _SENT)
def test_whatever_is_sent_arrives_as_it_was(client: list[Send], server: list[Send]) -> None:
    """Any bytes, in any pieces, in both directions at once."""
    _same(tuple(client), tuple(server))


@settings(max_examples=_EXAMPLES, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), _AT_ONCE)
def test_whatever_is_asked_for_names_the_server(bodies: list[bytes], pieces: int) -> None:
    """Requests with bodies of any bytes, in any pieces: each Host is that of the server, wherever a body ends."""
    _same((Send(_requests(bodies) + GET, pieces),), (Send(OK * (len(bodies) + 1)),))
