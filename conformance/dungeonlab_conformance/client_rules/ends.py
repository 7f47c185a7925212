"""What ended a client: its program ended with an error, or it hung up or froze at something that was done on purpose.

One that also does so by itself when nothing happens is not blamed. Of several things that may have done it, one is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from dungeonlab_conformance.client_rules.index import LEAVE, Connection, PacketIndex
from dungeonlab_conformance.client_rules.trials import ARRIVED, DISCONNECTED, PRESENCE, SOON, Trial, asks, was_ordered
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_conformance.text.system import how_ended

_UPON = 0.5  # seconds after what it heard in which a program ends that ends by it
_ENDING = 2.0  # seconds that it may take to end, on a busy machine, while it is still sent something
_CRASHED = 5.0  # seconds in which a program ends that does not bear something
_LONGEST = 3600.0 * 24  # seconds for which a client may be frozen
_TRYING = (DirectorAct.CUT, DirectorAct.AWAY, DirectorAct.BACK, DirectorAct.REMOVE, DirectorAct.LOG_OUT)
_Suspects = tuple[TappedPacket, list[Trial]]  # the end of a client, and what may have caused it
_MEANT: dict[str, DirectorAct] = {  # by which act something is done on purpose
    "client/ignores-unknown-events": DirectorAct.UNKNOWN_EVENT,
    "client/tolerates-an-error-event": DirectorAct.ERROR_EVENT,
    "client/survives-an-error-ack": DirectorAct.REFUSE,
    DISCONNECTED: DirectorAct.DISCONNECT,
    PRESENCE: DirectorAct.PRESENCE,
}
# What may end a program once, though it bore another such thing before.
_EACH = _MEANT.keys() - {DISCONNECTED, PRESENCE}
_NOTHING = {
    DirectorAct.BEGIN,
    DirectorAct.EXITED,
    DirectorAct.FROZE,
    DirectorAct.STOPPED,
}  # acts that do nothing to a client
_REASONS = ("PERMISSION_DENIED", "SESSION_NOT_FOUND", "NOT_JOINED")  # to go: one is no member, or not in the room


def blamed(index: PacketIndex, trials: list[Trial]) -> Iterator[tuple[Trial, TappedPacket]]:
    """Yield for each end the trial to blame: none that is borne elsewhere, and rather one that does it by itself."""
    ends = [*_crashes(index, trials), *_hang_ups(index, trials), *_freezes(index, trials)]
    borne = {trial.kind for trial in trials if trial.borne is not None}
    suspects = [(end, [t for t in found if t.kind not in borne] or found) for end, found in ends]
    guilty = {found[0].kind for _, found in suspects if len({t.kind for t in found}) == 1}
    for end, found in suspects:
        if found:
            yield min(found, key=lambda trial: (trial.kind not in guilty, trial.rank)), end


def is_meant(index: PacketIndex, trial: Trial) -> bool:
    """Whether what a client has to bear was done on purpose, in the act in which it came."""
    return _MEANT.get(trial.requirement) in index.acts_by_round.get(trial.connection.round, ())


def known_end(index: PacketIndex, connection: Connection) -> TappedPacket | None:
    """Return where a program froze or ended by itself, or hung up before it was ended from outside; None if neither."""
    froze, ended, end = index.freezes.get(connection.round), index.exits.get(connection.round), connection.end
    if froze is not None or ended is None or ended.event == DirectorAct.EXITED:
        return froze or ended
    return end if end is not None and end.sender == "client" and end.number < ended.number else None


def what_came(end: TappedPacket) -> str:
    """Return what a client did in place of going on."""
    if end.event == DirectorAct.EXITED:
        return f"its program {how_ended(shortened(end.text, 20))}"
    if end.event == DirectorAct.FROZE:
        return f"its program froze: for {shortened(end.text, 20)} s it has sent nothing, and answered no ping"
    return "it hung up"


def _crashes(index: PacketIndex, trials: list[Trial]) -> Iterator[_Suspects]:
    """Yield what may have ended each program that ended with an error: what was not borne, and came shortly before.

    Somebody comes or goes all the time: that ends nothing which was seen to bear it, or has heard something else since,
    or ends as well when it hears something that no requirement is about.
    """
    open_ = _by_round(trials)
    harmless = {trial.kind for trial in trials if trial.borne is not None and trial.requirement not in _EACH}
    trying = [act.number for act in index.acts if act.event in _TRYING]
    found: list[tuple[int, TappedPacket, list[Trial]]] = []
    for round_, crash in index.exits.items():
        if _is_crash(crash):
            place = bisect_left(trying, crash.number)
            since = trying[place - 1] if place else -1
            near = [t for t in open_.get(round_, ()) if since < t.packet.number < crash.number]
            near = [t for t in near if crash.at - t.packet.at <= _CRASHED and t.kind not in harmless]
            found.append((round_, crash, [t for t in near if t.requirement != PRESENCE or not _may_end_by_more(t)]))
    heard = _last_heard(index)
    also_by_others = any(not near and _ends_by(heard.get(crash_round), crash) for crash_round, crash, near in found)
    for _, crash, near in found:
        yield crash, [t for t in near if not also_by_others or not (t.requirement == PRESENCE or _heard_others(t))]


def _may_end_by_more(trial: Trial) -> bool:
    """Whether a client heard something else some time later, or what others do right before or after.

    By that it may as well have ended.
    """
    heard = (p for p in reversed(trial.connection.packets) if p.sender == "server" and p.kind in ("event", "ack"))
    return _heard_others(trial, before=_UPON) or next(heard).at - trial.packet.at > _ENDING


def _heard_others(trial: Trial, *, before: float = 0.0) -> bool:
    """Whether a client heard what others do after something, or some seconds before that."""
    packets = trial.connection.packets
    began = bisect_left(packets, trial.packet.at - before, key=lambda packet: packet.at)
    return any(p.kind == "event" and p.sender == "server" and asks(p) is None for p in packets[began:])


def _last_heard(index: PacketIndex) -> dict[int, TappedPacket]:
    """Return the last event that a server sent to clients, by round."""
    found: dict[int, TappedPacket] = {}
    for connection in index.connections:
        heard = (p for p in reversed(connection.packets) if p.sender == "server" and p.kind == "event")
        if (last := next(heard, None)) is not None:
            found[connection.round] = max(last, found.get(connection.round, last), key=lambda packet: packet.number)
    return found


def _ends_by(heard: TappedPacket | None, crash: TappedPacket) -> bool:
    return heard is not None and 0 <= crash.at - heard.at <= _UPON


def _hang_ups(index: PacketIndex, trials: list[Trial]) -> Iterator[_Suspects]:
    """Yield what may have made a client hang up for good: only what was done on purpose, and is no reason to go.

    Nobody knows of one that also ends by itself when nothing happens to it whether it just was done, nor of one that
    was there for longer than it was ever seen to stay.
    """
    there: dict[int, list[Connection]] = {}
    for connection in index.connections:
        there.setdefault(connection.round, []).append(connection)
    stays = [_stay(found, index.exits.get(number)) for number, found in there.items()]
    if any(_goes_by_itself(index, found[-1]) for found in there.values()):
        return
    for round_, found in _by_round(trials).items():
        end = _hang_up(index, there[round_], index.exits.get(round_))
        if end is not None and end.at - _came(there[round_]) <= max(stays, default=0.0):
            near = [t for t in found if 0 <= end.at - t.packet.at <= SOON]
            near = [t for t in near if t.connection is there[round_][-1] or not _was_cut(t.connection, end)]
            meant = [t for t in near if is_meant(index, t)]
            meant = [t for t in meant if not _went_on(t)]
            yield end, [t for t in meant if not _is_reason_to_go(t)]


def _hang_up(index: PacketIndex, connections: list[Connection], ended: TappedPacket | None) -> TappedPacket | None:
    """Return where a client ended its last connection by itself, or its program ended well, which ends that, too.

    None if it did not. To end a connection that was refused is not to hang up. One that was disconnected on purpose has
    no connection to end, only its program.
    """
    last = connections[-1]
    if last.connected is None or ended is None or _is_crash(ended):
        return None
    if last.end is None or last.end.number > ended.number:
        return ended if ended.event == DirectorAct.EXITED else None
    if any(c.end is None or c.end.number > last.end.number for c in connections):
        return None
    if last.end.sender == "client":
        return last.end
    return ended if ended.event == DirectorAct.EXITED and was_ordered(index, last.end) else None


def _was_cut(connection: Connection, before: TappedPacket) -> bool:
    """Whether a connection had ended by no doing of its client before something was seen."""
    return connection.was_cut and connection.end is not None and connection.end.number < before.number


def _freezes(index: PacketIndex, trials: list[Trial]) -> Iterator[_Suspects]:
    """Yield what may have frozen a client: only what was done on purpose, when it was last seen to be alive.

    Nobody knows of one that also freezes when nothing happens to it, or was not seen to be alive then.
    """
    acts = index.acts_by_round
    calm = [number for number in acts if number and not acts[number] - _NOTHING]
    if not calm or any(DirectorAct.FROZE in acts[n] or DirectorAct.STOPPED not in acts[n] for n in calm):
        return
    for number, open_ in _by_round(trials).items():
        if (froze := index.freezes.get(number)) is None:
            continue
        alive = froze.at - _seconds(froze.text)
        meant = [t for t in open_ if is_meant(index, t) or _is_taken_out(t, acts[number])]
        yield froze, [t for t in meant if alive - ARRIVED < t.packet.at <= froze.at]


def _is_taken_out(trial: Trial, acts: set[str]) -> bool:
    """Whether a client was removed on purpose, and knows it: a reason to go, but none to freeze."""
    return DirectorAct.REMOVE in acts and trial.packet.event == "session-removed"


def _seconds(text: str) -> float:
    """Return the seconds that a note names; none if it names no time."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < _LONGEST else 0.0


