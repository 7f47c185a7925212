"""The page in a real browser: what it loads, how it filters, where it leads, who can use it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from tests.chromium import CONTRAST, chromium, emulate
from tests.conformance.report.runs import ACTS, ECHO, broken_run, failing, nasty_run, passing_run

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report import html
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.verdict import Finding


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Start Chromium; without it these tests are skipped, but not where CI is set."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def opened(chrome: Chrome, tmp_path: Path) -> Callable[..., Chrome]:
    """Return what opens a run's page, on a desktop and in the light by default."""

    def opens(run: Any, link: str = "", *, width: int = 1200, dark: bool = False) -> Chrome:
        file = tmp_path / "report.html"
        html.write(run, file)
        emulate(chrome, width=width, dark=dark)
        chrome.get("about:blank")
        chrome.get(file.as_uri() + link)
        return chrome

    return opens


def shown(chrome: Chrome, selector: str) -> list[WebElement]:
    return [e for e in chrome.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()]


def ids(chrome: Chrome) -> list[str | None]:
    return [e.get_attribute("id") for e in shown(chrome, ".requirement")]


@pytest.mark.parametrize("run", [broken_run, passing_run, nasty_run])
def test_nothing_is_loaded_and_nothing_goes_wrong(opened: Callable[..., Chrome], run: Callable[[], Any]) -> None:
    """The browser's console stays empty: no error, and nothing that the policy had to forbid."""
    chrome = opened(run())
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]
    loaded = chrome.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_the_areas_are_a_picture_that_leads_on(opened: Callable[..., Chrome]) -> None:
    """One mark for each verdict; a click on one opens what it stands for."""
    chrome = opened(broken_run())
    marks = shown(chrome, ".picture .cell")
    assert len(marks) == len(broken_run().verdicts)
    chrome.execute_script("arguments[0].click()", marks[-1])
    WebDriverWait(chrome, 10).until(lambda c: c.execute_script("return location.hash") != "")
    target = chrome.execute_script("return document.getElementById(decodeURIComponent(location.hash.slice(1)))")
    assert target.is_displayed()


def test_a_filter_leaves_what_it_names(opened: Callable[..., Chrome]) -> None:
    """By outcome, by area, by words; the number shown is reported, and the address remembers it."""
    chrome = opened(broken_run())
    everything = ids(chrome)
    chrome.find_element(By.CSS_SELECTOR, "input[name=outcome][value=fail]").click()
    assert ids(chrome) == ["join/outsider-refused", ECHO]
    assert chrome.find_element(By.ID, "shown").text == f"2 of {len(everything)} requirements shown"
    chrome.find_element(By.NAME, "q").send_keys("broadcast MUST NOT")
    assert ids(chrome) == [ECHO]
    chrome.refresh()
    assert ids(chrome) == [ECHO]
    chrome.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    assert ids(chrome) == everything
    assert "?" not in chrome.current_url


def test_a_filter_that_leaves_nothing_says_so(opened: Callable[..., Chrome]) -> None:
    """And offers the way back."""
    chrome = opened(broken_run())
    chrome.find_element(By.NAME, "q").send_keys("no such word anywhere")
    assert ids(chrome) == []
    chrome.find_element(By.ID, "again").click()
    assert len(ids(chrome)) > 5


def test_a_deep_link_opens_what_it_names(opened: Callable[..., Chrome]) -> None:
    """The verdict's diagram is there at once, and has the focus, whatever else is filtered."""
    chrome = opened(broken_run(), f"?outcome=pass#{ECHO}--token:delete")
    verdict = chrome.find_element(By.ID, f"{ECHO}--token:delete")
    WebDriverWait(chrome, 10).until(lambda c: c.switch_to.active_element.tag_name == "summary")
    assert verdict.find_element(By.CLASS_NAME, "lanes").is_displayed()
    assert chrome.switch_to.active_element == verdict.find_element(By.TAG_NAME, "summary")


def test_everything_can_be_done_from_the_keyboard(opened: Callable[..., Chrome]) -> None:
    """The first stop skips to the requirements, a slash searches, Enter opens and closes."""
    chrome = opened(broken_run())
    body = chrome.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert chrome.switch_to.active_element.text == "Skip to the requirements"
    body.send_keys("/")
    assert chrome.switch_to.active_element.get_attribute("name") == "q"
    requirement = chrome.find_element(By.ID, "connect/websocket")
    summary = requirement.find_element(By.TAG_NAME, "summary")
    for state in ("true", None):
        summary.send_keys(Keys.ENTER)
        assert requirement.get_attribute("open") == state


def test_what_is_broken_is_open_from_the_start(opened: Callable[..., Chrome]) -> None:
    """Anyone who opens the page sees the first diagram of each broken requirement; the rest is a click away."""
    chrome = opened(broken_run())
    assert [e.get_attribute("id") for e in shown(chrome, ".requirement[open]")] == ["join/outsider-refused", ECHO]
    before = len(shown(chrome, ".requirement[open]"))
    chrome.find_element(By.ID, "open").click()
    assert len(shown(chrome, ".requirement[open]")) == len(ids(chrome)) > before
    chrome.find_element(By.ID, "close").click()
    assert shown(chrome, ".requirement[open]") == []


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read(opened: Callable[..., Chrome], dark: bool) -> None:
    """In the light and in the dark: a contrast of 4.5 to 1 at least, as WCAG asks."""
    chrome = opened(broken_run(), dark=dark)
    chrome.find_element(By.ID, "open").click()
    looked_at, too_faint = chrome.execute_script(CONTRAST)
    assert looked_at > 300
    assert too_faint == []


