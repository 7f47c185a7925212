"""The acknowledgement of one request, read leniently: its exact shape is the business of the invariants. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import Request


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What came back for `request`: the arguments its callback was called with."""

    request: Request
    args: Arguments

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
    def data(self) -> dict[str, Any]:
        """What an acceptance carries; where `data` is left out, the envelope itself."""
        data = self.body.get("data", self.body)
        return data if isinstance(data, dict) else {}
