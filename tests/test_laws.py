"""The laws of the house: who may import whom, and what each requirement and event must have."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from dungeonlab_conformance.checks.registry import all_checks
from dungeonlab_conformance.target.adapter import Adapter
from dungeonlab_spec import Catalogue

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "spec": "dungeonlab_spec",
    "reference_server": "dungeonlab_reference_server",
    "conformance": "dungeonlab_conformance",
}
MAY_IMPORT = {
    "dungeonlab_spec": {"dungeonlab_spec"},
    "dungeonlab_reference_server": {"dungeonlab_spec", "dungeonlab_reference_server"},
    "dungeonlab_conformance": {"dungeonlab_spec", "dungeonlab_conformance"},
}


def imported(file: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("folder", ROOMS)
def test_a_room_imports_only_what_it_may(folder: str) -> None:
    """The spec imports nothing of ours; judge and server import the spec and never each other."""
    package = ROOMS[folder]
    files = sorted((ROOT / folder / package).rglob("*.py"))
    assert files
    for file in files:
        ours = {name for name in imported(file) if name in MAY_IMPORT or name in ("tests", "tools", "benchmarks")}
        assert ours <= MAY_IMPORT[package], file


def test_folders_import_downwards_only() -> None:
    """The layers in `pyproject.toml` hold; each folder of the suite stands in one."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_folder_can_be_read_like_a_table_of_contents() -> None:
    """No folder of the suite holds more than nine modules; but for the checks, of which there is one for each area."""
    suite = ROOT / "conformance" / "dungeonlab_conformance"
    for folder in (suite, *(found for found in suite.rglob("*") if found.is_dir() and found.name != "checks")):
        modules = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]
        assert len(modules) <= 9, (folder, sorted(modules))
        assert not modules or (folder / "__init__.py").is_file(), folder


def test_the_top_floor_holds_what_outsiders_name() -> None:
    """Right in the package stands what users run or import: everything else has a folder."""
    suite = ROOT / "conformance" / "dungeonlab_conformance"
    assert {file.stem for file in suite.glob("*.py")} == {"__init__", "__main__", "adapter"}


def test_the_promised_import_paths_lead_somewhere() -> None:
    """What the documentation tells users to import is what the suite itself uses."""
    promised = importlib.import_module("dungeonlab_conformance.adapter")
    assert promised.Adapter is Adapter


def test_every_requirement_has_a_check_or_a_reason() -> None:
    """Each requirement is judged by some check, or says why it cannot be; never both."""
    judged = {name for check in all_checks() for name in check.requirements}
    for requirement in Catalogue.load().requirements.values():
        assert (requirement.id in judged) != bool(requirement.untestable), requirement.id


def test_every_check_judges_requirements_that_exist() -> None:
    """A check has a name of its own and a claim, and names ids of the catalogue, all judged per event or none."""
    requirements = Catalogue.load().requirements
    names = [check.name for check in all_checks()]
    assert len(set(names)) == len(names)
    for check in all_checks():
        assert check.claim, check.name
        assert {bool(requirements[name].each) for name in check.requirements} == {check.per_event}, check.name


def test_no_check_sleeps() -> None:
    """A scene waits for a condition, never for the clock."""
    for check in all_checks():
        assert "sleep(" not in inspect.getsource(sys.modules[check.scene.__module__]), check.name


def test_no_check_mentions_the_reference_server() -> None:
    """A check knows the protocol, not one implementation of it: no cookie name, no HTTP path of ours."""
    for file in (ROOT / "conformance/dungeonlab_conformance/checks").glob("*.py"):
        text = file.read_text("utf-8")
        assert "/api/" not in text, file
        assert "dungeonlab_session" not in text, file


def test_help_needs_no_network_library() -> None:
    """`--help` is quick: what a command needs is imported inside it."""
    code = (
        "import sys\nfrom dungeonlab_conformance.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'socketio', 'aiohttp', 'jsonschema', 'rich', 'jinja2'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_no_file_is_long() -> None:
    """A file that grows past 450 lines is more than one room."""
    for folder in ("spec", "reference_server", "conformance", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text("utf-8").splitlines()) <= 450, file
