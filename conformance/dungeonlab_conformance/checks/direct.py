"""Requests that concern nobody but their sender."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.invariants.token_state import Token, whole
from dungeonlab_conformance.payloads.invalid import EXAMPLE_IDS, InvalidRequest, invalid_requests
from dungeonlab_conformance.payloads.requests import adorned, edge_payloads, profile_request, unusual_payloads
from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.marks import contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import acknowledged_token, need_versions_of_its_own, without
from dungeonlab_spec import Catalogue, Event

FEW = 2  # of each kind of invalid ids in an action that are asked about


@check("direct/own-profile")
async def ones_own_profile(stage: Stage) -> None:
    """Alice and bob each ask for their own profile and receive it, even if they claim to be the other.

    They do as well by their own id, and so does mallory, who shares no session with anybody.
    """
    names = ["alice", "bob", *stage.roles.available("mallory")]
    alice, bob, *strangers = await stage.connected(*names)
    for actor, other in ((alice, bob), (bob, alice), *((stranger, alice) for stranger in strangers)):
        for claims in ({}, dict.fromkeys(("sender", "id", "username", "asUser"), other.user), {"userId": actor.user}):
            answer = await actor.must_be_allowed(Request("get-user-data", (claims,), None, None))
            _must_be_profile_of(answer, actor.name, actor.user)


def _must_be_profile_of(answer: Acknowledgement, name: str, user: str | None) -> None:
    """Make sure that an answer is somebody's profile."""
    if answer.data.get("user") is None:
        raise without(answer, "a user")
    found = answer.data["user"].get("id") if isinstance(answer.data["user"], dict) else answer.data["user"]
    if found != user:
        raise Broken(f"{name}'s id {user!r}", quoted(found), "$.data.user.id")


@check("direct/shared-session-profile")
async def the_profile_of_somebody_in_the_same_session(stage: Stage) -> None:
    """Alice asks for the profiles of bob and of the game master, with whom she shares a session, and receives them.

    Bob has the names there that he has in his own answer, if that is his own.
    """
    alice, bob = await stage.connected("alice", "bob")
    own = _user(await bob.try_send(profile_request()))
    for name in ("bob", "gamemaster"):
        wanted = (await stage.roles.member(name)).user
        answer = await alice.must_be_allowed(profile_request(wanted))
        _must_be_profile_of(answer, name, wanted)
        if own.get("id") != wanted:
            continue
        for key in ("username", "displayName"):  # of which the second may be missing
            there, here = own.get(key), _user(answer).get(key)
            if isinstance(there, str) and there != here and (key == "username" or here is not None):
                raise Broken(
                    f"bob's {key} {quoted(there)}, as he is answered himself", quoted(here), f"$.data.user.{key}"
                )


@check("direct/shared-session-profile")
async def the_profile_of_somebody_who_has_logged_out(stage: Stage) -> None:
    """Bob logs out of his logins; alice, who shares a session with him still, receives his profile."""
    alice, bob = await stage.connected("alice"), await stage.roles.member("bob")
    with contextlib.suppress(Missing, TargetFault, Unjudged):  # one may end with the other
        for login in (await stage.roles.second_login("bob"), bob):
            await stage.roles.log_out(login)
    answer = await alice.must_be_allowed(profile_request(bob.user))
    _must_be_profile_of(answer, "bob", bob.user)


def _user(answer: Acknowledgement) -> dict[str, Any]:
    user = answer.data.get("user")
    return user if isinstance(user, dict) else {}


@check("direct/no-secrets")
async def a_profile_holds_no_secrets(stage: Stage) -> None:
    """Alice asks for her own profile and for bob's; neither holds more than the schema names."""
    alice = await stage.connected("alice")
    bob = await stage.roles.member("bob")
    own = await stage.request(Catalogue.load()["get-user-data"])
    for request in (own, profile_request(bob.user)):
        answer = await alice.send(request)
        user = answer.data.get("user")
        if not isinstance(user, dict):
            raise without(answer, "a user")
        extra = sorted(set(user) - {"id", "username", "displayName"})
        if extra:
            raise Broken("id, username and displayName only", f"also {', '.join(extra)}", f"$.data.user.{extra[0]}")


