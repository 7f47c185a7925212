"""How a server's way of putting things differs from the protocol's, and the translation both ways.

A translated server is judged like any other; each difference that showed is then reported once, as what it
breaks (`deviations`). Checks see nothing of this: actors and raw connections translate what they send and receive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dungeonlab_conformance.results.errors import Missing
from dungeonlab_conformance.target.dialect import argument_templates
from dungeonlab_conformance.target.dialect.argument_templates import Args, Unfit
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve

_OBJECTS = ("token", "position", "updates", "action")  # the properties of requests that are no texts


@dataclass(frozen=True, slots=True)
class Shape:
    """How what carries properties differs: `rename` maps the server's names of them to the protocol's.

    `arguments` is the template of what the server sends in place of one object; empty for one object.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[Any] = ()

    def to_protocol(self, body: Any) -> Any:
        """Return an object with the protocol's property names."""
        if not isinstance(body, dict):
            return body
        return {self.rename.get(key, key): value for key, value in body.items()}

    def from_protocol(self, body: Any) -> Any:
        """Return an object with the server's property names."""
        if not isinstance(body, dict):
            return body
        theirs = {ours: name for name, ours in self.rename.items()}
        return {theirs.get(key, key): value for key, value in body.items()}

    def one_object(self, args: Args) -> Args:
        """Return arguments as the protocol's one object; as they are where they are of another form."""
        if self.arguments:
            try:
                args = (argument_templates.read(self.arguments, args),)
            except Unfit:
                return args
        return (self.to_protocol(args[0]), *args[1:]) if args else args


@dataclass(frozen=True, slots=True)
class AnswerByEvent:
    """The server's names of the events by which it says yes and no, in place of an acknowledgement."""

    success: str
    failure: str


