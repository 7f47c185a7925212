"""The two validators agree, beyond the examples, on payloads nobody thought of.

schemathesis makes them from the schemas: valid ones, and invalid ones of its own devising. ``EXAMPLES`` says how many
times as many as usual: ``tox -e examples`` tries ten times as many.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from tests.spec.constraints import whole

from dungeonlab_spec import accepts
from dungeonlab_spec.payloads import Payload, payloads
from dungeonlab_spec.validation import explainer

# Of the invalid ones, up to a third are no JSON at all (bytes), and not counted.
TIMES = int(os.environ.get("EXAMPLES", "1"))
EXAMPLES = {GenerationMode.POSITIVE: 40 * TIMES, GenerationMode.NEGATIVE: 30 * TIMES}
ENOUGH = 50 * TIMES


def untitled(schema: Any) -> Any:
    """Return a schema without what is for people only."""
    if isinstance(schema, list):
        return [untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: untitled(value) for key, value in schema.items() if key != "title"}
    return {key: value for key, value in kept.items() if key != "description" or isinstance(value, dict)}


# Schemas of the same shape, such as the requests to join and to leave, are tried once.
distinct = {json.dumps(untitled(whole(payload.reference))): payload for payload in payloads()}.values()


def operation(schema: Any) -> Any:
    """Wrap a schema as the body of a POST: the form in which schemathesis takes it."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    post = {"requestBody": body, "responses": {"200": {"description": "fine"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "one payload", "version": "1"},
        "paths": {"/payload": {"post": post}},
    }
    return schemathesis.openapi.from_dict(document)["/payload"]["POST"]


@pytest.fixture(autouse=True, scope="module")
def without_garbage_collection() -> Iterator[None]:
    """Leave garbage lying about: generating makes much of it, and a fifth of the time would go into looking."""
    gc.disable()
    yield
    gc.enable()


def agreements(payload: Payload, mode: GenerationMode) -> int:
    """Return on how many generated payloads both validators gave the verdict they should."""
    second = explainer(payload.reference)
    valid = mode is GenerationMode.POSITIVE
    judged = 0

    @settings(
        max_examples=EXAMPLES[mode],
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation(whole(payload.reference)).as_strategy(generation_mode=mode))
    def agree(case: Any) -> None:
        nonlocal judged
        if isinstance(case.body, bytes):
            return
        assert accepts(payload.reference, case.body) is valid
        assert second.is_valid(case.body) is valid
        judged += 1

    agree()
    return judged


@pytest.mark.parametrize("payload", distinct, ids=str)
def test_the_validators_agree_on_generated_payloads(payload: Payload) -> None:
    """Both accept what was made to be valid, and both refuse what was made to be invalid."""
    judged = [agreements(payload, mode) for mode in EXAMPLES]
    assert sum(judged) >= ENOUGH
    assert min(judged) >= ENOUGH // 4
