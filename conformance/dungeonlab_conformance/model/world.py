"""What is so at one moment: users, sessions, tokens, and who is in which room, as the protocol has it. Judges nothing.

The world is given what happened; it never asks a server. What a server was free to choose, or what cannot be known yet,
is marked as such: a tab that is not `sure` may be in its room or not, and of a token's property there may be several
values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Session:
    """A game session: who belongs to it, who did once, and who was taken in again after that."""

    id: str
    master: str | None
    members: set[str]  # with the game master or without
    whole: bool = True  # whether all members are known
    enrols: bool = False  # whether users become members by joining
    asked: set[str] = field(default_factory=set)  # the users who asked to join it where that makes them members
    encounters: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)
    ended: bool = False

    def has(self, user: str | None) -> bool:
        """Whether a user is a member now."""
        return not self.ended and user is not None and (user == self.master or user in self.members)

    def may_have(self, user: str | None) -> bool:
        """Whether a user is a member now, or may have become one by joining."""
        return self.has(user) or (not self.ended and user in self.asked)


@dataclass(slots=True, eq=False)
class Token:
    """A token, with the values that each property may have: more than one only after changes at the same time.

    `version` is None as long as it is not known. `changes` and `deletions` are under way at the same time; `versions`
    and `group` are what those that were accepted were answered with, and the values that they set. `shown` are the
    properties whose value was seen since it was last set; `set_by` the event that set each last.
    """

    id: str
    session: str
    encounter: str
    maker: str | None
    values: dict[str, list[Any]]
    version: int | None
    ended: bool = False
    unsure: bool = False  # whether it exists, or what it is like, is not known
    touched: bool = False  # by anything since it was made
    changes: int = 0
    rounds: int = 0  # of changes, at the same time or not, that are over
    deletions: int = 0
    accepted: int = 0  # of the changes under way
    versions: list[int | None] = field(default_factory=list)
    group: dict[str, list[Any]] = field(default_factory=dict)
    before: dict[str, list[Any]] = field(default_factory=dict)  # the values before those changes
    suspects: list[tuple[str, str]] = field(default_factory=list)  # what must not have changed it, since it was shown
    shown: set[str] = field(default_factory=set)
    set_by: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Tab:
    """One connection of a user. It is in the `room` of a session, or in none; not certainly so if it is not `sure`.

    Something took it out of the rooms in `taken_out`, or may have: a server may say so, at once or late. `past` says in
    a word how it came into its room, and `disturbed` what another tab of the user did since then.
    """

    connection: int
    name: str
    user: str | None
    transport: str
    room: str | None = None
    sure: bool = True
    is_open: bool = True
    logged_in: bool = True
    has_heard: bool = False  # any broadcast at all
    past: str = ""
    asked: str = ""  # the session that it asked to join without a callback, until it shows whether it is there
    may_move: bool = False  # since it asked to, without a callback, and nothing shows that this took effect
    disturbed: str = ""
    taken_out: set[str] = field(default_factory=set)
    stay: int = 0  # a number that is another one after each time that it was, or may have been, out of its room
    last_round_trip: float = 0.0  # when the last one began that was answered
    granted: set[tuple[str, str]] = field(default_factory=set)  # the sessions and events of what it was allowed

    def may_be_out(self) -> None:
        """It may be out of its room from now on."""
        self.sure, self.stay = False, self.stay + 1
        if self.room is not None:
            self.taken_out.add(self.room)

    def is_in(self, session: str) -> bool:
        """Whether it certainly is in the room of a session."""
        return self.is_open and self.sure and not self.may_move and self.room == session and self.logged_in


class World:
    """Everything that is so at one moment."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.encounters: dict[str, set[str]] = {}  # the sessions that have one of each id
        self.tokens: dict[tuple[str, str, str], Token] = {}  # by session, encounter and id
        self.unnamed: Counter[tuple[str, str]] = Counter()  # tokens whose id is not known, by session and encounter
        self.given_again: set[tuple[str, str, str]] = set()  # tokens whose id another may have got
        self.tabs: dict[int, Tab] = {}
        self.first = True  # whether the users have met in no other session than these, as far as is known
        self.refused_unjoined: set[tuple[int, frozenset[int]]] = set()  # `unjoined`, where members were refused for it
        self.shared_once: set[frozenset[str]] = set()  # pairs of users who had a session in common, and have not now

    def tabs_of(self, user: str | None) -> Iterator[Tab]:
        """Yield the open tabs of a user."""
        return (tab for tab in self.tabs.values() if tab.user == user and tab.is_open)

    def in_room(self, session: str) -> Iterator[Tab]:
        """Yield the tabs that certainly are in a session's room."""
        return (tab for tab in self.tabs.values() if tab.is_in(session))

    def unjoined(self, tab: Tab, session: str) -> tuple[int, frozenset[int]]:
        """Return in what circumstances a tab has not joined: a server may go by the other tabs of its user.

        Those are what it has beside it in the room; without any, it is like every other tab.
        """
        others = frozenset(
            each.connection for each in self.tabs_of(tab.user) if each is not tab and each.room == session
        )
        return (tab.connection if others else 0), others

    def share(self, one: str | None, other: str | None) -> bool:
        """Whether two users are members of a common session now."""
        return any(session.has(one) and session.has(other) for session in self.sessions.values())

    def may_share(self, one: str | None, other: str | None) -> bool:
        """Whether two users are members of a common session now, or may be: of one that is not known."""
        met = any(session.may_have(one) and session.may_have(other) for session in self.sessions.values())
        return met or not self.first

    # -- what is done over HTTP ------------------------------------------------------------------------

    def opened(
        self, session: str, master: str | None, members: Iterable[str], *, whole: bool, enrols: bool = False
    ) -> None:
        """A session was opened, or was there; `whole` if all its members are known, `enrols` if joining makes one."""
        self.sessions[session] = Session(session, master, set(members), whole, enrols)

    def encounter_opened(self, session: str, encounter: str) -> None:
        """An encounter was opened in a session."""
        self.encounters.setdefault(encounter, set()).add(session)
        if session in self.sessions:
            self.sessions[session].encounters.append(encounter)

    def enrolled(self, session: str, user: str) -> None:
        """A user became a member."""
        found = self.sessions[session]
        found.members.add(user)
        if user in found.removed:
            found.removed.discard(user)
            found.back.add(user)

    def removed(self, session: str, user: str) -> None:
        """A membership was ended; the user's tabs may be taken out of the room, or stay in it and hear nothing."""
        found = self.sessions[session]
        self._remember_pairs(found, [user])
        found.members.discard(user)
        found.asked.discard(user)
        found.back.discard(user)
        found.removed.add(user)
        for tab in self.tabs_of(user):
            if tab.room == session:
                tab.may_be_out()

    def session_ended(self, session: str) -> None:
        """A session was deleted, with all that is in it."""
        found = self.sessions[session]
        self._remember_pairs(found, [*found.members, found.master or ""])
        found.ended = True
        for token in self.tokens.values():
            token.ended = token.ended or token.session == session
        for tab in self.tabs.values():
            if tab.room == session:
                tab.may_be_out()

    def logged_out(self, user: str) -> None:
        """A login was ended: its tabs lose their rights at once, later, or with the connection."""
        for tab in self.tabs_of(user):
            tab.logged_in = False

    def _remember_pairs(self, session: Session, users: Iterable[str]) -> None:
        everybody = {*session.members, session.master or ""} - {""}
        self.shared_once |= {frozenset((one, other)) for one in users for other in everybody if one != other}

    # -- rooms -----------------------------------------------------------------------------------------

    def connected(self, tab: Tab) -> None:
        """A tab was opened; it is in no room, whatever an earlier one was in."""
        self.tabs[tab.connection] = tab

    def entered(self, tab: Tab, session: str) -> None:
        """A tab joined a session; the user's tabs in other sessions should be moved out of theirs."""
        tab.past = self._past(tab, session)
        if tab.room != session:
            tab.disturbed = ""
            tab.stay += 1
        if tab.asked == session:
            tab.may_move = False
        tab.room, tab.sure, tab.asked = session, True, ""
        self.asked_to_enter(tab, session)
        for other in self.tabs_of(tab.user):
            if other is not tab and other.room == session:
                other.disturbed = "joined"

    def asked_to_enter(self, tab: Tab, session: str) -> list[tuple[Tab, int]]:
        """A tab may join a session: the user's tabs in other sessions should be moved out of theirs.

        Returns those that certainly were in theirs, with the number of the stay that they are left with.
        """
        found = self.sessions.get(session)
        if found is not None and found.enrols and tab.user is not None:
            found.asked.add(tab.user)
        elsewhere = [each for each in self.tabs_of(tab.user) if each is not tab and each.room not in (None, session)]
        were_in = [each for each in elsewhere if each.sure]
        for each in elsewhere:
            each.may_be_out()
        return [(each, each.stay) for each in were_in]

    def left(self, tab: Tab, how: str) -> None:
        """A tab left its room, or was closed; the user's other tabs are not concerned."""
        room, tab.room, tab.sure, tab.asked, tab.stay = tab.room, None, True, "", tab.stay + 1
        for other in self.tabs_of(tab.user):
            if other is not tab and room is not None and other.room == room:
                other.disturbed = how

    def closed(self, tab: Tab) -> None:
        """A connection ended, whether it had joined anything or not."""
        for other in self.tabs_of(tab.user):
            if other is not tab and other.room is not None and tab.room is None:
                other.disturbed = "was closed"
        self.left(tab, "was closed")
        tab.is_open = False

    def _past(self, tab: Tab, session: str) -> str:
        found = self.sessions.get(session)
        if tab.room == session:
            return "joined twice"
        if found is not None and tab.user in found.back:
            return "taken in again"
        if tab.room is not None:
            return "switched"
        if tab.past:
            return "left and joined again"
        ended = (each for each in self.tabs.values() if each.user == tab.user and not each.is_open and each.past)
        return "reconnected" if any(ended) else "joined"

    # -- tokens ----------------------------------------------------------------------------------------

    def created(self, token: Token) -> None:
        """A token was created; what is under way about an earlier one of its id may happen to it."""
        place = token.session, token.encounter, token.id
        earlier = self.tokens.get(place)
        if earlier is not None and (earlier.changes or earlier.deletions):
            self.given_again.add(place)
        self.tokens[place] = token

    def named(self, session: str, encounter: str, name: str) -> None:
        """A request names a token, or is answered: that may be one of which the id is not known yet.

        So it may be where the token that is known by this id, if any, may be deleted.
        """
        known = self.tokens.get((session, encounter, name))
        if self.unnamed[session, encounter] and (known is None or known.ended or known.unsure):
            self.given_again.add((session, encounter, name))

    def token(self, body: Mapping[str, Any]) -> Token | None:
        """Return the token that a request names: in the session and the encounter that it names, or else in any other.

        Tokens of two encounters may have the same id, and encounters of two sessions.
        """
        session, encounter, name = (str(body.get(key)) for key in ("sessionId", "encounterId", "tokenId"))
        others = [each for each in self.tokens.values() if each.id == name]
        named = self.tokens.get((session, encounter, name))
        return named or next((each for each in others if each.encounter == encounter), next(iter(others), None))


def properties(found: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the properties of a token as values that are certain."""
    return {name: [value] for name, value in found.items()}
