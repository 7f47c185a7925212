"""The schemas and the AsyncAPI document mean to the tools of JavaScript what they mean to the suite."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from typing import Any

import pytest

from dungeonlab_conformance.exports.json_schema import title
from dungeonlab_spec.payloads import payloads
from tests.other_stacks.judge import NODE, is_required, why_not

MISSING = why_not()
if MISSING and is_required():
    pytest.fail(f"the Node.js tools are required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")
_EXPORTED = re.compile(r"^export (?:type|interface) (\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def said() -> Any:
    """Return what the tools say, one after the other."""
    done = subprocess.run(
        ["node", "schema_tools.mjs"], cwd=NODE, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ajv_judges_every_example_as_it_is_meant(said: Any) -> None:
    """In strict mode, without plugins, by each file alone, by the definitions of the bundle, and by its root."""
    examples = sum(len(payload.examples(kind)) for payload in payloads() for kind in ("valid", "invalid"))
    assert [found["name"] for found in said["ajv"]] == ["alone", "bundled", "wrapped"]
    assert [found["misjudged"] for found in said["ajv"]] == [[], [], []]
    assert [found["examples"] for found in said["ajv"][:2]] == [examples, examples]
    assert said["ajv"][2]["files"] == sum(payload.event is not None for payload in payloads())


def test_ajv_cli_takes_all_files_together(said: Any) -> None:
    """No two of them have one id, and none needs what another defines."""
    assert said["ajvCli"]["status"] == 0, said["ajvCli"]["output"]
    assert said["ajvCli"]["output"].count(" is valid") == len(payloads())


def test_types_are_made_of_each_file(said: Any) -> None:
    """A file's type is what it says, under a name that no other file's type has; the bundle's types have all names."""
    types = said["types"]
    bundle = Counter(_EXPORTED.findall(types.pop("bundle")))
    assert {name: count for name, count in bundle.items() if count > 1} == {}
    names = {file: _EXPORTED.findall(text) for file, text in types.items()}
    assert names == {f"{payload.stem}.json": [title(payload)] for payload in payloads()}
    assert set(bundle) >= {title(payload) for payload in payloads() if payload.event}
    assert not any(re.search(r"^  (?!\[k: string\])\w+\??: unknown", text, re.MULTILINE) for text in types.values())


def test_types_of_acknowledgements_are_known_apart_by_success(said: Any) -> None:
    """A client that looks at `success` knows which of the two it has."""
    acknowledgement = said["types"]["chat-message.ack.json"]
    assert "success: true;" in acknowledgement
    assert "success: false;" in acknowledgement


def test_the_asyncapi_parser_has_nothing_against_the_document(said: Any) -> None:
    """Neither an error nor a warning; and it does look at references."""
    assert said["asyncapi"]["found"] == []
    assert any("ChatMessageRequest" in path for path, _ in said["asyncapi"]["spoilt"])
