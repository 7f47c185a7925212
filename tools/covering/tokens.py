"""Themes about tokens and encounters, and about how many of a kind a server bears."""

from __future__ import annotations

import itertools

from tools.covering.acts import Theme, about, do, enter, everything, send

from dungeonlab_conformance.payloads.kinds import QUESTION
from dungeonlab_conformance.plays.acts import NOWHERE, THERE


def the_lives_of_tokens() -> Theme:
    """Nothing but deletion ends a token: not its maker's going, not an empty room, not a limit, not a namesake."""
    yield from enter("gamemaster", "alice", "bob", "carol")
    for number in range(1, 8):
        yield send(
            ("alice", "bob")[number % 2], "token:create", token=f"t{number}", payload=("minimal", "full")[number % 2]
        )
    for number in (8, 9):
        yield send("carol", "token:create", token=f"t{number}", payload="edge-token-name-shortest")
    yield send("carol", "token:delete", token="t8")
    yield send("bob", "token:update", token="t9", payload="only-updates-isVisible")
    for number, (tab, event) in enumerate(
        itertools.product(("alice", "bob", "carol"), ("token:move", "token:update") * 2)
    ):
        yield send(tab, event, token="t1", callback=number % 3 != 1)
    yield send("gamemaster", "token:update", token="t1", payload="full")
    yield send("alice", "token:move", token="t1", payload="full")
    yield send("alice", "token:move", token="t1")
    for event, kind in (("token:move", "edge-position-x-minimum"), ("token:update", "only-updates-size")):
        for tab in ("alice", "alice", "bob"):
            yield send(tab, event, token="t1", payload=kind)
    yield send("bob", "token:delete", token="t2")
    for event in ("token:move", "token:update", "token:delete"):
        yield send("alice", event, token="t2")
        yield send("bob", event, token="t2", callback=False)
        yield send("carol", QUESTION, token="t2", action=event)
    yield send("alice", "leave-session")
    yield send("bob", "token:move", token="t4")
    yield do("cut", "alice")
    yield send("bob", "token:update", token="t4")
    yield send("gamemaster", QUESTION, token="t6", action="token:delete")
    yield do("remove", "alice")
    yield send("carol", "token:move", token="t4", callback=False)
    yield send("carol", "token:update", token="t6")
    for tab in ("gamemaster", "bob", "carol"):
        yield send(tab, "leave-session", callback=tab != "bob")
    yield send("bob", "join-session")
    yield send("carol", "join-session", callback=False)
    for number in (1, 3, 4, 5, 6, 7, 9):
        yield send("bob", "token:update", token=f"t{number}", payload="only-updates-size")
    yield send("carol", "token:delete", token="t6", callback=False)
    yield send("bob", "token:move", token="t6")
    yield 6


def encounters() -> Theme:
    """A token belongs to one encounter, and an encounter to one session; some are opened while people play."""
    yield from enter("gamemaster", "alice", "bob")
    yield from enter("carol", "dave", session=THERE)
    yield send("alice", "token:create", token="t1")
    yield send("dave", "token:create", THERE, token="t2")
    yield do("open encounter")
    yield from everything("bob", "t3", encounter="2")
    yield do("open encounter")
    yield from everything("alice", "t4", encounter="3")
    yield send("alice", "token:create", token="t5", encounter="2")
    yield send("bob", "token:create", token="t6", encounter="3", callback=False)
    for number, event in enumerate(("token:move", "token:update", "token:delete")):
        for place, (token, encounter) in enumerate(
            (("t1", "2"), ("t5", ""), ("t5", "3"), ("t2", ""), ("t2", "other"), ("t1", "other"), ("t1", NOWHERE))
        ):
            tab = ("alice", "bob", "gamemaster")[place % 3]
            yield send(tab, event, token=token, encounter=encounter, callback=(number + place) % 3 != 0)
            if (number + place) % 2:
                yield send(tab, QUESTION, token=token, encounter=encounter, action=event)
    for encounter in ("other", NOWHERE):
        yield send("alice", "token:create", token=f"t7-{encounter}", encounter=encounter)
        yield send("bob", QUESTION, encounter=encounter, action="token:create")
        yield send("dave", "token:create", THERE, token=f"t8-{encounter}", encounter=encounter, callback=False)
    yield send("alice", "token:move", token="t1")
    yield send("bob", "token:update", token="t5", encounter="2")
    yield send("dave", "token:delete", THERE, token="t2")
    yield do("open encounter", session=THERE)
    yield from everything("carol", "t9", THERE, encounter="2")
    yield 6


