"""Odd but right: clients that do otherwise than the plain one, and break nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import socketio

from tests.client_programs.in_python.player import FIRST_DELAY, Answer, Player, by_name


class TwoTabs(Player):
    async def run(self) -> None:
        self.other = Player(self.settings)
        self.go(self.other.run())
        await super().run()

    def stop(self) -> None:
        self.other.stop()
        super().stop()


class JoinsTwice(Player):
    async def join(self) -> None:
        self.go(self.ask("join-session", self.in_session()))
        await asyncio.sleep(0)
        await super().join()


class JoinsAgainNowAndThen(Player):
    async def look_up(self, turn: int) -> None:
        if self.joined:
            await self.ask("join-session", self.in_session())


class AsksForNoAnswers(Player):
    async def request(self, event: str, payload: Any) -> Answer:
        if event in ("token:create", "get-user-data", "validate-action") or not self.joined:
            return await super().request(event, payload)
        await self.client.emit(event, payload)
        return None


class Drags(Player):
    async def move(self, turn: int) -> None:
        for y in (5, 6, 5, 6):
            self.go(self.with_token("token:move", position={"x": turn, "y": y}))


class SaysTheSameAgain(Player):
    async def speak(self, turn: int) -> None:
        await self.request("chat-message", self.in_session(message="..."))


class DropsWhatIsSaidOffline(Player):
    async def request(self, event: str, payload: Any) -> Answer:
        return await self.ask(event, payload) if self.joined else None


class OwnHttpSession(Player):
    """The cookie is in a jar of its own, and in no header."""

    def options(self) -> dict[str, Any]:
        name, _, value = self.cookie.partition("=")
        jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False)
        jar.update_cookies({name: value})
        self.http = aiohttp.ClientSession(cookie_jar=jar)
        return {**super().options(), "http_session": self.http}

    async def run(self) -> None:
        async with self.http:
            await super().run()

    def headers(self) -> dict[str, str]:
        return {}


class ReloadsThePage(Player):
    def options(self) -> dict[str, Any]:
        return {"reconnection": False}

    def on_disconnect(self, reason: str) -> None:
        super().on_disconnect(reason)
        if not self.over:
            self.go(self.reload())

    async def reload(self) -> None:
        delay = FIRST_DELAY
        while not self.over:
            await asyncio.sleep(delay)
            delay *= 2
            self.client = socketio.AsyncClient(**self.options())
            self.listen()
            await self.connect()
            if self.client.connected:
                break


class MoreThanTheSchemaNames(Player):
    def in_session(self, **rest: Any) -> dict[str, Any]:
        return {"requestId": str(uuid.uuid4()), **super().in_session(**rest)}


class TriesAgainWhatWasLimited(Player):
    async def ask(self, event: str, *args: Any) -> Answer:
        answer = await super().ask(event, *args)
        if answer is None or answer.get("code") != "RATE_LIMITED":
            return answer
        await asyncio.sleep(0.3)
        return await super().ask(event, *args) if self.joined else answer


class LogsInByItself(Player):
    async def run(self) -> None:
        self.cookie = ""
        await super().run()


class LogsInAgain(Player):
    again = False

    async def give_up(self) -> None:
        if self.again:
            return await super().give_up()
        self.again = True
        self.cookie = await self.log_in()
        return None


class ComesAndGoes(Player):
    async def look_up(self, turn: int) -> None:
        if not self.joined:
            return
        self.joined = False
        await self.ask("leave-session", self.in_session())
        if not self.over and self.client.connected:
            await self.join()


class HangsUpByItself(Player):
    async def remove(self, turn: int) -> None:
        await super().remove(turn)
        if not self.over and self.client.connected:
            await self.client.disconnect()
            await self.connect()


HABITS: Mapping[str, type[Player]] = by_name(__name__)
