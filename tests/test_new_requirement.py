"""The worked example of a new requirement in CONTRIBUTING: the patch applies, and the suite judges one more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dungeonlab_spec import Catalogue
from tests.workflows import copy_checkout

ROOT = Path(__file__).resolve().parents[1]
PATCH = ROOT / "examples" / "new-requirement.patch"
ADDED, FAULTY = "chat/later-not-earlier", "DatesBackwards"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout with the patch applied and the pages made anew, as CONTRIBUTING says."""
    folder = tmp_path_factory.mktemp("patched")
    copy_checkout(ROOT, folder)
    applied = subprocess.run(["git", "apply", PATCH], cwd=folder, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"{applied.stderr}Make it anew: apply it with --3way, mend it, and save git diff."
    assert run(folder, "tools/generate_docs.py").returncode == 0
    return folder


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, with the copy's packages in place of the installed ones."""
    packages = [str(folder), *(str(folder / name) for name in ("spec", "reference_server", "conformance"))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(packages)}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_suite_judges_one_more_requirement(tree: Path) -> None:
    """The reference server keeps it; everything else in its area is judged as before."""
    done = run(tree, "-m", "dungeonlab_conformance", "run", "--quiet", "--only", "chat", "--json", tree / "result.json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = json.loads((tree / "result.json").read_text("utf-8"))["verdicts"]
    before = {r.id for r in Catalogue.load().requirements.values() if r.area == "chat"}
    assert {verdict["requirement"] for verdict in verdicts} - before == {ADDED}
    assert {verdict["outcome"] for verdict in verdicts} == {"pass"}


def test_its_faulty_server_is_found(tree: Path) -> None:
    """The whole suite blames that requirement and no other."""
    done = run(tree, "-m", "tests.mutants.judge", FAULTY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_documented(tree: Path) -> None:
    """It stands in the protocol and on both generated pages; the laws of the house hold."""
    for name in ("spec/protocol.md", "docs/requirements.md", "docs/fault-detection.md"):
        assert ADDED in (tree / name).read_text("utf-8"), name
    laws = ("tests/test_laws.py", "tests/spec/test_catalogue.py", "tests/spec/test_protocol.py")
    done = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *laws)
    assert done.returncode == 0, done.stdout


def test_contributors_are_led_to_it() -> None:
    """CONTRIBUTING names the patch, and what to run after it."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert f"git apply examples/{PATCH.name}" in text
    assert f"python -m tests.mutants.judge {FAULTY}" in text
