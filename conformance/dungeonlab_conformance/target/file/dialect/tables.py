"""How a server differs from the protocol: the tables of ``[dialect]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from dungeonlab_conformance.target.file.values import (
    BroadcastName,
    Code,
    RequestName,
    Some,
    Table,
    Texts,
    alternatives,
)


class Acknowledgements(Table):
    """The shape of acknowledgements."""

    data: Literal["nested", "top-level"] = Field(
        "nested", description="Where the properties of an acknowledgement are: in `data`, or beside `success`."
    )
    rename: Texts = Field(
        {}, description='The protocol\'s name for a property that the server calls otherwise: `message = "error"`.'
    )


class Properties(Table):
    """The properties of one event's request, or of what is acknowledged."""

    rename: Texts = Field(
        {}, description='The protocol\'s name for a property that the server calls otherwise: `tokenData = "token"`.'
    )


class Broadcast(Table):
    """The shape of one event."""

    rename: Texts = Field(
        {}, description='The protocol\'s name for a property that the server calls otherwise: `sender = "userId"`.'
    )
    arguments: list[Any] = Field(
        [],
        min_length=1,
        description="The arguments that the server sends, if not one object: a template of each, as in "
        '`[dialect.arguments]`. `["{tokenId}", {}]` is the id of a token and an object with everything else.',
    )


class AnswerByEvent(Table):
    """The events that answer a request in place of an acknowledgement."""

    success: Some = Field(description="The event that says yes.")
    failure: Some = Field(description="The event that says no.")


def _kind(given: Any) -> str | None:
    kinds: dict[type, str] = {str: "<one>", list: "<list>", dict: "<table>"}
    return kinds.get(type(given))


def _kind_of_answer(given: Any) -> str | None:
    return _kind(given) if isinstance(given, dict) or given == "none" else None


Arguments = Annotated[
    Annotated[Some, Tag("<one>")] | Annotated[list[Any], Field(min_length=1), Tag("<list>")],
    alternatives(_kind, "the name of a property, or a list of arguments"),
]
Answer = Annotated[
    Annotated[Literal["none"], Tag("<one>")] | Annotated[AnswerByEvent, Tag("<table>")],
    alternatives(_kind_of_answer, '"none", or a table with success and failure'),
]


class Dialect(Table):
    """Where the server differs from the protocol in names and shapes."""

    events: dict[RequestName, Some] = Field({}, description="The server's names for requests.")
    broadcasts: dict[BroadcastName, Some] = Field({}, description="The server's names for the events it sends.")
    arguments: dict[RequestName, Arguments] = Field(
        {},
        description="Requests that take other arguments than one object: a template of each argument. In it "
        "`{sessionId}` stands for that property of the request, of whatever type it is, `{null}` for null, and `{{` "
        "for a brace; all else is constant. What a request leaves out is left out, or null if another argument "
        'follows. A text is short for one argument: `join-session = "sessionId"`.',
    )
    request: dict[RequestName, Properties] = Field(
        {}, description="The properties of requests, by the protocol's name of the event."
    )
    answers: dict[RequestName, Answer] = Field(
        {},
        description="Requests that are not acknowledged, each with the events that answer it, "
        '`{ success = "token:created", failure = "token:error" }`, or `"none"` if nothing does. The next event of such '
        "a name that comes to the connection which asked, and tells of no other request, is the answer.",
    )
    ack: Acknowledgements = Acknowledgements()
    data: dict[RequestName, Properties] = Field(
        {}, description="The properties of acknowledged `data`, by the protocol's name of the request."
    )
    codes: dict[Some, Code] = Field(
        {}, description="The protocol's code for each of the server's own: `NOT_A_PLAYER = \"PERMISSION_DENIED\"`."
    )
    broadcast: dict[BroadcastName, Broadcast] = Field(
        {}, description="The shape of events that the server sends, by the protocol's name of the event."
    )


def template_of(arguments: str | Sequence[Any]) -> Sequence[Any]:
    """Return the template of a request's arguments; a text is the name of the property that is the only one."""
    return [f"{{{arguments}}}"] if isinstance(arguments, str) else arguments
