"""Acknowledgements: each request has one, of the documented shape, or an error event where there is no callback.

Most of these scenes send what is refused, or ask for no callback. A server may die of that, so they come last.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, Unreadable, not_accepted
from dungeonlab_conformance.invariants.shapes import answer_faults
from dungeonlab_conformance.payloads.refused import for_something_unknown, malformed, unknown_id
from dungeonlab_conformance.payloads.requests import profile_request
from dungeonlab_conformance.record.acknowledgement import CODES, Acknowledgement
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue, Event

MANY = 300  # requests at once: above any limit meant for people, well below a flood
LAST = 15  # of each kind of those that would have an effect, which come last
PATIENCE = 5  # times in a row that one user may wait in vain as long as an answer may take, while another is answered


async def _one_who_may(stage: Stage, event: Event) -> Actor:
    """Return alice: connected if the event is how one joins, joined otherwise."""
    actor: Actor = await (stage.connected if event.name == "join-session" else stage.joined)("alice")
    return actor


@check("acks/success-shape")
async def an_accepted_request_is_answered_in_shape(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the answer says success and holds the documented data."""
    alice = await _one_who_may(stage, event)
    answer = await _answer_of_any_shape(alice, await stage.request(event))
    if not answer.readable:
        raise Broken("one success envelope", answer)
    if not answer.accepted:
        raise Unjudged(f"alice's {event.name} was refused: {answer.args}", waits_for=not_accepted(answer))
    _must_be_in_shape("acks/success-shape", answer)


@check("acks/failure-shape", phase="last")
async def a_refused_request_is_answered_in_shape(stage: Stage, event: Event) -> None:
    """Alice asks for what does not exist, and sends text as a payload; each refusal has the documented shape."""
    alice = await _one_who_may(stage, event)
    for request in (for_something_unknown(event, await stage.request(event)), malformed(event)):
        answer = await _answer_of_any_shape(alice, request)
        if not answer.readable:
            raise Broken("one failure envelope", answer)
        if answer.accepted:
            raise Unjudged("what no server may accept was accepted")
        if answer.body.get("success") is not False:
            raise Broken("success to be false", answer, "$.success")
        _must_be_in_shape("acks/failure-shape", answer)


async def _answer_of_any_shape(actor: Actor, request: Request, *, hurried: bool = True) -> Acknowledgement:
    try:
        return await actor.try_get_answer(
            request, hurried=hurried and actor.target.workarounds.never_answers(request.event)
        )
    except Unreadable as odd:
        return odd.came


def _must_be_in_shape(requirement: str, answer: Acknowledgement) -> None:
    for found, _, broken in answer_faults(answer):
        if found == requirement:
            broken.seen, broken.request = answer, answer.request
            raise broken


@check("acks/every-token-operation-answers")
async def every_token_operation_is_answered(stage: Stage, event: Event) -> None:
    """Alice and mallory, who may not, each send a valid request; each is answered."""
    await _each_valid_one_must_be_answered(stage, event)


@check("acks/every-other-request-answers")
async def every_other_request_is_answered(stage: Stage, event: Event) -> None:
    """Alice and mallory, who may not, each send a valid request; each is answered."""
    await _each_valid_one_must_be_answered(stage, event)


@check("acks/every-token-operation-answers", phase="last")
async def every_malformed_token_operation_is_answered(stage: Stage, event: Event) -> None:
    """Alice sends a malformed request; it is answered."""
    await _malformed_must_be_answered(stage, event)


@check("acks/every-other-request-answers", phase="last")
async def every_other_malformed_request_is_answered(stage: Stage, event: Event) -> None:
    """Alice sends a malformed request; it is answered."""
    await _malformed_must_be_answered(stage, event)


async def _malformed_must_be_answered(stage: Stage, event: Event) -> None:
    """Send a malformed request; where valid ones get no answer either, they are what shows that."""
    alice = await _one_who_may(stage, event)
    if stage.target.workarounds.never_answers(event.name):
        await _answer_of_any_shape(alice, malformed(event))
    else:
        await _must_be_answered(alice, malformed(event))


async def _each_valid_one_must_be_answered(stage: Stage, event: Event) -> None:
    mallory, alice = await stage.connected("mallory"), await _one_who_may(stage, event)
    right, foreign = await stage.request(event), await stage.request(event, fresh=True)
    await _must_be_answered(mallory, foreign)
    await _must_be_answered(alice, right)


