"""ARCHITECTURE.md names folders, files and nouns that exist, and leaves no folder out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "conformance" / "dungeonlab_conformance"
PLACES = (ROOT, SUITE, ROOT / "reference_server" / "dungeonlab_reference_server", ROOT / "spec" / "dungeonlab_spec")
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
DEFINED = {  # nouns that are no class: what defines them
    "Record": "observed in a run",
    "Mark": "def new_mark(",
    "Invariant": "class Breach:",
    "Delivery": "class Attribution:",
    "Evidence": "Evidence = Holds | Breaks | Unclear",
}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    section = TEXT.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[1:]]


def modules_in(folder: Path) -> bool:
    """Whether a folder, or one below it, holds a module of the project's."""
    return any("node_modules" not in file.parts and ".venv" not in file.parts for file in folder.rglob("*.py"))


def test_the_top_folders_are_all_there() -> None:
    """The first table lists each folder of the repository that holds modules, and `docs`."""
    listed = {Path(name) for name in re.findall(r"^\| `([a-z_]+)/` \|", TEXT.partition("## Glossary")[0], re.MULTILINE)}
    real = {path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert listed == {path for path in real if modules_in(ROOT / path)} | {Path("docs")}


def test_the_suites_folders_are_all_there() -> None:
    """The second table lists each package of the suite, and says something of it."""
    listed = {name.rstrip("/"): holds for name, holds in rows("## Folders of the suite")}
    packages = {str(file.parent.relative_to(SUITE)) for file in SUITE.rglob("__init__.py") if file.parent != SUITE}
    assert listed.keys() == packages
    assert all(listed.values())


def test_each_noun_is_defined_where_it_is_said_to_be() -> None:
    """The file exists, and holds a class of that name, or what `DEFINED` names for it."""
    glossary = rows("## Glossary")
    assert 20 <= len(glossary) <= 30
    for noun, meaning, home in glossary:
        file = next(path for place in PLACES if (path := place / home).is_file())
        assert re.search(re.escape(DEFINED.get(noun, f"class {noun}")) + r"(\b|(?<=\W))", file.read_text("utf-8")), noun
        assert meaning


def test_each_path_leads_somewhere() -> None:
    """Whatever stands in backticks and looks like a path is a file or a folder."""
    for name in re.findall(r"`([\w./<>-]+(?:\.(?:py|json|md)|/))`", TEXT):
        path = name.replace("<area>", "rooms")
        assert any((place / path).exists() for place in PLACES), name
