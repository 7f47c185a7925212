"""What is read of the bytes on one connection; and that it is bounded, and that a fault of a peer ends it quietly."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.tap.conversations import MASK, deflated, frame

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.reading import connection, sessions
from dungeonlab_conformance.tap.reading.connection import ConnectionReading
from dungeonlab_conformance.tap.reading.sessions import Sessions
from dungeonlab_conformance.tap.reading.users import Users
from dungeonlab_conformance.target.dialect.translation import PLAIN, AnswerByEvent, Dialect, Shape

COOKIE = b"Cookie: theme=dark; session=s3cret\r\n"
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=abc&t=1 HTTP/1.1\r\nHost: h\r\n" + COOKIE + b"\r\n"
WEBSOCKET = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + COOKIE
    + b"\r\n"
)
SWITCHES = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: %b\r\n\r\n"
_PACKETS = [
    b"4",
    b"2probe",
    b"40",
    b"41",
    b"42",
    b'42["a"',
    b'430[{"a":1}]',
    b"451-[1]",
    b"b!",
    b"0{}",
    b'0{"sid":1}',
    b"6",
]
_FRAMES = st.builds(frame, st.sampled_from([0x81, 0x01, 0x00, 0x80, 0x88, 0xC1, 0x82, 0xFF]), st.sampled_from(_PACKETS))
_WHOLE = [
    POLL,
    POLL.replace(b"&sid=abc", b""),
    WEBSOCKET,
    SWITCHES % b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
]
_BYTES = st.one_of(st.binary(max_size=100), st.sampled_from(_PACKETS), _FRAMES, st.sampled_from(_WHOLE))
OPEN = '0{"sid":"abc","pingInterval":25000}'


class Wire:
    """One connection that is read."""

    def __init__(self, dialect: Dialect = PLAIN) -> None:
        self.journal = TapJournal(clock=lambda: 0.0)
        self.sessions, self.users = Sessions(self.journal, dialect), Users()
        self.reading = self.another()

    def another(self) -> ConnectionReading:
        """Return what reads another connection of the same tap."""
        return ConnectionReading(self.sessions, self.users, lambda _: None)

    def client(self, data: bytes) -> None:
        """Have the client send."""
        self._feed("client", data)

    def server(self, data: bytes) -> None:
        """Have the server send."""
        self._feed("server", data)

    def _feed(self, sender: Literal["client", "server"], data: bytes) -> None:
        framing = self.reading.client if sender == "client" else self.reading.server
        self.reading.read(sender, framing.feed(data))

    def polled(self, body: bytes, *headers: bytes) -> None:
        """Answer a poll."""
        lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body]
        self.server(b"\r\n".join(lines))

    def posted(self, body: bytes) -> None:
        """Send packets by polling, and have them taken."""
        start = b"POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: h\r\n" + COOKIE
        self.client(start + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.polled(b"ok")

    def polling(self) -> None:
        """Open a session by polling."""
        self.client(POLL.replace(b"&sid=abc", b""))
        self.polled(OPEN.encode())

    def websocket(self, extensions: bytes = b"") -> None:
        """Open a session by WebSocket."""
        self.client(WEBSOCKET)
        self.server(SWITCHES % extensions)
        self.server(frame(0x81, OPEN.encode()))

    def noted(self) -> list[tuple[str, ...]]:
        """Return sender, kind, event and text of what was noted behind the opening."""
        packets = [seen for seen in self.journal.packets if seen.kind not in ("handshake", "open")]
        return [(seen.sender, seen.kind, seen.event, seen.text) for seen in packets]


@pytest.fixture
def wire() -> Wire:
    """A connection on which nothing was said."""
    return Wire()


def test_several_packets_in_one_body(wire: Wire) -> None:
    """Each is noted by itself, pings are not, and binary attachments belong to the packet before."""
    wire.polling()
    wire.posted(b'40\x1e420["chat-message",{"a":1}]\x1e3')
    wire.client(POLL)
    wire.polled(b'40{"sid":"x"}\x1e2\x1e430[{"success":true}]\x1e451-["b",{"_placeholder":true,"num":0}]\x1ebQUJD')
    assert wire.noted() == [
        ("client", "connect", "", ""),
        ("client", "event", "chat-message", '[{"a":1}]'),
        ("server", "connected", "", ""),
        ("server", "ack", "chat-message", '[{"success":true}]'),
        ("server", "event", "b", '[{"_placeholder":true,"num":0}]'),
    ]
    assert {seen.user for seen in wire.journal.packets} == {"user-1"}


def test_attachments_are_counted_as_they_are_announced(wire: Wire) -> None:
    """A placeholder in a packet that announces none is text like any other."""
    wire.polling()
    wire.posted(b'42["a",{"_placeholder":true,"num":0}]\x1e451-["b",{"_placeholder":true,"num":0}]\x1ebQUJD')
    assert [(seen.event, seen.attachments) for seen in wire.journal.packets if seen.event] == [("a", 0), ("b", 1)]


def test_white_space_in_an_event_is_read_as_json_has_it(wire: Wire) -> None:
    """It may stand on either side of each bracket and comma."""
    wire.websocket()
    wire.client(frame(0x81, b'421 [ \t"chat-message" , {"a": 1} ]', MASK))
    wire.client(frame(0x81, b'42\r\n[\n"b"\n]', MASK))
    assert wire.noted() == [("client", "event", "chat-message", '[{"a": 1} ]'), ("client", "event", "b", "[]")]


def test_a_body_may_be_compressed_and_in_chunks(wire: Wire) -> None:
    """Gzip, as servers send large bodies, and chunks of any size."""
    wire.polling()
    wire.client(POLL)
    body = gzip.compress(b'42["x-hello"]')
    wire.server(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in body:
        wire.server(b"1\r\n%c\r\n" % byte)
    wire.server(b"0\r\n\r\n")
    assert wire.noted() == [("server", "event", "x-hello", "[]")]


def test_messages_are_decompressed_with_what_came_before(wire: Wire) -> None:
    """With context takeover, each message by itself without; fragments are put together, controls left out."""
    text = b'42["chat-message",{"message":"hello hello hello"}]'
    wire.websocket(b"permessage-deflate; client_no_context_takeover")
    for _ in range(2):
        wire.client(frame(0xC1, deflated(text), MASK))
    packed = deflated(text)
    wire.client(frame(0x41, packed[:4], MASK) + frame(0x89, b"", MASK) + frame(0x80, packed[4:], MASK))
    wire.server(frame(0xC1, packed))
    assert [row[:3] for row in wire.noted()] == [("client", "event", "chat-message")] * 3 + [
        ("server", "event", "chat-message")
    ]


def test_who_ends_a_session_is_noted_once(wire: Wire) -> None:
    """By a close frame, a packet, or the end of the TCP connection."""
    wire.websocket()
    wire.server(frame(0x88, b"\x03\xe9"))
    wire.client(frame(0x88, b"\x03\xe9", MASK))
    wire.reading.ended("client", "the TCP connection was closed")
    assert wire.noted() == [("server", "close", "", "the WebSocket was closed with 1001")]


def test_a_refused_handshake_ends_its_session(wire: Wire) -> None:
    """The answer is noted with its status."""
    wire.client(WEBSOCKET)
    wire.server(b"HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n")
    assert wire.noted() == [("server", "response", "401", ""), ("server", "close", "", "GET was answered with 401")]


def test_a_browsers_question_beforehand_is_none_of_the_sessions(wire: Wire) -> None:
    """Where an OPTIONS request is refused, the session that it names goes on."""
    wire.polling()
    wire.client(POLL.replace(b"GET", b"OPTIONS"))
    wire.server(b"HTTP/1.1 405 no\r\nContent-Length: 0\r\n\r\n")
    wire.posted(b"40")
    assert [row[1] for row in wire.noted()] == ["request", "response", "connect"]


def test_other_requests_are_noted_without_their_secrets(wire: Wire) -> None:
    """Method, path and status; no query, no body, no cookie."""
    body = b'{"password":"s3cret"}'
    wire.client(b"POST /login?token=s3cret HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    wire.server(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=s3cret\r\nContent-Length: 6\r\n\r\ns3cret")
    assert wire.noted() == [("client", "request", "POST /login", ""), ("server", "response", "200", "")]
    assert "s3cret" not in repr(list(wire.journal.packets))


def test_users_differ_by_their_logins(wire: Wire) -> None:
    """The same login is the same user whatever other cookies come along; another login is another user."""
    names = [
        wire.users.name({"cookie": cookie})
        for cookie in ("session=a", "theme=dark; session=a", "session=b; csrf=x", "", "session=a; _ga=7")
    ]
    assert names == ["user-1", "user-1", "user-2", "", "user-1"]
    assert wire.users.name({"authorization": "Bearer a"}) == "user-3"
    named = [wire.users.name({"cookie": f"auth_mode=local; uid={name}"}) for name in ("alice", "bob")]
    assert named == ["user-4", "user-5"]
    random = "session=0123456789abcdef"
    assert wire.users.name({"cookie": f"{random}; seen=1"}) == wire.users.name({"cookie": f"seen=2; {random}"})


def test_the_offset_for_recovery_is_no_argument(wire: Wire) -> None:
    """A server that offers to recover connections adds a text to each event, which the client's library takes away."""
    wire.websocket()
    wire.server(frame(0x81, b'40{"sid":"x","pid":"y"}') + frame(0x81, b'42["chat-message",{"a":1},"offset"]'))
    assert wire.noted()[-1] == ("server", "event", "chat-message", '[{"a": 1}]')


