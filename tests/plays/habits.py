"""Small correct servers, each with a habit that the protocol leaves free and that shows in plays."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload, Refusal, Session, question_errors
from dungeonlab_reference_server.socketio_server import AckAddress
from dungeonlab_spec import Event
from tests.conformance.correct_servers import (
    DisconnectsTheRemoved,
    DisconnectsWhomeverItRefuses,
    RefusesWithoutNames,
    TakesShortMessages,
    WritesIntegersWithAPoint,
)
from tests.false_alarms.conditions import Condition
from tests.false_alarms.servers import wait_briefly
from tests.serving import Variant

_TASKS: set[asyncio.Task[None]] = set()
_OTHERS = ("membership.remove", "session.close", "logout")


class LetsTheUnjoinedAct(Pipeline):
    """Whether a member's connection has joined is not asked."""

    def check_joined(self, event: Event, session_id: str, connection: str) -> None:
        """Let everybody pass."""

    async def leave(self, connection: str, user: str, payload: Payload) -> Payload:
        """Leave the session that is named, and no other."""
        if self.seats.get(connection) == payload["sessionId"]:
            return await super().leave(connection, user, payload)
        return {"sessionId": payload["sessionId"]}


class LeavesOtherTabsAlone(Pipeline):
    """A user's connections may be in several sessions, each in one."""

    def connections_of(self, user: str) -> list[str]:
        return [] if self.joining else super().connections_of(user)

    joining = False

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        self.joining = True
        try:
            return await super().join(connection, user, payload)
        finally:
            self.joining = False


class ClosesOtherTabs(Pipeline):
    """A user's connections in another session are not moved out of it, but closed."""

    async def remove_from_room(self, connection: str, reason: str) -> None:
        if reason == "switched":
            await self.sockets.disconnect(connection)
        else:
            await super().remove_from_room(connection, reason)


class SaysNothingOfPresence(Pipeline):
    """Who joins, leaves or is taken out is announced to nobody."""

    async def announce(self, event: str, connection: str, session: str, more: Payload) -> None:
        """Say nothing."""

    async def send(self, connection: str, event: str, payload: Payload) -> None:
        if event != "session-removed":
            await super().send(connection, event, payload)


class KeepsTheLoggedOut(SaysNothingOfPresence):
    """A logout ends the cookie, and the connections no sooner than they send something."""

    async def end_user(self, user: str) -> None:
        """Close nothing."""


class ClosesTheLoggedOutLater(Pipeline):
    """A logout ends the connections a while afterwards, those too that were opened meanwhile."""

    async def end_user(self, user: str) -> None:
        async def later() -> None:
            await asyncio.sleep(0.2 * random.random())
            await super(ClosesTheLoggedOutLater, self).end_user(user)

        _TASKS.add(asyncio.create_task(later()))


class HandlesAtOnce(Pipeline):
    """What one connection sends takes effect in any order."""

    async def on_event(self, connection: str, data: Sequence[Any], where: AckAddress | None) -> None:
        async def handle() -> None:
            if where is None or random.random() < 0.2:
                await wait_briefly()
            await super(HandlesAtOnce, self).on_event(connection, data, where)

        _TASKS.add(asyncio.create_task(handle()))


class DeliversLate(Pipeline):
    """Some listeners, as if they were on another process, hear up to half a second later, all in order."""

    lines: defaultdict[str, asyncio.Lock]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lines = defaultdict(asyncio.Lock)

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        listeners = [c for c, session in self.seats.items() if session == emission.session and c != sender]
        for connection in listeners:
            _TASKS.add(asyncio.create_task(self.deliver(emission, connection)))

    async def deliver(self, emission: Emission, connection: str) -> None:
        """Send to one, after what was sent to it before."""
        async with self.lines[connection]:
            if hash(connection) % 3 == 0:
                await asyncio.sleep(random.choice((0, 0, 0, 0.1, 0.5)))
            if self.seats.get(connection) == emission.session:
                await self.sockets.emit(emission.event, emission.payload, to=connection)


class ListsTheGameMaster(Pipeline):
    """The game master is among the participants."""

    async def join(self, connection: str, user: str, payload: Payload) -> Payload:
        found = await super().join(connection, user, payload)
        return {**found, "participantIds": [*found["participantIds"], found["gameMasterId"]]}


