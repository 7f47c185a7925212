"""How clients connect: with which cookie, again after a break, how often, and that they join again first."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from dungeonlab_conformance.client_rules.index import Connection, PacketIndex
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_conformance.client_rules.rooms import Standing, sendings
from dungeonlab_conformance.client_rules.rules.sessions import UNDER_WAY, is_reconnection
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_conformance.text.system import how_ended

AT_ONCE = 0.1  # seconds in which several attempts are one: a library may try two addresses, or two transports
RECONNECTING = 30.0  # seconds that a client may take to begin to connect again
RETRY = 7.0  # seconds after which a client that was refused would have tried again, if it did
RARELY, SELDOM = 2.0, 4.0  # seconds between attempts that a server bears for a while, and that trouble none
_FLAT = 5  # intervals between attempts that show whether they grow
_GROWN, _GROWS = 1.6, 1.25  # times as long as the first ones the later ones are, if they grow; where they are rare
_OFTEN = 0.5  # seconds between attempts that are too often in the end, however they grew: a busy machine is slow, too
_LONG = 5.0  # seconds in which they could have grown beyond that
_CAPPED = 0.8  # seconds between attempts at the lowest limit that a library is set to; chance may begin with it
_EVEN = 1.15  # times as long as the shortest interval is the longest, of a timer at a fixed rate
_SOON, _MUCH_LONGER = 0.25, 4  # seconds up to a first attempt that came at once; times as long as the next one took
_NOTICED = 10.0  # seconds in which clients see that their server is away
_PAGES = 3  # other requests in a while that make a client's attempts hard to tell from them
_WHILE = 30.0
_RARER = 5.0  # times as long as its longest pause so far a client that tries ever more rarely may take to try again
_MOST = 100  # connections, or requests, that are looked at
_HARMLESS = 3  # refusals as unauthenticated in a row: the first one, and "another attempt or two" (section 15)
_OFFLINE = 2.0  # times as long as a client mostly pauses it has to be offline: then it would have sent something


@rule("client/connects-with-the-cookie", to_see="let the client log in and connect")
def connects_with_the_cookie(index: PacketIndex) -> Iterator[Evidence]:
    """Each handshake of a connection that asks for the namespace, or is refused as unauthenticated, has a cookie."""
    for connection in index.connections:
        begun = connection.handshake
        if begun is None:
            continue
        if begun.user and connection.connected is not None:
            yield Holds(connection.connected)
        elif not begun.user and (connection.connect is not None or _is_unauthenticated(connection.refused)):
            expected = f"a cookie in the handshake of connection {connection.number}"
            yield Breaks(expected, "none", (begun,))
    if not index.gaps:
        yield from _of_no_login(index)


def _of_no_login(index: PacketIndex) -> Iterator[Evidence]:
    """Yield what a program showed in place of a login's cookie: it was never let in with that, nor afterwards at all.

    Nobody logs its user out meanwhile. One that tries an old cookie first logs in and is let in, if there is time.
    """
    rounds: dict[int, list[Connection]] = {}
    for connection in index.connections:
        rounds.setdefault(connection.round, []).append(connection)
    alive = {connection.user for connection in index.connections if connection.connected is not None}
    for number, there in rounds.items():
        if number == 0 or DirectorAct.LOG_OUT in index.acts_by_round[number]:
            continue
        refused = [c for c in there if c.user and c.user not in alive and _is_unauthenticated(c.refused, "401")]
        if not refused or any(c.connected is not None and c.number > refused[0].number for c in there):
            continue
        begun, refusal, last = refused[0].handshake, refused[-1].refused, index.ends[number]
        if begun and refusal and (last.event == DirectorAct.EXITED or last.at - refusal.at >= RETRY):
            expected = f"the cookie of a login in the handshake of connection {refused[0].number}"
            yield Breaks(expected, "something that the server has never let in", (begun, refusal))


@rule(
    "client/rejoins-after-reconnect",
    to_see="cut the client off while it is in a session and goes on sending, and let it connect again",
)
def rejoins_after_reconnect(index: PacketIndex) -> Iterator[Evidence]:
    """On a connection that takes the place of one that was in a session, nothing is sent to a session before a join."""
    for connection, sent in sendings(index):
        before = connection.predecessor
        if before is None or not before.has_joined:
            continue
        strange = [each.request.packet for each in sent if each.standing is Standing.STRANGER]
        for packet in strange if is_reconnection(connection) else ():
            shown = (*([before.end] if before.end else []), packet)
            expected = f"{connection.who} to join again before it sends to a session: connection {before.number} broke"
            yield Breaks(expected, f"{packet.event}, without a join on this connection", shown)
        joined = [each.request.packet for each in sent if each.standing is Standing.JOINED]
        if joined and not strange:
            yield _tried_while_offline(before, connection, joined[0])


def _tried_while_offline(before: Connection, connection: Connection, packet: TappedPacket) -> Evidence:
    """Say whether a client that sends at its pace must have had something to send while it was not connected."""
    end = before.end
    pace = before.pace_before(end) if end is not None else None
    if end is None or connection.connected is None or not before.was_cut:
        return Unclear("it was the client itself that ended its connection: cut it off")
    if pace is None:
        return Unclear("the client had sent too little before it was cut off: let it send something regularly")
    if connection.connected.at - end.at < pace * _OFFLINE:
        return Unclear("the client had nothing to send while offline: let it send more often, or cut it off longer")
    return Holds(packet)


@rule("client/connects-again", to_see="cut the client off, and let it connect again")
def connects_again(index: PacketIndex) -> Iterator[Evidence]:
    """A client that was cut off connects again, within half a minute, with the same cookie or that of a new login."""
    tried, new = _tries(index), _logins(index)
    for connection in index.connections:
        end = connection.end
        if end is None or not connection.was_cut or end.kind == "disconnect" or connection.connected is None:
            continue
        last = index.ends.get(connection.round, end)
        if _went_on(connection, end):
            continue
        if connection.successor is not None:
            yield Holds(connection.successor.connect or connection.successor.first)
        elif _any_between(new, end, last):
            yield Unclear("somebody came with a new login, who may be the client that was cut off")
        elif end.kind == "act" and not any(_any_between(tried.get(u, []), end, last) for u in ("", connection.user)):
            yield _did_not_return(connection, connection.closed or end, last)
        elif end.kind == "act" and not _any_between(tried.get(connection.user, []), end, last):
            yield _gave_up(index, connection, end, last)


def _went_on(connection: Connection, end: TappedPacket) -> bool:
    """Whether a session survived what should have cut it off, as one over polling does if its client asks again."""
    later = next((packet for packet in reversed(connection.packets) if packet is not connection.closed), end)
    return later.at - end.at > UNDER_WAY


def _did_not_return(connection: Connection, end: TappedPacket, last: TappedPacket) -> Evidence:
    """Judge a client that was cut off and did not connect again; of a silence it may not have been aware."""
    expected = f"{connection.who} to connect again after it was cut off"
    exited = last.event == DirectorAct.EXITED
    if exited and last.text != "0":
        return Breaks(expected, f"its program {how_ended(shortened(last.text, 20))}", (end, last))
    if last.at - end.at >= RECONNECTING and not exited and (end.kind != "act" or end.text != "silence"):
        return Breaks(expected, f"nothing for {last.at - end.at:.0f} s", (end,))
    return Unclear(f"the client was not watched for {RECONNECTING:.0f} s after it was cut off")


def _gave_up(index: PacketIndex, connection: Connection, end: TappedPacket, last: TappedPacket) -> Evidence:
    """Judge a client that tried to connect again, was not let in, and was not seen to try once the server was back."""
    attempts = [packet for packet in index.attempts if end.number < packet.number < last.number]
    back = next((act for act in index.acts if act.event == DirectorAct.BACK and act.number > end.number), None)
    if not attempts or back is None or last.event == DirectorAct.EXITED:
        return Unclear("nobody was let in after the client was cut off: let the server come back")
    longest = max(later.at - earlier.at for earlier, later in pairwise((end, *attempts)))
    waited = last.at - max(attempts[-1].at, back.at)
    if waited < max(RECONNECTING, longest * _RARER):
        return Unclear(f"the client was not watched for {RECONNECTING:.0f} s after the server had come back")
    expected = f"{connection.who} to connect again once the server is back"
    return Breaks(
        expected, f"attempts before that: {len(attempts)}; since then nothing for {waited:.0f} s", (end, back)
    )


def _tries(index: PacketIndex) -> dict[str, list[int]]:
    """Return the numbers of all attempts to connect, by user; nobody knows whose those are that were not let in."""
    found: dict[str, list[int]] = {"": [packet.number for packet in index.attempts]}
    for packet in index.handshakes:
        found.setdefault(packet.user, []).append(packet.number)
    return {user: sorted(numbers) for user, numbers in found.items()}


def _logins(index: PacketIndex) -> list[int]:
    """Return where each user was first seen to connect."""
    seen: dict[str, int] = {}
    for packet in index.handshakes:
        seen.setdefault(packet.user, packet.number)
    return sorted(seen.values())


def _any_between(numbers: Sequence[int], after: TappedPacket, until: TappedPacket) -> bool:
    return bisect_right(numbers, until.number) > bisect_right(numbers, after.number)


@rule("client/backs-off", to_see="keep the server away for ten seconds while the client is connected")
def backs_off(index: PacketIndex) -> Iterator[Evidence]:
    """While no connection is accepted, the attempts of each client grow rarer, or are rare anyway."""
    cut = [c.end for c in index.connections if c.end is not None and c.was_cut and c.connected is not None]
    cut.sort(key=lambda packet: packet.number)
    for attempts in _spells(index):
        first, last = attempts[0], attempts[-1]
        gone = _just_before(cut, last, first.at - _NOTICED)
        pages = _just_before(index.http, first, first.at - _WHILE)
        if not gone:
            yield Unclear("no client was connected before, so that nobody knows whose attempts these are")
        elif bisect_right(index.gaps, last.number) > bisect_right(index.gaps, min(gone[-1].number, first.number)):
            yield Unclear("some of what was seen meanwhile is missing")
        elif len(pages) >= _PAGES:
            yield Unclear("the client also makes other requests, which may be among the attempts")
        else:
            since = [gone[0].at] if len(gone) == 1 and gone[0].number < first.number else []
            times = [*since, *_merged([packet.at for packet in attempts])]
            intervals = [later - at for at, later in zip(times, times[len(gone) :], strict=False)]
            yield _judged(intervals[1:] if since and _begins_at_once(intervals) else intervals, attempts)


def _begins_at_once(intervals: Sequence[float]) -> bool:
    """Whether the time up to the first attempt is no pause, so that those between attempts alone show if they grow."""
    return intervals[0] <= _SOON and (len(intervals) < 2 or intervals[0] * _MUCH_LONGER <= intervals[1])


def _judged(intervals: Sequence[float], attempts: Sequence[TappedPacket]) -> Evidence:
    """Judge by the time between attempts; of one interval nobody knows whether it grows."""
    if len(intervals) < 2:
        return Unclear("the client tried too seldom to be judged: keep the server away longer")
    early, late = fmean(intervals[:2]), fmean(intervals[len(intervals) // 2 :])
    grows = late >= early * (_GROWS if late >= RARELY else _GROWN)
    if late >= SELDOM or (grows and late >= _OFTEN):
        return Holds(attempts[-1])
    if len(intervals) < _FLAT or (grows and sum(intervals) < _LONG):
        return Unclear("too few attempts were seen to say whether they grow rarer: keep the server away longer")
    if late >= _CAPPED and max(intervals) > min(intervals) * _EVEN:
        return Unclear(
            "the attempts are rare, at uneven intervals: whether they grow rarer up to a limit cannot be seen"
        )
    expected = "a client to try ever more rarely while the server is away"
    got = f"{len(attempts)} attempts, the later ones {late:.1f} s apart"
    return Breaks(expected, got, (*attempts[:3], attempts[-1]))


def _spells(index: PacketIndex) -> Iterator[list[TappedPacket]]:
    """Yield the attempts that were refused one after the other, without a handshake that reached the server between."""
    accepted = [packet.number for packet in index.handshakes]
    spell: list[TappedPacket] = []
    place = 0
    for attempt in index.attempts:
        while place < len(accepted) and accepted[place] < attempt.number:
            place += 1
            if spell and accepted[place - 1] > spell[-1].number:
                yield spell
                spell = []
        spell.append(attempt)
    if spell:
        yield spell


def _just_before(packets: Sequence[TappedPacket], packet: TappedPacket, since: float) -> list[TappedPacket]:
    """Return the packets before another one, of those since a time the last hundred, the last one first."""
    place = bisect_left(packets, packet.number, key=lambda each: each.number)
    latest = reversed(packets[max(0, place - _MOST) : place])
    return [each for each in latest if each.at >= since]


def _merged(times: Sequence[float]) -> list[float]:
    found: list[float] = []
    for at in times:
        if not found or at - found[-1] > AT_ONCE:
            found.append(at)
    return found


@rule(
    "client/stops-when-unauthenticated",
    to_see="log the client's user out while it is connected, and let it try to connect again",
)
def stops_when_unauthenticated(index: PacketIndex) -> Iterator[Evidence]:
    """After a refusal as unauthenticated and two more for each of its tabs, a cookie is not tried again."""
    for connections in index.by_user():
        most = _HARMLESS * _at_once(connections)
        row: list[TappedPacket] = []
        for connection in connections:
            if connection.connected is not None:
                row = []
            elif connection.refused is not None and _is_unauthenticated(connection.refused):
                if not row or connection.refused.at - row[-1].at > AT_ONCE:
                    row.append(connection.refused)
                if len(row) == most + 1:
                    expected = f"{shortened(connection.user, 60)} to stop connecting with a cookie that is refused"
                    yield Breaks(expected, f"{len(row)} refusals as UNAUTHENTICATED in a row", tuple(row))
        if 0 < len(row) <= most:
            last = index.ends.get(connections[0].round, row[-1])
            if last.event == DirectorAct.EXITED or last.at - row[-1].at >= RETRY:
                yield Holds(row[-1])
            else:
                yield Unclear(f"the client was not watched for {RETRY:.0f} s after it was refused")


def _at_once(connections: Sequence[Connection]) -> int:
    """Return how many connections of one cookie were there at the same time; 1 at least.

    Those whose beginning was not seen had been there before; those of which no refusal was seen were accepted.
    """
    there = [c for c in connections if c.connected is not None or c.refused is None]
    changes = [(c.first.number if c.handshake else -1, 1) for c in there]
    changes += [(c.end.number, -1) for c in there if c.end is not None]
    most = open_ = 0
    for _, change in sorted(changes):
        open_ += change
        most = max(most, open_)
    return max(most, 1)


def _is_unauthenticated(packet: TappedPacket | None, *statuses: str) -> bool:
    """Whether a connection was refused so, in a packet, or in an HTTP response of one of these statuses."""
    if packet is None or packet.kind == "response":
        return packet is not None and packet.event in (statuses or ("401", "403"))
    try:
        said: Any = json.loads(packet.text)
    except (ValueError, RecursionError):
        return False
    data = said.get("data") if isinstance(said, dict) else None
    return isinstance(data, dict) and data.get("code") == "UNAUTHENTICATED"
