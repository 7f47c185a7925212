"""What may stand in a target's file: one model, from which come its checks, its JSON Schema and its documentation.

A class is a table, a field is a key, and its description is that on the page of the target file. All defaults are
here. What the tables ask of each other is the business of `rules`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from dungeonlab_conformance.target.file.dialect.tables import Dialect
from dungeonlab_conformance.target.file.values import (
    ADAPTER,
    PREFIX,
    SOURCE,
    VARIABLE,
    Distinct,
    Path,
    Role,
    Seconds,
    Some,
    Statuses,
    Table,
    Texts,
    alternatives,
)


class Tls(Table):
    """For a server behind TLS."""

    verify: bool = Field(True, description="Whether its certificate must be valid.")
    ca: Some | None = Field(
        None, description="A file of certificate authorities to trust in place of the system's, relative to this file."
    )


class Server(Table):
    """Where the server is."""

    url: Some = Field(
        description="Scheme, host and port, and the path before that of its HTTP requests, if there is one."
    )
    path: Path = Field("/socket.io/", description="The Socket.IO path, without the prefix.")
    prefix: Annotated[str, Field(pattern=PREFIX)] | None = Field(
        None,
        description="What a proxy adds before every path, such as `/vtt`: before the Socket.IO path and before the "
        "path of all HTTP requests. Without it the Socket.IO path follows host and port directly, even if "
        "`url` has a path.",
    )
    transports: Annotated[list[Literal["websocket", "polling"]], *Distinct] = Field(
        ["websocket", "polling"],
        min_length=1,
        description="The transports that the server offers. Most scenes use the first one.",
    )
    headers: Texts = Field({}, description="Headers sent with every request, including those that open a connection.")
    tls: Tls = Tls()
    restart: Annotated[list[Some], Field(min_length=1)] | None = Field(
        None,
        description="A command that starts the server again if it died during a run: the program and its arguments, "
        "without a shell, in the folder of this file. The run then goes on. A command that is itself the server is "
        "ended with the run.",
    )
    restart_wait: Seconds | None = Field(
        None,
        description="If the server died, how many seconds to wait until it is back: by `restart`, or by whatever "
        "supervises it. `--restart-wait` takes its place. Default: 30 with `restart`; without it, the run ends.",
    )


class Actor(Table):
    """One account. Keep secrets in the environment: `password = "${ALICE_PASSWORD}"`."""

    username: str = Field("", description="The account's name, for `{username}`. Default: the name of the role.")
    password: Some | None = Field(None, description="The account's password, for `{password}`. Never shown.")
    cookie: Some | None = Field(None, description="A cookie in place of a login, as `name=value`. Never shown.")
    user: Some | None = Field(None, description="The server's id of the account, if no request captures it.")


class Request(Table):
    """One HTTP request. Its texts are templates: `{session}` stands for a variable, `{{` for a brace."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["json", "form"]}})

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="The method.")
    path: Path = Field(description="The path, after `server.url` and its prefix. Variables are escaped for a path.")
    body: Any = Field(None, alias="json", description="The body, as JSON.")
    form: Texts | None = Field(None, description="The body, as a form.")
    headers: Texts = Field({}, description="Headers for this request.")
    expect: Statuses | None = Field(
        None,
        description="The status that means success, or a list of such statuses. Default: any 2xx. Redirects are not "
        "followed: a login that answers with a redirect expects 302.",
    )
    capture: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=SOURCE)]] = Field(
        {},
        description="Variables taken from the answer. Each is a JSON pointer (`/data/id`), `cookie:NAME`, "
        "`header:NAME`, or `input:NAME` for a field of an HTML form.",
    )
    by: Literal["gamemaster", "member"] = Field("gamemaster", description="In `[membership]`: who sends the request.")

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if {"body", "form"} <= self.model_fields_set:
            raise PydanticCustomError("sentence", "has both json and form; a request has one body")
        return self


class Command(Table):
    """A command that prints a cookie. It is run in the folder of this file, once for each login."""

    command: list[str] = Field(min_length=1, description="The program and its arguments. They are templates.")


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
    """A double-submit cookie. Its value is sent in a header of every request except GET."""

    cookie: Some = Field(description="The cookie's name.")
    header: Some = Field(description="The header's name.")
    path: Path | None = Field(None, description="The path to GET first if there is no cookie yet.")


class Session(Table):
    """How game sessions are made. The game master sends all requests."""

    per: Literal["check", "run"] = Field(
        "check",
        description="`check`: each check gets a session of its own. `run`: two sessions are made for the whole run, "
        "for each lane of checks that run side by side.",
    )
    open: Requests | None = Field(
        None,
        description="Opens a session named `{label}`; captures `session`. Later requests about the session can use "
        "other captures. If the session comes with an encounter, capture `encounter`.",
    )
    close: Requests | None = Field(None, description="Deletes a session with everything in it.")


