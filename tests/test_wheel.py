"""What is installed is whole: the documents that messages name come with it, and its package page leads somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from dungeonlab_conformance.cli.docs import documents
from tests.environments import make_environment

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "spec/dungeonlab_spec",
    "reference_server/dungeonlab_reference_server",
    "conformance/dungeonlab_conformance",
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAMED_FILE = re.compile(r"(?<![\w./-])(?:[\w-]+/)*[\w-]+\.md\b|\b(?:docs|spec|examples|tests|tools)/[\w./-]*\w")
_SHOWN = re.compile(r"dungeonlab-conformance docs ([\w-]+)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the wheel's files lie, as an installation would have them.

    It is built by pip, which makes an environment of its own for that, as it does for any user.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = str(make_environment(folder / "venv") / "bin" / "pip")
    build = [pip, "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([*build, "--wheel-dir", folder, ROOT], check=True, timeout=300, env=environment)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as packed:
        packed.extractall(folder / "files")
    return folder / "files"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    [file] = wheel.glob("*.dist-info/METADATA")
    return message_from_string(file.read_text("utf-8"))


def installed(wheel: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command out of the wheel, far from any checkout."""
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    command = [sys.executable, "-m", "dungeonlab_conformance", *words]
    return subprocess.run(command, cwd=wheel, env=environment, capture_output=True, text=True, check=False, timeout=60)


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text of the packages that may be shown to a user, with where it stands."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix == ".py":
                tree = ast.parse(file.read_text("utf-8"))
                strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
                yield str(file), "\n".join(value for value in strings if isinstance(value, str))
            elif file.is_file() and file.suffix != ".pyc" and "examples" not in file.parts:
                yield str(file), file.read_text("utf-8")


def test_no_message_names_a_file_of_the_repository() -> None:
    """An installed user has no `docs/` or `spec/` beside them; `dungeonlab-conformance docs` prints what is meant."""
    own = {"dungeonlab_conformance/cli/docs.py"}  # knows how the repository is laid out
    found = [(where, _NAMED_FILE.findall(text)) for where, text in texts() if not where.endswith(tuple(own))]
    assert [(where, names) for where, names in found if names] == []


def test_every_document_that_a_message_names_is_there() -> None:
    """`docs NAME` in a message, or in the target file's template, is a command that works."""
    named = {name for _, text in texts() for name in _SHOWN.findall(text)}
    assert {"protocol", "target-file"} <= named
    assert named <= documents().keys()


def test_an_installation_has_the_documents(wheel: Path) -> None:
    """The list, and each document of it, comes out of the installation and not out of the checkout."""
    result = installed(wheel, "docs")
    assert result.returncode == 0, result.stderr
    assert str(wheel) in result.stdout
    assert str(ROOT) not in result.stdout
    names = [line.split()[0] for line in result.stdout.split("\n\n")[0].splitlines()]
    assert names == list(documents())
    assert installed(wheel, "docs", "protocol").stdout == (ROOT / "spec" / "protocol.md").read_text("utf-8")
    wrong = installed(wheel, "docs", "protocoll")
    assert (wrong.returncode, "did you mean protocol?" in wrong.stderr) == (2, True)


def test_an_installation_explains_where_its_rules_stand(wheel: Path) -> None:
    """`explain` names a command that prints the section."""
    result = installed(wheel, "explain", "rooms/sender-hears-nothing")
    assert "section   5 of the protocol: dungeonlab-conformance docs protocol" in result.stdout


def test_links_among_the_installed_documents_lead_somewhere(wheel: Path) -> None:
    """Each relative one, to a file of the same installation."""
    folder = wheel / "dungeonlab_conformance" / "documentation"
    files = sorted(folder.rglob("*.md"))
    assert len(files) > 10
    links = [(file, link.partition("#")[0]) for file in files for link in _LINK.findall(file.read_text("utf-8"))]
    assert [(f, link) for f, link in links if link and ":" not in link and not (f.parent / link).exists()] == []


def test_links_on_the_package_page_lead_out_of_it(metadata: Message) -> None:
    """A package page has no files beside it: every link is absolute, into the repository where it leads to a file."""
    page = str(metadata.get_payload())
    repository = dict(str(row).split(", ", 1) for row in metadata.get_all("Project-URL", []))["Repository"]
    links = _LINK.findall(page)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    inside = [link.removeprefix(f"{repository}/blob/HEAD/") for link in links if link.startswith(repository)]
    assert len(inside) > 10
    assert [link for link in inside if not (ROOT / link.partition("#")[0]).exists()] == []
    assert "# dungeonlab-conformance" in page


def test_the_repository_has_one_address() -> None:
    """Guides, examples and package data name the same, so that a maintainer changes one word everywhere."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    owner = urls["Repository"].removeprefix("https://github.com/")
    files = [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "mkdocs.yml"]
    files += [*(ROOT / "docs").glob("*.md")]
    files += [file for file in (ROOT / "examples").rglob("*") if file.suffix in (".md", ".yml", ".toml", ".txt")]
    named = {
        found for file in files for found in re.findall(r"[\w-]+/dungeonlab-conformance\b", file.read_text("utf-8"))
    }
    assert {name for name in named if not name.startswith(("bin/", "dist/"))} == {owner}


def test_types_come_with_the_wheel(wheel: Path) -> None:
    """Each package says that it is typed."""
    assert [name for name in PACKAGES if not (wheel / name.partition("/")[2] / "py.typed").exists()] == []


def test_a_source_distribution_has_all_that_its_tests_need(tmp_path: Path) -> None:
    """Built, unpacked, and collected there; a test that needs no server runs."""
    make_environment(tmp_path / "venv")
    pip = [str(tmp_path / "venv" / "bin" / "pip"), "--quiet", "--disable-pip-version-check"]
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    subprocess.run([*pip, "install", *needed], check=True, timeout=300)
    build = "import sys, hatchling.build; print(hatchling.build.build_sdist(sys.argv[1]))"
    subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", build, tmp_path], cwd=ROOT, check=True, timeout=300)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as packed:
        packed.extractall(tmp_path, filter="data")
    [source] = [folder for folder in tmp_path.glob("dungeonlab_conformance-*") if folder.is_dir()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(source / p.partition("/")[0]) for p in PACKAGES)}
    chosen = [
        "tests/test_laws.py",
        "tests/spec/test_docs.py",
        "tests/test_ten_minutes.py",
        "-k",
        "not every_command and not workflow_of",
    ]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", *chosen],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