def test_other_namespaces_are_none_of_the_protocol(wire: Wire) -> None:
    """What is said in them is not noted."""
    wire.websocket()
    wire.client(frame(0x81, b"40/admin,", MASK) + frame(0x81, b'42/admin,["x"]', MASK) + frame(0x81, b'42["y"]', MASK))
    assert wire.noted() == [("client", "event", "y", "[]")]


def test_answers_under_one_number_are_of_requests_in_turn(wire: Wire) -> None:
    """A client may use a number twice; one that was answered is free again."""
    wire.websocket()
    wire.client(frame(0x81, b'427["a"]', MASK) + frame(0x81, b'427["b"]', MASK))
    for _ in range(3):
        wire.server(frame(0x81, b"437[1]"))
    assert [row[2] for row in wire.noted() if row[1] == "ack"] == ["a", "b", ""]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (frame(0x81, b"\xff\xfe", MASK), "no UTF-8"),
        (frame(0xB1, b"x", MASK), "begins with the byte"),
        (frame(0x80, b"x", MASK), "continuation of no message"),
        (frame(0x01, b"x", MASK) + frame(0x81, b"x", MASK), "in the midst of another"),
        (b"\x82\xff\x7f" + b"\xff" * 7, "more than 4 MB"),
        (frame(0xC1, b"\xff\xff", MASK), "cannot be decompressed"),
        (frame(0xC1, deflated(bytes(9_000_000)), MASK), "when decompressed"),
        (frame(0x81, b"49hello", MASK), "49hello"[1:]),
        (frame(0x81, b"42[1,2]", MASK), "2[1,2]"),
    ],
)
def test_what_cannot_be_read_ends_the_reading_of_one_side(wire: Wire, sent: bytes, why: str) -> None:
    """It is noted once, with the reason; the other side is still read."""
    wire.websocket(b"permessage-deflate")
    wire.client(sent)
    wire.client(frame(0x81, b'42["later"]', MASK))
    wire.server(frame(0x81, b'42["x-hello"]'))
    (sender, kind, _, text), *rest = wire.noted()
    assert (sender, kind) == ("client", "unreadable")
    assert why in text
    assert rest == [("server", "event", "x-hello", "[]")]


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", gzip.compress(bytes(9_000_000)), b"\x1f\x8bbroken"],
    ids=["no UTF-8", "a bomb", "broken"],
)
def test_what_cannot_be_read_of_a_body_is_noted(wire: Wire, body: bytes) -> None:
    """Whatever a server sends in answer to a poll."""
    wire.polling()
    wire.client(POLL)
    wire.polled(body, *([b"Content-Encoding: gzip"] if body[:1] == b"\x1f" else []))
    assert [row[1] for row in wire.noted()] == ["unreadable"]


