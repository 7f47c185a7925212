"""The files that a user names, in whatever state they are: one sentence, exit code 2, and never a long wait."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.conformance.command import COMMAND, command, environment, unused_port
from tests.conformance.report.runs import broken_document

from dungeonlab_conformance.cli import main
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.text import files

DEEP = 60_000
ONE = ("--only", "connect/websocket")


def deep_toml(file: Path) -> None:
    file.write_text(".".join(["a"] * 3_000) + " = 1\n", "utf-8")


def deep_toml_in_brackets(file: Path) -> None:
    file.write_text(f"a = {'[' * 3_000}{']' * 3_000}\n", "utf-8")


def deep_json(file: Path) -> None:
    file.write_text("[" * DEEP + "]" * DEEP, "utf-8")


def deeper_json(file: Path) -> None:
    file.write_text('{"a":' * DEEP, "utf-8")


def binary(file: Path) -> None:
    file.write_bytes(b"a = 1\n" + bytes(range(256)))


def utf16(file: Path) -> None:
    file.write_text('{"a": 1}', "utf-16")


def folder(file: Path) -> None:
    file.mkdir()


def huge(file: Path) -> None:
    with file.open("w") as made:
        made.truncate(files.MOST + 1)  # of holes, which take no room


def zero(file: Path) -> None:
    file.symlink_to("/dev/zero")


def null(file: Path) -> None:
    file.symlink_to("/dev/null")


def loop(file: Path) -> None:
    file.symlink_to(file)


def big_number(file: Path) -> None:
    file.write_text("1" * 5_000, "utf-8")


def big_number_in_toml(file: Path) -> None:
    file.write_text(f"a = {'1' * 5_000}\n", "utf-8")


def not_a_number(file: Path) -> None:
    file.write_text(json.dumps(broken_document() | {"seconds": float("nan")}), "utf-8")


def infinite(file: Path) -> None:
    file.write_text(json.dumps(broken_document()).replace('"seconds": ', '"seconds": 1e999, "x": ', 1), "utf-8")


ANY = [binary, utf16, folder, huge, zero, null, loop, deep_json, deep_toml, deep_toml_in_brackets, big_number_in_toml]
NUMBERS = [big_number, not_a_number, infinite, deeper_json]
USES = {
    "target": ["probe", "http://127.0.0.1:{port}", "--target", "{file}"],
    "known": ["run", "http://127.0.0.1:{port}", "--known-failures", "{file}"],
    "report": ["report", "{file}"],
    "diff": ["diff", "{file}", "{file}"],
    "replay": ["replay", "{file}", "connect/websocket"],
    "validate": ["validate", "chat-message", "{file}"],
}


@pytest.mark.parametrize("use", USES)
def test_a_file_in_any_state_is_met_with_one_sentence(tmp_path: Path, use: str) -> None:
    """Deep, huge, binary, a folder, a device, a link to itself: 2, the file's name, and no traceback."""
    for make in ANY + (NUMBERS if use in ("report", "diff", "replay") else []):
        if use == "known" and make is null:
            continue  # an empty list accepts nothing, and is one
        file = tmp_path / f"{make.__name__}.file"
        make(file)
        done = CliRunner().invoke(main, [word.format(file=file, port=unused_port()) for word in USES[use]])
        assert done.exit_code == 2, (make.__name__, done.output)
        assert file.name in done.output, (make.__name__, done.output)
        assert len(done.output.splitlines()[-1]) < 500, make.__name__


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for a pipe to which nobody writes."""
    monkeypatch.setattr(files, "_SILENCE", 0.2)


@pytest.mark.usefixtures("hurried")
def test_a_pipe_is_read_as_long_as_somebody_writes(tmp_path: Path) -> None:
    """As a shell's ``<(command)`` is; one to which nobody writes is not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(files.Unreadable, match=r"pipe is a pipe or a device to which nobody writes"):
        files.read(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("{}" * 100_000,))
    writer.start()
    assert files.read(pipe) == "{}" * 100_000
    writer.join()


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda file: load_run(file).target, json.dumps(broken_document())),
        (files.read, "a"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, read: Callable[[Path], str], text: str) -> None:
    """Windows editors write one."""
    file = tmp_path / "file"
    file.write_text(text, "utf-8")
    plain = read(file)
    file.write_text(text, "utf-8-sig")
    assert read(file) == plain


def test_a_target_file_with_a_byte_order_mark(tmp_path: Path, reference_url: str) -> None:
    """It is read like any other."""
    (tmp_path / "t.toml").write_text(f'[server]\nurl = "{reference_url}"\n', "utf-8-sig")
    assert command("probe", "--target", "t.toml", cwd=tmp_path).returncode == 0


# -- what is written -----------------------------------------------------------------------------------


@pytest.fixture
def unread(tmp_path: Path, hurried: None) -> Path:
    """Return a pipe that nobody reads."""
    os.mkfifo(pipe := tmp_path / "unread")
    return pipe


NOBODY = "unread could not be written: it is a pipe that nobody reads for "


def test_a_pipe_that_nobody_reads_keeps_no_other_report_from_being_written(tmp_path: Path, unread: Path) -> None:
    """After some time it is said, and the exit code is 2."""
    done = CliRunner().invoke(
        main, ["report", f"{result_in(tmp_path)}", "--json", f"{unread}", "--html", f"{tmp_path / 'r.html'}"]
    )
    assert (done.exit_code, NOBODY in done.output) == (2, True), done.output
    assert (tmp_path / "r.html").stat().st_size


