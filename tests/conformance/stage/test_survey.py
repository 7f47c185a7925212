"""What a survey finds out about servers that do not do what scenes rest on, and that a correct one needs nothing."""

from __future__ import annotations

import pytest
from tests.mutants.judge import served

from dungeonlab_conformance.clients.obstacles import Unanswered
from dungeonlab_conformance.payloads.refused import malformed, unknown_id
from dungeonlab_conformance.payloads.requests import profile_request, valid_request
from dungeonlab_conformance.record.acknowledgement import Inferred
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.runner.embedded import reference_server
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.survey import Survey
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.target.workarounds import NAMESPACE, Workarounds
from dungeonlab_spec import Catalogue


async def surveyed(url: str) -> Stage:
    """Return a second stage on a server that was surveyed on a first one."""
    target = Target(url, limits=Limits(0.1))
    pool = AccountPool(0, Provisioner(target))
    await Survey(first := Stage(pool, target)).carry_out()
    await first.tear_down()
    stage = Stage(pool, target)
    await stage.set_up()
    return stage


async def end(stage: Stage) -> None:
    await stage.tear_down()
    await stage.pool.provisioner.close()


async def test_a_correct_server_needs_no_workarounds() -> None:
    """Nothing is done otherwise on the reference server."""
    async with reference_server() as url:
        stage = await surveyed(url)
        assert stage.target.workarounds == Workarounds()
        await end(stage)


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("CreatesInSilence", {"silent": {"token:create"}, "reported": {"token:create"}}),
        ("DemandsCompleteDrafts", {"full_only": {"token:create"}}),
        ("NeedsAnId", {"full_only": {"get-user-data"}}),
        ("KeepsCreatingForTheGameMaster", {"cannot_create": {"alice", "bob", "carol", "dave"}}),
        ("LocksTheGameMasterOut", {"shut_out": {"gamemaster"}}),
        ("CreatesUnheard", {"unheard": {"token:create"}}),
        ("ServesPollingOnly", {"transport": "polling"}),
    ],
)
async def test_what_a_server_does_otherwise_is_found(server: str, found: dict[str, set[str] | str]) -> None:
    """That, and nothing else."""
    with served(server) as url:
        stage = await surveyed(url)
        assert stage.target.workarounds == Workarounds(**found)  # type: ignore[arg-type]
        await end(stage)


async def test_a_broadcast_by_another_name_is_known_by_its_mark() -> None:
    """What is sent as `tokenMove` is heard as token:move from then on, as if the target's file had said so."""
    with served("BroadcastsInCamelCase") as url:
        stage = await surveyed(url)
        assert stage.target.dialect.broadcasts["token:move"] == "tokenMove"
        assert stage.target.workarounds == Workarounds()
        alice, bob = await stage.joined("alice", "bob")
        await alice.send(message := await stage.request(Catalogue.load()["chat-message"]))
        assert (await bob.hear(message)).wire is not None
        await end(stage)


async def test_what_became_of_a_request_is_known_without_its_answer() -> None:
    """A member's token is heard, an outsider is sent an error event; asked for the answer itself, there is none."""
    create = Catalogue.load()["token:create"]
    with served("CreatesInSilence") as url:
        stage = await surveyed(url)
        alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
        accepted = await alice.send(await stage.request(create))
        assert isinstance(accepted, Inferred)
        assert isinstance(accepted.data["token"]["id"], str)
        refused = await mallory.must_be_refused(await stage.request(create))
        assert "mallory was sent an error event" in refused.shown
        assert refused.code == "PERMISSION_DENIED"
        stage.target.workarounds.reported.clear()
        refused = await mallory.must_be_refused(await stage.request(create))
        assert "nobody heard of it" in refused.shown
        with pytest.raises(Unanswered) as none:
            await alice.try_get_answer(await stage.request(create))
        assert none.value.waits_for == ("acks/every-token-operation-answers", "token:create")
        await end(stage)


async def test_joining_and_leaving_are_known_by_what_is_heard() -> None:
    """Who hears the room has joined; who hears it no more has left; an outsider hears nothing."""
    with served("JoinsInSilence") as url:
        stage = await surveyed(url)
        assert stage.target.workarounds.silent == {"join-session"}
        alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
        assert alice.is_in(stage.session)
        assert not (await mallory.try_join(stage.session)).accepted
        message = valid_request(Catalogue.load()["chat-message"], {"sessionId": stage.session})
        assert (await alice.send(message)).readable
        await end(stage)


