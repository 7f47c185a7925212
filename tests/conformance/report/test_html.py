"""The page as text: whole by itself, and safe whatever a server said. How it behaves is `test_browser`'s business."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.conformance.report.runs import ECHO, NASTY, broken_run, failing, nasty_run, passing_run

from dungeonlab_conformance.report import html
from dungeonlab_conformance.results.run import Run

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
    """No element names anything outside the file, and the browser is instructed to load nothing."""
    assert {value for value in page.values("href") if not value.startswith(("#", "data:"))} == set()
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
    assert len(page.values("data-verdict")) == len(run.verdicts)
    assert {attrs["id"] for tag, attrs in page.elements if tag == "details" and "data-area" in attrs} == {
        v.requirement for v in run.verdicts
    }
    drawn = len({f.transcript for v in run.verdicts for f in v.findings})
    assert len(page.of_class("lanes")) == page.count("pre") == drawn > 0
    assert page.count("svg") == 0
    for part in ("A broadcast MUST NOT reach", "io.to(room)", "alice to hear nothing of", f"--only {ECHO}"):
        assert part in page.text


def test_a_page_of_many_failures_stays_light() -> None:
    """With very many, the first finding of each is drawn, and the others are there as text."""
    run = broken_run()
    result = next(v for v in run.verdicts if len({f.transcript for f in v.findings}) > 1)
    run.verdicts = [dataclasses.replace(result, event=f"event-{number}") for number in range(61)]
    page = Page(html.page(run))
    assert len(page.of_class("lanes")) == 61
    assert page.count("pre") == 61 * len({f.transcript for f in result.findings})


def test_what_a_server_should_not_have_said_is_marked_where_it_was_heard() -> None:
    """An echo reaches its sender and those entitled to it alike; it is the sender's line that stands out."""
    run = broken_run()
    run.verdicts = [v for v in run.verdicts if v.requirement == ECHO][:1]
    run.verdicts[0].findings = run.verdicts[0].findings[:1]
    marked = re.findall(r'<li class="line hears arrow got" title="[\d.]+ ms: (\w+) hears', html.page(run))
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
