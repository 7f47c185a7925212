"""Virtual environments for tests that install the suite: they have what the suite stands on, but not the suite.

Installations from nothing are tested in tests/test_ten_minutes.py and tests/conformance/test_action.py, whose
environments are made as a user makes them.
"""

from __future__ import annotations

import importlib.util
import sysconfig
import venv
from pathlib import Path

_SUITE = "dungeonlab"  # in the name of all that an installation of the suite puts among the packages


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that finds the packages of this one, but for the suite; returns its folder."""
    has_pip = importlib.util.find_spec("pip") is not None
    venv.create(folder, with_pip=not has_pip)
    packages = folder / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if _SUITE not in entry.name and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    [own] = folder.glob("lib/python*/site-packages")
    (own / "packages.pth").write_text(f"{packages}\n", "utf-8")
    if has_pip:
        script = folder / "bin" / "pip"
        script.write_text(f'#!/bin/sh\nexec {folder}/bin/python -m pip "$@"\n', "utf-8")
        script.chmod(0o755)
    return folder
