"""Joining and leaving a session's room."""

from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, not_accepted
from dungeonlab_conformance.payloads.refused import unknown_id
from dungeonlab_conformance.payloads.requests import profile_request
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import without
from dungeonlab_conformance.stage.traffic import chat, everything, let_a_moment_pass
from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API
from dungeonlab_conformance.target.identity import Identity

_AGAIN = 6  # times to join: who clicks, or reconnects, does it often


@check("join/member-admitted")
async def a_member_is_admitted(stage: Stage) -> None:
    """Alice and bob, both participants, join; each answer names the game master, and both as participants."""
    members = await stage.connected("alice", "bob")
    gamemaster = (await stage.roles.identity("gamemaster")).user if stage.roles.can_play("gamemaster") else None
    for member in members:
        answer = await member.try_join(stage.session, expected=True)
        if not answer.accepted:
            raise Broken(f"{member.name} to be admitted", answer)
        _must_name_the_members(answer, gamemaster, [each.user for each in members])


def _must_name_the_members(answer: Acknowledgement, gamemaster: str | None, members: list[str]) -> None:
    """Look at the ids that an acknowledgement names, where it names any: its shape is another matter."""
    master, listed = answer.data.get("gameMasterId"), answer.data.get("participantIds")
    if gamemaster is not None and isinstance(master, str) and master != gamemaster:
        raise Broken(f"{gamemaster!r}", f"{master!r}", "$.data.gameMasterId")
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed) and not set(members) <= set(listed):
        raise Broken(f"{' and '.join(members)} among others", f"{listed}", "$.data.participantIds")


@check("join/member-admitted")
async def a_member_who_left_is_admitted_again(stage: Stage) -> None:
    """Bob leaves and joins again; he hears alice again, as others do who joined before him and after him."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    await alice.send(first := await chat(stage))
    await bob.hear(first)
    await bob.leave()
    await bob.join(stage.session)
    last = await stage.other_tab(carol)
    await last.join(stage.session)
    await alice.send(second := await chat(stage))
    await carol.hear(second)
    await last.hear(second)
    await bob.must_hear(second)


@check("join/lists-current-members")
async def the_members_are_listed_as_they_are_now(stage: Stage) -> None:
    """Alice joins, then carol, who was made a member since; bob's answer lists her, and none when she is one no more.

    Each lists alice and bob, who is not even connected at first. So it is for those who join for the first time, on
    another connection, or once more.
    """
    alice, bob = await stage.connected("alice"), await stage.roles.member("bob")
    answer = await alice.join(stage.session)
    for member in (alice, bob):
        _must_list(answer, member, listed=True)
    bob, carol = await stage.connected("bob"), await stage.joined("carol")
    if carol.is_game_master:  # who need not be listed
        raise Missing(stage.target.advice("carol"))
    for member in (bob, await stage.other_tab(alice)):
        _must_list(await member.join(stage.session), carol, listed=True)
    await stage.revoke(carol)
    for member in (alice, bob, await stage.other_tab(alice)):
        answer = await member.try_join(stage.session)
        if answer.accepted or member not in (alice, bob):  # joining twice may be refused, by a server that should not
            _must_list(answer, carol, listed=False)
            _must_list(answer, member, listed=True)


def _must_list(answer: Acknowledgement, somebody: Actor | Identity, *, listed: bool) -> None:
    members = answer.data.get("participantIds")
    if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
        raise without(answer, "ids of participants")
    if (somebody.user in members) != listed:
        expected = f"{somebody.name}'s id {somebody.user!r} {'among' if listed else 'not to be among'} the participants"
        raise Broken(expected, f"{members}", "$.data.participantIds")


@check("join/game-master-admitted")
async def the_game_master_is_admitted(stage: Stage) -> None:
    """The game master joins, although not a participant."""
    gamemaster = await stage.connected("gamemaster")
    answer = await gamemaster.try_join(stage.session, expected=True)
    if not answer.accepted:
        raise Broken("the game master to be admitted", answer)


@check("join/game-master-admitted")
async def a_game_master_who_played_is_admitted(stage: Stage) -> None:
    """The game master becomes a participant and ceases to be one, where that goes as section 16 says; then joins."""
    gamemaster = await stage.connected("gamemaster")
    if await _has_played(stage, gamemaster) and not (answer := await gamemaster.try_join(stage.session)).accepted:
        raise Broken("the game master, who is a participant no more, to be admitted all the same", answer)


@check("direct/shared-session-profile")
async def the_profile_of_a_game_master_who_played(stage: Stage) -> None:
    """Alice may see the game master's profile, and still may when the game master is a participant no more."""
    alice, gamemaster = await stage.connected("alice", "gamemaster")
    if (await alice.try_send(profile_request(gamemaster.user))).accepted and await _has_played(stage, gamemaster):
        await alice.must_be_allowed(profile_request(gamemaster.user))


