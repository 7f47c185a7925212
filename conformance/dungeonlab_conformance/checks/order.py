"""The order in which requests take effect and broadcasts arrive."""

import asyncio
from collections.abc import Sequence

from dungeonlab_conformance.checks.chat import LONGEST
from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_accepted
from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.acknowledgement import UNKNOWN_TOKEN
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import acknowledged_version
from dungeonlab_conformance.stage.traffic import chat, everything
from dungeonlab_spec import Catalogue, Event

FEW = 4  # requests that are waited for, or alternate with others
BURST = 20  # requests sent without waiting for an answer in between


@check("order/one-sender-in-order", phase="last")
async def one_senders_broadcasts_arrive_in_order(stage: Stage, event: Event) -> None:
    """Alice sends requests without waiting for answers; bob hears their broadcasts in the order sent.

    So he does when she moves a token after each, and so does his other tab, over the other transport; and when the
    messages are as long as they may be.
    """
    alice, bob = await stage.joined("alice", "bob")
    await _must_arrive_in_order(stage, alice, [bob], [await _one_of(stage, event, n) for n in range(BURST)])
    move = Catalogue.load()["token:move"]
    if event is not move:
        tabs = await joined_tabs(stage, bob, stage.target.other_transports(stage.target.transport))
        mixed = [await _one_of(stage, each, n) for n in range(FEW) for each in (event, move)]
        await _must_arrive_in_order(stage, alice, [bob, *tabs], mixed)
    if event.name == "chat-message":
        large = [_at_full_length(await chat(stage)) for _ in range(FEW)]
        mixed = [each for request in large for each in (request, await stage.request(move))]
        await _must_arrive_in_order(stage, alice, [bob], mixed)


async def _one_of(stage: Stage, event: Event, number: int) -> Request:
    """Return the smallest request, or each second time one with all that it may hold, which may take another way."""
    return await stage.request(event, full=True if number % 2 else None)


def _at_full_length(message: Request) -> Request:
    return message.with_properties({"message": message.args[0]["message"].ljust(LONGEST, "o")})


async def _must_arrive_in_order(stage: Stage, alice: Actor, listeners: Sequence[Actor], burst: list[Request]) -> None:
    starts = [len(stage.journal.heard(each.connection)) for each in listeners]
    await asyncio.gather(*(alice.send(request) for request in burst))
    for listener, start in zip(listeners, starts, strict=True):
        await _must_have_arrived_in_order(stage, listener, start, burst)


async def _must_have_arrived_in_order(stage: Stage, bob: Actor, start: int, burst: list[Request]) -> None:
    for request in burst:
        await bob.hear(request)
    heard = {seen.number: place for place, seen in enumerate(stage.journal.heard(bob.connection)[start:])}
    places = [
        next(heard[seen.number] for seen in bob.deliveries_of(request) if seen.number in heard) for request in burst
    ]
    if places != sorted(places):
        wrong = next(i for i in range(1, len(burst)) if places[i] < places[i - 1])
        names = " and ".join(dict.fromkeys(request.event for request in burst))
        expected = f"{bob.name} to hear alice's {len(burst)} {names} in the order sent"
        raise Broken(expected, f"number {wrong + 1} before number {wrong}")


@check("order/broadcast-before-acknowledgement")
async def a_broadcast_comes_before_its_acknowledgement(stage: Stage, event: Event) -> None:
    """Alice sends the request a few times, one after the other, and one of everything; bob hears each.

    How long after its acknowledgement each was heard is compared over the whole run.
    """
    alice, bob = await stage.joined("alice", "bob")
    await stage.judge_all(_one_after_the_other(stage, event, alice, bob))


async def _one_after_the_other(stage: Stage, event: Event, alice: Actor, bob: Actor) -> None:
    for _ in range(FEW):
        request = await stage.request(event)
        await alice.send(request)
        await bob.hear(request)
    await everything(stage, alice, bob)


@check("order/answers-in-order")
async def one_senders_requests_take_effect_in_order(stage: Stage) -> None:
    """Alice changes a token many times without waiting, and deletes it last; all take effect in the order sent.

    So does what bob sends, who joins and speaks without waiting in between.
    """
    alice = await stage.joined("alice")
    changes = [Catalogue.load()[name] for name in ("token:move", "token:update")]
    last = await stage.request(Catalogue.load()["token:delete"])
    own = {"tokenId": last.args[0]["tokenId"]}
    burst = [(await stage.request(changes[i % 2])).with_properties(own) for i in range(BURST)]
    answers = await asyncio.gather(*(alice.try_send(request) for request in (*burst, last)))
    versions = [version for answer in answers[:-1] if (version := acknowledged_version(answer)) is not None]
    if not answers[-1].accepted:
        raise Unjudged(f"the deletion was refused: {answers[-1].shown}", waits_for=not_accepted(answers[-1]))
    late = sum(answer.code == UNKNOWN_TOKEN for answer in answers)
    if late:
        raise Broken(f"{BURST} changes before the deletion that was sent after them", f"{late} came too late")
    if len(versions) < BURST:
        raise Unjudged("a change was refused, or acknowledged without a version")
    if len(set(versions)) < BURST or max(versions) - min(versions) >= BURST:
        why = "versions do not grow by one each time, whatever the order"
        raise Unjudged(why, waits_for=VerdictKey("tokens/version-grows", "token:move"))
    if versions != sorted(versions):
        raise Broken("versions that grow in the order sent", f"{versions}")
    await _must_join_before_speaking(stage)


async def _must_join_before_speaking(stage: Stage) -> None:
    """Have bob ask to join and speak without waiting in between; what is refused shows something if he may speak."""
    bob = await stage.connected("bob")
    said, later = [await chat(stage) for _ in range(2)]
    joined, early = await asyncio.gather(bob.try_join(stage.session), bob.try_send(said))
    asked = [
        sent for sent in stage.journal.requests if (sent.connection, sent.event) == (bob.connection, "join-session")
    ]
    if joined.accepted and len(asked) == 1 and early.code == "NOT_JOINED":  # one that was limited is asked once more
        await bob.send(later)
        raise Broken("bob to be in the room when he speaks, who asked to join before", early)


@check("order/concurrent-moves-converge")
async def concurrent_moves_converge(stage: Stage) -> None:
    """Alice and carol move one token at the same time; the last move that bob hears is the one that is stored."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    events = Catalogue.load()
    burst: list[Request] = [await stage.request(events["token:move"]) for _ in range(BURST)]
    pairs = zip(burst, [alice, carol] * BURST, strict=False)
    answers = await asyncio.gather(*(actor.try_send(request) for request, actor in pairs))
    if not all(answer.accepted for answer in answers):
        raise Unjudged("a move was refused")
    for request in burst:
        await bob.hear(request)
    last = max((o for request in burst for o in bob.deliveries_of(request)), key=lambda seen: seen.number).args[0]
    look = await stage.request(events["token:update"])
    token = (await alice.send(look)).data.get("token")
    if not isinstance(token, dict) or not isinstance(last, dict):
        raise Unjudged("token:update was acknowledged without the token")
    seen, stored = (found.get("position") for found in (last, token))
    if not isinstance(seen, dict) or not isinstance(stored, dict):
        raise Unjudged("a position is no object")
    if not same(seen.get("x"), stored.get("x")):  # each move went to an x of its own
        raise Broken(f"bob's last sight {quoted(seen)} to be stored", quoted(stored))
