"""Whether each answer belongs to the request under whose number it came, and each number to a request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dungeonlab_conformance.invariants.answers.answered import answers
from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.invariants.shapes import Found
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue, validate

RULE = "acks/answered-under-its-number"


def numbers(journal: Journal) -> Iterator[tuple[Observation, Found]]:
    """Yield each answer that nobody asked for, and each that says what another request of the same user asked for."""
    for seen in journal.observations:
        if seen.act == "is sent":
            yield seen, (RULE, None, Broken("answers to what was asked, and no others", f"{seen.event}: {seen.args}"))
    given = list(answers(journal))
    by_user: dict[tuple[str | None, str], list[SentRequest]] = {}
    for request in journal.requests:
        by_user.setdefault((request.user, request.event), []).append(request)
    for each in given:
        asked, named = _asked(each.sent), _named(each.sent.event, each.answer)
        if not each.done or asked is None or named is None or asked == named:
            continue
        others = by_user[each.sent.user, each.sent.event]
        if any(_asked(other) == named and _at_once(other, each.sent) for other in others):
            broken = Broken(f"an answer about {asked!r}", f"one about {quoted(named)}, which was asked for too")
            yield each.seen, (RULE, None, broken)


def is_anothers(seen: Observation, journal: Journal) -> bool:
    """Whether a further answer to a request is that to another one, which was to have none.

    It says something else than the first, or what it would say if that was of the same event, about the same.
    """
    earlier = [o for o in journal.observations if o.connection == seen.connection and o.number < seen.number]
    first = _first(seen, earlier)
    if first is None:
        return False
    unasked = [o for o in earlier if o.act == "tells" and o.number > first.number]
    if seen.request is None or not same(first.args, seen.args):
        return bool(unasked)
    named = _named(seen.request.event, Acknowledgement(seen.request, seen.args))
    alike = (_asked(o.request) if o.request else None for o in unasked if o.event == seen.event)
    return any(named is None or asked in (None, named) for asked in alike)


def came_before_its_own(seen: Observation, journal: Journal) -> bool:
    """Whether what came first as the answer to a request is that to an earlier one, which was to have none.

    It has the shape of that one's answer, and not that of its own. `seen` is that answer, or one that came after it.
    """
    earlier = [o for o in journal.observations if o.connection == seen.connection and o.number <= seen.number]
    first = _first(seen, earlier)
    if first is None or not first.args or _fits(first.event, first.args):
        return False
    unasked = {o.event for o in earlier if o.act == "tells" and o.number < first.number}
    return any(_fits(event, first.args) for event in unasked)


def _first(seen: Observation, earlier: list[Observation]) -> Observation | None:
    return next((o for o in earlier if o.act == "is answered" and o.request is seen.request), None)


def _fits(event: object, args: tuple[object, ...]) -> bool:
    """Whether something is a success of an event of the catalogue."""
    if not isinstance(event, str) or event not in Catalogue.load() or len(args) != 1:
        return False
    body = args[0]
    return isinstance(body, dict) and body.get("success") is True and not validate(event, body, "ack")


def _at_once(one: SentRequest, other: SentRequest) -> bool:
    """Whether two requests were under way at the same time."""
    first, second = sorted((one, other), key=lambda request: request.at)
    return first is not second and (not first.answered_at or first.answered_at >= second.at)


def _asked(request: Request) -> str | None:
    """Return what an answer to a request has to name, if it has to name anything."""
    body = request.args[0] if request.args and isinstance(request.args[0], dict) else {}
    draft = body.get("token")
    found = {
        "token:create": draft.get("name") if isinstance(draft, dict) else None,
        "token:move": body.get("tokenId"),
        "token:update": body.get("tokenId"),
        "token:delete": body.get("tokenId"),
        "join-session": body.get("sessionId"),
        "leave-session": body.get("sessionId"),
        "get-user-data": body.get("userId"),
    }.get(request.event)
    return found if isinstance(found, str) else None


def _named(event: str, answer: Acknowledgement) -> str | None:
    """Return what an answer to a request of an event names of that."""
    data = answer.data
    token, user = (inner if isinstance(inner, dict) else {} for inner in (data.get("token"), data.get("user")))
    found = {
        "token:create": token.get("name"),
        "token:update": token.get("id"),
        "join-session": data.get("sessionId"),
        "leave-session": data.get("sessionId"),
        "get-user-data": user.get("id"),
    }.get(event, data.get("tokenId"))
    return found if isinstance(found, str) else None
