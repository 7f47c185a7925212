"""Authorization: which users may send which requests, decided anew for every request."""

import asyncio
import contextlib
from dataclasses import replace

from dungeonlab_conformance.checks.membership import must_be_refused_at_last
from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import Unanswered, not_refused
from dungeonlab_conformance.invariants.token_state import Token, changed, whole
from dungeonlab_conformance.payloads.refused import unknown_id
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Gone, Missing, TargetFault, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.sessions import GameSession
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import (
    acknowledged_token,
    need_another_cause_than_looking,
    need_versions_of_its_own,
)
from dungeonlab_spec import Catalogue, Event

_IN_A_ROW = 7  # refused requests on one connection
_PAUSES = (1.0, 1.7, 2.6)  # one for each connection that must be closed at the same number
_ROUND_TRIPS = 5  # for which nothing is asked between two, so that a disconnection afterwards is seen as one


@check("authorization/outsider-refused")
async def an_outsider_is_refused(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the same from mallory, who is a member of no session, is refused."""
    alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
    await stage.control(event, alice)
    await mallory.must_be_refused(await stage.request(event))


@check("authorization/member-of-another-session-refused")
async def a_member_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Alice's request is accepted; the same from dave, who has joined another session, is refused."""
    alice, dave = await stage.joined("alice"), await stage.joined_other_game("dave")
    await stage.control(event, alice)
    await dave.must_be_refused(await stage.request(event))


@check("authorization/any-member-allowed")
async def any_member_is_allowed(stage: Stage, event: Event) -> None:
    """The requests of alice and bob are accepted, each about what another member made."""
    await stage.joined_any("gamemaster", "carol")
    for name in ("alice", "bob"):
        request = await stage.request(event)
        member = await stage.joined(name)
        await member.must_be_allowed(request)


@check("authorization/any-member-allowed")
async def a_member_elsewhere_is_allowed_still(stage: Stage, event: Event) -> None:
    """Carol has joined the second session when her membership of the first one ends; her request is accepted there.

    So it is where the target offers a second session, and revokes memberships. What she asks about is dave's, where he
    can be there: a server that takes her own tokens from her breaks another rule.
    """
    with contextlib.suppress(Missing):
        await stage.onlooker("dave", in_other_game=True)
        carol, there = await stage.joined_other_game("carol"), await stage.other_game()
        first, second = [await stage.request(event, game=there) for _ in range(2)]
        await carol.send(first)
        if event.name == "leave-session":
            await carol.join(there.session)
        await stage.revoke(carol)
        with contextlib.suppress(Gone):  # a server may close all the connections of somebody who is removed
            await carol.must_be_allowed(second)


@check("authorization/game-master-allowed")
async def the_game_master_is_allowed(stage: Stage, event: Event) -> None:
    """The game master's request is accepted, about what a member made."""
    await stage.joined("alice")
    request = await stage.request(event)
    gamemaster = await stage.joined("gamemaster")
    await gamemaster.must_be_allowed(request)


@check("authorization/checked-on-every-operation")
async def membership_is_checked_every_time(stage: Stage, event: Event) -> None:
    """Bob's request is accepted; after his membership is revoked while he is in the room, it is refused on each tab.

    A server may disconnect him for that; then he reconnects, asks to join, and is refused too.
    """
    await stage.joined("alice")
    bob = await stage.joined("bob")
    await stage.control(event, bob)
    tabs = [bob, *await joined_tabs(stage, bob, [stage.target.transport])]
    requests = [await stage.request(event) for _ in tabs]
    await stage.revoke(bob)
    for tab, request in zip(tabs, requests, strict=True):
        await must_be_refused_at_last(stage, tab, request)


async def _foreign(stage: Stage, event: Event, game: GameSession, *, fresh: bool = False) -> Request:
    """Return a request in the scene's session that names what belongs to another place."""
    request = await stage.request(event, game=game, fresh=fresh)
    return request.with_properties({"sessionId": stage.session}, session=stage.session)


@check("authorization/foreign-encounter-refused")
async def an_encounter_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Carol is a member of both sessions; a request in one that names the other one's encounter is refused."""
    carol = await stage.joined("carol")
    await carol.send(await stage.request(event))
    own = await stage.request(event)
    there = await stage.other_game()
    foreign = await stage.encounter(there)
    if foreign == own.args[0]["encounterId"]:  # counted by each session for itself
        foreign = await stage.encounter(await stage.games.with_another_encounter(there))
    _need_different_ids(own.args[0]["encounterId"], foreign)
    await carol.must_be_refused(own.with_properties({"encounterId": foreign}))


@check("authorization/foreign-encounter-refused")
async def an_encounter_of_a_deleted_session_is_refused(stage: Stage, event: Event) -> None:
    """Dave is in the second session when the first one is deleted; what was in that one, he cannot name in his own."""
    with contextlib.suppress(Missing):
        there = await stage.other_game()
        alice, dave = await stage.joined("alice"), await stage.joined_other_game("dave")
        stage.roles.need_no_shared_session("dave", "alice")
        await dave.send(own := await stage.request(event, game=there))
        orphan = await stage.request(event, fresh=True)
        if own.args[0]["encounterId"] == orphan.args[0]["encounterId"]:  # counted by each session for itself
            orphan = await stage.request(event, game=await stage.with_another_encounter(), fresh=True)
        _need_different_ids(own.args[0]["encounterId"], orphan.args[0]["encounterId"])
        await stage.delete_session(alice)
        named = orphan.with_properties({"sessionId": there.session}, session=there.session)
        try:
            await dave.must_be_refused(named)
        except Broken:
            await _need_encounters_looked_up(dave, await stage.request(event, game=there, fresh=True))
            raise


async def _need_encounters_looked_up(actor: Actor, request: Request) -> None:
    """Raise `Unjudged` if a request is accepted that names an encounter which nobody has opened."""
    nowhere = request.with_properties({"encounterId": unknown_id("encounter")}, mark=None)
    if (await actor.try_send(nowhere)).accepted:
        unknown = VerdictKey("tokens/unknown-encounter-refused", request.event)
        raise Unjudged("an encounter that nobody has opened is accepted as well", waits_for=unknown)


def _need_different_ids(own: str, foreign: str) -> None:
    """Raise `Unjudged` if something foreign cannot be named, since something of one's own has the same id."""
    if own == foreign:
        raise Unjudged(f"{own} is the id of one's own as well as of what belongs to the other session")


@check("authorization/foreign-token-refused")
async def a_token_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Dave's session has a token; requests of carol and alice that name it in their own session are refused."""
    alice, carol = await stage.joined("alice", "carol")
    dave = await stage.joined_other_game("dave")
    own = await stage.request(event)
    foreign = await _foreign_token(stage, event, own)
    await alice.send(own)
    await carol.must_be_refused(foreign)
    mixed = await _foreign_token(stage, event, own)
    await alice.must_be_refused(mixed.with_properties({"encounterId": await stage.encounter(stage.game)}))
    own = await stage.request(event, game=await stage.other_game())
    if not (await dave.try_send(own)).accepted:
        raise Unjudged(f"dave's own {event.name} was refused too")


async def _foreign_token(stage: Stage, event: Event, own: Request) -> Request:
    """Return a request about a token of the other session, whose id differs from that of the one in `own`."""
    there = await stage.other_game()
    request = await _foreign(stage, event, there)
    if request.args[0]["tokenId"] == own.args[0]["tokenId"]:  # counted by each session for itself
        request = await _foreign(stage, event, there, fresh=True)
    _need_different_ids(own.args[0]["tokenId"], request.args[0]["tokenId"])
    return request


@check("authorization/refusal-precedes-effect")
async def a_refused_request_changes_nothing(stage: Stage, event: Event) -> None:
    """Mallory, dave, and carol, who has not joined, are refused; the token that each request names stays the same."""
    await _intruders_must_change_nothing(stage, event, "mallory", "dave", "carol")


@check("authorization/refusal-precedes-effect", phase="last")
async def what_is_refused_without_a_callback_changes_nothing(stage: Stage, event: Event) -> None:
    """Mallory, and carol, who has not joined, are refused, and send the request again without a callback.

    The token that it names stays the same.
    """
    await _intruders_must_change_nothing(stage, event, "mallory", "carol", twice=True)


async def _intruders_must_change_nothing(stage: Stage, event: Event, *names: str, twice: bool = False) -> None:
    alice = await stage.joined("alice")
    for name in stage.roles.available(*names):
        intruder = await (stage.joined_other_game if name == "dave" else stage.connected)(name)
        request = await stage.request(event, fresh=True)
        look = await stage.request(Catalogue.load()["token:update"])
        changes = {"tokenId": request.args[0]["tokenId"], "updates": {"isVisible": True}}
        look = look.with_properties(changes, mark=None)
        one, two = [acknowledged_token(await alice.send(look)) for _ in range(2)]
        if not (await intruder.try_send(request)).accepted:
            if twice:
                await intruder.repeat_without_callback(replace(request))
            await _must_be_untouched(stage, alice, look, one, two, f"{intruder.name}'s {event.name}")
        elif name != "carol":  # to refuse a member is a SHOULD
            raise Unjudged(f"{intruder.name}'s {event.name} was not refused", waits_for=not_refused(name, event))


async def _must_be_untouched(stage: Stage, alice: Actor, look: Request, one: Token, two: Token, deed: str) -> None:
    """Look at a token once more, and compare what is found with the last two looks."""
    answer = await alice.try_send(look)
    if not answer.accepted:
        raise Broken(f"the token to be untouched by {deed}", answer)
    now = acknowledged_token(answer)
    if different := changed(two, now):
        await need_another_cause_than_looking(stage, alice, alice, different)
        raise Broken(f"the token to be untouched by {deed}", f"changed: {', '.join(different)}")
    first, second, third = (whole(token.get("version")) for token in (one, two, now))
    if first is not None and second is not None and third is not None and third - second != second - first:
        await need_versions_of_its_own(stage, alice, look)
        raise Broken(f"the token's version to be untouched by {deed}", f"{second} became {third}")


@check("authorization/refusal-precedes-disconnection")
async def the_refusal_comes_before_any_disconnection(stage: Stage, event: Event) -> None:
    """Mallory's request is refused; if the server disconnects her for it, it answers first.

    So it does when she sends one message after the other, all of them refused.
    """
    alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
    await stage.control(event, alice)
    request = await stage.request(event)
    connection = mallory.connection
    answer = await mallory.try_send_once(request, hurried=True)
    if answer is None and mallory.closed and mallory.connection == connection:
        expected = f"an answer to mallory's {event.name} before the connection is closed"
        raise Broken(expected, "a closed connection", is_cut=True)
    if answer is not None and Acknowledgement(request, answer).accepted:
        waits_for = VerdictKey("authorization/outsider-refused", event.name)
        raise Unjudged(f"mallory's {event.name} was not refused", waits_for=waits_for)
    if event.name == "chat-message" and not stage.target.limits.far:
        answered: list[int] = []
        for pause in _PAUSES:
            answered.append(await _answered_in_a_row(stage, event, pause))
            if answered[-1] == _IN_A_ROW:
                break
        if min(answered) == max(answered) < _IN_A_ROW:  # a network does not end them alike, nor does a clock
            expected = f"an answer to each {event.name} of mallory's before the connection is closed"
            raise Broken(expected, f"{answered[0]} answers, and a closed connection, {len(_PAUSES)} times in a row")


async def _answered_in_a_row(stage: Stage, event: Event, pause: float) -> int:
    """Have mallory send what is refused on a connection of her own; returns how many it took to be closed in its place.

    All of them if the connection was not closed, or while nothing was asked: that may be for what was refused before.
    A `pause` is how many times as long as usual nothing is asked between two.
    """
    mallory, limits = await stage.connected("mallory"), stage.target.limits
    for number in range(_IN_A_ROW):
        answer = await mallory.try_send_once(await stage.request(event), hurried=True)
        if answer is None:
            return number if mallory.closed else _IN_A_ROW
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause * (limits.moment + _ROUND_TRIPS * limits.round_trip)):
                await mallory.try_observe(lambda seen: seen.act == "is closed")
        if mallory.closed:
            break
    return _IN_A_ROW


