"""The HTTP requests that set a stage, as data: what they are made of, and those of the protocol's section 16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class HttpRequestStep:
    """One HTTP request that sets a part of the stage.

    `capture` maps a variable to where the answer has it: a JSON pointer into its body, or ``cookie:NAME``,
    ``header:NAME``, ``input:NAME`` (a field of an HTML form). `expect` is empty for any 2xx. `by` says whose
    request it is.
    """

    method: str
    path: str
    json: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: tuple[int, ...] = ()
    capture: Mapping[str, str] = field(default_factory=dict)
    by: Literal["gamemaster", "member"] = "gamemaster"


# How a stage is set on a server that has the HTTP side of the protocol's section 16.
REFERENCE_HTTP_API: Mapping[str, tuple[HttpRequestStep, ...]] = {
    "register": (
        HttpRequestStep(
            "POST",
            "/api/auth/register",
            json={"username": "{username}", "password": "{password}", "displayName": "{actor}"},
            capture={"user": "/id"},
        ),
    ),
    "login": (
        HttpRequestStep(
            "POST",
            "/api/auth/login",
            json={"username": "{username}", "password": "{password}"},
            capture={"user": "/id"},
        ),
    ),
    "logout": (HttpRequestStep("POST", "/api/auth/logout"),),
    "session.open": (
        HttpRequestStep("POST", "/api/game-sessions", json={"name": "{label}"}, capture={"session": "/id"}),
    ),
    "session.close": (HttpRequestStep("DELETE", "/api/game-sessions/{session}"),),
    "membership.add": (HttpRequestStep("PUT", "/api/game-sessions/{session}/participants/{member}"),),
    "membership.remove": (HttpRequestStep("DELETE", "/api/game-sessions/{session}/participants/{member}"),),
    "encounter.open": (
        HttpRequestStep(
            "POST",
            "/api/game-sessions/{session}/encounters",
            json={"name": "{label}"},
            capture={"encounter": "/id"},
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Csrf:
    """A double-submit cookie: its value goes into a header of every request that changes something."""

    cookie: str
    header: str
    path: str | None = None  # asked for first, if the cookie is not there yet
