"""A play: acts of people and their tabs, in order. Pure data; says what is done, and nothing of what must follow.

Acts name roles and slots, never ids: `alice/2` is alice's second tab, `there` the second session, `t3` the third token
that the play makes. What a slot stands for is found out when the play is carried out, and an act that is impossible
then is left out. So any part of a play is a play.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Self, get_args

Verb = Literal[
    "connect",  # a tab, with the user's newest cookie; over `transport`, or as usual
    "connect with the old cookie",  # a tab, with the cookie that was logged out last: it must be refused
    "disconnect",  # a tab, saying so
    "cut",  # a tab, without a word
    "send",  # a request of an `event`
    "log out",  # a user's newest login
    "log in",  # a user once more, with a new cookie
    "enrol",  # a user, in a session
    "remove",  # a user's membership of a session
    "open encounter",  # another one, in a session
    "delete session",
]
VERBS: tuple[Verb, ...] = get_args(Verb)
REQUESTS = ("send",)  # the verbs that go over the socket of a tab that is connected

HERE, THERE, NOWHERE = "here", "there", "nowhere"  # sessions: the first, the second, and none at all


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is done.

    `tab` is who does it: a role, such as `alice`, for the user's first tab, and `alice/2` for the second; of what is
    done over HTTP, the user it is about. `session` is a slot: `here`, `there` or `nowhere`. `encounter` is one too: ""
    for the session's first, `2` for the one that was opened next in it, `other` for the first of the other session,
    `nowhere`. `token` is `t1` for the first that the play creates, or `nowhere`; of `token:create`, the name that the
    new one is given. `user` is the role whose profile is asked for, "" for the own. `action` is the event that a
    `validate-action` asks about. `payload` names a kind of payload (`payloads.kinds`), `twist` how one id is altered:
    `case`, `space`, `__proto__` ... `together` says that the act begins without waiting for the end of the one before.
    """

    does: Verb
    tab: str = ""
    event: str = ""
    session: str = HERE
    encounter: str = ""
    token: str = ""
    user: str = ""
    action: str = ""
    callback: bool = True
    payload: str = "minimal"
    twist: str = ""
    transport: str = ""
    together: bool = False

    @property
    def role(self) -> str:
        """The role of the user who acts, or who is acted upon."""
        return self.tab.partition("/")[0]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, without what is as usual."""
        return {name: getattr(self, name) for name, usual in _USUAL.items() if getattr(self, name) != usual}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the act that JSON describes. Raises `ValueError` if it describes none."""
        for name, value in found.items():
            if name not in _USUAL:
                raise ValueError(f"an act has no {name!r}")
            kind = bool if isinstance(_USUAL[name], bool) else str
            if not isinstance(value, kind):
                raise ValueError(f"{name} of an act is {'true or false' if kind is bool else 'a text'}, not {value!r}")
        if found.get("does") not in VERBS:
            raise ValueError(f"no act does {found.get('does')!r}")
        return cls(**found)

    def __str__(self) -> str:
        return " ".join(_words(self))


@dataclass(frozen=True, slots=True)
class Play:
    """Acts in the order in which they are done, and a name by which the play is known."""

    name: str
    acts: tuple[Act, ...]

    @classmethod
    def of(cls, name: str, acts: Iterable[Act]) -> Self:
        """Return a play of acts."""
        return cls(name, tuple(acts))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "acts": [act.to_json() for act in self.acts]}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the play that JSON describes. Raises `ValueError` if it describes none."""
        name, acts = found.get("name"), found.get("acts")
        if not isinstance(name, str) or not isinstance(acts, list):
            raise ValueError("a play has a name, and a list of acts")
        return cls.of(name, (Act.from_json(act) for act in acts))


_USUAL: dict[str, Any] = {field.name: None if field.default is MISSING else field.default for field in fields(Act)}


def _words(act: Act) -> Iterable[str]:
    yield act.tab or "the game master"
    yield act.event if act.does == "send" else act.does
    if act.action:
        yield f"of {act.action}"
    if act.event != "get-user-data" and act.does in ("send", "enrol", "remove", "open encounter", "delete session"):
        yield f"in {act.session}"
    for what, value in (("encounter", act.encounter), ("token", act.token), ("user", act.user)):
        if value:
            yield f"{what} {value}"
    if act.does == "send" and act.payload != "minimal":
        yield f"with {act.payload}"
    if act.twist:
        yield f"({act.twist})"
    if act.transport:
        yield f"over {act.transport}"
    if act.does == "send" and not act.callback:
        yield "without a callback"
    if act.together:
        yield "at the same time"
