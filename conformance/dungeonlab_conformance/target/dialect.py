"""How a server's way of putting things differs from the protocol's, and the translation both ways.

A translated server is judged like any other; each difference that showed is then reported once, as what it
breaks (`deviations`). Checks see nothing of this: actors and raw connections translate what they send and receive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dungeonlab_conformance.results.errors import Missing

Args = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PropertyNames:
    """How an object differs: `rename` maps the server's property names to the protocol's."""

    rename: Mapping[str, str] = field(default_factory=dict)

    def to_protocol(self, body: Any) -> Any:
        """Return an object with the protocol's property names."""
        if not isinstance(body, dict):
            return body
        return {self.rename.get(key, key): value for key, value in body.items()}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One server's dialect; one that says nothing changes nothing.

    `events` and `broadcasts` map the protocol's names to the server's. `arguments` names, for an event, the one
    property whose bare value the server takes in place of the object.
    """

    events: Mapping[str, str] = field(default_factory=dict)
    broadcasts: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    ack: PropertyNames = field(default_factory=PropertyNames)
    data_at_top_level: bool = False
    emissions: Mapping[str, PropertyNames] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self != PLAIN

    # -- what we send --------------------------------------------------------------------------------

    def request(self, event: str, args: Args) -> tuple[str, Args]:
        """Return name and arguments of a request as the server knows it.

        Raises `Missing` for a payload that the dialect has no way to say.
        """
        args = self._nested(event, args)
        bare = self.arguments.get(event)
        if bare is not None and args:
            args = (*_bare(event, bare, args[0]), *args[1:])
        return self.events.get(event, event), args

    def _nested(self, event: str, args: Args) -> Args:
        """Name the event that an action is about as the server knows it."""
        if event != "validate-action" or not args or not isinstance(args[0], dict):
            return args
        action = args[0].get("action")
        if not isinstance(action, dict):
            return args
        kind = action.get("type")
        if isinstance(kind, str) and kind in self.events:
            return ({**args[0], "action": {**action, "type": self.events[kind]}}, *args[1:])
        return args

    # -- what we are sent ----------------------------------------------------------------------------

    def answer(self, args: Args) -> Args:
        """Return the arguments of an acknowledgement as the protocol would have them."""
        if not self or not args or not isinstance(args[0], dict):
            return args
        body = self.ack.to_protocol(args[0])
        if self.data_at_top_level and body.get("success") is True and set(body) != {"success", "data"}:
            body = {"success": True, "data": {key: value for key, value in body.items() if key != "success"}}
        return (body, *args[1:])

    def received(self, name: str, args: Args) -> tuple[str, Args]:
        """Return name and arguments of what the server sent of its own accord, as the protocol would have them."""
        if not self:
            return name, args
        event = next((ours for ours, theirs in self.broadcasts.items() if theirs == name), name)
        if isinstance(event, str) and event in self.emissions and args:
            args = (self.emissions[event].to_protocol(args[0]), *args[1:])
        if event == "error" and args and isinstance(args[0], dict) and isinstance(args[0].get("event"), str):
            name_here = args[0]["event"]
            asked = next((ours for ours, theirs in self.events.items() if theirs == name_here), name_here)
            args = ({**args[0], "event": asked}, *args[1:])
        return event, args


PLAIN = Dialect()


def _bare(event: str, key: str, payload: Any) -> Args:
    """Return what stands for a payload where the server takes one property's bare value.

    Where the protocol has an object, the dialect has a text, and so the other way round: a text that is to be
    refused is sent as an object. An object without the property is no argument at all.
    """
    if isinstance(payload, str):
        return ({"text": payload},)
    if not isinstance(payload, dict):
        return (payload,)
    more = sorted(payload.keys() - {key})
    if more:
        raise Missing(f"way to send {more[0]!r} with {event}: in its dialect that takes a bare {key}")
    return (payload[key],) if key in payload else ()
