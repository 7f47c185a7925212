"""Puts a world into a store, and says who can log in to it, and how."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dungeonlab_reference_server.passwords import hash_password
from dungeonlab_reference_server.pipeline import COOKIE
from dungeonlab_reference_server.rooms import now
from dungeonlab_reference_server.rules import Command, Session, create
from dungeonlab_reference_server.store import Store, User

if TYPE_CHECKING:
    from dungeonlab_reference_server.world_file import World


async def settle(world: World, store: Store, scrypt_n: int) -> None:
    """Make all that is in a world be in a store that holds none of it."""
    for name, user in world.users.items():
        secret = hash_password(user.password, scrypt_n)
        await store.add_user(User(world.user_id(name), name, user.display_name, secret))
    for key, session in world.sessions.items():
        participants = tuple(map(world.user_id, session.participants))
        await store.save_session(Session(key, session.name, world.user_id(session.game_master), participants))
    for key, encounter in world.encounters.items():
        await store.save_encounter(key, encounter.session)
    for key, token in world.tokens.items():
        session_id = world.encounters[token.encounter].session
        creator = world.user_id(token.created_by or world.sessions[session_id].game_master)
        payload = {"sessionId": session_id, "encounterId": token.encounter, "token": token.draft}
        await store.save_token(create(Command("token:create", payload, creator, now(), key)).saved or {})


async def introduction(world: World, store: Store, url: str, *, is_demo: bool, origins: Sequence[str] = ()) -> str:
    """Return for people what is in a world, and how to log in; passwords and a cookie only of the demo's users."""
    lines = ["", "A world to develop clients against. What happens in it is forgotten when the server ends.", ""]
    shown = {name: user.password if is_demo else "(in the file)" for name, user in world.users.items()}
    lines += _table(
        ["username", "password", "user id", "sessions"],
        [(name, shown[name], world.user_id(name), ", ".join(_sessions(world, name)) or "none") for name in world.users],
    )
    lines += _table(
        ["session", "encounter", "tokens"],
        [(place, key, ", ".join(_tokens(world, key)) or "none") for place, key in _encounters(world)],
    )
    lines += _hosts(url, origins)
    if world.users:
        name = next(iter(world.users))
        body = json.dumps({"username": name, "password": shown[name] if is_demo else "PASSWORD"})
        lines.append(f"Log in as {name}, with the cookie kept in a file, and see who that is:")
        json_type = "-H 'Content-Type: application/json'"
        lines.append(f"  curl -sS -c {name}.cookies {json_type} -d {shlex.quote(body)} {url}/api/auth/login")
        lines.append(f"  curl -sS -b {name}.cookies {url}/api/auth/me")
        if is_demo:
            cookie = secrets.token_urlsafe(32)
            await store.open_login(cookie, world.user_id(name))
            lines += ["Or with a cookie that was obtained for you:", f"  Cookie: {COOKIE}={cookie}"]
    return "\n".join(lines)


def _hosts(url: str, origins: Sequence[str]) -> Iterator[str]:
    """Yield what a page of another host name has to know: cookies go by it, and not by the address behind it."""
    here = urlsplit(url)
    for origin in origins:
        name = urlsplit(origin).hostname or ""
        if {here.hostname, name} == {"127.0.0.1", "localhost"}:
            yield f"On pages of {origin}, call this server http://{name}:{here.port}, or they are sent no cookie."
            yield ""


def _sessions(world: World, name: str) -> Iterator[str]:
    for key, session in world.sessions.items():
        if name == session.game_master:
            yield f"{key} (game master)"
        elif name in session.participants:
            yield key


def _encounters(world: World) -> Iterator[tuple[str, str]]:
    """Yield each session with each of its encounters, or with none."""
    for session in world.sessions:
        yield from [(session, key) for key, found in world.encounters.items() if found.session == session] or [
            (session, "none")
        ]


def _tokens(world: World, encounter: str) -> list[str]:
    return [key for key, token in world.tokens.items() if token.encounter == encounter]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows in columns, with a blank line behind them; nothing if there are none."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return [*(f"  {line}".rstrip() for line in shown), ""]
