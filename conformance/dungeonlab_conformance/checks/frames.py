"""Malformed packets, and packets out of turn: other connections must not notice them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unreadable, not_accepted
from dungeonlab_conformance.clients.raw.polling import Polling, polling_session
from dungeonlab_conformance.clients.raw.tcp import TcpConnection, tcp_connection
from dungeonlab_conformance.clients.raw.websocket_frames import RawConnection
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.results.errors import Broken, Gone, TargetFault, Unjudged
from dungeonlab_conformance.stage.stage import Stage, sending
from dungeonlab_conformance.stage.traffic import chat

_SIGN_OF_LIFE = '424711["get-user-data",{}]'  # sent after each; whether it is answered is the server's business
_ANSWER = "434711["
_ATTEMPTS = 4  # at sending something upon which a connection of somebody else's was closed each time
_OVERSIZE = 2_000_000  # bytes; twice what Engine.IO servers usually take

# One malformed thing each, as frames of one connection.
_FRAMES: dict[str, tuple[str | bytes, ...]] = {
    "an empty frame": ("",),
    "an unknown Engine.IO type": ("9hello",),
    "a letter for a type": ("x",),
    "a type that is no ASCII": ("\u0664",),
    "an Engine.IO type and nothing else": ("4",),
    "an unknown Socket.IO type": ("49",),
    "a Socket.IO type that is no digit": ("4x",),
    "broken JSON": ('42["chat-message",{"sessionId":',),
    "JSON with something behind it": ('42["chat-message",{}]]',),
    "words that are no JSON": ('42["chat-message",{"sessionId":NaN}]', '42["chat-message",undefined]'),
    "a packet cut in two": ('42["chat-mess', 'age",{}]'),
    "an event that is no array": ('42{"chat-message":1}',),
    "an event without a name": ("42[]",),
    "an event without a body": ("42",),
    "an event named by a number": ("42[5,{}]",),
    "an event named by null": ("42[null]",),
    "an event named by an array": ('42[["chat-message"],{}]',),
    "a second CONNECT": ("40", "40"),
    "a CONNECT with a broken payload": ("40{",),
    "a CONNECT with an array": ("40[1]",),
    "an endless ack id": ("42" + "9" * 400 + '["get-user-data",{}]',),
    "an ack id beyond 64 bits": ('4218446744073709551616["get-user-data",{}]',),
    "a negative ack id": ('42-1["get-user-data",{}]',),
    "an ack for nothing": ("43999[1]",),
    "an ack without an id": ("43[1]",),
    "an ack that is no array": ('431{"a":1}',),
    "the same ack id twice": ('427["get-user-data",{}]', '427["get-user-data",{}]'),
    "an unknown namespace": ('42/nowhere,["chat-message",{}]',),
    "a namespace without an end": ("42/nowhere",),
    "a DISCONNECT of an unknown namespace": ("41/nowhere,",),
    "an event after DISCONNECT": ("41", '42["get-user-data",{}]'),
    "an error packet from a client": ('44{"message":"no"}',),
    "binary without its event": (b"\x00\x01\x02",),
    "empty binary": (b"",),
    "an event whose attachment never comes": ('451-["chat-message",{"_placeholder":true,"num":0}]',),
    "an event with one attachment of two": ('452-["chat-message",{"_placeholder":true,"num":0}]', b"\x00"),
    "an attachment too many": ('451-["chat-message",{"_placeholder":true,"num":0}]', b"\x00", b"\x01"),
    "a placeholder out of range": ('451-["chat-message",{"_placeholder":true,"num":7}]', b"\x00"),
    "a negative placeholder": ('451-["chat-message",{"_placeholder":true,"num":-1}]', b"\x00"),
    "a placeholder that is no number": ('451-["chat-message",{"_placeholder":true,"num":"x"}]', b"\x00"),
    "a million attachments": ('451000000-["chat-message",{"_placeholder":true,"num":0}]',),
    "a binary event that counts none": ('45["chat-message",{}]', '45-["chat-message",{}]'),
    "a binary ack for nothing": ('461-999[{"_placeholder":true,"num":0}]', b"\x00"),
    "a text where an attachment is due": ('451-["chat-message",{"_placeholder":true,"num":0}]', '42["x"]'),
    "a reserved event": ('42["disconnect"]', '42["disconnecting"]', '42["connect_error",{}]', '42["error","x"]'),
    "names of JavaScript": ('42["__proto__",{}]', '42["chat-message",{"__proto__":{"sessionId":"x"}}]'),
    "a NUL": ('42["chat-message\\u0000",{}]',),
    "a lone surrogate": ('42["chat-message",{"sessionId":"\\ud800"}]',),
    "an OPEN packet": ('0{"sid":"x"}',),
    "a pong that nobody asked for": ("3", "3probe"),
    "an upgrade out of turn": ("5", "2probe"),
    "a CLOSE with something behind it": ("1x", '42["get-user-data",{}]'),
}

# Bodies of a POST over long-polling, with their content type.
_TEXT = "text/plain;charset=UTF-8"
_BODIES: dict[str, tuple[str | bytes, str]] = {
    "an empty body": ("", _TEXT),
    "a body of separators": ("\x1e\x1e\x1e", _TEXT),
    "a body of a thousand packets": ("\x1e".join(["3"] * 1000), _TEXT),
    "a body that is no packet": ("hello, is anybody there?", _TEXT),
    "a body of JSON": ('{"event":"chat-message"}', "application/json"),
    "a body of bytes": (bytes(range(256)), "application/octet-stream"),
    "a body that is no UTF-8": (b'42["chat-message",{"sessionId":"\xff\xfe"}]', _TEXT),
    "a form": ("d=42%5B%22chat-message%22%5D", "application/x-www-form-urlencoded"),
    "a body in the manner of protocol 3": ('19:42["chat-message",1]', _TEXT),
    "base64 that is none": ("b%%%", _TEXT),
    "a content type that is none": ("40", "; ; ;"),
    "a good packet before a bad one": ('42["get-user-data",{}]\x1e42["chat-message",{', _TEXT),
}

# Bytes after the head of a WebSocket that the server has accepted; it may not wait for the rest, for it never comes.
_MASK = b"\x00\x00\x00\x00"
_BYTES: dict[str, bytes] = {
    "a WebSocket frame broken off in mid-upload": b"\x81\xfe\x10\x00" + _MASK + b'42["chat-message",',
    "the first half of a WebSocket message": b"\x01\x82" + _MASK + b"42",
    "a WebSocket frame without a mask": b"\x81\x0240",
    "a WebSocket frame with a reserved opcode": b"\x83\x82" + _MASK + b"40",
    "a WebSocket text that is no UTF-8": b"\x81\x83" + _MASK + b"4\xff\xfe",
    "a WebSocket frame of endless length": b"\x82\xff\x7f" + b"\xff" * 7 + _MASK + b"0",
    "a WebSocket continuation of nothing": b"\x80\x81" + _MASK + b"4",
    "a WebSocket CLOSE with a code that is none": b"\x88\x82" + _MASK + b"\x00\x01",
}

_FOR_WHO_IS_OUT = ("NOT_JOINED", "PERMISSION_DENIED", "SESSION_NOT_FOUND")  # codes of refusals
_NEVER_ENTERED = "events of connections that never entered"
Way = Callable[[Stage], Awaitable[None]]


def ways(transports: Collection[str]) -> Iterator[tuple[str, Way]]:
    """Yield each thing that is sent over one of these transports, by what it is."""
    if "websocket" in transports:
        for what, frames in _FRAMES.items():
            yield what, partial(_framed, frames)
        for what, data in _BYTES.items():
            yield what, partial(_over_tcp, data)
    if "polling" in transports:
        for what, (body, kind) in _BODIES.items():
            yield what, partial(_posted, body, kind)
        yield "a body far too large", _oversize
        yield "a POST broken off in mid-upload", _broken_off_post
        yield "long-polling as nobody does it", _odd_requests
    yield "half a request line", _half_a_line


@check("connect/malformed-frames-are-harmless", destructive=3, timeout_factor=3)  # it waits for some hundred answers
async def malformed_frames_are_harmless(stage: Stage) -> None:
    """Alice sends malformed data of many kinds; bob, carol and the game master still hear each other after each.

    So does a tab of alice's own, over another transport if there is one. Where the room does not work, bob and carol
    are answered after each all the same. Then she, and a connection without a cookie, send valid events without
    CONNECT; bob and carol hear none.
    """
    try:
        bob, carol = await stage.joined("bob", "carol")
        await _talk(stage, bob, carol)
        tabs = await _tabs_of_alice(stage)
        await _come_and_go(stage)  # what the end of a connection does by itself is another matter
        await asyncio.gather(_talk(stage, bob, carol), _talk(stage, carol, bob))
    except Gone:
        raise
    except Unjudged:
        people = [actor for actor in stage.actors if not actor.closed]
        await asyncio.gather(*(actor.fence() for actor in people))
        await _all_must_go_on(stage, people, partial(_must_be_answered, people))
        raise
    company = [bob, carol, *await _one_more(stage, bob, carol)]
    turns = itertools.cycle(itertools.pairwise((*company, bob)))  # all of it may be more than one may say in a minute
    tabs = [tab for tab in tabs if await _is_heard(stage, bob, tab)]  # after others of alice's have come and gone
    await _all_must_go_on(stage, [*company, *tabs], lambda what: _must_talk_on(stage, *next(turns), what, tabs))
    for name in ("alice", "nobody") if "websocket" in stage.target.transports else ():
        await _must_get_nothing_through(stage, name, bob, carol)
    await _must_talk_on(stage, bob, carol, _NEVER_ENTERED)


async def _all_must_go_on(stage: Stage, company: Sequence[Actor], must_go_on: Callable[[str], Awaitable[None]]) -> None:
    """Send one malformed thing after the other, and see each time whether all goes on for the company."""
    todo = [(what, way) for what, way in ways(stage.target.transports) if not stage.is_deadly(what)]
    far = stage.target.limits.far and not stage.target.workarounds.deadly.cautious
    together = len(todo) if far else 1  # each has a connection of its own
    for start in range(0, len(todo), together):
        await _must_bear_at_last(stage, company, todo[start : start + together], must_go_on)


async def _must_bear_at_last(
    stage: Stage,
    company: Sequence[Actor],
    some: Sequence[tuple[str, Way]],
    must_go_on: Callable[[str], Awaitable[None]],
) -> None:
    """Send something malformed up to some times: a network may end a connection upon it, but hardly each time."""
    for left in reversed(range(_ATTEMPTS)):
        before = [actor.connection for actor in company]
        try:
            await _must_bear(stage, company, some, must_go_on)
        except Broken as broken:
            if not (left and await _can_begin_anew(company, before)):
                raise broken from None
        else:
            return


async def _must_bear(
    stage: Stage,
    company: Sequence[Actor],
    some: Sequence[tuple[str, Way]],
    must_go_on: Callable[[str], Awaitable[None]],
) -> None:
    """Send something malformed, and see whether all goes on, on the same connections."""
    before = [actor.connection for actor in company]
    await asyncio.gather(*(_try(what, way, stage) for what, way in some))
    what = " or ".join(what for what, _ in some)
    await must_go_on(what)  # while the connections that sent it are there
    await asyncio.gather(*(raw.close() for raw in stage.raws))
    for actor, connection in zip(company, before, strict=True):
        if actor.closed or actor.connection != connection:
            raise Broken(f"{actor.name}'s connection to stay open after {what}", "it was closed")


async def _can_begin_anew(company: Sequence[Actor], before: Sequence[int]) -> bool:
    """Connect those again whose connection was closed; returns whether there were such, and all are back."""
    lost = [actor for actor, connection in zip(company, before, strict=True) if actor.connection != connection]
    lost += [actor for actor in company if actor.closed]
    try:
        for actor in lost:
            await actor.reconnect()
    except (Unjudged, TargetFault):
        return False
    return bool(lost)


async def _one_more(stage: Stage, bob: Actor, carol: Actor) -> list[Actor]:
    """Return the game master, who talks on too where that is possible, and already works before anything is sent."""
    await stage.roles.member("alice")  # before somebody less needed is cast
    if "gamemaster" in stage.target.workarounds.shut_out or not stage.roles.can_play("gamemaster"):
        return []
    try:
        gamemaster: Actor = await stage.joined("gamemaster")
        await _talk(stage, carol, gamemaster)
        await _talk(stage, gamemaster, bob)
    except Unjudged:
        return []
    return [gamemaster]


async def _tabs_of_alice(stage: Stage) -> list[Actor]:
    """Return a connection of alice's, who sends what is malformed, over another transport if there is one."""
    transports = stage.target.other_transports(stage.target.transport)
    with contextlib.suppress(Refused, Unjudged):
        return [await stage.joined("alice", transport=next(iter(transports), None))]
    return []


