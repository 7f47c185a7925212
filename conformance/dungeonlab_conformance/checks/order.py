"""In which order things arrive."""

import asyncio

from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken, Unjudged
from dungeonlab_spec import Catalogue, Event

BURST = 20  # requests sent without waiting for an answer in between


@check("order/one-sender-in-order")
async def one_senders_broadcasts_arrive_in_order(stage: Stage, event: Event) -> None:
    """Alice sends a burst without waiting; bob hears it in her order."""
    alice, bob = await stage.joined("alice", "bob")
    burst = [await stage.request(event) for _ in range(BURST)]
    start = len(stage.journal.heard(bob.connection))
    for said in burst:
        await alice.tells(said)
    for said in burst:
        await bob.witnesses(said)
    heard = stage.journal.heard(bob.connection)[start:]
    places = [next(i for i, o in enumerate(heard) if o in bob.sightings(said)) for said in burst]
    if places != sorted(places):
        wrong = next(i for i in range(1, BURST) if places[i] < places[i - 1])
        raise Broken(f"alice's {BURST} {event.name} in the order sent", f"number {wrong + 1} before number {wrong}")


@check("order/answers-in-order")
async def one_senders_requests_take_effect_in_order(stage: Stage) -> None:
    """Alice moves a token many times without waiting; its version grows in the order of her moves."""
    alice, bob = await stage.joined("alice", "bob")
    move = Catalogue.load()["token:move"]
    burst = [await stage.request(move) for _ in range(BURST)]
    answers = await asyncio.gather(*(alice.asks(said) for said in burst))
    if not all(answer.accepted for answer in answers):
        raise Unjudged("a move was refused")
    versions = [answer.data.get("version") for answer in answers]
    if not all(isinstance(v, int) for v in versions):
        raise Unjudged("the moves were acknowledged without a version")
    if versions != sorted(versions):
        raise Broken("versions that grow in the order sent", f"{versions}")
    await bob.fence()


@check("order/concurrent-moves-converge")
async def concurrent_moves_converge(stage: Stage) -> None:
    """Alice and carol move one token at the same time; when all is quiet, bob's last sight is what is stored."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    events = Catalogue.load()
    burst: list[Said] = [await stage.request(events["token:move"]) for _ in range(BURST)]
    pairs = zip(burst, [alice, carol] * BURST, strict=False)
    answers = await asyncio.gather(*(actor.asks(said) for said, actor in pairs))
    if not all(answer.accepted for answer in answers):
        raise Unjudged("a move was refused")
    for said in burst:
        await bob.witnesses(said)
    last = max((o for said in burst for o in bob.sightings(said)), key=lambda seen: seen.number).args[0]
    look = await stage.request(events["token:update"])
    token = (await alice.does(look)).data.get("token")
    if not isinstance(token, dict) or not isinstance(last, dict):
        raise Unjudged("token:update was acknowledged without the token")
    if last.get("position") != token.get("position"):
        raise Broken(f"bob's last sight {last.get('position')} to be stored", f"{token.get('position')}")
