"""What clients and servers may say to each other, well-formed or not: cases in which a relay may be noticed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from random import Random

from tests.conformance.tap.conversation import HOST, Act, Await, Conversation, Pause, Send

END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"
GET = b"GET / HTTP/1.1\r\nHost: " + HOST + END
TO_THE_END: Act = "read to the end"


def request(*lines: bytes, start: bytes = b"GET /x HTTP/1.1", body: bytes = b"") -> bytes:
    """Return a request with these lines behind its Host."""
    return b"\r\n".join([start, b"Host: " + HOST, *lines, b"", b""]) + body


def exchange(name: str, asked: bytes, answer: bytes = OK, until: bytes = END, pieces: int = 0) -> Conversation:
    """Return a request, an answer when all of it has come, and an end by the client and then by the server."""
    return Conversation(
        name,
        (Send(asked, pieces), Await(answer[-4:]), "half-close", TO_THE_END),
        (Await(until), Send(answer, pieces), TO_THE_END, "close"),
    )


def frame(first: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Return a WebSocket frame, masked if there is a mask."""
    size, masked = len(payload), 128 if mask else 0
    if size < 126:
        head = bytes([first, masked | size])
    elif size < 65536:
        head = bytes([first, masked | 126]) + size.to_bytes(2)
    else:
        head = bytes([first, masked | 127]) + size.to_bytes(8)
    return head + mask + bytes(byte ^ mask[at % 4] if mask else byte for at, byte in enumerate(payload))


def deflated(text: bytes) -> bytes:
    """Return a message as permessage-deflate sends it."""
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


MASK = b"\x01\x02\x03\x04"
ASKS = request(
    b"Upgrade: websocket",
    b"Connection: keep-alive, Upgrade",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    start=b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
)
AGREES = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def websocket(name: str, sent: bytes, answered: bytes = b"", pieces: int = 0) -> Conversation:
    """Return frames of a client and of a server behind an upgrade, and the end of both."""
    last = frame(0x88, b"\x03\xe8")
    return Conversation(
        name,
        (Send(ASKS), Await(END), Send(sent, pieces), Await(last), "half-close", TO_THE_END),
        (Await(END), Send(AGREES), Await(sent[-4:]), Send(answered + last, pieces), TO_THE_END, "close"),
    )