def many_of_a_kind() -> Theme:
    """25 messages, 75 requests at once, the same text of two users, one token changed from three tabs at once."""
    yield from enter("gamemaster", "alice", "bob", "carol")
    yield send("alice", "token:create", token="t1")
    for tab in ("alice", "alice", "bob"):
        yield send(tab, "chat-message", payload="edge-message-shortest")
    for number in range(25):
        yield send(("alice", "bob", "alice")[number % 3], "chat-message", callback=number % 5 != 2)
    for number in range(12):
        tab = ("alice", "bob", "carol")[number % 3]
        event = ("token:move", "token:update")[number // 3 % 2]
        yield send(tab, event, token="t1", together=number % 3 != 0)
    for number in range(75):
        tab, event = (("alice", "chat-message"), ("bob", "token:move"), ("carol", "chat-message"))[number % 3]
        yield send(tab, event, **about(event, "t1"), together=number != 0)
    yield send("gamemaster", "token:update", token="t1")
    yield from everything("alice", "t2")


def twenty_listeners() -> Theme:
    """Twenty connections in one room, five of each user: the first, the last and all between hear."""
    people = ("alice", "bob", "carol", "gamemaster")
    tabs = [role if number == 1 else f"{role}/{number}" for number in range(1, 6) for role in people]
    yield from enter(*tabs)
    yield from everything(tabs[-1], "t1")
    yield from everything(tabs[0], "t2")
    yield send(tabs[8], "token:create", token="t3")
    for tab in (tabs[1], tabs[6], tabs[11]):
        yield send(tab, "leave-session", callback=tab != tabs[6])
    yield from everything(tabs[9], "t4")
    yield do("cut", tabs[2])
    yield do("disconnect", tabs[7])
    yield do("remove", "bob")
    yield from everything(tabs[4], "t5")
    yield send(tabs[5], "token:move", token="t3")


def transports() -> Theme:
    """Polling, polling that becomes WebSocket, and what is usual: all hear all, large payloads included."""
    yield from enter("alice", "bob", transport="polling")
    yield from enter("carol", "alice/2", transport="upgrade")
    yield from enter("gamemaster")
    yield from everything("alice", "t1")
    yield from everything("carol", "t2")
    yield from everything("gamemaster", "t3")
    yield send("bob", "token:create", token="t4", payload="full")
    for tab in ("alice", "carol", "gamemaster"):
        for kind in ("data:5-kB", "data:9-kB", "data:15-kB"):
            yield send(tab, "token:update", token="t4", payload=kind, callback=kind != "data:9-kB")
        yield send(tab, "chat-message", payload="text:longest-four-bytes")
    for number in range(12):
        tab = ("alice", "bob", "carol", "gamemaster")[number % 4]
        yield send(tab, "token:move", token="t4", together=number % 6 != 0)
    yield send("alice", "leave-session")
    yield send("bob", "chat-message")
    yield do("cut", "carol")
    yield send("alice/2", "chat-message")
    yield send("alice", "join-session", callback=False)
    yield from enter("carol", transport="polling")
    yield do("disconnect", "bob")
    yield do("connect", "bob", transport="polling")
    yield from everything("alice", "t5")
    yield send("bob", "chat-message")
    yield send("bob", "join-session")
    yield from everything("bob", "t6")
