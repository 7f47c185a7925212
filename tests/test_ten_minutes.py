"""What is written about judging a server in ten minutes is true, and so is the example's workflow."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.environments import make_environment
from tests.workflows import Runner, bare_environment, copy_checkout, git

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


def set_up(folder: Path, suite: str, **more: str) -> Runner:
    """Return a runner with a Python of its own, and the settings that the guide asks for."""
    work = folder / "runner"
    work.mkdir()
    return Runner(
        make_environment(work / "python"), work, {"TAVERN_PASSWORD": "open-sesame"}, {"DUNGEONLAB_SUITE": suite} | more
    )


def typed(page: list[Step], folder: Path, port: int, **more: str) -> str:
    """Return what is printed when the page is followed in one shell, with a mark after each step.

    `more` is set in its environment.
    """
    script = "exec 2>&1\n"
    for number, step in enumerate(page):
        if step.file:
            script += f"cat > {step.file} <<'@@@'\n{step.holds}@@@\n"
        else:
            script += step.commands + f"code=$?\necho\necho '@@@' {number} $code\n"
            script += waits(port) if step.commands.endswith("&\n") else ""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=bare_environment() | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    ).stdout


def assert_as_written(page: list[Step], result: str) -> None:
    """Compare what was printed with what the page says: each step's lines, and how it ends."""
    begins = 0
    for found in re.finditer(r"^@@@ (\d+) (\d+)$", result, re.MULTILINE):
        step, said = page[int(found[1])], result[begins : found.start()]
        begins = found.end()
        assert int(found[2]) == step.ends, f"{step.commands}\n{said}"
        for line in step.prints:
            assert re.search(".*".join(map(re.escape, line.split("…"))), said), f"{step.commands}\n{line}\n\n{said}"
    assert result.count("@@@") == len([step for step in page if step.commands])


def test_every_command_on_the_page(tmp_path: Path, port: int, suite: str) -> None:
    """Typed in a copy of the checkout, each does what the page says, and the workflow of its end is green.

    The port alone is another, and so is where pip finds the suite's repository.
    """
    checkout = tmp_path / "checkout"
    copy_checkout(ROOT, checkout)
    example = checkout / "examples" / "tavern" / ".github" / "workflows" / "conformance.yml"
    example.write_text(example.read_text("utf-8").replace("4000", str(port)), "utf-8")
    page = list(steps(PAGE.read_text("utf-8").replace("4000", str(port))))
    result = typed(page, checkout, port)
    assert_as_written(page, result)
    assert "open-sesame" not in result
    own = checkout / "my-server"
    assert (own / "report.html").stat().st_size > 10_000
    [workflow] = (own / ".github" / "workflows").glob("*.yml")
    code, log = set_up(tmp_path, suite).run(yaml.safe_load(workflow.read_text("utf-8")), "conformance", own)
    assert code == 0, log
    assert "(1 known)" in log
    assert "open-sesame" not in log


def test_the_guide_names_all_that_its_workflow_needs() -> None:
    """Each secret and variable of the workflow, and no other, is one that the guide has its reader make."""
    text = (TAVERN / ".github" / "workflows" / "conformance.yml").read_text("utf-8")
    needed = set(re.findall(r"\$\{\{ (secrets|vars)\.(\w+) \}\}", text))
    kinds = {"secret": "secrets", "variable": "vars"}
    made = {
        (kinds[k], name) for k, name in re.findall(r"^\| (secret|variable) \| `(\w+)`", PAGE.read_text(), re.MULTILINE)
    }
    assert made == needed


def test_the_workflow_of_the_example(tmp_path: Path, port: int, suite: str) -> None:
    """Run from a repository that holds the example alone, it is green; what it keeps is there, without the password."""
    own = tmp_path / "tavern"
    shutil.copytree(TAVERN, own, ignore=shutil.ignore_patterns("__pycache__"))
    file = own / ".github" / "workflows" / "conformance.yml"
    file.write_text(file.read_text("utf-8").replace("4000", str(port)), "utf-8")
    git(own, "init", "--quiet")
    git(own, "add", "--all")
    git(own, "commit", "--quiet", "--message", "the Tavern")
    runner = set_up(tmp_path, suite)
    workflow = yaml.safe_load(file.read_text("utf-8"))
    code, log = runner.run(workflow, "conformance", own)
    assert code == 0, log
    kept = {found.name: found.read_text("utf-8") for found in (runner.work / "checkout").glob("conformance.*")}
    assert set(kept) == {"conformance.xml", "conformance.html"}
    assert not any("open-sesame" in text for text in (*kept.values(), log))


def test_a_workflow_without_its_variable_says_which(tmp_path: Path) -> None:
    """An unset variable of the repository is met with its name, before anything is installed."""
    workflow = yaml.safe_load((TAVERN / ".github" / "workflows" / "conformance.yml").read_text("utf-8"))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "empty")
    work = tmp_path / "runner"
    work.mkdir()
    code, log = Runner(work / "no-python", work, {}, {}).run(workflow, "conformance", tmp_path)
    assert code != 0
    assert "DUNGEONLAB_SUITE: is the variable that says what pip installs the suite from" in log
