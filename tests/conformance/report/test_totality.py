"""Whatever was observed, each report can be made of it: well-formed, bounded, and nothing in it is a command."""

from __future__ import annotations

import io
import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from tests.conformance.arbitrary import TEXTS, VALUES, quickly
from tests.conformance.report.runs import ACTS, ECHO

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.record.transcript import Room
from dungeonlab_conformance.report import badge, diff, github, html, junit, known_failures, markdown, terminal
from dungeonlab_conformance.report.content.mermaid import mermaid
from dungeonlab_conformance.report.content.sequence_diagram import diagram
from dungeonlab_conformance.report.ndjson import Stream
from dungeonlab_conformance.results import to_json as result_report
from dungeonlab_conformance.results.errors import Broken
from dungeonlab_conformance.results.load import load_run
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict
from dungeonlab_conformance.runner.evaluation import finding

SEEN = st.lists(st.tuples(st.sampled_from(ACTS), VALUES, st.lists(VALUES, max_size=2)), max_size=6)
UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def journal_of(seen: list[tuple[Any, Any, list[Any]]]) -> Journal:
    """Return a journal of a server that sent this."""
    journal = Journal()
    for act, event, args in seen:
        journal.write("alice", 1, act, event, args)
    return journal


def found_in(journal: Journal, said: str, room: Room | None = None) -> Finding:
    """Return a finding of a scene, as a run makes it."""
    target = SimpleNamespace(secrets=Secrets(), room=room or Room())
    target.secrets.add("4711-secret")
    stage = SimpleNamespace(target=target, journal=journal, acts=[], actors=[], raws=[], ids=lambda: {"session": said})
    scene = SimpleNamespace(check=SimpleNamespace(name="scene"), event=None, wanted=frozenset({ECHO}))
    return finding(Broken(said, f"{said} 4711-secret", said), cast("Any", scene), cast("Any", stage))


def run_of(one: Finding, said: str) -> Run:
    """Return a run in which a server had a hand in every text."""
    run = Run(f"http://127.0.0.1:3000/{said}", scenes=1, fault=said, leftovers=[said], stale=[said], notes=[said])
    run.verdicts = [
        Verdict(ECHO, "token:move", "MUST", Outcome.FAIL, findings=[one, one], check="scene"),
        Verdict(ECHO, "token:delete", "MUST", Outcome.UNJUDGED, said or "-"),
        Verdict("order/one-sender-in-order", "token:move", "SHOULD", Outcome.WARN, findings=[one], check="scene"),
    ]
    return run


