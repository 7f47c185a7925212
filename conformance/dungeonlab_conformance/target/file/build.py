"""From a target's file that has been checked to a `Target`."""

from __future__ import annotations

import importlib
import re
import sys
from urllib.parse import urlsplit

from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.target.adapter import Adapter, defines
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent, Dialect, Shape
from dungeonlab_conformance.target.file.dialect.tables import Dialect as DialectTable
from dungeonlab_conformance.target.file.dialect.tables import template_of
from dungeonlab_conformance.target.file.document import AdapterFault, Document
from dungeonlab_conformance.target.file.model import Capabilities, Command, Request, StaticSession, TargetFile
from dungeonlab_conformance.target.file.rules import RECIPES, actors_fault, recipe
from dungeonlab_conformance.target.http_steps import REFERENCE_HTTP_API, Csrf, HttpRequestStep
from dungeonlab_conformance.target.identity import Account, ReadyMade
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.roles import ROLES, Party
from dungeonlab_conformance.target.target import Target, tls
from dungeonlab_conformance.text.printable import sentence_of

# A file with none of these describes a server that has the HTTP API of the protocol's section 16.
_OWN_WAYS = {
    *("registration", "login", "whoami", "logout", "unregister", "actors"),
    *("csrf", "membership", "encounter", "token", "static_session"),
}
_TELLTALE = re.compile("auth|token|key|secret|cookie|passw|session", re.IGNORECASE)  # in the name of a header
_TOKENS = ("token:create", "token:move", "token:update", "token:delete")


def build(document: Document, file: TargetFile, *, url: str | None, transport: str | None, scale: float) -> Target:
    """Return the target that a file describes; `url` and `transport` take the place of what it says.

    Raises `FileFault` for what only shows here: an address that is none, an adapter that cannot be had.
    """
    server, adapter, verify = file.server, _adapter(document, file), _verify(document, file)
    own = bool(file.model_fields_set & _OWN_WAYS) or file.session.open is not None
    try:
        target = Target(
            url or server.url,
            path=server.path,
            prefix=server.prefix or "",
            transport=transport or server.transports[0],
            headers=server.headers,
            verify=verify,
            steps=_steps(file) if own or _defines(adapter, "log_in") else REFERENCE_HTTP_API,
            limits=Limits(scale, base=file.timeouts.answer, quiet=file.timeouts.quiet),
            transports=tuple(server.transports),
            accounts=_accounts(file) if file.actors else dict.fromkeys(ROLES),
            login_command=tuple(file.login.command) if isinstance(file.login, Command) else (),
            csrf=Csrf(file.csrf.cookie, file.csrf.header, file.csrf.path) if file.csrf else None,
            ready_made=tuple(_ready_made(session, file) for session in file.static_session),
            keeps_sessions=file.session.per == "run",
            absent=_absent(file.capabilities),
            joining_enrols=file.membership.joining_enrols,
            dialect=_dialect(file.dialect),
            restart=tuple(server.restart or ()),
            restart_wait=server.restart_wait,
            adapter=adapter,
            file=str(document.path),
        )
    except TargetFault as fault:
        raise document.fault(("server", "url"), str(fault)) from None
    _whole(document, file, target)
    _hide(document, file, target)
    return target


def _whole(document: Document, file: TargetFile, target: Target) -> None:
    """Make sure that somebody can log in and that there is something to join."""
    adapted = _defines(target.adapter, "log_in")
    fault = actors_fault(document, file, adapted=adapted)
    if fault is not None:
        raise fault
    if not file.actors and not target.steps.get("register") and not adapted:
        raise document.fault((), "nobody can log in: add [actors], or [register] if the server lets one sign up")
    if target.ready_made:
        return
    if "gamemaster" not in target.accounts:
        raise document.fault(("actors",), "somebody must open the sessions: add [actors.gamemaster]")
    if not target.steps.get("session.open") and not _defines(target.adapter, "open_session"):
        raise document.fault((), "there is no session to join: add [session.open], or name one as [[static-session]]")


def _steps(file: TargetFile) -> dict[str, tuple[HttpRequestStep, ...]]:
    return {name: tuple(_step(request) for _, request in recipe(file, name)) for name in RECIPES if recipe(file, name)}


def _step(request: Request) -> HttpRequestStep:
    expect = request.expect if isinstance(request.expect, list) else [request.expect] if request.expect else []
    return HttpRequestStep(
        request.method,
        request.path,
        json=request.body,
        form=request.form,
        headers=request.headers,
        expect=tuple(expect),
        capture=request.capture,
        by=request.by,
    )


def _accounts(file: TargetFile) -> dict[str, Account]:
    texts = {role: file.actors[role].model_dump(exclude_none=True) for role in ROLES if role in file.actors}
    return {role: Account(**given) for role, given in texts.items()}


def _ready_made(session: StaticSession, file: TargetFile) -> ReadyMade:
    gamemaster = session.gamemaster if session.gamemaster in file.actors else None
    party = Party(gamemaster, tuple(session.members))
    return ReadyMade(session.id, party, tuple(session.encounters), session.exclusive)


def _absent(capabilities: Capabilities) -> frozenset[str]:
    lacking = {name for name, there in capabilities.model_dump(by_alias=True).items() if not there}
    return frozenset(lacking | (set(_TOKENS) if "tokens" in lacking else set()))


def _dialect(given: DialectTable) -> Dialect:
    return Dialect(
        given.events,
        given.broadcasts,
        arguments={event: template_of(arguments) for event, arguments in given.arguments.items()},
        requests={event: Shape(shape.rename) for event, shape in given.request.items()},
        answers={
            event: how if how == "none" else AnswerByEvent(how.success, how.failure)
            for event, how in given.answers.items()
        },
        ack=Shape(given.ack.rename),
        data={event: Shape(shape.rename) for event, shape in given.data.items()},
        data_at_top_level=given.ack.data == "top-level",
        codes=given.codes,
        emissions={event: Shape(shape.rename, tuple(shape.arguments)) for event, shape in given.broadcast.items()},
    )


def _verify(document: Document, file: TargetFile) -> bool | str:
    given = file.server.tls
    if given.ca is None:
        return given.verify
    authorities = document.path.parent / given.ca
    if not authorities.is_file():
        raise document.fault(("server", "tls", "ca"), f"there is no file {authorities}")
    try:
        tls(str(authorities))
    except OSError:
        raise document.fault(("server", "tls", "ca"), f"{authorities} holds no certificates in PEM form") from None
    return str(authorities)


def _adapter(document: Document, file: TargetFile) -> type[Adapter] | None:
    named = file.adapter
    if named is None:
        return None
    module, _, name = named.partition(":")
    folder = str(document.path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name, None)
    except BaseException as error:  # whatever a user's module raises as it is imported; it may even exit
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


def _hide(document: Document, file: TargetFile, target: Target) -> None:
    """Keep out of sight what came from the environment, and every password and cookie.

    The server's address is shown in every report, so what is plain to see in it stays.
    """
    parts, secrets = urlsplit(target.url), target.secrets
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    for where, values in document.taken.items():
        for value in values:
            if where != ("server", "url") or value.rstrip("/") not in plain:
                secrets.add(value)
    for name, value in file.server.headers.items():
        if _TELLTALE.search(name):
            secrets.add(value)
            secrets.add(value.rpartition(" ")[2])  # of `Bearer ...`
    for account in file.actors.values():
        secrets.add(account.password or "")
        secrets.add(account.cookie or "")
        for part in (account.cookie or "").split(";"):
            secrets.add(part.partition("=")[2].strip())
