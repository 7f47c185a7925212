"""The ends of memberships and of sessions: what a user may do no longer, and may again who is taken in again."""

from __future__ import annotations

import contextlib

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue


async def _chat(stage: Stage) -> Request:
    return await stage.request(Catalogue.load()["chat-message"])


@check("join/removed-member-refused", "join/taken-in-again-admitted")
async def a_membership_ends_and_begins_again(stage: Stage) -> None:
    """Bob is in the room when his membership is revoked; he is refused, on his connection and on another one.

    Taken in again, he is admitted on both; he hears alice as carol does, who comes last, and his message is accepted.
    """
    alice, bob = await stage.joined("alice", "bob")
    await bob.send(await _chat(stage))
    await stage.revoke(bob)
    tab = await stage.other_tab(bob)
    await stage.judge("join/removed-member-refused", _must_stay_out(stage, bob, tab))
    assert bob.identity is not None
    await stage.take_in(bob.identity)
    await stage.judge("join/taken-in-again-admitted", _must_be_a_member_again(stage, alice, bob, tab))


async def _must_stay_out(stage: Stage, *tabs: Actor) -> None:
    """Have a user who is no member ask to join on each connection; one that the server has closed is renewed."""
    for tab in tabs:
        if tab.closed:
            await tab.renew()
        if (answer := await tab.try_join(stage.session)).accepted:
            await _need_a_guarded_door(stage)
            raise Broken(f"{tab.name}, who is no member any more, to be refused", answer)


async def _need_a_guarded_door(stage: Stage) -> None:
    """Raise `Unjudged` if somebody is admitted who has never been a member: then no end of one is overlooked."""
    with contextlib.suppress(Gone):
        if (await (await stage.connected("mallory")).try_join(stage.session)).accepted:
            raise Unjudged("mallory was not refused either", waits_for=VerdictKey("join/outsider-refused"))


async def _must_be_a_member_again(stage: Stage, alice: Actor, bob: Actor, tab: Actor) -> None:
    for again in (tab, bob):
        if again.closed:
            await again.renew()
        if not (answer := await again.try_join(stage.session)).accepted:
            raise Broken(f"{again.name}, who is a member again, to be admitted", answer)
    carol = await stage.joined("carol")
    await alice.send(said := await _chat(stage))
    await carol.hear(said)
    await bob.must_hear(said)
    await bob.must_be_allowed(await _chat(stage))
