"""Words that a technical writer would not leave standing do not occur in code, messages and documents.

Decisions keep their history, and the changelog the entries of earlier versions.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

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

KEPT = {
    "docs/decisions.md",
    "mkdocs.yml",  # the theme's names of icons
    "tests/conformance/report/broken.json",  # a result of an earlier version
    "tests/test_language.py",
}
TEXTS = {".py", ".md", ".json", ".toml", ".ini", ".yml", ".yaml", ".mjs", ".jinja", ".html", ".css", ".txt"}


def files() -> list[Path]:
    """Return the texts of the project, but for those that keep their words."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
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


def test_no_unwanted_word_occurs() -> None:
    """Each line that holds one is named."""
    found = files()
    assert len(found) > 300
    assert [line for file in found for line in findings(file)] == []
