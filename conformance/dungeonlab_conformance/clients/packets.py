"""Socket.IO packets as text and bytes, both ways. What cannot be read comes out as what it was; nothing is raised.

The only file that knows python-socketio; its packets encode and decode.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dungeonlab_conformance.clients.engine_io_packets import Noise
from dungeonlab_conformance.record.arguments import storable
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.text.tree import deeper_than
from dungeonlab_spec.catalogue import is_own_event

_SYNCHRONOUS = ("requests", "websocket")  # imported by python-engineio for a client not used here


class _WhenUsed(ModuleType):
    """Stands for a module that is imported as soon as something of it is used."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _imported_packets() -> Any:
    """Import python-socketio without what only its synchronous client uses, which takes a tenth of a second."""
    names = [name for name in _SYNCHRONOUS if name not in sys.modules and importlib.util.find_spec(name)]
    sys.modules.update((name, _WhenUsed(name)) for name in names)
    try:
        return importlib.import_module("socketio.packet")
    finally:
        for name in names:
            del sys.modules[name]


packet = _imported_packets()
CONNECT, DISCONNECT, EVENT, ACK = packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK
CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = packet.CONNECT_ERROR, packet.BINARY_EVENT, packet.BINARY_ACK

DEEPEST = 600  # levels of arrays and objects that are read; twice what the suite itself sends
MOST = 50_000  # values in one packet that are read; they take some 10 MB
HEAVIEST = 10_000_000  # bytes of memory that a packet with attachments may take
_ATTACHMENTS, _ATTACHED = 100, "a packet with attachments"  # of one packet; and what such a one is called
_SHOWN, _WHY = 500, 120  # characters that are kept of what cannot be read, and of the reason
_ANSWERED = re.compile(r"[36](?:\d+-)?(\d{1,15})(?=\[|$)")  # an acknowledgement, with its number
_OWN_EVENT = re.compile(r'2(?:/,)?\d*\s*\[\s*"x-')
# What stands before the arguments in a frame of any kind, and the name of an event.
_BEGINNING = re.compile(r'(4[2356](?:\d+-)?(?:/[^,\[]*,)?\d*)\s*\[\s*("(?:[^"\\]|\\.)*+")?')
_WHOLE = re.compile(r"\d{1,18}")
_DEFAULT = re.compile(r"(4\d(?:\d+-)?)/,")  # what stands before the default namespace, where that is written out
_EVENT = re.compile(r"42(?:/[^,\[]*,)?\d*(?=\s*\[)")  # what stands before the arguments in a frame with an event


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `data` is the list of arguments; of an event, the name comes first; of the others, their payload.

    `weight` is about how many bytes of memory it takes.
    """

    kind: int
    data: Any
    number: int | None = None
    namespace: str = "/"
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that is no packet: its beginning, why not, and the request it answers, where that can be read.

    One that is `over` may be a packet, which is larger or deeper than what is read.
    """

    text: str
    why: str
    number: int | None = None
    over: bool = False

    @property
    def is_own_event(self) -> bool:
        """Whether it looks like an event of the server's own, which may hold any JSON."""
        return _OWN_EVENT.match(self.text) is not None


class Decoder:
    """Decodes what one connection is sent, in order: attachments come behind the packet that they belong to."""

    def __init__(self) -> None:
        self._waiting: Any = None  # a packet of the library's, for its attachments
        self.weight = 0  # about how many bytes that packet and its attachments take; 0 if none is waiting

    def decode(self, frame: str | bytes) -> list[Packet | Unreadable]:
        """Return the packet that a frame is or completes; none while attachments are due. Raises nothing."""
        found = self._decoded(frame)
        if self._waiting is None:
            self.weight = 0
        return found

    def _decoded(self, frame: str | bytes) -> list[Packet | Unreadable]:
        found: list[Packet | Unreadable | None] = []
        if self._waiting is not None and isinstance(frame, str):
            self._waiting = None
            found.append(_unreadable(_ATTACHED, "they never came"))
        try:
            found.append(self._attach(frame) if isinstance(frame, bytes) else self._begin(frame))
        except Exception as error:  # the library raises what it likes at what it does not expect
            self._waiting = None
            deep, long = isinstance(error, RecursionError), "integer string conversion" in str(error)
            found.append(_unreadable(frame, "nested too deep" if deep else str(error), over=deep or long))
        return [each for each in found if each is not None]

    def _begin(self, text: str) -> Packet | Unreadable | None:
        if isinstance(text, Noise):
            return _unreadable(text, "no packet of Engine.IO")
        values = text.count(",") + text.count("[") + text.count("{")
        if values > MOST:
            return _unreadable(text, f"more than {MOST:,} values in one packet", over=True)
        found = _Packet(encoded_packet=text)
        if values > DEEPEST and deeper_than(found.data, DEEPEST):
            return _unreadable(text, f"nested more than {DEEPEST} levels deep", over=True)
        if found.attachment_count > _ATTACHMENTS:
            return _unreadable(text, f"more than {_ATTACHMENTS} attachments")
        weight = len(text) + 100 * values
        if found.attachment_count:
            self._waiting, self.weight = found, weight
            return None
        return _packet(found, text, weight)

    def _attach(self, data: bytes) -> Packet | Unreadable | None:
        if self._waiting is None:
            return _unreadable(data, "bytes that belong to no packet")
        found = self._waiting
        self.weight += len(data)
        if self.weight > HEAVIEST:
            self._waiting = None
            return _unreadable(_ATTACHED, f"more than {HEAVIEST // 1_000_000} MB in one packet")
        if not found.add_attachment(data):
            return None
        self._waiting = None
        return _packet(found, _ATTACHED, self.weight)


