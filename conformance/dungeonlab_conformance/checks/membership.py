"""The ends of memberships and of sessions: what a user may do no longer, and may again who is taken in again."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from dungeonlab_conformance.checks.open_connections import joined_tab
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_refused
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.payloads.refused import unknown_id
from dungeonlab_conformance.payloads.requests import profile_request
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import acknowledged_token, id_of
from dungeonlab_conformance.stage.traffic import chat, let_a_moment_pass, let_time_pass
from dungeonlab_spec import Catalogue, Event


@check("join/removed-member-refused", "join/taken-in-again-admitted")
async def a_membership_ends_and_begins_again(stage: Stage) -> None:
    """Bob is in the room on two tabs when his membership is revoked; he is refused on each, and on another one.

    He was made a member twice, where the target allows that. Taken in again, he hears nothing before he joins; he is
    admitted on both and on a third, hears alice as carol does, who comes last, and may do all that members may.
    """
    alice, bob = await stage.joined("alice", "bob")
    await bob.send(await chat(stage))
    assert bob.identity is not None
    with contextlib.suppress(Unjudged):  # a server may refuse to enrol who is a member
        await stage.take_in(bob.identity)
        await alice.join(stage.session)  # whose answer lists each member once, as its shape demands
    tabs = await _another_tab_there(stage, bob)  # another process may serve it, which remembers him
    await stage.revoke(bob)
    await stage.judge("join/removed-member-refused", _must_stay_out(stage, bob, *tabs))
    for each in tabs:
        await each.disconnect()
    tab = await stage.other_tab(bob)
    await stage.judge("join/removed-member-refused", _must_stay_out(stage, tab))
    await stage.take_in(bob.identity)
    with contextlib.suppress(Unjudged):
        await alice.send(await chat(stage))
        await bob.fence()  # what he hears is the ledger's business
    await stage.judge("join/taken-in-again-admitted", _must_be_a_member_again(stage, alice, bob, tab))


@check("join/removed-member-refused", slow=True)
async def who_was_removed_a_while_ago_is_refused(stage: Stage) -> None:
    """Bob's membership is revoked while he is in the room; a while later he is refused on a new connection."""
    bob = await stage.joined("bob")
    await stage.revoke(bob)
    await let_time_pass()
    await _must_stay_out(stage, await stage.other_tab(bob))


@check("join/removed-member-refused")
async def who_was_removed_before_another_is_refused(stage: Stage) -> None:
    """Alice's membership is revoked and then bob's; each is refused."""
    members = await stage.joined("alice", "bob")
    for member in members:
        await stage.revoke(member)
    await _must_stay_out(stage, *members)


@check("auth/cookie-accepted")
async def a_login_outlasts_a_membership(stage: Stage) -> None:
    """Bob, whose membership is revoked while he is in the room, connects once more."""
    with contextlib.suppress(Missing):
        bob = await stage.joined("bob")
        await stage.revoke(bob)
        try:
            await stage.other_tab(bob)
        except Refused as refused:
            raise Broken("bob, who is a member no more, to be let in all the same", f"{refused}") from None


@check("join/taken-in-again-admitted")
async def who_is_taken_in_again_hears_on_the_same_connection(stage: Stage) -> None:
    """Bob's membership is revoked while he is in the room, and begins again; then he joins, and hears alice as before.

    He asks for nothing in between. A server may close the connection of who is removed; then he has none to hear on.
    """
    alice, bob, gamemaster = await stage.joined("alice", "bob", "gamemaster")
    assert bob.identity is not None
    await alice.send(before := await chat(stage))
    if None in (await bob.try_hear(before), await gamemaster.try_hear(before)):
        return  # for another reason
    with contextlib.suppress(Gone, Missing):
        await stage.revoke(bob)
        await bob.fence()
        await stage.take_in(bob.identity)
        await let_a_moment_pass()
        if not bob.closed:
            await _must_be_admitted(stage, bob)
            await alice.send(said := await chat(stage))
            await gamemaster.hear(said)
            await bob.must_hear(said)


async def _another_tab_there(stage: Stage, actor: Actor) -> list[Actor]:
    """Return another tab of a user who has joined, which has joined too; none where the server lets in no other."""
    with contextlib.suppress(Unjudged):
        return [await joined_tab(stage, actor)]
    return []


async def _must_stay_out(stage: Stage, *tabs: Actor) -> None:
    """Have a user who is no member ask to join on each connection; one that the server has closed is renewed."""
    for tab in tabs:
        if (answer := await _try_join_at_last(stage, tab)).accepted:
            await _need_a_guarded_door(stage)
            raise Broken(f"{tab.name}, who is no member any more, to be refused", answer)