async def _is_heard(stage: Stage, speaker: Actor, listener: Actor) -> bool:
    try:
        await _talk(stage, speaker, listener)
    except Unjudged:
        return False
    return True


async def _come_and_go(stage: Stage) -> None:
    """Let alice join on two connections that close as they should."""
    for raw in [await stage.raw("alice") for _ in range(2)]:
        await raw.try_join(stage.session)
        await raw.close()


async def _talk(stage: Stage, speaker: Actor, listener: Actor) -> None:
    await speaker.send(request := await chat(stage))
    await listener.hear(request)


async def _try(what: str, way: Way, stage: Stage) -> None:
    """Send something; if the server is gone by it, those who talk on will notice."""
    with contextlib.suppress(Gone, TargetFault), sending(what):
        await way(stage)


async def _framed(frames: tuple[str | bytes, ...], stage: Stage) -> None:
    """Send frames on a connection that is in the room, and on one that has not entered the namespace."""
    await asyncio.gather(*(_sent(stage, entered, frames) for entered in (True, False)))


async def _sent(stage: Stage, entered: bool, frames: tuple[str | bytes, ...]) -> None:
    alice = await stage.raw("alice", entered=entered)
    with contextlib.suppress(Gone):  # the server may close this connection
        if entered:
            await alice.try_join(stage.session)
    with stage.provoking():
        with contextlib.suppress(Gone):
            for frame in (*frames, _SIGN_OF_LIFE):
                await alice.send_frame(as_called(stage.target.dialect.events, frame))
        await _reaction(alice)


