"""The content of broadcasts. Its rules are invariants, checked over the whole run: these scenes cause broadcasts."""

from collections.abc import Iterator, Sequence
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.invariants.answers.moments import moment
from dungeonlab_conformance.payloads.refused import malformed
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import everything
from dungeonlab_spec import Catalogue, Event


async def _heard_from_two(stage: Stage, event: Event) -> None:
    """Alice and the game master each send the request; bob hears both. Where but some may, it is alice who may."""
    alice, bob = await stage.joined("alice", "bob")
    others = [] if stage.target.workarounds.members_differ else [await stage.joined_any("gamemaster", "carol")]
    for sender in (alice, *others):
        request = await stage.request(event)
        await sender.send(request)
        await bob.hear(request)


@check(
    "broadcasts/valid-payload",
    "broadcasts/true-sender",
    "broadcasts/true-session",
    "broadcasts/says-what-was-done",
    "broadcasts/caused-by-a-request",
)
async def a_broadcast_is_what_it_should_be(stage: Stage, event: Event) -> None:
    """Alice and the game master each send the request; what bob hears of them is compared with the catalogue."""
    await stage.judge_all(_heard_from_two(stage, event))
    if not stage.game.exclusive:
        stage.cannot_judge("broadcasts/caused-by-a-request", "exclusive")


@check("broadcasts/server-events-valid", phase="last")
async def an_error_event_is_valid(stage: Stage) -> None:
    """Alice sends a malformed request without a callback, and is sent an error event that fits its schema."""
    alice = await stage.joined("alice")
    await alice.send_without_callback(malformed(Catalogue.load()["chat-message"]))
    if await alice.try_observe(lambda o: o.act == "hears" and o.event == "error") is None:
        silence = VerdictKey("acks/failure-without-callback-emits-error", "chat-message")
        raise Unjudged("no error event was sent", waits_for=silence)


@check(
    "broadcasts/catalogue-events-only",
    "names/kebab-case",
    "presence/right-audience",
    "presence/true-user",
    "broadcasts/true-time",
)
async def only_known_events_are_sent(stage: Stage) -> None:
    """Users join, send requests, and leave; all that they are sent meanwhile is compared with catalogue and clock."""
    await stage.judge_all(_coming_and_going(stage))
    if not any(moment(found.get("timestamp")) for seen in stage.journal.heard() for found in _objects(seen.args)):
        shape = VerdictKey("broadcasts/valid-payload", "chat-message")
        stage.leave_open(("broadcasts/true-time",), Unjudged("nothing that was sent named a time", waits_for=shape))


def _objects(args: Sequence[Any]) -> Iterator[dict[str, Any]]:
    return (arg for arg in args if isinstance(arg, dict))


async def _coming_and_going(stage: Stage) -> None:
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    mallory, dave = await stage.onlooker("mallory"), await stage.onlooker("dave", in_other_game=True)
    masters = [await stage.joined(name) for name in {"gamemaster"} & {*stage.roles.available("alice", "gamemaster")}]
    tab = await stage.other_tab(bob)
    await everything(stage, alice, bob)
    await tab.join(stage.session)
    if stage.target.offers("leave-session"):
        await carol.leave()
        for actor in (alice, *masters):  # who is there still
            await actor.send(await stage.request(Catalogue.load()["chat-message"], fresh=True))
        await carol.close()
        carol = await stage.connected("carol")
    if dave is not None:
        await carol.join((await stage.other_game()).session)
    await tab.close()
    for actor in (alice, bob, carol, dave, mallory):
        if actor is not None:
            await actor.fence()
