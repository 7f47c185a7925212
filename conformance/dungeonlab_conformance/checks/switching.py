"""Members of two sessions: they switch from one to the other, in vain or not, and are in one at a time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import everything
from dungeonlab_spec import Catalogue

_TIMES = 3  # that two tabs join at once
_STAYS = "join/failed-switch-changes-nothing"


async def _chat(stage: Stage, *, there: bool = False) -> Request:
    """Return a chat message for the scene's session, or for the second one."""
    game = await stage.other_game() if there else stage.game
    return await stage.request(Catalogue.load()["chat-message"], game=game)


@check("join/second-join-leaves-the-first-room")
async def a_second_join_leaves_the_first_room(stage: Stage) -> None:
    """Carol joins the first session, then the second; she hears the second, and no longer the first.

    Back in the first, she no longer hears the second. Then she asks for both at once; she ends up in one of them only.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    dave, gamemaster = await stage.joined_other_game("dave"), await stage.onlooker("gamemaster", in_other_game=True)
    await carol.join((await stage.other_game()).session)
    await dave.send(there := await _chat(stage, there=True))
    await carol.hear(there)
    for here in await everything(stage, alice, bob):
        await carol.must_not_hear(here, unlike=gamemaster)
    await carol.try_join(stage.session, expected=True)
    await dave.send(await _chat(stage, there=True))
    await carol.fence()
    sessions = (await stage.other_game()).session, stage.session  # where she is comes last, or nothing overlaps
    both = await asyncio.gather(*(carol.try_join(session, expected=True) for session in sessions))
    if not all(answer.accepted for answer in both):
        return
    there, here = await _chat(stage, there=True), await _chat(stage)
    await asyncio.gather(alice.send(here), dave.send(there))
    await bob.hear(here)
    await carol.fence()
    if carol.deliveries_of(here) and carol.deliveries_of(there):
        raise Broken("carol to be in one session after joining two at once", "she hears both")


@check("join/second-join-leaves-the-first-room", phase="last")
async def a_second_join_without_callback_leaves_the_first_room(stage: Stage) -> None:
    """Carol switches to the second session without a callback; once she hears it, she no longer hears the first."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    dave, gamemaster = await stage.joined_other_game("dave"), await stage.onlooker("gamemaster", in_other_game=True)
    await carol.send_without_callback(Request.naming("join-session", (await stage.other_game()).session))
    await carol.fence()
    await dave.send(there := await _chat(stage, there=True))
    if await carol.try_hear(there) is None:
        return  # which is the business of joining without a callback
    for here in await everything(stage, alice, bob):
        await carol.must_not_hear(here, unlike=gamemaster)


@check(_STAYS)
async def a_failed_switch_changes_nothing(stage: Stage) -> None:
    """Bob is refused for the second session, of which he is not a member; both his connections stay in the first."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    stage.roles.need_no_other_game("bob")
    tab = await stage.other_tab(bob)
    await tab.join(stage.session)
    await alice.send(before := await _chat(stage))
    await bob.hear(before)
    await tab.hear(before)
    await bob.send(await _chat(stage))  # or a refusal afterwards would show nothing
    with _while_connected(bob, tab):
        if (await bob.try_join((await stage.other_game()).session)).accepted:
            raise Unjudged("bob was not refused", waits_for=VerdictKey("join/outsider-refused"))
        for request in await everything(stage, alice, carol):
            await bob.must_hear(request)
            await tab.must_hear(request)
        await alice.send(await _chat(stage))
        await bob.must_be_allowed(await _chat(stage))


@check(_STAYS, phase="last")
async def a_switch_that_fails_without_a_callback_changes_nothing(stage: Stage) -> None:
    """Bob is refused for the second session, and asks again without a callback; he stays in the first."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    stage.roles.need_no_other_game("bob")
    await alice.send(before := await _chat(stage))
    await bob.hear(before)
    await bob.send(await _chat(stage))  # or a refusal afterwards would show nothing
    there = (await stage.other_game()).session
    with _while_connected(bob):
        if (await bob.try_join(there)).accepted:
            raise Unjudged("bob was not refused", waits_for=VerdictKey("join/outsider-refused"))
        await bob.repeat_without_callback(Request.naming("join-session", there))
        await alice.send(after := await _chat(stage))
        await carol.hear(after)
        await bob.must_hear(after)
        await bob.must_be_allowed(await _chat(stage))


@contextmanager
def _while_connected(*tabs: Actor) -> Iterator[None]:
    """Judge in this block what a refused user keeps, who may be disconnected; then there is nothing left to keep."""
    connections = [tab.connection for tab in tabs]
    try:
        yield
    except (Broken, Gone):
        if not any(tab.closed or tab.connection != before for tab, before in zip(tabs, connections, strict=True)):
            raise


@check(_STAYS)
async def asking_in_vain_to_leave_changes_nothing(stage: Stage) -> None:
    """Carol, a member of both sessions, has joined the first; she asks to leave the second, and stays where she is."""
    if not stage.target.offers("leave-session"):
        return
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    there = (await stage.other_game()).session  # of which she is made a member before she shows that she may speak here
    await alice.send(before := await _chat(stage))
    await carol.hear(before)
    await carol.send(await _chat(stage))  # or a refusal afterwards would show nothing
    with _while_connected(carol):
        answer = await carol.try_send(Request.naming("leave-session", there))
        if answer.accepted:
            return  # to refuse it is no MUST
        after = (await _chat(stage)).with_properties({}, requirement=_STAYS)
        await alice.send(after)
        await bob.hear(after)
        await carol.must_hear(after)
        await carol.must_be_allowed(await _chat(stage))