def as_called(names: Mapping[str, str], data: str | bytes) -> str | bytes:
    """Return malformed data with the server's names of the requests in it; other names it would just skip."""
    for ours, theirs in names.items():
        before, after = (f"[{json.dumps(name)}" for name in (ours, theirs))
        data = data.replace(before, after) if isinstance(data, str) else data.replace(before.encode(), after.encode())
    return data


async def _reaction(alice: RawConnection) -> None:
    """Wait until the server has dealt with what was sent, as far as that can be known."""
    with contextlib.suppress(Unjudged, TimeoutError):
        async with asyncio.timeout(alice.target.limits.moment):
            await alice.receive(_ANSWER)


async def _posted(body: str | bytes, kind: str, stage: Stage) -> None:
    async with polling_session(stage.target, await stage.roles.member("alice")) as alice:
        with stage.provoking():
            await alice.request("POST", as_called(stage.target.dialect.events, body), kind=kind)


async def _oversize(stage: Stage) -> None:
    if not stage.target.limits.far:  # where it would take minutes
        await _posted("4" + "2" * _OVERSIZE, _TEXT, stage)


async def _broken_off_post(stage: Stage) -> None:
    identity = await stage.roles.member("alice")
    async with polling_session(stage.target, identity) as alice, tcp_connection(stage.target, identity) as connection:
        head = connection.head("POST", f"transport=polling&sid={alice.sid}", Content_Type=_TEXT, Content_Length="90000")
        await _broken_off_by(stage, connection, head + b'42["chat-message",')


