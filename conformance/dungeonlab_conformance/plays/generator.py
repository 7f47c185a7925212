"""Random plays: people who mostly do what people do, and now and then what they must not. The same seed, the same play.

A search may lead them to situations that were not visited before; then they depend on the plays before, too.

Draws on nothing but `Random.random`, whose numbers are the same in each version of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import TypeVar

from dungeonlab_conformance.payloads.kinds import ASKED, QUESTION, TWISTS, kinds_of
from dungeonlab_conformance.plays.acts import HERE, NOWHERE, THERE, Act, Play
from dungeonlab_conformance.plays.situations import Situation, situations
from dungeonlab_conformance.plays.world import GAMEMASTER, PEOPLE, SESSIONS, Tab, World, needs_of

_T = TypeVar("_T")

MOST_TABS = 9  # open at a time
WARM = (4, 7)  # tabs that a play begins with
_TRIES = 20  # for an act that is possible
_CANDIDATES = 5  # of which that is done which visits most situations for the first time

_EVENTS: Mapping[str, float] = {
    "chat-message": 14,
    "token:create": 12,
    "token:move": 16,
    "token:update": 16,
    "token:delete": 6,
    "join-session": 14,
    "leave-session": 6,
    "get-user-data": 7,
    QUESTION: 9,
}
_OTHERS: Mapping[str, float] = {
    "connect": 9,
    "disconnect": 3,
    "cut": 3,
    "remove": 4,
    "enrol": 6,
    "log out": 2,
    "log in": 3,
    "connect with the old cookie": 2,
    "open encounter": 2,
    "delete session": 0.4,
}
_ACTIONS = ("token:create", "token:move", "token:update", "token:delete")
_TRANSPORTS: Mapping[str, float] = {"": 8, "polling": 1, "upgrade": 1}
_SENDING = 0.82  # of all acts
_BURST = 0.05  # how often a request is the first of several at the same time
_NARROW = {"sessionId": ("",), "encounterId": ("", "session "), "tokenId": ("", "encounter ", "session ")}


def random_play(
    seed: int | str, length: int = 32, tabs: tuple[int, int] = WARM, known: set[Situation] | None = None
) -> Play:
    """Return a play of about so many acts after its warm start; `seed` is its name, too.

    `tabs` are how many it begins with, at least and at most. `known` are situations that need not be visited again:
    the play looks for others, and adds those that it visits.
    """
    random, world = Random(f"play {seed}"), World()
    acts = list(warm_start(random, world, tabs))
    until = len(acts) + length
    while len(acts) < until:
        if random.random() < _BURST and world.tabs:
            acts += _burst(random, world)
        act = propose(random, world) if known is None else _newest(random, world, known)
        world.do(act)
        acts.append(act)
    return Play.of(f"random {seed}", acts)


def _newest(random: Random, world: World, known: set[Situation]) -> Act:
    """Return that of a few possible acts which visits most situations that are not known; they are known then."""
    candidates = [propose(random, world) for _ in range(_CANDIDATES)]
    visits = [situations(world, act) for act in candidates]
    best = max(range(_CANDIDATES), key=lambda number: len(visits[number] - known))
    known |= visits[best]
    return candidates[best]


def pick(random: Random, among: Sequence[_T]) -> _T:
    """Return one of several, each as likely as the other."""
    return among[int(random.random() * len(among))]


def weighted(random: Random, weights: Mapping[str, float]) -> str:
    """Return one of several, each as likely as its weight says."""
    at = random.random() * sum(weights.values())
    for name, weight in weights.items():
        at -= weight
        if at < 0:
            return name
    return name


def propose(random: Random, world: World) -> Act:
    """Return an act that is possible now."""
    for _ in range(_TRIES):
        act = propose_request(random, world) if random.random() < _SENDING and world.tabs else _other(random, world)
        if world.can(act):
            return act
    return Act("log in", "alice")


def propose_request(random: Random, world: World, tab: Tab | None = None, event: str = "") -> Act:
    """Return a request that can be sent now, by a tab and of an event if they are given."""
    tab = tab or pick(random, list(world.tabs.values()))
    event = event or weighted(random, _EVENTS)
    action = pick(random, _ACTIONS) if event == QUESTION else ""
    session = _session_for(random, world, tab, event)
    act = Act("send", tab.name, event, session, action=action, callback=random.random() < 0.78)
    changes: dict[str, str] = {"payload": _kind(random, event, action)}
    needed = needs_of(act)
    if "tokenId" in needed:
        changes |= _token_for(random, world, session)
    elif "encounterId" in needed:
        changes["encounter"] = _encounter_for(random, world, session)
        if event == "token:create":
            changes["token"] = f"t{world.drafts + 1}"
    if event == "get-user-data":
        changes["user"] = pick(random, ("", *PEOPLE, NOWHERE))
    if random.random() < 0.05:
        changes |= {"payload": "minimal", "twist": random_twist(random, act)}
    return _with(act, changes)


def random_twist(random: Random, act: Act) -> str:
    """Return a twist of one of the ids that a request holds."""
    needed = needs_of(act)
    narrowest = next((key for key in ("tokenId", "encounterId", "sessionId") if key in needed), "")
    return pick(random, _NARROW.get(narrowest, ("",))) + pick(random, list(TWISTS))


def _with(act: Act, changes: Mapping[str, str]) -> Act:
    return Act.from_json({**act.to_json(), **changes})


def warm_start(random: Random, world: World, tabs: tuple[int, int] = WARM) -> Iterator[Act]:
    """Yield how a play begins: some tabs, most of them joined, and a token."""
    first, more = tabs
    names = ["alice", "bob"]
    while len(names) < first + int(random.random() * (more - first + 1)):
        names.append(_new_tab(random, [*names], (GAMEMASTER, "alice", "bob", "carol", "dave", "mallory")))
    for name in names:
        yield from _done(world, Act("connect", name, transport=weighted(random, _TRANSPORTS)))
    for tab in list(world.tabs.values()):
        where = THERE if tab.role == "dave" or (tab.role == "carol" and random.random() < 0.3) else HERE
        if tab.role != "mallory" and random.random() < 0.9:
            yield from _done(world, Act("send", tab.name, "join-session", where))
    makers = world.in_room(HERE)
    if makers:
        yield from _done(world, Act("send", pick(random, makers).name, "token:create", token="t1"))


def _done(world: World, act: Act) -> Iterator[Act]:
    world.do(act)
    yield act


def _new_tab(random: Random, taken: Sequence[str], people: Sequence[str]) -> str:
    role = pick(random, people)
    names = (role, *(f"{role}/{n}" for n in range(2, MOST_TABS + 2)))
    return next(name for name in names if name not in taken)


def _burst(random: Random, world: World) -> list[Act]:
    """Return several requests at the same time, often about the same token."""
    first = propose_request(random, world, event=pick(random, ("token:move", "token:update", "chat-message")))
    acts: list[Act] = []
    for _ in range(2 + int(random.random() * 6)):
        tab = pick(random, list(world.tabs.values()))
        act = _with(first, {"tab": tab.name, "payload": "minimal", "twist": ""})
        if not world.can(act):
            break
        world.do(act)
        acts.append(act if not acts else Act.from_json({**act.to_json(), "together": True}))
    return acts


def _other(random: Random, world: World) -> Act:
    does = weighted(random, _OTHERS)
    session = HERE if random.random() < 0.75 else THERE
    match does:
        case "connect":
            if len(world.tabs) >= MOST_TABS:
                return Act("cut", pick(random, list(world.tabs)))
            gone = [name for name in world.closed if world.can(Act("connect", name))]
            name = pick(random, gone) if gone and random.random() < 0.7 else _new_tab(random, list(world.tabs), PEOPLE)
            return Act("connect", name, transport=weighted(random, _TRANSPORTS))
        case "disconnect" | "cut":
            return Act(does, pick(random, list(world.tabs) or ["alice"]))
        case "log in" | "log out":
            return Act(does, pick(random, PEOPLE[1:]))
        case "connect with the old cookie":
            return Act(does, _new_tab(random, list(world.tabs), PEOPLE[1:]))
        case "enrol" | "remove":
            return Act(does, pick(random, PEOPLE[1:]), session=session)
        case "open encounter":
            return Act(does, session=session)
    return Act("delete session", session=session)


def _session_for(random: Random, world: World, tab: Tab, event: str) -> str:
    if event == "get-user-data":
        return HERE
    odd = random.random()
    if odd < 0.03:
        return NOWHERE
    if event == "join-session":
        mine = [session for session in SESSIONS if world.is_member(tab.role, session)]
        return pick(random, mine) if mine and odd < 0.85 else pick(random, SESSIONS)
    return tab.room if tab.room and odd < 0.9 else pick(random, SESSIONS)


def _encounter_for(random: Random, world: World, session: str) -> str:
    odd = random.random()
    if odd < 0.04:
        return NOWHERE
    if odd < 0.1:
        return "other"
    last = world.encounters.get(session, 1)
    return str(last) if last > 1 and odd < 0.5 else ""


def _token_for(random: Random, world: World, session: str) -> dict[str, str]:
    """Return the slots of a token and of its encounter: as a rule one that is there."""
    odd = random.random()
    there = [n for n, token in world.tokens.items() if token.is_there and token.session == session]
    if not world.tokens or odd < 0.04:
        return {"token": NOWHERE}
    name = pick(random, there) if there and odd < 0.8 else pick(random, list(world.tokens))
    token = world.tokens[name]
    if odd > 0.93:
        return {"token": name, "encounter": _encounter_for(random, world, session)}
    return {"token": name, "encounter": token.encounter if token.session == session else ""}


def _kind(random: Random, event: str, action: str) -> str:
    odd = random.random()
    if odd < 0.55:
        return "minimal"
    kinds = kinds_of(event, action or (ASKED if event == QUESTION else ""))
    legal = [kind for kind, is_legal in kinds.items() if is_legal]
    return pick(random, legal) if odd < 0.9 else pick(random, [kind for kind in kinds if kind not in legal])