def test_hostile_peers_take_little_memory(wire: Wire) -> None:
    """Heads, bodies, frames and messages without end, and many requests."""
    tracemalloc.start()
    piece = b"x" * 65_536
    for beginning in (b"GET /", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 9_000, POLL.replace(b"GET", b"POST")):
        wire.reading = wire.another()
        wire.client(beginning)
        for _ in range(300):
            wire.client(piece)
    wire.reading = wire.another()
    wire.websocket()
    wire.client(frame(0x02, piece))
    more = frame(0x00, piece)
    for _ in range(300):
        wire.client(more)
    wire.reading = wire.another()
    wire.client((b"GET / HTTP/1.1\r\n\r\n") * 5_000)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60_000_000
    assert kept < 40_000_000


def test_what_is_unfinished_is_bounded_over_all_connections(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who would take more than is left is not read any more; what others send is, and what has ended takes nothing."""
    monkeypatch.setattr(connection, "MOST_HELD", 100_000)
    readings = []
    for _ in range(3):
        wire.reading = wire.another()
        readings.append(wire.reading)
        wire.websocket()
        wire.client(frame(0x01, b"4" * 40_000))
    assert [row[1] for row in wire.noted()] == ["unreadable"]
    assert wire.sessions.held < 100_000
    wire.reading = readings[0]
    wire.client(frame(0x80, b"2"))
    for reading in readings:
        reading.ended("client", "the TCP connection was closed")
    assert wire.sessions.held == 0


def test_requests_that_are_never_answered_are_forgotten(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first; an answer to one of them has no event then."""
    monkeypatch.setattr(sessions, "_MOST_ASKED", 10)
    wire.websocket()
    for number in range(11):
        wire.client(frame(0x81, b'42%d["chat-message"]' % number))
    wire.server(frame(0x81, b"430[]") + frame(0x81, b"431[]"))
    assert [row[2] for row in wire.noted() if row[1] == "ack"] == ["", "chat-message"]


def test_what_is_said_in_a_dialect_is_noted_in_the_protocols_words() -> None:
    """Names, arguments by position, properties, codes; events that stand for answers are left out."""
    wire = Wire(
        Dialect(
            events={"chat-message": "say", "token:move": "move"},
            broadcasts={"chat-message": "said"},
            arguments={"chat-message": ["{sessionId}", "{message}"]},
            requests={"token:move": Shape(rename={"id": "tokenId"})},
            answers={"get-user-data": AnswerByEvent("me", "no-me")},
            emissions={"chat-message": Shape(rename={"text": "message"})},
            codes={"E1": "NOT_JOINED"},
        )
    )
    wire.websocket()
    wire.client(frame(0x81, b'421["say","s","hi"]') + frame(0x81, b'42["move",{"id":"t"}]') + frame(0x81, b'42["say"]'))
    wire.server(frame(0x81, b'431[{"success":false,"error":"no","code":"E1"}]') + frame(0x81, b'42["me",{}]'))
    wire.server(frame(0x81, b'42["said",{"text":"hi"}]'))
    assert wire.noted() == [
        ("client", "event", "chat-message", '[{"sessionId": "s", "message": "hi"}]'),
        ("client", "event", "token:move", '[{"tokenId": "t"}]'),
        ("client", "event", "chat-message", "[{}]"),
        ("server", "ack", "chat-message", '[{"success": false, "error": "no", "code": "NOT_JOINED"}]'),
        ("server", "event", "chat-message", '[{"message": "hi"}]'),
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), _BYTES), max_size=12), st.booleans())
def test_whatever_comes_is_read_without_a_fault(sent: list[tuple[bool, bytes]], opened: bool) -> None:
    """Any bytes of both sides, in any order, on a fresh connection or behind an upgrade: nothing is raised."""
    wire = Wire()
    if opened:
        wire.websocket(b"permessage-deflate")
    for by_client, data in sent:
        (wire.client if by_client else wire.server)(data)
    wire.reading.ended("server", "the TCP connection was closed")
    assert wire.sessions.held == 0


def test_long_texts_are_cut(wire: Wire) -> None:
    """And say so."""
    wire.websocket()
    wire.client(frame(0x81, b"42" + json.dumps(["chat-message", "x" * 200_000]).encode(), MASK))
    last = wire.journal.packets[-1]
    assert (last.cut, len(last.text)) == (True, 100_000)
    assert last.arguments is None