async def _odd_requests(stage: Stage) -> None:
    """Ask for what is not there, by methods that are none, and twice at the same time."""
    moment = stage.target.limits.moment
    async with polling_session(stage.target, await stage.roles.member("alice")) as alice:
        with stage.provoking():
            await _oddly(alice, moment)


async def _oddly(alice: Polling, moment: float) -> None:
    await asyncio.gather(alice.request("GET", patience=moment), alice.request("GET", patience=moment))
    for method in ("PUT", "DELETE", "PATCH"):
        await alice.request(method, patience=moment)
    await alice.request("GET", sid="no-such-sid")
    await alice.request("POST", "40", sid="no-such-sid")
    await alice.request("GET", transport="pigeon")


async def _broken_off_by(stage: Stage, connection: TcpConnection, data: bytes) -> None:
    """Send bytes, wait a moment for what the server makes of them, and end the connection in the middle of them."""
    with stage.provoking():
        await connection.send(data)
        await connection.read_until_closed(stage.target.limits.moment)
        connection.abort()


async def _over_tcp(data: bytes, stage: Stage) -> None:
    async with tcp_connection(stage.target, await stage.roles.member("alice")) as connection:
        await connection.send(connection.upgrade())
        await connection.try_read_head()
        await _broken_off_by(stage, connection, data)


