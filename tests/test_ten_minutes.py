"""What is written about judging a server in ten minutes is true, and so is the example's workflow."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "ten-minutes.md"
TAVERN = ROOT / "examples" / "tavern"
_BLOCK = re.compile(
    r"```sh\n(?P<sh>.*?)```\n(?:\n<!-- exit (?P<code>\d+) -->\n)?(?:\n```text\n(?P<text>.*?)```\n)?"
    r"|<!-- file (?P<file>\S+) -->\n\n```toml\n(?P<toml>.*?)```\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """Commands to be typed, with what they must print and how the last one must end; or a file to be written."""

    commands: str = ""
    prints: tuple[str, ...] = ()
    ends: int = 0
    file: str = ""
    holds: str = ""


def steps(page: str) -> Iterator[Step]:
    """Yield what a reader does, in order."""
    for found in _BLOCK.finditer(page):
        if found["file"]:
            yield Step(file=found["file"], holds=found["toml"])
        else:
            yield Step(found["sh"], tuple((found["text"] or "").splitlines()), int(found["code"] or 0))


@pytest.fixture
def port() -> int:
    """Return a port that is free, to be used in place of 4000."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def bare() -> dict[str, str]:
    """Return an environment without anything of this test's own."""
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "TAVERN", "SERVER_URL", "GITHUB_", "COVERAGE", "COV_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {"NO_COLOR": "1"}


def waits(port: int) -> str:
    """Return shell that waits as long as a reader takes to read on: until something listens."""
    return f"for _ in $(seq 300); do (: > /dev/tcp/127.0.0.1/{port}) 2> /dev/null && break; sleep 0.1; done\n"


def test_the_page_is_read_as_it_is_written() -> None:
    """Every block on it is taken for what it is, and none is left out."""
    text = PAGE.read_text("utf-8")
    found = list(steps(text))
    assert len([step for step in found if step.commands]) == text.count("```sh")
    assert len([step for step in found if step.prints]) == text.count("```text")
    assert len([step for step in found if step.file]) == text.count("```toml")


def test_every_command_on_the_page(tmp_path: Path, port: int) -> None:
    """Typed into one shell, in a copy of the checkout, each does what the page says; the port alone is another."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    page = list(steps(PAGE.read_text("utf-8").replace("4000", str(port))))
    script = "exec 2>&1\n"
    for number, step in enumerate(page):
        if step.file:
            script += f"cat > {step.file} <<'@@@'\n{step.holds}@@@\n"
        else:
            script += step.commands + f"code=$?\necho\necho '@@@' {number} $code\n"
            script += waits(port) if step.commands.endswith("&\n") else ""
    told = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=bare(), capture_output=True, text=True, check=False, timeout=600
    ).stdout
    begins = 0
    for found in re.finditer(r"^@@@ (\d+) (\d+)$", told, re.MULTILINE):
        step, said = page[int(found[1])], told[begins : found.start()]
        begins = found.end()
        assert int(found[2]) == step.ends, f"{step.commands}\n{said}"
        for line in step.prints:
            assert re.search(".*".join(map(re.escape, line.split("…"))), said), f"{step.commands}\n{line}\n\n{said}"
        assert "open-sesame" not in said
    assert told.count("@@@") == len([step for step in page if step.commands])
    assert (tmp_path / "my-server" / "report.html").stat().st_size > 10_000


def test_the_workflow_of_the_example(tmp_path: Path, port: int) -> None:
    """Its steps are run as a runner does, all but the installation; what it keeps is there afterwards."""
    shutil.copytree(TAVERN, tmp_path / "tavern", ignore=shutil.ignore_patterns("__pycache__"))
    text = (TAVERN / ".github" / "workflows" / "conformance.yml").read_text("utf-8").replace("4000", str(port))
    job = yaml.safe_load(text)["jobs"]["conformance"]
    assert "secrets.TAVERN_PASSWORD" in job["env"]["TAVERN_PASSWORD"]
    environment = bare() | job["env"] | {"TAVERN_PASSWORD": "open-sesame-4711"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    commands = [step["run"] for step in job["steps"] if "run" in step and step["name"] != "Install"]
    assert len(commands) == 3
    script = "set -e\ntrap 'kill $(jobs -p)' EXIT\n" + "\n".join(commands)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path / "tavern",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "open-sesame" not in done.stdout + done.stderr
    kept = {file.name: file.read_text("utf-8") for file in (tmp_path / "tavern").glob("conformance.*")}
    assert set(kept) == {"conformance.xml", "conformance.html"}
    assert not any("open-sesame" in text for text in kept.values())
