"""The address of a server: what is none is said in one sentence, and its password is seen nowhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import TEXTS, quickly
from tests.conformance.command import command, unused_port

from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.target.address import check
from dungeonlab_conformance.target.target import Target

HOST = "its host is malformed"
PORT = "its port is not between 1 and 65535"
SIGN = "it has a space, or a character that no URL may have"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://[::1", HOST),
        ("http://a..b", HOST),
        (f"http://{'x' * 64}.de", HOST),
        ("http://-a.de", HOST),
        ("http://xn--a", HOST),
        ("http://h:0", PORT),
        ("http://h:65536", PORT),
        ("http://h:-1", PORT),
        ("http://h:http", PORT),
        ("http://h:", PORT),
        ("http://a b", SIGN),
        ("http://a\x00b", SIGN),
        ("http://h\n.de", SIGN),
        ("http://h/\ud800", SIGN),
        (f"http://h/{'x' * 3000}", "it is longer than 2000 characters"),
        ("ftp://h", "is no server URL"),
        ("h:3000", "is no server URL"),
        ("", "is no server URL"),
        ("http://h?a=b", "has something behind its path"),
    ],
)
def test_what_is_no_address(url: str, why: str) -> None:
    """One sentence that says what is wrong with it, and what one looks like or what to leave out."""
    with pytest.raises(TargetFault) as fault:
        check(url)
    assert why in str(fault.value)
    assert "\n" not in str(fault.value)
    assert len(str(fault.value)) < 300


@pytest.mark.parametrize(
    "url", ["http://h", "https://h.example:65535/vtt", "http://[::1]:3000", "http://münchen.example"]
)
def test_what_is_one(url: str) -> None:
    """Names, numbers, ports, a path, letters of any language."""
    assert check(url).hostname


@quickly(300)
@given(
    st.one_of(TEXTS, TEXTS.map("http://".__add__), TEXTS.map("http://h:".__add__), TEXTS.map("https://u:{}@h/".format))
)
def test_any_text_is_one_or_none(url: str) -> None:
    """Nothing else comes of it."""
    try:
        assert check(url).hostname
    except TargetFault as fault:
        str(fault).encode()


@pytest.mark.parametrize("password", ["pw", "s3cret-4711", "p%40ss-w%2Frd"])
def test_the_password_in_an_address_is_seen_nowhere(tmp_path: Path, password: str) -> None:
    """Not in a report, not on the terminal, not in the job summary, and not in the command that repeats the run."""
    url = f"http://alice:{password}@127.0.0.1:{unused_port()}"
    summary, output = tmp_path / "summary", tmp_path / "output"
    reports = [f"--{name}={tmp_path / name}" for name in ("json", "junit", "markdown", "html", "badge", "ndjson")]
    github: Any = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    done = command("run", url, "-v", *reports, **github)
    assert done.returncode == 3
    texts = [done.stdout, done.stderr, *(file.read_text("utf-8") for file in tmp_path.iterdir())]
    assert len(texts) == 2 + len(reports) + 2
    assert not any(f":{password}@" in text for text in texts)
    assert "http://***@127.0.0.1" in done.stdout
    again = command("replay", tmp_path / "json", "connect/websocket")
    assert (again.returncode, password in again.stdout + again.stderr) == (2, False)
    probe = command("probe", url)
    assert (probe.returncode, f":{password}@" in probe.stdout + probe.stderr) == (3, False)
    wrong = command("run", f"{url}?query")
    assert (wrong.returncode, f":{password}@" in wrong.stderr) == (2, False)


def test_what_a_url_s_password_becomes_is_hidden_too() -> None:
    """As it is meant, and as the header that it is sent in."""
    target = Target("http://alice:p%40ss-w%2Frd@127.0.0.1:1")
    header = base64.b64encode(b"alice:p@ss-w/rd").decode()
    shown = target.secrets.redact(f"p%40ss-w%2Frd, p@ss-w/rd, Basic {header}, http://alice:x@127.0.0.1")
    assert shown == "***, ***, Basic ***, http://***@127.0.0.1"


def test_passwords_in_urls_of_a_target_file_are_hidden(tmp_path: Path, reference_url: str) -> None:
    """Those of a header's value and of a step's path too, in whatever a server says about them."""
    file = tmp_path / "t.toml"
    steps = '[register]\npath = "/nowhere?back=https://u:hunter2@h"\ncapture = { user = "/id" }\n'
    session = '[session.open]\npath = "/x"\ncapture = { session = "/id" }\n'
    header = '[server.headers]\nX-Callback = "https://u:hunter3@h"\nX-Api-Key = "Key hunter4-hunter4"\n'
    file.write_text(f'[server]\nurl = "{reference_url}"\n{header}{steps}{session}', "utf-8")
    done = command("run", "--target", file, "--only", "chat", "--json", tmp_path / "r.json")
    assert done.returncode == 3
    texts = done.stdout + done.stderr + (tmp_path / "r.json").read_text("utf-8")
    assert "hunter" not in texts
    from dungeonlab_conformance.target.file.load import load_target

    assert load_target(file).secrets.redact("hunter4-hunter4 https://u:hunter3@h") == "*** https://***@h"
