"""The page as text: whole by itself, and safe whatever a server said. How it behaves is `test_browser`'s business."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.conformance.report.runs import (
    ECHO,
    NASTY,
    broken_run,
    failing,
    long_finding,
    nasty_run,
    passing_run,
    played_run,
    stuck_run,
)

from dungeonlab_conformance.report import html
from dungeonlab_conformance.report.content.wording import causes_in_words
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.text.documents import section_links

RUNS: dict[str, Callable[[], Run]] = {
    "broken": broken_run,
    "passing": passing_run,
    "nasty": nasty_run,
    "empty": lambda: Run("url", fault="gone"),
}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hushed = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hushed += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hushed -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hushed:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.elements if name in attrs]

    def of_class(self, name: str) -> list[str]:
        """Return the tags of the elements of a class."""
        return [tag for tag, attrs in self.elements if name in (attrs.get("class") or "").split()]

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.elements)


@pytest.fixture(params=RUNS)
def page(request: pytest.FixtureRequest) -> Page:
    """Return the page of each run."""
    return Page(html.page(RUNS[request.param]()))


def test_nothing_is_loaded(page: Page) -> None:
    """No element names anything outside the file but links to the protocol; the browser is to load nothing."""
    outside = {value for value in page.values("href") if not value.startswith(("#", "data:"))}
    assert outside <= set(section_links().values())
    assert all(attrs.get("rel") == "noreferrer" for _, attrs in page.elements if attrs.get("href") in outside)
    assert page.values("src") == page.values("srcset") == page.values("action") == []
    assert not page.count("link") - 1  # the empty icon, so that none is asked for
    [policy] = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]
    assert (policy or "").startswith("default-src 'none'; ")


def test_every_link_leads_somewhere(page: Page) -> None:
    """Ids are there once; what is linked is there."""
    ids = Counter(page.values("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    linked = {value[1:] for value in page.values("href") if value.startswith("#")} | set(page.values("data-to"))
    assert linked - {""} <= ids.keys()


def test_no_handler_stands_in_an_attribute(page: Page) -> None:
    """The policy would forbid it, and a hostile server would like it."""
    assert [name for _, attrs in page.elements for name in attrs if name.startswith("on")] == []
    assert page.count("script") == page.count("style") == 1
    assert page.count("img") == 0


def test_the_policy_allows_exactly_our_style_and_script() -> None:
    """Their hashes stand in it, so nothing that slips in is run."""
    text = html.page(nasty_run())
    for tag in ("style", "script"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text.replace("&#39;", "'").replace("&#43;", "+")


def test_a_hostile_server_is_shown_as_what_it_said() -> None:
    """Its markup is text, and what cannot be seen has a picture."""
    page = Page(html.page(nasty_run()))
    assert "<img src=https://evil.invalid/x" in page.text
    assert "\x1b" not in page.text
    assert "␛[31m" in page.text
    assert "U+202E" in page.text
    assert NASTY not in page.text


def test_the_same_run_gives_the_same_page() -> None:
    """Pages can be compared, and kept under version control."""
    assert html.page(broken_run()) == html.page(broken_run())


def test_everything_that_was_judged_is_there() -> None:
    """Each requirement with sentence and hint, each verdict, each finding with a diagram and as text."""
    run = broken_run()
    page = Page(html.page(run))
    assert len(page.of_class("verdict")) == len(run.verdicts)
    assert {attrs["id"] for tag, attrs in page.elements if tag == "details" and "data-area" in attrs} == {
        v.requirement for v in run.verdicts
    }
    drawn = len({f.transcript for v in run.verdicts for f in v.findings})
    assert len(page.of_class("lanes")) == drawn > 0
    assert page.count("svg") == page.count("pre") == 0
    for part in ("A broadcast MUST NOT reach", "io.to(room)", "alice to hear nothing of", f"--only {ECHO}"):
        assert part in page.text


def test_what_a_play_showed_begins_with_who_did_what() -> None:
    """A list whose numbers are those of the acts, in one column with what was expected and got."""
    text = html.page(played_run())
    acts = '<dd class="play">… 4 earlier acts<ol start="5"><li>alice chat-message in here, 5</li>'
    assert f"<dt>Play</dt>{acts}" in text
    assert "<dt>How often</dt><dd>seen 10 of 10 times</dd>" in text


def test_a_page_of_many_failures_stays_light() -> None:
    """Of 85, each with three long transcripts and with payloads full of marks, less than a megabyte is made."""
    run = passing_run()
    for number, verdict in enumerate(run.verdicts[:85]):
        for _ in range(3):
            verdict.convict(long_finding(number))
    text = html.page(run)
    assert len(text.encode()) < 1_000_000
    page = Page(text)
    assert len(page.of_class("lanes")) == 85
    assert len(page.of_class("got")) == 85 + 255  # each diagram has the line that convicts, each finding what came
    assert "the JSON result has the lines" in page.text


def test_the_same_lines_are_drawn_once() -> None:
    """What one scene showed of several requirements stands with the first, and the others lead there."""
    finding = long_finding(1)
    run = Run("url", [failing(ECHO, "token:move", finding), failing(ECHO, "token:create", finding)])
    page = Page(html.page(run))
    assert len(page.of_class("lanes")) == 1
    assert f"Seen in the same lines as {ECHO} [token:move]" in page.text


def test_what_stands_in_the_way_comes_first() -> None:
    """Each cause with what waits for it, folded, one line for each requirement."""
    run = stuck_run()
    page = Page(html.page(run))
    said = causes_in_words(run, 1000)
    assert said
    places = [page.text.index(words) for words in said]
    assert places == sorted(places)
    assert max(places) < page.text.index("Search")
    assert len(page.of_class("causes")) == 1
    assert page.text.count("waits for") >= len(said)


def test_a_section_leads_to_the_protocol() -> None:
    """In the project's repository, at the heading of that section."""
    assert section_links()["5"].endswith("/spec/protocol.md#5-rooms")
    assert section_links()["5"] in Page(html.page(broken_run())).values("href")


def test_what_a_server_should_not_have_said_is_marked_where_it_was_heard() -> None:
    """An echo reaches its sender and those entitled to it alike; it is the sender's line that stands out."""
    run = broken_run()
    run.verdicts = [v for v in run.verdicts if v.requirement == ECHO][:1]
    run.verdicts[0].findings = run.verdicts[0].findings[:1]
    marked = re.findall(r'<li class="hears l\d got"><small>[\d.]+ ms</small> <span><b>(\w+)</b>', html.page(run))
    assert marked == ["alice"]


def test_a_claim_is_made_only_where_there_is_one() -> None:
    """It stands under the headline."""
    assert "Conformant to version 1.0" in Page(html.page(passing_run())).text
    assert "Conformant" not in Page(html.page(broken_run())).text


def test_what_is_known_and_what_went_wrong_is_said() -> None:
    """The reason beside the failure; a list out of date, leftovers and faults at the top."""
    verdict = failing(ECHO, "token:move")
    verdict.known = "ticket 41"
    run = Run("url", [verdict], stale=["x/y holds"], leftovers=["a session"], fault="gone", own_fault="KeyError")
    text = Page(html.page(run)).text
    for part in ("ticket 41", "x/y holds", "a session", "gone", "KeyError"):
        assert part in text


def test_the_page_is_written_as_utf_8(tmp_path: Path) -> None:
    """And says so."""
    run = nasty_run()
    html.write(run, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text("utf-8") == html.page(run)
    assert '<meta charset="utf-8">' in html.page(run)