def refuse(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def strictly(text: str) -> Any:
    """Return what a JSON text holds to a reader that knows no NaN and no lone surrogate outside of an escape."""
    text.encode()
    return json.loads(text, parse_constant=refuse)


class Page(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)


@quickly(40)
@given(seen=SEEN, said=TEXTS)
def test_every_format_can_be_made_of_anything(tmp_path_factory: pytest.TempPathFactory, seen: Any, said: str) -> None:
    """Any name, any depth, any number, any character; strict readers take what is written, and read it back."""
    one = found_in(journal_of(seen), said)
    run = run_of(one, said)
    folder = tmp_path_factory.getbasetemp()
    assert "4711-secret" not in result_report.text(run)
    strictly(result_report.text(run))
    ET.fromstring(junit.text(run))
    markdown.text(run).encode()
    page = html.page(run)
    page.encode()
    parser = Page()
    parser.feed(page)
    assert parser.tags.count("script") == 1
    strictly(json.dumps(badge.endpoint(run)))
    known_failures.write(run, folder / "known.toml")
    assert tomllib.loads((folder / "known.toml").read_text("utf-8"))
    result_report.write(run, folder / "r.json")
    streamed(run, folder / "r.ndjson")
    for line in (folder / "r.ndjson").read_text("utf-8").splitlines():
        strictly(line)
    again = load_run(folder / "r.json")
    assert result_report.text(again) == result_report.text(run)
    assert diff.text(diff.changes(run, again)) == "nothing changed"


def streamed(run: Run, file: Path) -> None:
    with Stream(file, run, 1) as stream:
        stream.finish()


@quickly(40)
@given(seen=SEEN, said=TEXTS)
def test_nothing_that_is_shown_is_a_command(seen: Any, said: str) -> None:
    """No control of a terminal, no reordering of a line, and no workflow command but the annotations that are meant."""
    run = run_of(found_in(journal_of(seen), said), said)
    for verbosity in (-1, 0, 1):
        shown = io.StringIO()
        terminal.show(run, Console(file=shown, highlight=False, width=80), verbosity=verbosity)
        assert not UNSHOWN.search(shown.getvalue())
        shown.getvalue().encode()
    commands = github.commands(run)
    assert not UNSHOWN.search(commands)
    assert "##[" not in commands
    for line in commands.split("\n"):
        assert re.match(r"::(error|warning) title=[^:,]*::", line)


MERMAID = re.compile(
    r"""(?: participant\ (?: a\d+\ as\ (?=\S)TEXT | server )
        | (?: rect\ rgba\([\d,. ]+\) | end )
        | (?: a\d+ (?: ->> | -\) ) server | server (?: ->> | -->> ) a\d+ | Note\ over\ (?: a\d+ | server ) ) :\ TEXT
    )""".replace("TEXT", r"(?: [\w\ \-.,()/'+=!?✓✗…⋮] | \#\d+; )*"),
    re.VERBOSE,
)


@quickly(150)
@given(seen=SEEN, said=TEXTS, place=st.none() | st.integers(0, 9))
def test_no_server_writes_mermaid(seen: Any, said: str, place: int | None) -> None:
    """Each line of a diagram is one of those that the suite writes; what came is in it as letters and numbers."""
    journal = journal_of(seen)
    journal.write(said, 1, "hears", said, (said,))
    first, *lines = mermaid(diagram(found_in(journal, said).transcript, place)).split("\n")
    assert first == "sequenceDiagram"
    for line in lines:
        assert MERMAID.fullmatch(line.lstrip()), line


@quickly(40)
@given(seen=SEEN, said=TEXTS)
def test_no_server_ends_the_fence_of_a_diagram(seen: Any, said: str) -> None:
    """A reader of Markdown finds just what was drawn in it, and after it what the report goes on with."""
    one = found_in(journal_of([*seen, ("hears", said, [f"{said}\n```\n"])]), said)
    fences = [token for token in MarkdownIt().parse(markdown.text(run_of(one, said))) if token.type == "fence"]
    drawn = [token.content for token in fences if token.info == "mermaid"]
    assert drawn == [mermaid(diagram(one.transcript, one.convicting)) + "\n"] * 2
    assert {token.info for token in fences} == {"mermaid", "text"}


def test_a_result_of_a_server_that_says_too_much_stays_small() -> None:
    """As many findings as there can be, each with a scene of 400 messages of a megabyte: a few megabytes in all."""
    journal = journal_of([("hears", "\x01" * 100_000, ["\x01" * 1_000_000, {"a": 10**10_000}])] * 400)
    room = Room()
    verdicts = [Verdict(ECHO, f"event-{number}", "MUST", Outcome.FAIL, check="s") for number in range(455)]
    for verdict in verdicts:
        verdict.findings = [found_in(journal, "x" * 1_000_000, room) for _ in range(3)]
    run = Run("http://127.0.0.1:3000", verdicts)
    assert len(result_report.text(run)) < 15_000_000
    assert len(html.page(run)) < 4_000_000
    assert all(verdict.findings[0].transcript for verdict in verdicts)


def test_what_a_transcript_lacks_is_said_in_every_report() -> None:
    """How many lines came before those that are kept."""
    journal = journal_of([("hears", "chat-message", [{"n": number}]) for number in range(1000)])
    run = run_of(found_in(journal, "said"), "said")
    assert run.verdicts[0].findings[0].left_out == 600
    shown = io.StringIO()
    terminal.show(run, Console(file=shown, highlight=False), verbosity=1)
    for report in (shown.getvalue(), junit.text(run), markdown.text(run), html.page(run)):
        assert "600 not kept" in report
    assert strictly(result_report.text(run))["verdicts"][0]["findings"][0]["left_out"] == 600


def test_an_ordinary_transcript_is_whole() -> None:
    """Four hundred messages of an ordinary length are kept as they were."""
    journal = journal_of([("hears", "chat-message", [{"message": "m" * 100, "n": n}]) for n in range(400)])
    one = found_in(journal, "said")
    assert (len(one.transcript), one.left_out, any(line.cut for line in one.transcript)) == (400, 0, False)
