"""From a target's file that has been checked to a `Target`."""

from __future__ import annotations

import importlib
import re
import ssl
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.target.adapter import Adapter, defines
from dungeonlab_conformance.target.dialect import Dialect, PropertyNames
from dungeonlab_conformance.target.file.document import AdapterFault, Document
from dungeonlab_conformance.target.file.rules import RECIPES, actors_fault, recipe
from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API, Csrf, HttpRequestStep
from dungeonlab_conformance.target.identity import Account, ReadyMade
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.roles import ROLES, Party
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.printable import sentence_of

# Whoever says none of this has the HTTP side of the protocol's section 16.
_OWN_WAYS = (
    *(name for name in RECIPES if "." not in name),
    "actors",
    "csrf",
    "membership",
    "encounter",
    "static-session",
)
_TELLTALE = re.compile("auth|token|key|secret|cookie|passw|session", re.IGNORECASE)  # in the name of a header
_TOKENS = ("token:create", "token:move", "token:update", "token:delete")


def build(document: Document, *, url: str | None, transport: str | None, scale: float) -> Target:
    """Return the target that a file describes; `url` and `transport` take the place of what it says.

    Raises `FileFault` for what only shows here: an address that is none, an adapter that cannot be had.
    """
    data = document.data
    server = data["server"]
    adapter = _adapter(document)
    own = any(name in data for name in _OWN_WAYS) or bool(recipe(data, "session.open"))
    steps = _steps(data) if own or _defines(adapter, "log_in") else REFERENCE_HTTP_API
    transports = tuple(server.get("transports", ("websocket", "polling")))
    limits, verify = data.get("timeouts", {}), _verify(document)
    try:
        target = Target(
            url or server["url"],
            path=server.get("path", "/socket.io/"),
            prefix=server.get("prefix", ""),
            transport=transport or transports[0],
            headers=server.get("headers", {}),
            verify=verify,
            steps=steps,
            limits=Limits(scale, base=limits.get("answer", 4.0), quiet=limits.get("quiet", 0.5)),
            transports=transports,
            accounts={name: Account(**data["actors"][name]) for name in ROLES if name in data["actors"]}
            if data.get("actors")
            else dict.fromkeys(ROLES),
            login_command=tuple(data["login"]["command"]) if "command" in data.get("login", ()) else (),
            csrf=Csrf(**data["csrf"]) if "csrf" in data else None,
            ready_made=tuple(_ready_made(session, data["actors"]) for session in data.get("static-session", ())),
            keeps_sessions=data.get("session", {}).get("per") == "run",
            absent=_absent(data.get("capabilities", {})),
            dialect=_dialect(data.get("dialect", {})),
            adapter=adapter,
            file=str(document.path),
        )
    except TargetFault as fault:
        raise document.fault(("server", "url"), str(fault)) from None
    _whole(document, target)
    _hide(document, target.secrets, target.url)
    return target


def _whole(document: Document, target: Target) -> None:
    """Make sure that somebody can log in and that there is something to join."""
    data = document.data
    adapted = _defines(target.adapter, "log_in")
    fault = actors_fault(document, adapted=adapted)
    if fault is not None:
        raise fault
    if not data.get("actors") and not target.steps.get("register") and not adapted:
        raise document.fault((), "nobody can log in: add [actors], or [register] if the server lets one sign up")
    if target.ready_made:
        return
    if "gamemaster" not in target.accounts:
        raise document.fault(("actors",), "somebody must open the sessions: add [actors.gamemaster]")
    if not target.steps.get("session.open") and not _defines(target.adapter, "open_session"):
        raise document.fault((), "there is no session to join: add [session.open], or name one as [[static-session]]")


def _steps(data: Mapping[str, Any]) -> dict[str, tuple[HttpRequestStep, ...]]:
    return {name: tuple(_step(step) for _, step in recipe(data, name)) for name in RECIPES if recipe(data, name)}


def _step(given: Mapping[str, Any]) -> HttpRequestStep:
    expect = given.get("expect", ())
    return HttpRequestStep(
        given.get("method", "POST"),
        given["path"],
        json=given.get("json"),
        form=given.get("form"),
        headers=given.get("headers", {}),
        expect=tuple(expect) if isinstance(expect, list | tuple) else (expect,),
        capture=given.get("capture", {}),
        by=given.get("by", "gamemaster"),
    )


def _ready_made(session: Mapping[str, Any], actors: Mapping[str, Any]) -> ReadyMade:
    gamemaster = session.get("gamemaster", "gamemaster")
    party = Party(gamemaster if gamemaster in actors else None, tuple(session["members"]))
    return ReadyMade(session["id"], party, tuple(session.get("encounters", ())), session.get("exclusive", False))


def _absent(capabilities: Mapping[str, bool]) -> frozenset[str]:
    lacking = {name for name, there in capabilities.items() if not there}
    return frozenset(lacking | (set(_TOKENS) if "tokens" in lacking else set()))


def _dialect(given: Mapping[str, Any]) -> Dialect:
    ack = given.get("ack", {})
    return Dialect(
        given.get("events", {}),
        given.get("broadcasts", {}),
        given.get("arguments", {}),
        PropertyNames(ack.get("rename", {})),
        ack.get("data") == "top-level",
        {event: PropertyNames(shape.get("rename", {})) for event, shape in given.get("broadcast", {}).items()},
    )


def _verify(document: Document) -> bool | str:
    tls = document.data["server"].get("tls", {})
    if "ca" not in tls:
        return bool(tls.get("verify", True))
    file = document.path.parent / tls["ca"]
    if not file.is_file():
        raise document.fault(("server", "tls", "ca"), f"there is no file {file}")
    try:
        ssl.create_default_context(cafile=file)
    except (ssl.SSLError, OSError):
        raise document.fault(("server", "tls", "ca"), f"{file} holds no certificates in PEM form") from None
    return str(file)


def _adapter(document: Document) -> type[Adapter] | None:
    named = document.data.get("adapter")
    if named is None:
        return None
    module, _, name = named.partition(":")
    folder = str(document.path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name, None)
    except BaseException as error:  # whatever somebody else's module raises as it is imported; it may even exit
        what = document.fault(("adapter",), f"{module} cannot be imported: {sentence_of(error)}")
        missing = isinstance(error, ModuleNotFoundError) and module.startswith(error.name or module)
        raise what if missing else AdapterFault(str(what)) from None
    if found is None:
        raise document.fault(("adapter",), f"{module} has no {name}")
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise document.fault(
            ("adapter",), f"{named} is no class derived from dungeonlab_conformance.target.adapter.Adapter"
        )
    return found


def _defines(adapter: type[Adapter] | None, act: str) -> bool:
    return adapter is not None and defines(adapter, act)


def _hide(document: Document, secrets: Secrets, url: str) -> None:
    """Keep out of sight what came from the environment, and every password and cookie.

    The server's address is told in every report, so what is plain to see in it stays.
    """
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    for where, values in document.taken.items():
        for value in values:
            if where != ("server", "url") or value.rstrip("/") not in plain:
                secrets.add(value)
    for name, value in document.data["server"].get("headers", {}).items():
        if _TELLTALE.search(name):
            secrets.add(value)
            secrets.add(value.rpartition(" ")[2])  # of `Bearer ...`
    for account in document.data.get("actors", {}).values():
        secrets.add(account.get("password", ""))
        cookie = account.get("cookie", "")
        secrets.add(cookie)
        for part in cookie.split(";"):
            secrets.add(part.partition("=")[2].strip())
