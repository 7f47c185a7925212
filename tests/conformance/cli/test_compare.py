"""`compare`: several servers judged in the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.command import command, unused_port
from tests.conformance.report.runs import ECHO
from tests.mutants.judge import served

SELECTED = ("--only", ECHO, "--timeout", "0.5")


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    """Return the URL of a server that echoes."""
    with served("EchoesToTheSender") as url:
        yield url


def test_only_the_differences_are_shown(echoing: str, reference_url: str, tmp_path: Path) -> None:
    """Exit code 1; the JSON holds the same. A target file is a server too."""
    (tmp_path / "mine.toml").write_text(f'[server]\nurl = "{echoing}"\n', "utf-8")
    done = command("compare", "mine.toml", reference_url, *SELECTED, "--json", "d.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "5 verdicts differ, on 1 requirement"
    assert done.stdout.splitlines()[0] == f"1  {echoing} (mine.toml)"
    assert len(json.loads((tmp_path / "d.json").read_text("utf-8"))["differences"]) == 5


def test_servers_that_do_not_differ(echoing: str) -> None:
    """Exit code 0, even if both are wrong: the JSON on the output is all that is there."""
    done = command("compare", echoing, echoing, *SELECTED, "--json", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["differences"] == []
    assert done.stderr.splitlines()[-1] == "no verdict differs"


def test_a_server_that_is_not_there_is_one_sentence(reference_url: str) -> None:
    """Exit code 3, and nothing is compared."""
    done = command("compare", reference_url, f"http://127.0.0.1:{unused_port()}", *SELECTED)
    assert (done.returncode, len(done.stdout.splitlines())) == (3, 1)
    assert "cannot be reached" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://127.0.0.1:9"], "name two servers, or more"),
        (["http://127.0.0.1:9", ""], "it is empty"),
        (["http://127.0.0.1:9", "localhost:3000"], "'localhost:3000' is neither a target file nor a URL"),
        (["http://127.0.0.1:9", "none.toml"], "none.toml does not exist"),
        (["http://127.0.0.1:9", "http://127.0.0.1:9", "--only", "no/such"], "no/such"),
        (["a.toml", "http://127.0.0.1:9", "--json", "a.toml"], "a.toml is read by this command"),
    ],
)
def test_wrong_usage_is_known_before_anything_is_judged(words: list[str], said: str, tmp_path: Path) -> None:
    """Exit code 2."""
    (tmp_path / "a.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\n', "utf-8")
    done = command("compare", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
