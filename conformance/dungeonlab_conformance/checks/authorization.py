"""Who may do what, asked anew with every request."""

from dungeonlab_conformance.actor import Actor
from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said
from dungeonlab_conformance.places import Place
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken, Unjudged
from dungeonlab_spec import Catalogue, Event


async def _control(stage: Stage, event: Event, member: Actor) -> None:
    """Show that a member may: without that, a refusal says nothing about authorization."""
    await member.does(await stage.request(event))
    if event.name == "leave-session":
        await member.joins(stage.session)


@check("authorization/outsider-refused")
async def an_outsider_is_refused(stage: Stage, event: Event) -> None:
    """Alice may; mallory, who is member of nothing, may not."""
    alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
    await _control(stage, event, alice)
    await mallory.is_refused(await stage.request(event))


@check("authorization/member-of-another-session-refused")
async def a_member_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Alice may; dave, who has joined a session of his own, may not do it in hers."""
    alice, dave = await stage.joined("alice"), await stage.elsewhere("dave")
    await _control(stage, event, alice)
    await dave.is_refused(await stage.request(event))


@check("authorization/any-member-allowed")
async def any_member_is_allowed(stage: Stage, event: Event) -> None:
    """Alice and bob may, each on what the game master made."""
    await stage.joined("gamemaster")
    for name in ("alice", "bob"):
        said = await stage.request(event)
        member = await stage.joined(name)
        await member.is_allowed(said)


@check("authorization/game-master-allowed")
async def the_game_master_is_allowed(stage: Stage, event: Event) -> None:
    """The game master may, on what a member made."""
    await stage.joined("alice")
    said = await stage.request(event)
    gamemaster = await stage.joined("gamemaster")
    await gamemaster.is_allowed(said)


@check("authorization/checked-on-every-operation")
async def membership_is_checked_every_time(stage: Stage, event: Event) -> None:
    """Bob may; then his membership is revoked while he sits in the room, and he may not any more."""
    await stage.joined("alice")
    bob = await stage.joined("bob")
    await _control(stage, event, bob)
    said = await stage.request(event)
    await stage.revoke(bob)
    await bob.is_refused(said)


async def _foreign(stage: Stage, event: Event, place: Place) -> Said:
    """Return a request in the scene's session that names what belongs to another place."""
    said = await stage.request(event, place=place)
    said.args[0]["sessionId"] = said.session = stage.session
    return said


@check("authorization/foreign-encounter-refused")
async def an_encounter_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Carol is member of both sessions; in one of them she may not name the other one's encounter."""
    carol = await stage.joined("carol")
    await carol.does(await stage.request(event))
    own = await stage.request(event)
    there = await stage.there()
    own.args[0]["encounterId"] = await stage.encounter(there)
    await carol.is_refused(own)


@check("authorization/foreign-token-refused")
async def a_token_of_another_session_is_refused(stage: Stage, event: Event) -> None:
    """Dave's session has a token; carol and alice may not touch it by naming their own session."""
    alice, carol = await stage.joined("alice", "carol")
    dave = await stage.elsewhere("dave")
    foreign = await _foreign(stage, event, await stage.there())
    await alice.does(await stage.request(event))
    await carol.is_refused(foreign)
    mixed = await _foreign(stage, event, await stage.there())
    mixed.args[0]["encounterId"] = await stage.encounter(stage.here)
    await alice.is_refused(mixed)
    own = await stage.request(event, place=await stage.there())
    if not (await dave.asks(own)).accepted:
        raise Unjudged(f"dave's own {event.name} was refused too")


@check("authorization/refusal-precedes-effect")
async def a_refused_request_changes_nothing(stage: Stage, event: Event) -> None:
    """Mallory is refused; the token is what it was before."""
    alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
    probe = Catalogue.load()["token:update"]
    said = await stage.request(event, fresh=True)
    look = await stage.request(probe)
    look.args[0]["tokenId"] = said.args[0]["tokenId"]
    before = (await alice.does(look)).data.get("token")
    if (await mallory.asks(said)).accepted:
        raise Unjudged(f"mallory's {event.name} was not refused")
    answer = await alice.asks(look)
    if not answer.accepted:
        raise Broken(f"the token to be untouched by mallory's {event.name}", f"{answer.args}")
    after = answer.data.get("token")
    changed = sorted(k for k in _keys(before, after) if k not in ("version", "updatedBy"))
    if changed:
        raise Broken(f"the token to be untouched by mallory's {event.name}", f"changed: {', '.join(changed)}")
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = before.get("version"), after.get("version")
        if isinstance(old, int) and isinstance(new, int) and new - old > 1:
            raise Broken(f"the token's version untouched by mallory's {event.name}", f"{old} became {new}")


def _keys(before: object, after: object) -> set[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        raise Unjudged("token:update was acknowledged without the token")
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@check("authorization/refusal-precedes-disconnection")
async def the_refusal_comes_before_any_disconnection(stage: Stage, event: Event) -> None:
    """Mallory is refused: she is answered before she is disconnected, if she is."""
    alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
    await _control(stage, event, alice)
    said = await stage.request(event)
    connection = mallory.connection
    if await mallory.attempt(said) is None and mallory.closed and mallory.connection == connection:
        raise Broken(f"an answer to mallory's {event.name} before the connection is closed", "a closed connection")


@check("authorization/removed-member-hears-nothing")
async def a_removed_member_hears_nothing(stage: Stage, event: Event) -> None:
    """Bob's membership is revoked while he sits in the room; what alice does then does not reach him."""
    alice, bob, carol = await stage.joined("alice", "bob", "carol")
    said = await stage.request(event)
    await stage.revoke(bob)
    await alice.does(said)
    await carol.witnesses(said)
    await bob.hears_nothing_of(said)


@check("authorization/not-joined-refused")
async def a_member_who_has_not_joined_is_refused(stage: Stage, event: Event) -> None:
    """Bob may from inside the room; from outside it, still a member, he may not."""
    alice, bob = await stage.joined("alice"), await stage.connected("bob")
    await _control(stage, event, alice)
    await bob.is_refused(await stage.request(event))