async def _has_played(stage: Stage, gamemaster: Actor) -> bool:
    """Make the game master a participant, and end that; False where it does not go as section 16 says.

    Elsewhere, what ends the participation of a game master may end more.
    """
    step = "membership.remove"
    if stage.target.steps.get(step) != REFERENCE_HTTP_API[step] or stage.game in stage.pool.kept.values():
        return False
    assert gamemaster.identity is not None
    try:
        await stage.take_in(gamemaster.identity)
        await stage.games.end_participation(stage.game, gamemaster.identity)
    except (Missing, TargetFault, Unjudged):
        return False
    return True


@check("join/outsider-refused")
async def an_outsider_is_not_admitted(stage: Stage) -> None:
    """Alice is admitted; mallory, a member of no session, and dave, who has joined another session, are refused."""
    await stage.joined("alice")
    for name in stage.roles.available("mallory", "dave"):
        outsider = await (stage.joined_other_game if name == "dave" else stage.connected)(name)
        answer = await outsider.try_join(stage.session)
        if answer.accepted:
            raise Broken(f"{name} to be refused", answer)


@check("join/outsider-refused")
async def the_game_master_of_another_session_is_not_admitted(stage: Stage) -> None:
    """Alice is admitted; mallory is refused, who has opened a session of her own, where the target lets her do that.

    Where dave is admitted, who has opened none, she shows nothing more.
    """
    await stage.joined("alice")
    name, *others = stage.roles.available("mallory", "dave")
    outsider, who = await stage.connected(name), "who is the game master of another session"
    for other in others:
        if (await (await stage.connected(other)).try_join(stage.session)).accepted:
            raise Unjudged("any outsider is admitted", waits_for=VerdictKey("join/outsider-refused"))
    try:
        await stage.games.open_third(name)
    except Unjudged:
        who = "who is no member of the session"
    if (answer := await outsider.try_join(stage.session)).accepted:
        raise Broken(f"{name} to be refused, {who}", answer)


@check("join/refused-join-subscribes-nothing")
async def a_refused_join_subscribes_nothing(stage: Stage) -> None:
    """Mallory is refused; none of alice's broadcasts then reaches her."""
    alice, bob = await stage.joined("alice", "bob")
    mallory, dave = await stage.connected("mallory"), await stage.onlooker("dave")
    if (await mallory.try_join(stage.session)).accepted:
        raise Unjudged("mallory was not refused", waits_for=VerdictKey("join/outsider-refused"))
    await _must_hear_none(stage, mallory, (alice, bob), dave)


@check("join/refused-join-subscribes-nothing", "join/refused-join-enrols-nobody", phase="last")
async def a_join_that_is_refused_without_a_callback_leaves_no_trace(stage: Stage) -> None:
    """Mallory is refused, and asks again without a callback; alice's broadcasts do not reach her, nor is she let in."""
    alice, bob = await stage.joined("alice", "bob")
    mallory, dave = await stage.connected("mallory"), await stage.onlooker("dave")
    if (await mallory.try_join(stage.session)).accepted:
        raise Unjudged("mallory was not refused", waits_for=VerdictKey("join/outsider-refused"))
    await mallory.repeat_without_callback(Request.naming("join-session", stage.session))
    await stage.judge("join/refused-join-subscribes-nothing", _must_hear_none(stage, mallory, (alice, bob), dave))
    await stage.judge("join/refused-join-enrols-nobody", _must_be_refused_again(mallory, stage.session))


