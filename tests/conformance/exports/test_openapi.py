"""The OpenAPI document of the HTTP side, as other tools read it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.conformance.command import command

from dungeonlab_spec.catalogue import http_side


@pytest.fixture(scope="module")
def exported() -> Any:
    """Return what the command writes."""
    return json.loads(command("export", "openapi").stdout)


def test_it_is_the_description_that_servers_are_judged_by(exported: Any) -> None:
    """Nothing is added or left out."""
    assert exported == http_side()


def test_a_validator_takes_it(exported: Any) -> None:
    """As OpenAPI 3.1; and it does look."""
    assert [error.message for error in OpenAPIV31SpecValidator(exported).iter_errors()] == []
    spoilt = copy.deepcopy(exported)
    del spoilt["paths"]["/api/auth/login"]["post"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(spoilt).iter_errors())
