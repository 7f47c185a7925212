"""Markdown: read by a parser that knows nothing of the suite."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt
from tests.conformance.report.runs import (
    ECHO,
    NASTY,
    broken_run,
    failing,
    nasty_run,
    passing_run,
    played_run,
    stuck_run,
)

from dungeonlab_conformance.report import markdown
from dungeonlab_conformance.results.run import Run

READ = MarkdownIt("gfm-like", {"linkify": False})


def test_it_opens_with_what_matters() -> None:
    """The headline, then the server and the sums, then the claim if there is one."""
    lines = markdown.text(passing_run()).splitlines()
    assert lines[0] == "## Conformant: every MUST of version 1.0 held"
    assert "**Conformant to version 1.0 of the DungeonLab protocol: http://127.0.0.1:3000**" in lines
    assert markdown.text(broken_run()).startswith("## 2 requirements are broken\n")


def test_what_to_mend_first_stands_at_the_top() -> None:
    """Each cause with how much waits for it, and its requirement is the first that is described."""
    html = READ.render(markdown.text(stuck_run()))
    assert "<strong>Cause:</strong> mend acks/every-token-operation-answers [token:create] first:" in html
    assert "1 verdict waits for it" in html


def test_the_table_has_a_row_for_each_area() -> None:
    """A parser sees a table, with the areas in its first column."""
    html = READ.render(markdown.text(broken_run()))
    assert html.count("<table>") == 1
    for area in ("connect", "join", "rooms", "presence"):
        assert f"<td>{area}</td>" in html


def test_each_failure_can_be_mended_from_it() -> None:
    """Id, sentence, hint, what was expected, what came, the command and the transcript."""
    text = markdown.text(broken_run())
    for part in (ECHO, "MUST NOT reach", "*Usually:*", "- expected", "- got", "--event token:delete", "<details>"):
        assert part in text


def test_what_a_play_showed_begins_with_who_did_what() -> None:
    """A list whose numbers are those of the acts."""
    page = READ.render(markdown.text(played_run()))
    assert '<p>… 4 earlier acts</p>\n<ol start="5">\n<li><code>alice chat-message in here, 5</code></li>' in page
    assert "<li>seen 10 of 10 times</li>" in page


def test_a_hostile_server_adds_no_markup() -> None:
    """Whatever it says is shown as text: no link, image, script or heading of its making."""
    html = READ.render(markdown.text(nasty_run()))
    assert "<script" not in html
    assert "<img" not in html
    assert "alert(1)" in html
    assert "\x1b" not in html
    assert NASTY not in html


def test_what_is_known_says_so() -> None:
    """The reason stands beside the failure."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    run = Run("url", [verdict], stale=["x/y holds"])
    assert "*Known:* ticket 41" in markdown.text(run)
    assert "**Known failures:** x/y holds" in markdown.text(run)


def test_it_keeps_to_a_limit_and_counts_what_is_left_out(tmp_path: Path) -> None:
    """A comment that is too long is not shown at all; a shorter one says what is missing."""
    text = markdown.text(broken_run(), 2500)
    assert len(text.encode()) <= 2500
    assert "did not fit" in text
    markdown.write(broken_run(), tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text("utf-8") == markdown.text(broken_run())
