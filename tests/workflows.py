"""Runs a job of a GitHub workflow on this machine as a runner does: the shell of each step, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OURS = ("VIRTUAL_ENV", "PYTHONPATH", "TAVERN", "SERVER_URL", "DUNGEONLAB_", "GITHUB_", "COVERAGE", "COV_", "GIT_")
_PATIENCE = 300  # seconds, for an installation on a busy machine


def bare_environment() -> dict[str, str]:
    """Return an environment without anything of this test's own, but with somebody who may commit."""
    somebody = {"NAME": "somebody", "EMAIL": "somebody@example.org"}
    return (
        {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        | {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in somebody.items()}
        | {
            "NO_COLOR": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
    )


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env=bare_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def copy_checkout(root: Path, to: Path) -> None:
    """Copy what belongs to the repository, as it is now; of a source distribution everything that is no leaving."""
    try:
        names = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    except subprocess.CalledProcessError:  # no repository
        skipped = shutil.ignore_patterns(".*cache*", "__pycache__", ".venv", ".tox", "node_modules", "*.pyc")
        shutil.copytree(root, to, ignore=skipped, dirs_exist_ok=True)
        return
    for name in filter(None, names):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, to / name)


@dataclass
class Runner:
    """A runner: where Python is set up, what the repository's settings say, and where it works.

    `python` is a virtual environment's folder.
    """

    python: Path
    work: Path
    secrets: Mapping[str, str]
    variables: Mapping[str, str]

    def run(self, workflow: Mapping[str, Any], job: str, repository: Path) -> tuple[int, str]:
        """Run a job on a clone of a repository; returns its exit code, and what was printed."""
        checkout = self.work / "checkout"
        git(self.work, "clone", "--quiet", f"file://{repository}", str(checkout))
        row = workflow["jobs"][job]
        environment = bare_environment() | {"CI": "true", "GITHUB_ACTIONS": "true"}
        environment |= {"PATH": f"{self.python / 'bin'}:{environment['PATH']}"}
        environment |= {f"GITHUB_{name}": str(self.work / name.lower()) for name in ("OUTPUT", "STEP_SUMMARY")}
        environment |= {name: self._filled(value) for name, value in row.get("env", {}).items()}
        script = self._script(row["steps"])
        return execute(script, checkout, environment, self.work / "log.txt")

    def _filled(self, text: str) -> str:
        known = {f"secrets.{k}": v for k, v in self.secrets.items()} | {
            f"vars.{k}": v for k, v in self.variables.items()
        }
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: known.get(found[1], ""), text)

    def _script(self, steps: list[dict[str, Any]]) -> str:
        """Return one script that runs each step in a shell of its own; after a failure only those that always run."""
        script = "failed=0\n"
        for number, step in enumerate(steps):
            if "uses" in step and not step["uses"].startswith("actions/upload-artifact@"):
                assert step["uses"].startswith(("actions/checkout@", "actions/setup-python@")), step
                continue
            file = self.work / f"step-{number}.sh"
            file.write_text(step.get("run") or f"ls {step['with']['path']}\n", "utf-8")
            condition = "true" if step.get("if") == "always()" else "[ $failed = 0 ]"
            assert step.get("if", "always()") == "always()", step
            script += f"if {condition}; then bash -e {file} || {{ code=$?; [ $failed = 0 ] && failed=$code; }}; fi\n"
        return script + "exit $failed\n"


def execute(script: str, folder: Path, environment: Mapping[str, str], log: Path) -> tuple[int, str]:
    """Run a script in bash, and end what it left running; returns its exit code and what was printed."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(_PATIENCE)
        finally:
            with suppress(ProcessLookupError):  # nothing was left
                os.killpg(process.pid, signal.SIGKILL)
    return code, log.read_text("utf-8")
