"""How themes are written: acts of one line, and rounds of them.

A number in a theme says how many requests are chosen in its place, for the situations that they visit there. Names of
tokens of the chosen ones begin with `f`, those of a theme with `t`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dungeonlab_conformance.payloads.kinds import QUESTION
from dungeonlab_conformance.plays.acts import HERE, Act, Verb

Theme = Iterator[Act | int]

ACTIONS = ("token:create", "token:move", "token:update", "token:delete")
REFUSED = ("chat-message", *ACTIONS, QUESTION, "leave-session")


def send(tab: str, event: str, session: str = HERE, **more: Any) -> Act:
    """Return a request; of a question without an action, one about a move."""
    if event == QUESTION:
        more.setdefault("action", "token:move")
    return Act.from_json({"does": "send", "tab": tab, "event": event, "session": session, **more})


def do(does: Verb, tab: str = "", session: str = HERE, transport: str = "") -> Act:
    """Return an act that is no request."""
    return Act(does, tab, session=session, transport=transport)


def enter(*tabs: str, session: str = HERE, transport: str = "") -> Iterator[Act]:
    """Connect tabs, and have them join."""
    for tab in tabs:
        yield do("connect", tab, transport=transport)
    for tab in tabs:
        yield send(tab, "join-session", session)


def about(event: str, token: str, encounter: str = "") -> dict[str, Any]:
    """Return the slots of a request about a token."""
    found: dict[str, Any] = {"action": "token:move"} if event == QUESTION else {}
    if event.startswith("token:") or event == QUESTION:
        found |= {"token": token, "encounter": encounter}
    return found


def everything(tab: str, token: str, session: str = HERE, encounter: str = "") -> Iterator[Act]:
    """Do each kind of thing once, the half of it without a callback; about a token that is made for it."""
    yield send(tab, "token:create", session, token=token, encounter=encounter)
    yield send(tab, "chat-message", session)
    yield send(tab, "token:move", session, token=token, encounter=encounter, callback=False)
    yield send(tab, "token:update", session, token=token, encounter=encounter)
    yield send(tab, QUESTION, session, token=token, encounter=encounter, callback=False)
    yield send(tab, "chat-message", session, callback=False)
    yield send(tab, "token:delete", session, token=token, encounter=encounter)


def in_vain(tab: str, token: str, session: str = HERE, callbacks: int = 0, encounter: str = "") -> Iterator[Act]:
    """Try each kind of thing once that is to be refused, each second one without a callback."""
    for number, event in enumerate(REFUSED):
        slots = about(event, f"{token}-{tab}" if event == "token:create" else token, encounter)
        yield send(tab, event, session, callback=(number + callbacks) % 2 == 0, **slots)
