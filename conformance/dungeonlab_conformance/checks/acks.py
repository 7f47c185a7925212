"""Acknowledgements: each request with a callback has one, of the documented shape, with the code that names the cause.

Most of these scenes send what is refused. A server may die of that, so they come last.
"""

import asyncio
import contextlib
import time
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
from dungeonlab_conformance.record.marks import contains, may_be_repeated
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue, Event

MANY = 300  # requests at once: above any limit meant for people, well below a flood
FEW = 40  # the least of them, for a server that takes its time for each
LAST = 15  # of each kind of those that would have an effect, which come last
PATIENCE = 5  # times in a row that one user may wait in vain as long as an answer may take, while another is answered


async def one_who_may(stage: Stage, event: Event) -> Actor:
    """Return alice: connected if the event is how one joins, joined otherwise."""
    actor: Actor = await (stage.connected if event.name == "join-session" else stage.joined)("alice")
    return actor


@check("acks/success-shape")
async def an_accepted_request_is_answered_in_shape(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the answer says success and holds the documented data."""
    alice = await one_who_may(stage, event)
    answer = await _answer_of_any_shape(alice, await stage.request(event))
    if not answer.readable:
        raise Broken("one success envelope", answer)
    if not answer.accepted:
        raise Unjudged(f"alice's {event.name} was refused: {answer.args}", waits_for=not_accepted(answer))
    _must_be_in_shape("acks/success-shape", answer)


@check("acks/failure-shape", phase="last")
async def a_refused_request_is_answered_in_shape(stage: Stage, event: Event) -> None:
    """Alice asks for what does not exist, and sends text as a payload; each refusal has the documented shape."""
    alice = await one_who_may(stage, event)
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
    alice = await one_who_may(stage, event)
    if stage.target.workarounds.never_answers(event.name):
        await _answer_of_any_shape(alice, malformed(event))
    else:
        await _must_be_answered(alice, malformed(event))


async def _each_valid_one_must_be_answered(stage: Stage, event: Event) -> None:
    mallory, alice = await stage.connected("mallory"), await one_who_may(stage, event)
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
    many = await as_many_as_it_has_time_for(alice)
    asked = [asyncio.create_task(mallory.try_send_once(profile_request())) for _ in range(many)]
    if not any(await asyncio.gather(*asked)):
        raise Unjudged("none was answered in time")
    so_far = silent = 0
    while not await _catches_up(mallory, many):
        if mallory.closed:
            raise Gone("mallory's connection was closed")
        silent = silent + 1 if _answered(mallory) == so_far else 1
        so_far = _answered(mallory)
        if await alice.try_send_once(profile_request()) is None:
            raise Unjudged("the server could not keep up")
        if silent == PATIENCE:
            expected = f"all {many} requests to be answered"
            raise Broken(expected, f"{many - so_far} were not, while alice's were")


async def as_many_as_it_has_time_for(actor: Actor) -> int:
    """Return how many requests a server can answer in half a scene, one after the other; within bounds."""
    began = time.monotonic()
    await actor.fence()
    each = time.monotonic() - began
    return max(FEW, min(MANY, int(actor.target.limits.scene / 2 / each)))


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


async def _catches_up(actor: Actor, many: int) -> bool:
    """Whether all answers come in the end. A slow server has time as long as it sends some; a silent one has not."""
    so_far = 0

    def another(seen: Observation) -> bool:
        return seen.act == "is answered" and _answered(actor) > so_far

    while (so_far := _answered(actor)) < many:
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
    alice = await one_who_may(stage, event)
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
        try:
            await _if_refused_must_name("PERMISSION_DENIED", bob, request)
        except Broken:
            if not (await bob.try_join(stage.session)).accepted:  # who is admitted still is taken for a member
                raise


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
        yield absent, (request := await stage.request(event)), {"NOT_JOINED"}
        if stage.journal.outcome(request) == "refused":
            async for wrong in _about_something_unknown(stage, event):
                yield absent, wrong, {"NOT_JOINED"}
    if "SESSION_NOT_FOUND" in event.refusals:
        nowhere = unknown_id("session")  # which no other scene has tried to open
        request = (await stage.request(event)).with_properties({"sessionId": nowhere})
        yield alice, request, {"SESSION_NOT_FOUND"} | hidden
        if (shapeless := await _misshapen(stage, event, alice)) is not None:
            yield alice, shapeless.with_properties({"sessionId": unknown_id("session")}), {"VALIDATION_ERROR"}
    if "encounter" in event.needs:
        request = (await stage.request(event, fresh=True)).with_properties({"encounterId": unknown_id("encounter")})
        yield alice, request, {"ENCOUNTER_NOT_FOUND"} | hidden
    if "token" in event.needs:
        request = (await stage.request(event)).with_properties({"tokenId": unknown_id("token")}, mark=None)
        yield alice, request, {"TOKEN_NOT_FOUND"} | hidden
        delete = await stage.request(Catalogue.load()["token:delete"])
        gone = (await stage.request(event)).with_properties({"tokenId": delete.args[0]["tokenId"]}, mark=None)
        if (await alice.try_send(delete, expected=True)).accepted:
            foreign = {"ENCOUNTER_NOT_FOUND", *hidden}  # as it may be if another session has a token of that id
            yield alice, gone, {"TOKEN_NOT_FOUND"} | (foreign if may_be_repeated(delete.args[0]["tokenId"]) else set())


async def _about_something_unknown(stage: Stage, event: Event) -> AsyncIterator[Request]:
    """Yield requests about an encounter and about a token that is not there, if the event names any."""
    for key in ("encounterId", "tokenId"):
        request = await stage.request(event)
        if key in request.args[0]:
            unknown = {key: unknown_id(key.removesuffix("Id"))}  # another one each time: it may be deleted nonetheless
            yield request.with_properties(unknown, mark=None)


async def _two_causes(stage: Stage, event: Event, alice: Actor) -> AsyncIterator[tuple[Request, set[str]]]:
    """Yield what somebody who is no member sends that is wrong besides; the first objection decides the code."""
    async for wrong in _about_something_unknown(stage, event):
        yield wrong, {"PERMISSION_DENIED"}
    if (misshapen := await _misshapen(stage, event, alice)) is not None:
        yield misshapen, {"VALIDATION_ERROR"}


async def _misshapen(stage: Stage, event: Event, alice: Actor) -> Request | None:
    """Return a request of the wrong shape that names what there is, if it is refused for its shape; else None."""
    request = await stage.request(event)
    key = next((key for key in request.args[0] if not key.endswith("Id")), None)
    if key is None:
        return None
    wrong = request.with_properties({key: 5}, mark=None, legal=False)
    return replace(wrong) if (await alice.try_send(wrong)).code == "VALIDATION_ERROR" else None
