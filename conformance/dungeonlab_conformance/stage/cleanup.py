"""Deletes at the end of a run what outlived its scenes: sessions, tokens in ready-made ones, accounts.

Judges nothing, and hears nothing for any verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.record.acknowledgement import UNKNOWN_TOKEN
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Missing, TargetFault, Unjudged
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.stage.sessions import LABEL, GameSession, close
from dungeonlab_conformance.target.target import Target

_MADE, _ENDED = "token:create", "token:delete"


async def clear_away(provisioner: Provisioner, pools: Iterable[AccountPool], journals: Iterable[Journal]) -> list[str]:
    """Delete everything and let go of the target; returns what could not be deleted, in one sentence each."""
    target, left, journals = provisioner.target, [], list(journals)
    try:
        async with asyncio.timeout(5 * target.limits.answer):
            for pool in pools:
                left += await sweep(target, pool, journals)
            left += await provisioner.clear()
    except (TimeoutError, Unjudged, TargetFault) as why:
        left.append(f"all that has {target.run} in its name: {str(why) or 'it took too long'}")
    if provisioner.opened and not provisioner.offers("session.close"):
        what = f"{provisioner.opened} sessions named {LABEL}-{target.run}"
        left.append(f"{what}: the target offers no {target.advice('session.close')}")
    try:
        await provisioner.close()
    except Unjudged as why:
        left.append(f"the adapter: {why}")
    return left


def in_one_line(left: Sequence[str], run: str) -> list[str]:
    """Return what could not be deleted of a server that went away as one sentence, with the first as an example."""
    if len(left) < 2:
        return list(left)
    return [f"{len(left)} things with {run} in their names, since the server went away; the first: {left[0]}"]


async def sweep(target: Target, pool: AccountPool, journals: Iterable[Journal]) -> list[str]:
    """Delete the sessions that outlived their scenes, or what was created in them; returns what still exists."""
    left = []
    made = tokens(journals) if any(game.ready_made for game in pool.kept.values()) else {}
    for game in pool.kept.values():
        try:
            if game.ready_made:
                left += await _delete(target, pool, game, made)
            await close(pool, game)
        except (Unjudged, TargetFault) as why:
            left.append(f"the session {game.session}, or what was made in it by {target.run}: {why}")
    return left


def tokens(journals: Iterable[Journal]) -> dict[str, str]:
    """Return the tokens that were created and not seen to be deleted, each with its encounter."""
    made: dict[str, str] = {}
    ended = set()
    for journal in journals:
        for seen in journal.observations:
            body = seen.args[0] if seen.args and isinstance(seen.args[0], dict) else {}
            body = body["data"] if isinstance(body.get("data"), dict) else body
            if seen.act not in ("is answered", "hears"):
                continue
            token = body.get("token")
            if seen.event == _MADE and isinstance(token, dict):
                name, encounter = token.get("id"), token.get("encounterId")
                if isinstance(name, str) and isinstance(encounter, str):
                    made[name] = encounter
            elif seen.event == _ENDED and isinstance(body.get("tokenId"), str):
                ended.add(body["tokenId"])
    return {name: encounter for name, encounter in made.items() if name not in ended}


async def _delete(target: Target, pool: AccountPool, game: GameSession, made: dict[str, str]) -> list[str]:
    here = {name: encounter for name, encounter in made.items() if encounter in (*game.encounters, *game.made)}
    member = next(iter(sorted(game.enrolled)), game.party.gamemaster)
    if not here or member is None:
        return []
    actor = Actor("the cleanup", await pool.identity(member), target, Journal())
    try:
        await actor.connect()
        await actor.join(game.session)
        kept = 0
        for name, encounter in here.items():
            payload = {"sessionId": game.session, "encounterId": encounter, "tokenId": name}
            answer = await actor.try_send(Request(_ENDED, (payload,), None, game.session))
            kept += not answer.accepted and answer.code != UNKNOWN_TOKEN
    except Missing:
        kept = len(here)
    finally:
        await actor.close()
    return [f"{kept} tokens in session {game.session}, most of them named mark-{target.run}-…"] if kept else []
