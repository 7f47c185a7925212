"""What to add to the target's file so that more can be judged, for everything it may lack."""

from __future__ import annotations

from dungeonlab_conformance.target.roles import ROLES

NAME = "dungeonlab-target.toml"

_LACKS = {
    "login": ("second login for an account", "add [login]"),
    "logout": ("way to log out", "add [logout]"),
    "session.open": ("way to open a session", "add [session.open], or name ready-made ones as [[static-session]]"),
    "session.close": ("way to close a session", "add [session.close]"),
    "session.delete": ("session that a scene may delete", 'add [session.open] and [session.close], with per = "check"'),
    "membership.add": ("way to make somebody a member", "add [membership.add], or joining-enrols = true"),
    "membership.remove": ("way to revoke a membership", "add [membership.remove]"),
    "encounter.open": ("encounter", "add [encounter.open], or give each [[static-session]] its encounters"),
    "second-encounter": ("second encounter", "add [encounter.open], or one more to the encounters"),
    "second-session": ("second session", "add a second [[static-session]], or [session.open]"),
    "exclusive": ("session that nobody else speaks in", "if there is, add exclusive = true to [[static-session]]"),
    "strangers": ("two accounts that share no session", "add [actors.mallory], a member of no session"),
    "first-session-only": ("member of the first session only", "add [actors.bob], in no other session"),
}  # fmt: skip


def advice(missing: str, file: str | None) -> str:
    """Return what is missing, and what would mend that in a target's file."""
    where = file or f"a target file ({NAME})"
    if missing in ROLES:
        return (
            f"account to play {missing}, {ROLES[missing]}; add [actors.{missing}] to {where}, "
            "and to the sessions it belongs to if those are ready-made"
        )
    kind, _, name = missing.partition(" ")
    if kind == "part":
        return f"{name}: [capabilities] of {where} says so"
    if kind == "transport":
        return f"{name} transport: [server] transports of {where} does not list it"
    what, how = _LACKS[missing]
    return f"{what}; {how} (in {where})"