def encode(kind: int, data: Any = None, *, number: int | None = None, namespace: str = "/") -> list[str | bytes]:
    """Return a packet as the frames to send, text as browsers send it: not escaped where it need not be."""
    frames: str | list[str | bytes] = _Packet(kind, data=data, namespace=namespace, id=number).encode()
    return [frames] if isinstance(frames, str) else frames


def plain(frame: str) -> str:
    """Return a message of Engine.IO as servers usually begin it, so that its beginning tells what it is.

    That is without the name of the default namespace, without white space, and without escapes in an event's name.
    """
    if _DEFAULT.match(frame):
        frame = _DEFAULT.sub(r"\1", frame, count=1)
    if (found := _BEGINNING.match(frame)) is None:
        return frame
    head, name = found.groups()
    try:
        return f"{head}[{json.dumps(json.loads(name), ensure_ascii=False) if name else ''}{frame[found.end() :]}"
    except ValueError:
        return frame


class _Json:
    """JSON as browsers read and write it: no NaN, no Infinity, letters as they are."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return storable(_WRITER.encode(value))

    @staticmethod
    def loads(text: str) -> Any:
        return _READER.decode(text)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_READER = json.JSONDecoder(parse_constant=_no_number)


class _Packet(packet.Packet):  # type: ignore[misc, name-defined]  # the library has no types
    json = _Json


def _packet(found: Any, text: str, weight: int) -> Packet | Unreadable:
    kind = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}.get(found.packet_type, found.packet_type)
    if kind not in (CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR):
        return _unreadable(text, "an unknown type of packet")
    if kind in (EVENT, ACK) and not isinstance(found.data, list):
        return _unreadable(text, "its arguments are no array")
    if kind == EVENT and not found.data:
        return _unreadable(text, "an event without a name")
    if kind == ACK and found.id is None:
        return _unreadable(text, "an acknowledgement without a number")
    return Packet(kind, found.data, found.id, found.namespace or "/", weight)


def _unreadable(frame: str | bytes, why: str, *, over: bool = False) -> Unreadable:
    why = why if len(why) <= _WHY else why[:_WHY] + "…"
    if isinstance(frame, bytes):
        return Unreadable(f"{len(frame)} bytes: {frame[:40].hex(' ')}", why)
    answered = _ANSWERED.match(frame)
    shown = frame if len(frame) <= _SHOWN else f"{frame[:_SHOWN]}… ({len(frame):,} characters)"
    return Unreadable(shown, why, int(answered[1]) if answered else None, over)


Received = Callable[[str, tuple[Any, ...]], tuple[str, tuple[Any, ...]]]  # to the protocol's name and arguments


def tells(frame: str | bytes, mark: str | int, name: str = "", received: Received | None = None) -> bool:
    """Whether a frame is an event with a mark in it, of this name if one is given, and not one of the server's own.

    The mark may stand in what the frame says as it is, or as it was `received`: translated from the server's dialect.
    """
    head = _EVENT.match(frame) if isinstance(frame, str) else None
    if head is None:
        return False
    try:
        event, *args = _Json.loads(str(frame)[head.end() :])
    except (ValueError, RecursionError):
        return str(mark) in str(frame)
    marks: list[str | int] = [mark]
    if isinstance(mark, str) and _WHOLE.fullmatch(mark):  # ids may go as numbers
        marks.append(int(mark))
    said = [tuple(args)]
    if received is not None and isinstance(event, str):
        said.append(received(event, tuple(args))[1])
    return (event == name if name else not is_own_event(event)) and any(
        contains(each, mark) for each in said for mark in marks
    )


def beginning(name: str) -> str:
    """Return how the frame of an event of that name begins, once it is `plain`."""
    return f"42{json.dumps([name], ensure_ascii=False)[:-1]}"
