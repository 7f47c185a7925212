"""Connections: path, transports, protocol version."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from typing import Any

from dungeonlab_conformance.checks.chat import LONGEST
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.engine_io_packets import MESSAGE, split
from dungeonlab_conformance.clients.handshake import Handshake, handshake
from dungeonlab_conformance.clients.packets import tells
from dungeonlab_conformance.clients.raw.upgrade import Upgrade
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.invariants.token_state import whole
from dungeonlab_conformance.payloads.refused import malformed
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.marks import carries, marked
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged, Unreachable
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import chat, let_time_pass
from dungeonlab_spec import Catalogue

_NUMBER = 4711  # of a request that is sent as a bare frame
_TOGETHER = 5  # packets in one upload
_BEYOND_DOUBLES = "1e400"  # which is JSON


async def _handshake(stage: Stage, *, version: int = 4) -> Handshake:
    """Return what alice's handshake is answered, by the first transport that answers it well."""
    alice = await stage.roles.identity("alice")
    answer = await handshake(stage.target, alice, version=version)
    if not answer.opened:
        with contextlib.suppress(Unreachable):  # a server may drop what it does not serve
            by_websocket = await handshake(stage.target, alice, transport="websocket", version=version)
            return by_websocket if by_websocket.opened else answer
    return answer


@check("connect/socket-io-v4-at-the-documented-path")
async def the_handshake_is_answered(stage: Stage) -> None:
    """Alice asks for a handshake at the documented path, protocol version 4."""
    documented, path = Catalogue.load().path, stage.target.path
    if path.strip("/") != documented.strip("/"):  # the target's file says where it is instead
        raise Broken(f"a Socket.IO server at {documented}", f"one at {path}")
    answer = await _handshake(stage)
    if not answer.opened:
        raise Broken("an Engine.IO OPEN packet", f"HTTP {answer.status} {answer.text[:100]!r}")
    opened = _json(split(answer.text[1:])[0])  # more packets may follow
    if not isinstance(opened, dict):
        raise Broken("an Engine.IO OPEN packet with an object", f"{answer.text[:100]!r}")
    for key, kind in (("sid", str), ("upgrades", list), ("pingInterval", int), ("pingTimeout", int)):
        found = opened.get(key)
        if not isinstance(whole(found) if kind is int else found, kind):
            raise Broken(f"{key} of type {kind.__name__}", quoted(found), f"$.{key}")


