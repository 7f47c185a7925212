"""Small correct servers, each with a habit that the protocol leaves free and that shows in plays."""

from __future__ import annotations

from collections.abc import Mapping

from tests.false_alarms.conditions import Condition

HABITS: Mapping[str, Condition] = {}
