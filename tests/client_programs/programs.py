"""The programs: how each is started, which faults and habits it can have, and what is missing if it cannot be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.client_programs.faults import BROWSER, JAVASCRIPT, PYTHON

FOLDER = Path(__file__).parent
_COMMANDS = {
    JAVASCRIPT: ["node", str(FOLDER / "in_javascript" / "main.mjs")],
    PYTHON: [sys.executable, "-m", "tests.client_programs.in_python"],
    BROWSER: ["node", str(FOLDER / "in_browser" / "start.mjs")],
}


def command(stack: str, *, fault: str | None = None, habit: str | None = None) -> list[str]:
    """Return the words that start a client: the plain one unless a fault or a habit is named."""
    named = [("--fault", fault), ("--habit", habit)]
    return [*_COMMANDS[stack], *(word for option, name in named if name for word in (option, name))]


def environment(transport: str) -> dict[str, str]:
    """Return what a program needs in its environment besides what it is given by those who start it."""
    return {"DUNGEONLAB_TRANSPORT": transport, "PYTHONPATH": str(FOLDER.parents[1])}


@cache
def listed(stack: str) -> dict[str, list[str]]:
    """Return the names of the faults and of the habits that the client of a stack has."""
    done = subprocess.run([*_COMMANDS[stack], "--list"], check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def why_not() -> str | None:
    """Say what is missing to run the programs in JavaScript, and how to get it; None if nothing is."""
    install = "npm ci --prefix tests/client_programs"
    if shutil.which("node") is None:
        return f"Node.js is not there; install it (apt-get install nodejs npm), then run: {install}"
    if not (FOLDER / "node_modules").is_dir():
        return f"its packages are not there; run: {install}"
    return None


def is_required() -> bool:
    """Whether a run without the programs is a failed one."""
    return any(os.environ.get(name) in ("1", "true") for name in ("CI", "DUNGEONLAB_REQUIRE_NODE"))