def _is_crash(ended: TappedPacket) -> bool:
    return ended.event == DirectorAct.EXITED and ended.text != "0"


def _stay(connections: list[Connection], stopped: TappedPacket | None) -> float:
    """Return for how many seconds a client was there until its program was ended from outside; 0 if it was not."""
    if stopped is None or stopped.event != DirectorAct.STOPPED:
        return 0.0
    there = (c for c in connections if c.connected is not None and (c.end is None or c.end.number > stopped.number))
    return stopped.at - _came(connections) if any(there) else 0.0


def _came(connections: list[Connection]) -> float:
    """Return when the first of a client's connections was made; for ever ago if none was."""
    return min((c.connected.at for c in connections if c.connected is not None), default=-_LONGEST)


def _goes_by_itself(index: PacketIndex, connection: Connection) -> bool:
    """Whether a client ended its last connection, or its program, by itself where nothing was done to it.

    One that leaves the session first has a reason.
    """
    ended = index.exits.get(connection.round)
    if index.acts_by_round.get(connection.round, set()) - _NOTHING:
        return False
    if any(request.packet.event == LEAVE for request in connection.requests):
        return False
    if ended is not None and ended.event == DirectorAct.EXITED:
        return True
    end = connection.end
    return end is not None and end.sender == "client" and (ended is None or end.number < ended.number)


def _went_on(trial: Trial) -> bool:
    """Whether a client did something of its own before it hung up: it left, or one request waited for another's answer.

    What comes so is no longer under way from before, however short the time.
    """
    if any(request.packet.event == LEAVE for request in trial.connection.requests):
        return True
    sent = [request for request in trial.connection.requests if request.packet.number > trial.packet.number]
    answers = [request.answer.number for request in sent if request.answer is not None]
    return any(request.packet.number > min(answers, default=10**12) for request in sent)


def _is_reason_to_go(trial: Trial) -> bool:
    """Whether a refusal says that the client is no member, or not in the room: this, or one that it was ended for."""
    requests = trial.connection.requests if trial.requirement == DISCONNECTED else ()
    before = [r.code for r in requests if r.refusal is not None and r.refusal.number < trial.packet.number]
    return any(code in trial.packet.text or code in before for code in _REASONS)


def _by_round(trials: list[Trial]) -> dict[int, list[Trial]]:
    """Return the trials that were not borne, by round."""
    found: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.borne is None:
            found.setdefault(trial.connection.round, []).append(trial)
    return found
