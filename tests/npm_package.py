"""The package for npm in `spec/npm/`: packed as for its users, and installed as they install it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.other_stacks.judge import NODE

PACKAGE = Path(__file__).resolve().parents[1] / "spec" / "npm"
_TSC = PACKAGE / "node_modules" / ".bin" / "tsc"
_STRICT = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--pretty", "false")


def missing() -> str | None:
    """Say what is missing to make and try the package, and how to get it; None if nothing is."""
    if shutil.which("node") is None:
        return "Node.js is not there; install it (apt-get install nodejs npm)"
    absent = [folder for folder in (PACKAGE, NODE) if not (folder / "node_modules").is_dir()]
    return f"its tools are not there; run: npm ci --prefix {absent[0]}" if absent else None


def pack(folder: Path) -> Path:
    """Copy the package into a folder, build and pack it there; returns the file that npm would publish.

    Where it is kept nothing is built: others may be building at the same time.
    """
    source = folder / "repository" / "spec" / "npm"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("node_modules", "build", "dist", "LICENSE"))
    shutil.copy(PACKAGE.parents[1] / "LICENSE", source.parents[1])
    (source / "node_modules").symlink_to(PACKAGE / "node_modules")
    _npm(source, "pack", "--pack-destination", str(folder))
    [archive] = folder.glob("*.tgz")
    return archive


def install(archive: Path, folder: Path) -> Path:
    """Install the packed package into a folder, beside what it has already; returns where it stands."""
    _npm(folder, "install", "--no-save", "--no-package-lock", "--prefix", str(folder), str(archive))
    return folder / "node_modules" / "dungeonlab-protocol"


def compiled(folder: Path, *files: str) -> str:
    """Return what `tsc --strict` says of files in a folder, which find Socket.IO beside what the folder has."""
    libraries = folder / "node_modules"
    libraries.mkdir(exist_ok=True)
    for found in (NODE / "node_modules").iterdir():
        if found.name.startswith(("socket.io", "engine.io", "@socket.io")) and not (libraries / found.name).exists():
            (libraries / found.name).symlink_to(found)
    command = [str(_TSC), *_STRICT, *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300).stdout


def _npm(folder: Path, *words: str) -> None:
    command = ["npm", *words, "--offline", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
