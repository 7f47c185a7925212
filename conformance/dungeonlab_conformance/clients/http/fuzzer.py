"""Generated requests to the HTTP API, made by schemathesis from the description.

Runs in a thread of its own, for as long as it is given: schemathesis waits for each answer.
"""

from __future__ import annotations

import copy
import itertools
import json
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from dungeonlab_conformance.clients.http.users import Operation, operations
from dungeonlab_conformance.results.errors import Broken, Gone
from dungeonlab_conformance.target.target import Target
from dungeonlab_spec.catalogue import http_side

CASES, FEWER = 25, 8  # valid requests of each operation that has a body, or none; and as many that are invalid
ACCEPTED, REFUSED, DESCRIBED = "http/valid-bodies-accepted", "http/invalid-bodies-refused", "http/answers-described"
_BLAMED = {"RejectedPositiveData": ACCEPTED, "AcceptedNegativeData": REFUSED}


def load_schemathesis() -> bool:
    """Load schemathesis, which takes a second, before any time limit runs; returns whether it is installed."""
    if find_spec("schemathesis") is None:
        return False
    import_module("schemathesis")
    return True


class _TimeIsUp(BaseException):
    """Ends hypothesis at once: an `Exception` it would take for a finding, and look for a smaller one."""


class _Enough(BaseException):
    """Ends hypothesis as well: a slow server is asked less of one kind, so that there is time for the others."""


class _NotAnswered(_TimeIsUp):
    """There was no answer that could be read; the message says why. Ends hypothesis as well."""


@dataclass
class Generator:
    """Makes requests as one logged-in user, about one session of theirs.

    `found` holds the smallest request of each operation that was answered wrongly, by the requirement it breaks;
    It is `complete` unless the time, in seconds, was up before every operation had been tried.
    """

    target: Target
    cookies: Mapping[str, str]
    session: str
    user: str
    seconds: float
    found: dict[tuple[str, str], Broken] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    complete: bool = True
    _end: float = 0.0
    _share: float = 0.0  # when another kind of requests is to have its turn, once there were enough of this one

    def run(self) -> None:
        """Try every operation, with valid requests and with invalid ones."""
        import schemathesis
        from schemathesis import GenerationMode

        from dungeonlab_conformance.clients.http.fuzzer_session import new_session

        schema = schemathesis.openapi.from_dict(_without_security())
        rows = [row for row in operations().values() if row.id not in ("logOut", "deleteSession")]
        kinds = [(row, mode) for row in rows for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
        self._end = time.monotonic() + self.seconds
        with new_session(self.target) as http:
            try:
                for left, (row, mode) in zip(range(len(kinds), 0, -1), kinds, strict=True):
                    share = 2 / (left + 1) if mode is GenerationMode.POSITIVE else 1 / left  # few valid ones are odd
                    self._share = (now := time.monotonic()) + (self._end - now) * share
                    self._try(row, schema[row.path][row.method].as_strategy(generation_mode=mode), http)
            except _NotAnswered as why:
                raise Gone(f"a generated request was not answered: {why}") from None
            except _TimeIsUp:
                self.complete = False

    def _try(self, row: Operation, strategy: Any, http: Any) -> None:
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis.errors import Unsatisfiable

        made = itertools.count()

        @settings(
            max_examples=CASES if row.has_body else FEWER,
            phases=[Phase.generate, Phase.shrink],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def one(case: Any) -> None:
            if self.stopped.is_set() or time.monotonic() > self._end:
                raise _TimeIsUp
            if next(made) >= FEWER and time.monotonic() > self._share:
                raise _Enough
            self._one(row, case, http)

        # What went wrong is recorded already, with each smaller request anew; and some requests cannot be invalid.
        with suppress(AssertionError, ExceptionGroup, Unsatisfiable, _Enough):
            one()

    def _one(self, row: Operation, case: Any, http: Any) -> None:
        from requests import RequestException
        from schemathesis.core.failures import FailureGroup

        self._settle(row, case)
        cookies = dict(self.cookies) if row.needs_login else {}
        options = {"timeout": self.target.limits.answer, "allow_redirects": False, "verify": self.target.verify}
        try:
            response = case.call(base_url=self.target.base, session=http, cookies=cookies, **options)
        except RequestException as error:
            raise _NotAnswered(f"{row.method} {row.path}: {error}"[:200]) from None
        if row.id == "openSession" and response.status_code == row.success:
            self._clear(http, response)
        if response.status_code == 429:
            return
        try:
            case.validate_response(response)
        except FailureGroup as group:
            again = case.as_curl_command(headers={"Cookie": "…"} if cookies else None)
            wrong = [(_BLAMED.get(type(failure).__name__, DESCRIBED), failure) for failure in group.exceptions]
            if not row.has_body:  # an odd id may be one that happens not to be there
                wrong = [(blamed, failure) for blamed, failure in wrong if blamed != REFUSED]
            if not wrong:
                return
            for blamed, failure in wrong:
                got = f"{response.status_code}: {failure}".splitlines()[0]
                self.found[row.id, blamed] = Broken(_EXPECTED[blamed], f"{got}; repeat it with: {again}")
            raise AssertionError(row.id) from None

    def _settle(self, row: Operation, case: Any) -> None:
        """Let valid requests be about what there is, and name no account twice."""
        if case.meta is not None and not case.meta.generation.mode.is_positive:
            return
        for name, value in (("sessionId", self.session), ("userId", self.user)):
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = value
        if row.id == "register" and isinstance(case.body, dict):
            case.body["username"] = f"generated-{secrets.token_hex(6)}"

    def _clear(self, http: Any, response: Any) -> None:
        from requests import RequestException

        made = json.loads(response.content).get("id")
        row = operations()["deleteSession"]
        url = self.target.base + row.path.format(sessionId=made)
        options = {"timeout": self.target.limits.answer, "allow_redirects": False}
        with suppress(RequestException):
            http.request(row.method, url, cookies=dict(self.cookies), **options)


_EXPECTED = {
    ACCEPTED: "a valid request to be accepted",
    REFUSED: "an invalid request to be refused",
    DESCRIBED: "an answer that the description knows",
}


def _without_security() -> dict[str, Any]:
    """Return the description without its cookie: that is sent as it was given, and judged elsewhere."""
    described = copy.deepcopy(dict(http_side()))
    described.pop("security")
    described["components"].pop("securitySchemes")
    for item in described["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    return described