async def _half_a_line(stage: Stage) -> None:
    async with tcp_connection(stage.target, await stage.roles.member("alice")) as connection:
        await _broken_off_by(stage, connection, _half(connection))


def _half(connection: TcpConnection) -> bytes:
    head = connection.upgrade()
    return head[: len(head) // 2]


async def _must_get_nothing_through(stage: Stage, name: str, bob: Actor, carol: Actor) -> None:
    """Join and speak without CONNECT, and as nobody after being refused; a server that will not listen is right."""
    request = await chat(stage)
    try:
        raw = await stage.raw(name, entered=False)
        if name == "nobody":
            await raw.send_frame("40")
            if (answer := await raw.try_receive("40", "44")) is not None and answer.startswith("40"):
                return  # let in without a cookie: that is judged by itself
        with stage.provoking(_NEVER_ENTERED):
            name, args = stage.target.on_the_wire("join-session", ({"sessionId": stage.session},))
            await raw.send_frame("4299" + json.dumps([name, *args]))
            await raw.emit(request)
            await raw.send_frame(_SIGN_OF_LIFE)
            await _reaction(raw)
    except (Gone, Unjudged):
        return
    for listener in (bob, carol):
        await listener.fence()
        if listener.deliveries_of(request):
            raise Broken(f"{listener.name} to hear nothing of {name}, who has not entered", f"{request.args}")


async def _must_talk_on(stage: Stage, speaker: Actor, listener: Actor, what: str, others: Sequence[Actor] = ()) -> None:
    request = await chat(stage)
    expected = f"{speaker.name} and {listener.name} to talk on after {what}"
    try:
        if (answer := await speaker.try_prepare(request)).code in _FOR_WHO_IS_OUT:
            raise Broken(expected, answer)
        if not answer.accepted:
            raise Unjudged(f"{speaker.name}'s chat-message was refused: {answer.shown}", waits_for=not_accepted(answer))
        for each in (listener, *others):
            await each.must_hear(request)
    except Gone:
        raise Broken(expected, "the connection was closed") from None
    except Unreadable:
        raise  # an answer, of whatever shape: they do talk
    except Unjudged as silent:
        if stage.journal.outcome(request) == "refused":
            raise  # an answer as well, such as that they talk too much
        raise Broken(expected, f"{silent}") from None


async def _must_be_answered(people: Sequence[Actor], what: str) -> None:
    for actor in people:
        expected = f"{actor.name} to be answered after {what}"
        try:
            answered = await actor.fence()
        except Unjudged as silent:
            raise Broken(expected, f"{silent}") from None
        if not answered:
            raise Broken(expected, "the connection was closed")
