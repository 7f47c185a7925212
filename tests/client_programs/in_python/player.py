"""A client as it should be, on python-socketio: one user who joins a session and plays for as long as that goes well.

What is specific to one situation is one small method, so that a fault replaces that and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import aiohttp
import socketio

PACE = 0.12  # seconds between two turns
PATIENCE = 6.0  # seconds for an answer
FIRST_DELAY = 0.3  # seconds before the first attempt to connect again; each further one waits longer
LONGEST_DELAY = 4.0  # seconds
TURNS_BEFORE_LEAVING = 8
MOST_WAITING = 100  # requests that are kept while the client is in no room
_TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}

Payload = dict[str, Any]
Answer = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a client plays, and as whom: what stands in the environment."""

    url: str
    username: str
    password: str
    cookie: str
    session: str
    encounter: str
    act: str
    transport: str

    @classmethod
    def read(cls) -> Settings:
        """Return what the environment says. Raises `KeyError` if something is missing."""
        names = [field.name for field in fields(cls)]
        defaults = {"DUNGEONLAB_TRANSPORT": "upgrade"}
        return cls(**{name: {**defaults, **os.environ}[f"DUNGEONLAB_{name.upper()}"] for name in names})


class Player:
    """A user at a table. `joined` says whether this connection is in the room, as far as the server has said."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.joined = False
        self.over = False  # the user is done with this session
        self.waiting: list[tuple[str, Any]] = []  # requests that were made while the connection was in no room
        self.token: str | None = None  # the user's figure on the map
        self.cookie = settings.cookie
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.open: set[asyncio.Future[Answer]] = set()  # requests that are not answered yet
        self.client = socketio.AsyncClient(**self.options())

    async def run(self) -> None:
        """Play until `stop` is called. An error that nobody catches ends the program, as it does elsewhere."""
        if not self.cookie:
            self.cookie = await self.log_in()
        self.listen()
        self.go(self.play())
        try:
            await self.connect()
            await self.ended
        finally:
            for task in self.tasks:
                task.cancel()
        await self.client.shutdown()

    def options(self) -> dict[str, Any]:
        return {"reconnection_delay": FIRST_DELAY, "reconnection_delay_max": LONGEST_DELAY}

    def headers(self) -> dict[str, str]:
        """Return a new dict each time: the library takes the cookie out of the one that it is given."""
        return {"Cookie": self.cookie}

    async def connect(self) -> None:
        transports = _TRANSPORTS[self.settings.transport]
        with suppress(socketio.exceptions.ConnectionError):  # the handler of connect_error knows of it
            await self.client.connect(
                self.settings.url, headers=self.headers, transports=transports, namespaces="/", wait_timeout=PATIENCE
            )

    async def log_in(self) -> str:
        account = {"username": self.settings.username, "password": self.settings.password}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.settings.url}/api/auth/login", json=account) as answer,
        ):
            answer.raise_for_status()
            return answer.headers["Set-Cookie"].partition(";")[0]

    def listen(self) -> None:
        handlers: dict[str, Callable[..., Any]] = {
            "connect": self.on_connect,
            "connect_error": self.on_connect_error,
            "disconnect": self.on_disconnect,
            "session-removed": self.on_removed,
            "error": self.on_error_event,
            "*": self.on_other_event,
        }
        for event, handler in handlers.items():
            self.client.on(event, self.guarded(handler))

    def guarded(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Return a handler whose errors end the program; the library would only log them."""

        def handle(*args: Any) -> None:
            try:
                found = handler(*args)
            except Exception as error:  # whatever it is, the program ends with it
                self.fail(error)
            else:
                if asyncio.iscoroutine(found):
                    self.go(found)

        return handle

    def go(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside all else."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    def stop(self) -> None:
        self.over = True
        if not self.ended.done():
            self.ended.set_result(None)

    # -- what happens to the connection

    def on_connect(self) -> Awaitable[None] | None:
        return self.join()

    def on_disconnect(self, reason: str) -> None:
        self.joined = False
        for answer in tuple(self.open):
            answer.cancel()
        if reason == self.client.reason.SERVER_DISCONNECT and not self.over:
            self.go(self.connect_later())

    def on_connect_error(self, why: Any) -> Awaitable[None] | None:
        """The library goes on for ever, also where the namespace was refused."""
        if self.is_unauthenticated(why):
            return self.give_up()
        return None

    @staticmethod
    def is_unauthenticated(why: Any) -> bool:
        data = why.get("data") if isinstance(why, dict) else None
        return isinstance(data, dict) and data.get("code") == "UNAUTHENTICATED"

    async def give_up(self) -> None:
        self.quit()
        await self.client.shutdown()

    async def connect_later(self) -> None:
        delay = FIRST_DELAY
        while not (self.over or self.client.connected):
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
            if not (self.over or self.client.connected):
                await self.connect()

    # -- what the server says

    def on_removed(self, notice: Payload) -> None:
        if notice.get("sessionId") == self.settings.session:
            self.quit()

    def on_error_event(self, *refusal: Any) -> None:
        """A request without a callback was refused: there is nothing to undo."""

    def on_other_event(self, event: str, *args: Any) -> None:
        """Broadcasts are shown; events that it does not know are none of its business."""

    # -- in the session

    async def join(self) -> None:
        answer = await self.ask("join-session", self.in_session())
        if self.has_joined(answer):
            await self.enter()
        elif answer and answer.get("code") in ("RATE_LIMITED", "INTERNAL_ERROR"):  # may be granted a little later
            await asyncio.sleep(1)
            if self.client.connected:
                await self.join()

    async def enter(self) -> None:
        self.joined = True
        waiting, self.waiting = self.waiting, []
        for event, payload in waiting:
            self.go(self.ask(event, payload))

    def has_joined(self, answer: Answer) -> bool:
        return answer is not None and answer["success"] is True

    async def leave(self) -> None:
        await self.ask("leave-session", self.in_session())
        self.quit()

    def quit(self) -> None:
        self.joined, self.over, self.waiting = False, True, []

    def in_session(self, **rest: Any) -> Payload:
        return {"sessionId": self.settings.session, **rest}

    # -- requests

    async def request(self, event: str, payload: Any) -> Answer:
        """Return the answer to a request of the user; None if there was none, or it has to wait for the room."""
        if self.joined:
            return await self.ask(event, payload)
        if not self.over and len(self.waiting) < MOST_WAITING:
            self.waiting.append((event, payload))
        return None

    async def ask(self, event: str, *args: Any) -> Answer:
        """Send; return the answer, None if none came: what became of the request is not known, and it stays at that."""
        try:
            answer = await self.send(event, *args)
        except (TimeoutError, socketio.exceptions.SocketIOError):
            return None
        if answer is not None and answer["success"] is False:
            await self.on_refusal(event, answer)
        return answer

    async def send(self, event: str, *args: Any, patience: float = PATIENCE) -> Answer:
        """Send, and wait for the answer. Raises `TimeoutError` if none came, also if none can come any more."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.open.add(answer)
        try:
            await self.client.emit(
                event, args, callback=lambda found: None if answer.done() else answer.set_result(found)
            )
            done, _ = await asyncio.wait([answer], timeout=patience)
            if not done or answer.cancelled():
                raise TimeoutError(event)
            return answer.result()
        finally:
            self.open.discard(answer)

    @staticmethod
    def answers(request: asyncio.Future[Answer]) -> Callable[[Any], None]:
        """Return a callback that says what the answer is, unless nobody waits for it any more."""
        return lambda found: None if request.done() else request.set_result(found)

    async def on_refusal(self, event: str, answer: Mapping[str, Any]) -> None:
        if answer["code"] == "NOT_JOINED" and self.joined:
            self.joined = False
            await self.join()

    # -- what the user does

    async def play(self) -> None:
        turns = (self.speak, self.place, self.move, self.speak, self.rename, self.plan, self.look_up, self.remove)
        turn = 0
        while not self.over:
            if self.settings.act == "moved-on" and turn == TURNS_BEFORE_LEAVING:
                return await self.leave()
            await turns[turn % len(turns)](turn)
            await asyncio.sleep(PACE)
            turn += 1
        return None

    async def speak(self, turn: int) -> Any:
        await self.request("chat-message", self.in_session(message=f"This is turn {turn}."))

    async def place(self, turn: int) -> Any:
        token = {"name": "Goblin", "position": {"x": 1, "y": 2}}
        self.token = self.id_in(await self.request("token:create", self.on_map(token=token)))

    def id_in(self, answer: Answer) -> str | None:
        return answer["data"]["token"]["id"] if answer and answer["success"] else None

    async def move(self, turn: int) -> Any:
        await self.with_token("token:move", position={"x": turn, "y": 3})

    async def rename(self, turn: int) -> Any:
        await self.with_token("token:update", updates={"name": f"Goblin {turn}"})

    async def remove(self, turn: int) -> Any:
        await self.with_token("token:delete")

    async def plan(self, turn: int) -> Any:
        if self.token:
            payload = self.on_map(tokenId=self.token, position={"x": turn, "y": 4})
            await self.request("validate-action", self.in_session(action={"type": "token:move", "payload": payload}))

    async def look_up(self, turn: int) -> Any:
        await self.request("get-user-data", {})

    async def with_token(self, event: str, **rest: Any) -> Any:
        if self.token:
            await self.request(event, self.on_map(tokenId=self.token, **rest))

    def on_map(self, **rest: Any) -> Payload:
        return self.in_session(encounterId=self.settings.encounter, **rest)


def by_name(module: str) -> dict[str, type[Player]]:
    """Return the kinds of players that a module defines, each by its name in kebab-case."""
    kinds = [kind for kind in Player.__subclasses__() if kind.__module__ == module]
    return {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in kinds}
