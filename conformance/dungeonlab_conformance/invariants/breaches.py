"""What must hold in every scene: pure functions from observations to the requirements that they break.

An invariant can only convict. A scene of the same requirement shows that there was something to observe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.invariants.answers.lateness import late_broadcasts
from dungeonlab_conformance.invariants.answers.makers import makers
from dungeonlab_conformance.invariants.answers.messages import messages
from dungeonlab_conformance.invariants.answers.numbers import RULE, came_before_its_own, is_anothers, numbers
from dungeonlab_conformance.invariants.answers.silence import unanswered
from dungeonlab_conformance.invariants.answers.times import times
from dungeonlab_conformance.invariants.answers.versions import versions
from dungeonlab_conformance.invariants.content import differences
from dungeonlab_conformance.invariants.deliveries import EACH_TAB, Ledger, missing
from dungeonlab_conformance.invariants.presence import misnamed, misplaced
from dungeonlab_conformance.invariants.refusals import TABS, refusals, said_to_be_invalid
from dungeonlab_conformance.invariants.scene_index import SceneIndex
from dungeonlab_conformance.invariants.shapes import Found, answer_faults, broadcast_faults
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Observation, Request, SentRequest
from dungeonlab_conformance.record.secrets.leaks import Leak, Ours, leaks
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_spec import Catalogue, Event, validate
from dungeonlab_spec.catalogue import is_own_event, resolve

SecretsSent = Mapping[int, Sequence[Leak]]  # by the number of the observation in which they were
_SERVER_EVENTS = "broadcasts/server-events-valid"


@dataclass(frozen=True, slots=True)
class Breach:
    """One observation that breaks one requirement, of one event if the requirement is judged per event.

    `journal` is that of the scene to which it goes back, which need not be the one in which it was seen.
    """

    requirement: str
    event: str | None
    broken: Broken
    seen: Observation
    journal: Journal


def breaches(
    journal: Journal,
    ledger: Ledger,
    catalogue: Catalogue,
    ours: Ours | SecretsSent = Ours(),  # noqa: B008 - it never changes
) -> Iterator[Breach]:
    """Check everything that one scene's connections received.

    `ours` are the secrets that nobody may receive; or those that were sent, where they stand in the record no more.
    """
    scene = SceneIndex(journal)
    for seen in journal.observations:
        found: Iterable[Found] = ()
        attribution = None
        if seen.act == "is answered" and seen.request is not None and seen.request.event in catalogue:
            found = tuple(answer_faults(Acknowledgement(seen.request, seen.args), journal.outcome(seen.request)))
            if found and came_before_its_own(seen, journal):
                found = (_unasked(seen),)
        elif seen.act == "is answered again" and seen.request is not None and seen.request.event in catalogue:
            if is_anothers(seen, journal):
                found = (_unasked(seen),)
            elif not came_before_its_own(seen, journal):
                again = Broken(f"one answer to {seen.request.event}", "another one")
                found = (("acks/exactly-one-answer", seen.request.event, again),)
        elif seen.act == "cannot read":
            found = (("connect/readable-packets", None, Broken("a packet that can be read", f"{seen.args[0]}")),)
        elif seen.act == "hears" and seen.connection:
            attribution = ledger.attribution(seen)
            found = (*_name(seen, scene, catalogue), *_emission(seen, scene, ledger, catalogue))
        request = attribution.request if attribution else seen.request
        for requirement, event, broken in _with_secrets(found, seen, ours):
            broken.request = broken.request or request
            yield Breach(requirement, event, broken, seen, ledger.journal_of(attribution) if attribution else journal)


def _unasked(seen: Observation) -> Found:
    return RULE, None, Broken("no answer where none was asked for", f"{seen.args}")


def absences(journals: Iterable[Journal], ledger: Ledger, patience: float) -> Iterator[Breach]:
    """Check what connections did not receive in a run and should have: deliveries, answers, and the right to act.

    `patience` is how long a delivery may take, in seconds.
    """
    journals = list(journals)
    called_invalid, unseats = said_to_be_invalid(journals), False
    for journal in journals:
        for seen, (requirement, event, broken) in refusals(journal, ledger, called_invalid):
            yield Breach(requirement, event, broken, seen, journal)
            unseats = unseats or requirement == TABS
        for seen, (requirement, event, broken) in unanswered(journal, patience):
            yield Breach(requirement, event, broken, seen, journal)
    for lost in missing(journals, ledger, patience):
        if not (unseats and lost.requirement == EACH_TAB):  # a tab that another has put out of the room is deaf
            yield Breach(lost.requirement, lost.request.event, lost.broken, lost.seen, lost.journal)


def contradictions(journals: Iterable[Journal], ledger: Ledger) -> Iterator[Breach]:
    """Check what answers say, and what is said of tokens, against all else that is known of their requests."""
    journals = list(journals)
    for journal in journals:
        found = (*messages(journal, ledger), *makers(journal, ledger), *numbers(journal))
        for seen, (requirement, event, broken) in found:
            yield Breach(requirement, event, broken, seen, journal)
    across = (*times(journals, ledger), *versions(journals, ledger), *late_broadcasts(journals, ledger))
    for journal, seen, (requirement, event, broken) in across:
        yield Breach(requirement, event, broken, seen, journal)


def secrets_sent(seen: Observation, ours: Ours) -> Iterator[Leak]:
    """Yield each secret in what a server sent, by its path in the first argument."""
    if seen.act in ("hears", "is answered", "is refused") and (seen.connection or seen.event == "a frame"):
        own = is_own_event(seen.event)
        for leak in leaks(_packets(seen), ours, own=own):
            yield Leak(leak.path.replace("$[0]", "$", 1), leak.what)


def _with_secrets(found: Iterable[Found], seen: Observation, ours: Ours | SecretsSent) -> Iterator[Found]:
    """Yield each secret that was sent, and then what else was found; of a secret, only what it is."""
    paths = set()
    for leak in secrets_sent(seen, ours) if isinstance(ours, Ours) else ours.get(seen.number, ()):
        paths.add(leak.path)
        yield _NO_SECRETS, None, Broken("no secret in anything that a server sends", leak.what, leak.path)
    for each in found:
        if each[0] != _NO_SECRETS or each[2].path not in paths:
            yield each


def _packets(seen: Observation) -> tuple[Any, ...]:
    """Return the arguments of an event; what is in a bare frame, if it is JSON that can be read."""
    frame = seen.args[0] if seen.event == "a frame" and seen.args else None
    start = re.search(r"[{\[]", frame) if isinstance(frame, str) else None
    if not isinstance(frame, str) or start is None:
        return seen.args
    try:
        decoded = json.loads(frame[start.start() :])
    except (ValueError, RecursionError):
        return (frame,)
    return tuple(decoded) if isinstance(decoded, list) else (decoded,)


_NO_SECRETS = "direct/no-secrets"


def _name(seen: Observation, scene: SceneIndex, catalogue: Catalogue) -> Iterator[Found]:
    """Judge a name: its grammar, whether the catalogue knows it, and whether it is an answer gone astray.

    That a server answers by events breaks another rule, under whatever name they come.
    """
    if seen.request is not None:
        return
    grammar = resolve(catalogue.name)[0]["pattern"]
    name = seen.event if isinstance(seen.event, str) else quoted(seen.event)  # which is no name, from any server
    event = catalogue.events.get(name)
    if name is not seen.event or not re.fullmatch(grammar, name):
        event = next((known for known in catalogue if _bare(known.name) == _bare(name)), None)
        yield "names/kebab-case", None, Broken("a kebab-case event name", name)
    if event is not None and event.emission is not None:
        return
    asked = scene.who_was_answered(seen) if event is not None and event.scope == "direct" else {seen.connection}
    if len(asked) > 1 and seen.connection in asked:
        return  # its own answer, or that of a connection that was answered the same: nothing says which
    if event is not None and asked != {seen.connection}:
        expected = f"the answer to {event.name} to reach the connection that asked"
        yield "rooms/direct-answers-stay-direct", event.name, Broken(expected, f"{seen.actor} heard it too")
        return
    if event is None and is_own_event(name):
        return
    expected = "only events that the catalogue says a server sends"
    yield "broadcasts/catalogue-events-only", None, Broken(expected, name)


def _bare(name: str) -> str:
    """Return a name without what separates its words, so that the same words are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _emission(seen: Observation, scene: SceneIndex, ledger: Ledger, catalogue: Catalogue) -> Iterator[Found]:
    event = catalogue.events.get(seen.event) if isinstance(seen.event, str) else None
    if event is None or event.emission is None:
        return
    if event.is_broadcast:
        yield from _broadcast(event, seen, ledger)
        return
    if len(seen.args) != 1:
        yield _SERVER_EVENTS, None, Broken("one argument", f"{len(seen.args)}: {seen.args}")
        return
    faults = validate(event.name, seen.args[0], "emission")
    for found in faults:
        yield _SERVER_EVENTS, None, Broken(found.expected, found.got, found.path)
    if ledger.follows_an_invalid_request(seen):
        return
    wrongly = list(misplaced(seen, ledger.attendance, scene))
    for broken in wrongly:
        rule = ledger.late_listener_rule(seen, seen.args[0])
        yield rule or "presence/right-audience", None, broken
    let_in = seen.event == "user-joined" and ledger.lets_the_refused_in
    if not faults and not wrongly and not let_in and (untrue := misnamed(seen, ledger.attendance, scene)):
        yield "presence/true-user", None, untrue