def test_light_and_dark_follow_the_reader(opened: Callable[..., Chrome]) -> None:
    """The system's choice first, the button's from then on."""

    def ground(chrome: Chrome) -> int:
        colour = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(","))

    assert ground(opened(broken_run())) > 600
    chrome = opened(broken_run(), dark=True)
    assert ground(chrome) < 150
    chrome.find_element(By.ID, "theme").click()
    assert ground(chrome) > 600
    chrome.execute_script("localStorage.clear()")


CRAMPED = """
const found = [];
for (const box of document.querySelectorAll(".diagram")) {
  const {left, right} = box.getBoundingClientRect();
  if (box.scrollWidth > box.clientWidth) found.push("the box");
  for (const part of box.querySelectorAll("p, small, .note > span, .heads b")) {
    const place = part.getBoundingClientRect();
    if (part.checkVisibility() && place.width && (place.left < left || place.right > right)) found.push(part.outerHTML);
  }
}
return found;
"""


@pytest.mark.parametrize("width", [320, 390, 420])
def test_it_can_be_used_on_a_phone(opened: Callable[..., Chrome], width: int) -> None:
    """Nothing sticks out sideways, a finger can hit what is to be hit, and a diagram is text: who does what."""
    chrome = opened(nasty_run(), width=width)
    chrome.find_element(By.ID, "open").click()
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    small = [e.text for e in shown(chrome, "button, .requirement > summary, .chip") if e.size["height"] < 32]
    assert small == []
    assert shown(chrome, ".lanes .heads") == []
    assert chrome.execute_script(CRAMPED) == []
    assert shown(chrome, ".lanes li")[0].text.startswith("0.0 ms alice</script>")


def test_on_a_desktop_a_diagram_has_a_lane_for_each_actor(opened: Callable[..., Chrome]) -> None:
    """Arrows run from the middle of the actor's lane to that of the server's; the line that convicts stands out."""
    chrome = opened(broken_run())
    lanes = shown(chrome, ".lanes")[0]
    heads = lanes.find_elements(By.CSS_SELECTOR, ".heads b")
    assert [head.text for head in heads] == ["alice", "mallory", "server"]
    middles = {head.text: head.rect["x"] + head.rect["width"] / 2 for head in heads}
    rows = lanes.find_elements(By.CSS_SELECTOR, "li:is(.sends, .answered, .hears)")
    assert rows
    for row in rows:
        wire = row.find_element(By.TAG_NAME, "span").rect
        who = row.find_element(By.TAG_NAME, "b").get_attribute("textContent")
        assert wire["x"] == pytest.approx(middles[who or ""], abs=1)
        assert wire["x"] + wire["width"] == pytest.approx(middles["server"], abs=1)
    [got] = lanes.find_elements(By.CLASS_NAME, "got")
    assert got.value_of_css_property("background-color") != rows[0].value_of_css_property("background-color")


@pytest.mark.parametrize("actors", [4, 6, 12])
@pytest.mark.parametrize("width", [700, 1280])
def test_a_conversation_of_many_stays_in_its_box(opened: Callable[..., Chrome], width: int, actors: int) -> None:
    """However many take part and whatever they say: nothing is cut off at the side, or scrolls there."""
    lines = tuple(
        TranscriptLine(n, f"somebody {n % actors}", act, "token:create", '{"x": "' + "long " * 40 + '"}')
        for n, act in enumerate(ACTS * 3)
    )
    chrome = opened(Run("url", [failing(ECHO, "token:move", Finding("a", "b", transcript=lines[:30]))]), width=width)
    assert len(shown(chrome, ".heads b")) == actors + 1
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert chrome.execute_script(CRAMPED) == []


def test_the_command_that_repeats_a_verdict_can_be_copied(opened: Callable[..., Chrome]) -> None:
    """By a button beside it; where a page has no clipboard, the command is selected."""
    chrome = opened(broken_run())
    button = shown(chrome, ".again .copy")[0]
    command = button.find_element(By.XPATH, "preceding-sibling::code").text
    button.click()
    WebDriverWait(chrome, 5).until(lambda _: button.text in ("Copied", "Selected"))
    script = "return getSelection().toString() || navigator.clipboard.readText()"
    chrome.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    assert chrome.execute_script(script) == command


def test_a_screen_reader_finds_what_there_is(opened: Callable[..., Chrome]) -> None:
    """Headings in order, landmarks, a name for whatever can be used, and for each diagram."""
    chrome = opened(broken_run())
    chrome.execute_cdp_cmd("Accessibility.enable", {})
    nodes = [n for n in chrome.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"] if not n["ignored"]]
    found = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes]
    roles = {role for role, _ in found}
    assert {"main", "search", "table", "heading", "searchbox", "combobox", "checkbox", "status"} <= roles
    usable = ("button", "link", "searchbox", "combobox", "checkbox", "img", "DisclosureTriangle")
    assert [role for role, name in found if role in usable and not name.strip()] == []
    levels = chrome.execute_script("return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(now <= before + 1 for before, now in itertools.pairwise(levels))


def test_without_scripts_the_page_is_whole(opened: Callable[..., Chrome], chrome: Chrome) -> None:
    """Only longer: no filter, and everything there."""
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(broken_run())
        assert shown(chrome, "#filters") == []
        assert len(shown(chrome, ".requirement")) == len({v.requirement for v in broken_run().verdicts})
    finally:
        chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_what_is_broken_is_on_paper_too(opened: Callable[..., Chrome]) -> None:
    """Printing opens what is broken and closes it again."""
    chrome = opened(broken_run())
    chrome.find_element(By.ID, "close").click()
    chrome.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert len(shown(chrome, ".requirement[open]")) == 2
    chrome.execute_script("dispatchEvent(new Event('afterprint'))")
    assert shown(chrome, ".requirement[open]") == []
