"""The laws of the house: who may import whom, and what each requirement and event must have."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dungeonlab_conformance.checks.registry import all_checks
from dungeonlab_conformance.client_rules.registry import all_rules
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.observation import Observation, Request, RoomStay, SentRequest
from dungeonlab_conformance.record.rooms import Rooms
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
    """The spec imports nothing of the project's; judge and server import the spec and never each other."""
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


SUITE = ROOT / "conformance" / "dungeonlab_conformance"
RECORD = {"journal", ".journal", "._journal", "rooms", ".rooms"}  # what holds it: names, and attributes of anything
MUTATORS = {"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "setdefault", "update"}
READERS = {"subscribe", "heard", "heard_last", "last_sent", "outcome", "stay_of"}
WRITERS = {
    name
    for written in (Journal, Rooms)
    for name, method in vars(written).items()
    if inspect.isfunction(method)
    and name not in ("subscribe", "heard", "heard_last", "last_sent", "outcome", "stay_of")
}


def names_in(node: ast.expr) -> set[str]:
    """Return the names that `a.b[c].d` goes through up to its last part: here `a` and `.b`."""
    found: set[str] = set()
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Attribute | ast.Name):
            found.add(f".{node.attr}" if isinstance(node, ast.Attribute) else node.id)
    return found


def changed_in_place(tree: ast.AST) -> list[str]:
    """Return what code changes of a record, or of the payload of a request, otherwise than by a method that says so."""
    targets: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.Delete):
            targets += node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets.append(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            targets.append(node.func)
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    changed = [ast.unparse(part) for part in flat if names_in(part) & (RECORD | {".args"})]
    of_a_tap = ("journal.add", "journal.listeners.append", "journal.listeners.remove")  # its journal is no record
    return [part for part in changed if not part.endswith(of_a_tap)]


def called(tree: ast.AST) -> Iterator[tuple[set[str], str]]:
    """Yield what code calls: the names on the way to it, and its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield names_in(node.func), node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield set(), node.func.id


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("stage.journal.observations.append(seen)", "stage.journal.observations.append"),
        ("bob.journal.rooms.stays[0].left_at = 1.0", "bob.journal.rooms.stays[0].left_at"),
        ("request.args[0]['message'], more = 'x', 1", "request.args[0]['message']"),
        ("del request.args[0]['message']", "request.args[0]['message']"),
        ("self.journal = Journal()", None),
        ("self.journal.rooms.joined(stay)", None),
        ("self.journal.add('tap', 'act')", None),
    ],
)
def test_a_change_in_place_is_seen(code: str, changed: str | None) -> None:
    """The law below knows what it forbids, and nothing else."""
    assert changed_in_place(ast.parse(code)) == ([changed] if changed else [])


def test_only_the_journal_writes_the_record() -> None:
    """Its entries never change; outside of `record/` nothing assigns to them or to its lists, nor to a payload."""
    for entry in (Observation, Request, SentRequest, RoomStay, Acknowledgement, TranscriptLine):
        assert getattr(entry, "__dataclass_params__").frozen, entry  # noqa: B009 - which types know nothing of
    for file in SUITE.rglob("*.py"):
        if file.relative_to(SUITE).parts[0] not in ("record", "pytest_plugin"):  # whose args are those of pytest
            assert changed_in_place(ast.parse(file.read_text("utf-8"))) == [], file


def test_no_check_writes_entries() -> None:
    """What was seen and sent is recorded by who saw and sent it; a scene at most says that its requests are alike."""
    for file in (SUITE / "checks").glob("*.py"):
        for holders, name in called(ast.parse(file.read_text("utf-8"))):
            assert not (holders & RECORD and name in WRITERS - {"leave_unaccounted"}), (file, name)
            assert name not in ("Observation", "SentRequest", "RoomStay"), (file, name)


def test_nothing_is_known_by_where_it_lies_in_memory() -> None:
    """What is looked up later is a key itself, or has a number."""
    for file in SUITE.rglob("*.py"):
        names = {name for holders, name in called(ast.parse(file.read_text("utf-8"))) if not holders}
        assert "id" not in names, file


def test_every_requirement_has_a_check_or_a_rule() -> None:
    """Each requirement for servers is judged by some check, and each for clients by exactly one rule."""
    judged = {name for check in all_checks() for name in check.requirements}
    ruled = sorted(rule.requirement for rule in all_rules())
    requirements = Catalogue.load().requirements.values()
    assert judged == {requirement.id for requirement in requirements if requirement.side == "server"}
    assert ruled == sorted(requirement.id for requirement in requirements if requirement.side == "client")


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
    """A check knows the protocol, not one implementation of it: no cookie name, no HTTP path of the project's."""
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
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_run_imports_only_what_it_uses() -> None:
    """Neither what reads target files, nor what validates with explanations, nor the HTTP library of another client."""
    code = (
        "import os, sys\nfrom dungeonlab_conformance import __main__ as installed\n"
        "def reported(code):\n"
        "    print({'requests', 'urllib3', 'pydantic', 'jsonschema', 'jinja2', 'hypothesis'} & set(sys.modules))\n"
        "    sys.stdout.flush()\n    end(code)\n"
        "end, os._exit = os._exit, reported\n"
        "sys.argv[1:] = ['run', '-q', '--only', 'connect/websocket']\ninstalled.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_what_was_left_out_is_imported_as_soon_as_it_is_used() -> None:
    """Somebody's adapter may use the synchronous client of python-socketio."""
    code = (
        "import sys\nimport dungeonlab_conformance.clients.packets\n"
        "import engineio.client\nassert 'requests' not in sys.modules\n"
        "session = engineio.client.requests.Session\nimport requests\nassert session is requests.Session"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_function_takes_many_parameters() -> None:
    """Eight at most, `self` left out: what takes more takes one thing that nobody has named yet."""
    for folder in ("spec", "reference_server", "conformance", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                    assert len([name for name in names if name not in ("self", "cls")]) <= 8, (file, node.name)


def test_no_file_is_long() -> None:
    """A file that grows past 450 lines is more than one room."""
    for folder in ("spec", "reference_server", "conformance", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text("utf-8").splitlines()) <= 450, file
