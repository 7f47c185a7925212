"""A client as short as one can be, run as a program: it joins, says something now and then, and reacts.

With a word after it, it is faulty, or odd, in one way. What it should play with stands in its environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import socketio

WAY = sys.argv[1] if len(sys.argv) > 1 else ""
SESSION = {"sessionId": os.environ["DUNGEONLAB_SESSION"]}
LAST = 60 if WAY == "joins-again" else 9  # turn, where it leaves by itself
PAUSE = 0.15  # seconds between two messages


def freeze() -> None:
    """Stop, all of the program: no ping is answered."""
    os.kill(os.getpid(), signal.SIGSTOP)


async def main() -> None:
    """Play until a signal comes."""
    client = socketio.AsyncClient(reconnection_delay=0.5)
    state: dict[str, Any] = {"joined": False, "turn": 0, "connected": 0, "silent": False}

    async def ask(event: str, payload: dict[str, Any]) -> Any:
        answer = await client.call(event, payload, timeout=10)
        if WAY == "crashes" and not answer["success"]:
            os._exit(3)
        if WAY == "crashes-at-a-refused-profile" and event == "get-user-data" and not answer["success"]:
            os._exit(3)
        if WAY == "falls-silent-when-limited" and answer.get("code") == "RATE_LIMITED":
            state["silent"] = True
        if WAY == "freezes" and not answer["success"]:
            freeze()
        return answer

    async def connect() -> None:
        state["connected"] += 1
        if (WAY == "never-rejoins" and state["connected"] > 1) or (WAY == "rejoins-once" and state["connected"] > 2):
            state["joined"] = True
            return
        answer = await ask("join-session", SESSION)
        believed = WAY == "believes-any-answer" or (WAY == "believes-a-refused-rejoin" and state["connected"] > 1)
        limited = WAY == "believes-it-is-only-limited" and answer.get("code") == "RATE_LIMITED"
        state["joined"] = answer["success"] or believed or limited

    async def disconnect(reason: str) -> None:
        state["joined"] = False
        if reason == client.reason.SERVER_DISCONNECT:
            await asyncio.sleep(0.3)
            await begin()

    async def refused(why: Any) -> None:
        if WAY == "gives-up-in-silence":
            os.kill(os.getpid(), signal.SIGSTOP)
        if isinstance(why, dict) and WAY != "tries-for-ever":  # the server is there, and refuses
            await client.shutdown()

    async def removed(_: Any) -> None:
        state["joined"] = WAY == "ignores-removal"
        if WAY == "crashes-at-removal":
            os._exit(3)

    async def gone(body: Any) -> None:
        if WAY.removeprefix("crashes-when-somebody-") == body["reason"]:
            os._exit(3)
        if WAY.removeprefix("freezes-when-somebody-") == body["reason"]:
            freeze()
        if WAY.removeprefix("falls-silent-when-somebody-") == body["reason"]:
            state["silent"] = True

    async def unknown(event: str, *args: Any) -> None:
        values = [value for arg in args if isinstance(arg, dict) for value in arg.values()]
        if WAY == "crashes-at-binary-data" and any(isinstance(value, bytes) for value in values):
            os._exit(3)
        if WAY == "crashes-at-a-new-token-event" and event == "token:whistle":
            os._exit(3)

    async def heard(_: Any) -> None:
        if WAY == "only-answers" and state["joined"]:
            await speak()

    async def begin() -> None:
        await client.connect(os.environ["DUNGEONLAB_URL"], headers=lambda: {"Cookie": os.environ["DUNGEONLAB_COOKIE"]})

    async def speak() -> None:
        state["turn"] += 1
        if WAY == "floods" and state["turn"] == 3:
            for turn in range(2_100):
                await client.emit("chat-message", {**SESSION, "message": f"turn 3.{turn}"})
        if WAY == "ends-well" and state["turn"] == 3:
            os._exit(0)
        if WAY == "is-killed" and state["turn"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if WAY == "garbles" and state["turn"] == 3:
            await client.eio.send("2[1]")
        if WAY == "joins-again" and state["turn"] == 3:
            await ask("join-session", SESSION)
        if state["turn"] == LAST and os.environ["DUNGEONLAB_ACT"] == "moved-on":
            state["joined"] = False
            await ask("leave-session", SESSION)
        else:
            if WAY == "asks-now-and-then":
                await client.emit("chat-message", {**SESSION, "message": f"before turn {state['turn']}"})
            await ask("chat-message", {**SESSION, "message": f"turn {state['turn']}"})
            if WAY == "crashes-at-a-refused-profile" and state["turn"] % 4 == 2:
                await ask("get-user-data", {})

    handlers = {"connect": connect, "disconnect": disconnect, "connect_error": refused, "session-removed": removed}
    handlers |= {"chat-message": heard, "user-left": gone, "*": unknown}
    for event, handler in handlers.items():
        client.on(event, handler)
    await begin()
    while True:
        await asyncio.sleep(PAUSE)
        if state["joined"] and not state["silent"] and WAY not in ("only-answers", "only-listens"):
            try:
                await speak()
            except (TimeoutError, socketio.exceptions.SocketIOError):
                state["joined"] = state["joined"] and client.connected


asyncio.run(main())
