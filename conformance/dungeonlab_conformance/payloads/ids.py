"""The ids in a request, which are valid only on the stage that received them from the server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dungeonlab_spec import Event, accepts

_IDENTIFIER = "identifiers.json#/$defs/Identifier"
_KEYS = ("sessionId", "encounterId", "tokenId", "userId")


def ids_of(payload: Any) -> dict[str, str]:
    """Return the ids that a valid request names, those inside an action included."""
    found: dict[str, str] = {}
    for part in _parts(payload):
        found.update({key: part[key] for key in _KEYS if key in part})
    return found


def with_ids(event: Event, payload: Any, ids: Mapping[str, str]) -> Any:
    """Return a generated payload with the ids of a stage in place of its own.

    A value in an id's place that is no id stays as it is: it may be the payload's fault.
    """
    if not isinstance(payload, dict):
        return payload
    replaced = {key: _replaced(key, value, ids) for key, value in payload.items()}
    action = replaced.get("action")
    if event.name == "validate-action" and isinstance(action, dict) and isinstance(action.get("payload"), dict):
        inner = {key: _replaced(key, value, ids) for key, value in action["payload"].items()}
        replaced["action"] = {**action, "payload": inner}
    return replaced


def _replaced(key: str, value: Any, ids: Mapping[str, str]) -> Any:
    return ids[key] if key in ids and key in _KEYS and accepts(_IDENTIFIER, value) else value


def _parts(payload: Any) -> list[dict[str, Any]]:
    if not isinstance(payload, dict):
        return []
    action = payload.get("action")
    inner = action.get("payload") if isinstance(action, dict) else None
    return [payload, inner] if isinstance(inner, dict) else [payload]
