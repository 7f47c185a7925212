"""Themes about payloads: every odd content, every twisted id, and invalid requests of every group."""

from __future__ import annotations

import itertools

from tools.covering.acts import ACTIONS, REFUSED, Theme, about, do, enter, send

from dungeonlab_conformance.payloads.kinds import CLAIMS, QUESTION, TWISTS, kinds_of


def legal(event: str, action: str = "") -> list[str]:
    """Return the legal kinds of payload of an event."""
    return [kind for kind, is_legal in kinds_of(event, action).items() if is_legal]


def illegal(event: str, action: str = "") -> list[str]:
    """Return the kinds of payload of an event that are not."""
    return [kind for kind, is_legal in kinds_of(event, action).items() if not is_legal]


def odd_messages_and_moves() -> Theme:
    """Every kind of message and of move."""
    yield from enter("alice", "bob", "gamemaster")
    yield send("alice", "token:create", token="t1")
    for number, kind in enumerate(legal("chat-message")):
        yield send(("alice", "bob")[number % 2], "chat-message", payload=kind, callback=number % 4 != 3)
    for number, kind in enumerate(legal("token:move")):
        yield send(("alice", "bob")[number % 2], "token:move", token="t1", payload=kind, callback=number % 4 != 1)
    for event in ("join-session", "leave-session", "join-session", "get-user-data"):
        for kind in ("unknown-property", "5-kB-beside", "__proto__-beside")[: 1 if event == "leave-session" else 3]:
            if kind in legal(event):
                yield send("bob", event, payload=kind)


def odd_drafts() -> Theme:
    """Every kind of draft of a token, but for those of names, which are sent as messages and updates."""
    yield from enter("alice", "bob", "gamemaster")
    kinds = [kind for kind in legal("token:create") if not kind.startswith("text:")]
    for number, kind in enumerate(kinds):
        yield send(
            ("alice", "bob")[number % 2], "token:create", token=f"t{number}", payload=kind, callback=number % 5 != 4
        )
    yield send("bob", "token:delete", token="t3")
    for number, kind in enumerate(("unknown-property", "5-kB-beside", "__proto__-beside")):
        yield send("alice", "token:delete", token=f"t{number}", payload=kind)
    for number, event in ((5, "token:move"), (6, "token:update"), (10, "token:delete")):
        yield send("gamemaster", event, token=f"t{number}")


def odd_updates() -> Theme:
    """Every kind of update of a token; one of full properties keeps what is not named."""
    yield from enter("alice", "bob", "carol")
    yield send("alice", "token:create", token="t1", payload="full")
    yield send("bob", "token:create", token="t2")
    for number, kind in enumerate(legal("token:update")):
        token = ("t1", "t1", "t2")[number % 3]
        yield send(("alice", "bob")[number % 2], "token:update", token=token, payload=kind, callback=number % 5 != 4)


def twisted_ids() -> Theme:
    """Each id altered in each way, where nothing else speaks against the request; and claims to be somebody else."""
    yield from enter("alice", "bob", "gamemaster")
    yield send("alice", "token:create", token="t1")
    changes = itertools.cycle(("token:move", "token:update", "token:delete", QUESTION))
    makes = itertools.cycle(("token:create", QUESTION, "token:move"))
    says = itertools.cycle(("chat-message", "join-session", "leave-session", "token:create", QUESTION))
    for number, twist in enumerate(TWISTS):
        tab, callback = ("alice", "bob")[number % 2], number % 3 != 2
        event = next(changes)
        yield send(tab, event, twist=twist, callback=callback, **about(event, "t1"))
        event = next(makes)
        yield send(
            tab, event, twist=f"encounter {twist}", callback=callback, **about(event, _new_or("t1", event, twist))
        )
        event = next(says)
        yield send(tab, event, twist=f"session {twist}", **about(event, _new_or("t1", event, f"s-{twist}")))
        yield send("bob", "get-user-data", user="alice", twist=twist, callback=not callback)
    yield do("connect", "mallory")
    for number, event in enumerate((*REFUSED[:-1], "join-session", "get-user-data")):
        for tab in ("mallory", "bob"):
            made = f"c-{tab}" if event == "token:create" else "t1" if event == QUESTION else "c-bob"
            slots = about(event, made)
            user = {"user": "alice"} if event == "get-user-data" else {}
            yield send(tab, event, payload=CLAIMS, callback=number % 3 != 2, **slots, **user)
    yield send("bob", "get-user-data", payload=CLAIMS)
    yield send("bob", "token:move", token="t1")
    yield send("alice", "chat-message")


def _new_or(token: str, event: str, twist: str) -> str:
    return f"t-{twist}" if event == "token:create" else token


def invalid_requests() -> Theme:
    """Kinds of invalid requests, of each group one by one, by those who may send what is valid."""
    yield from enter("gamemaster", "alice", "bob")
    yield send("alice", "token:create", token="t1")
    number = itertools.count()
    for event in ("join-session", "leave-session", "get-user-data", "chat-message", *ACTIONS):
        groups: dict[str, list[str]] = {}
        for kind in illegal(event):
            groups.setdefault(kind.partition("-")[0], []).append(kind)
        for kinds in groups.values():
            turn = next(number)
            slots = about(event, _new_or("t1", event, str(turn)))
            tab = ("alice", "bob", "gamemaster")[turn % 3]
            yield send(tab, event, payload=kinds[turn % len(kinds)], callback=turn % 2 == 0, **slots)
    for action in ACTIONS:
        kinds = illegal(QUESTION, action)
        for kind in kinds[1 :: len(kinds) // 4]:
            yield send("alice", QUESTION, payload=kind, action=action, token="t1")
    for event, kind in (("chat-message", "text"), ("token:create", "data"), ("token:update", "data")):
        slots = about(event, _new_or("t1", event, kind))
        yield send("bob", event, payload=f"{kind}:half-surrogate", **slots)
    yield send("bob", "token:update", token="t1")
    yield send("alice", "chat-message")
