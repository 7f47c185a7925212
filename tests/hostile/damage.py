"""Kinds of damage to what a server or a client sends, by name. Each turns one piece into what is to be done instead."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile import odd
from tests.hostile.pieces import Frame, Frames, Message, Piece


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """End the connection: in an orderly way, or with a reset."""

    reset: bool


@dataclass(frozen=True, slots=True)
class Later:
    """Send this after the next piece."""

    data: bytes


Act = bytes | Pause | Cut | Later
Damage = Callable[[random.Random, Piece], list[Act]]


def _bytes(dice: random.Random, piece: Piece) -> list[Act]:
    return [_spoiled(dice, piece.raw())]


def _payload(dice: random.Random, piece: Piece) -> list[Act]:
    if isinstance(piece, Frame):
        return [Frame(piece.first, _spoiled(dice, piece.payload), piece.mask).raw()]
    return [piece.with_body(_spoiled(dice, piece.body)).raw()]


def _framing(dice: random.Random, piece: Piece) -> list[Act]:
    if isinstance(piece, Message):
        return _head(dice, piece)
    raw = bytearray(piece.raw())
    raw[0 if dice.random() < 0.5 else 1] = dice.randrange(256)
    return [bytes(raw)]


def _order(_: random.Random, piece: Piece) -> list[Act]:
    packets = piece.packets()
    if len(packets) > 1:
        return [piece.with_packets(packets[::-1]).raw()]
    return [Later(piece.raw())]


def _doubling(dice: random.Random, piece: Piece) -> list[Act]:
    packets = piece.packets()
    if packets and dice.random() < 0.8:
        return [piece.with_packets([packet for packet in packets for _ in range(dice.choice((2, 2, 5)))]).raw()]
    return [piece.raw() * 2]


def _dropping(dice: random.Random, piece: Piece) -> list[Act]:
    packets = piece.packets()
    if len(packets) > 1:
        packets.pop(dice.randrange(len(packets)))
        return [piece.with_packets(packets).raw()]
    return []


def _delaying(dice: random.Random, piece: Piece) -> list[Act]:
    return [Pause(dice.choice((0.05, 0.3, 1.0, 3.0))), piece.raw()]


def _cutting(dice: random.Random, piece: Piece) -> list[Act]:
    raw = piece.raw()
    return [raw[: dice.randrange(len(raw) + 1)], Cut(dice.random() < 0.5)]


def _head(dice: random.Random, piece: Piece) -> list[Act]:
    if not isinstance(piece, Message):
        return [piece.raw()]
    first, *lines = piece.head.rstrip(b"\r\n").split(b"\r\n")
    what = dice.randrange(4)
    if what == 0:
        first = b"HTTP/1.1 " + dice.choice(odd.STATUSES) + b" Odd"
    elif what == 1 and lines:
        lines.pop(dice.randrange(len(lines)))
    elif what == 2:
        first = _spoiled(dice, first)
    else:
        lines.insert(dice.randrange(len(lines) + 1), dice.choice(odd.HEADERS))
    return [b"\r\n".join((first, *lines)) + b"\r\n\r\n" + piece.body]


def _body(dice: random.Random, piece: Piece) -> list[Act]:
    if not isinstance(piece, Message):
        return [piece.raw()]
    if dice.random() < 0.5:
        return [piece.with_body(odd.value(dice, piece.body)).raw()]
    return [piece.with_body(dice.choice(odd.BODIES)).raw()]


def _value(dice: random.Random, piece: Piece) -> list[Act]:
    if packets := piece.packets():
        at = dice.randrange(len(packets))
        packets[at] = odd.value(dice, packets[at])
        return [piece.with_packets(packets).raw()]
    return _body(dice, piece)


def _packets(dice: random.Random, piece: Piece) -> list[Act]:
    if not (packets := piece.packets()):
        return [piece.raw()]
    more, at = list(dice.choice(odd.PACKETS)), dice.randrange(len(packets) + 1)
    packets[at : at + dice.randrange(2)] = more
    return [piece.with_packets(packets).raw()]


def _acks(dice: random.Random, piece: Piece) -> list[Act]:
    if not (packets := piece.packets()):
        return [piece.raw()]
    return [piece.with_packets([new for packet in packets for new in odd.ack(dice, packet)]).raw()]


def _opens(dice: random.Random, piece: Piece) -> list[Act]:
    packets = piece.packets()
    if not packets or not packets[0].startswith(b"0"):
        return [piece.raw()]
    return [piece.with_packets([dice.choice(odd.OPENS), *packets[1:]]).raw()]


def _splitting(dice: random.Random, piece: Piece) -> list[Act]:
    """Send a frame as two fragments, of which the second may never come, or a stray continuation."""
    if not isinstance(piece, Frame) or not piece.payload:
        return [piece.raw()]
    at = dice.randrange(len(piece.payload))
    begun = Frame(piece.first & 0x7F, piece.payload[:at], piece.mask)
    rest = Frame(0x80, piece.payload[at:], piece.mask)
    return [Frames(dice.choice(((begun, rest), (begun,), (rest,), (begun, begun, rest)))).raw()]


KINDS: dict[str, Damage] = {
    "bytes": _bytes,
    "payload": _payload,
    "framing": _framing,
    "splitting": _splitting,
    "order": _order,
    "doubling": _doubling,
    "dropping": _dropping,
    "delaying": _delaying,
    "cutting": _cutting,
    "head": _head,
    "body": _body,
    "value": _value,
    "packets": _packets,
    "acks": _acks,
    "opens": _opens,
}


def _spoiled(dice: random.Random, data: bytes) -> bytes:
    """Change, insert or remove one to three single bytes."""
    spoiled = bytearray(data)
    for _ in range(dice.choice((1, 1, 3))):
        at, what = dice.randrange(len(spoiled) + 1), dice.randrange(4)
        if what == 0:
            spoiled.insert(at, dice.randrange(256))
        elif at == len(spoiled):
            continue
        elif what == 1:
            del spoiled[at]
        elif what == 2:
            spoiled[at] ^= 1 << dice.randrange(8)
        else:
            spoiled[at] = dice.choice(b'"\\{}[],:0179-. \x00\xff')
    return bytes(spoiled)