def _broadcast(event: Event, seen: Observation, ledger: Ledger) -> Iterator[Found]:
    if ledger.follows_an_invalid_request(seen):
        return
    attribution = ledger.attribution(seen)
    yield from broadcast_faults(event, seen.args, attribution.request if attribution else None)
    body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
    if attribution is None:
        if ledger.is_own(body.get("sessionId")):
            expected = f"every {seen.event} to be caused by a request"
            yield "broadcasts/caused-by-a-request", seen.event, Broken(expected, quoted(body))
        return
    cause = attribution.request
    if cause.legal and cause.outcome != "refused":
        yield from _content(cause, seen, body, cause.requirement if seen.event not in ledger.garbled_events else None)
    if (blamed_for := ledger.blame(attribution)) is not None:
        requirement, broken = blamed_for
        yield requirement, _event(requirement, seen), broken


def _content(cause: SentRequest, seen: Observation, body: Mapping[str, Any], judged: str | None) -> Iterator[Found]:
    for key, requirement, true in (
        ("userId", "broadcasts/true-sender", cause.user),
        ("sessionId", "broadcasts/true-session", cause.session),
    ):
        if key not in body or true is None:
            continue
        if body[key] != true and not (key == "sessionId" and cause.named_session == body[key]):
            believed = key == "userId" and _claims(cause, body[key])
            blamed = "auth/identity-comes-from-the-cookie" if believed else requirement
            yield blamed, seen.event, Broken(f"{true!r}", quoted(body[key]), f"$.{key}")
    if cause.outcome == "accepted":
        judged = judged or "broadcasts/says-what-was-done"
        for path, asked, came in differences(cause, seen):
            yield judged, _event(judged, seen), Broken(asked, came, path)


def _event(requirement: str, seen: Observation) -> str | None:
    return None if Catalogue.load().requirements[requirement].each is None else seen.event


def _claims(cause: Request, user: object) -> bool:
    """Whether a request says of itself that it is somebody's."""
    asked = cause.args[0] if cause.args else None
    return isinstance(user, str) and isinstance(asked, dict) and user in asked.values()