def heads() -> Iterator[Conversation]:
    """Requests and answers with odd heads."""
    yield exchange("a plain request", GET)
    yield exchange("byte by byte", request(b"Accept: */*"), pieces=1)
    yield exchange("cases and blanks in names of headers", request(b"hOsT-x:   a  b\t", b"X-EMPTY:", b"x-Tab:\tv"))
    yield exchange("Host in capitals, at the end", b"GET / HTTP/1.1\r\nAccept: */*\r\nHOST:" + HOST + END)
    yield exchange("the same header three times", request(b"A: 1", b"a: 2", b"A: 1"))
    yield exchange("folded headers", request(b"A: 1\r\n  2\r\n\t3", b"B: 4"))
    yield exchange("bytes that are no ASCII", request(b"A: \xff\xfe\x80\xc3\xa9"))
    yield exchange("a long header", request(b"A: " + b"x" * 60_000))
    yield exchange("more headers than anybody reads", request(*(b"X-%d: y" % n for n in range(2_000))))
    yield exchange("line feeds alone", b"GET / HTTP/1.1\nHost: " + HOST + b"\nA: 1\n\n", until=b"\n\n")
    yield exchange("empty lines before a request", b"\r\n\r\n" + GET, until=b"Host: ")
    yield exchange("a foreign Host", b"GET / HTTP/1.1\r\nHost: elsewhere.example:1\r\nOrigin: https://a.example" + END)
    yield exchange("the own Origin", request(b"Origin: http://" + HOST))
    yield exchange("other Origins", request(b"Origin: null", b"Origin: http://a.example:1", b"Origin:"))
    yield exchange("the own address in other headers", request(b"X-Forwarded-Host: a", b"Referer: http://a.example/"))
    yield exchange("HTTP/1.0 without a Host", b"GET / HTTP/1.0" + END, b"HTTP/1.0 200 OK\r\n\r\nold", END)
    yield exchange("HTTP/1.0 kept alive", b"GET / HTTP/1.0\r\nConnection: keep-alive" + END, OK)
    yield exchange("an unknown method", request(start=b"BREW /pot HTTP/1.1"))
    yield exchange("HEAD", request(start=b"HEAD / HTTP/1.1"), b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    yield exchange("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    yield exchange(
        "TLS to a server without", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"HTTP/1.1 400 no\r\n\r\n", b"\xfc"
    )
    yield exchange("no HTTP at all", b"hello\n" + bytes(range(256)), b"\x00\xff" * 100, b"\xff")
    yield exchange("a request line that never ends", b"GET /" + b"a" * 200_000 + b"!", b"HTTP/1.1 414 no" + END, b"!")
    yield exchange("a head that never ends", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 60_000 + b"!", OK, b"!")


def bodies() -> Iterator[Conversation]:
    """Requests and answers with bodies, and several of them."""
    chunks = b"5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    posts = b"POST /x HTTP/1.1"
    yield exchange("a body", request(b"Content-Length: 5", start=posts, body=b"hello"), until=b"hello")
    yield exchange("chunks, an extension, a trailer", request(b"Transfer-Encoding: chunked", start=posts, body=chunks))
    yield exchange("an answer in chunks", GET, chunked + chunks)
    yield exchange("an answer in chunks of one byte", GET, chunked + b"1\r\nx\r\n" * 3_000 + b"0\r\n\r\n")
    yield exchange("a chunk that is too long", GET, chunked + b"2\r\nhello\r\n0\r\n\r\n")
    yield exchange("a chunk without a size", GET, chunked + b"zz\r\nhello\r\n0\r\n\r\n")
    yield exchange("two lengths", request(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"), until=b"hello!")
    yield exchange(
        "length and chunks",
        request(b"Content-Length: 3", b"Transfer-Encoding: chunked", start=posts, body=chunks),
        until=b"Trailer: x\r\n\r\n",
    )
    yield exchange(
        "a body that looks like a head",
        request(b"Content-Length: 34", start=posts, body=b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r"),
        until=b"127.0.0.1:1\r\n\r",
    )
    yield exchange(
        "a compressed answer", GET, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"a")
    )
    yield exchange("a broken length", GET, b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello")
    yield exchange(
        "answers 100 and 103 before 200", GET, b"HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 103 h\r\nA: b\r\n\r\n" + OK
    )
    yield exchange("an answer to nothing", b"G", OK, b"G")
    yield exchange("more than was asked for", GET, OK + OK + b"garbage")
    yield Conversation(
        "requests without waiting",
        (Send(GET * 5 + request(b"Content-Length: 2", start=posts, body=b"hi") + GET), "half-close", TO_THE_END),
        (TO_THE_END, Send(OK * 7), "close"),
    )
    yield Conversation(
        "waits to be asked for the body",
        (
            Send(request(b"Content-Length: 3", b"Expect: 100-continue", start=posts)),
            Await(END),
            Send(b"abc"),
            TO_THE_END,
        ),
        (Await(END), Send(b"HTTP/1.1 100 Continue\r\n\r\n"), Await(b"abc"), Send(CLOSES), "close"),
    )
    yield Conversation(
        "an answer before the request is whole",
        (Send(b"POST / HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Length: 999"), TO_THE_END),
        (Await(b"999"), Send(b"HTTP/1.1 413 no\r\n\r\n"), "close"),
    )
    yield Conversation(
        "the server speaks first", (Await(b"!"), Send(GET), TO_THE_END), (Send(b"hi!"), Await(END), "close")
    )


def ends() -> Iterator[Conversation]:
    """How connections end."""
    yield Conversation(
        "the client sends no more, and is answered",
        (Send(GET), "half-close", TO_THE_END),
        (TO_THE_END, Pause(), Send(CLOSES), "close"),
    )
    yield Conversation(
        "the server sends no more, and listens",
        (Send(GET), TO_THE_END, Send(GET), "close"),
        (Await(END), Send(CLOSES), "half-close", TO_THE_END),
    )
    yield Conversation("the client says nothing", ("half-close", TO_THE_END), (TO_THE_END, "close"))
    yield Conversation("the server ends at once", (TO_THE_END,), ("close",))
    yield Conversation("the server resets at once", (TO_THE_END,), ("reset",))
    yield Conversation("the client resets at once", ("reset",), (TO_THE_END,))
    yield Conversation(
        "the client resets in the midst of an answer",
        (Send(GET), Await(b"hello"), "reset"),
        (Await(END), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), TO_THE_END),
    )
    yield Conversation(
        "the server resets in the midst of an answer",
        (Send(GET), Await(b"hello"), TO_THE_END),
        (Await(END), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), Pause(), "reset"),
    )
    yield Conversation(
        "the server ends in the midst of a chunk",
        (Send(GET), TO_THE_END),
        (Await(END), Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello"), "close"),
    )
    yield Conversation(
        "the client ends in its head", (Send(b"GET / HTTP/1.1\r\nHo"), "half-close", TO_THE_END), (TO_THE_END, "close")
    )
    yield Conversation(
        "the client has gone when it is answered",
        (Send(GET), "half-close", Pause(), "close"),
        (TO_THE_END, Pause(0.15), Send(OK), Pause(0.15), Send(OK), Pause(0.15), TO_THE_END),
    )


def upgrades() -> Iterator[Conversation]:
    """WebSockets: agreed on, refused, well-formed and not."""
    text, control = b'42["chat-message",{"a":"b"}]', frame(0x89, b"ping", MASK)
    masked = frame(0x81, text, MASK)
    yield websocket("a message each", masked, frame(0x81, text))
    yield websocket("a message each, byte by byte", masked, frame(0x81, text), pieces=1)
    yield websocket(
        "fragments with a ping between", frame(0x01, text[:9], MASK) + control + frame(0x80, text[9:], MASK)
    )
    yield websocket("a frame without an end", frame(0x01, text[:9], MASK) + frame(0x01, text, MASK))
    yield websocket(
        "an empty fragment at a time", frame(1, b"", MASK) + frame(0, b"", MASK) * 50 + frame(0x80, text, MASK)
    )
    yield websocket("compressed", frame(0xC1, deflated(text), MASK), frame(0xC1, deflated(text * 50)))
    yield websocket(
        "compressed, a fragment at a time",
        frame(0x41, deflated(text)[:5], MASK) + frame(0x80, deflated(text)[5:], MASK),
    )
    yield websocket("broken compression", frame(0xC1, b"\xff\xff\xff\xff", MASK))
    yield websocket("a bomb", frame(0xC1, deflated(bytes(9_000_000)), MASK), frame(0xC1, deflated(bytes(9_000_000))))
    yield websocket("reserved bits", frame(0xB1, text, MASK), frame(0xF2, text))
    yield websocket("unknown kinds of frame", frame(0x83, text, MASK) + frame(0x8F, b"x", MASK))
    yield websocket("no mask", frame(0x81, text), frame(0x81, text, MASK))
    yield websocket("text that is no UTF-8", frame(0x81, b"\xff\xfe\xfd\xfc", MASK), frame(0x81, b"\x80"))
    yield websocket(
        "a length longer than need be", b"\x81\xfe\x00\x03" + MASK + b"abc~", b"\x81\x7f" + bytes(7) + b"\x01a"
    )
    yield websocket("a length that nobody can send", b"\x82\xff\x7f" + b"\xff" * 7 + MASK + text)
    yield websocket("a long ping", frame(0x89, b"p" * 500, MASK), frame(0x8A, b"p" * 500))
    yield websocket("frames behind the end", frame(0x88, b"", MASK) + masked, frame(0x88, b"\x03") + frame(0x81, text))
    yield websocket("large binary", frame(0x82, Random(1).randbytes(1_000_000), MASK), frame(0x82, bytes(200_000)))
    yield exchange("a refused upgrade", ASKS, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    yield Conversation(
        "requests behind a refused upgrade",
        (Send(ASKS), Await(b"no"), Send(GET), Await(b"ok"), Send(GET), TO_THE_END),
        (
            Await(END),
            Send(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno"),
            Await(END),
            Send(OK),
            Await(END),
            Send(CLOSES),
            "close",
        ),
    )
    yield Conversation(
        "frames before the upgrade is agreed on",
        (Send(ASKS + masked), Await(b"!"), "half-close", TO_THE_END),
        (Await(masked), Send(AGREES + frame(0x81, b"4!")), TO_THE_END, "close"),
    )
    yield Conversation(
        "the first frame with the agreement",
        (Send(ASKS), Await(b"!"), Send(masked), "reset"),
        (Await(END), Send(AGREES + frame(0x81, b"0{}!")), Await(masked), TO_THE_END),
    )
    yield exchange(
        "an upgrade to something else", request(b"Upgrade: h2c", b"Connection: Upgrade"), b"HTTP/1.1 101 x\r\n\r\nabcd"
    )
    yield exchange("a tunnel", b"CONNECT a.example:1 HTTP/1.1" + END, b"HTTP/1.1 200 x\r\n\r\n\x00\x01\x02\x03")


def slow() -> Iterator[Conversation]:
    """Who takes his time."""
    much = Random(2).randbytes(6_000_000)
    yield Conversation(
        "a client that reads late",
        (Send(GET), Pause(0.3), TO_THE_END),
        (Await(END), Send(b"HTTP/1.1 200 OK\r\n\r\n" + much), "close"),
    )
    yield Conversation(
        "a server that reads late",
        (Send(request(b"Content-Length: 6000000", start=b"POST / HTTP/1.1", body=much)), "half-close", TO_THE_END),
        (Pause(0.3), TO_THE_END, Send(OK), "close"),
    )
    yield Conversation(
        "a head with pauses",
        (Send(b"GET / HT"), Pause(), Send(b"TP/1.1\r\nHos"), Pause(), Send(b"t: " + HOST + END), TO_THE_END),
        (Await(END), Send(b"HTTP/1.1 200"), Pause(), Send(b" OK\r\n\r\nend"), "close"),
    )


CONVERSATIONS = [*heads(), *bodies(), *ends(), *upgrades(), *slow()]
