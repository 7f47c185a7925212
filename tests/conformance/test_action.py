"""What others build on us with: the GitHub action, run step by step as the runner would, and the pre-commit hook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conformance.command import command, environment, unused_port
from tests.environments import link_packages
from tests.mutants.judge import served

from dungeonlab_conformance.results.load import load_run

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    """Return the URL of a server that echoes."""
    with served("EchoesToTheSender") as url:
        yield url


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """Return what runs the judging step with some inputs: exit code, outputs, what was printed."""

    def run(**inputs: str) -> tuple[int, dict[str, str], str]:
        step = next(step for step in STEPS if step.get("id") == "judge")
        given = {name: row.get("default", "") for name, row in ACTION["inputs"].items()} | {
            name.replace("_", "-"): value for name, value in inputs.items()
        }
        outputs, venv = tmp_path / "outputs", tmp_path / "runner" / "dungeonlab-conformance"
        venv.mkdir(parents=True, exist_ok=True)
        if not (venv / "bin").exists():
            (venv / "bin").symlink_to(Path(sys.executable).parent)
        known = {"runner.temp": str(tmp_path / "runner"), **{f"inputs.{name}": v for name, v in given.items()}}
        variables = {name: filled(value, known) for name, value in step["env"].items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env=environment(**variables, GITHUB_OUTPUT=str(outputs), GITHUB_ACTIONS="true"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        rows = (line.partition("=") for line in outputs.read_text().splitlines())
        return done.returncode, {name: value for name, _, value in rows}, done.stdout + done.stderr

    return run


def filled(template: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: known[found[1]], template)


def test_a_broken_server_fails_the_step_and_is_reported_in_its_outputs(judged: Any, echoing: str) -> None:
    """Result, counts and the paths of reports that are there; an annotation among what is printed."""
    code, outputs, said = judged(url=echoing, only="connect/websocket\nrooms/sender-hears-nothing", timeout="0.3")
    assert code == 1, said
    assert (outputs["result"], outputs["pass"], outputs["fail"], outputs["claim"]) == ("broken", "1", "5", "")
    assert all(Path(outputs[name]).stat().st_size for name in ("report", "json", "junit"))
    assert "::error title=rooms/sender-hears-nothing::" in said


def test_inputs_reach_the_suite(judged: Any, echoing: str, tmp_path: Path) -> None:
    """Known failures, exceptions, level, version and folder."""
    (tmp_path / "known.toml").write_text('[[known]]\nid = "rooms/sender-hears-nothing"\nreason = "ticket 41"\n')
    code, outputs, said = judged(
        url=echoing,
        only="rooms/sender-hears-nothing\nrooms/game-master-hears",
        **{"except": "rooms/game-master-hears"},
        known_failures="known.toml",
        fail_on="should",
        protocol_version="1.0",
        timeout="0.3",
        reports="some/where else",
    )
    assert code == 0, said
    assert outputs["result"] == "passed"
    run = load_run(tmp_path / "some" / "where else" / "result.json")
    assert {v.requirement for v in run.verdicts} == {"rooms/sender-hears-nothing"}
    assert (run.fail_on, run.protocol) == ("SHOULD", "1.0")


def test_a_server_that_is_not_there_is_untestable(judged: Any) -> None:
    """Exit code 3, and a result that says so."""
    code, outputs, _ = judged(url=f"http://127.0.0.1:{unused_port()}", only="connect/websocket")
    assert (code, outputs["result"]) == (3, "untestable")


@pytest.mark.parametrize("inputs", [{"fail_on": "never"}, {"url": "--help; exit 0"}, {"target": "no-such.toml"}])
def test_wrong_inputs_are_unusable(judged: Any, inputs: dict[str, str]) -> None:
    """Exit code 2, and a result that says so; no input is taken for an option or for a command."""
    code, outputs, said = judged(**{"url": "http://127.0.0.1:1", "only": "connect/websocket"} | inputs)
    assert (code, outputs["result"]) == (2, "unusable"), said


@pytest.mark.parametrize("reports", ["/dev/null", "taken", "-p/taken/in\nit"])
def test_a_folder_that_cannot_be_made_is_unusable(judged: Any, tmp_path: Path, reports: str) -> None:
    """Exit code 2, not the 1 of a shell command that fails: that would say that the server is broken."""
    (tmp_path / "taken").write_text("", "utf-8")
    (tmp_path / "-p").mkdir()
    (tmp_path / "-p" / "taken").write_text("", "utf-8")
    code, outputs, said = judged(url="http://127.0.0.1:1", reports=reports)
    assert (code, outputs) == (2, {"result": "unusable"}), said
    assert "the folder for the reports cannot be made" in said


def test_an_empty_input_is_its_default(judged: Any, echoing: str, tmp_path: Path) -> None:
    """An input that comes from a variable which is not set is empty, and does not get the default by itself."""
    names = ("fail_on", "timeout", "wait", "time_limit", "reports", "protocol_version", "known_failures", "target")
    code, outputs, said = judged(url=echoing, only="connect/websocket", **dict.fromkeys(names, ""))
    assert (code, outputs["result"]) == (0, "passed"), said
    assert (tmp_path / "conformance-reports" / "result.json").is_file()


def test_a_list_of_ids_may_be_indented_and_end_its_lines_as_on_windows(judged: Any, echoing: str) -> None:
    """Space around an id is no part of it."""
    code, outputs, said = judged(url=echoing, only="  connect/websocket  \r\n\r\n\tconnect/polling\r\n")
    assert (code, outputs["pass"]) == (0, "2"), said


@pytest.mark.parametrize("inputs", [{}, {"url": "  "}, {"url": "\n", "target": ""}, {"only": "connect/websocket"}])
def test_without_a_server_the_step_fails(judged: Any, tmp_path: Path, inputs: dict[str, str]) -> None:
    """In an empty repository, and where a fork's pull request has no secret: a sentence, nothing green, no badge."""
    code, outputs, said = judged(**inputs)
    assert (code, outputs["result"]) == (2, "unusable"), said
    assert "there is no server to judge: give a URL" in said or "it is empty, as if the variable or secret" in said
    assert "claim" not in outputs
    assert list((tmp_path / "conformance-reports").iterdir()) == []


