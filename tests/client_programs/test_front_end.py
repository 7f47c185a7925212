"""The package for npm in a front end: it type-checks, and builds into a page that makes no code of text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.client_programs.front_end import FrontEnd
from tests.client_programs.programs import is_required, why_not
from tests.npm_package import missing

MISSING = missing() or why_not()
if MISSING and is_required():
    pytest.fail(f"the front end is required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")


def test_a_front_end_uses_the_package(tmp_path: Path) -> None:
    """Its types are right and checked, the page holds the validators, and no file of it needs `eval`."""
    front_end = FrontEnd.set_up(tmp_path)
    wrong = front_end.folder / "src" / "wrong.ts"
    wrong.write_text(
        'import type { Payloads } from "dungeonlab-protocol";\n'
        'export const said: Payloads["chat-message"]["request"] = { sessionId: "s", mesage: "Hello" };\n',
        "utf-8",
    )
    assert re.findall(r"^(\S+)\(\d+,\d+\): error TS(\d+)", front_end.objections(), re.MULTILINE) == [
        ("src/wrong.ts", "2561")
    ]
    wrong.unlink()
    page = front_end.build()
    [script] = page.rglob("*.js")
    code = script.read_text("utf-8")
    assert "no such property" in code
    assert "dungeonlab-protocol" not in (page / "index.html").read_text("utf-8")
    assert not re.search(r"\beval\(|\bnew Function\b", code)
