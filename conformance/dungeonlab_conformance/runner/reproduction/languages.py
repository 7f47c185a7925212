"""How statements and values are written in each language. What the lines of a play are is the same in both."""

from __future__ import annotations

import base64
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from dungeonlab_conformance.runner.reproduction.statements import Id, Irreproducible, Variable, Whatever

_WIDTH = 100
_SAFE_INTEGER = (1 << 53) - 1
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class Language(ABC):
    """Writes values and calls; `indent` is how far a line stands in, in characters."""

    step: str
    comment: str
    end: str  # of a statement

    def value(self, value: Any, indent: int = 0, room: int = _WIDTH) -> str:
        """Return a value in one line if it fits into the room, else in several."""
        flat = self._flat(value)
        nested = isinstance(value, Mapping | list | tuple) and bool(value)
        if len(flat) <= room - indent or not nested:
            return flat
        inner = indent + len(self.step)
        if isinstance(value, Mapping):
            parts = [f"{self.key(key)}: {self.value(part, inner, room)}" for key, part in value.items()]
        else:
            parts = [self.value(part, inner, room) for part in value]
        return self._block(parts, indent, *("{}" if isinstance(value, Mapping) else "[]"))

    def call(self, function: str, args: list[Any], indent: int, before: str = "") -> str:
        """Return a call with its arguments, in one line if it fits behind what stands before."""
        flat = f"{function}({', '.join(map(self._flat, args))})"
        if indent + len(before) + len(flat) <= _WIDTH:
            return flat
        inner = indent + len(self.step)
        return function + self._block([self.value(arg, inner) for arg in args], indent, "(", ")")

    def _block(self, parts: list[str], indent: int, opening: str, closing: str) -> str:
        inner = " " * (indent + len(self.step))
        return "\n".join([opening, *(f"{inner}{part}," for part in parts), f"{' ' * indent}{closing}"])

    def _flat(self, value: Any) -> str:
        match value:
            case Variable():
                return self.name(value.name)
            case Id():
                return self.item("ids", value.name)
            case Whatever():
                return "ABSENT" if value.absent else "ANY"
            case Mapping():
                inside = ", ".join(f"{self.key(key)}: {self._flat(part)}" for key, part in value.items())
                return self.braced(inside) if inside else "{}"
            case list() | tuple():
                return f"[{', '.join(map(self._flat, value))}]"
            case str():
                return self.text(value)
            case float() if not math.isfinite(value):
                raise Irreproducible(f"{value} cannot be written as JSON")
        return self.constant(value)

    @abstractmethod
    def name(self, name: str) -> str:
        """Return a variable's or a function's name."""

    @abstractmethod
    def text(self, text: str) -> str:
        """Return a text in quotes."""

    @abstractmethod
    def key(self, key: str) -> str:
        """Return the name of a property."""

    @abstractmethod
    def item(self, of: str, key: str) -> str:
        """Return what stands under a name in a variable."""

    @abstractmethod
    def braced(self, inside: str) -> str:
        """Return an object in one line."""

    @abstractmethod
    def constant(self, value: Any) -> str:
        """Return a number, bytes, true, false or nothing."""

    @abstractmethod
    def declared(self, variable: str) -> str:
        """Return what stands before what a new variable is given."""


def _plain(text: str) -> bool:
    """Whether a text can be written as it is, in every file and editor."""
    return text.isprintable() and not any(0xD800 <= ord(letter) < 0xE000 for letter in text)


class Python(Language):
    """Python 3.11 and later."""

    step, comment, end = "    ", "#", ""

    def name(self, name: str) -> str:
        """As it is."""
        return name

    def text(self, text: str) -> str:
        """As JSON where that means the same."""
        return json.dumps(text, ensure_ascii=False) if _plain(text) else ascii(text)

    def key(self, key: str) -> str:
        """A text like any other."""
        return self.text(key)

    def item(self, of: str, key: str) -> str:
        """With brackets."""
        return f"{of}[{self.text(key)}]"

    def braced(self, inside: str) -> str:
        """Without spaces."""
        return f"{{{inside}}}"

    def constant(self, value: Any) -> str:
        """As Python writes it."""
        return repr(value)

    def declared(self, variable: str) -> str:
        """Nothing but the name."""
        return f"{variable} = "


class JavaScript(Language):
    """JavaScript modules, for Node.js 20 and later."""

    step, comment, end = "  ", "//", ";"

    def name(self, name: str) -> str:
        """In camel case."""
        first, *rest = name.split("_")
        return first + "".join(part[:1].upper() + part[1:] for part in rest)

    def text(self, text: str) -> str:
        """As JSON."""
        return json.dumps(text, ensure_ascii=not _plain(text))

    def key(self, key: str) -> str:
        """Without quotes where that is allowed; `__proto__` would be no property at all."""
        if key == "__proto__":
            return '["__proto__"]'
        return key if _IDENTIFIER.fullmatch(key) else self.text(key)

    def item(self, of: str, key: str) -> str:
        """With a dot where that is allowed."""
        return f"{of}.{key}" if _IDENTIFIER.fullmatch(key) else f"{of}[{self.text(key)}]"

    def braced(self, inside: str) -> str:
        """With spaces."""
        return f"{{ {inside} }}"

    def constant(self, value: Any) -> str:
        """As JavaScript writes it; its numbers cannot be any."""
        if isinstance(value, bytes):
            return f'Buffer.from("{base64.b64encode(value).decode()}", "base64")'
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE_INTEGER:
            raise Irreproducible(f"JavaScript has no number {value}; write it in Python")
        return json.dumps(value)

    def declared(self, variable: str) -> str:
        """With `const`."""
        return f"const {variable} = "


LANGUAGES: Mapping[str, Language] = {"python": Python(), "javascript": JavaScript()}
