"""What no server should send, in valid frames: odd Socket.IO packets, odd OPEN packets, odd values, odd HTTP bodies."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from tests.hostile.pieces import Binary

_DEEP = 50_000  # levels; any parser that recurses gives up long before
_ACK = re.compile(rb"^43(\d+)(.*)$", re.DOTALL)
_WITH_JSON = re.compile(rb"^(4[0-6][0-9]*-?[0-9]*)([\[{].*)$", re.DOTALL)


def _nested(levels: int = _DEEP) -> bytes:
    return b"[" * levels + b"]" * levels


OPENS: tuple[bytes, ...] = (
    b"0{}",
    b"0null",
    b"0[]",
    b'0"sid"',
    b"0",
    b'0{"sid":',
    b'0{"sid":null,"upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
    b'0{"sid":"a","upgrades":[],"pingInterval":null,"pingTimeout":null,"maxPayload":null}',
    b'0{"sid":"a","upgrades":null,"pingInterval":1e999,"pingTimeout":Infinity,"maxPayload":1000000}',
    b'0{"sid":"a","upgrades":[],"pingInterval":-1,"pingTimeout":-20000,"maxPayload":-1}',
    b'0{"sid":"a","upgrades":[],"pingInterval":"25000","pingTimeout":"soon","maxPayload":"x"}',
    b'0{"sid":"a","upgrades":[],"pingInterval":NaN,"pingTimeout":NaN}',
    b'0{"sid":"a","upgrades":"websocket","pingInterval":0,"pingTimeout":0}',
    b'0{"sid":{"a":[1]},"upgrades":[[]],"pingInterval":[],"pingTimeout":{}}',
    b'0{"sid":"\\ud800","upgrades":[],"pingInterval":25000,"pingTimeout":20000}',
    b'0{"sid":"a\\r\\nX: y","upgrades":[],"pingInterval":25000,"pingTimeout":20000}',
    b'0{"sid":' + b"9" * 10_000 + b',"upgrades":[],"pingInterval":' + b"9" * 10_000 + b',"pingTimeout":1}',
    b'0{"sid":' + _nested() + b"}",
)

PACKETS: tuple[tuple[bytes, ...], ...] = (
    (b"430[]",),  # an ack with id 0
    (b"43999999[{}]",),  # an ack nobody asked for
    (b"43" + b"7" * 10_000 + b"[{}]",),
    (b"431" + _nested(),),
    (b'42["chat-message",' + _nested() + b"]",),
    (b'430[{"a":',),  # cut off
    (b"43[]",),  # an ack without a number
    (b"42[7,{}]",),  # a broadcast whose name is a number
    (b"42[null]",),
    (b"42[{}]",),
    (b'42[["chat-message"]]',),
    (b"42[]",),
    (b"42{}",),
    (b"42",),
    (b'42"chat-message"',),
    (b'42["chat-message",{"sessionId":"\\ud800","message":"\\udfff"}]',),
    (b'42["\\ud800",{}]',),
    (b'42["chat-message",' + b"9" * 10_000 + b"]",),
    (b'42["chat-message",1e999,-1e999,NaN,Infinity]',),
    (b'42["__proto__",{"constructor":1}]', b'42["connect"]', b'42["disconnect"]', b'42["connect_error",1]'),
    (b"41", b'42["chat-message",{}]'),  # an event after the namespace was closed
    (b'40{"sid":"other"}',),
    (b"40null",),
    (b"44null",),
    (b'44{"message":7}',),
    (b'44"no"', b"43" + b"1[]"),
    (b"40/admin,{}", b'42/admin,["x",1]', b"41/admin,"),
    (b'42/,["x"]', b"42/" + b"a" * 5000),
    (b'451-["chat-message",{"_placeholder":true,"num":0}]',),  # the attachment is missing
    (b'451-["chat-message",{"_placeholder":true,"num":7}]', Binary(b"x")),
    (b'451-["chat-message",{"_placeholder":true,"num":-1}]', Binary(b"x"), Binary(b"y")),
    (b'451-["chat-message",{"_placeholder":true,"num":"0"}]', Binary(b"x")),
    (Binary(b"nobody announced this"),),
    (b'4599999999999-["chat-message"]',),
    (b"45" + b"9" * 5000 + b"-[]",),
    (b'45-["x"]',),
    (b'450-["x",1]',),
    (b"461-1[]", b"42[]"),
    (b"461-0[]",),
    (b"47[]", b"49"),
    (b"4",),
    (b"",),
    (b"1",),  # the transport is closed
    (b"2", b"2probe", b"3", b"3probe"),
    (b"5", b"6", b"7", b"\x00", b"hello"),
    (b"\xff\xfe\xc3\x28",),
    (b'42["chat-message","' + b"x" * 300_000 + b'"]',),
    (b'42["chat-message",' + b"{}," * 50_000 + b"{}]",),
    (b'42["user-left"' + b',{"a":1}' * 20 + b"]",) * 20,
)

BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{",
    b'{"a":',
    b"<html><body>502 Bad Gateway</body></html>",
    b"\xff\xfe\x00",
    b'{"id":"\\ud800","token":"\\udfff","_id":"\\ud800"}',
    b'{"id":null,"user":null,"sessionId":null}',
    b'{"id":' + b"9" * 10_000 + b"}",
    b'{"id":1e999,"x":NaN}',
    b'{"id":{"id":{"id":[]}}}',
    b'{"id":"../../etc/passwd\\r\\nX: y"}',
    _nested(),
    b'{"a":' * _DEEP,
    b" " * 1_000_000,
)

STATUSES = b"100 101 103 200 204 301 302 304 307 400 401 403 404 413 418 429 431 500 502 503 599 999".split()
STATUSES += b"0 -1 20 2000 abc".split()

HEADERS: tuple[bytes, ...] = (
    b"Content-Length: 7",
    b"Content-Length: -1",
    b"Content-Length: 99999999999",
    b"Content-Length: abc",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: nonsense",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Type: application/json; charset=nonsense",
    b"Content-Type: \xff\xfe",
    b"Set-Cookie: =",
    b"Set-Cookie: a=b; Domain=example.org; Secure; Max-Age=x",
    b"Set-Cookie: connect.sid=" + b"x" * 5000,
    b"Set-Cookie: \xc3\x28=\xff; Expires=nonsense",
    b"Location: http://[::1",
    b"Location: //",
    b"Location: \xff",
    b"Retry-After: soon",
    b"Retry-After: 1e999",
    b"Connection: close",
    b"Upgrade: h2c",
    b"Sec-WebSocket-Accept: x",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Sec-WebSocket-Protocol: \xff",
    b": no name",
    b"no colon",
    b"X" * 20_000 + b": 1",
    b"X-Null: a\x00b",
)

NUMBERS = (0, -1, 7, 2**53, -(2**63), 10**400, 1.5, 1e308, float("inf"), float("nan"))
TEXTS = ("", "\ud800", "\udfff\ud800", "\x00", "a" * 5000, "\u202e", "::error::x", "<script>alert(1)</script>")
CONTAINERS: tuple[Any, ...] = (
    [],
    {},
    {"\ud800": "\udfff", "": None, "__proto__": 1},
    [[[[[[{}]]]]]],
    {str(number): number for number in range(500)},
)
VALUES: tuple[tuple[Any, ...], ...] = ((None, True, False), NUMBERS, TEXTS, CONTAINERS)


def ack(dice: random.Random, packet: bytes) -> list[bytes]:
    """Return what may come in place of an acknowledgement; the packet alone if it is none."""
    if not (found := _ACK.match(packet)):
        return [packet]
    number, rest = int(found[1]), found[2]
    return dice.choice(
        (
            [b"430" + rest],
            [b"43%d" % (number + 1) + rest, packet],
            [packet, packet],
            [b"43-%d" % number + rest],
            [b"43%d.5" % number + rest],
            [b"43" + b"0" * 50 + found[1] + rest],
            [b"43" + found[1] * 3000 + rest],
            [b"43%d" % number + _nested()],
            [b"43%d[]" % number],
            [b"43%d" % number],
            [b"43%d[1,2,3]" % number],
            [b"43%d{}" % number],
            [b'43%d[{"a":' % number],
            [b"461-%d" % number + rest, Binary(b"x")],
            [b"43/other,%d" % number + rest],
            [b"42" + rest],
        )
    )


def value(dice: random.Random, packet: bytes) -> bytes:
    """Return a packet, or a JSON body, one value or key of which has become odd; the same if it holds no JSON."""
    found = _WITH_JSON.match(packet)
    head, body = (found[1], found[2]) if found else (b"", packet)
    try:
        whole = json.loads(body)
    except ValueError:
        return packet
    return head + json.dumps(_altered(dice, whole)).encode()


def _altered(dice: random.Random, whole: Any) -> Any:
    if not isinstance(whole, dict | list) or not whole or dice.random() < 0.2:
        return dice.choice(dice.choice(VALUES))
    if isinstance(whole, list):
        at = dice.randrange(len(whole))
        return [_altered(dice, part) if number == at else part for number, part in enumerate(whole)]
    key = dice.choice(sorted(whole))
    if dice.random() < 0.2:
        return {name: part for name, part in whole.items() if name != key}
    return {name: _altered(dice, part) if name == key else part for name, part in whole.items()}