@check("authorization/removed-member-hears-nothing")
async def a_removed_member_hears_nothing(stage: Stage, event: Event) -> None:
    """Bob's membership is revoked while he is in the room on several tabs; alice's next broadcast reaches carol alone.

    There is one over each transport.
    """
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    mallory = await stage.onlooker("mallory")
    tabs = [bob, *await joined_tabs(stage, bob, stage.target.transports)]
    request = await stage.request(event)
    await stage.revoke(bob)
    await alice.send(request)
    await carol.hear(request)
    for each in tabs:
        await each.must_not_hear(request, unlike=mallory)


@check("authorization/removed-member-hears-nothing", event="chat-message")
async def who_is_removed_hears_by_no_login(stage: Stage, event: Event) -> None:
    """Bob has joined with two logins, where he can, when his membership is revoked; he hears alice on neither."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    mallory = await stage.onlooker("mallory")
    try:
        login = await stage.roles.second_login("bob")
        later = await stage.actor("bob", called="bob, logged in twice", identity=login)
        await later.connect()
    except (Unjudged, TargetFault):
        return  # a server may limit how many logins there are
    both = [later] if bob.closed else [bob, later]  # a later login may end the earlier one
    if not (await later.try_join(stage.session, expected=True)).accepted:
        return
    await stage.revoke(bob)
    await alice.send(request := await stage.request(event))
    await carol.hear(request)
    for each in both:
        await each.must_not_hear(request, unlike=mallory)


@check("authorization/removed-member-hears-nothing")
async def who_is_removed_while_joining_hears_nothing(stage: Stage, event: Event) -> None:
    """Bob asks to join while his membership is revoked; alice's next broadcast reaches carol, and not him."""
    alice, carol = await stage.joined("alice", "carol")
    bob, mallory = await stage.connected("bob"), await stage.onlooker("mallory")
    request = await stage.request(event)
    answer, _ = await asyncio.gather(_join_if_answered(bob, stage.session), stage.revoke(bob))
    if bob.closed:
        return  # a server may end the connections of somebody who is no member any more
    await alice.send(request)
    await carol.hear(request)
    if answer and not answer.accepted and bob.deliveries_of(request):
        why = "bob was refused and hears all the same"
        raise Unjudged(why, waits_for=VerdictKey("join/refused-join-subscribes-nothing"))
    try:
        await bob.must_not_hear(request, unlike=mallory)
    except Broken:
        if not (await bob.try_join(stage.session)).accepted:
            raise
        # one who is admitted now was admitted in any order of the two, which is another requirement's matter
        stage.journal.leave_unaccounted()  # or what he hears would be found by itself afterwards