@check("direct/strangers-profile-refused")
async def a_strangers_profile_is_refused(stage: Stage) -> None:
    """Alice may see bob's profile; mallory, who shares no session with him, is refused, even with alice's name.

    So is dave, while each is in the room of a session of his own.
    """
    alice, mallory = await stage.connected("alice", "mallory")
    bob = await stage.roles.member("bob")
    stage.roles.need_no_shared_session("mallory", "bob")
    await alice.send(profile_request(bob.user))
    await mallory.must_be_refused(profile_request(bob.user))
    claims = dict.fromkeys(("sender", "requester", "user", "asUser"), alice.user)
    await mallory.must_be_refused(Request("get-user-data", ({"userId": bob.user, **claims},), None, None))
    with contextlib.suppress(Missing):
        stage.roles.need_no_shared_session("dave", "bob")
        dave = await stage.joined_other_game("dave")
        await stage.joined("bob")
        await dave.must_be_refused(profile_request(bob.user))


async def _question(stage: Stage, event: Event, **changes: Any) -> Request:
    """Return the question whether an action, changed or not, would be accepted."""
    return _asking(stage, (await stage.request(event)).with_properties(changes))


def _asking(stage: Stage, action: Request) -> Request:
    """Return the question whether a request would be accepted."""
    question = {"sessionId": stage.session, "action": {"type": action.event, "payload": action.args[0]}}
    return Request("validate-action", (question,), None, stage.session)


@check("direct/validate-action-says-yes")
async def validate_action_says_yes(stage: Stage, event: Event) -> None:
    """Alice asks about an action that she may take; the answer is that it is valid, as it is when bob asks.

    So it is about one that says as much as it may, or has a value on its bound, or properties that nobody knows, unless
    she may not take that either.
    """
    alice = await stage.joined("alice")
    answer = await alice.send(await _question(stage, event))
    if isinstance(answer, Inferred):
        raise without(answer, "yes or no")
    _must_say_yes(answer)
    usual = await stage.request(event)
    ids = {key: value for key, value in usual.args[0].items() if key.endswith("Id")}
    bob = await stage.joined("bob")
    answer = await bob.try_send(_asking(stage, usual))
    if answer.accepted and (answer.data.get("valid") is True or (await bob.try_send(usual)).accepted):
        _must_say_yes(answer)
    odd = [payload for _, payload in (*edge_payloads(event), *unusual_payloads(event))]
    for payload in (*odd, adorned(usual.args[0], "claimed", 1)):
        action = Request(event.name, ({**payload, **ids},), ids.get("tokenId"), stage.session)
        answer = await alice.try_send(_asking(stage, action))
        if answer.accepted and (answer.data.get("valid") is True or (await alice.try_send(action)).accepted):
            _must_say_yes(answer)


def _must_say_yes(answer: Acknowledgement) -> None:
    if answer.data.get("valid") is not True or answer.data.get("errors"):
        got = f"{quoted(answer.data.get('valid'))}, with errors {quoted(answer.data.get('errors'))}"
        raise Broken("true, without errors", got, "$.data.valid")


@check("direct/validate-action-says-no-and-why", timeout_factor=3)
async def validate_action_says_no_and_why(stage: Stage, event: Event) -> None:
    """Alice asks about malformed actions, and about things that do not exist; the answers say no, with reasons.

    They do as well about a token in another encounter than its own, and one that she has deleted, and about an action
    in a session of which she is no member, or in another one than the question names, of both of which carol is a
    member.
    """
    alice = await stage.joined("alice")
    answer = await alice.send(await _question(stage, event))
    if isinstance(answer, Inferred):
        raise without(answer, "yes or no")
    valid = await stage.request(event)
    placeless = {key: value for key, value in valid.args[0].items() if key != "encounterId"}
    malformed = replace(valid, args=(placeless,), mark=None, legal=False)
    for request in (_asking(stage, malformed), await _question(stage, event, encounterId=5)):
        answer = await alice.try_send(request)
        if not answer.accepted:
            raise Unjudged(f"validate-action itself was refused: {answer.args}")
        _must_say_no(answer)
    valid = await stage.request(event)
    for wrong in _some_of(invalid_requests(event, valid)):
        answer = await alice.try_send(_asking(stage, wrong.request))
        if answer.accepted and not (answer.data.get("valid") and (await alice.try_send(wrong.request)).accepted):
            _must_say_no(answer)  # unless the server would accept it, as it should not
    nowhere = {"sessionId": "no-such-session", "encounterId": "no-such-encounter"}
    if "token" in event.needs:
        nowhere["tokenId"] = "no-such-token"
    for key, unknown in nowhere.items():
        request = await _question(stage, event, **{key: unknown})
        action = Request(event.name, (request.args[0]["action"]["payload"],), None, stage.session)
        if (await alice.try_send(action)).accepted:
            continue  # it need not say no, then
        answer = await alice.try_send(request)
        if answer.accepted:  # these may be refused like any request that concerns them
            _must_say_no(answer)
    if "token" in event.needs:
        with contextlib.suppress(Missing):
            elsewhere = {"encounterId": (await stage.with_another_encounter()).encounters[0]}
            misplaced = await stage.request(event, fresh=True)
            await _must_say_no_unless_done(alice, stage, misplaced.with_properties(elsewhere))
        await _must_say_no_of_the_deleted(stage, alice, await stage.request(event, fresh=True))
    with contextlib.suppress(Missing):
        stage.roles.need_no_other_game("alice")
        await _must_say_no_unless_done(alice, stage, await stage.request(event, game=await stage.other_game()))
    with contextlib.suppress(Missing):
        carol = await stage.joined("carol")
        await _must_say_no_unless_done(carol, stage, await stage.request(event, game=await stage.other_game()))


