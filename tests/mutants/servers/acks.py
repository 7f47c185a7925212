"""Faults in answers: whether there is one, one only, and what shape it has."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Payload, Refusal
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, broadcast_with
from tests.mutants.fault import faulty

CHANGES = ("token:create", "token:update", "token:delete")
_A_SECOND = 200  # requests of one user, that are no more than other scenes send


class Answering(Pipeline):
    """Sends something else in place of an acknowledgement; a reworded one for nothing but its wording."""

    def success(self, name: str, envelope: Payload) -> Any:
        """Return what is sent on success."""
        return envelope

    def failure(self, name: str, envelope: Payload) -> Any:
        """Return what is sent on failure."""
        return envelope

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None:
            await super().acknowledge(connection, name, envelope, where)
        else:
            reworded = self.success if envelope["success"] else self.failure
            await self.sockets.answer(where, reworded(name, envelope))


# -- the shape of success ------------------------------------------------------------------------------


@faulty("acks/success-shape")
class LeavesSuccessOut(Answering):
    """A success is answered by its data alone, without `success`."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {"data": envelope["data"]}


@faulty("acks/success-shape")
class PutsTheDataBeside(Answering):
    """The data stands beside `success` in place of under `data`."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {"success": True, **envelope["data"]}


@faulty("acks/success-shape")
class LeavesTheDataOut(Answering):
    """Leaving and chatting are answered with `success` and nothing more."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {"success": True} if name in ("leave-session", "chat-message") else envelope


@faulty("acks/success-shape")
class WritesSuccessAsText(Answering):
    """`success` is the text "true"."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "success": "true"}


@faulty("acks/success-shape")
class AnswersOk(Answering):
    """Chatting is answered by the bare text "ok"."""

    def success(self, name: str, envelope: Payload) -> Any:
        return "ok" if name == "chat-message" else envelope


@faulty("acks/success-shape")
class AddsTheTime(Answering):
    """Every success carries the server's time, of which no schema knows."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "serverTime": 5}


@faulty("acks/success-shape", "direct/no-secrets")
class NamesTheParticipantsInFull(Pipeline):
    """Joining answers with the participants' records in place of their ids, e-mail address and API key included."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        answer = await super().join(connection, user, payload)
        records = [{"id": p, "email": f"{p}@example.org", "apiKey": "k-1"} for p in answer["participantIds"]]
        return {**answer, "participantIds": records}


@faulty("acks/success-shape", "broadcasts/valid-payload")
class NamesTheIdAsItsDatabaseDoes(EffectChanger):
    """Every token that is sent has an `_id` and a `__v`, and no `id`."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if "token" not in effect.answer:
            return effect
        token = {("_id" if name == "id" else name): value for name, value in effect.answer["token"].items()}
        token["__v"] = 0
        return Effect({"token": token}, broadcast_with(effect, token=token), saved=effect.saved)


@faulty("acks/success-shape")
class SendsNullForWhatIsAbsent(Answering):
    """What a token or a profile does not have is sent as null: in answers only."""

    def success(self, name: str, envelope: Payload) -> Any:
        data = dict(envelope["data"])
        if "token" in data:
            data["token"] = {"imageUrl": None, "actorId": None, **data["token"]}
        return {**envelope, "data": data}


# -- the shape of failure ------------------------------------------------------------------------------


@faulty("acks/failure-shape", hides=True)
class AnswersWithABareText(Answering):
    """A refusal is a bare text in place of an envelope."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return str(envelope["error"])


@faulty("acks/failure-shape", hides=True)
class AnswersRefusedRightsWithABareText(Answering):
    """What somebody may not do is refused by a bare text; only what is malformed is refused by an envelope."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return envelope if envelope["code"] == "VALIDATION_ERROR" else str(envelope["error"])


@faulty("acks/failure-shape")
class WrapsTheError(Answering):
    """The error is an object that holds message and code."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {"success": False, "error": {"message": envelope["error"], "code": envelope["code"]}}


@faulty("acks/failure-shape")
class RefusesWithoutSuccess(Answering):
    """A refusal is answered by its error and code, without `success`."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {"error": envelope["error"], "code": envelope["code"]}


@faulty("acks/failure-shape")
class AnswersWithoutACode(Answering):
    """A refusal carries no code."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {"success": False, "error": envelope["error"]}


@faulty("acks/failure-shape")
class NumbersItsCodes(Answering):
    """The code of a refusal is an HTTP status."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "code": 400}


@faulty("acks/failure-shape")
class ShowsItsStack(Answering):
    """A refusal carries the stack trace."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "stack": "at Socket.<anonymous> (server.js:7)"}


# -- the code ------------------------------------------------------------------------------------------


@faulty("acks/code-names-the-cause")
class KnowsOneCode(Answering):
    """Every refusal has the code VALIDATION_ERROR."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "code": "VALIDATION_ERROR"}


