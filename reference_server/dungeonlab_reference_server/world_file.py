"""A world in a file: who has an account, which sessions, encounters and tokens there are.

One model, from which come its checks and its JSON Schema. What a token may have is what the protocol says of a request
that creates one.

    WorldFault   something is wrong with the file: one sentence that begins with the file's name, and mostly the line
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dungeonlab_reference_server.bounds import excess
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import resolve
from dungeonlab_spec.validation import MISSING, violations

DEMO = Path(__file__).with_name("demo.toml")

_MOST = 256 << 10  # bytes
_DEEPEST, _MOST_VALUES = 32, 50_000
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*"|'[^'\n]*')[ \t]*+\.[ \t]*+){50}""")
_REQUEST = Catalogue.load()["token:create"].request or ""
_ID = resolve("identifiers.json#/$defs/Identifier")[0]

Place = tuple[str | int, ...]  # the keys that lead to something
Id = Annotated[str, StringConstraints(pattern=_ID["pattern"], max_length=_ID["maxLength"])]
Username = Annotated[str, StringConstraints(pattern=_ID["pattern"], max_length=64)]


class WorldFault(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """A world's file cannot be used; the message is one sentence, without what may be a password."""


class Table(BaseModel):
    """A table of the file: it has no other keys, and no values of other kinds."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )


class User(Table):
    """An account; the key of its table is the username."""

    password: str = Field(min_length=8, max_length=1024, description="The password, in plain text.")
    id: Id | None = Field(None, description='The id; without it, "user-" and the username.')
    display_name: str | None = Field(None, min_length=1, max_length=64, description="The name that others see.")


class GameSession(Table):
    """A game session; the key of its table is its id."""

    game_master: str = Field(description="A username.")
    participants: list[str] = Field([], description="Usernames.")
    name: str = Field("A session", min_length=1, max_length=255, description="The name.")


class Encounter(Table):
    """A map in a session; the key of its table is its id."""

    session: str = Field(description="The id of a session of this file.")


class Token(Table):
    """A token in an encounter; the key of its table is its id. Further keys are those of `token:create`."""

    model_config = ConfigDict(extra="allow")

    encounter: str = Field(description="The id of an encounter of this file.")
    created_by: str | None = Field(None, description="A username; without it, the game master.")

    @property
    def draft(self) -> dict[str, Any]:
        """What a client would send to have this token created."""
        return dict(self.model_extra or {})


class World(Table):
    """The file."""

    users: dict[Username, User] = Field({}, description="Accounts, by username.")
    sessions: dict[Id, GameSession] = Field({}, description="Game sessions, by id.")
    encounters: dict[Id, Encounter] = Field({}, description="Maps, by id.")
    tokens: dict[Id, Token] = Field({}, description="Figures, by id.")

    TABLES: ClassVar[tuple[str, ...]] = ("users", "sessions", "encounters", "tokens")

    def user_id(self, username: str) -> str:
        """Return the id of a user of this world."""
        return self.users[username].id or f"user-{username}"


def load(path: Path) -> World:
    """Return the world that a file describes. Raises `WorldFault`."""
    text = _read(path)
    try:
        if _LONG_KEY.search(text):  # the parser takes the square of its length
            raise WorldFault(f"{path}: a key has too many parts")
        data = tomllib.loads(text)
        if (too_much := excess(data, _DEEPEST, _MOST_VALUES)) is not None:
            raise WorldFault(f"{path}: it is {too_much}, or holds more than can be meant")
    except RecursionError:
        raise WorldFault(f"{path}: it is nested too deeply to be read") from None
    except tomllib.TOMLDecodeError as error:
        raise WorldFault(f"{path}: this is no TOML: {_shown(str(error), 200)}") from None
    except ValueError:
        raise WorldFault(f"{path}: it holds a number that is too long to be read") from None
    try:
        world = World.model_validate(data)
        place, sentence = next(_contradictions(world), ((), ""))
    except ValidationError as error:
        place, sentence = _first(error)
    if sentence:
        raise WorldFault(f"{path}{_line(text, place)}: {_name(place)}{sentence}")
    return world


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    made = World.model_json_schema(by_alias=True, schema_generator=_ForPeople)
    token = made["$defs"]["Token"]
    draft = _draft()
    token["properties"] |= draft["properties"]
    token["required"] += draft["required"]
    token["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "A world to develop against"}


class _ForPeople(GenerateJsonSchema):
    """Leaves out what only Python knows: null, for a key that is not there, and names in place of keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """No field has a title; its key says enough."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """TOML has no null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that is empty says nothing."""
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value}


def _read(path: Path) -> str:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise WorldFault(f"{path} is no file")
            raw = file.read(_MOST + 1)
        if len(raw) > _MOST:
            raise WorldFault(f"{path} is larger than {_MOST >> 10} KiB, the most that is read of a world")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WorldFault(f"{path} is no UTF-8 text") from None
    except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
        raise WorldFault(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


@cache
def _draft() -> dict[str, Any]:
    """Return the schema of what a token is created from, with everything in it that it refers to."""
    request, file = resolve(_REQUEST)
    found: dict[str, Any] = _inlined(request["properties"]["token"], file)
    return found


def _inlined(schema: Any, file: str) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, file) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(*resolve(schema["$ref"], file))
    inlined = {key: _inlined(part, file) for key, part in schema.items() if key != "title"}
    return {**inlined, "additionalProperties": False} if "properties" in inlined else inlined


# -- what is wrong, in one sentence -------------------------------------------------------------------


def _contradictions(world: World) -> Iterator[tuple[Place, str]]:
    """Yield what the tables of a file ask of each other in vain: where, and the end of a sentence."""
    ids: dict[str, str] = {}
    for name, user in world.users.items():
        if "\0" in user.password:
            yield ("users", name, "password"), " must not hold a NUL, with which nobody could log in"
        if (other := ids.setdefault(world.user_id(name), name)) != name:
            yield ("users", name, "id"), f" is that of {other}, too"
    for key, session in world.sessions.items():
        place = ("sessions", key)
        yield from _missing((*place, "game-master"), session.game_master, world.users, "users")
        for participant in session.participants:
            yield from _missing((*place, "participants"), participant, world.users, "users")
        if len(set(session.participants)) < len(session.participants):
            yield (*place, "participants"), " names somebody twice"
    for key, encounter in world.encounters.items():
        yield from _missing(("encounters", key, "session"), encounter.session, world.sessions, "sessions")
    for key, token in world.tokens.items():
        place = ("tokens", key)
        yield from _missing((*place, "encounter"), token.encounter, world.encounters, "encounters")
        if token.created_by is not None:
            yield from _missing((*place, "created-by"), token.created_by, world.users, "users")
        yield from _faults_of(token, place)


def _faults_of(token: Token, place: Place) -> Iterator[tuple[Place, str]]:
    own = tuple(str(field.alias) for field in Token.model_fields.values())
    yield from _unknown(_draft(), token.draft, place, own)
    payload = {"sessionId": "s", "encounterId": "e", "token": token.draft}
    for fault in violations(_REQUEST, payload):
        inner = fault.path.removeprefix("$.token")
        keys = re.findall(r"\w+", inner)
        if fault.got.startswith(MISSING):
            yield (*place, *keys[:-1]), f" lacks {keys[-1]!r}"
        yield (*place, *keys), f": expected {fault.expected}, got {fault.got}"


def _unknown(schema: Any, value: object, place: Place, own: tuple[str, ...] = ()) -> Iterator[tuple[Place, str]]:
    """Yield the keys that the protocol knows nothing of, which a server would ignore."""
    if isinstance(value, dict) and "properties" in schema:
        known = (*own, *schema["properties"])
        for key, inner in value.items():
            if key not in known:
                yield (*place, key), _no_key(key, known)
            else:
                yield from _unknown(schema["properties"].get(key, {}), inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unknown(schema.get("items", {}), inner, (*place, number))


def _missing(place: Place, name: str, known: Collection[str], table: str) -> Iterator[tuple[Place, str]]:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is no table [{table}.{_shown(name)}]"
        yield place, f" names {_shown(name)!r}, which is not in [{table}]; {hint}"


def _first(error: ValidationError) -> tuple[Place, str]:
    """Return the first fault: where, and the end of a sentence; never the value, which may be a password."""
    faults = error.errors(include_url=False, include_input=False)
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])  # maybe what is missing
    place: Place = tuple(key for key in fault["loc"] if key != "[key]")
    match fault["type"]:
        case "extra_forbidden":
            return place, _no_key(str(place[-1]), _keys(place))
        case "missing":
            return place[:-1], f" lacks {place[-1]!r}"
        case "model_type" | "dict_type":
            return place, " must be a table"
        case "string_pattern_mismatch":
            return place, " must consist of letters, digits, _ and -"
    return place, f" must {fault['msg'].partition(' should ')[2].replace('a valid ', 'a ')}"


def _keys(place: Place) -> tuple[str, ...]:
    """Return the keys that may stand where an unknown one does."""
    models: Mapping[str, type[Table]] = dict(zip(World.TABLES, (User, GameSession, Encounter, Token), strict=True))
    model = World if len(place) == 1 else models[str(place[0])]
    return tuple(str(field.alias) for field in model.model_fields.values())


def _no_key(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f" is no key there; {hint}"


def _name(place: Place) -> str:
    """Name a place as it is written: ``[users.alice] password``."""
    table, keys = place[:2], [_shown(str(key)) for key in place[2:]]
    if len(place) < 2:
        return _shown(str(place[0])) if place else "the file"
    return " ".join([f"[{'.'.join(_shown(str(key)) for key in table)}]", *([".".join(keys)] if keys else [])])


def _shown(text: str, most: int = 60) -> str:
    """Return a text of the file fit to be shown: of a reasonable length, without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text[:most]) + ("…" if len(text) > most else "")


def _line(text: str, place: Place) -> str:
    """Return the line of a key, or of its table, as ``:12``; nothing if it is not written in the usual way."""
    found = ""
    table = re.escape(".".join(map(str, place[:2])))
    key = re.escape(str(place[2])) if len(place) > 2 else ""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = bool(place) and re.match(rf"\s*\[{table}{'[].]' if len(place) == 1 else ']'}", line) is not None
            found = f":{number}" if inside else found
        elif inside and key and re.match(rf"\s*{key}\s*[.=]", line):
            return f":{number}"
    return found