async def _must_be_answered(actor: Actor, request: Request) -> None:
    try:
        await _answer_of_any_shape(actor, request, hurried=False)
    except Unanswered as none:
        raise Broken(f"{actor.name}'s {request.event} to be answered", str(none), request=request) from None


@check("acks/many-at-once-are-answered", destructive=1, floods=True)
async def many_at_once_are_answered(stage: Stage) -> None:
    """Mallory asks for her profile many times without waiting; each is answered, even when it is one too many."""
    mallory, alice = await stage.connected("mallory", "alice")
    asked = [asyncio.create_task(mallory.try_send_once(profile_request())) for _ in range(MANY)]
    if not any(await asyncio.gather(*asked)):
        raise Unjudged("none was answered in time")
    so_far = silent = 0
    while not await _catches_up(mallory):
        if mallory.closed:
            raise Gone("mallory's connection was closed")
        silent = silent + 1 if _answered(mallory) == so_far else 1
        so_far = _answered(mallory)
        if await alice.try_send_once(profile_request()) is None:
            raise Unjudged("the server could not keep up")
        if silent == PATIENCE:
            expected = f"all {MANY} requests to be answered"
            raise Broken(expected, f"{MANY - so_far} were not, while alice's were")


@check("acks/limited-has-no-effect", destructive=1, floods=True)
async def a_limited_request_has_no_effect(stage: Stage) -> None:
    """Bob asks for more at once than people do; of what is answered RATE_LIMITED, alice hears nothing.

    Nor does it move the token. A server that limits nothing keeps this.
    """
    alice, bob = await stage.joined("alice", "bob")
    acts = [await stage.request(Catalogue.load()[name]) for name in ("token:move", "chat-message") for _ in range(LAST)]
    many = [*(profile_request() for _ in range(MANY - len(acts))), *acts]
    answers = await asyncio.gather(*map(bob.try_send_once, many))
    limited = [
        request
        for request, answer in zip(many, answers, strict=True)
        if answer is not None and Acknowledgement(request, answer).limited
    ]
    if not limited:
        return
    await alice.fence()
    for request in limited:
        if found := alice.deliveries_of(request):
            expected = f"alice to hear nothing of bob's {request.event}, which was limited"
            raise Broken(expected, found[0], request=request)
    await _must_not_have_moved(stage, alice, [request for request in limited if request.event == "token:move"])


async def _must_not_have_moved(stage: Stage, alice: Actor, moves: list[Request]) -> None:
    """Look where a token is; somebody whom the server limits too by now cannot."""
    look = await stage.request(Catalogue.load()["token:update"])
    answer = await alice.try_send_once(look)
    token = Acknowledgement(look, answer).data.get("token") if answer is not None else None
    for move in moves:
        if move.mark is not None and contains(token, move.mark):
            raise Broken("the token not to be moved by what was limited", quoted(token), request=move)


def _answered(actor: Actor) -> int:
    return sum(o.act == "is answered" and o.connection == actor.connection for o in actor.journal.observations)


async def _catches_up(actor: Actor) -> bool:
    """Whether all answers come in the end. A slow server has time as long as it sends some; a silent one has not."""
    so_far = 0

    def another(seen: Observation) -> bool:
        return seen.act == "is answered" and _answered(actor) > so_far

    while (so_far := _answered(actor)) < MANY:
        if await actor.try_observe(another) is None:
            return False
    return True


@check("acks/exactly-one-answer", phase="last", observe_after=True)
async def a_request_is_answered_once(stage: Stage, event: Event) -> None:
    """Alice sends a valid and a malformed request; each is answered by one frame, and by no other later."""
    alice = await stage.raw("alice")
    if event.name != "join-session":
        await alice.try_join(stage.session)
    for request in (await stage.request(event), malformed(event)):
        expected = await alice.emit(request)
        await alice.receive_answer(expected, request)
        with contextlib.suppress(Gone):  # who was refused may be disconnected; then nothing more can come
            await alice.fence(profile_request())
        if (count := alice.count(expected)) != 1:
            raise Broken(f"one answer to {event.name}", f"{count} frames")