async def test_a_fence_goes_by_what_is_answered() -> None:
    """Where no request is answered, a namespace that does not exist is; and what worked once is tried first."""
    with served("AnswersNothing") as url:
        target = Target(url, limits=Limits(0.05))
        stage = Stage(AccountPool(0, Provisioner(target)), target)
        await stage.set_up()
        alice = await stage.connected("alice")
        assert await alice.fence()
        assert target.workarounds.fences[0] == NAMESPACE
        await end(stage)


async def test_where_nothing_is_answered_an_error_event_shows_what_is_refused() -> None:
    """Without a callback: what is invalid, what is about something unknown, and who may not; and the code says why."""
    chat = Catalogue.load()["chat-message"]
    with served("AnswersNothing") as url:
        stage = await surveyed(url)
        assert stage.target.workarounds.silent == stage.target.workarounds.reported
        alice, mallory = await stage.joined("alice"), await stage.connected("mallory")
        for actor, request, code in (
            (alice, malformed(chat), "VALIDATION_ERROR"),
            (alice, Request.naming("join-session", unknown_id("session")), "SESSION_NOT_FOUND"),
            (mallory, Request.naming("join-session", stage.session), "PERMISSION_DENIED"),
            (mallory, profile_request(alice.user), "PERMISSION_DENIED"),
        ):
            assert (await actor.must_be_refused(request)).code == code
        await end(stage)


async def test_that_no_error_event_comes_shows_an_acceptance_only_where_one_is_expected() -> None:
    """A question that has no effect is taken for accepted as a preparation, and convicts nobody of accepting it."""
    with served("ShowsNoProfile") as url:
        stage = await surveyed(url)
        alice = await stage.connected("alice")
        assert (await alice.send(profile_request())).accepted
        with pytest.raises(Unanswered):
            await alice.must_be_refused(profile_request())
        await end(stage)


@pytest.mark.parametrize("habit", ["ForgetsWhatNobodyWaitsFor", "SaysNothingWithoutACallback"])
async def test_callbacks_are_kept_where_nothing_shows_without_one(habit: str) -> None:
    """Where what has no callback does not take effect, or is not refused by an error event, nothing is sent so."""
    with served(f"AnswersNothing+{habit}") as url:
        stage = await surveyed(url)
        assert stage.target.workarounds.silent
        assert not stage.target.workarounds.reported
        await end(stage)


async def test_who_joins_what_is_not_there_is_known_by_being_heard_there() -> None:
    """Where no error event comes, another connection of the same user joins too, and hears what the first one says."""
    with served("AnswersNothing+OpensWhatIsUnknown") as url:
        stage = await surveyed(url)
        alice = await stage.connected("alice")
        answer = await alice.try_join(unknown_id("session"))
        assert answer.accepted
        assert "alice is heard there" in answer.shown
        await end(stage)


async def test_others_are_seated_where_those_who_listened_were_removed() -> None:
    """What becomes of a request is known still when the membership of a listener has ended, and begun again."""
    with served("AnswersNothing") as url:
        stage = await surveyed(url)
        alice, bob = await stage.joined("alice", "bob")
        await stage.revoke(bob)
        assert not (await bob.try_join(stage.session)).accepted
        assert (await alice.try_join(stage.session, expected=True)).accepted
        assert bob.identity is not None
        await stage.take_in(bob.identity)
        assert (await bob.try_join(stage.session, expected=True)).accepted
        await end(stage)


async def test_where_all_is_refused_and_nothing_answered_error_events_show_it() -> None:
    """Nothing need take effect for that, if it does not with a callback either."""
    with served("AnswersNothing+RefusesEverything") as url:
        stage = await surveyed(url)
        alice = await stage.connected("alice")
        answer = await alice.try_join(stage.session, expected=True)
        assert not answer.accepted
        assert answer.code == "PERMISSION_DENIED"
        await end(stage)


async def test_an_answer_that_goes_astray_is_no_silence() -> None:
    """A server that answers a refusal under a number of its own does not refuse without an answer."""
    with served("CutsNumbersOff") as url:
        stage = await surveyed(url)
        assert stage.target.workarounds.refused_silently == set()
        await end(stage)
