"""Tokens of a scene: made, asked about, and read from acknowledgements, for the scenes of several areas."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import no_content
from dungeonlab_conformance.invariants.token_state import VOLATILE, Token, changed, id_meant, whole
from dungeonlab_conformance.payloads.requests import new_actor
from dungeonlab_conformance.record.acknowledgement import Acknowledgement, Inferred
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.marks import carries, contains
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.text.tree import copied
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import examples

if TYPE_CHECKING:
    from dungeonlab_conformance.stage.sessions import GameSession
    from dungeonlab_conformance.stage.stage import Stage

_LOOKED = VOLATILE | {"isVisible"}  # what may differ between two looks
_PLACE = {"x": 61, "y": 62, "elevation": 6.5}  # where no token of a scene is


def acknowledged_token(answer: Acknowledgement) -> Token:
    """Return the token that an acknowledgement holds. Raises `Unjudged` if it holds none."""
    token = answer.data.get("token")
    if not isinstance(token, dict):
        raise without(answer, "the token")
    return token


def acknowledged_version(answer: Acknowledgement) -> int | None:
    """Return the version of a token that an acknowledgement names, beside the token or in it; None if it names none."""
    token = answer.data.get("token")
    return whole(answer.data.get("version", token.get("version") if isinstance(token, dict) else None))


def created_id(answer: Acknowledgement, journal: Journal) -> str:
    """Return the id of a token that was created, by its acknowledgement or else by its broadcast.

    Raises `Unjudged` if neither holds one.
    """
    heard = (seen.args[0] for seen in journal.heard() if seen.args and carries(seen, answer.request))
    for body in (answer.data, *heard):
        token = body.get("token") if isinstance(body, dict) else None
        made = id_meant(token) if isinstance(token, dict) else None
        if made is not None:
            return made
    raise without(answer, "the token's id")


def without(answer: Acknowledgement, what: str) -> Unjudged:
    """Return why a scene cannot go on without what an answer should hold."""
    event = answer.request.event
    why = f"was not acknowledged, so {what} is not known"
    if not isinstance(answer, Inferred):
        why = f"was acknowledged without {what}"
    return Unjudged(f"{event} {why}", waits_for=no_content(answer))


def need_its_own_answer(stage: Stage, answer: Acknowledgement) -> None:
    """Raise `Unjudged` if an acknowledgement is about what another request asked for."""
    marks = {sent.mark for sent in stage.journal.requests if sent.event == answer.request.event and sent.mark}
    named = {mark for mark in marks if contains(answer.args, mark)}
    if named and answer.request.mark not in named:
        own = VerdictKey("acks/answered-under-its-number")
        raise Unjudged(f"{answer.request.event} was answered with what another request asked for", waits_for=own)


async def create_full_token(stage: Stage, maker: Actor) -> Token:
    """Create a token with every property set."""
    answer = await maker.send(await full_draft(stage))
    token = acknowledged_token(answer)
    created_id(answer, stage.journal)
    return token


async def full_draft(stage: Stage) -> Request:
    """Return a request to create a token with every property set."""
    request = await stage.request(Catalogue.load()["token:create"])
    full = copied(examples("token:create", "valid")["full"]["token"])
    return request.with_properties({"token": {**full, "name": request.mark, "actorId": new_actor()}})


async def token_request(
    stage: Stage, event: str, token: Token, *, game: GameSession | None = None, **changes: Any
) -> Request:
    """Return a request about one token, which is in the scene's encounter, or in that of `game`."""
    request = await stage.request(Catalogue.load()[event], game=game)
    return request.with_properties({"tokenId": id_of(token), **changes}, mark=id_of(token))


def id_of(token: Token) -> str:
    """Return a token's id. Raises `Unjudged` if it was acknowledged without one."""
    if (found := id_meant(token)) is None:
        shape = VerdictKey("acks/success-shape", "token:create")
        raise Unjudged("a token was acknowledged without its id", waits_for=shape)
    return found