async def _must_hear_none(stage: Stage, mallory: Actor, members: tuple[Actor, Actor], onlooker: Actor | None) -> None:
    for request in await everything(stage, *members):
        await mallory.must_not_hear(request, unlike=onlooker)


async def _must_be_refused_again(mallory: Actor, session: str) -> None:
    if (again := await mallory.try_join(session)).accepted:
        raise Broken("mallory to be refused a second time as well", again)


@check("join/refused-join-enrols-nobody")
async def a_refused_join_enrols_nobody(stage: Stage) -> None:
    """Mallory is refused; afterwards she is not listed as a participant, and is refused again."""
    mallory = await stage.connected("mallory")
    if (await mallory.try_join(stage.session)).accepted:
        raise Unjudged("mallory was not refused", waits_for=VerdictKey("join/outsider-refused"))
    alice = await stage.connected("alice")
    members = (await alice.join(stage.session)).data.get("participantIds")
    if isinstance(members, list) and mallory.user in members:
        raise Broken("mallory not to be a participant after being refused", f"participantIds {members}")
    await _must_be_refused_again(mallory, stage.session)


@check("join/unknown-session-refused")
async def an_unknown_session_is_refused(stage: Stage) -> None:
    """Alice is admitted to her session, and refused for one that does not exist; bob is in the room with her.

    Then she speaks: who is announced to have left meanwhile has not.
    """
    alice, bob = await stage.joined("alice", "bob")
    connection = alice.connection
    answer = await alice.try_join(unknown_id("session"))
    if answer.accepted:
        raise Broken("a session that does not exist to be refused", answer)
    if not alice.closed and alice.connection == connection:  # a server may disconnect the user whom it refuses
        await alice.try_send(await chat(stage))
        await bob.fence()


@check("join/repeated-join-is-harmless")
async def a_repeated_join_is_harmless(stage: Stage) -> None:
    """Bob joins again and again and is admitted each time; he hears alice once, as carol does, and alice him once."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    first = bob.connection
    for times in range(2, _AGAIN + 1):
        again = await bob.try_join(stage.session, expected=True)
        if not again.accepted:
            raise Broken(f"joining {times} times to succeed", again)
    for request in await everything(stage, alice, carol):
        await bob.must_hear(request)
        await bob.fence()
        await carol.fence()
        if len(carol.deliveries_of(request)) != 1:
            raise Unjudged("carol, who joined once, does not hear alice once either")
        if len(bob.deliveries_of(request)) != 1:
            raise Broken("bob to hear alice once", f"{len(bob.deliveries_of(request))} deliveries")
    request = await chat(stage)
    await bob.send(request)
    await alice.must_hear(request)
    await alice.fence()
    if len(alice.deliveries_of(request)) != 1:
        raise Broken("alice to hear bob once", f"{len(alice.deliveries_of(request))} deliveries")
    if bob.connection != first:
        raise bob.gone("bob's connection was closed")
    heard = [seen for seen in stage.journal.heard(alice.connection) if seen.event == "user-joined"]
    comings = [seen for seen in heard if bob.user and contains(seen.args, bob.user)]
    if len(comings) > 1:
        raise Broken("alice to hear once that bob has come", comings[-1])


@check("join/repeated-join-is-harmless")
async def joining_again_leaves_other_tabs_as_they_are(stage: Stage) -> None:
    """Bob joins once more on one of two tabs that both hear alice; the other one goes on hearing her, as carol does."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    tab = await stage.other_tab(bob)
    await tab.join(stage.session)
    await alice.send(before := await chat(stage))
    for each in (carol, bob, tab):
        await each.hear(before)
    await bob.try_join(stage.session, expected=True)
    await alice.send(after := await chat(stage))
    await carol.hear(after)
    await tab.must_hear(after)


