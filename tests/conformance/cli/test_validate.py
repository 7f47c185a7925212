"""`validate`: many payloads at once, one line a fault, and nothing left out because of a neighbour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.conformance.command import COMMAND, command

from dungeonlab_conformance.payloads import in_files

GOOD = {"sessionId": "s1", "message": "Hi"}
BAD = {"sessionId": "s1", "message": 5}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two valid payloads and two invalid ones, in two folders below it."""
    for name, payload in {"a/1": GOOD, "a/2": BAD, "b/c/3": GOOD, "b/c/4": {"sessionId": 5}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(payload, indent=2), "utf-8")
    return tmp_path


def test_validate_names_an_unknown_event_before_it_reads() -> None:
    """Standard input may be a keyboard: nobody types a payload for an event that does not exist."""
    reading, writing = os.pipe()  # never written to, and open until the command is over
    try:
        words = [*COMMAND, "validate", "chat-mesage"]
        done = subprocess.run(words, stdin=reading, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.close(writing)
        os.close(reading)
    assert done.returncode == 2
    assert "did you mean chat-message?" in done.stderr


@pytest.mark.parametrize(
    ("event", "text", "code", "said"),
    [
        ("chat-message", '{"sessionId": "a", "message": "hi"}', 0, "chat-message request: 1 valid"),
        ("chat-message", '{"sessionId": "a"}', 1, "message"),
        ("chat-message", "{", 2, "holds no JSON"),
        ("chat", "{}", 2, "there is no event 'chat' in the catalogue; did you mean chat-message?"),
        ("user-joined", "{}", 2, "user-joined has no request; it has emission"),
        ("chat-message", "[" * 100_000, 2, "holds no JSON"),
    ],
)
def test_validate_holds_a_payload_against_its_schema(
    tmp_path: Path, event: str, text: str, code: int, said: str
) -> None:
    """0 valid, 1 not, 2 not even a question."""
    (tmp_path / "p.json").write_text(text)
    done = command("validate", event, tmp_path / "p.json")
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_each_fault_is_a_line(folder: Path) -> None:
    """File, line of the value, pointer, and what is wrong; a count at the end; exit code 1."""
    done = command("validate", "chat-message", "a/1.json", "a/2.json", "b/c/4.json", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "a/2.json:3: /message: expected type string, got number 5",
        "b/c/4.json:1: /message: expected a value, got missing",
        "b/c/4.json:2: /sessionId: expected type string, got number 5",
        "chat-message request: 1 valid, 2 invalid",
    ]


@pytest.mark.parametrize(
    ("pattern", "counts"),
    [
        ("**/*.json", "2 valid, 2 invalid"),
        ("a/*.json", "1 valid, 1 invalid"),
        ("b/c/[3]*", "1 valid"),
        ("./a/1.json", "1 valid"),
    ],
)
def test_a_pattern_in_quotes_names_files(folder: Path, pattern: str, counts: str) -> None:
    """Shells of Windows and of package scripts leave patterns as they are."""
    done = command("validate", "chat-message", pattern, cwd=folder)
    assert done.stdout.splitlines()[-1] == f"chat-message request: {counts}"


def test_a_file_is_judged_once(folder: Path) -> None:
    """Even if several patterns match it; and one whose name looks like a pattern is itself."""
    (folder / "[a].json").write_text(json.dumps(GOOD), "utf-8")
    done = command("validate", "chat-message", "a/1.json", "a/*.json", "[a].json", "a/1.json", cwd=folder)
    assert done.stdout.splitlines()[-1] == "chat-message request: 2 valid, 1 invalid"


def test_what_cannot_be_judged_keeps_nothing_else_from_it(folder: Path) -> None:
    """Missing, a folder, no JSON, no text, no match: a sentence each, exit code 2, and the others are judged."""
    (folder / "torn.json").write_text('{\n"sessionId":', "utf-8")
    (folder / "two.json").write_text("{} {}", "utf-8")
    (folder / "binary.json").write_bytes(b"{}\n\xff")
    (folder / "number.json").write_text("1" * 5000, "utf-8")
    names = ("none.json", "b", "torn.json", "two.json", "binary.json", "number.json", "x*.json", "a/1.json", "a/2.json")
    done = command("validate", "chat-message", *names, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "none.json cannot be read: it does not exist",
        "b is a folder; name the file in it",
        "torn.json:2: holds no JSON: Expecting value (column 13)",
        "two.json:1: holds no JSON: there is more behind the first value (column 4); --lines takes one value a line",
        "binary.json:2: this is no UTF-8 text",
        "number.json:1: holds no JSON: a number has too many digits",
        "x*.json matches no file",
    ]
    assert done.stdout.splitlines()[-1] == "chat-message request: 1 valid, 1 invalid, 7 not judged"


@pytest.mark.parametrize(("name", "options"), [("a.ndjson", []), ("a.jsonl", []), ("a.txt", ["--lines"])])
def test_lines_are_payloads_of_their_own(tmp_path: Path, name: str, options: list[str]) -> None:
    """Each fault has the number of its line; blank ones count, and are no payloads; torn ones are one line's fault."""
    lines = ["\ufeff" + json.dumps(GOOD), "", json.dumps({"sessionId": "s1"}) + "\r", "{", json.dumps(GOOD)]
    (tmp_path / name).write_bytes("\n".join(lines).encode() + b"\n\xff\n")
    done = command("validate", "chat-message", name, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{name}:3: /message: expected a value, got missing",
        "chat-message request: 2 valid, 1 invalid, 2 not judged",
    ]
    assert done.stderr.splitlines() == [
        f"{name}:4: holds no JSON: Expecting property name enclosed in double quotes (column 2)",
        f"{name}:6: this is no UTF-8 text",
    ]


def test_nothing_is_never_valid(tmp_path: Path) -> None:
    """A file without a payload has shown nothing."""
    (tmp_path / "a.ndjson").write_text("\n\n", "utf-8")
    done = command("validate", "chat-message", "a.ndjson", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "a.ndjson holds no payload\n")


def test_lines_of_standard_input_are_judged_as_they_come() -> None:
    """Another program may go on writing: what is wrong with a line is said before the next one is there."""
    words = [*COMMAND, "validate", "chat-message", "-", "--lines"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(json.dumps({"sessionId": "s1"}) + "\n")
        running.stdin.flush()
        assert running.stdout.readline() == "standard input:1: /message: expected a value, got missing\n"
        running.stdin.close()
        assert running.wait(60) == 1


def test_annotations_are_for_github() -> None:
    """With the signs escaped that have a meaning there."""
    payload = json.dumps({"sessionId": "a%b", "message": "Hi"})
    words = [*COMMAND, "validate", "chat-message", "--format", "github"]
    done = subprocess.run(words, input=payload, capture_output=True, text=True, check=False)
    first, last = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith("::error file=standard input,line=1,title=chat-message request::/sessionId: expected text")
    assert first.endswith('got "a%25b"')
    assert last == "chat-message request: 1 invalid"


def test_what_a_file_says_is_no_command(tmp_path: Path) -> None:
    """Neither to a terminal nor to GitHub Actions: a name, and a value."""
    (tmp_path / "::error::x.json").write_text(json.dumps({"sessionId": "\x1b[2J\n::stop::", "message": "Hi"}), "utf-8")
    for form in ("text", "github"):
        done = command("validate", "chat-message", "::error::x.json", "--format", form, cwd=tmp_path)
        assert "\x1b" not in done.stdout
        assert len(done.stdout.splitlines()) == 2
        assert done.stdout.startswith("::error file=%3A%3Aerror%3A%3Ax.json,line=1" if form == "github" else ": :error")


def test_an_acknowledgement_may_be_a_failure(tmp_path: Path) -> None:
    """Each line is judged by its own success."""
    lines = [{"success": False, "error": "No", "code": "NOT_JOINED"}, {"success": True, "data": {"sessionId": "s1"}}]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    done = command("validate", "leave-session", "a.ndjson", "--direction", "ack", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "leave-session ack: 2 valid\n")


def test_a_long_file_takes_no_more_memory_than_a_line() -> None:
    """A hundred megabytes of lines go through a process that grows by little more than one of them takes."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from dungeonlab_conformance.payloads.in_files import judged\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "count = sum(1 for _ in judged(Path('-'), 'chat-message', 'request', of_lines=True))\n"
        "print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)"
    )
    line = json.dumps({**GOOD, "unknown": "x" * 1_000_000}).encode() + b"\n"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        for _ in range(100):
            running.stdin.write(line)
        running.stdin.close()
        count, grown = map(int, running.stdout.read().split())
    assert count == 100
    assert grown < 60


@pytest.mark.parametrize("words", [["--lines"], []])
def test_a_file_without_an_end_is_left(words: list[str]) -> None:
    """A device that says the same for ever."""
    done = command("validate", "chat-message", "/dev/zero", *words)
    assert done.returncode == 2
    assert "than 16 MiB" in done.stderr


def test_a_pipe_is_read_by_its_name(tmp_path: Path) -> None:
    """As `<(...)` of a shell makes one."""
    os.mkfifo(tmp_path / "pipe.ndjson")
    text = f"{json.dumps(GOOD)}\n{json.dumps(BAD)}\n"
    writer = threading.Thread(target=(tmp_path / "pipe.ndjson").write_text, args=(text, "utf-8"))
    writer.start()
    found = list(in_files.judged(tmp_path / "pipe.ndjson", "chat-message", "request"))
    writer.join()
    assert [isinstance(each, in_files.Judged) and not each.faults for each in found] == [True, False]
