"""What clients have to bear: refusals, events that are optional, and such as they do not know.

That a client goes on is seen by what it sends later on the same connection. That it does not is seen only where the
end of its program is noted: one that is silent may have nothing to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from dungeonlab_conformance.client_rules.index import Connection, PacketIndex
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_spec import Catalogue

ARRIVED = 0.2  # seconds after which something has reached its client
CRASHED = 5.0  # seconds in which a program ends that does not bear something
_DISCONNECTED = 2.0  # seconds after a refusal in which a disconnection belongs to it
_TRYING = (DirectorAct.CUT, DirectorAct.AWAY, DirectorAct.BACK, DirectorAct.REMOVE, DirectorAct.LOG_OUT)


@dataclass(frozen=True, slots=True)
class Trial:
    """Something that a client has to bear, by the requirement that says so, and whether it was seen to go on.

    Of several that may have ended a program, that of the lowest `rank` is the likeliest.
    """

    requirement: str
    rank: int
    what: str
    packet: TappedPacket
    connection: Connection
    borne: TappedPacket | None


_KINDS = {  # by requirement: the rank, and how a message names it
    "client/ignores-unknown-events": (0, "an event that it does not know"),
    "client/tolerates-being-disconnected": (1, "being disconnected after a refusal"),
    "client/tolerates-an-error-event": (2, "an error event"),
    "client/survives-an-error-ack": (3, "a failure acknowledgement"),
    "client/tolerates-presence-events": (4, "a presence event"),
}


@rule(
    "client/survives-an-error-ack", to_see="refuse one of the client's requests, and let it send something afterwards"
)
def survives_an_error_ack(index: PacketIndex) -> Iterator[Evidence]:
    """After a failure acknowledgement the client sends something again; its program does not end by it."""
    yield from _borne(index, "client/survives-an-error-ack")


@rule(
    "client/tolerates-an-error-event",
    to_see="send the client an error event beside a refusal, and let it send something afterwards",
)
def tolerates_an_error_event(index: PacketIndex) -> Iterator[Evidence]:
    """After an error event the client sends something again; its program does not end by it."""
    yield from _borne(index, "client/tolerates-an-error-event")


@rule(
    "client/tolerates-presence-events",
    to_see="let somebody else join or leave the session of the client, and let it send something afterwards",
)
def tolerates_presence_events(index: PacketIndex) -> Iterator[Evidence]:
    """After a presence event the client sends something again; its program does not end by it."""
    yield from _borne(index, "client/tolerates-presence-events")


@rule(
    "client/ignores-unknown-events",
    to_see="send the client an event that no client knows, and let it send something afterwards",
)
def ignores_unknown_events(index: PacketIndex) -> Iterator[Evidence]:
    """After an event that the catalogue lacks the client sends something again; its program does not end by it."""
    yield from _borne(index, "client/ignores-unknown-events")


@rule(
    "client/tolerates-being-disconnected",
    to_see="disconnect the client after a refusal, and see whether it connects again, or its program goes on",
)
def tolerates_being_disconnected(index: PacketIndex) -> Iterator[Evidence]:
    """After being disconnected the client connects again, or its program goes on; it does not crash."""
    yield from _borne(index, "client/tolerates-being-disconnected")


def _borne(index: PacketIndex, requirement: str) -> Iterator[Evidence]:
    """Judge one requirement by all trials, since of several that may have ended a program only one is to blame."""
    trials = index.derived(_all_trials)
    for trial in trials:
        if trial.requirement == requirement and trial.borne is not None:
            yield Holds(trial.borne)
    for trial, crash in _blamed(index, trials):
        if trial.requirement == requirement:
            expected = f"{trial.connection.who} to go on after {trial.what}"
            yield Breaks(expected, f"its program ended with {shortened(crash.text, 20)}", (trial.packet, crash))
    if any(trial.requirement == requirement for trial in trials):
        yield Unclear("the client sent nothing afterwards: let it send something, a moment later")


def _all_trials(index: PacketIndex) -> list[Trial]:
    return [trial for connection in index.connections for trial in _trials(index, connection)]


def _trials(index: PacketIndex, connection: Connection) -> Iterator[Trial]:
    """Yield the first trial of each kind that was borne, and the last one that was not."""
    found: dict[str, list[TappedPacket]] = {}
    for packet in connection.packets:
        if (requirement := _asks(packet)) is not None:
            found.setdefault(requirement, []).append(packet)
    answers = (request.refusal for request in connection.requests if request.refusal is not None)
    failures = [packet for packet in answers if packet.kind == "ack"]
    found["client/survives-an-error-ack"] = failures
    sent = connection.requests[-1].packet if connection.requests else None
    for requirement, packets in found.items():
        for packet in dict.fromkeys((*packets[:1], *packets[-1:])):
            borne = sent if sent is not None and sent.at - packet.at >= ARRIVED else None
            yield Trial(requirement, *_KINDS[requirement], packet, connection, borne)
    yield from _disconnection(index, connection, failures)


def _disconnection(index: PacketIndex, connection: Connection, failures: list[TappedPacket]) -> Iterator[Trial]:
    end = connection.end
    if end is None or end.sender != "server" or not failures or not 0 <= end.at - failures[-1].at <= _DISCONNECTED:
        return
    ended = index.exits.get(connection.round)
    went_on = ended if ended is not None and (ended.event == DirectorAct.STOPPED or ended.text == "0") else None
    borne = connection.successor.first if connection.successor is not None else went_on
    requirement = "client/tolerates-being-disconnected"
    yield Trial(requirement, *_KINDS[requirement], end, connection, borne)


def _asks(packet: TappedPacket) -> str | None:
    """Return the requirement that an event of a server puts to the test, if any."""
    if packet.kind != "event" or packet.sender != "server":
        return None
    row = Catalogue.load().events.get(packet.event)
    if row is None:
        return "client/ignores-unknown-events"
    if packet.event == "error":
        return "client/tolerates-an-error-event"
    return "client/tolerates-presence-events" if row.optional and row.scope == "session" else None


def _blamed(index: PacketIndex, trials: list[Trial]) -> Iterator[tuple[Trial, TappedPacket]]:
    """Yield for each crash the trial to blame: none that is borne elsewhere, and rather one that crashes by itself."""
    borne = {trial.requirement for trial in trials if trial.borne is not None}
    open_: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.borne is None:
            open_.setdefault(trial.connection.round, []).append(trial)
    trying = [act.number for act in index.acts if act.event in _TRYING]
    suspects: list[tuple[TappedPacket, list[Trial]]] = []
    for round_, crash in index.exits.items():
        if crash.event == DirectorAct.EXITED and crash.text != "0":
            place = bisect_left(trying, crash.number)
            since = trying[place - 1] if place else -1
            near = [t for t in open_.get(round_, ()) if since < t.packet.number < crash.number]
            near = [t for t in near if crash.at - t.packet.at <= CRASHED]
            suspects.append((crash, [t for t in near if t.requirement not in borne] or near))
    guilty = {found[0].requirement for _, found in suspects if len({t.requirement for t in found}) == 1}
    for crash, found in suspects:
        ranked = sorted(found, key=lambda trial: (trial.requirement not in guilty, trial.rank))
        if ranked:
            yield ranked[0], crash
