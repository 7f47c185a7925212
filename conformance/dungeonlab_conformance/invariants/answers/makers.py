"""Whether a token has an id of its own, and names truly where it is, who created it, and who changed it last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dungeonlab_conformance.invariants.answers.answered import answers
from dungeonlab_conformance.invariants.deliveries import Ledger
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Observation, SentRequest
from dungeonlab_conformance.results.errors import Broken

TRUE = "tokens/true-creator"
_LASTS = "tokens/only-deletion-ends-it"
_EXACT = "tokens/content-comes-back-exactly"
_CHANGES = ("token:move", "token:update")
_Place = tuple[str, str, str]  # the ids of a session, an encounter and a token, any of which may be another's elsewhere


def makers(journal: Journal, ledger: Ledger) -> Iterator[tuple[Observation, Found]]:
    """Yield each token of a scene, in an answer or a broadcast, that names somebody or some place else than is true.

    And each whose id is that of another token, which is still there.

    Who made it is known if its creation was acknowledged to this scene. Where a request was accepted that names a token
    of another encounter, that is the fault, and not that the answer says where the token is.
    """
    yield from ((seen, (_LASTS, None, broken)) for seen, broken in given_twice(journal))
    said = [(each.seen, each.sent, each.answer.data, "$.data.token") for each in answers(journal) if each.done]
    creators: dict[_Place, str | None] = {}
    for _, sent, data, _ in said:
        if sent.event == "token:create" and isinstance(made := _token(data).get("id"), str):
            place = *_place(sent)[:2], made  # ids of tokens may be those of one encounter
            creators[place] = sent.user if creators.get(place, sent.user) == sent.user else None  # two have that id
    for seen in journal.heard():
        attribution = ledger.attribution(seen)
        if attribution and attribution.request.legal and attribution.request.outcome == "accepted" and seen.args:
            said.append((seen, attribution.request, seen.args[0], "$.token"))
    changes: dict[_Place, list[SentRequest]] = {}
    for request in journal.requests:
        if request.event == "token:delete" and request.outcome != "refused":
            creators.pop(_place(request), None)  # its id may be given to the token of somebody else
        if request.event in _CHANGES and request.outcome != "refused":
            changes.setdefault(_place(request), []).append(request)
    for seen, sent, body, path in said:
        token = _token(body)
        encounter, said_there = _place(sent)[1], _text(token.get("encounterId"))
        named = (*_place(sent)[:2], _text(token.get("id")))
        is_there = named not in creators and any(place[1:] == (said_there, named[2]) for place in creators)
        if sent.legal and encounter in journal.rooms.encounters and said_there not in ("", encounter) and not is_there:
            expected = f"{quoted(encounter)}, as in the request"
            yield seen, (_EXACT, None, Broken(expected, quoted(said_there), f"{path}.encounterId"))
        creator = sent.user if sent.event == "token:create" else creators.get(named)
        if creator is not None:
            yield from _compared(seen, sent, token, ("createdBy", path), {creator})
        if sent.event in _CHANGES and "updatedBy" in token:
            changers = {*_changers(changes, sent, seen), _text(body.get("userId") if isinstance(body, dict) else None)}
            yield from _compared(seen, sent, token, ("updatedBy", path), changers - {""})


def given_twice(journal: Journal) -> Iterator[tuple[Observation, Broken]]:
    """Yield each creation that was answered with the id of a token that had been created before, and not deleted.

    A deletion that was asked for counts, answered or not. Two drafts of the same mark do not count, nor does an answer
    that is about another draft.
    """
    there: dict[_Place, SentRequest] = {}
    ends = [request for request in journal.requests if request.event == "token:delete"][::-1]
    for each in answers(journal):
        if each.sent.event != "token:create" or not each.done:
            continue
        while ends and ends[-1].at <= each.seen.at:
            there.pop(_place(ends.pop()), None)
        made = _token(each.answer.data).get("id")
        if not isinstance(made, str) or each.sent.mark is None or not contains(each.answer.args, each.sent.mark):
            continue
        if made in _claims(each.sent):
            continue  # it has the id of which its draft spoke, in a property that is none of a draft's
        place = (*_place(each.sent)[:2], made)
        before = there.setdefault(place, each.sent)
        if before.mark != each.sent.mark:
            expected = "an id that no other token of the encounter has"
            yield each.seen, Broken(expected, quoted(made), "$.data.token.id", request=each.sent)


def _compared(
    seen: Observation, sent: SentRequest, token: dict[str, Any], where: tuple[str, str], true: set[str | None]
) -> Iterator[tuple[Observation, Found]]:
    key, path = where
    named = token.get(key)
    if isinstance(named, str) and named not in true and named not in _claims(sent):
        expected = " or ".join(sorted(f"{user!r}" for user in true))
        yield seen, (TRUE, None, Broken(expected, quoted(named), f"{path}.{key}"))


def _changers(changes: Mapping[_Place, Iterable[SentRequest]], sent: SentRequest, seen: Observation) -> set[str | None]:
    """Return whose changes of a token may have been the last by the time of an observation: several at once may be."""
    return {
        other.user
        for other in changes.get(_place(sent), ())
        if other.at <= seen.at and (other is sent or not other.answered_at or other.answered_at >= sent.at)
    } | {sent.user}


def _place(request: SentRequest) -> _Place:
    session, encounter, token = (_asked(request, key) for key in ("sessionId", "encounterId", "tokenId"))
    return session, encounter, token


def _asked(request: SentRequest, key: str) -> str:
    body = request.args[0] if request.args else None
    return _text(body.get(key)) if isinstance(body, dict) else ""


def _claims(request: SentRequest) -> set[object]:
    """Return all that a request says of itself: a server that believes it breaks another rule."""
    ahead: list[object] = list(request.args)
    found: set[object] = set()
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            ahead.extend(value.values())
        elif isinstance(value, str):
            found.add(value)
    return found


def _token(body: object) -> dict[str, Any]:
    token = body.get("token") if isinstance(body, dict) else None
    return token if isinstance(token, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
