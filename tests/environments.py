"""Virtual environments for tests that install the suite: they have what the suite stands on, but not the suite.

An installation from nothing is tested in tests/test_ten_minutes.py, whose environment is made as a user makes it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

_SUITE = "dungeonlab"  # in the name of all that an installation of the suite puts among the packages


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that finds the packages of this one, but for the suite; returns its folder."""
    has_pip = importlib.util.find_spec("pip") is not None
    venv.create(folder, with_pip=not has_pip)
    packages = link_packages(folder / "packages")
    [own] = folder.glob("lib/python*/site-packages")
    (own / "packages.pth").write_text(f"{packages}\n", "utf-8")
    if has_pip:
        script = folder / "bin" / "pip"
        script.write_text(f'#!/bin/sh\nexec {folder}/bin/python -m pip "$@"\n', "utf-8")
        script.chmod(0o755)
    return folder


def make_bare_environment(folder: Path, *names: str) -> Path:
    """Make a virtual environment that has these packages and what they need, and nothing else; returns its folder."""
    venv.create(folder, with_pip=False)
    [packages] = folder.glob("lib/python*/site-packages")
    ahead, done = list(names), set[str]()
    while ahead:
        name = re.sub(r"[-_.]+", "-", ahead.pop()).lower()
        if name in done:
            continue
        done.add(name)
        found = metadata.distribution(name)
        for top in {Path(str(file)).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (packages / top).symlink_to(Path(str(found.locate_file(top))))
        needed = [line for line in found.requires or () if "extra ==" not in line]
        ahead += [re.match(r"[\w.-]+", line)[0] for line in needed if _is_installed(line)]  # type: ignore[index]
    return folder


def _is_installed(requirement: str) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    try:
        metadata.distribution(name[0] if name else "")
    except metadata.PackageNotFoundError:  # needed on other systems only
        return False
    return True


def make_node_folder(folder: Path, *names: str) -> None:
    """Copy npm packages, and what they need, into a folder in which a script is to find them."""
    there = Path(__file__).parent / "other_stacks" / "node" / "node_modules"
    ahead, done = list(names), set[str]()
    while ahead:
        name = ahead.pop()
        if name in done or not (there / name).is_dir():
            continue
        done.add(name)
        shutil.copytree(there / name, folder / "node_modules" / name)
        ahead += json.loads((there / name / "package.json").read_text("utf-8")).get("dependencies", {})


def link_packages(folder: Path) -> Path:
    """Make a folder that holds the packages of this environment, but for the suite; returns it."""
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if _SUITE not in entry.name and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return folder
