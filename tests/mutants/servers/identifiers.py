"""Faults in how an id is compared, and in what else it is taken for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Payload, Session
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Event
from tests.mutants.fault import faulty

_IDS = ("sessionId", "encounterId", "tokenId", "userId")
_INHERITED = ("__proto__", "constructor", "toString", "hasOwnProperty")


class Rewriting(Pipeline):
    """Writes the ids of a request in a way of its own before they are judged."""

    def rewritten(self, value: Any) -> Any:
        """Return what is looked up in place of an id."""
        return value

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        if len(args) == 1 and isinstance(args[0], dict):
            args = [{key: self.rewritten(value) if key in _IDS else value for key, value in args[0].items()}]
        return super().check_shape(event, args)


@faulty("payloads/ids-compared-exactly")
class KnowsNoCase(MemoryStore):
    """Ids are compared without regard to case, as many databases do."""

    async def session(self, session_id: str) -> Session | None:
        return await super().session(_in_any_case(session_id, self._sessions))

    async def encounter_session(self, encounter_id: str) -> str | None:
        return await super().encounter_session(_in_any_case(encounter_id, self._encounters))

    async def token(self, token_id: str) -> Payload | None:
        return await super().token(_in_any_case(token_id, self._tokens))


def _in_any_case(wanted: str, known: Any) -> str:
    return next((key for key in known if key.casefold() == wanted.casefold()), wanted)


@faulty("payloads/ids-compared-exactly")
class TrimsBlanksOffIds(Rewriting):
    """Blanks around an id are cut off."""

    def rewritten(self, value: Any) -> Any:
        return value.strip(" ") if isinstance(value, str) else value


@faulty("payloads/ids-compared-exactly")
class NormalisesIds(Rewriting):
    """Ids are brought into Unicode's compatible form, in which letters of full width are plain ones."""

    def rewritten(self, value: Any) -> Any:
        return unicodedata.normalize("NFKC", value) if isinstance(value, str) else value


@faulty("payloads/ids-compared-exactly")
class ReadsIdsAsNumbers(Rewriting):
    """Tokens are numbered, and an id is read as a number: zeros before it, and what follows it, are nothing."""

    counted = 0

    def rewritten(self, value: Any) -> Any:
        digits = re.fullmatch(r"0*([0-9]{1,8})[a-z]*", str(value))
        return digits[1] if digits else value

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        command = super().command(event, payload, user, token)
        if event.name != "token:create":
            return command
        self.counted += 1
        return replace(command, new_id=str(self.counted))


# -- what an object inherits ---------------------------------------------------------------------------


@faulty("payloads/any-id-is-an-id")
class MovesWhatIsInherited(Pipeline):
    """A token is looked up among the properties of an object, and one that it inherits can be moved."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if event.name != "token:move" or payload["tokenId"] not in _INHERITED:
            return await super().check_things(event, payload)
        await super().check_things(replace_needs(event), payload)
        return {"id": payload["tokenId"], "encounterId": payload["encounterId"], "version": 1}


def replace_needs(event: Event) -> Event:
    """Return the event without its need of a token."""
    return replace(event, needs=tuple(need for need in event.needs if need != "token"))


@faulty("payloads/any-id-is-an-id")
class StumblesOverWhatIsInherited(Pipeline):
    """An encounter is looked up among the properties of an object; of one that it inherits, something is missing."""

    async def check_things(self, event: Event, payload: Payload) -> Payload | None:
        if payload.get("encounterId") in _INHERITED:
            raise TypeError("cannot read properties of undefined")
        return await super().check_things(event, payload)


# -- half of a surrogate pair --------------------------------------------------------------------------


class Mending(Pipeline):
    """Makes something of half a surrogate pair inside `data`."""

    def mend(self, half: str) -> str:
        """Return what is kept in place of half a pair."""
        return half

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        for key in ("token", "updates"):
            inner = args[0].get(key) if len(args) == 1 and isinstance(args[0], dict) else None
            if isinstance(inner, dict) and isinstance(inner.get("data"), dict):
                data = _mended(inner["data"], self.mend)
                args = [{**args[0], key: {**inner, "data": data}}]
        return super().check_shape(event, args)


def _mended(value: Any, mend: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", lambda half: mend(half[0]), value)
    if isinstance(value, list):
        return [_mended(each, mend) for each in value]
    if isinstance(value, dict):
        return {_mended(key, mend): _mended(inner, mend) for key, inner in value.items()}
    return value


@faulty("payloads/half-surrogate-refused")
class ReplacesHalfAPair(Mending):
    """Half of a surrogate pair inside a token's data becomes the character that stands for what cannot be read."""

    def mend(self, half: str) -> str:
        return "\N{REPLACEMENT CHARACTER}"


@faulty("payloads/half-surrogate-refused")
class EscapesHalfAPair(Mending):
    """Half of a surrogate pair inside a token's data is kept as the escape that it was sent as."""

    def mend(self, half: str) -> str:
        return f"\\u{ord(half):x}"
