"""Requests without a callback: what is refused causes an error event to its sender alone, what is accepted none.

A server may die of a request without a callback, so these scenes come last.
"""

import contextlib
from collections.abc import Callable, Collection

from dungeonlab_conformance.checks.acks import one_who_may
from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.payloads.refused import for_something_unknown, malformed, unknown_id
from dungeonlab_conformance.record.arguments import Arguments, quoted
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Event

_AT_ONCE = 20  # requests that are refused, sent without waiting in between


@check("acks/failure-without-callback-emits-error", phase="last")
async def a_failure_without_callback_causes_an_error_event(stage: Stage, event: Event) -> None:
    """Alice asks for what does not exist and is refused; without a callback, she is sent an error event instead.

    So it is after each other reason to refuse: a malformed request, twice in a row, an encounter or a token that does
    not exist, and one of her tabs that has not joined.
    """
    alice = await one_who_may(stage, event)
    request = for_something_unknown(event, await stage.request(event))
    if (await alice.try_send(request)).accepted:
        raise Unjudged("what no server may accept was accepted")
    await _must_cause_an_error_event(alice, request)
    for _ in range(2):
        await _must_cause_an_error_event(alice, malformed(event))
    for key in ("encounterId", "tokenId"):
        valid = await stage.request(event)
        if key in valid.args[0]:
            await _must_cause_an_error_event(alice, valid.with_properties({key: unknown_id(key[:-2])}, mark=None))
    if "joined" in event.needs:
        await _must_cause_an_error_event(await stage.other_tab(alice), await stage.request(event))


async def _must_cause_an_error_event(actor: Actor, request: Request) -> None:
    """Send a request without a callback that is refused with one; where it is not, another requirement is broken."""
    if (answer := await actor.try_send(request)).accepted:
        return
    error = await _error_event_after(actor, request)
    if error is None and actor.closed:  # a server may disconnect a user whom it refused, even a moment later
        error = await _error_event_after(actor, request)
    if error is None and actor.closed:
        raise Gone(f"{actor.name}'s connection was closed")
    if error is None:
        how = f"with {answer.code}" if answer.code else "where it has a callback"
        raise Broken(f"an error event after a {request.event} that is refused {how}", "nothing")
    body = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    if body.get("event", request.event) != request.event:
        raise Broken(f"the error to name {request.event}", quoted(body.get("event")), "$.event")


async def _error_event_after(actor: Actor, request: Request) -> Observation | None:
    await actor.fence()  # a server may send an error event besides the answer; that one is not meant
    before = actor.journal.observations[-1].number
    await actor.send_without_callback(request)
    return await actor.try_observe_fenced(_is_error_after(before))


@check("acks/failure-without-callback-emits-error", event="chat-message", phase="last")
async def an_error_event_reaches_every_transport(stage: Stage, event: Event) -> None:
    """Alice, in the room over another transport, is refused without a callback, and sent an error event there too."""
    alice = await stage.joined("alice")
    try:
        tabs = await joined_tabs(stage, alice, stage.target.other_transports(stage.target.transport))
    except Unjudged:
        return  # why nobody joins there is another requirement's matter
    for tab in tabs:
        await _must_cause_an_error_event(tab, malformed(event))


@check("acks/failure-without-callback-emits-error", event="chat-message", phase="last", floods=True)
async def each_of_many_failures_causes_an_error_event(stage: Stage, event: Event) -> None:
    """Alice is refused many times without a callback and sent as many error events, those over a rate limit too.

    A server may disconnect whom it refuses; then there is nothing more to come.
    """
    alice = await stage.joined("alice")
    if (await alice.try_send(malformed(event))).accepted:
        return
    await alice.fence()
    start, connection = stage.journal.observations[-1].number, alice.connection
    for _ in range(_AT_ONCE):
        await alice.send_without_callback(malformed(event))
    for sent in range(_AT_ONCE):
        error = await alice.try_observe_fenced(_is_error_after(start))
        if error is None and (alice.closed or alice.connection != connection):
            return
        if error is None:
            raise Broken(f"{_AT_ONCE} error events after as many requests that are refused", f"{sent} of them")
        start = error.number


