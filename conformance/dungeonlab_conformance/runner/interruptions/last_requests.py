"""What was under way when the server went away: the last requests of each connection. Pure functions over journals."""

from __future__ import annotations

from dungeonlab_conformance.record.arguments import body, name
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import SentRequest

_SHOWN = 6  # requests that a sentence names
_LONGEST = 160  # characters of a payload in it


def under_way(journal: Journal, ended: float) -> list[SentRequest]:
    """Return what of a scene was sent and not dealt with at a moment, as far as can be seen; the earliest first.

    A request without a callback has been dealt with when its connection heard anything after it.
    """
    uncalled = {(seen.connection, seen.at) for seen in journal.observations if seen.act == "tells"}
    heard = {o.connection: o.at for o in journal.observations if o.at <= ended and o.act in ("hears", "is answered")}
    found = []
    for sent in journal.requests:
        answered = 0 < sent.answered_at <= ended
        done = heard.get(sent.connection, 0.0) > sent.at if (sent.connection, sent.at) in uncalled else answered
        if sent.at <= ended and not done:
            found.append(sent)
    gone = {seen.connection for seen in journal.observations if seen.act == "disconnects" and seen.at <= ended}
    return [sent for sent in found if sent.connection not in gone]


def last_requests(journal: Journal, ended: float) -> list[SentRequest]:
    """Return what was under way at a moment, and then what each other connection sent last before it."""
    first = under_way(journal, ended)
    latest = {sent.connection: sent for sent in journal.requests if sent.at <= ended}
    busy = {sent.connection for sent in first}
    others = [sent for sent in latest.values() if sent.connection not in busy]
    return first + sorted(others, key=lambda sent: -sent.at)


def last_words(journal: Journal, ended: float) -> str:
    """Name what was sent last before a moment, by connection, in one line; "" if nothing was."""
    waiting = {sent.number for sent in under_way(journal, ended)}
    requests = last_requests(journal, ended)
    said = [f"{described(sent, ended)} ({'not ' * (sent.number in waiting)}answered)" for sent in requests[:_SHOWN]]
    if len(requests) > _SHOWN:
        said.append(f"and {len(requests) - _SHOWN} more")
    return "; ".join(said)


def described(sent: SentRequest, ended: float) -> str:
    """Name a request, and how long it was sent before a moment."""
    payload = body(sent.args, longest=_LONGEST)[0] or "without an argument"
    return f"{sent.actor}'s {name(sent.event)} {payload}, {max(0.0, ended - sent.at) * 1000:.0f} ms before"