async def _must_say_no_of_the_deleted(stage: Stage, alice: Actor, action: Request) -> None:
    deletion = await stage.request(Catalogue.load()["token:delete"])
    gone = action.args[0]["tokenId"]
    await alice.try_send(_asking(stage, action))  # what is answered now is no answer to the same question later
    if not (await alice.try_send(deletion.with_properties({"tokenId": gone}, mark=gone))).accepted:
        return
    await _must_say_no_unless_done(alice, stage, action)


async def _must_say_no_unless_done(alice: Actor, stage: Stage, action: Request) -> None:
    """Ask about an action that is to be refused; a server that would carry it out need not say no."""
    answer = await alice.try_send(_asking(stage, action))
    if answer.accepted and not (answer.data.get("valid") and (await alice.try_send(action)).accepted):
        _must_say_no(answer)


def _some_of(wrongs: Iterable[InvalidRequest]) -> Iterator[InvalidRequest]:
    """Yield ways of getting an action wrong that are an object all the same: all in its content, a few in its ids."""
    kinds: Counter[str] = Counter()
    for wrong in wrongs:
        if len(wrong.request.args) != 1 or not isinstance(wrong.request.args[0], dict):
            continue
        if any(key in wrong.name for key in EXAMPLE_IDS):
            kinds[wrong.requirement] += 1
            if kinds[wrong.requirement] > FEW:
                continue
        yield wrong


def _must_say_no(answer: Acknowledgement) -> None:
    if answer.data.get("valid") is not False:
        raise Broken("false", quoted(answer.data.get("valid")), "$.data.valid")
    if not answer.data.get("errors"):
        raise Broken("at least one reason", quoted(answer.data.get("errors")), "$.data.errors")


@check("direct/validate-action-has-no-effect")
async def validate_action_has_no_effect(stage: Stage, event: Event) -> None:
    """Alice asks twice about an action that she may take; bob hears nothing of it, and nothing changes.

    Bob, who could do the like before, can take that action.
    """
    alice, bob = await stage.joined("alice", "bob")
    await alice.send(await stage.request(event))
    actor = bob if (await bob.try_send(await stage.request(event))).accepted else alice
    before = (await _look(stage, alice))[1] if event.effect == "changes-token" else 0
    asked = await stage.request(event)
    heard = len(bob.deliveries_of(asked))  # of an earlier request that named the same, if any
    for _ in range(2):
        question = replace(_asking(stage, asked), action=asked)
        answer = await alice.send(question)
        if answer.data.get("valid") is not True and not isinstance(answer, Inferred):
            raise Unjudged("validate-action did not say yes")
    await bob.fence()
    if len(bob.deliveries_of(asked)) > heard:
        raise Broken("nothing to be broadcast", f"bob heard {event.name}")
    if event.effect == "changes-token":
        token, after = await _look(stage, alice)
        if asked.mark is not None and contains(token, asked.mark):
            raise Broken("the token to be as it was", quoted(token))
        if after > before + 1:
            await need_versions_of_its_own(stage, alice, await _looking(stage))
            raise Broken(f"version {before + 1}, as after one change", f"{after}", "$.data.token.version")
    answer = await actor.try_send(asked)
    if not answer.accepted:
        raise Broken(f"{actor.name}'s {event.name} to be possible still, about which alice has asked", answer)


async def _look(stage: Stage, actor: Actor) -> tuple[Token, int]:
    """Change the scene's token, and return it with the version that it has then."""
    token = acknowledged_token(await actor.send(await _looking(stage)))
    version = whole(token.get("version"))
    if version is None:
        raise Unjudged("token:update was acknowledged without the token's version")
    return token, version


async def _looking(stage: Stage) -> Request:
    """Return a request that changes the scene's token so that it is seen, and no more."""
    look = await stage.request(Catalogue.load()["token:update"])
    return look.with_properties({"updates": {"isVisible": True}}, mark=look.args[0]["tokenId"])
