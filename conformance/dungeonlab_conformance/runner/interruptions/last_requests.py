"""What was under way when the server went away: the last requests of each connection. Pure functions over journals."""

from __future__ import annotations

from dungeonlab_conformance.record.arguments import body, name
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import SentRequest

_SHOWN = 6  # requests that a sentence names
_LONGEST = 160  # characters of a payload in it
_BARE = 0  # the connection of bare frames, whose answers are no observations


def under_way(journal: Journal, ended: float) -> list[SentRequest]:
    """Return what of a scene was sent and not dealt with at a moment, as far as can be seen; the earliest first.

    A request without a callback has been dealt with when its connection heard anything after it. Of what was sent in
    bare frames, that is the last.
    """
    seen = [each for each in journal.observations if each.at <= ended]
    asked = [each.request for each in seen if each.act == "is answered" and each.request is not None]
    answered = {last.number for request in asked if (last := journal.last_sent(request)) is not None}
    heard = {each.connection: each.at for each in seen if each.act in ("hears", "is answered")}
    gone = {each.connection for each in seen if each.act == "disconnects"} | {_BARE}
    uncalled = _uncalled(journal)
    sent = [each for each in journal.requests if each.at <= ended]
    bare = [each for each in sent if each.connection == _BARE][-1:]
    return bare + [
        each
        for each in sent
        if each.connection not in gone
        and each.number not in answered
        and not ((each.connection, each.at) in uncalled and heard.get(each.connection, 0.0) > each.at)
    ]


def last_requests(journal: Journal, ended: float) -> list[SentRequest]:
    """Return what was under way at a moment, and then what each other connection sent last before it."""
    first = under_way(journal, ended)
    latest = {sent.connection: sent for sent in journal.requests if sent.at <= ended}
    busy = {sent.connection for sent in first}
    others = [sent for sent in latest.values() if sent.connection not in busy]
    return first + sorted(others, key=lambda sent: -sent.at)


def suspects(journal: Journal, ended: float) -> list[SentRequest]:
    """Return what the server may have died of at a moment: what was under way, or else what was sent last.

    If something invalid was under way whose connection was answered nothing that it asked later, it was that.
    """
    found = under_way(journal, ended) or last_requests(journal, ended)[:1]
    answered = [each for each in journal.observations if each.act == "is answered" and each.at <= ended]
    last = {each.connection: journal.last_sent(each.request) for each in answered if each.request is not None}
    odd = [each for each in found if not each.legal]
    return [each for each in odd if not (later := last.get(each.connection)) or later.at <= each.at] or found


def is_uncalled(journal: Journal, sent: SentRequest) -> bool:
    """Whether a request was sent without a callback."""
    return (sent.connection, sent.at) in _uncalled(journal)


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


def _uncalled(journal: Journal) -> set[tuple[int, float]]:
    return {(seen.connection, seen.at) for seen in journal.observations if seen.act == "tells"}
