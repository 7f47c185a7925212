"""Finds what is wrong with a target's file: in its templates, and in what its parts ask of each other.

Each fault is one sentence, with file and line. That the file fits its model is the business of `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dungeonlab_conformance.target.file.dialect import rules as dialect
from dungeonlab_conformance.target.file.document import Document, FileFault
from dungeonlab_conformance.target.file.model import Command, Request, TargetFile
from dungeonlab_conformance.target.roles import ROLES
from dungeonlab_conformance.text.templates import names
from dungeonlab_conformance.text.toml import KeyPath

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
    "token.open": ((*_ACCOUNT, "user", "session", "encounter", "label"), "token"),
    "encounter.close": ((*_ACCOUNT, "user", "session", "encounter"), None),
}


def check(document: Document, file: TargetFile) -> None:
    """Raise `FileFault` for the first thing that is wrong with a file that fits its model."""
    for find in (_templates, _contradictions):
        for fault in find(document, file):
            raise fault


def recipe(file: TargetFile, name: str) -> list[tuple[KeyPath, Request]]:
    """Return the requests of a recipe, each with where it stands."""
    section, _, key = name.partition(".")
    found: Any = getattr(file, "registration" if section == "register" else section)
    found = getattr(found, key) if key else found
    where: KeyPath = tuple(name.split("."))
    if isinstance(found, list):
        return [((*where, number), request) for number, request in enumerate(found)]
    return [(where, found)] if isinstance(found, Request) else []


# -- templates ---------------------------------------------------------------------------------------


def _templates(document: Document, file: TargetFile) -> Iterator[FileFault]:
    logged_in = _captures(file, "register") | _captures(file, "login") | {"user"}
    opened = _captures(file, "session.open")
    for name, (given, _) in RECIPES.items():
        known = set(given)
        if name not in ("register", "login"):
            known |= logged_in
        if name.startswith(("session.close", "membership", "encounter")):
            known |= opened
        for where, request in recipe(file, name):
            texts = {"path": request.path, "json": request.body, "form": request.form, "headers": request.headers}
            for key, template in texts.items():
                for variable in names(template):
                    if variable not in known:
                        yield _names_nothing(document, (*where, key), variable, known)
            known |= set(request.capture)
    for variable in names(file.login.command if isinstance(file.login, Command) else None):
        if variable not in _ACCOUNT:
            yield _names_nothing(document, ("login", "command"), variable, set(_ACCOUNT))


def _names_nothing(document: Document, where: KeyPath, variable: str, known: set[str]) -> FileFault:
    there = ", ".join(f"{{{name}}}" for name in sorted(known))
    return document.fault(where, f"the template names {{{variable}}}, which nothing defines; there are {there}")


def _captures(file: TargetFile, name: str) -> set[str]:
    return {variable for _, request in recipe(file, name) for variable in request.capture}


# -- what the parts ask of each other ----------------------------------------------------------------


def _contradictions(document: Document, file: TargetFile) -> Iterator[FileFault]:
    for name, (_, captured) in RECIPES.items():
        requests = recipe(file, name)
        if captured and requests and captured not in _captures(file, name):
            yield document.fault(
                requests[-1][0], f'[{name}] captures no {captured!r}; add capture = {{ {captured} = "/…" }}'
            )
    if file.registration is not None and "actors" in file.model_fields_set:
        yield document.fault(("actors",), "there are both [register], which makes accounts, and [actors]")
    if file.registration is not None and "user" not in _captures(file, "register") and file.whoami is None:
        yield document.fault(("register",), "[register] captures no 'user'; add that, or [whoami]")
    if file.membership.joining_enrols and file.membership.add is not None:
        sentence = "there is also joining-enrols, by which nobody is made a member but by joining"
        yield document.fault(("membership", "add"), sentence)
    yield from _headers(document, file)
    if file.static_session:
        yield from _static(document, file)
    yield from dialect.faults(document, file)


def _headers(document: Document, file: TargetFile) -> Iterator[FileFault]:
    """Yield headers and cookies that no request could carry."""
    texts: list[tuple[KeyPath, str]] = []
    requests = [found for name in RECIPES for found in recipe(file, name)]
    for where, headers in (("server",), file.server.headers), *((where, step.headers) for where, step in requests):
        for name, value in headers.items():
            texts.append(((*where, "headers", name), value))
            if not _HEADER.fullmatch(name):
                yield document.fault((*where, "headers", name), f"{name!r} is no name of a header")
    texts += [(("actors", name, "cookie"), account.cookie or "") for name, account in file.actors.items()]
    for where, text in texts:
        if any(ord(c) < 32 for c in text):
            yield document.fault(where, "a header and a cookie are one line, without control characters")


def _static(document: Document, file: TargetFile) -> Iterator[FileFault]:
    if any(recipe(file, name) for name in ("session.open", "session.close")):
        yield document.fault(("session",), "there are both [session], which opens sessions, and [[static-session]]")
    if not file.actors:
        yield document.fault(("static-session",), "[[static-session]] needs [actors], the accounts that belong to it")
    for number, session in enumerate(file.static_session):
        named = [("gamemaster", session.gamemaster)] if "gamemaster" in session.model_fields_set else []
        for key, name in (*named, *(("members", name) for name in session.members)):
            if name not in file.actors:
                where = ("static-session", number, key)
                yield document.fault(where, f"{name!r} is in this session, and there is no [actors.{name}]")
    ids = [session.id for session in file.static_session]
    if len(set(ids)) < len(ids):
        yield document.fault(("static-session", 1, "id"), "both [[static-session]] have the same id")


def actors_fault(document: Document, file: TargetFile, *, adapted: bool) -> FileFault | None:
    """Return what is wrong with who logs in and how, once it is known whether an adapter does it."""
    login = file.login is not None or adapted
    answers = "user" in _captures(file, "login") or file.whoami is not None or (adapted and file.login is None)
    for role in (name for name in ROLES if name in file.actors):
        account = file.actors[role]
        if account.cookie is None and not login:
            return document.fault(("actors", role), f"there is no way to log {role} in: add [login], or a cookie")
        knows = account.user is not None or (file.whoami is not None if account.cookie is not None else answers)
        if not knows:
            sentence = f"nothing says by which id the server calls {role}: add user, [whoami]"
            return document.fault(("actors", role), sentence + ", or capture user in [login]")
    return None
