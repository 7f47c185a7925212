"""The acknowledgement of one request, read leniently: its exact shape is the business of the invariants. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import Observation, Request, RequestOutcome
from dungeonlab_spec.catalogue import resolve

LIMITED = "RATE_LIMITED"
RIGHTS = ("PERMISSION_DENIED", "NOT_JOINED")  # codes of a refusal that is a matter of rights, and of nothing else
INVALID = "VALIDATION_ERROR"
UNKNOWN_TOKEN = "TOKEN_NOT_FOUND"
CODES = frozenset(resolve("identifiers.json#/$defs/ErrorCode")[0]["enum"])


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What came back for `request`: the arguments its callback was called with."""

    request: Request
    args: Arguments

    @property
    def shown(self) -> str:
        """What came, in words for people."""
        return f"{self.args}"

    @property
    def readable(self) -> bool:
        """Whether the answer says yes or no at all: only an object does."""
        return bool(self.args) and isinstance(self.args[0], dict)

    @property
    def body(self) -> dict[str, Any]:
        """The envelope, or an empty one if the answer is no object."""
        return self.args[0] if self.readable else {}

    @property
    def accepted(self) -> bool:
        """Whether the answer says yes; an envelope without a true or false `success` says no if it names an error."""
        flag = self.body.get("success")
        if isinstance(flag, bool):
            return flag
        return self.readable and not {"error", "code"} & self.body.keys()

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        code = self.body.get("code")
        return code if isinstance(code, str) else None

    @property
    def limited(self) -> bool:
        """Whether the request was refused for being one too many."""
        return not self.accepted and self.code == LIMITED

    @property
    def says_why(self) -> bool:
        """Whether the code of a refusal says by itself if it is for the payload, for who asks, or for their number."""
        return self.code in (INVALID, LIMITED, *RIGHTS)

    @property
    def data(self) -> dict[str, Any]:
        """What an acceptance carries; where `data` is left out, the envelope itself."""
        data = self.body.get("data", self.body)
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True, slots=True)
class Inferred(Acknowledgement):
    """What became of a request that was not acknowledged, or not readably: `evidence` says in words how that is known.

    `seen` is the one message that shows it; without one it is known by what others heard and did not hear meanwhile,
    and what comes late may still show otherwise. `instead` is what came that says neither yes nor no, in words.
    """

    outcome: RequestOutcome
    evidence: str
    seen: Observation | None = None
    instead: str = ""

    @property
    def shown(self) -> str:
        """How it is known, for people."""
        came = f"{self.instead}, which says neither yes nor no" if self.instead else "no acknowledgement"
        return f"{came}, but {self.evidence}"

    @property
    def accepted(self) -> bool:
        """Whether the server did what it was asked for."""
        return self.outcome == "accepted"

    @property
    def code(self) -> str | None:
        """The code of the error event by which it was refused."""
        code = None if self.accepted else self._said.get("code")
        return code if isinstance(code, str) else None

    @property
    def data(self) -> dict[str, Any]:
        """What its broadcast says, in place of what an acceptance carries."""
        return self._said if self.accepted else {}

    @property
    def _said(self) -> dict[str, Any]:
        body = self.seen.args[0] if self.seen and self.seen.args else None
        return body if isinstance(body, dict) else {}
