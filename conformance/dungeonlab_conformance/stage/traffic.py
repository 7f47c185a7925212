"""What scenes of several areas do: a chat message, one of everything that is broadcast, and nothing for a while."""

from __future__ import annotations

import asyncio

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.stage.sessions import GameSession
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_spec import Catalogue

_A_MOMENT = 0.1  # seconds; in which a server comes to an end with what it has answered already
_A_WHILE = 3.0  # seconds; a server that forgets what it did remembers most things for longer than a scene takes


async def let_time_pass() -> None:
    """Wait until a server has got over what it keeps in mind for a moment only. Other scenes are played meanwhile."""
    await asyncio.sleep(_A_WHILE)


async def let_a_moment_pass() -> None:
    """Wait until a server has done what it may do after an answer, such as to subscribe a connection."""
    await asyncio.sleep(_A_MOMENT)


async def chat(stage: Stage) -> Request:
    """Return a new chat message to the scene's session."""
    return await stage.request(Catalogue.load()["chat-message"])


async def everything(stage: Stage, speaker: Actor, witness: Actor, *, game: GameSession | None = None) -> list[Request]:
    """Have somebody do one of everything that is broadcast; return what the witness heard of it, at least one thing.

    What is refused, or reaches nobody, is passed over: other requirements see to that.
    """
    heard: list[Request] = []
    silent = "nothing is broadcast"
    for event in Catalogue.load():
        if event.is_broadcast and stage.target.offers(event.name):
            try:
                request = await stage.request(event, game=game)
                await speaker.send(request)
                await witness.hear(request)
            except Gone:
                raise
            except Unjudged as why:
                silent = str(why)
            else:
                heard.append(request)
    if not heard:
        raise Unjudged(silent)
    return heard