class SaysErrorsLater(Pipeline):
    """A refusal is reported by an `error` event as well, a moment later."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        await super().acknowledge(connection, name, envelope, where)
        if where is not None and not envelope["success"]:
            _TASKS.add(asyncio.create_task(self._once_more(connection, name, envelope)))

    async def _once_more(self, connection: str, name: str, envelope: Payload) -> None:
        await wait_briefly()
        if self.sockets.is_open(connection):
            await super().acknowledge(connection, name, envelope, None)


class DoesNotDiscussWhatIsMissing(Pipeline):
    """A question about an encounter or a token that is not there is refused; the foreign has a code of its own."""

    async def validate_action(self, connection: str, user: str, payload: Payload) -> Payload:
        if not question_errors(payload):
            await self.check_things(self.catalogue[payload["action"]["type"]], payload["action"]["payload"])
        return await super().validate_action(connection, user, payload)

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        try:
            return await super().check_things(event, payload)
        except Refusal as refusal:
            key = "encounterId" if refusal.code == "ENCOUNTER_NOT_FOUND" else "tokenId"
            if key == "tokenId" and (token := await self.store.token(payload["tokenId"])) is not None:
                home = await self.store.encounter_session(token["encounterId"])
                if home != payload["sessionId"]:
                    raise Refusal("ENCOUNTER_NOT_FOUND", "no") from None
            if key == "encounterId" and await self.store.encounter_session(payload["encounterId"]) is not None:
                raise Refusal("PERMISSION_DENIED", "no") from None
            raise


class EnrolsWhoeverJoins(Pipeline):
    """A user who joins is a participant from then on."""

    async def check_membership(self, event: Event, session_id: str, user: str) -> Session:
        session = await self.store.session(session_id)
        if event.name == "join-session" and session is not None and not session.has_member(user):
            await self.store.enrol(session_id, user)
        return await super().check_membership(event, session_id, user)


class RefusesAtRandom(Pipeline):
    """Some requests are one too many, whichever they are."""

    def check_limit(self, user: str) -> None:
        super().check_limit(user)
        if random.random() < 0.05:
            raise Refusal("RATE_LIMITED", "not so fast")


class EnrolsByJoining(Target):
    """A target of which users become members by joining."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.joining_enrols = True
        self.steps = {name: steps for name, steps in self.steps.items() if name != "membership.add"}


class DoesLittleOverHttp(Target):
    """A target that says of few things how they are done."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.steps = {name: steps for name, steps in REFERENCE_HTTP_API.items() if name not in _OTHERS}
        self.keeps_sessions = True


def _habit(pipeline: type[Pipeline], **more: Any) -> Condition:
    return Condition((pipeline.__doc__ or "").splitlines()[0], Variant(pipeline=pipeline), **more)


HABITS: Mapping[str, Condition] = {
    "unjoined-act": _habit(LetsTheUnjoinedAct),
    "other-tabs-stay": _habit(LeavesOtherTabsAlone),
    "other-tabs-closed": _habit(ClosesOtherTabs),
    "no-presence": _habit(SaysNothingOfPresence),
    "logged-out-stay": _habit(KeepsTheLoggedOut),
    "logged-out-closed-later": _habit(ClosesTheLoggedOutLater),
    "at-once": _habit(HandlesAtOnce),
    "late-deliveries": _habit(DeliversLate),
    "lists-master": _habit(ListsTheGameMaster),
    "errors-later": _habit(SaysErrorsLater),
    "missing-refused": _habit(DoesNotDiscussWhatIsMissing),
    "random-limit": _habit(RefusesAtRandom),
    "joining-enrols": _habit(EnrolsWhoeverJoins, target=EnrolsByJoining),
    "removed-disconnected": _habit(DisconnectsTheRemoved),
    "refused-disconnected": _habit(DisconnectsWhomeverItRefuses),
    "ids-hidden": _habit(RefusesWithoutNames),
    "short-messages": _habit(TakesShortMessages),
    "integers-with-a-point": _habit(WritesIntegersWithAPoint),
    "little-over-http": Condition("nothing is ended over HTTP", target=DoesLittleOverHttp),
    "polling-only": Condition("WebSocket is not served", transport="polling", transports=("polling",)),
}
SHOULD: Mapping[str, frozenset[str]] = {  # what the servers with a habit do not do, although they should
    "unjoined-act": frozenset({"authorization/not-joined-refused"}),
    "other-tabs-stay": frozenset({"join/one-session-per-user"}),
    "other-tabs-closed": frozenset(),
    "logged-out-stay": frozenset({"auth/logout-ends-the-connection"}),
    "at-once": frozenset({"order/answers-in-order", "order/one-sender-in-order"}),
    "late-deliveries": frozenset({"order/broadcast-before-acknowledgement"}),
}
