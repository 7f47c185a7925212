"""Requests that concern nobody but the one who asks."""

from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken, Unjudged
from dungeonlab_spec import Event


def _profile_of(user: str | None) -> Said:
    return Said("get-user-data", ({"userId": user} if user else {},), None, None)


@check("direct/own-profile")
async def ones_own_profile(stage: Stage) -> None:
    """Alice asks for hers, and bob for his; each is told their own."""
    for actor in await stage.connected("alice", "bob"):
        user = (await actor.is_allowed(_profile_of(None))).data.get("user")
        told = user.get("id") if isinstance(user, dict) else None
        if told != actor.user:
            raise Broken(f"{actor.name}'s own id {actor.user!r}", f"{told!r}", "$.data.user.id")


@check("direct/shared-session-profile")
async def the_profile_of_somebody_in_the_same_session(stage: Stage) -> None:
    """Alice asks for bob's and for the game master's, with whom she shares a session."""
    alice = await stage.connected("alice")
    for name in ("bob", "gamemaster"):
        wanted = (await stage.member(name)).user
        user = (await alice.is_allowed(_profile_of(wanted))).data.get("user")
        told = user.get("id") if isinstance(user, dict) else None
        if told != wanted:
            raise Broken(f"{name}'s id {wanted!r}", f"{told!r}", "$.data.user.id")


@check("direct/no-secrets")
async def a_profile_holds_no_secrets(stage: Stage) -> None:
    """Alice asks for her own profile and for bob's; neither holds more than the schema names."""
    alice = await stage.connected("alice")
    bob = await stage.member("bob")
    for said in (_profile_of(None), _profile_of(bob.user)):
        user = (await alice.does(said)).data.get("user")
        if not isinstance(user, dict):
            raise Unjudged("the answer holds no user")
        extra = sorted(set(user) - {"id", "username", "displayName"})
        if extra:
            raise Broken("id, username and displayName only", f"also {', '.join(extra)}", f"$.data.user.{extra[0]}")


@check("direct/strangers-profile-refused")
async def a_strangers_profile_is_refused(stage: Stage) -> None:
    """Alice may see bob's profile; mallory, who shares no session with him, may not."""
    alice, mallory = await stage.connected("alice", "mallory")
    bob = await stage.member("bob")
    stage.share_no_session("mallory", "bob")
    await alice.does(_profile_of(bob.user))
    await mallory.is_refused(_profile_of(bob.user))


async def _action(stage: Stage, event: Event) -> Said:
    inner = await stage.request(event)
    asked = {"sessionId": stage.session, "action": {"type": event.name, "payload": inner.args[0]}}
    return Said("validate-action", (asked,), None, stage.session)


@check("direct/validate-action-says-yes")
async def validate_action_says_yes(stage: Stage, event: Event) -> None:
    """Alice asks about an action that she may take."""
    alice = await stage.joined("alice")
    data = (await alice.does(await _action(stage, event))).data
    if data.get("valid") is not True:
        raise Broken("true", f"{data.get('valid')!r}, with errors {data.get('errors')}", "$.data.valid")


@check("direct/validate-action-says-no-and-why")
async def validate_action_says_no_and_why(stage: Stage, event: Event) -> None:
    """Alice asks about an action whose payload lacks its encounter, and one whose encounter is a number."""
    alice = await stage.joined("alice")
    for change in ({}, {"encounterId": 5}):
        said = await _action(stage, event)
        del said.args[0]["action"]["payload"]["encounterId"]
        said.args[0]["action"]["payload"].update(change)
        answer = await alice.asks(said)
        if not answer.accepted:
            raise Unjudged(f"validate-action itself was refused: {answer.args}")
        if answer.data.get("valid") is not False:
            raise Broken("false", f"{answer.data.get('valid')!r}", "$.data.valid")
        if not answer.data.get("errors"):
            raise Broken("at least one reason", f"{answer.data.get('errors')!r}", "$.data.errors")


@check("direct/validate-action-has-no-effect")
async def validate_action_has_no_effect(stage: Stage, event: Event) -> None:
    """Alice asks about an action, twice; bob hears nothing of it, and then she can still take it."""
    alice, bob = await stage.joined("alice", "bob")
    inner = await stage.request(event, fresh=True)
    before = len(bob.sightings(inner))
    asked = {"sessionId": stage.session, "action": {"type": event.name, "payload": inner.args[0]}}
    versions = []
    for _ in range(2):
        await alice.does(Said("validate-action", (asked,), None, stage.session))
        await bob.fence()
        if len(bob.sightings(inner)) > before:
            raise Broken("nothing to be broadcast", f"bob heard {event.name}")
    answer = await alice.asks(inner)
    if not answer.accepted:
        raise Broken(f"{event.name} still to be possible after validate-action", f"{answer.args}")
    versions.append(answer.data.get("version", (answer.data.get("token") or {}).get("version")))
    expected = {"creates-token": 1, "changes-token": 2}.get(event.effect or "")
    if expected is not None and isinstance(versions[0], int) and versions[0] > expected:
        raise Broken(f"version {expected}, as after one change", f"{versions[0]}", "$.data.version")