def _json(text: str) -> Any:
    """Return what stands in a packet; None for what cannot be read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _must_be_served_over(stage: Stage, transport: str) -> Actor:
    """Alice connects, joins, speaks; bob, on the same transport, hears her, as carol does on the other one.

    Returns bob.
    """
    alice, bob, carol = await stage.actor("alice"), await stage.actor("bob"), await stage.actor("carol")
    stage.target.transports_for(transport)
    with contextlib.suppress(Refused, Gone):  # that one has a requirement of its own
        for other in stage.target.other_transports(transport):
            await carol.connect(transport=other)
    for actor in (alice, bob):
        try:
            await actor.connect(transport=transport)
        except (Refused, Gone) as refused:
            if carol.closed:
                raise Unjudged(f"nobody is served over any transport: {refused}") from None
            if isinstance(refused, Refused):
                await _need_a_login(stage, actor, transport)
            raise Broken(f"{actor.name} to be served over {transport}", f"{refused}") from None
    witnesses = [] if carol.closed else [carol]
    for actor in (alice, bob, *witnesses):
        await actor.join(stage.session)
    request = await chat(stage)
    await alice.send(request)
    for witness in witnesses:
        await witness.hear(request)
    await bob.must_hear(request)
    return bob


async def _need_a_login(stage: Stage, actor: Actor, transport: str) -> None:
    """Raise `Unjudged` if a user who was refused over one transport is refused over each other one as well."""
    for other in stage.target.other_transports(transport):
        elsewhere = await stage.actor(actor.name, identity=actor.identity)
        try:
            await elsewhere.connect(transport=other)
        except Refused as refused:
            why = f"{actor.name} is let in over no transport: {refused}"
            raise Unjudged(why, waits_for=VerdictKey("auth/cookie-accepted")) from None


@check("connect/websocket")
async def websocket_is_served(stage: Stage) -> None:
    """Alice and bob connect over WebSocket; bob hears alice."""
    await _must_be_served_over(stage, "websocket")


@check("connect/polling")
async def polling_is_served(stage: Stage) -> None:
    """Alice and bob connect over long-polling; bob hears alice, also what she says by several packets in one upload.

    So he does when she says as much as is allowed, in letters of four bytes.
    """
    bob = await _must_be_served_over(stage, "polling")
    alice = Upgrade("alice", await stage.roles.member("alice"), stage.target, stage.journal)
    try:
        await alice.open()
        await alice.enter(stage.session)
        await alice.send(first := await chat(stage))
        await bob.hear(first)
        together = [await chat(stage) for _ in range(_TOGETHER)]
        await alice.send_together(*together)
        await _must_arrive(bob, alice, together, f"all {_TOGETHER} messages that alice sent in one upload")
        long = await chat(stage)
        long = long.with_properties({"message": f"{long.args[0]['message']} ".ljust(LONGEST, "\N{DRAGON}")})
        await alice.send(long)
        await _must_arrive(bob, alice, [long], "what alice said at length")
    finally:
        await alice.close()


@check("connect/websocket", slow=True)
async def a_quiet_websocket_stays(stage: Stage) -> None:
    """Alice joins over WebSocket, and neither says nor hears anything for a while; then she is answered."""
    await _must_outlast_silence(stage, "websocket")


@check("connect/polling", slow=True)
async def a_quiet_poll_stays(stage: Stage) -> None:
    """Alice joins over long-polling, and neither says nor hears anything for a while; then she is answered."""
    await _must_outlast_silence(stage, "polling")


async def _must_outlast_silence(stage: Stage, transport: str) -> None:
    """Have a connection be quiet, but for the answers to pings; a network may cut one, and hardly a second."""
    if transport not in stage.target.transports:
        return
    for left in (True, False):
        alice = await stage.joined("alice", transport=transport)
        await let_time_pass()
        if await alice.fence():
            return
        if not left:
            expected = f"alice's connection over {transport} to stay open while nobody says anything"
            raise Broken(expected, "it was closed, twice", is_cut=True)


async def _must_arrive(bob: Actor, alice: Upgrade, said: list[Request], words: str) -> None:
    if await _is_refused(alice):
        return  # that is another matter, such as of a limit
    for request in said:
        await bob.try_observe_fenced(partial(_carries, request))
    heard = sum(bool(bob.deliveries_of(request)) for request in said)
    if heard == len(said):
        return
    bob.needs_to_be_open()
    if await _is_refused(alice):
        return  # that came late
    raise Broken(f"bob to hear {words}", f"{heard} of {len(said)}")


async def _is_refused(poller: Upgrade) -> bool:
    await poller.poll_once_around()
    return any(map(_is_refusal, poller.frames))


@check("connect/upgrade")
async def an_upgrade_loses_and_doubles_nothing(stage: Stage) -> None:
    """Bob moves from polling to WebSocket while he and alice send messages; each message is heard once.

    Carol, who upgrades nothing, is the witness: what she does not hear once says nothing about the upgrade. He stays in
    the room.
    """
    stage.target.needs("upgrade")
    stage.target.transports_for("upgrade")
    alice, carol = await stage.joined("alice", "carol")
    identity = await stage.roles.member("bob")
    bob = Upgrade("bob", identity, stage.target, stage.journal)
    try:
        if not await bob.open():
            return  # no upgrade is offered
        await bob.enter(stage.session)
        first = await chat(stage)
        await alice.send(first)
        await bob.poll_until_heard(marked(first))  # else there is nothing that an upgrade could lose
        hers, his = [], []
        async for _ in bob.steps():
            burst = [await chat(stage) for _ in range(5)]  # at once: servers give up on a slow upgrade
            await asyncio.gather(*map(alice.send, burst))
            hers += burst
            his.append(await chat(stage))
            await bob.send(his[-1])
        await bob.fence()
        await bob.try_catch_up(map(marked, hers))
        await _must_each_hear_once(carol, alice, bob, hers, his)
    finally:
        await bob.close()


async def _must_each_hear_once(
    carol: Actor, alice: Actor, bob: Upgrade, hers: list[Request], his: list[Request]
) -> None:
    await carol.hear(hers[-1])
    for number, request in enumerate(hers, 1):
        if len(carol.deliveries_of(request)) != 1:
            raise Unjudged("carol, who upgraded nothing, does not hear everything once either")
        count = sum(tells(frame, marked(request)) for frame in bob.frames)
        if count != 1:
            raise Broken("bob to hear each message once", f"number {number} {count} times")
    if refusals := list(filter(_is_refusal, bob.frames)):
        await alice.try_observe_fenced(partial(_carries, his[0]))
        if alice.deliveries_of(his[0]) and any('"NOT_JOINED"' in refusal for refusal in refusals):
            raise Broken("bob to be in the room during his upgrade and after it, as he was before", refusals[-1])
        raise Unjudged("not all that bob said was accepted")
    for number, request in enumerate(his, 1):
        await alice.try_observe_fenced(partial(_carries, request))
        count = len(alice.deliveries_of(request))
        if count == 0:
            alice.needs_to_be_open()
        if count != 1:
            raise Broken("what bob says during his upgrade to be heard once", f"number {number} {count} times")


def _is_refusal(frame: str) -> bool:
    if not frame.startswith("43"):
        return False
    args = _json("[" + frame.partition("[")[2])
    return isinstance(args, list) and bool(args) and isinstance(args[0], dict) and not args[0].get("success")


def _carries(request: Request, seen: Observation) -> bool:
    return seen.act == "hears" and carries(seen, request)


@check("connect/readable-packets", phase="last")
async def what_is_sent_can_be_read(stage: Stage) -> None:
    """Alice joins, sends a message, is refused and leaves; each packet that she and bob are sent can be read."""
    alice, bob = await stage.joined("alice", "bob")
    await alice.send(request := await chat(stage))
    await bob.hear(request)
    await alice.send_without_callback(malformed(Catalogue.load()["chat-message"]))
    await alice.leave()
    await bob.fence()


@check("connect/readable-packets", phase="last")
async def what_is_said_of_a_number_that_no_double_holds_can_be_read(stage: Stage) -> None:
    """Alice, alone in the room, sends a token whose data holds 1e400; however that is answered, it can be read.

    Whether it is accepted is up to the server. So is whether such a packet ends the connection.
    """
    stage.target.transports_for("websocket")
    draft = await stage.request(Catalogue.load()["token:create"])
    body = {**draft.args[0], "token": {"name": "a token", "position": {"x": 1, "y": 2}, "data": {"n": draft.mark}}}
    [frame] = packets.encode(packets.EVENT, [draft.event, body], number=_NUMBER)
    with contextlib.suppress(Gone, Unjudged):
        alice = await stage.raw("alice")
        await alice.try_join(stage.session)
        await alice.send_frame(MESSAGE + str(frame).replace(f'"{draft.mark}"', _BEYOND_DOUBLES))
        answer = await alice.receive(f"43{_NUMBER}[")
        found = packets.Decoder().decode(answer.removeprefix(MESSAGE))[0]
        if isinstance(found, packets.Unreadable):
            raise Broken("an answer that can be read", f"{found.text} ({found.why})")


@check("connect/old-protocol-refused")
async def an_old_protocol_is_refused(stage: Stage) -> None:
    """Alice asks for a handshake in protocol version 3 and is refused."""
    if not (await _handshake(stage)).opened:
        raise Unjudged("a handshake in version 4 is refused too")
    answer = await _handshake(stage, version=3)
    if answer.opened:
        raise Broken("a refusal of EIO=3", f"HTTP {answer.status} {answer.text[:60]!r}")
