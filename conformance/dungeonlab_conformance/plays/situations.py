"""What a fault can depend on: who acts, by which connection, what it is about, who listens; and what a play covers.

A *factor* is one such thing, and a *situation* a value of several factors at once. A situation counts as visited only
where its factors decided what became of the act: what an earlier question refused already shows nothing. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from dungeonlab_conformance.payloads.kinds import QUESTION
from dungeonlab_conformance.plays.acts import HERE, NOWHERE, THERE, Act, Play
from dungeonlab_conformance.plays.world import GAMEMASTER, PEOPLE, SESSIONS, Tab, World, needs_of, oddity
from dungeonlab_spec import Catalogue

Situation = tuple[str, ...]  # "factor: value" of each of its factors

# Which factors decide what becomes of a request, by the objection that is raised to it; "" if none is.
_DECIDING: Mapping[str, tuple[str, ...]] = {
    "shape": ("payload", "who"),
    "session": ("about", "who"),
    "member": ("who", "login", "history", "tabs", "transport", "world"),
    "joined": ("history", "who", "login", "tabs", "transport", "world"),
    "action": ("payload", "who"),
    "encounter": ("about", "who"),
    "token": ("about", "who", "world"),
    "user": ("about", "who", "world"),
    "": ("who", "login", "history", "transport", "tabs", "about", "payload", "together", "audience", "world"),
}
_ALWAYS = ("event", "callback")
_FACTORS = (*_ALWAYS, *_DECIDING[""])
_OF_EVENTS = tuple((event, factor) for event in ("event", "asked") for factor in ("kind", "twist", "order"))
_OF_QUESTIONS = tuple(("asked", factor) for factor in ("about", "payload", "outcome"))
PAIRS = (*itertools.combinations(_FACTORS, 2), *_OF_EVENTS, *_OF_QUESTIONS)
PAIRS_OF_LISTENERS = (("event", "listener"), ("callback", "listener"), ("who", "listener"))
TRIPLES = (
    ("event", "callback", "outcome"),
    ("event", "who", "history"),
    ("event", "who", "callback"),
    ("event", "history", "beside"),
    ("event", "who", "about"),
)
_ALL = (*PAIRS, *PAIRS_OF_LISTENERS, *TRIPLES)


def visited(play: Play) -> frozenset[Situation]:
    """Return the situations that a play visits."""
    world, found = World(), set[Situation]()
    for act in play.acts:
        if world.can(act):
            found |= situations(world, act)
            world.do(act)
    return frozenset(found)


def situations(world: World, act: Act) -> set[Situation]:
    """Return the situations that an act is in, which must be possible now."""
    found = deciding(world, act)
    said = {factor: [f"{factor}: {value}" for value in values] for factor, values in found.items()}
    return {
        situation
        for factors in _ALL
        if all(factor in said for factor in factors)
        for situation in itertools.product(*(said[factor] for factor in factors))
    }


def deciding(world: World, act: Act) -> dict[str, tuple[str, ...]]:
    """Return the factors that decide what becomes of an act, with their values."""
    if act.does != "send":
        return {"event": (act.does,)} | _of_a_change(world, act)
    objections = list(world.objections(act))
    if objections[:2] == ["member", "joined"]:
        del objections[1]  # who is no member never has joined
    first = objections[0] if objections else ""
    found: dict[str, tuple[str, ...]] = {"event": (act.event,), "callback": ("with" if act.callback else "without",)}
    if act.event == QUESTION:
        found["asked"] = (act.action,)
    if len(objections) > 1:
        return found | {"order": (" before ".join(objections[:2]),)}
    values = _of_a_request(world, act)
    found |= {factor: values[factor] for factor in _DECIDING[first]}
    found["outcome"] = (first or "accepted",)
    if first == "joined":
        found["beside"] = tuple(
            dict.fromkeys(tab.removeprefix("a newer one ").removeprefix("an older one ") for tab in found["tabs"])
        )
    if act.twist:
        twisted = oddity(act.event, act.action, act.payload, act.twist)[0]
        found["twist"] = (f"{act.twist.rpartition(' ')[2]} of {twisted}",)
    elif not first:
        found["kind"] = (act.payload,)
    if not first and Catalogue.load()[act.event].is_broadcast:
        found["listener"] = tuple(dict.fromkeys(_listeners(world, act)))
    return found


def _of_a_change(world: World, act: Act) -> dict[str, tuple[str, ...]]:
    """Return the factors of what is no request: of a tab if it has one, and of the user."""
    session = act.session if act.session in SESSIONS else HERE
    found: dict[str, tuple[str, ...]] = {
        "who": (who(world, act.role, session),),
        "world": tuple(_world(world, session)),
    }
    if act.does in ("disconnect", "cut"):
        tab = world.tabs[act.tab]
        session = tab.room or session
        found |= {
            "history": (tab.history(session),),
            "tabs": tuple(dict.fromkeys(_other_tabs(world, tab, session))),
            "transport": (tab.transport or "usual",),
        }
    if act.does == "connect":
        found["transport"] = (act.transport or "usual",)
        found["history"] = (f"{world.closed[act.tab][0]} before" if act.tab in world.closed else "new",)
    return found


def _of_a_request(world: World, act: Act) -> dict[str, tuple[str, ...]]:
    tab = world.tabs[act.tab]
    return {
        "who": (who(world, tab.role, act.session),),
        "login": (_login(world, tab),),
        "history": (tab.history(act.session),),
        "transport": (tab.transport or "usual",),
        "tabs": tuple(dict.fromkeys(_other_tabs(world, tab, act.session))),
        "about": tuple(_about(world, act)),
        "payload": (_group(act.payload),),
        "together": ("at the same time" if act.together else "alone",),
        "audience": (_audience(len(world.in_room(act.session)) - (tab.room == act.session)),),
        "world": tuple(_world(world, act.session)),
    }


def who(world: World, role: str, session: str) -> str:
    """Return what a user is to a session."""
    if role == GAMEMASTER:
        return "the game master"
    other = THERE if session == HERE else HERE
    removed = role in world.removed.get(session, ())
    if world.is_member(role, session):
        if role in world.enrolled[session]:
            return "taken in again" if removed else "taken in"
        return "a member of both" if world.is_member(role, other) else "a member"
    if removed:
        return "a removed member"
    return "a member elsewhere" if world.is_member(role, other) else "an outsider"


def _login(world: World, tab: Tab) -> str:
    which = "the first login" if tab.login == 0 else "a later login"
    return f"{which} of several" if len(world.logins[tab.role]) > 1 else which


def _other_tabs(world: World, tab: Tab, session: str) -> Iterator[str]:
    others = [other for other in world.of(tab.role) if other is not tab]
    for other in others:
        age = "an older one" if other.number < tab.number else "a newer one"
        where = "in the room" if other.room == session else "in another room" if other.room else ""
        yield f"{age} {where or other.history(session)}"
        if other.transport != tab.transport and where == "in the room":
            yield "in the room over another transport"
    if sum(other.room == session for other in others) > 1:
        yield "several in the room"
    yield from sorted({how for name, (how, _) in world.closed.items() if name.partition("/")[0] == tab.role})
    if not others:
        yield "none"


def _listeners(world: World, act: Act) -> Iterator[str]:
    """Yield what each other connection is to the request, and what is special about those in the room."""
    sender, room = world.tabs[act.tab], world.in_room(act.session)
    for tab in world.tabs.values():
        if tab is not sender:
            relation = "own" if tab.role == sender.role else who(world, tab.role, act.session)
            yield f"{relation}, {tab.history(act.session)}"
    others = [tab for tab in room if tab is not sender]
    yield from (f"in the room over {tab.transport}" for tab in others if tab.transport)
    for role in PEOPLE:
        mine = [tab for tab in others if tab.role == role]
        if len(mine) > 1:
            yield f"{min(len(mine), 4)} tabs of one user"
    if any(tab.login for tab in others):
        yield "in the room by a later login"


def _audience(count: int) -> str:
    return str(count) if count < 4 else "4 to 6" if count < 7 else "7 to 14" if count < 15 else "15 and more"


def _world(world: World, session: str) -> Iterator[str]:
    """Yield what has happened to the session meanwhile, or besides it."""
    found = [
        ("somebody was removed", bool(world.removed.get(session))),
        ("somebody was taken in", bool(world.enrolled.get(session))),
        ("another encounter was opened", world.encounters.get(session, 1) > 1),
        ("another session was deleted", bool(world.deleted - {session})),
        ("somebody logged out", bool(world.old_cookies)),
    ]
    happened = [what for what, is_so in found if is_so]
    yield from happened or ["nothing has changed"]


def _about(world: World, act: Act) -> Iterator[str]:
    """Yield what a request is about: its session, encounter, token or user."""
    twisted = oddity(act.event, act.action, act.payload, act.twist)[0] if act.twist else ""
    needed = needs_of(act)
    if twisted:
        yield f"a twisted {twisted}"
    elif act.event == "get-user-data":
        yield _about_a_user(world, act)
    elif act.session not in SESSIONS or act.session in world.deleted:
        yield "a deleted session" if act.session in SESSIONS else "an unknown session"
    elif "encounterId" in needed and act.encounter in ("other", NOWHERE):
        yield "an encounter of another session" if act.encounter == "other" else "an unknown encounter"
    elif "tokenId" in needed:
        yield _about_a_token(world, act)
        if act.encounter:
            yield "an encounter opened later"
    else:
        yield "an encounter opened later" if act.encounter and "encounterId" in needed else "the session"


def _about_a_user(world: World, act: Act) -> str:
    asker = act.role
    if act.user in ("", NOWHERE):
        return "an unknown user" if act.user else "the own profile"
    if act.user == asker:
        return "the own profile by id"
    if world.shares(asker, act.user):
        both = [
            session for session in SESSIONS if world.is_member(asker, session) and world.is_member(act.user, session)
        ]
        return "a fellow member, elsewhere" if both == [THERE] else "a fellow member"
    before = World()
    return "a former fellow member" if before.shares(asker, act.user) else "a stranger"


def _about_a_token(world: World, act: Act) -> str:
    token = world.tokens.get(act.token)
    if token is None:
        return "an unknown token"
    if not token.is_there:
        return "a deleted token"
    if token.session != act.session:
        return "a token of another session"
    if token.encounter != act.encounter:
        return "a token of another encounter"
    if token.maker == act.role:
        return "an own token"
    if not world.is_member(token.maker, act.session):
        return "the token of a removed member"
    return "another's token" if world.of(token.maker) else "the token of somebody who is gone"


@cache
def _group(kind: str) -> str:
    """Return which kinds of payload are alike where other factors count."""
    inner = kind.removeprefix("action:")
    if ":" in inner:
        name, _, value = inner.partition(":")
        return "large" if value.endswith("-kB") else "half a surrogate" if value == "half-surrogate" else name
    for start in (
        "missing",
        "null",
        "wrong-type",
        "out-of-bounds",
        "fraction",
        "not-an-object",
        "edge",
        "only",
        "least",
    ):
        if inner.startswith(f"{start}-"):
            return start
    return "something beside" if inner.endswith("-beside") else inner


def count(found: Iterable[Situation]) -> dict[int, int]:
    """Return how many of the situations are of two factors, and how many of three."""
    sizes = [len(situation) for situation in found]
    return {size: sizes.count(size) for size in (2, 3)}