class Membership(Table):
    """How users become and cease to be members of a session."""

    add: Requests | None = Field(
        None,
        description='Makes `{member}` a participant of `{session}`. With `by = "member"` the new member sends the '
        "request.",
    )
    remove: Requests | None = Field(
        None, description="Ends the membership of `{member}`, such as by DELETE with `{member}` in the path."
    )
    joining_enrols: bool = Field(
        False,
        description="Whether a user becomes a participant by joining, and in no other way: there is no `add` then. "
        "That the server admits everybody is reported as what it breaks.",
    )


class Encounter(Table):
    """How encounters, the maps of a session, are made."""

    open: Requests | None = Field(None, description="Opens an encounter in `{session}`; captures `encounter`.")
    close: Requests | None = Field(None, description="Deletes an encounter, for sessions that are not closed.")


class Token(Table):
    """How a token is made over HTTP. It is needed only where no user can make one over the socket."""

    open: Requests | None = Field(None, description="Makes a token in `{encounter}` of `{session}`; captures `token`.")


class StaticSession(Table):
    """One session."""

    id: Some = Field(description="Its id.")
    gamemaster: Role = Field("gamemaster", description="The game master, a role of `[actors]`.")
    members: Annotated[list[Role], *Distinct] = Field(description="The participants, roles of `[actors]`.")
    encounters: Annotated[list[Some], *Distinct] = Field(
        [], description="The ids of its encounters. The tokens that a run makes in them are deleted at its end."
    )
    exclusive: bool = Field(
        False,
        description="A promise that no other client uses the session during a run. Without it, broadcasts that the "
        "suite did not cause do not count against the server.",
    )


class Timeouts(Table):
    """Time limits in seconds. `--timeout` scales all of them."""

    answer: Seconds = Field(4, description="How long to wait for an answer or a delivery.")
    quiet: Seconds = Field(0.5, description="How long to wait at the end of a run for messages that come late.")


class Capabilities(Table):
    """Which optional parts the server has."""

    leave_session: bool = Field(True, description="The event `leave-session`.")
    chat_message: bool = Field(True, description="The event `chat-message`.")
    tokens: bool = Field(True, description="The four events about tokens.")
    get_user_data: bool = Field(True, description="The event `get-user-data`.")
    validate_action: bool = Field(True, description="The event `validate-action`.")
    presence: bool = Field(True, description="The events `user-joined`, `user-left` and `session-removed`.")
    upgrade: bool = Field(True, description="The upgrade from polling to WebSocket.")


class TargetFile(Table):
    """Which server is judged, which accounts log in, and how sessions are made on it."""

    model_config = ConfigDict(title="dungeonlab-target.toml")

    adapter: Annotated[str, Field(pattern=ADAPTER)] | None = Field(
        None,
        description="A Python class for what this file cannot say, as `package.module:Class`. It is looked for beside "
        "this file first. See `dungeonlab_conformance.adapter`.",
    )
    server: Server
    actors: dict[Role, Actor] = Field(
        {},
        description="The accounts, by the role each plays: `gamemaster`, `alice` and `bob` (members), `carol` (member "
        "of both sessions), `dave` (member of the second session only), `mallory` (member of none). If "
        "there are fewer, one account plays another role where that shows the same; with four, let them "
        "be `gamemaster`, `alice`, `bob` and `dave`. They should be members of no other session than "
        "those that the suite puts them into or `[[static-session]]` names. Leave this section out if "
        "`[register]` makes accounts.",
    )
    registration: Requests | None = Field(
        None,
        alias="register",
        description="Makes an account with a `{username}` and a `{password}` that the suite invents, and logs it in. "
        "Captures `user`, the server's id of the account, unless `[whoami]` does. For several requests "
        "write `[[register]]` before each.",
    )
    login: Annotated[One | Several | Login, _by_kind] | None = Field(
        None,
        description="Logs an account in. Captures `user`, unless `[whoami]` does or `[actors]` has it. In place of "
        "requests, `command` names a program that prints a cookie.",
    )
    whoami: Requests | None = Field(
        None, description="Asks which account is logged in; captures `user`, the server's id of the account."
    )
    logout: Requests | None = Field(None, description="Ends a login. Its cookie must not be valid afterwards.")
    unregister: Requests | None = Field(None, description="Deletes an account that `[register]` made.")
    csrf: Csrf | None = None
    session: Session = Session()
    membership: Membership = Membership()
    encounter: Encounter = Encounter()
    token: Token = Token()
    static_session: list[StaticSession] = Field(
        [],
        min_length=1,
        max_length=2,
        description="Ready-made sessions, for servers on which the suite cannot make any. There may be two; with one, "
        "requirements that need a second session are skipped. Checks then run one at a time.",
    )
    timeouts: Timeouts = Timeouts()
    capabilities: Capabilities = Field(
        Capabilities(),
        description="Which optional parts the server has. Requirements on missing parts are skipped, by name, and "
        "conformance to the whole protocol cannot be claimed.",
    )
    dialect: Dialect = Field(
        Dialect(),
        description="Where the server differs from the protocol in names and shapes. Each difference that shows is "
        "reported once, as the requirement it breaks. Everything else is judged as if there were no "
        "difference.",
    )
