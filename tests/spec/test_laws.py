"""The room's own laws."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dungeonlab_spec

ROOM = Path(dungeonlab_spec.__file__).parent
OURS = ("dungeonlab_reference_server", "dungeonlab_conformance", "tests", "tools", "benchmarks")


@pytest.mark.parametrize("file", sorted(ROOM.rglob("*.py")), ids=lambda file: file.name)
def test_spec_imports_nothing_of_ours(file: Path) -> None:
    """The protocol depends on no implementation and no judge of it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        assert not [name for name in names if name.split(".")[0] in OURS]


def test_loading_the_catalogue_needs_no_validator() -> None:
    """Reading the catalogue is quick: no validator is imported for it, and nothing with a network."""
    heavy = "{'jsonschema', 'jsonschema_rs', 'socketio', 'aiohttp'}"
    code = f"import sys, dungeonlab_spec as spec; spec.Catalogue.load(); print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
