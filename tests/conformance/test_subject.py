"""What was judged: named first and last, in every report, and never the bundled server for somebody's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.command import command, unused_port
from tests.conformance.report.runs import broken_run, passing_run

from dungeonlab_conformance.report import github, html, junit, known_failures, markdown
from dungeonlab_conformance.results.claim import claim
from dungeonlab_conformance.results.load import from_json, load_run
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.to_json import to_json, write
from dungeonlab_conformance.target.target import BUNDLED, EMBEDDED, Target

QUICK = ("--only", "connect/websocket")
TEXTS = ("json", "ndjson", "junit", "markdown", "html")
REPORTS = tuple(word for name in TEXTS for word in (f"--{name}", f"r.{name}"))
EMPTY = ("", " ", "\t\n")


def bundled_run() -> Run:
    """Return a good run of the bundled server."""
    run = passing_run()
    run.target, run.bundled = BUNDLED, True
    run.claim = claim(run)
    return run


def test_without_a_url_the_bundled_server_is_judged_and_named(tmp_path: Path) -> None:
    """First, last and in every report; its address, which is gone by then, in none."""
    done = command("run", *QUICK, *REPORTS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"Judging {BUNDLED}, since neither a URL nor a target file was given"
    assert last.startswith(f"{BUNDLED}: 1 requirement")
    for name in TEXTS:
        text = (tmp_path / f"r.{name}").read_text()
        assert BUNDLED in text, name
        assert "http://127" not in text, name
    for name in ("json", "ndjson"):
        run = load_run(tmp_path / f"r.{name}")
        assert (run.target, run.bundled, run.again) == (BUNDLED, True, "dungeonlab-conformance run")


def test_a_server_of_ones_own_is_named_with_its_file(reference_url: str, tmp_path: Path) -> None:
    """By its URL in every report, and by the file that describes it wherever there is one."""
    (tmp_path / "dungeonlab-target.toml").write_text(f'[server]\nurl = "{reference_url}"\n')
    done = command("run", *QUICK, *REPORTS, "--badge", "r.badge", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"Judging {reference_url} (dungeonlab-target.toml)"
    assert last.startswith(f"{reference_url} (dungeonlab-target.toml): ")
    for name in TEXTS:
        text = (tmp_path / f"r.{name}").read_text()
        assert reference_url in text, name
        assert "dungeonlab-target.toml" in text, name
    assert reference_url.partition("://")[2] in json.loads((tmp_path / "r.badge").read_text())["label"]
    assert (
        ET.parse(tmp_path / "r.junit").getroot().get("name", "").endswith(f"{reference_url} (dungeonlab-target.toml)")
    )


@pytest.mark.parametrize("credentials", ["user:s3cret-word", "user", "a%40b:p%2Fw", ":s3cret-word", "user:pass@word"])
def test_credentials_in_a_url_are_not_part_of_a_name(credentials: str) -> None:
    """Neither the user nor the password; host, port and path stay."""
    assert Target(f"https://{credentials}@example.org:8080/a@b").name == "https://***@example.org:8080/a@b"


def test_a_run_shows_no_credentials_of_its_url(tmp_path: Path) -> None:
    """Not in the first line, and not in the command that repeats it."""
    port = unused_port()
    done = command("run", f"http://ursula:s3cret-word@127.0.0.1:{port}", "--json", "r.json", cwd=tmp_path)
    run = load_run(tmp_path / "r.json")
    assert done.stdout.startswith(f"Judging http://***@127.0.0.1:{port}\n")
    assert (run.target, run.again) == (
        f"http://***@127.0.0.1:{port}",
        f"dungeonlab-conformance run 'http://***@127.0.0.1:{port}'",
    )


@pytest.mark.parametrize("url", EMPTY)
@pytest.mark.parametrize("words", [["run"], ["run", "-q", *QUICK], ["probe"], ["replay", "r.json", "a/b"]], ids=str)
def test_an_empty_url_is_wrong_usage(tmp_path: Path, words: list[str], url: str) -> None:
    """It comes of a secret that is not set; neither the bundled server nor a file that lies here takes its place."""
    write(broken_run(), tmp_path / "r.json")
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\n')
    done = command(*words, "--", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it is empty, as if the variable or secret that it comes from were not set" in done.stderr


def test_a_url_may_have_blanks_around_it(reference_url: str) -> None:
    """A secret often ends in a line break, and means what it says."""
    done = command("run", f" {reference_url}\n", *QUICK)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"Judging {reference_url}")


def test_the_bundled_server_gets_no_badge(tmp_path: Path) -> None:
    """Neither from a run nor from its result: exit code 2, before anything is judged, and no other report either."""
    write(bundled_run(), tmp_path / "r.json")
    for words in (["run"], ["report", "r.json"]):
        done = command(*words, "--badge", "badge.json", "--html", "r.html", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--badge is for a server of your own" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_a_result_says_whether_it_is_about_the_bundled_server(tmp_path: Path) -> None:
    """One that leaves that out, result or stream, is none: a badge could be made of it."""
    document = to_json(bundled_run())
    assert (document["target"], document["bundled"]) == (BUNDLED, True)
    del document["bundled"]
    with pytest.raises(ValueError, match="bundled"):
        from_json(document)
    head = {"line": "run"} | {name: document[name] for name in ("format", "suite", "protocol", "began", "target")}
    (tmp_path / "r").write_text(json.dumps(head | {"targetFile": None, "again": "", "scenes": 1}) + "\n")
    with pytest.raises(ValueError, match="bundled"):
        load_run(tmp_path / "r")


def test_a_ci_can_demand_a_server(tmp_path: Path, reference_url: str) -> None:
    """With --require-target there must be a URL or a target file; without either the run is wrong usage."""
    done = command("run", *QUICK, "--require-target", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no server to judge: give a URL, or name a target file" in done.stderr
    assert command("run", reference_url, *QUICK, "--require-target", cwd=tmp_path).returncode == 0
    (tmp_path / "dungeonlab-target.toml").write_text(f'[server]\nurl = "{reference_url}"\n')
    assert command("run", *QUICK, "--require-target", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("words", [["run", *QUICK], ["run", "-q", *QUICK], ["probe"]], ids=str)
def test_a_target_file_beside_a_url_is_not_used_and_that_is_said(
    tmp_path: Path, reference_url: str, words: list[str]
) -> None:
    """What it holds may be secret, and for another server; named by --target it is used, with the URL."""
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\nbroken = true\n')
    done = command(*words, reference_url, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "dungeonlab-target.toml is not used, since a URL was given; "
        "--target dungeonlab-target.toml uses it with that URL\n"
    )
    (tmp_path / "dungeonlab-target.toml").write_text('[server]\nurl = "http://127.0.0.1:9"\n')
    done = command(*words, reference_url, "--target", "dungeonlab-target.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{reference_url} (dungeonlab-target.toml)" in done.stdout


def test_a_target_file_that_leads_nowhere_is_not_overlooked(tmp_path: Path) -> None:
    """A dangling link is a file that cannot be read, and not a reason to judge the bundled server."""
    (tmp_path / "dungeonlab-target.toml").symlink_to("gone.toml")
    assert command("run", *QUICK, cwd=tmp_path).returncode == 2


def test_probe_says_which_server(tmp_path: Path) -> None:
    """In its first line, the bundled one by name."""
    assert command("probe", cwd=tmp_path).stdout.splitlines()[0] == f"Probing {BUNDLED}"


def test_report_says_which_server_and_when(tmp_path: Path) -> None:
    """In its first line, as the run did, and in the last."""
    write(bundled_run(), tmp_path / "r.json")
    first, *_, last = command("report", tmp_path / "r.json").stdout.splitlines()
    assert first.startswith(f"Judged {BUNDLED}, 20")
    assert last.endswith(BUNDLED)


def test_only_the_placeholder_stands_for_the_bundled_server() -> None:
    """It keeps its name when it has an address, and no URL of anybody's own gets it."""
    target = Target(EMBEDDED)
    target.url = "http://127.0.0.1:4711"
    assert (target.bundled, target.name) == (True, BUNDLED)
    assert not Target("http://127.0.0.1:4711").bundled