def test_a_target_file_that_is_committed_names_the_server(judged: Any, echoing: str, tmp_path: Path) -> None:
    """Without a URL it is enough that dungeonlab-target.toml lies in the working folder; what is judged is said."""
    (tmp_path / "dungeonlab-target.toml").write_text(f'[server]\nurl = "{echoing}"\n')
    code, outputs, said = judged(only="connect/websocket")
    assert (code, outputs["result"]) == (0, "passed"), said
    assert said.startswith(f"Judging {echoing} (dungeonlab-target.toml)\n")


def test_no_input_is_pasted_into_a_script() -> None:
    """Expressions stand in `env` and `with` alone; a script that held one could be made to run anything."""
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []
    named = set(re.findall(r"inputs\.([\w-]+)", str(STEPS)))
    assert named == set(ACTION["inputs"])


def test_what_the_action_uses_is_pinned() -> None:
    """To a commit, which nobody can move."""
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)


def test_every_output_is_set_by_a_step(judged: Any, echoing: str) -> None:
    """Anyone who names one in a workflow gets a value."""
    _, outputs, _ = judged(url=echoing, only="connect/websocket")
    named = {re.search(r"outputs\.([\w-]+)", row["value"])[1] for row in ACTION["outputs"].values()}  # type: ignore[index]
    assert named == set(ACTION["outputs"])
    assert named <= outputs.keys()


@pytest.mark.skipif(not os.environ.get("CI"), reason="installs the suite anew: done where CI is set")
def test_the_suite_is_installed_from_the_action_itself(tmp_path: Path) -> None:
    """The first script makes a virtual environment of its own in which the command runs."""
    [step] = [step for step in STEPS if step.get("name") == "Install the suite"]
    variables = {"PYTHON": sys.executable, "SUITE": str(ROOT), "VENV": str(tmp_path / "venv")}
    variables |= {"PYTHONPATH": str(link_packages(tmp_path / "packages")), "PIP_NO_COMPILE": "1"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=environment(**variables), check=True)
    command = tmp_path / "venv" / "bin" / "dungeonlab-conformance"
    subprocess.run([command, "--version"], env=environment(**variables), check=True)


def test_the_pre_commit_hook_runs_a_command_that_is_installed() -> None:
    """Its entry is a console script of this package, with options that it has."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    script, *words = hook["entry"].split()
    assert script in scripts
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    done = subprocess.run(
        [sys.executable, "-m", "dungeonlab_conformance", *words, "--only", "nothing/*"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, "there is no server to judge" in done.stderr) == (2, True)


def test_the_pre_commit_hook_does_not_judge_the_bundled_server(tmp_path: Path) -> None:
    """Without arguments and without a target file it has nothing to judge, and a push must not pass for that."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    done = command(*hook["entry"].split()[1:], "--only", "connect/websocket", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no server to judge" in done.stderr