@check(_STAYS)
async def a_malformed_request_moves_nobody(stage: Stage) -> None:
    """Bob, who has joined, asks to join and to leave in ways that no server understands, and stays where he is."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await alice.send(before := await _chat(stage))
    await bob.hear(before)
    await bob.send(await _chat(stage))  # or a refusal afterwards would show nothing
    with _while_connected(bob):
        for name in ("join-session", *(["leave-session"] if stage.target.offers("leave-session") else [])):
            for malformed in ({}, {"sessionId": None}, {"sessionId": f"{stage.session} "}):
                if (await bob.try_send(Request(name, (malformed,), None, stage.session, legal=False))).accepted:
                    return  # of which other requirements say that it must not be
        await alice.send(after := await _chat(stage))
        await carol.hear(after)
        await bob.must_hear(after)
        await bob.must_be_allowed(await _chat(stage))


@check("join/one-session-per-user")
async def one_session_per_user(stage: Stage) -> None:
    """Carol joins the second session on another connection; her earlier ones no longer hear the first session.

    There is one over each transport.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    earlier = [carol, *await joined_tabs(stage, carol, stage.target.transports)]
    gamemaster, tab = await stage.onlooker("gamemaster"), await stage.other_tab(carol)
    await tab.join((await stage.other_game()).session)
    for request in await everything(stage, alice, bob):
        for each in earlier:
            await each.must_not_hear(request, unlike=gamemaster)


@check("join/one-session-per-user")
async def a_later_login_takes_the_earlier_one_along(stage: Stage) -> None:
    """Carol joins the second session with a login of its own, where she can; by the first she hears nothing more."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    gamemaster, there = await stage.onlooker("gamemaster"), (await stage.other_game()).session
    try:
        login = await stage.roles.second_login("carol")
        later = await stage.actor("carol", called="carol, logged in twice", identity=login)
        await later.connect()
    except (Missing, Refused, Unjudged, TargetFault):
        return  # there may be one login only, or a limit to them
    await alice.send(before := await _chat(stage))
    await bob.hear(before)
    if carol.closed or await carol.try_hear(before) is None:
        return  # a later login may end the earlier one
    await later.join(there)
    await alice.send(after := await _chat(stage))
    await bob.hear(after)
    await carol.must_not_hear(after, unlike=gamemaster)


@check("join/one-session-per-user")
async def a_switch_takes_the_other_tabs_along(stage: Stage) -> None:
    """Carol goes from the first session to the second; on her other connection she no longer hears the first.

    So it is with the game master of both.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    gamemaster = await stage.onlooker("gamemaster")
    await _must_take_the_other_tab_along(stage, carol, alice, bob, gamemaster)
    if gamemaster is None or not stage.games.has_one_game_master:
        return
    if (await gamemaster.try_join(stage.session, expected=True)).accepted:
        await _must_take_the_other_tab_along(stage, gamemaster, alice, bob, await stage.other_tab(gamemaster))


async def _must_take_the_other_tab_along(
    stage: Stage, mover: Actor, speaker: Actor, witness: Actor, onlooker: Actor | None
) -> None:
    """Have somebody switch who has two tabs in the first session; `onlooker` is connected, and in none."""
    tab = await stage.other_tab(mover)
    await tab.join(stage.session)
    await speaker.send(before := await _chat(stage))
    await tab.hear(before)
    await mover.join((await stage.other_game()).session)
    await speaker.send(after := await _chat(stage))
    await witness.hear(after)
    await tab.must_not_hear(after, unlike=onlooker)


@check("join/one-session-per-user")
async def two_tabs_that_join_at_once_end_up_in_one_session(stage: Stage) -> None:
    """Carol joins the first session on one connection and the second on another at the same moment, several times.

    Whichever was last, she hears one of them only, once others have been heard in both: each may be served by a process
    of its own.
    """
    alice, bob = await stage.joined("alice", "bob")
    if (dave := await stage.onlooker("dave", in_other_game=True)) is None:
        return
    carol, mallory = await stage.connected("carol"), await stage.onlooker("mallory")
    others = [each for each in (mallory, await stage.other_tab(carol)) if each is not None]  # who are in neither
    tab, there = await stage.other_tab(carol), (await stage.other_game()).session
    for _ in range(_TIMES):
        joins = carol.try_join(stage.session, expected=True), tab.try_join(there, expected=True)
        if not all(answer.accepted for answer in await asyncio.gather(*joins)):
            return
        for _ in range(2):
            here, yonder = await _chat(stage), await _chat(stage, there=True)
            await asyncio.gather(alice.send(here), dave.send(yonder))
            await bob.hear(here)
            await asyncio.gather(carol.fence(), tab.fence())
        if carol.deliveries_of(here) and tab.deliveries_of(yonder):
            await asyncio.gather(*(other.fence() for other in others))
            if any(other.deliveries_of(here) for other in others):
                return  # it is heard wherever somebody is
            raise Broken("carol to be in one session after joining two at once on two connections", "she hears both")


@check("join/member-admitted")
async def a_member_who_switched_is_admitted_again(stage: Stage) -> None:
    """Carol goes to the second session, if there is one, and back; she hears alice, as bob does, and may speak."""
    try:
        there = await stage.other_game()
    except Missing:
        return
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await alice.send(before := await _chat(stage))
    await carol.hear(before)
    await carol.send(await _chat(stage))  # or a refusal afterwards would show nothing
    await carol.join(there.session)
    answer = await carol.try_join(stage.session, expected=True)
    if not answer.accepted:
        raise Broken("carol to be admitted again", answer)
    await alice.send(after := await _chat(stage))
    await bob.hear(after)
    await carol.must_hear(after)
    await carol.must_be_allowed(await _chat(stage))
