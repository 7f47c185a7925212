"""Faults of clients, each in the smallest seam of the correct one. What each breaks is stated in `../faults.py`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.client_programs.in_python.player import Answer, Player, by_name

_OUT_OF_PATIENCE = 0.7  # seconds


class NoCookie(Player):
    def headers(self) -> dict[str, str]:
        return {}


class CookieLostOnReconnect(Player):
    """The headers are a dict: the library takes the cookie out of it when it connects for the first time."""

    async def connect(self) -> None:
        self.headers = {"Cookie": self.cookie}  # type: ignore[method-assign, assignment]
        await super().connect()


class SendsBeforeItJoins(Player):
    greeted = False

    async def on_connect(self) -> None:
        if not self.greeted:
            await self.ask("chat-message", self.in_session(message="Hello!"))
        self.greeted = True
        await self.join()


class NeverJoins(Player):
    async def join(self) -> None:
        await self.enter()

    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        pass


class DoesNotWaitForTheJoin(Player):
    greeted = False

    async def join(self) -> None:
        joining = asyncio.ensure_future(super().join())
        if not self.greeted:
            self.go(self.ask("chat-message", self.in_session(message="Hello!")))
        self.greeted = True
        await joining


class BelievesARefusedJoin(Player):
    def in_session(self, **rest: Any) -> dict[str, Any]:
        return {"sessionId": f"{self.settings.session}-x", **rest}

    def has_joined(self, answer: Answer) -> bool:
        return True


class AnyAnswerLetsItIn(Player):
    def has_joined(self, answer: Answer) -> bool:
        return True


class ForgetsTheSessionId(Player):
    async def rename(self, turn: int) -> None:
        if self.token:
            updates = {"name": f"Goblin {turn}"}
            payload = {"encounterId": self.settings.encounter, "tokenId": self.token, "updates": updates}
            await self.request("token:update", payload)


class SessionIdIsEmpty(Player):
    async def speak(self, turn: int) -> None:
        await self.request("chat-message", {"sessionId": None, "message": f"This is turn {turn}."})


class NumbersAsText(Player):
    async def move(self, turn: int) -> None:
        await self.with_token("token:move", position={"x": str(turn), "y": "3"})


class BlankMessages(Player):
    async def speak(self, turn: int) -> None:
        await self.request("chat-message", self.in_session(message=" "))


class PayloadAsText(Player):
    async def remove(self, turn: int) -> None:
        if self.token:
            await self.request("token:delete", json.dumps(self.on_map(tokenId=self.token)))


class TwoArguments(Player):
    async def send(self, event: str, *args: Any, **more: Any) -> Answer:
        return await super().send(event, *args, *([{"urgent": True}] if event == "chat-message" else []), **more)


class NoArgument(Player):
    async def send(self, event: str, *args: Any, **more: Any) -> Answer:
        return await super().send(event, *(() if event == "get-user-data" else args), **more)


class MisspellsAnEvent(Player):
    async def look_up(self, turn: int) -> None:
        if self.joined:
            await self.client.emit("chat_message", self.in_session(message="Is anybody there?"))


class CrashesAtAnErrorAck(Player):
    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        self.fail(RuntimeError(f"{event}: {answer['error']}"))


class HangsUpAtAnErrorAck(Player):
    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        await self.client.disconnect()


class EndsWellAtAnErrorAck(Player):
    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        os._exit(0)


class BelievesEveryAck(Player):
    async def ask(self, event: str, *args: Any) -> Answer:
        answer = await super().ask(event, *args)
        self.shown = list(answer["data"]) if answer else None
        return answer


class CrashesAtAnErrorEvent(Player):
    def on_error_event(self, *refusal: Any) -> None:
        raise RuntimeError(refusal)


class HangsUpAtAnErrorEvent(Player):
    def on_error_event(self, *refusal: Any) -> None:
        self.go(self.give_up())


class CrashesAtAnUnknownEvent(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        known = ("chat-message", "user-joined", "user-left", "token:create", "token:move", "token:update")
        {**dict.fromkeys(known), "token:delete": None}[event]


class ReadsWhateverComes(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        self.active = args[0]["sessionId"]


class HangsUpAtAnUnknownEvent(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        if event.startswith("x-"):
            self.go(self.give_up())


class CrashesAtPresenceEvents(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        if event == "user-joined":
            members = {self.settings.username: "me"}
            members[args[0]["userId"]]


class HangsUpWhenSomebodyLeft(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        if event == "user-left":
            self.go(self.give_up())


class EndsWellWhenSomebodyLeft(Player):
    def on_other_event(self, event: str, *args: Any) -> None:
        if event == "user-left" and args[0].get("reason") == "switched":
            os._exit(0)


class EndsWhenDisconnected(Player):
    def on_disconnect(self, reason: str) -> None:
        if reason == self.client.reason.SERVER_DISCONNECT:
            raise ConnectionAbortedError(reason)
        super().on_disconnect(reason)


class EndsWellWhenDisconnected(Player):
    def on_disconnect(self, reason: str) -> None:
        if reason == self.client.reason.SERVER_DISCONNECT:
            os._exit(0)
        super().on_disconnect(reason)


class FlushesBeforeTheRejoin(Player):
    """What is said while the connection is away goes out as soon as there is one again, and the join follows."""

    lost = False

    def on_disconnect(self, reason: str) -> None:
        super().on_disconnect(reason)
        self.lost = True

    async def on_connect(self) -> None:
        if self.lost:
            await self.client.emit("chat-message", self.in_session(message="Is anybody there?"))
        await self.join()


class NeverRejoins(Player):
    entered = False

    async def on_connect(self) -> None:
        if not self.entered:
            return await self.join()
        self.joined = True
        return None

    async def enter(self) -> None:
        self.entered = True
        await super().enter()

    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        pass


class RejoinsAfterItsFirstMessage(Player):
    entered = False

    async def on_connect(self) -> None:
        if self.entered:
            self.go(self.ask("chat-message", self.in_session(message="I am back.")))
            await asyncio.sleep(0)  # it is on its way
        await self.join()

    async def enter(self) -> None:
        self.entered = True
        await super().enter()

    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        pass


class DoesNotComeBack(Player):
    def options(self) -> dict[str, Any]:
        return {"reconnection": False}


class Hammers(Player):
    def options(self) -> dict[str, Any]:
        return {"reconnection_delay": 0.3, "reconnection_delay_max": 0.3, "randomization_factor": 0}


class HammersMoreAndMore(Player):
    def options(self) -> dict[str, Any]:
        return {"reconnection": False}

    def on_disconnect(self, reason: str) -> None:
        super().on_disconnect(reason)
        if reason != self.client.reason.SERVER_DISCONNECT:
            self.go(self.connect_later())

    async def connect_later(self) -> None:
        delay = 1.2
        while not (self.over or self.client.connected):
            await asyncio.sleep(delay)
            delay = max(0.05, 0.7 * delay)
            await self.connect()


class GoesOnAfterBeingRemoved(Player):
    def on_removed(self, notice: dict[str, Any]) -> None:
        pass


class GoesOnAfterLeaving(Player):
    async def leave(self) -> None:
        await self.ask("leave-session", self.in_session())
        for turn in range(5):
            await self.speak(turn)
        self.quit()

    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        pass


class AListenerLivesOnAfterLeaving(Player):
    async def leave(self) -> None:
        await super().leave()
        while True:
            await asyncio.sleep(0.2)
            await self.ask("token:create", self.on_map(token={"name": "Ghost", "position": {"x": 0, "y": 0}}))


class KeepsTryingWhenUnauthenticated(Player):
    """What the library does by itself."""

    def on_connect_error(self, why: Any) -> None:
        self.joined = False


class ResendsTheUnanswered(Player):
    async def send(self, event: str, *args: Any, patience: float = _OUT_OF_PATIENCE) -> Answer:
        if event == "join-session":
            return await super().send(event, *args)
        for _ in range(3):
            try:
                return await super().send(event, *args, patience=patience)
            except TimeoutError:
                if not self.joined:
                    break
        raise TimeoutError(event)


class CountsItsAttempts(Player):
    async def send(self, event: str, *args: Any, patience: float = _OUT_OF_PATIENCE) -> Answer:
        if event == "join-session":
            return await super().send(event, *args)
        for attempt in (1, 2, 3):
            if attempt == 1 or self.joined:
                with suppress(TimeoutError):
                    return await super().send(event, {**args[0], "attempt": attempt}, patience=patience)
        raise TimeoutError(event)


class ResendsWhateverIsUnanswered(Player):
    async def send(self, event: str, *args: Any, patience: float = _OUT_OF_PATIENCE) -> Answer:
        while True:
            try:
                return await super().send(event, *args, patience=patience)
            except TimeoutError:
                if not self.client.connected:
                    raise


FAULTS: Mapping[str, type[Player]] = by_name(__name__)