async def _try_join_at_last(stage: Stage, member: Actor) -> Acknowledgement:
    """Ask to join on the same connection, or on a new one if the server has closed that, or is about to."""
    if not member.closed:
        with contextlib.suppress(Gone):
            return await member.try_join(stage.session)
    if member.closed:
        await member.renew()
    return await member.try_join(stage.session)


async def _need_a_guarded_door(stage: Stage) -> None:
    """Raise `Unjudged` if somebody is admitted who has never been a member: then no end of one is overlooked."""
    with contextlib.suppress(Gone):
        if (await (await stage.connected("mallory")).try_join(stage.session)).accepted:
            raise Unjudged("mallory was not refused either", waits_for=VerdictKey("join/outsider-refused"))


async def _must_be_a_member_again(stage: Stage, alice: Actor, *tabs: Actor) -> None:
    """Have a user who is a member again join, hear and speak; a connection that was refused may be closed for that."""
    for tab in tabs:
        with contextlib.suppress(Gone):
            await _must_be_admitted(stage, tab)
    anew = await stage.other_tab(tabs[0])
    await _must_be_admitted(stage, anew)
    carol = await stage.joined("carol")
    await alice.send(said := await chat(stage))
    await carol.hear(said)
    if not any(tab.deliveries_of(said) for tab in tabs):  # one may be deaf for being one of several
        await anew.must_hear(said)
    catalogue = Catalogue.load()
    for event in catalogue.events_for(catalogue.requirements["authorization/any-member-allowed"]):
        if event is None or event.name == "leave-session" or not stage.target.offers(event.name):
            continue
        try:
            await anew.must_be_allowed(await stage.request(event))
        except Broken:
            await stage.control(event, carol)  # it may let some members act, and others not
            raise


async def _must_be_admitted(stage: Stage, tab: Actor) -> None:
    if not (answer := await tab.try_join(stage.session)).accepted:
        raise Broken(f"{tab.name}, who is a member again, to be admitted", answer)


@check("join/deleted-session-refused")
async def a_deleted_session_is_joined_by_nobody(stage: Stage) -> None:
    """Alice is in the room on two tabs when the session is deleted; then she is refused, and bob, who was not there.

    Several processes may serve them, each of which remembers what it has seen.
    """
    alice, bob = await stage.joined("alice"), await stage.connected("bob")
    tabs = await _another_tab_there(stage, alice)
    await stage.delete_session(alice, bob)
    for member in (alice, *tabs, bob):
        if (answer := await _try_join_at_last(stage, member)).accepted:
            if (await member.try_join(unknown_id("session"))).accepted:
                why = "a session that never existed is joined as well"
                raise Unjudged(why, waits_for=VerdictKey("join/unknown-session-refused"))
            raise Broken(f"{member.name} to be refused for a session that was deleted", answer)


