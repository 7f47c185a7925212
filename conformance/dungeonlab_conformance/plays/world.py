"""Who is a member, connected and joined, and which tokens there are, as a play goes on: what makes an act possible.

A small simulation of a correct server with the usual habits, for those who think plays up. It judges no server: what
a server did is the model's business. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from dungeonlab_conformance.payloads.invalid import EXAMPLE_IDS
from dungeonlab_conformance.payloads.kinds import ASKED, QUESTION, payload_of, twisted_key
from dungeonlab_conformance.payloads.requests import needed_ids
from dungeonlab_conformance.plays.acts import HERE, NOWHERE, THERE, Act
from dungeonlab_spec import Catalogue

GAMEMASTER = "gamemaster"
PEOPLE = (GAMEMASTER, "alice", "bob", "carol", "dave", "mallory")
SESSIONS = (HERE, THERE)
_MEMBERS = {HERE: ("alice", "bob", "carol"), THERE: ("carol", "dave")}

# What a connection has to do with a room it is in, by what it had to do with it when it joined.
_JOINED = {
    "new": "joined",
    "reconnected": "joined after reconnecting",
    "left": "joined again",
    "switched": "switched back",
    "moved out": "joined again",
    "removed": "joined after removal",
    "refused": "joined after refusal",
}
INSIDE = frozenset({*_JOINED.values(), "joined twice", "kept"})


@dataclass(slots=True)
class Tab:
    """One connection: the `number` of it in the play, which login it came with, and the room it is in.

    `past` says by session what it has to do with its room.
    """

    name: str
    number: int
    login: int
    transport: str
    reconnected: frozenset[str] = frozenset()  # the rooms that the one before it was in
    room: str = ""
    past: dict[str, str] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """The role of its user."""
        return self.name.partition("/")[0]

    def history(self, session: str) -> str:
        """Return what it has to do with a room: one of `INSIDE` if it is in it."""
        found = self.past.get(session, "reconnected" if session in self.reconnected else "new")
        return "elsewhere" if found == "new" and self.room else found


@dataclass(slots=True)
class Token:
    """One that a play has made: where, by whom, and whether it is still there."""

    session: str
    encounter: str
    maker: str
    number: int
    is_there: bool = True


@dataclass(slots=True)
class World:
    """Everything that a play has led to so far."""

    members: dict[str, set[str]] = field(default_factory=lambda: {key: set(who) for key, who in _MEMBERS.items()})
    removed: dict[str, set[str]] = field(default_factory=lambda: {key: set() for key in SESSIONS})  # at some time
    enrolled: dict[str, set[str]] = field(default_factory=lambda: {key: set() for key in SESSIONS})  # by the play
    deleted: set[str] = field(default_factory=set)
    encounters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SESSIONS, 1))
    logins: dict[str, list[int]] = field(default_factory=lambda: {role: [0] for role in PEOPLE})
    old_cookies: set[str] = field(default_factory=set)  # of whom there is one
    tabs: dict[str, Tab] = field(default_factory=dict)  # that are open
    closed: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)  # how it ended, and its rooms, by name
    tokens: dict[str, Token] = field(default_factory=dict)
    opened: int = 0  # tabs so far
    drafts: int = 0  # of tokens so far, accepted or not

    def copy(self) -> World:
        """Return another one that may go on otherwise."""
        return World(
            {session: set(found) for session, found in self.members.items()},
            {session: set(found) for session, found in self.removed.items()},
            {session: set(found) for session, found in self.enrolled.items()},
            set(self.deleted),
            dict(self.encounters),
            {role: list(found) for role, found in self.logins.items()},
            set(self.old_cookies),
            {name: replace(tab, past=dict(tab.past)) for name, tab in self.tabs.items()},
            dict(self.closed),
            {name: replace(token) for name, token in self.tokens.items()},
            self.opened,
            self.drafts,
        )

    def is_member(self, role: str, session: str) -> bool:
        """Whether somebody may act in a session, the game master included."""
        return session not in self.deleted and (role == GAMEMASTER or role in self.members.get(session, ()))

    def shares(self, one: str, other: str) -> bool:
        """Whether two users are members of a common session."""
        return one == other or any(self.is_member(one, s) and self.is_member(other, s) for s in SESSIONS)

    def in_room(self, session: str) -> list[Tab]:
        """Return the connections in a room, the oldest first."""
        return [tab for tab in self.tabs.values() if tab.room == session]

    def of(self, role: str) -> list[Tab]:
        """Return the open connections of a user."""
        return [tab for tab in self.tabs.values() if tab.role == role]

    def can(self, act: Act) -> bool:
        """Whether an act is possible, right or wrong."""
        role, there = act.role, act.session in SESSIONS and act.session not in self.deleted
        match act.does:
            case "connect":
                return role in PEOPLE and act.tab not in self.tabs and bool(self.logins[role])
            case "connect with the old cookie":
                return act.tab not in self.tabs and role in self.old_cookies
            case "disconnect" | "cut":
                return act.tab in self.tabs
            case "log in":
                return role in PEOPLE
            case "log out":
                return role in PEOPLE and bool(self.logins[role]) and role != GAMEMASTER
            case "enrol":
                return there and role in PEOPLE[1:] and role not in self.members[act.session]
            case "remove":
                return there and role in self.members[act.session]
            case "open encounter" | "delete session":
                return there
        return act.tab in self.tabs and self._can_send(act)

    def _can_send(self, act: Act) -> bool:
        if act.event == "get-user-data":
            return act.user in ("", NOWHERE, *PEOPLE)
        needed = needs_of(act)
        if "encounterId" in needed and act.encounter not in ("", "other", NOWHERE):
            number = int(act.encounter) if act.encounter.isdecimal() else 0
            if not 2 <= number <= self.encounters.get(act.session, 0):
                return False
        return "tokenId" not in needed or act.token == NOWHERE or act.token in self.tokens

    def objections(self, act: Act) -> Iterator[str]:
        """Yield what speaks against a request that can be sent, in the order in which a server judges."""
        event, tab = Catalogue.load()[act.event], self.tabs[act.tab]
        twisted, legal, legal_action = oddity(act.event, act.action, act.payload, act.twist)
        if not legal:
            yield "shape"
        if act.event == "get-user-data":
            if legal and (twisted or act.user == NOWHERE or not self.shares(tab.role, act.user or tab.role)):
                yield "user"
            return
        unknown = act.session not in SESSIONS or act.session in self.deleted or (twisted == "sessionId" and legal)
        if unknown:
            yield "session"
        elif not self.is_member(tab.role, act.session):
            yield "member"
        if "joined" in event.needs and not unknown and tab.room != act.session:
            yield "joined"
        if not legal_action:
            yield "action"
            return
        needed = needs_of(act)
        elsewhere = act.encounter in ("other", NOWHERE)
        if "encounterId" in needed and (elsewhere or twisted == "encounterId"):
            yield "encounter"
        if "tokenId" in needed and (twisted == "tokenId" or not self._has_token(act, anywhere=elsewhere)):
            yield "token"

    def _has_token(self, act: Act, *, anywhere: bool) -> bool:
        token = self.tokens.get(act.token)
        where = (act.session, act.encounter)
        return token is not None and token.is_there and (anywhere or (token.session, token.encounter) == where)

    # -- what acts lead to ---------------------------------------------------------------------------

    def do(self, act: Act) -> bool:
        """Go on by one act, if it is possible; returns whether it was."""
        if not self.can(act):
            return False
        match act.does:
            case "connect":
                self._connect(act)
            case "disconnect" | "cut":
                self._close(self.tabs[act.tab], "cut" if act.does == "cut" else "closed")
            case "log in":
                self.logins[act.role].append(max(self.logins[act.role], default=self.opened) + 1)
            case "log out":
                self.logins[act.role].pop()
                self.old_cookies.add(act.role)
                for tab in self.of(act.role):  # of another login, too: a server may end all that the user has
                    self._close(tab, "logged out")
            case "enrol":
                self.members[act.session].add(act.role)
                self.enrolled[act.session].add(act.role)
            case "remove":
                self.members[act.session].discard(act.role)
                self.removed[act.session].add(act.role)
                self._empty(act.session, act.role)
            case "open encounter":
                self.encounters[act.session] += 1
            case "delete session":
                self.deleted.add(act.session)
                self._empty(act.session)
            case "send":
                self._send(act)
        return True

    def _connect(self, act: Act) -> None:
        self.opened += 1
        rooms = self.closed.pop(act.tab, ("", frozenset[str]()))[1]
        self.tabs[act.tab] = Tab(act.tab, self.opened, self.logins[act.role][-1], act.transport, rooms)

    def _close(self, tab: Tab, how: str) -> None:
        del self.tabs[tab.name]
        self.closed[tab.name] = how, frozenset({tab.room} if tab.room else ())

    def _empty(self, session: str, role: str = "") -> None:
        for tab in self.in_room(session):
            if role in ("", tab.role):
                tab.past[session], tab.room = "removed", ""

    def _send(self, act: Act) -> None:
        tab, refused = self.tabs[act.tab], next(self.objections(act), "")
        self.drafts += act.event == "token:create"
        match act.event:
            case "join-session" if refused:
                if tab.room and tab.room != act.session:
                    tab.past[tab.room] = "kept"
                elif refused == "member":
                    tab.past[act.session] = "refused"
            case "join-session":
                self._join(tab, act.session)
            case "leave-session" if not refused:
                tab.past[act.session], tab.room = "left", ""
            case "token:create" if not refused:
                is_known = act.callback or len(self.in_room(act.session)) > 1
                if act.token and is_known:
                    number = len(self.tokens) + 1
                    self.tokens[act.token] = Token(act.session, act.encounter, tab.role, number)
            case "token:delete" if not refused:
                self.tokens[act.token].is_there = False

    def _join(self, tab: Tab, session: str) -> None:
        before = tab.history(session)
        if tab.room and tab.room != session:
            tab.past[tab.room] = "switched"
        tab.past[session] = _JOINED.get("new" if before == "elsewhere" else before, "joined twice")
        tab.room = session
        for other in self.of(tab.role):
            if other.room not in ("", session):
                other.past[other.room], other.room = "moved out", ""


def needs_of(act: Act) -> frozenset[str]:
    """Return the names of the ids that a request holds; of a question, those of the action that it asks about."""
    name = act.event if act.event != QUESTION else act.action or ASKED
    return needed_ids(Catalogue.load()[name])


@cache
def oddity(event: str, action: str, payload: str, twist: str) -> tuple[str, bool, bool]:
    """Return which id is twisted, whether the schema allows the request, and whether the action that it asks about."""
    request = payload_of(event, payload, EXAMPLE_IDS, action=action, twist=twist)
    allows_action = request.action is None or not request.legal or request.action.legal
    return twisted_key(event, twist, action) if twist else "", request.legal, allows_action