Answer = AnswerByEvent | Literal["none"]
OwnCode = Callable[[str, str, Args], Args]  # an adapter's method of that name: from an event's arguments to others
SAME = Shape()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One server's dialect; one that says nothing changes nothing.

    `events` and `broadcasts` map the protocol's names to the server's, `codes` the server's to the protocol's.
    `arguments` has, for an event, the template of its arguments. `requests`, `data` and `emissions` say for an event
    how its payload, its acknowledged data and what is sent under its name differ, and `answers` how it is answered.
    Names of broadcasts that nobody stated, and that were found out, are `guessed`.
    `code` does the rest: ``encode`` before all else, ``decode`` and ``decode_answer`` after it.
    """

    events: Mapping[str, str] = field(default_factory=dict)
    broadcasts: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    requests: Mapping[str, Shape] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    ack: Shape = SAME
    data: Mapping[str, Shape] = field(default_factory=dict)
    data_at_top_level: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    emissions: Mapping[str, Shape] = field(default_factory=dict)
    guessed: frozenset[str] = frozenset()
    code: OwnCode | None = None

    def __bool__(self) -> bool:
        return self != PLAIN

    def with_guess(self, event: str, name: str) -> Dialect:
        """Return a dialect in which an event's broadcast has another name, too, though nobody said so."""
        return replace(self, broadcasts={**self.broadcasts, event: name}, guessed=self.guessed | {event})

    # -- what we send --------------------------------------------------------------------------------

    def request(self, event: str, args: Args) -> tuple[str, Args]:
        """Return name and arguments of a request as the server knows it.

        Raises `Missing` for a payload that the dialect has no way to say.
        """
        args = self._by_code("encode", event, args)
        if not args and event in self.arguments and not _needs_properties(event):
            raise Missing(f"way to send {event} without an argument: [dialect.arguments] says the empty object so")
        args = self._nested(event, args)
        if event in self.arguments and args:
            args = (*_said(event, self.arguments[event], args[0], more=len(args) > 1), *args[1:])
        elif event in self.requests and args:
            args = (self.requests[event].from_protocol(args[0]), *args[1:])
        return self.events.get(event, event), args

    def _by_code(self, act: str, event: str, args: Args) -> Args:
        return self.code(act, event, args) if self.code is not None else args

    def _nested(self, event: str, args: Args) -> Args:
        """Say what an action is about as the server knows it."""
        if event != "validate-action" or not args or not isinstance(args[0], dict):
            return args
        action = args[0].get("action")
        kind = action.get("type") if isinstance(action, dict) else None
        if not isinstance(action, dict) or not isinstance(kind, str):
            return args
        if kind in self.requests and "payload" in action:
            action = {**action, "payload": self.requests[kind].from_protocol(action["payload"])}
        if kind in self.events:
            action = {**action, "type": self.events[kind]}
        return ({**args[0], "action": action}, *args[1:]) if action is not args[0]["action"] else args

    # -- what we are sent ----------------------------------------------------------------------------

    def answer_to(self, event: str) -> Answer | None:
        """Return how a request is answered otherwise than by an acknowledgement; None if it is acknowledged."""
        return self.answers.get(event)

    def answer(self, event: str, args: Args) -> Args:
        """Return the arguments of an event's acknowledgement as the protocol would have them."""
        if not self or not args or not isinstance(args[0], dict):
            return self._by_code("decode_answer", event, args)
        body = self._refusal(self.ack.to_protocol(args[0]))
        if self.data_at_top_level and body.get("success") is True and set(body) != {"success", "data"}:
            body = {"success": True, "data": {key: value for key, value in body.items() if key != "success"}}
        if event in self.data and "data" in body:
            body = {**body, "data": self.data[event].to_protocol(body["data"])}
        return self._by_code("decode_answer", event, (body, *args[1:]))

    def _refusal(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a refusal, or an error, with the protocol's code."""
        code = str(body["code"]) if isinstance(body.get("code"), str | int) else ""
        return {**body, "code": self.codes[code]} if code in self.codes else body

    def received(self, name: str, args: Args) -> tuple[str, Args]:
        """Return name and arguments of what the server sent of its own accord, as the protocol would have them."""
        if not self:
            return name, args
        event = next((ours for ours, theirs in self.broadcasts.items() if theirs == name), name)
        if isinstance(event, str) and event in self.emissions:
            args = self.emissions[event].one_object(args)
        if event == "error" and args and isinstance(args[0], dict):
            args = (self._asked(self._refusal(args[0])), *args[1:])
        return event, self._by_code("decode", event, args)

    def asked(self, name: str, args: Args) -> tuple[str, Args]:
        """Return name and arguments of what a client of this server sent, as the protocol would have them."""
        event = next((ours for ours, theirs in self.events.items() if theirs == name), name)
        said = self.arguments.get(event)
        shape = Shape(arguments=said) if said else self.requests.get(event, SAME)
        return event, shape.one_object(args)

    def is_answer(self, name: str) -> bool:
        """Whether what the server sends under a name stands for an acknowledgement."""
        return any(
            isinstance(how, AnswerByEvent) and name in (how.success, how.failure) for how in self.answers.values()
        )

    def _asked(self, error: dict[str, Any]) -> dict[str, Any]:
        """Return an error that names the refused request as the protocol does."""
        theirs = error.get("event")
        ours = next((ours for ours, name in self.events.items() if name == theirs), theirs)
        return {**error, "event": ours} if ours != theirs else error

    # -- answers that are events ---------------------------------------------------------------------

    def refused(self, name: str, args: Args) -> str | None:
        """Return the event of the request that an event says was refused; None if it does not say so."""
        _, args = self.received(name, args)
        body = self.ack.to_protocol(args[0]) if args else None
        event = self._asked(body).get("event") if isinstance(body, dict) else None
        return event if isinstance(event, str) else None

    def acknowledgement(self, event: str, how: AnswerByEvent, name: str, args: Args) -> Args:
        """Return the acknowledgement of a request that an event stands for; `name` is the server's name of that."""
        _, args = self.received(name, args)
        body = args[0] if args else {}
        if name == how.failure:
            body = self._refusal(self.ack.to_protocol(body)) if isinstance(body, dict) else {"error": body}
            return ({"success": False, **{key: value for key, value in body.items() if key != "event"}},)
        if not isinstance(body, dict):
            return ({"success": True, "data": body},)
        data = self.data.get(event, SAME).to_protocol(body)
        beside = properties(Catalogue.load()[event].emission) - data_properties(event)
        return ({"success": True, "data": {key: value for key, value in data.items() if key not in beside}},)


PLAIN = Dialect()


def _said(event: str, template: Sequence[Any], payload: Any, *, more: bool) -> Args:
    """Return what stands for a payload where the server takes arguments of a template's form.

    What is no object takes the place of the first argument; where that is a text, a text is sent as an object, so
    that it is wrong there too. Properties that the protocol does not know go into the first argument that is an object.
    `more` says that further arguments follow.
    """
    if not isinstance(payload, dict):
        return ({"text": payload},) if isinstance(payload, str) and takes_text(template[0]) else (payload,)
    unsaid = payload.keys() - set(argument_templates.names(template))
    args = list(argument_templates.fill(template, payload))
    objects = [n for n, part in enumerate(template) if isinstance(part, Mapping) and n < len(args)]
    known = properties(Catalogue.load()[event].request)
    if unsaid and (not objects or unsaid & known):
        raise Missing(f"way to send {min(unsaid)!r} with {event}: [dialect.arguments] has no place for it")
    for number in objects[:1]:
        args[number] = {**{key: payload[key] for key in payload if key in unsaid}, **args[number]}
    return (*args, *[None] * (len(template) - len(args))) if more else tuple(args)


def takes_text(template: Any) -> bool:
    """Whether the template of one argument stands for a text."""
    return isinstance(template, str) and argument_templates.alone(template) not in _OBJECTS


def _needs_properties(event: str) -> bool:
    request = Catalogue.load()[event].request
    return bool(request and resolve(request)[0].get("required"))


def properties(schema: str | None) -> set[str]:
    """Return the names of the properties that the object of a schema may have; none where there is no schema."""
    return set(resolve(schema)[0]["properties"]) if schema else set()


def data_properties(event: str) -> set[str]:
    """Return the names of the properties of a request's acknowledged data."""
    ack = Catalogue.load()[event].ack
    return set(resolve(ack)[0]["properties"]["data"]["properties"]) if ack else set()
