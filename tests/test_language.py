"""Words that a technical writer would not leave standing do not occur in code, messages and documents.

Decisions keep their history, and the changelog the entries of earlier versions.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What to say instead: users who, even if, sent or reported, record or attribute, compare with, the project's, ...
UNWANTED = (
    r"who(m)?ever",
    r"be it",
    r"told",
    r"puts? down",
    r"(held|holds?) against",
    r"of ours",
    r"(stands?|stood) still",
    r"haunted",
    r"homeless",
    r"teeth",
    r"weather",
)
WORD = re.compile(rf"(?<![^\W_])({'|'.join(UNWANTED)})(?![^\W_])", re.IGNORECASE)  # `_` separates words, too

CLEAN = (  # what may hold none of them: folders and files
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "conformance/dungeonlab_conformance/checks",
    "conformance/dungeonlab_conformance/cli",
    "conformance/dungeonlab_conformance/clients",
    "conformance/dungeonlab_conformance/invariants",
    "conformance/dungeonlab_conformance/payloads",
    "conformance/dungeonlab_conformance/stage",
    "conformance/dungeonlab_conformance/target",
    "conformance/dungeonlab_conformance/text",
    "docs/ci.md",
    "docs/events.md",
    "docs/fuzz.md",
    "docs/known-failures.md",
    "docs/measured",
    "docs/reading-a-report.md",
    "docs/reference-server.md",
    "docs/release-checklist.md",
    "docs/requirements.md",
    "docs/seed-coverage.md",
    "docs/target-file.md",
    "docs/ten-minutes.md",
    "examples",
    "reference_server",
    "spec",
    "tests/conformance/checks",
    "tests/conformance/clients",
    "tests/conformance/invariants",
    "tests/conformance/payloads",
    "tests/conformance/stage",
    "tests/conformance/target",
    "tests/conformance/text",
    "tests/false_alarms",
    "tests/reference_server",
    "tools",
)
KEPT = ("docs/decisions.md", "tests/test_language.py")
TEXTS = {".py", ".md", ".json", ".toml", ".ini", ".yml", ".yaml", ".mjs", ".jinja", ".html", ".css", ".txt"}


def files(place: str) -> list[Path]:
    """Return the texts of the project in a folder, or the one file of that name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", place], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if Path(name).suffix in TEXTS and name not in KEPT]


def findings(path: Path) -> list[str]:
    """Return each line of a file that holds an unwanted word, with its number; of a changelog, what is unreleased."""
    text = path.read_text("utf-8")
    if path.name == "CHANGELOG.md":
        text = re.split(r"\n## \d", text, maxsplit=1)[0]
    return [
        f"{path.relative_to(ROOT)}:{n}: {line.strip()}"
        for n, line in enumerate(text.splitlines(), 1)
        if WORD.search(line)
    ]


@pytest.mark.parametrize("place", CLEAN)
def test_no_unwanted_word_occurs(place: str) -> None:
    """Each line that holds one is named."""
    found = files(place)
    assert found, place
    assert [line for file in found for line in findings(file)] == []
