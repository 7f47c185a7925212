"""Finds what is wrong with a target's file: in its templates, and in what its parts ask of each other.

Each fault is one sentence, with file and line. That the file fits its schema is `shape`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.target.file.document import Document, FileFault, KeyPath
from dungeonlab_conformance.target.file.schema_errors import misshapen
from dungeonlab_conformance.target.roles import ROLES
from dungeonlab_conformance.text.templates import names

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ACCOUNT = ("actor", "run", "username", "password")
# The recipes, with the variables that are known when they are carried out, and what they must capture.
RECIPES: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "register": (_ACCOUNT, None),
    "login": (_ACCOUNT, None),
    "whoami": (_ACCOUNT, "user"),
    "logout": ((*_ACCOUNT, "user"), None),
    "unregister": ((*_ACCOUNT, "user"), None),
    "session.open": ((*_ACCOUNT, "user", "label"), "session"),
    "session.close": ((*_ACCOUNT, "user", "session"), None),
    "membership.add": ((*_ACCOUNT, "user", "session", "member", "member-name"), None),
    "membership.remove": ((*_ACCOUNT, "user", "session", "member", "member-name"), None),
    "encounter.open": ((*_ACCOUNT, "user", "session", "label"), "encounter"),
    "encounter.close": ((*_ACCOUNT, "user", "session", "encounter"), None),
}


def check(document: Document) -> None:
    """Raise `FileFault` for the first thing that is wrong with a file."""
    for find in (misshapen, _templates, _contradictions):  # each takes for granted what those before it made sure of
        for fault in find(document):
            raise fault


def recipe(data: Mapping[str, Any], name: str) -> list[tuple[KeyPath, dict[str, Any]]]:
    """Return the steps of a recipe, each with where it stands."""
    where: KeyPath = tuple(name.split("."))
    found: Any = data
    for key in where:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    if isinstance(found, list):
        return [((*where, number), step) for number, step in enumerate(found)]
    return [(where, found)] if found and "path" in found else []


# -- templates ---------------------------------------------------------------------------------------


def _templates(document: Document) -> Iterator[FileFault]:
    data = document.data
    logged_in = _captures(data, "register") | _captures(data, "login") | {"user"}
    opened = _captures(data, "session.open")
    for name, (given, _) in RECIPES.items():
        known = set(given)
        if name not in ("register", "login"):
            known |= logged_in
        if name.startswith(("session.close", "membership", "encounter")):
            known |= opened
        for where, step in recipe(data, name):
            for key in ("path", "json", "form", "headers"):
                for variable in names(step.get(key)):
                    if variable not in known:
                        yield _names_nothing(document, (*where, key), variable, known)
            known |= set(step.get("capture", ()))
    command = data.get("login", {}).get("command", ()) if isinstance(data.get("login"), dict) else ()
    for variable in names(list(command)):
        if variable not in _ACCOUNT:
            yield _names_nothing(document, ("login", "command"), variable, set(_ACCOUNT))


def _names_nothing(document: Document, where: KeyPath, variable: str, known: set[str]) -> FileFault:
    there = ", ".join(f"{{{name}}}" for name in sorted(known))
    return document.fault(where, f"the template names {{{variable}}}, which nothing defines; there are {there}")


def _captures(data: Mapping[str, Any], name: str) -> set[str]:
    return {variable for _, step in recipe(data, name) for variable in step.get("capture", ())}


# -- what the parts ask of each other ----------------------------------------------------------------


def _contradictions(document: Document) -> Iterator[FileFault]:
    data = document.data
    for name, (_, captured) in RECIPES.items():
        steps = recipe(data, name)
        if captured and steps and captured not in _captures(data, name):
            yield document.fault(
                steps[-1][0], f'[{name}] captures no {captured!r}; add capture = {{ {captured} = "/…" }}'
            )
    if "register" in data and "actors" in data:
        yield document.fault(("actors",), "there are both [register], which makes accounts, and [actors]")
    if "register" in data and "user" not in _captures(data, "register") and "whoami" not in data:
        yield document.fault(("register",), "[register] captures no 'user'; add that, or [whoami]")
    yield from _headers(document)
    if "static-session" in data:
        yield from _static(document)
    yield from _dialect(document)


def _headers(document: Document) -> Iterator[FileFault]:
    """Yield headers and cookies that no request could carry."""
    data = document.data
    texts: list[tuple[KeyPath, str]] = []
    for where, table in ((("server",), data["server"]), *(step for name in RECIPES for step in recipe(data, name))):
        for name, value in table.get("headers", {}).items():
            texts.append(((*where, "headers", name), value))
            if not _HEADER.fullmatch(name):
                yield document.fault((*where, "headers", name), f"{name!r} is no name of a header")
    for name, account in data.get("actors", {}).items():
        texts.append((("actors", name, "cookie"), account.get("cookie", "")))
    for where, text in texts:
        if any(ord(c) < 32 for c in text):
            yield document.fault(where, "a header and a cookie are one line, without control characters")


def _static(document: Document) -> Iterator[FileFault]:
    data = document.data
    actors = data.get("actors", {})
    if any(recipe(data, name) for name in ("session.open", "session.close")):
        yield document.fault(("session",), "there are both [session], which opens sessions, and [[static-session]]")
    if not actors:
        yield document.fault(("static-session",), "[[static-session]] needs [actors], the accounts that belong to it")
    for number, session in enumerate(data["static-session"]):
        named = [("gamemaster", session["gamemaster"])] if "gamemaster" in session else []
        for key, name in (*named, *(("members", name) for name in session["members"])):
            if name not in actors:
                where = ("static-session", number, key)
                yield document.fault(where, f"{name!r} is in this session, and there is no [actors.{name}]")
    ids = [session["id"] for session in data["static-session"]]
    if len(set(ids)) < len(ids):
        yield document.fault(("static-session", 1, "id"), "both [[static-session]] have the same id")


def _dialect(document: Document) -> Iterator[FileFault]:
    dialect = document.data.get("dialect", {})
    for table in ("events", "broadcasts"):
        taken: dict[str, str] = {}
        for ours, theirs in dialect.get(table, {}).items():
            if theirs in taken:
                where = ("dialect", table, ours)
                yield document.fault(where, f"{ours!r} and {taken[theirs]!r} cannot both be called {theirs!r}")
            taken[theirs] = ours
    for event, key in dialect.get("arguments", {}).items():
        right = "userId" if event == "get-user-data" else "sessionId"
        if key != right:
            yield document.fault(("dialect", "arguments", event), f"{event} has no property {key!r}; it has {right!r}")


def actors_fault(document: Document, *, adapted: bool) -> FileFault | None:
    """Return what is wrong with who logs in and how, once it is known whether an adapter does it."""
    data = document.data
    actors = data.get("actors", {})
    login = bool(recipe(data, "login")) or "login" in data or adapted
    tells = "user" in _captures(data, "login") or "whoami" in data or (adapted and "login" not in data)
    for role in (name for name in ROLES if name in actors):
        account = actors[role]
        if "cookie" not in account and not login:
            return document.fault(("actors", role), f"there is no way to log {role} in: add [login], or a cookie")
        knows = "user" in account or ("whoami" in data if "cookie" in account else tells)
        if not knows:
            sentence = f"nothing says by which id the server calls {role}: add user, [whoami]"
            return document.fault(("actors", role), sentence + ", or capture user in [login]")
    return None