def test_a_stream_that_nobody_reads_keeps_no_run_from_being_judged(
    tmp_path: Path, unread: Path, reference_url: str
) -> None:
    """Its verdicts are in the other reports."""
    words = ["--ndjson", f"{unread}", "--json", f"{tmp_path / 'r.json'}"]
    done = CliRunner().invoke(main, ["run", reference_url, *ONE, *words])
    assert (done.exit_code, NOBODY in done.output) == (2, True), done.output
    assert [v.outcome for v in load_run(tmp_path / "r.json").verdicts] == ["pass"]


def test_a_reproduction_that_nobody_reads_is_said(tmp_path: Path, unread: Path) -> None:
    """As any other file that cannot be written."""
    result = result_in(tmp_path)
    done = CliRunner().invoke(main, ["reproduce", f"{result}", "join/outsider-refused", "-o", f"{unread}"])
    assert (done.exit_code, NOBODY in done.output) == (2, True), done.output


@pytest.mark.parametrize("late", [True, False])
def test_a_pipe_that_somebody_reads_takes_what_is_written(tmp_path: Path, late: bool) -> None:
    """More than it holds at once, and also if the reader comes when it is waited for."""
    os.mkfifo(pipe := tmp_path / "pipe")
    text = "a" * 1_000_000
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    writer = threading.Thread(target=files.write, args=(text, pipe))
    for thread in (writer, reader) if late else (reader, writer):
        thread.start()
    for thread in (writer, reader):
        thread.join(60)
    assert read == [text]


def result_in(folder: Path) -> Path:
    file = folder / "result.json"
    file.write_text(json.dumps(broken_document()), "utf-8")
    return file


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.html", "./a.html"),
        ("a.html", "sub/../a.html"),
        ("a.html", "link.html"),
        ("there.html", "hard.html"),
        ("a.html", "{folder}/a.html"),
        ("-", "-"),
        ("to-folder/a.html", "sub/a.html"),
    ],
)
def test_one_file_for_two_reports(tmp_path: Path, one: str, other: str) -> None:
    """Whatever the two paths look like: 2, and nothing is written."""
    result = result_in(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.html").symlink_to("a.html")
    (tmp_path / "to-folder").symlink_to("sub")
    (tmp_path / "there.html").write_text("kept")
    (tmp_path / "hard.html").hardlink_to(tmp_path / "there.html")
    before = sorted(tmp_path.rglob("*"))
    words = ("--html", one, "--markdown", other.format(folder=tmp_path))
    done = command("report", result, *words, cwd=tmp_path)
    assert (done.returncode, "is named for two reports" in done.stderr) == (2, True), done
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.html").read_text() == "kept"


@pytest.mark.parametrize("name", ["no/such/a.html", "result.json/a.html", "x" * 300, "sub", "dangling"])
def test_a_path_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """It is found before the run, and nothing is left of the attempt."""
    result = result_in(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "dangling").symlink_to("no/such/file")
    before = sorted(tmp_path.rglob("*"))
    done = command("run", f"http://127.0.0.1:{unused_port()}", "--html", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert name[:50] in done.stderr.replace("\n", "")
    assert sorted(tmp_path.rglob("*")) == before
    assert result.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("name", ["json", "html", "junit", "markdown", "badge"])
def test_a_report_on_a_full_disk(tmp_path: Path, name: str) -> None:
    """The other reports are written, and 2 says that one was not."""
    done = command("report", result_in(tmp_path), f"--{name}", "/dev/full")
    assert done.returncode == 2
    assert done.stderr == "/dev/full could not be written: No space left on device\n"


@pytest.mark.parametrize("name", ["json", "html", "junit", "markdown", "badge"])
def test_a_report_on_standard_output(tmp_path: Path, name: str) -> None:
    """Alone, and the same as in a file."""
    result = result_in(tmp_path)
    done = command("report", result, f"--{name}", "-")
    assert command("report", result, f"--{name}", tmp_path / "file").returncode == 0
    assert (done.returncode, done.stdout) == (0, (tmp_path / "file").read_text("utf-8"))


def test_a_result_from_standard_input(tmp_path: Path) -> None:
    """A dash is a file that is read, too."""
    with result_in(tmp_path).open() as result:
        words = [*COMMAND, "report", "-", "--markdown", "-"]
        done = subprocess.run(
            words, stdin=result, capture_output=True, text=True, env=environment(), timeout=60, check=False
        )
    assert done.returncode == 0
    assert done.stdout.startswith("## ")


@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_a_run_whose_result_goes_to_standard_output(reference_url: str, name: str) -> None:
    """What people read goes to standard error then, annotations too."""
    done = command("run", reference_url, *ONE, f"--{name}", "-", GITHUB_ACTIONS="true")
    assert done.returncode == 0
    assert [json.loads(text) for text in (done.stdout.splitlines() if name == "ndjson" else [done.stdout])]
    assert "1 requirement, 1 verdict" in done.stderr


@pytest.mark.parametrize("variable", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
@pytest.mark.parametrize("place", ["no/such/file", ".", "/dev/full"])
def test_a_file_of_github_that_cannot_be_written(reference_url: str, variable: str, place: str) -> None:
    """What was judged is shown; 2, since the run itself was 0; and 3 stays 3."""
    more: Any = {variable: place}
    done = command("run", reference_url, *ONE, **more)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert f"{place} could not be written: " in done.stderr
    assert f"({variable} names it)" in done.stderr
    assert "1 pass" in done.stdout
    if place == ".":
        done = command("run", f"http://127.0.0.1:{unused_port()}", *ONE, **more)
        assert done.returncode == 3