@check("acks/answered-under-its-number")
async def answers_go_where_they_were_asked_for(stage: Stage) -> None:
    """Alice's two tabs, and bob, ask for much at once; each has its own answers, and is sent no other.

    That an answer is to what was asked under its number is an invariant.
    """
    alice, bob = await stage.joined("alice", "bob")
    tab = await stage.other_tab(alice)
    await tab.join(stage.session)
    create = Catalogue.load()["token:create"]
    made = [(actor, await stage.request(create)) for actor in (alice, tab, bob) * 3]
    asked = [*made, *((actor, profile_request(actor.user)) for actor in (alice, tab, bob))]
    await stage.judge_all(asyncio.gather(*(actor.try_get_answer(request, hurried=True) for actor, request in asked)))
    for actor in (alice, tab, bob):
        await actor.fence()


@check("acks/code-names-the-cause", phase="last")
async def the_code_names_the_cause(stage: Stage, event: Event) -> None:
    """Each cause of refusal that the catalogue lists, and a malformed request, is refused with its own code.

    That a member has not joined is a cause that a server should know, and need not.
    """
    alice = await _one_who_may(stage, event)
    accepted = []
    async for actor, request, codes in _causes(stage, event, alice):
        answer = await actor.try_send(request)
        if answer.accepted and codes == {"NOT_JOINED"}:
            continue
        if answer.accepted:
            accepted.append(codes)
        else:
            _must_name(codes, answer, event)
    if "joined" in event.needs:
        await _who_has_been_inside_must_hear_the_cause(stage, event)
    if accepted:
        raise Unjudged(f"{len(accepted)} of the requests that no server may accept were accepted")


def _must_name(codes: set[str], answer: Acknowledgement, event: Event) -> None:
    if answer.code not in CODES:
        shape = VerdictKey("acks/failure-shape", event.name)
        raise Unjudged(f"a refusal without one of the documented codes: {answer.shown}", waits_for=shape)
    if answer.code not in codes:
        raise Broken(" or ".join(sorted(codes)), f"{answer.code!r}", "$.code")


async def _who_has_been_inside_must_hear_the_cause(stage: Stage, event: Event) -> None:
    """Bob joins and leaves, and has not joined; he joins again, his membership is revoked, and he is no member.

    Nor is he in a room then; but what comes first decides the code.
    """
    with contextlib.suppress(Unjudged):  # a server may close the connections of somebody who is removed
        bob = await stage.joined("bob")
        if (await bob.try_send(Request.naming("leave-session", stage.session), expected=True)).accepted:
            await _if_refused_must_name("NOT_JOINED", bob, await stage.request(event))
            await bob.join(stage.session)
        request = await stage.request(event)
        await stage.revoke(bob)
        await _if_refused_must_name("PERMISSION_DENIED", bob, request)


async def _if_refused_must_name(code: str, actor: Actor, request: Request) -> None:
    answer = await actor.try_send(request)
    if not answer.accepted:  # that it must be is another requirement's matter
        _must_name({code}, answer, Catalogue.load()[request.event])


async def _causes(stage: Stage, event: Event, alice: Actor) -> AsyncIterator[tuple[Actor, Request, set[str]]]:
    """Yield who sends what, for each cause of refusal, with the codes that name it."""
    yield alice, malformed(event), {"VALIDATION_ERROR"}
    hidden = {"PERMISSION_DENIED"}  # a server need not confirm that something foreign exists
    if "PERMISSION_DENIED" in event.refusals:
        mallory = await stage.connected("mallory")
        request = await stage.request(event, fresh=True)
        if event.name == "get-user-data":
            request = request.with_properties({"userId": alice.user})
        yield mallory, request, {"PERMISSION_DENIED"}
        if stage.journal.outcome(request) == "refused" and "membership" in event.needs:
            async for wrong, codes in _two_causes(stage, event, alice):
                yield mallory, wrong, codes
        elif stage.journal.outcome(request) == "refused":
            nobody = Request(event.name, ({"userId": unknown_id("user")},), None, None)
            yield mallory, nobody, {"PERMISSION_DENIED"}  # whether or not there is such a user
    if "joined" in event.needs:
        absent = await stage.connected("bob")
        yield absent, await stage.request(event), {"NOT_JOINED"}
    if "SESSION_NOT_FOUND" in event.refusals:
        nowhere = unknown_id("session")  # which no other scene has tried to open
        request = (await stage.request(event)).with_properties({"sessionId": nowhere})
        yield alice, request, {"SESSION_NOT_FOUND"} | hidden
    if "encounter" in event.needs:
        request = (await stage.request(event, fresh=True)).with_properties({"encounterId": unknown_id("encounter")})
        yield alice, request, {"ENCOUNTER_NOT_FOUND"} | hidden
    if "token" in event.needs:
        request = (await stage.request(event)).with_properties({"tokenId": unknown_id("token")}, mark=None)
        yield alice, request, {"TOKEN_NOT_FOUND"} | hidden
        delete = await stage.request(Catalogue.load()["token:delete"])
        gone = (await stage.request(event)).with_properties({"tokenId": delete.args[0]["tokenId"]}, mark=None)
        if (await alice.try_send(delete, expected=True)).accepted:
            yield alice, gone, {"TOKEN_NOT_FOUND"}


