"""Faults that are in the way of what most scenes prepare: a request without an answer, or refused where it may not be.

Each of them breaks one or two rules only, and says nothing of all the others: a suite that judges what it can see of
such a server all the same finds these broken, and hardly anything unjudged.
"""

from __future__ import annotations

from typing import Any, ClassVar

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload, Refusal, Session
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from dungeonlab_spec.catalogue import resolve
from tests.mutants.fault import faulty
from tests.mutants.servers.acks import Answering
from tests.mutants.servers.authorization import Ranks
from tests.mutants.servers.join import AtTheDoor

TOKENS = "acks/every-token-operation-answers"
OTHERS = "acks/every-other-request-answers"
PROFILE = "without an answer there is no profile in it"
NOBODY = "what reaches nobody does not reach this one either"


# -- requests that take effect, and are not answered ---------------------------------------------------


class _Silent(Pipeline):
    """Does what is asked, and does not acknowledge some of it."""

    def says(self, name: str, envelope: Payload) -> bool:
        """Whether a request is answered."""
        raise NotImplementedError

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None or self.says(name, envelope):
            await super().acknowledge(connection, name, envelope, where)


class _SilentFor(_Silent):
    """Never acknowledges one event, neither accepted nor refused."""

    silent: ClassVar[str]

    def says(self, name: str, envelope: Payload) -> bool:
        return name != self.silent


@faulty(OTHERS, hides=True)
class JoinsInSilence(_SilentFor):
    """Joining takes effect or is refused, and is never acknowledged."""

    silent = "join-session"


@faulty(OTHERS)
class NeverSaysThatOneLeft(_SilentFor):
    """Leaving takes effect or is refused, and is never acknowledged."""

    silent = "leave-session"


@faulty(OTHERS)
class ChatsInSilence(_SilentFor):
    """Chat is passed on or refused, and never acknowledged."""

    silent = "chat-message"


@faulty(TOKENS, hides=True)
class CreatesInSilence(_SilentFor):
    """Creating a token takes effect or is refused, and is never acknowledged."""

    silent = "token:create"


@faulty(TOKENS)
class MovesInSilence(_SilentFor):
    """Moving a token takes effect or is refused, and is never acknowledged."""

    silent = "token:move"


@faulty(TOKENS)
class UpdatesInSilence(_SilentFor):
    """Updating a token takes effect or is refused, and is never acknowledged."""

    silent = "token:update"


@faulty(TOKENS)
class DeletesInSilence(_SilentFor):
    """Deleting a token takes effect or is refused, and is never acknowledged."""

    silent = "token:delete"


@faulty(OTHERS, also={"direct/own-profile": PROFILE, "direct/shared-session-profile": PROFILE})
class ShowsNoProfile(_SilentFor):
    """Who asks for a profile is never answered."""

    silent = "get-user-data"


@faulty(OTHERS, also={"direct/validate-action-says-*": "without an answer there is no yes and no no in it"})
class ValidatesInSilence(_SilentFor):
    """Who asks whether an action would be accepted is never answered."""

    silent = "validate-action"


@faulty(
    TOKENS,
    OTHERS,
    also={
        "direct/*-profile": PROFILE,
        "direct/validate-action-says-*": "without an answer there is no yes and no no in it",
        "acks/many-at-once-are-answered": "it answers neither many nor one",
    },
    hides=True,
    measured=True,
)
class AnswersNothing(_Silent):
    """No request is ever acknowledged; each takes effect, or is refused."""

    def says(self, name: str, envelope: Payload) -> bool:
        return False


@faulty(TOKENS, OTHERS, hides=True)
class RefusesInSilence(_Silent):
    """What is refused is never acknowledged."""

    def says(self, name: str, envelope: Payload) -> bool:
        return bool(envelope["success"])


# -- requests that are answered in another way ----------------------------------------------------------


@faulty("acks/success-shape", hides=True)
class CreatesWithoutShowing(Answering):
    """Creating a token is answered with success, and without the token."""

    def success(self, name: str, envelope: Payload) -> Any:
        return {"success": True, "data": {}} if name == "token:create" else envelope


@faulty(
    "rooms/every-other-member-hears-once",
    also={
        "rooms/own-other-connection-hears": NOBODY,
        "rooms/game-master-hears": NOBODY,
        "rooms/no-encounter-rooms": NOBODY,
    },
)
class CreatesUnheard(Pipeline):
    """A new token is stored and acknowledged, and no connection is sent a broadcast of it."""

    async def broadcast(self, emission: Emission, sender: str) -> None:
        if emission.event != "token:create":
            await super().broadcast(emission, sender)


# -- requests that are refused --------------------------------------------------------------------------


def _left_out(payload: Payload) -> list[str]:
    """Return what a draft leaves out."""
    every = resolve("token.json#/$defs/TokenDraft")[0]["properties"]
    return sorted(every.keys() - payload["token"].keys())


@faulty("payloads/valid-accepted", hides=True)
class DemandsCompleteDrafts(Pipeline):
    """A token is created of a draft that leaves nothing out; every other is refused, and its validation says so."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if event.name == "token:create" and (missing := _left_out(payload)):
            raise Refusal("VALIDATION_ERROR", f"the draft must have {', '.join(missing)}")
        return await super().check_things(event, payload)


@faulty("authorization/any-member-allowed", hides=True)
class KeepsCreatingForTheGameMaster(Ranks):
    """Only the game master may create tokens."""

    def may(self, event: Event, user: str, session: Session) -> bool:
        return event.name != "token:create" or user == session.game_master


@faulty(
    "authorization/any-member-allowed",
    "authorization/game-master-allowed",
    also={"tokens/create-then-others-can-move": "others may do nothing"},
    hides=True,
)
class HearsTheFirstMemberOnly(Ranks):
    """Only the first of the participants may act; the others and the game master may join and listen."""

    def may(self, event: Event, user: str, session: Session) -> bool:
        return user in session.participants[:1]


@faulty(
    "authorization/any-member-allowed",
    "authorization/game-master-allowed",
    also={"tokens/create-then-others-can-move": "others may do nothing"},
    hides=True,
)
class HearsTheFirstWhoActs(Ranks, AtTheDoor):
    """Only the participant who acted first may act, until he is turned away; the others may join and listen."""

    first: ClassVar[dict[str, str]] = {}

    def may(self, event: Event, user: str, session: Session) -> bool:
        return user == (self.first.setdefault(session.id, user) if user in session.participants else None)

    async def check_guest(self, session: Session, user: str) -> None:
        if session.has_member(user):
            return
        if self.first.get(session.id) == user:
            del self.first[session.id]
        raise Refusal("PERMISSION_DENIED", "you are no member")


@faulty("join/game-master-admitted", hides=True)
class LocksTheGameMasterOut(AtTheDoor):
    """The game master is refused when joining, and nobody else who may join."""

    async def check_guest(self, session: Session, user: str) -> None:
        if user not in session.participants:
            raise Refusal("PERMISSION_DENIED", "you are no participant")
