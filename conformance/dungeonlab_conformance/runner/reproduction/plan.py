"""How the stage of a reproduction is set: the target's address, accounts and HTTP steps as data, without a secret.

Where a secret would stand, `${NAME}` stands for a variable of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.reproduction.statements import Arranges, Connects, Enrols, Irreproducible, Statement
from dungeonlab_conformance.target.http_steps import HttpRequestStep
from dungeonlab_conformance.target.identity import Account
from dungeonlab_conformance.target.target import Target

_ARRANGED = {  # the HTTP steps that each takes
    "add": ("membership.add",),
    "remove": ("membership.remove",),
    "delete": ("session.close",),
    "log_out": ("logout", "login"),
    "open_encounter": ("encounter.open",),
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TELLTALE = re.compile("auth|token|key|secret|cookie|passw", re.IGNORECASE)  # in the name of what holds a secret
_TEMPLATE = re.compile(r"\{[a-z]|\$\{")  # what is put in later is not written down here


def plan(target: Target, finding: Finding, played: list[Statement]) -> dict[str, Any]:
    """Return what a reproduction has to know of its target. Raises `Irreproducible`.

    `target` is one in which `${NAME}` stands for what its file takes from the environment.
    """
    _make_sure_of(target)
    sessions = _sessions(target, finding)
    accounts = _accounts(target, finding, played, sessions)
    names = [*_logins(target, accounts), *_openings(target, sessions)]
    names += [name for step in played if isinstance(step, Arranges) for name in _ARRANGED[step.does]]
    missing = next((name for name in names if not target.steps.get(name)), None)
    if missing is not None:
        raise Irreproducible(f"the target file does not say how to do {missing} over HTTP")
    names += [name for name in ("session.close", "unregister") if target.steps.get(name)]
    found = {
        "url": "" if target.bundled else target.url,
        "prefix": target.prefix,
        "path": target.path,
        "transport": target.transport,
        "headers": {name: _safe(name, value, "HEADER") for name, value in target.headers.items()},
        "verify": target.verify,
        "fence": _fence(target),
        "accounts": accounts,
        "sessions": sessions,
        "steps": {name: [_step(step) for step in target.steps[name]] for name in dict.fromkeys(names)},
    }
    return found | ({"csrf": asdict(target.csrf)} if target.csrf else {})


def variables(found: Any) -> list[str]:
    """Return the variables of the environment that a plan names, in order."""
    return list(dict.fromkeys(_VARIABLE.findall(repr(found))))


def _make_sure_of(target: Target) -> None:
    if target.adapter is not None:
        raise Irreproducible("the target file has an adapter, whose code cannot be put into a file that stands alone")
    if target.login_command:
        raise Irreproducible("the target file logs in by a command, which a file that stands alone does not have")
    if target.joining_enrols:
        raise Irreproducible("users become members by joining on this server, which a reproduction does not do")
    if target.dialect.answers or target.dialect.ack.rename:
        raise Irreproducible("this server's answers are no acknowledgements as in the protocol")
    if "@" in urlsplit(target.url).netloc:
        raise Irreproducible("the URL holds a password, which is not to stand in a file")


def _fence(target: Target) -> str:
    fence = next((name for name in target.workarounds.fences if name not in target.absent), "join-session")
    return target.dialect.events.get(fence, fence)


def _sessions(target: Target, finding: Finding) -> dict[str, Any]:
    """Return the sessions of the recorded scene: who belongs to each, and which are there already."""
    found: dict[str, Any] = {}
    for number, name in enumerate(("session", "other-session")):
        party = target.parties[number]
        if number and name not in finding.ids:
            continue
        if party is None or (party.gamemaster is None and not target.ready_made):
            raise Irreproducible(f"nothing says how the {name.replace('-', ' ')} is opened on this target")
        row: dict[str, Any] = {"gamemaster": party.gamemaster, "members": list(party.members)}
        row["encounter-needed"] = name.replace("session", "encounter") in finding.ids
        if target.ready_made:
            row["id"] = target.ready_made[number].session
            if target.ready_made[number].encounters:
                row["encounter"] = target.ready_made[number].encounters[0]
        found[name] = row
    return found


def _accounts(
    target: Target, finding: Finding, played: list[Statement], sessions: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the accounts that take part, with what logs each in."""
    acting = {step.account for step in played if isinstance(step, Connects | Enrols | Arranges) and step.account}
    masters = {session["gamemaster"] for session in sessions.values()}
    wanted = [name for name in target.accounts if name in {*acting, *masters, *finding.ids}]
    unknown = sorted(acting - set(target.accounts))
    if unknown:
        raise Irreproducible(f"this target has no account for {', '.join(unknown)}")
    return {name: _account(name, target.accounts[name]) for name in wanted}


def _account(name: str, account: Account | None) -> dict[str, Any]:
    if account is None:
        return {"new": True}
    secret = {
        key: value if _VARIABLE.search(value) else f"${{{name.upper()}_{key.upper()}}}"
        for key, value in (("password", account.password), ("cookie", account.cookie))
        if value
    }
    return {"username": account.username or name, **secret, **({"user": account.user} if account.user else {})}


def _logins(target: Target, accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for account in accounts.values():
        if account.get("new"):
            yield "register"
        elif "cookie" not in account:
            yield "login"
    needed = [step for name in ("register", "login") for step in target.steps.get(name, ())]
    named = any("user" in step.capture for step in needed)
    if not named and not all("user" in account for account in accounts.values()):
        yield "whoami"


def _openings(target: Target, sessions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for session in sessions.values():
        if "id" not in session:
            yield "session.open"
            if session["members"]:
                yield "membership.add"
        opened = any("encounter" in step.capture for step in target.steps.get("session.open", ()))
        if session["encounter-needed"] and "encounter" not in session and not ("id" not in session and opened):
            yield "encounter.open"


def _step(step: HttpRequestStep) -> dict[str, Any]:
    """Return a step as data, without what is as usual and without secrets."""
    row: dict[str, Any] = {"method": step.method, "path": step.path}
    if step.json is not None:
        row["json"] = _without_secrets(step.json)
    if step.form is not None:
        row["form"] = _without_secrets(dict(step.form))
    if step.headers:
        row["headers"] = _without_secrets(dict(step.headers))
    if step.expect:
        row["expect"] = list(step.expect)
    if step.capture:
        row["capture"] = dict(step.capture)
    return row | ({"by": step.by} if step.by != "gamemaster" else {})


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secrets(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner, name) for inner in value]
    return _safe(name, value, "STEP") if isinstance(value, str) else value


def _safe(name: str, value: str, kind: str) -> str:
    """Return a text, or a variable's reference in place of one that may be secret."""
    if not _TELLTALE.search(name) or _TEMPLATE.search(value):
        return value
    return f"${{{kind}_{re.sub('[^A-Z0-9]+', '_', name.upper())}}}"
