"""The types for TypeScript: what is right compiles in strict mode, and what is wrong does not.

`spec/npm/src/protocol.d.ts` is the export itself: tools/generate_docs.py writes and compares it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dungeonlab_conformance.cli import main
from tests.npm_package import compiled, missing
from tests.other_stacks.judge import is_required

MISSING = missing()
if MISSING and is_required():
    pytest.fail(f"the tools of JavaScript are required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "exports.md").read_text("utf-8")
USES = Path(__file__).resolve().parents[1] / "conformance" / "exports" / "uses"


def test_tsc_objects_to_each_wrong_use_and_to_no_other_line(tmp_path: Path) -> None:
    """Each line of `wrong.ts` that ends in the number of an error is refused with that one.

    Nothing else is: neither the right uses nor the example of the guide.
    """
    for name in ("good.ts", "wrong.ts"):
        shutil.copy(USES / name, tmp_path / name)
    done = CliRunner().invoke(main, ["export", "typescript", str(tmp_path / "protocol.ts")])
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "wrong.ts").read_text("utf-8").splitlines()
    expected = {("wrong", n, found[1]) for n, line in enumerate(lines, 1) if (found := re.search(r"// (\d+)$", line))}
    assert len(expected) >= 20
    [guide] = re.findall(r"^```ts\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "guide.ts").write_text(guide, "utf-8")
    said = compiled(tmp_path, "good.ts", "wrong.ts", "guide.ts")
    refused = re.findall(r"^([\w./]+)\.ts\((\d+),\d+\): error TS(\d+)", said, re.MULTILINE)
    assert {(file, int(line), code) for file, line, code in refused} == expected, said