async def _two_causes(stage: Stage, event: Event, alice: Actor) -> AsyncIterator[tuple[Request, set[str]]]:
    """Yield what somebody who is no member sends that is wrong besides; the first objection decides the code."""
    for key in ("encounterId", "tokenId"):
        request = await stage.request(event)
        if key in request.args[0]:
            unknown = {key: unknown_id(key.removesuffix("Id"))}  # another one each time: it may be deleted nonetheless
            yield request.with_properties(unknown, mark=None), {"PERMISSION_DENIED"}
    request = await stage.request(event)
    misshapen = next((key for key, value in request.args[0].items() if not key.endswith("Id")), None)
    if misshapen is not None:
        wrong = request.with_properties({misshapen: 5}, mark=None, legal=False)
        if (await alice.try_send(wrong)).code == "VALIDATION_ERROR":
            yield replace(wrong), {"VALIDATION_ERROR"}


@check("acks/failure-without-callback-emits-error", phase="last")
async def a_failure_without_callback_causes_an_error_event(stage: Stage, event: Event) -> None:
    """Alice asks for what does not exist and is refused; without a callback, she is sent an error event instead.

    So it is after each other reason to refuse: a malformed request, an encounter or a token that does not exist, and
    one of her tabs that has not joined.
    """
    alice = await _one_who_may(stage, event)
    request = for_something_unknown(event, await stage.request(event))
    if (await alice.try_send(request)).accepted:
        raise Unjudged("what no server may accept was accepted")
    await _must_cause_an_error_event(alice, request)
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
    return await actor.try_observe_fenced(lambda seen: _is_error(seen) and seen.number > before)


@check("acks/error-event-reaches-only-the-sender", phase="last")
async def an_error_event_reaches_only_its_sender(stage: Stage, event: Event) -> None:
    """Alice sends a malformed request and is sent an error event; bob and her other tab are sent none."""
    bob, alice = await stage.joined("bob"), await _one_who_may(stage, event)
    tab = await stage.other_tab(alice)
    await tab.join(stage.session)
    await alice.send_without_callback(malformed(event))
    if await alice.try_observe(_is_error) is None:
        silence = VerdictKey("acks/failure-without-callback-emits-error", event.name)
        raise Unjudged("no error event was sent at all", waits_for=silence)
    await alice.try_send(malformed(event))
    for other in (bob, tab):
        await other.fence()
        errors = [o for o in stage.journal.heard(other.connection) if _is_error(o)]
        if errors:
            raise Broken(f"{other.name} to be sent nothing about alice's error", errors[0])


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
        await bob.must_hear(request)
    await alice.fence()
    sent = [o for o in stage.journal.observations if o.connection == alice.connection and o.number > before]
    answers = [o for o in sent if _is_error(o) or _is_answer(o, event)]
    if answers:
        raise Broken("alice to be sent nothing", f"{answers[0].event} {answers[0].args}")


def _is_answer(seen: Observation, event: Event) -> bool:
    """Whether this is an acknowledgement that nobody asked for, or an event that is one by another name."""
    if seen.act != "hears":
        return seen.act in ("is sent", "is answered again")
    named = seen.event == event.name and event.emission is None
    return named or (bool(seen.args) and isinstance(seen.args[0], dict) and "success" in seen.args[0])


def _is_error(seen: Observation) -> bool:
    return seen.act == "hears" and seen.event == "error"