@check("authorization/deleted-session-refused")
async def nothing_is_done_in_a_deleted_session(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; after the session is deleted while she is in its room, the next one is refused.

    A server may disconnect her; then she reconnects, asks to join, and is refused too.
    """
    alice = await stage.joined("alice")
    await stage.control(event, alice)
    request = await stage.request(event, fresh=True)
    await stage.delete_session(alice)
    try:
        await must_be_refused_at_last(stage, alice, request)
    except Broken:
        mallory = await stage.connected("mallory")
        if (await mallory.try_send(replace(request))).accepted:
            raise Unjudged("mallory is accepted as well", waits_for=not_refused("mallory", event)) from None
        raise


@check("tokens/only-deletion-ends-it")
async def a_session_that_ends_takes_nothing_along(stage: Stage) -> None:
    """Carol has made a token in the second session when the first one, of which she is a member too, is deleted.

    The token is still there, and she still hears dave.
    """
    with contextlib.suppress(Missing):
        there = await stage.other_game()
        dave, carol = await stage.joined_other_game("dave"), await stage.joined_other_game("carol")
        create, update = (Catalogue.load()[name] for name in ("token:create", "token:update"))
        if not (stage.target.offers(create.name) and stage.target.offers(update.name)):
            return
        token = acknowledged_token(await carol.send(await stage.request(create, game=there)))
        rename = (await stage.request(update, game=there)).with_properties({"tokenId": id_of(token)})
        await stage.delete_session()
        await dave.send(said := await stage.request(Catalogue.load()["chat-message"], game=there))
        await carol.hear(said)
        await dave.must_be_allowed(rename)


@check("join/member-admitted")
async def a_session_that_ends_ends_no_other_membership(stage: Stage) -> None:
    """Carol has been in the second session when the first one, of which she is a member too, is deleted.

    On a new connection, she is admitted to the second one as before.
    """
    with contextlib.suppress(Missing):
        there = await stage.other_game()
        carol = await stage.joined_other_game("carol")
        await stage.delete_session()
        again = await stage.other_tab(carol)  # she stays where she is: to end a connection may end more
        answer = await again.try_join(there.session, expected=True)
        if not answer.accepted:
            raise Broken("carol to be admitted, of whose two sessions the other one was deleted", answer)


async def must_be_refused_at_last(stage: Stage, actor: Actor, request: Request) -> None:
    """Send what was accepted before, on the same connection, or on a new one if the server has closed that."""
    connection = actor.connection
    if not actor.closed:
        with contextlib.suppress(Gone):
            await actor.must_be_refused(request)
            return
    if actor.connection == connection:
        await actor.renew()
    await actor.try_join(stage.session)
    await actor.must_be_refused(request)


@check("direct/shares-no-ended-session")
async def what_has_ended_is_not_shared(stage: Stage) -> None:
    """Mallory may not see bob's profile; while she is a guest of his session she may, and not after that has ended.

    Nor may bob and the game master see hers, then. Nor may she when she is taken in again, and the session is deleted;
    nor the profile of its game master, then.
    """
    mallory = await stage.connected("mallory")
    bob = await stage.roles.member("bob")
    stage.roles.need_no_shared_session("mallory", "bob")
    if (await mallory.try_send(profile_request(bob.user))).accepted:
        waits_for = VerdictKey("direct/strangers-profile-refused")
        raise Unjudged(
            "mallory's question for bob's profile is accepted without a session in common", waits_for=waits_for
        )
    master = await _stranger_in_the_chair(stage, mallory)
    fellows = [
        each for each in await _members(stage) if not (await each.try_send(profile_request(mallory.user))).accepted
    ]
    await _share_a_session(stage, mallory, bob.user)
    await stage.revoke(mallory)
    await _must_be_strangers(mallory, bob.user, "when her membership has ended")
    for fellow in fellows:
        await _must_be_strangers(fellow, mallory.user, "when that one's membership has ended")
    await _share_a_session(stage, mallory, bob.user)
    with contextlib.suppress(Missing):
        await stage.delete_session(mallory)
        await _must_be_strangers(mallory, bob.user, "when the session is deleted")
        if master is not None:
            await _must_be_strangers(mallory, master, "when the session is deleted")


@check("direct/shared-session-profile")
async def what_ends_in_one_session_leaves_another_one_shared(stage: Stage) -> None:
    """Carol shares both sessions with the game master, whose profile she may see.

    She may still when her membership of the first one has ended, and when that session is deleted.
    """
    if not stage.games.has_one_game_master or not all(map(stage.roles.can_play, ("gamemaster", "carol"))):
        return
    carol, wanted = await stage.connected("carol"), profile_request((await stage.roles.member("gamemaster")).user)
    await stage.other_game()
    if not (await carol.try_send(wanted)).accepted:
        return  # which is found by itself
    with contextlib.suppress(Missing):
        await stage.revoke(carol)
        await carol.must_be_allowed(wanted)
    with contextlib.suppress(Missing):
        await stage.delete_session(carol)
        await carol.must_be_allowed(wanted)


async def _members(stage: Stage) -> list[Actor]:
    """Connect bob and the game master, as far as somebody can play them who shares no other session with mallory."""
    found: list[Actor] = []
    for name in ("bob", "gamemaster"):
        with contextlib.suppress(Missing):
            stage.roles.need_no_shared_session("mallory", name)
            found.append(await stage.connected(name))
    return found


async def _stranger_in_the_chair(stage: Stage, asker: Actor) -> str | None:
    """Return the session's game master, if that is somebody whose profile one may not see; else None."""
    with contextlib.suppress(Missing):
        stage.roles.need_no_shared_session(asker.name, "gamemaster")
        master = (await stage.roles.identity("gamemaster")).user
        return None if (await asker.try_send(profile_request(master))).accepted else master
    return None


async def _share_a_session(stage: Stage, guest: Actor, user: str) -> None:
    assert guest.identity is not None
    await stage.take_in(guest.identity)
    await guest.send(profile_request(user))


async def _must_be_strangers(asker: Actor, user: str, when: str) -> None:
    answer = await asker.try_send(profile_request(user))
    if answer.accepted:
        raise Broken(f"{asker.name} not to see the profile of {user!r} {when}", answer)