@faulty("acks/code-names-the-cause")
class BlamesItself(Answering):
    """What is not found is reported as an internal error: a lookup that finds nothing is used all the same."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "code": "INTERNAL_ERROR"} if envelope["code"].endswith("_NOT_FOUND") else envelope


@faulty("acks/code-names-the-cause")
class CallsTheEncounterASession(Answering):
    """An unknown encounter has the code of an unknown session."""

    def failure(self, name: str, envelope: Payload) -> Any:
        return {**envelope, "code": envelope["code"].replace("ENCOUNTER_", "SESSION_")}


@faulty("acks/code-names-the-cause")
class LooksForThingsFirst(Pipeline):
    """Encounter and token are looked for before it is asked who wants to know: outsiders learn which there are."""

    async def check_rights(self, event: Event, payload: Payload, user: str, connection: str) -> Payload | None:
        if await self.store.session(payload.get("sessionId", "")):
            await self.check_things(event, payload)
        return await super().check_rights(event, payload, user, connection)


@faulty("acks/code-names-the-cause", hides=True)
class AsksWhoBeforeWhat(Pipeline):
    """A user who is no member is refused as such before the request itself is checked."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        event = self.catalogue.events.get(name)
        asked = args[0].get("sessionId") if args and isinstance(args[0], dict) else None
        session = await self.store.session(asked) if event and isinstance(asked, str) else None
        if session is not None and event and "membership" in event.needs:
            await self.check_membership(event, session.id, self.users[connection])
        return await super().perform(connection, name, args)


@faulty("acks/code-names-the-cause")
class TellsWhoExists(Pipeline):
    """Asked for the profile of somebody who does not exist, it says that something is wrong with the id."""

    async def user_data(self, connection: str, user: str, payload: Payload) -> Payload:
        if "userId" in payload and await self.store.user(payload["userId"]) is None:
            raise Refusal("VALIDATION_ERROR", "there is no such user")
        return await super().user_data(connection, user, payload)


@faulty("acks/code-names-the-cause")
class TakesTheAbsentForStrangers(Pipeline):
    """A member who has not joined is refused as if they were no member."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        try:
            super().check_joined(event, session_id, connection)
        except Refusal:
            raise Refusal("PERMISSION_DENIED", "you may not") from None


# -- how many ------------------------------------------------------------------------------------------


@faulty("acks/exactly-one-answer")
class AnswersTwice(Pipeline):
    """A refused request is answered twice: there is no return after the refusal."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is not None and not envelope["success"]:
            await super().acknowledge(connection, name, {"success": True, "data": {}}, where)


@faulty("acks/exactly-one-answer")
class AnswersOnceMoreWhenSaved(Pipeline):
    """A token's creation is answered at once, and again 200 ms later when it has been saved."""

    pause = 0.2

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is not None and name == "token:create" and envelope["success"]:
            again = super().acknowledge(connection, name, envelope, where)
            asyncio.get_running_loop().call_later(self.pause, lambda: asyncio.ensure_future(again))


@faulty("acks/exactly-one-answer")
class AnswersOnceMoreWithTheNext(AnswersOnceMoreWhenSaved):
    """A token's creation is answered at once, and again 5 ms later, when the next request may be under way."""

    pause = 0.005


@faulty("acks/every-token-operation-answers", hides=True)
class NeverAnswersChanges(Pipeline):
    """Creating, updating and deleting tokens take effect and are never answered."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name not in CHANGES or not envelope["success"]:
            await super().acknowledge(connection, name, envelope, where)


@faulty(
    "acks/every-token-operation-answers",
    "acks/success-without-callback-is-silent",
    "broadcasts/catalogue-events-only",
)
class AnswersByAnEvent(Pipeline):
    """A deletion is answered by an event of its own in place of the callback, and where there is none, too."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name == "token:delete" and envelope["success"]:
            await self.sockets.emit("token:deleted", envelope, to=connection)
        else:
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/every-other-request-answers", hides=True)
class LeavesInSilence(Pipeline):
    """Leaving a session is not answered."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name != "leave-session" or not envelope["success"]:
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/every-other-request-answers")
class IgnoresWhoMayNotAsk(Pipeline):
    """A user who may not put a question to validate-action gets no answer."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if name != "validate-action" or envelope.get("code") != "PERMISSION_DENIED":
            await super().acknowledge(connection, name, envelope, where)


@faulty("acks/many-at-once-are-answered")
class DropsWhatIsTooMuch(Pipeline):
    """A connection's requests beyond 200 are dropped without an answer."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.asked: Counter[str] = Counter()

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        self.asked[connection] += 1
        if self.asked[connection] <= 200:
            await super().on_event(connection, data, where)


@faulty("authorization/not-joined-refused")
class LeavesWithoutHavingJoined(Pipeline):
    """Leaving a session one has not joined fails, and answers success."""

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        try:
            return await super().perform(connection, name, args)
        except Refusal as refusal:
            if name == "leave-session" and refusal.code == "NOT_JOINED":
                return {"sessionId": args[0]["sessionId"]}
            raise


@faulty("join/leave-stops-delivery")
class LeavesInName(Pipeline):
    """Leaving answers success and leaves the connection in the room: what goes wrong inside is swallowed."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        self.seats.pop(connection, None)
        return {"sessionId": payload["sessionId"]}


@faulty("acks/limited-has-no-effect")
class LimitsWhatItHasDone(Pipeline):
    """What is too much within a second is answered RATE_LIMITED, and done all the same: the limiter does not return."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.done: dict[str, list[float]] = {}

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        answer = await super().perform(connection, name, args)
        now, user = time.monotonic(), self.users.get(connection, "")
        recent = [at for at in self.done.get(user, ()) if at > now - 1.0]
        self.done[user] = [*recent, now]
        if len(recent) >= _A_SECOND:
            raise Refusal("RATE_LIMITED", "too much at once")
        return answer
