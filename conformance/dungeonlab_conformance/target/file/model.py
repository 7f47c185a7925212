"""What may stand in a target's file: one model, from which come its checks, its JSON Schema and its documentation.

A class is a table, a field is a key, and what it is described as is what `docs/target-file.md` says. All defaults are
here. What the tables ask of each other is the business of `rules`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from dungeonlab_conformance.target.file.values import (
    ADAPTER,
    PREFIX,
    SOURCE,
    VARIABLE,
    BareName,
    BroadcastName,
    Distinct,
    Path,
    RequestName,
    Role,
    Seconds,
    Some,
    Statuses,
    Texts,
    alternatives,
)


class Table(BaseModel):
    """A table of the file; it has no other keys, and no values of other kinds."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )

    @model_validator(mode="before")
    @classmethod
    def _no_other_keys(cls, given: Any) -> Any:
        names = tuple(str(field.alias) for field in cls.model_fields.values())
        for key in given if isinstance(given, dict) else ():
            if key not in names:
                raise PydanticCustomError("unknown", "unknown key", {"key": key, "names": names})
        return given


class Tls(Table):
    """For a server behind TLS."""

    verify: bool = Field(True, description="Whether its certificate must be valid.")
    ca: Some | None = Field(
        None, description="A file of certificate authorities to trust in place of the system's, beside this file."
    )


class Server(Table):
    """Where the server is."""

    url: Some = Field(
        description="Scheme, host and port, and whatever else stands before the path of its HTTP requests."
    )
    path: Path = Field("/socket.io/", description="The Socket.IO path, without the prefix.")
    prefix: Annotated[str, Field(pattern=PREFIX)] | None = Field(
        None,
        description="What a proxy adds before every path, such as `/vtt`. The Socket.IO path and all HTTP requests go "
        "behind it. Without it the Socket.IO path is right behind host and port, even if `url` has a path.",
    )
    transports: Annotated[list[Literal["websocket", "polling"]], *Distinct] = Field(
        ["websocket", "polling"],
        min_length=1,
        description="The transports it serves; the first is the one that most scenes use.",
    )
    headers: Texts = Field({}, description="Headers sent with every request, those that open a connection included.")
    tls: Tls = Tls()


class Actor(Table):
    """One account. Secrets belong into the environment: `password = "${ALICE_PASSWORD}"`."""

    username: str = Field("", description="Its name, for `{username}`; the role's if left out.")
    password: Some | None = Field(None, description="Its password, for `{password}`. Never shown.")
    cookie: Some | None = Field(None, description="In place of a login: its cookie, `name=value`. Never shown.")
    user: Some | None = Field(None, description="The server's id for it, where no step captures that.")


