"""What clients have to bear: refusals, events that are optional, and events that they do not know.

A client is seen to go on by what it sends later on the same connection. It is seen not to go on in two cases: its
program ends with an error, or it hangs up or freezes at something that was done to it on purpose, though it does not do
so by itself when nothing happens. One that is silent and answers pings may have nothing to say: it is not judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from dungeonlab_conformance.client_rules.ends import blamed, is_meant, known_end, what_came
from dungeonlab_conformance.client_rules.index import JOIN, LEAVE, Connection, PacketIndex
from dungeonlab_conformance.client_rules.registry import Breaks, Evidence, Holds, Unclear, rule
from dungeonlab_conformance.client_rules.trials import ARRIVED, DISCONNECTED, PRESENCE, SOON, Trial, all_trials
from dungeonlab_conformance.record.tapped.packet import TappedPacket


@rule(
    "client/survives-an-error-ack",
    to_see="refuse one of the client's requests that has a callback, and let it send something afterwards",
)
def survives_an_error_ack(index: PacketIndex) -> Iterator[Evidence]:
    """After a failure acknowledgement the client sends something again; its program does not end by it.

    That of a join counts for a client that asks for an answer to nothing else.
    """
    yield from _borne(index, "client/survives-an-error-ack")
    requests = [request for connection in index.connections for request in connection.requests]
    if all(request.packet.event in (JOIN, LEAVE) for request in requests if request.packet.ack_id is not None):
        yield from (Holds(sent) for connection in index.connections for sent in _after_a_refused_join(connection))


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
    """After being disconnected the client connects again, or its program goes on; it does not end by it."""
    yield from _borne(index, DISCONNECTED)


def _borne(index: PacketIndex, requirement: str) -> Iterator[Evidence]:
    """Judge one requirement by all trials, since of several that may have ended a program only one is to blame."""
    trials = index.derived(all_trials)
    silent = _silent_at(index, trials) if requirement == PRESENCE else None
    for trial in trials:
        if not silent and trial.requirement == requirement and trial.borne is not None and trial.borne.event != LEAVE:
            yield Holds(trial.borne)
    for trial, end in blamed(index, trials):
        if trial.requirement == requirement:
            expected = f"{trial.connection.who} to go on after {trial.what}"
            yield Breaks(expected, what_came(end), (trial.packet, end))
    if silent is not None:
        yield Unclear(f"the client sent nothing after {silent.what}, and did after others: let it send something then")
    if found := [trial for trial in trials if trial.requirement == requirement]:
        known = next(filter(None, (known_end(index, trial.connection) for trial in found if trial.borne is None)), None)
        why = f"{what_came(known)}, and it is not known by what" if known else "let it send something, a moment later"
        yield Unclear(f"the client sent nothing afterwards: {why}")


def _silent_at(index: PacketIndex, trials: list[Trial]) -> Trial | None:
    """Return a presence event that came on purpose and was borne in no act, where others are; None if there is none.

    Who connected again, other than by hanging up at it, went on.
    """
    found = [trial for trial in trials if trial.requirement == PRESENCE]
    borne = {trial.kind for trial in found if trial.borne is not None or _came_back(trial)}
    return next((t for t in found if borne and t.kind not in borne and is_meant(index, t)), None)


def _came_back(trial: Trial) -> bool:
    end = trial.connection.end
    hung_up = end is not None and end.sender == "client" and end.at - trial.packet.at <= SOON
    return trial.connection.successor is not None and not hung_up


def _after_a_refused_join(connection: Connection) -> Iterator[TappedPacket]:
    """Yield the first request of another kind that a client sent some time after its join was refused."""
    refusals = (r.refusal for r in connection.requests if r.packet.event == JOIN and r.refusal is not None)
    refused = next((refusal for refusal in refusals if refusal.kind == "ack"), None)
    sent = (r.packet for r in connection.requests if r.packet.event not in (JOIN, LEAVE))
    if refused is not None:
        yield from itertools.islice((packet for packet in sent if packet.at - refused.at >= ARRIVED), 1)