@pytest.mark.parametrize("made", [passing_run, broken_run, bundled_run], ids=lambda made: made.__name__)
def test_every_report_of_any_run_names_the_server_and_its_file(tmp_path: Path, made: Callable[[], Run]) -> None:
    """Good or not: title and head of the page, Markdown's first lines, JUnit, annotations, a list of known failures."""
    run = made()
    run.options = RunOptions(target_file=None if run.bundled else "some/where/my-target.toml")
    run.fault = None if run.claim else "gone"
    text = markdown.text(run)
    page = html.page(run)
    junit.write(run, tmp_path / "junit.xml")
    known_failures.write(run, tmp_path / "known.toml")
    root = ET.parse(tmp_path / "junit.xml").getroot()
    title, head = re.search("<title>(.*?)</title>.*?<header(.*?)</header>", page, re.DOTALL).groups()  # type: ignore[union-attr]
    assert run.subject in title
    assert run.subject in re.sub("<.*?>", "", head)
    assert run.target in text.split("\n")[2]
    assert run.target_file is None or "my-target.toml" in text.split("\n")[2]
    assert root.get("name") == f"dungeonlab-conformance: {run.subject}"
    assert {p.get("value") for p in root.iterfind("testsuite/properties/property[@name='target']")} == {run.target}
    assert f"# Judged: {run.subject}\n" in (tmp_path / "known.toml").read_text()
    assert github.commands(run).count(run.subject) >= (bool(run.fault) or run.bundled)
