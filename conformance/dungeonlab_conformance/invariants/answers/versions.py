"""Whether broadcasts of a token tell of versions that were acknowledged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from dungeonlab_conformance.invariants.answers.answered import answers
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.invariants.token_state import whole
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, SentRequest
from dungeonlab_conformance.results.errors import Broken

STORED = "tokens/broadcast-equals-stored-state"
_CHANGES = ("token:create", "token:move", "token:update")
_Place = tuple[str, str, str]  # the ids of a session, an encounter and a token, any of which may be another's elsewhere


@dataclass(slots=True)
class _Change:
    """The requests of one event that change one token, and the versions that their answers name.

    It `is_asked_about` if validate-action was, too: what is carried out of that, which is another fault, is newer.
    """

    sent: list[SentRequest] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    is_asked_about: bool = False

    def explains(self, version: int) -> bool:
        """Whether a broadcast may be of that version."""
        return version in self.versions or (self.is_asked_about and version > max(self.versions))


def versions(journals: Iterable[Journal], ledger: Ledger) -> Iterator[tuple[Journal, Observation, Found]]:
    """Yield each broadcast of a version that no answer to a change of the same kind names, if all were answered.

    Which of several changes a broadcast is about is left open. Nothing is asked where changes of a token overlap: a
    server may look it up again before it answers.
    """
    journals = list(journals)
    known = _known(journals)
    for journal in journals:
        for seen in journal.heard():
            if seen.event not in _CHANGES or not seen.args or ledger.attribution(seen) is None:
                continue
            version, token, path = _stated(seen.args[0])
            change = known.get((seen.event, _place(seen.args[0], token)))
            if change and version is not None and not change.explains(version):
                named = " or ".join(map(str, sorted(set(change.versions))))
                expected = f"version {named}, as acknowledged"
                broken = Broken(expected, quoted(version), f"$.{path}", request=change.sent[0])
                yield journal, seen, (STORED, seen.event, broken)


def _known(journals: Iterable[Journal]) -> dict[tuple[str, _Place], _Change]:
    """Return the changes by event and token, where each was answered with its version and none met another.

    Where one was refused, it may be what is broadcast, which is another fault.
    """
    found: dict[tuple[str, _Place], _Change] = {}
    asked: dict[_Place, list[SentRequest]] = {}  # changes by the token that they name
    for journal in journals:
        for sent in journal.requests:
            event, body = _asked(sent)
            if event not in _CHANGES or not (place := _place(body))[-1]:
                continue
            change = found.setdefault((event, place), _Change())
            if event == sent.event:
                change.sent.append(sent)
                asked.setdefault(place, []).append(sent)
            else:
                change.is_asked_about = True
        for each in answers(journal):
            version, token, _ = _stated(each.answer.data)
            if each.sent.event in _CHANGES and each.done and version is not None:
                body = _body(each.sent)
                place = _place(body, "" if "tokenId" in body else token)
                change = found.setdefault((each.sent.event, place), _Change())
                change.versions.append(version)
                if each.sent not in change.sent:
                    change.sent.append(each.sent)
    met = {place for place, changes in asked.items() if _overlap(changes)}
    return {
        (event, place): change
        for (event, place), change in found.items()
        if place[-1] and place not in met and 0 < len(change.sent) == len(change.versions)
    }


def _overlap(changes: list[SentRequest]) -> bool:
    """Whether any two were under way at the same time, or one has never been answered."""
    in_order = sorted(changes, key=lambda sent: sent.at)
    return any(not earlier.answered_at or earlier.answered_at > later.at for earlier, later in pairwise(in_order))


def _asked(sent: SentRequest) -> tuple[object, Mapping[str, object]]:
    """Return the event that a request asks for, or asks about, with its body."""
    body = _body(sent)
    action = body.get("action") if sent.event == "validate-action" else None
    if not isinstance(action, Mapping):
        return sent.event, body
    inner = action.get("payload")
    return action.get("type"), inner if isinstance(inner, Mapping) else {}


def _body(sent: SentRequest) -> Mapping[str, object]:
    body = sent.args[0] if sent.args else None
    return body if isinstance(body, Mapping) else {}


def _place(body: object, token: str = "") -> _Place:
    """Return where a token is, by what a request or a broadcast names, and by its id if that names none."""
    ids = body if isinstance(body, Mapping) else {}
    session, encounter, named = (_text(ids.get(key)) for key in ("sessionId", "encounterId", "tokenId"))
    return session, encounter, token or named


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _stated(body: object) -> tuple[int | None, str, str]:
    """Return the version that an answer or a broadcast states, the token's id, and where the version stands."""
    if not isinstance(body, Mapping):
        return None, "", "version"
    inner = body.get("token")
    holder, path = (inner, "token.version") if isinstance(inner, Mapping) else (body, "version")
    return whole(holder.get("version")), _text(body.get("tokenId", holder.get("id"))), path