async def stored_token(stage: Stage, actor: Actor, token: Token, *, game: GameSession | None = None) -> Token:
    """Return what is stored of a token: the actor sets its visibility to what it is already."""
    changes = {"isVisible": token.get("isVisible") is not False}
    request = await token_request(stage, "token:update", token, game=game, updates=changes)
    return acknowledged_token(await actor.send(request))


async def need_another_cause_than_looking(stage: Stage, maker: Actor, looker: Actor, keys: Collection[str]) -> None:
    """Raise `Unjudged` if looking at a token changes what the server is about to be blamed for.

    `keys` are the properties in question, if any; who looks may be another one than the token's maker.
    """
    looks = await _compared_looks(stage, maker, looker) if keys else None
    if found := (looks.changed if looks else set()) & set(keys):
        broken = "tokens/true-creator" if found == {"createdBy"} else "tokens/update-changes-only-what-was-sent"
        why = f"an update by which a token is looked at changes its {', '.join(sorted(found))}"
        raise Unjudged(why, waits_for=VerdictKey(broken))


async def need_another_cause_than_creation(stage: Stage, maker: Actor, keys: Collection[str]) -> None:
    """Raise `Unjudged` if any new token is stored with other `keys` than its creation said, whatever these hold."""
    looks = await _compared_looks(stage, maker, maker) if keys else None
    if found := (looks.created if looks else set()) & set(keys):
        stored = VerdictKey("tokens/broadcast-equals-stored-state", "token:create")
        why = f"a new token is stored with another {', '.join(sorted(found))} than was acknowledged"
        raise Unjudged(why, waits_for=stored)


async def need_versions_of_its_own(stage: Stage, looker: Actor, look: Request) -> None:
    """Raise `Unjudged` if the version of the token that `look` changes grows with what is done to another one."""
    before = whole(acknowledged_token(await looker.send(look)).get("version"))
    await looker.send(await stage.request(Catalogue.load()["token:move"], fresh=True))
    after = whole(acknowledged_token(await looker.send(look)).get("version"))
    if before is not None and after is not None and after - before > 1:
        why = "a token's version grows with what is done to another one"
        raise Unjudged(why, waits_for=VerdictKey("tokens/version-grows"))


@dataclass(frozen=True, slots=True)
class _Looks:
    """Which properties looking changes, and which are stored otherwise than a token's creation said."""

    changed: set[str]
    created: set[str]


async def _compared_looks(stage: Stage, maker: Actor, looker: Actor) -> _Looks | None:
    """Compare two looks at a new token, and what was acknowledged before them; None if that cannot be done."""
    try:
        return await _looked_at(stage, maker, looker)
    except Gone:
        raise
    except Unjudged:
        return None


async def _looked_at(stage: Stage, maker: Actor, looker: Actor) -> _Looks:
    """What is not as its creation said may have been stored otherwise: what is set once more is looked at, too."""
    made = await create_full_token(stage, maker)
    looks = [await stored_token(stage, who, made) for who in (maker, looker, looker)]
    found = {key for one, other in itertools.pairwise(looks) for key in changed(one, other, _LOOKED)}
    renamed = await looker.send(await token_request(stage, "token:update", made, updates={"name": "renamed"}))
    found |= set(changed(looks[-1], acknowledged_token(renamed), VOLATILE | {"name"}))  # a way to look, too
    unlike, stays = set(changed(made, looks[0], _LOOKED)), set[str]()
    if again := {key: made[key] for key in unlike & {"name", "imageUrl", "size", "data"} if key in made}:
        said = acknowledged_token(await looker.send(await token_request(stage, "token:update", made, updates=again)))
        stays = again.keys() - set(changed(said, await stored_token(stage, looker, made), _LOOKED))
    if "position" in unlike:
        await looker.send(await token_request(stage, "token:move", made, position=_PLACE))
        came = (await stored_token(stage, looker, made)).get("position")
        stays |= set() if changed({"position": _PLACE}, {"position": came}) else {"position"}
    return _Looks(found | (unlike - stays), (unlike & stays) - found)