@check("join/leave-stops-delivery")
async def leaving_stops_delivery(stage: Stage) -> None:
    """Carol leaves; bob hears alice's next broadcasts, and carol does not. Nor does she if she had joined twice.

    Nor does she a while later, when what was under way is done. Nor does she on a connection over the other transport,
    which joins and leaves too.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    gamemaster = await stage.onlooker("gamemaster")
    await carol.leave()
    others = await joined_tabs(stage, carol, stage.target.other_transports(stage.target.transport))
    for tab in others:
        await tab.leave()
    for request in await everything(stage, alice, bob):
        for leaver in (carol, *others):
            await leaver.must_not_hear(request, unlike=gamemaster)
    await carol.join(stage.session)
    connection = carol.connection
    try:
        again = await carol.try_join(stage.session)
    except Unanswered:
        return  # where nothing but an answer says so, nobody knows in how many ways she is in the room
    if not again.accepted or carol.closed or carol.connection != connection:
        return  # to accept it is no MUST
    answer = await carol.try_send(Request.naming("leave-session", stage.session), expected=True)
    if not answer.accepted:
        return  # joining twice may have left the room
    for _ in range(2):
        await alice.send(later := await chat(stage))
        await bob.hear(later)
        await carol.must_not_hear(later, unlike=gamemaster)
        await let_a_moment_pass()


@check("join/takes-effect-without-callback", phase="last")
async def joining_and_leaving_need_no_callback(stage: Stage) -> None:
    """Bob joins without a callback; he hears alice, as carol does, who joined before him and after him, and he may act.

    Then carol's other tab leaves without a callback, and hears alice no longer.
    """
    alice, carol = await stage.joined("alice", "carol")
    bob = await stage.connected("bob")
    await bob.send_without_callback(Request.naming("join-session", stage.session))
    await bob.fence()
    tab = await stage.other_tab(carol)
    await tab.join(stage.session)
    if not await _hears_in_time(stage, alice, bob, (carol, tab)):
        await bob.join(stage.session)
        await alice.send(said := await chat(stage))
        await bob.hear(said)
        raise Broken("bob to be in the room after joining without a callback", "he hears alice only with one")
    answer = await bob.try_send(await chat(stage))
    if answer.code == "NOT_JOINED":
        raise Broken("bob, who joined without a callback, to be in the room", answer)
    if not answer.accepted:
        raise Unjudged(f"bob's chat-message was refused: {answer.shown}", waits_for=not_accepted(answer))
    if not stage.target.offers("leave-session"):
        return
    await tab.send_without_callback(Request.naming("leave-session", stage.session))
    await tab.fence()
    if await _goes_on_hearing(stage, alice, tab, carol):
        await carol.leave()
        if await _goes_on_hearing(stage, alice, carol, bob):
            stays = VerdictKey("join/leave-stops-delivery")
            raise Unjudged("carol, who leaves with a callback, hears alice too", waits_for=stays)
        raise Broken("carol's other tab to hear nothing after leaving without a callback", "it hears alice")


async def _hears_in_time(stage: Stage, speaker: Actor, listener: Actor, witnesses: tuple[Actor, ...]) -> bool:
    """Whether a listener hears one of two messages: it may join after the first, since order is not a must."""
    for _ in range(2):
        await speaker.send(said := await chat(stage))
        for witness in witnesses:
            await witness.hear(said)
        if await listener.try_hear(said) is not None:
            return True
    return False


async def _goes_on_hearing(stage: Stage, speaker: Actor, listener: Actor, witness: Actor) -> bool:
    """Whether a listener hears two messages, the second a while after the first."""
    for _ in range(2):
        await speaker.send(said := await chat(stage))
        await witness.hear(said)
        await listener.fence()
        if not listener.deliveries_of(said):
            return False
        await listener.try_observe(lambda seen: seen.event == "error")
    return True


@check("join/member-admitted")
async def the_game_master_of_another_session_is_admitted(stage: Stage) -> None:
    """Bob, a participant, opens a session of his own, where the target says how; then he is admitted."""
    bob = await stage.connected("bob")
    try:
        await stage.games.open_third(stage.roles.account("bob"))
    except Unjudged:
        return
    answer = await bob.try_join(stage.session, expected=True)
    if not answer.accepted:
        raise Broken("bob, who is a member here and the game master of another session, to be admitted", answer)
