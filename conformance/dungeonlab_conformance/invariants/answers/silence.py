"""Requests with a callback that were never answered: their connection went on, or was closed each time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import CUTS, Observation, Request
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue

_RULES = ("acks/every-token-operation-answers", "acks/every-other-request-answers")
_OF_RIGHTS = ("authorization/", "join/", "direct/")
_FIRST_THE_ANSWER = "authorization/refusal-precedes-disconnection"
_FEW = 5  # requests of one connection under way at once; acks/many-at-once-are-answered is about more
_TIMES, _TIMERS = 2, 0.9  # how often an answer's time must have passed, and how much of it: a clock may be coarse
_AT_ONCE = 0.1  # seconds within which the connections of several are closed for one reason
_ASTRAY = ("is sent", "is answered again")  # it came elsewhere, or under another number: that has a rule of its own


def unanswered(journal: Journal, patience: float) -> Iterator[tuple[Observation, Found]]:
    """Yield each request of a scene that got no answer and should have.

    Either its connection made a round trip long afterwards, or it was closed, as was each on which this was sent again.
    `patience` is how long an answer may take, in seconds.
    """
    if any(seen.act in _ASTRAY for seen in journal.observations):
        return
    waiting, is_play = _Waiting(journal), any(seen.act == "arranges" for seen in journal.observations)
    for request, seen in waiting.cut_off:
        expected = f"{seen.actor}'s {request.event} to be answered before the connection is closed"
        broken = Broken(expected, f"no answer, and the connection closed, {CUTS} times in a row", request=request)
        rules = (_FIRST_THE_ANSWER,) if _may_be_refused(journal, request) else _RULES
        yield from ((seen, found) for found in _judged(rules, request.event, broken))
    for sent in waiting.left:
        assert sent.request is not None
        if not (is_play or _is_ordinary(sent.request)):
            continue  # a scene of its own is about it
        if waiting.came_back.get(sent.connection, 0.0) >= sent.at + _TIMES * _TIMERS * patience:
            expected = f"an answer to {sent.actor}'s {sent.event}"
            broken = Broken(expected, "none, by the end of the scene", request=sent.request)
            yield from ((sent, found) for found in _judged(_RULES, sent.event, broken))


def _judged(rules: Iterable[str], event: str, broken: Broken) -> Iterator[Found]:
    """Yield what is broken under those of the rules that are judged for an event."""
    return ((rule, event, broken) for rule in rules if Catalogue.load().is_judged_for(rule, event))


def _is_ordinary(request: Request) -> bool:
    """Whether a request is one that nothing is wrong with."""
    return request.legal and request.requirement is None


def _is_harmless(request: Request) -> bool:
    """Whether a request is one over which no server may close the connection, unless it refuses it."""
    return request.legal and not request.is_large


class _Waiting:
    """What one scene's connections waited for.

    `left` is what was sent and not answered, `cut_off` each request upon which one connection after the other was
    closed, with the last of these ends, and `came_back` when each connection sent the last request that was answered.
    """

    def __init__(self, journal: Journal) -> None:
        self.cut_off: list[tuple[Request, Observation]] = []
        self.came_back: dict[int, float] = {}
        self._open: dict[tuple[int, Request], Observation] = {}
        self._under_way: Counter[int] = Counter()
        self._crowded: set[tuple[int, Request]] = set()
        self._cuts: Counter[Request] = Counter()
        self._refused: dict[str | None, float] = {}  # when a user was refused anything, the last time
        self._opened: dict[int, float] = {}
        self._users = journal.rooms.users
        self._ends = [(seen.at, seen.actor) for seen in journal.observations if seen.act == "is closed"]
        for seen in journal.observations:
            self._observe(seen)

    @property
    def left(self) -> list[Observation]:
        """What was sent and not answered, but for what was one of many at the same time."""
        return [sent for key, sent in self._open.items() if key not in self._crowded]

    def _observe(self, seen: Observation) -> None:
        request, connection = seen.request, seen.connection
        match seen.act:
            case "connects":
                self._opened[connection] = seen.at
            case "sends" if request is not None:
                self._open[connection, request] = seen
                self._under_way[connection] += 1
                if self._under_way[connection] > _FEW:
                    self._crowded |= {other for other in self._open if other[0] == connection}
            case "is answered" if request is not None:
                if not Acknowledgement(request, seen.args).accepted:
                    self._refused[self._users.get(connection)] = seen.at
                if (sent := self._open.pop((connection, request), None)) is not None:
                    self._under_way[connection] -= 1
                    self.came_back[connection] = max(sent.at, self.came_back.get(connection, 0.0))
            case "hears" if seen.event == "error":
                self._refused[self._users.get(connection)] = seen.at
            case "is closed":
                self._closed(seen)

    def _closed(self, seen: Observation) -> None:
        """Note what a connection was closed upon: nothing, if there may be another reason than what it asked for."""
        user, opened = self._users.get(seen.connection), self._opened.get(seen.connection, 0.0)
        others = {actor for at, actor in self._ends if abs(at - seen.at) < _AT_ONCE} - {seen.actor}
        if others or self._refused.get(user, -1.0) >= opened:
            return
        for connection, request in self._open:
            if connection == seen.connection and request.event in Catalogue.load() and _is_harmless(request):
                self._cuts[request] += 1
                if self._cuts[request] == CUTS:
                    self.cut_off.append((request, seen))


def _may_be_refused(journal: Journal, request: Request) -> bool:
    """Whether a request is one that its sender may not make: who is refused may be disconnected, after the answer."""
    sent, session = journal.last_sent(request), request.named_session
    if (request.requirement or "").startswith(_OF_RIGHTS):
        return True
    if sent is None:
        return False
    if session is None:  # a profile: another's may be a stranger's
        body = request.args[0] if request.args and isinstance(request.args[0], dict) else {}
        return bool(body.get("userId", sent.user) != sent.user)
    is_in = any(
        stay.connection == sent.connection and stay.session == session and 0 < (stay.acked_at or 0) < sent.at
        for stay in journal.rooms.stays
    )
    joins = "joined" in Catalogue.load()[sent.event].needs
    return sent.user not in journal.rooms.members.get(session, ()) or (joins and not is_in)