class Request(Table):
    """One HTTP request. Texts are templates: `{session}` stands for a variable, `{{` for a brace."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["json", "form"]}})

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="The method.")
    path: Path = Field(
        description="What to ask for, behind `server.url` and its prefix; variables are escaped for a path."
    )
    body: Any = Field(None, alias="json", description="The body, as JSON.")
    form: Texts | None = Field(None, description="The body, as a form.")
    headers: Texts = Field({}, description="Headers for this request.")
    expect: Statuses | None = Field(
        None,
        description="The status, or a list of those, that means it worked; any 2xx if left out. Redirects are not "
        "followed: a login that answers with one expects 302.",
    )
    capture: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=SOURCE)]] = Field(
        {},
        description="Variables to take from the answer: a JSON pointer (`/data/id`), `cookie:NAME`, `header:NAME`, or "
        "`input:NAME` for a field of an HTML form.",
    )
    by: Literal["gamemaster", "member"] = Field("gamemaster", description="In `[membership]`: who sends it.")

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if {"body", "form"} <= self.model_fields_set:
            raise PydanticCustomError("sentence", "has both json and form; a request has one body")
        return self


class Command(Table):
    """A command that prints a cookie, run in the folder of this file for each account."""

    command: list[str] = Field(min_length=1, description="The program and its arguments, as templates.")


def _kind_of_requests(given: Any) -> str | None:
    if isinstance(given, dict):
        return "<command>" if "command" in given else "<one>"
    return "<list>" if isinstance(given, list) else None


One = Annotated[Request, Tag("<one>")]
Several = Annotated[list[Request], Field(min_length=1), Tag("<list>")]
Login = Annotated[Command, Tag("<command>")]
_by_kind = alternatives(_kind_of_requests, "one request, or a list of them")
Requests = Annotated[One | Several, _by_kind]


class Csrf(Table):
    """A double-submit cookie, whose value goes into a header of every request but GET."""

    cookie: Some = Field(description="The cookie's name.")
    header: Some = Field(description="The header's name.")
    path: Path | None = Field(None, description="What to GET first if the cookie is not there yet.")


class Session(Table):
    """How game sessions are made. Everything is done by the game master."""

    per: Literal["check", "run"] = Field(
        "check",
        description="Whether each check gets a session of its own, or two are made for a whole run (for each lane of "
        "checks that go on side by side).",
    )
    open: Requests | None = Field(
        None,
        description="Opens a session named `{label}`; captures `session`. Other captures can be named in later steps "
        "about it. If it comes with an encounter, capture `encounter`.",
    )
    close: Requests | None = Field(None, description="Clears a session away, with all that is in it.")


class Membership(Table):
    """Who belongs to a session."""

    add: Requests | None = Field(
        None, description='Makes `{member}` a participant of `{session}`; `by = "member"` has the new member ask.'
    )
    remove: Requests | None = Field(None, description="Ends that.")


class Encounter(Table):
    """Maps in a session."""

    open: Requests | None = Field(None, description="Opens an encounter in `{session}`; captures `encounter`.")
    close: Requests | None = Field(
        None, description="Clears an encounter away; for sessions that are not closed themselves."
    )


class StaticSession(Table):
    """One session."""

    id: Some = Field(description="Its id.")
    gamemaster: Role = Field("gamemaster", description="Who of `[actors]` is its game master.")
    members: Annotated[list[Role], *Distinct] = Field(description="Who of `[actors]` is a participant.")
    encounters: Annotated[list[Some], *Distinct] = Field(
        [], description="Ids of its encounters. The tokens a run makes in them are deleted at its end."
    )
    exclusive: bool = Field(
        False,
        description="A promise that nobody else speaks in it during a run; without it, broadcasts that the suite did "
        "not cause do not count against the server.",
    )


class Timeouts(Table):
    """How long to wait, in seconds; `--timeout` scales all of it."""

    answer: Seconds = Field(4, description="For an answer or a delivery.")
    quiet: Seconds = Field(0.5, description="For what comes late, at the end of a run.")


class Capabilities(Table):
    """Which optional parts there are."""

    leave_session: bool = Field(True, description="The event `leave-session`.")
    chat_message: bool = Field(True, description="The event `chat-message`.")
    tokens: bool = Field(True, description="The four events about tokens.")
    get_user_data: bool = Field(True, description="The event `get-user-data`.")
    validate_action: bool = Field(True, description="The event `validate-action`.")
    presence: bool = Field(True, description="The events `user-joined`, `user-left` and `session-removed`.")
    upgrade: bool = Field(True, description="The upgrade from polling to WebSocket.")


class Acknowledgements(Table):
    """The shape of acknowledgements."""

    data: Literal["nested", "top-level"] = Field(
        "nested", description="Where an acknowledgement's own properties are: in `data`, or beside `success`."
    )
    rename: Texts = Field(
        {}, description='The protocol\'s name for a property that the server calls otherwise: `message = "error"`.'
    )


class Broadcast(Table):
    """The shape of one event."""

    rename: Texts = Field(
        {}, description='The protocol\'s name for a property that the server calls otherwise: `sender = "userId"`.'
    )


class Dialect(Table):
    """Where the server puts things otherwise than the protocol."""

    events: dict[RequestName, Some] = Field({}, description="The server's names for requests.")
    broadcasts: dict[BroadcastName, Some] = Field({}, description="The server's names for the events it sends.")
    arguments: dict[BareName, Literal["sessionId", "userId"]] = Field(
        {}, description="For a request that takes a bare value in place of the object: the property that the value is."
    )
    ack: Acknowledgements = Acknowledgements()
    broadcast: dict[BroadcastName, Broadcast] = Field(
        {}, description="The shape of what the server sends, by the protocol's name of the event."
    )


class TargetFile(Table):
    """Which server is judged, who logs in, and how a stage is set on it."""

    model_config = ConfigDict(title="dungeonlab-target.toml")

    adapter: Annotated[str, Field(pattern=ADAPTER)] | None = Field(
        None,
        description="A Python class for what this file cannot say, as `package.module:Class`; it is looked for beside "
        "this file first. See `dungeonlab_conformance.target.adapter`.",
    )
    server: Server
    actors: dict[Role, Actor] = Field(
        {},
        description="The accounts there are, by the role each plays: `gamemaster`, `alice` and `bob` (members), "
        "`carol` (member of both sessions), `dave` (of the second one only), `mallory` (of none). With fewer, "
        "others stand in where that shows the same: `gamemaster`, `alice`, `bob` and `dave` lose the least. "
        "They should be members of nothing but what the suite puts them into or `[[static-session]]` names. "
        "Left out where `[register]` makes accounts.",
    )
    registration: Requests | None = Field(
        None,
        alias="register",
        description="Makes an account with `{username}` and `{password}`, which the suite invents, and logs it in; "
        "captures `user`, the server's id for it, unless `[whoami]` does. Several requests: write `[[register]]` for "
        "each.",
    )
    login: Annotated[One | Several | Login, _by_kind] | None = Field(
        None,
        description="Logs an account in; captures `user`, unless `[whoami]` does or `[actors]` knows it. Or `command`, "
        "which prints a cookie.",
    )
    whoami: Requests | None = Field(
        None, description="Asked by somebody logged in; captures `user`, the server's id for them."
    )
    logout: Requests | None = Field(None, description="Ends a login: its cookie is to be dead afterwards.")
    unregister: Requests | None = Field(None, description="Takes an account away that `[register]` made.")
    csrf: Csrf | None = None
    session: Session = Session()
    membership: Membership = Membership()
    encounter: Encounter = Encounter()
    static_session: list[StaticSession] = Field(
        [],
        min_length=1,
        max_length=2,
        description="Ready-made sessions, for servers that offer no way of making them. Two at most: with one, nothing "
        "can be judged that needs a second. Checks then go on one at a time.",
    )
    timeouts: Timeouts = Timeouts()
    capabilities: Capabilities = Field(
        Capabilities(),
        description="Which optional parts there are. What is not there is skipped, by name; conformance to the whole "
        "protocol cannot be claimed then.",
    )
    dialect: Dialect = Field(
        Dialect(),
        description="Where the server puts things otherwise than the protocol. Each difference that shows is reported "
        "once, as what it breaks; everything else is judged as if there were none.",
    )
