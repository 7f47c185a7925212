"""The types for Python: what is right passes mypy in strict mode, and what is wrong does not.

The file `uses/protocol.py` is the export itself: tools/generate_docs.py writes and compares it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conformance.exports.uses import protocol

USES = Path(__file__).parent / "uses"
GUIDE = (Path(__file__).parents[3] / "docs" / "exports.md").read_text("utf-8")
_MARK = re.compile(r" +# type: ignore\[([a-z-]+)\]$", re.MULTILINE)


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed: pip install -e '.[lint]'")
def test_mypy_objects_to_each_wrong_use_and_to_no_other_line(tmp_path: Path) -> None:
    """Each line of `wrong.py` that has a mark is refused with the error that the mark names.

    Nothing else is: neither the right uses nor the example of the guide.
    """
    wrong = (USES / "wrong.py").read_text("utf-8")
    expected = {
        (number, found[1]) for number, line in enumerate(wrong.splitlines(), 1) if (found := _MARK.search(line))
    }
    assert len(expected) >= 20
    for name in ("good.py", "protocol.py"):
        (tmp_path / name).write_text((USES / name).read_text("utf-8").replace("tests.conformance.exports.uses.", ""))
    (tmp_path / "wrong.py").write_text(_MARK.sub("", wrong).replace("tests.conformance.exports.uses.", ""))
    [guide] = re.findall(r"^```py\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "guide.py").write_text(guide)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file", "", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    said = re.findall(r"^(\w+)\.py:(\d+): error: .* \[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    others = [row for row in said if row[0] != "wrong" and row[2] != "import-untyped"]
    assert others == [], done.stdout
    assert {(int(line), code) for file, line, code in said if file == "wrong"} == expected, done.stdout


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    """It can be copied into any project: what it imports are names for types."""
    imported = re.findall(r"^(?:from|import) ([\w.]+)", Path(protocol.__file__).read_text("utf-8"), re.MULTILINE)
    assert imported == ["collections.abc", "typing"]
    assert protocol.TokenDraft.__required_keys__ == {"name", "position"}
