"""A server that puts something odd into whatever it sends: the reference server, but for one place in each message."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Emission, Payload
from dungeonlab_reference_server.socketio_server import AckAddress


def _deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = [value] if levels % 2 else {"token": value}
    return value


ODD: Sequence[Any] = (
    *(None, True, 0, -1, 3.0, 1e308, 10**400, "", "x", "\ud800", [], {}, [[]], [{}], [None], {"": {}}),
    *({"id": []}, {"id": {"id": 1}}, {"x": "y"}, {"token": []}, {"user": [1]}, {"valid": "no", "errors": 5}),
    *(_deep(300), _deep(301), "$2b$10$N9qo8uLOickgx2ZMRZoMyeIj", list(range(500))),
)
_RANDOM = random.Random(9)


def odd(message: Any, seldom: float = 0.3) -> Any:
    """Return a message, some of the time with one of its values, or all of it, being another."""
    if _RANDOM.random() > seldom:
        return message
    whole = [copy.deepcopy(message)]
    places: list[tuple[Any, Any]] = [(whole, 0)]
    for holder, key in places:
        inner = holder[key]
        if isinstance(inner, dict | list):
            places.extend((inner, each) for each in (inner if isinstance(inner, dict) else range(len(inner))))
    holder, key = _RANDOM.choice(places)
    holder[key] = _RANDOM.choice(ODD)
    return whole[0]


class OddPipeline(Pipeline):
    """Answers and tells odd things; what it does is right."""

    async def acknowledge(self, connection: str, name: str, envelope: Payload, where: AckAddress | None) -> None:
        if where is None:
            await super().acknowledge(connection, name, envelope, where)
        else:
            await self.sockets.answer(where, odd(envelope))

    async def send_to_others(self, emission: Emission, sender: str) -> None:
        event = odd(emission.event, 0.02)
        name = event if isinstance(event, str) and event != "\ud800" else "odd"
        await self.sockets.emit(name, odd(emission.payload), room=self.room(emission.session), skip_sid=sender)


class OddHttp(HttpSide):
    """Says odd things over HTTP, where it is asked for what no set-up needs."""

    def routes(self) -> list[web.RouteDef]:
        return [web.route(r.method, r.path, _saying_odd_things(r.handler), **r.kwargs) for r in super().routes()]


def _saying_odd_things(handler: Any) -> Any:
    async def say(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        if isinstance(answer, web.Response) and answer.text and request.method == "GET":
            odd_answer = web.json_response(
                odd({"id": "a", "participantIds": ["b"], "error": "c"}), status=answer.status
            )
            odd_answer.headers.extend(h for h in answer.headers.items() if h[0].lower() == "set-cookie")
            return odd_answer
        return answer

    return say