async def _join_if_answered(actor: Actor, session: str) -> Acknowledgement | None:
    """Ask to join; return what became of that, None if nothing shows it."""
    try:
        return await actor.try_join(session)
    except Unanswered:
        return None


@check("authorization/not-joined-refused")
async def a_member_who_has_not_joined_is_refused(stage: Stage, event: Event) -> None:
    """Alice has joined, and her request is accepted; bob has not, and is refused; trying does not make him join.

    So is alice on another tab, which has not joined. Bob is refused again after he has joined and left, and so is carol
    after she has joined another session.
    """
    alice, bob = await stage.joined("alice"), await stage.connected("bob")
    await stage.control(event, alice)
    await bob.must_be_refused(await stage.request(event))
    await (await stage.other_tab(alice)).must_be_refused(await stage.request(event))
    if event.is_broadcast:
        await alice.send(await stage.request(event))
        await bob.fence()  # what he hears is the ledger's business
    await bob.join(stage.session)
    await bob.leave()
    await _must_be_refused_outside(stage, bob, event, alice)
    if stage.roles.can_play("carol") and stage.target.parties[1] is not None:
        carol = await stage.joined("carol")
        await carol.join((await stage.other_game()).session)
        await _must_be_refused_outside(stage, carol, event, alice)


async def _must_be_refused_outside(stage: Stage, actor: Actor, event: Event, speaker: Actor) -> None:
    """Send a request out of a room that was left. One that still hears what is said there is in it: another fault."""
    try:
        await actor.must_be_refused(await stage.request(event))
    except Broken as broken:
        said = await stage.request(event if event.is_broadcast else Catalogue.load()["chat-message"])
        await speaker.send(said)
        await actor.fence()
        if not actor.deliveries_of(said):
            raise broken from None