@check("acks/error-event-reaches-only-the-sender", phase="last")
async def an_error_event_reaches_only_its_sender(stage: Stage, event: Event) -> None:
    """Alice sends a malformed request and is sent an error event; bob, the game master and her other tab get none.

    Nor are they when a tab of hers that has not joined is refused, nor is a tab of mallory's when mallory is.
    """
    bob, alice = await stage.joined("bob"), await one_who_may(stage, event)
    tab = await stage.other_tab(alice)
    await tab.join(stage.session)
    others = [bob, tab]
    with contextlib.suppress(Missing, Unjudged):
        others.append(await stage.joined("gamemaster"))
    await alice.send_without_callback(malformed(event))
    if await alice.try_observe(_is_error) is None:
        silence = VerdictKey("acks/failure-without-callback-emits-error", event.name)
        raise Unjudged("no error event was sent at all", waits_for=silence)
    await alice.try_send(malformed(event))
    await _must_be_sent_no_error(stage, alice, *others)
    if "joined" in event.needs:
        unseated = await stage.other_tab(alice)
        await unseated.send_without_callback(await stage.request(event))
        await unseated.fence()
        await _must_be_sent_no_error(stage, alice, *others)
    if "membership" in event.needs:
        mallory = await stage.connected("mallory")
        other = await stage.other_tab(mallory)
        await mallory.send_without_callback(await stage.request(event))
        await mallory.fence()
        await _must_be_sent_no_error(stage, mallory, other)


async def _must_be_sent_no_error(stage: Stage, refused: Actor, *others: Actor) -> None:
    """Insist that others have been sent no error event by now; none of them has been refused."""
    for other in others:
        await other.fence()
        errors = [o for o in stage.journal.heard(other.connection) if _is_error(o)]
        if errors:
            raise Broken(f"{other.name} to be sent nothing about {refused.name}'s error", errors[0])


@check("acks/success-without-callback-is-silent", phase="last")
async def a_success_without_callback_is_silent(stage: Stage, event: Event) -> None:
    """Alice's request succeeds with and without a callback; without one, she is sent neither an error nor an answer."""
    alice, bob = await stage.joined("alice", "bob")
    await alice.send(witness := await stage.request(event))
    if event.is_broadcast:
        await bob.hear(witness)
    if event.name == "leave-session":
        await alice.join(stage.session)
    request = await stage.request(event)
    before = stage.journal.observations[-1].number
    await alice.send_without_callback(request)
    if event.is_broadcast:
        try:
            await bob.must_hear(request)
        except Broken:
            await _need_two_in_a_row_to_be_heard(stage, event, alice, bob)
            raise
    await alice.fence()
    sent = [o for o in stage.journal.observations if o.connection == alice.connection and o.number > before]
    answered = [o.args for o in alice.journal.observations if o.act == "is answered" and o.number <= before]
    answers = [o for o in sent if _is_error(o) or (_is_answer(o, event) and not _is_repeated(o, event, answered))]
    if answers:
        raise Broken("alice to be sent nothing", f"{answers[0].event} {answers[0].args}")


async def _need_two_in_a_row_to_be_heard(stage: Stage, event: Event, alice: Actor, bob: Actor) -> None:
    """Raise `Unjudged` where bob misses the second of two that want an answer, too: then it is not for want of one."""
    pair = [await stage.request(event) for _ in range(2)]
    for request in pair:
        await alice.send(request)
    for request in pair:
        await bob.hear(request)


def _is_repeated(seen: Observation, event: Event, answered: Collection[Arguments]) -> bool:
    """Whether this says once more what an earlier request was answered; two of one kind may be answered alike."""
    tells_them_apart = seen.event != event.name or event.is_broadcast
    return seen.act == "is answered again" and tells_them_apart and seen.args in answered


def _is_answer(seen: Observation, event: Event) -> bool:
    """Whether this is an acknowledgement that nobody asked for, or an event that is one by another name."""
    if seen.act != "hears":
        return seen.act in ("is sent", "is answered again")
    named = seen.event == event.name and event.emission is None
    return named or (bool(seen.args) and isinstance(seen.args[0], dict) and "success" in seen.args[0])


def _is_error_after(number: int) -> Callable[[Observation], bool]:
    return lambda seen: _is_error(seen) and seen.number > number


def _is_error(seen: Observation) -> bool:
    return seen.act == "hears" and seen.event == "error"
