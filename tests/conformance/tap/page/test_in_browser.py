"""The live page in a real browser: what appears, what can be done with it, and what a peer cannot do to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from tests.chromium import CONTRAST, chromium, emulate
from tests.conformance.tap.page.watched import EARLY, MARKUP, REJOINS, REVERSED, TO_DO, WHOLE, Watched, watched

from dungeonlab_conformance.record.tapped.journal import About, TapJournal

Opens = Callable[..., Chrome]
ROWS = "#messages li:not([hidden])"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Start Chromium."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tap() -> Iterator[Watched]:
    """Serve a page of an empty journal."""
    with watched() as serves:
        yield serves


@pytest.fixture
def opened(chrome: Chrome, tap: Watched) -> Iterator[Opens]:
    """Return what opens the page, on a desktop and in the light by default. Its console stays empty."""

    def opens(*, width: int = 1200, dark: bool = False) -> Chrome:
        emulate(chrome, width=width, dark=dark)
        chrome.get(tap.page.url)
        until(chrome, lambda: text(chrome, "#link") == "Live")
        return chrome

    chrome.get_log("browser")  # type: ignore[no-untyped-call] # and forget it
    yield opens
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]
    chrome.get("about:blank")


def until(chrome: Chrome, holds: Callable[[], object]) -> None:
    WebDriverWait(chrome, 60, 0.05).until(lambda _: holds())


def one(chrome: Chrome, selector: str) -> WebElement:
    return chrome.find_element(By.CSS_SELECTOR, selector)


def text(chrome: Chrome, selector: str) -> str:
    return str(chrome.execute_script("return document.querySelector(arguments[0]).textContent", selector))


def names(chrome: Chrome) -> list[str]:
    """Return what stands on the arrows, from above."""
    return list(
        chrome.execute_script(
            f"return [...document.querySelectorAll('{ROWS}')].map((e) => e.querySelector('em').textContent)"
        )
    )


def test_arrows_appear_as_they_pass(opened: Opens, tap: Watched) -> None:
    """From a person's lane to the server's, in the colour of what became of them, without loading anything again."""
    chrome = opened()
    assert "Nothing has passed yet" in text(chrome, "#nothing")
    tap.do(lambda journal: journal.add("client", "event", connection=1, user="alice", event="token:move", ack_id=0))
    until(chrome, lambda: names(chrome) == ["token:move"])
    assert "open" in (one(chrome, ROWS).get_attribute("class") or "")
    tap.do(
        lambda journal: journal.add("server", "ack", connection=1, user="alice", ack_id=0, text='[{"success":true}]')
    )
    tap.request("chat-message", "[]", '[{"success":false}]', connection=2, user="bob")
    until(chrome, lambda: len(names(chrome)) == 4)
    looks = [row.get_attribute("class").split() for row in chrome.find_elements(By.CSS_SELECTOR, ROWS)]  # type: ignore[union-attr]
    assert [look[2] for look in looks] == ["success", "success", "failure", "failure"]
    heads = {head.text: head.rect for head in chrome.find_elements(By.CSS_SELECTOR, "#heads b")}
    assert list(heads) == ["alice", "bob", "server"]
    middles = {name: rect["x"] + rect["width"] / 2 for name, rect in heads.items()}
    for row, who in zip(chrome.find_elements(By.CSS_SELECTOR, ROWS), ["alice", "alice", "bob", "bob"], strict=True):
        wire = row.find_element(By.CLASS_NAME, "wire").rect
        assert wire["x"] == pytest.approx(middles[who], abs=2)
        assert wire["x"] + wire["width"] == pytest.approx(middles["server"], abs=2)


@pytest.mark.parametrize("hostile", [MARKUP, REVERSED, "</script>", "javascript:alert(1)", "'\"`${1}{{1}}"])
def test_whatever_comes_is_text(opened: Opens, tap: Watched, hostile: str) -> None:
    """In a payload, in a name, in a reason, in what a rule and a director say: it is read, and nothing comes of it."""
    shown = hostile.replace("\u202e", "U+202E")
    tap.request(hostile, f'[{{"message":{json_text(hostile)}}}]', user=hostile)
    tap.do(lambda journal: journal.add("server", "close", connection=1, text=hostile))
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 3)
    assert names(chrome)[0] == shown
    one(chrome, ROWS).click()
    until(chrome, lambda: json_text(shown) in text(chrome, "#payload"))
    assert text(chrome, "#name") == shown
    assert chrome.title == "Live: a client <b>and</b> a server"
    assert text(chrome, "#subject") == "What passes between a client <b>and</b> a server"
    made = "return document.querySelectorAll('main script, main img, main b b, [onerror], [href^=javascript]').length"
    assert chrome.execute_script(made) == 0


def json_text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_a_payload_is_laid_out_and_otherwise_as_it_came(opened: Opens, tap: Watched) -> None:
    """Numbers that no browser can hold, properties that occur twice, what is no JSON, and what is long."""
    tap.request("odd", '[{"n":12345678901234567890.10,"a":1,"a":{},"s":"{, [\\"x\\"] :"}]', answer="no JSON, {  at all")
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 2)
    one(chrome, ROWS).click()
    laid_out = '[\n  {\n    "n": 12345678901234567890.10,\n    "a": 1,\n    "a": {},\n    "s": "{, [\\"x\\"] :"\n  }\n]'
    until(chrome, lambda: text(chrome, "#payload") == laid_out)
    one(chrome, "#partner").click()
    until(chrome, lambda: text(chrome, "#payload") == "no JSON, {  at all")
    assert text(chrome, "#name") == "ack odd"


def test_what_is_demanded_is_seen_to_hold_or_broken_or_not_seen(opened: Opens, tap: Watched) -> None:
    """With a tick, with the arrow that broke it, with what to do to see it; a text of a peer's in it is text."""
    chrome = opened()
    tap.request("token:move", "[]")
    until(chrome, lambda: EARLY in text(chrome, "#held"))
    assert WHOLE in text(chrome, "#held")
    assert TO_DO in text(chrome, "#unseen")
    assert REJOINS in text(chrome, "#unseen")
    tap.request("chat-message", "[]", '[{"success":false,"code":"NOT_JOINED"}]')
    until(chrome, lambda: EARLY in text(chrome, "#broken"))
    assert EARLY not in text(chrome, "#held")
    assert f"It sent {MARKUP}" in text(chrome, "#broken")
    assert "A client MUST join" in text(chrome, "#broke")  # which is said to who cannot see
    one(chrome, "#filters [name=words]").send_keys("token:move")
    one(chrome, "#broken button").click()
    selected = one(chrome, "#messages [aria-selected=true]")
    assert "broke" in (selected.get_attribute("class") or "")
    assert selected.find_element(By.TAG_NAME, "em").text == "ack chat-message"


def test_a_filter_leaves_one_connection_or_some_words(opened: Opens, tap: Watched) -> None:
    """What passes meanwhile is let through or not as well; of one connection there is one lane beside the server's."""
    for connection, user in ((1, "alice"), (2, "bob")):
        tap.request("token:move", f'[{{"by":"{user}"}}]', connection=connection, user=user)
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 4)
    choice = one(chrome, "#filters [name=connection]")
    assert [option.text for option in choice.find_elements(By.TAG_NAME, "option")] == ["all", "1: alice", "2: bob"]
    choice.send_keys("2")
    until(chrome, lambda: len(names(chrome)) == 2)
    assert text(chrome, "#count") == "2 of 4 messages shown"
    assert [head.text for head in chrome.find_elements(By.CSS_SELECTOR, "#heads b")] == ["bob", "server"]
    tap.request("chat-message", "[]", connection=1, user="alice")
    tap.request("token:move", '["again"]', connection=2, user="bob")
    until(chrome, lambda: text(chrome, "#count") == "4 of 8 messages shown")
    one(chrome, "#filters [name=words]").send_keys("AGAIN")
    until(chrome, lambda: names(chrome) == ["token:move"])
    one(chrome, "#filters [name=words]").send_keys("x")
    until(chrome, lambda: one(chrome, "#nothing").is_displayed())
    assert names(chrome) == []


def test_of_several_acts_one_can_be_chosen(opened: Opens, tap: Watched) -> None:
    """By its name: its people, what the director did in it, and nothing else; a message says in which act it passed."""
    for act, name in ((1, "ordinary"), (2, "cut-off/fin")):
        about: About = {"connection": act, "user": "user-1", "act": act}
        tap.do(lambda journal, n=name, a=act: journal.add("tap", "act", event="begin", text=n, act=a))  # type: ignore[misc]
        tap.do(lambda journal, a=about: journal.add("client", "event", event="chat-message", text="[]", **a))  # type: ignore[misc]
    tap.do(lambda journal: journal.add("tap", "act", event="cut", connection=2, act=2))
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 5)
    heads = [head.text for head in chrome.find_elements(By.CSS_SELECTOR, "#heads b")]
    assert heads == ["ordinary", "cut-off/fin", "server"]
    choice = one(chrome, "#filters [name=act]")
    assert [option.text for option in choice.find_elements(By.TAG_NAME, "option")] == ["all", "ordinary", "cut-off/fin"]
    choice.send_keys("c")
    until(chrome, lambda: names(chrome) == ["begin", "chat-message", "cut"])
    assert [head.text for head in chrome.find_elements(By.CSS_SELECTOR, "#heads b")] == [
        "cut-off/fin",
        "server",
    ]
    one(chrome, f"{ROWS}:nth-child(2)").click()
    until(chrome, lambda: "cut-off/fin" in text(chrome, "#facts"))


def test_without_acts_there_is_none_to_choose(opened: Opens, tap: Watched) -> None:
    """In front of a person's clients, or a server of one's own."""
    tap.request("token:move", "[]")
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 2)
    assert not one(chrome, "#filters [name=act]").is_displayed()


def test_a_pause_holds_what_is_seen(opened: Opens, tap: Watched) -> None:
    """It is said how much comes meanwhile, and nothing of it is missing afterwards."""
    tap.request("first", "[]")
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 2)
    one(chrome, "#pause").click()
    tap.request("second", "[]")
    until(chrome, lambda: text(chrome, "#count") == "2 of 4 messages shown; 2 more since the pause")
    assert names(chrome) == ["first", "ack first"]
    assert one(chrome, "#pause").get_attribute("aria-pressed") == "true"
    one(chrome, "#pause").click()
    until(chrome, lambda: names(chrome) == ["first", "ack first", "second", "ack second"])


def test_everything_can_be_done_from_the_keyboard(opened: Opens, tap: Watched) -> None:
    """A way past what stands above; in the list each message, its payload and back; the search; the pause."""
    for number in range(100):
        tap.request(f"event-{number}", f"[{number}]", ack_id=number)
    chrome = opened()
    until(chrome, lambda: "ack event-99" in names(chrome))
    one(chrome, "body").send_keys(Keys.TAB)
    assert chrome.switch_to.active_element.text == "Skip to the messages"
    one(chrome, "body").send_keys("/")
    assert chrome.switch_to.active_element.get_attribute("name") == "words"
    messages = one(chrome, "#messages")

    def chosen() -> str:
        row = one(chrome, f"#{messages.get_attribute('aria-activedescendant')}")
        assert row.is_displayed()
        return row.find_element(By.TAG_NAME, "em").text

    for keys, expected in (
        ([Keys.ARROW_UP], "ack event-99"),
        ([Keys.HOME], "event-0"),
        ([Keys.ARROW_DOWN, Keys.ARROW_DOWN], "event-1"),
        ([Keys.END], "ack event-99"),
        ([Keys.ARROW_UP], "event-99"),
    ):
        messages.send_keys(*keys)
        until(chrome, lambda expected=expected: chosen() == expected)  # type: ignore[misc]
    messages.send_keys(Keys.ENTER)
    assert chrome.switch_to.active_element.get_attribute("id") == "message"
    until(chrome, lambda: text(chrome, "#payload") == "[\n  99\n]")
    chrome.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert chrome.switch_to.active_element.get_attribute("id") == "messages"
    assert not one(chrome, "#message").is_displayed()
    messages.send_keys("p")
    assert text(chrome, "#pause") == "Go on"


def test_an_act_is_a_button(opened: Opens, tap: Watched) -> None:
    """It is explained; what was done is said, or why it cannot be done now."""
    chrome = opened()
    buttons = {button.text: button for button in chrome.find_elements(By.CSS_SELECTOR, "#acts button")}
    assert list(buttons) == ["Refuse next", "Cut off", "Log out"]
    assert buttons["Refuse next"].get_attribute("title") == "Refuse the next request."
    buttons["Refuse next"].click()
    until(chrome, lambda: text(chrome, "#acted") == f"The next request is refused. {MARKUP}")
    assert tap.director.done == ["refuse-next"]
    buttons["Cut off"].send_keys(Keys.ENTER)
    until(chrome, lambda: text(chrome, "#acted") == "nobody is connected")
    assert [entry["message"].count("status of 409") for entry in chrome.get_log("browser")] == [1]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("most", [100_000, 1_000])
def test_a_hundred_thousand_messages_are_no_burden(chrome: Chrome, most: int) -> None:
    """As many rows as fit on the screen, whatever has passed; the newest is seen; what is lost is said."""
    with watched(most) as tap:
        emulate(chrome, width=1200, dark=False)
        chrome.get(tap.page.url)
        until(chrome, lambda: text(chrome, "#link") == "Live")

        def flood(journal: TapJournal) -> None:
            for number in range(50_000):
                journal.add(
                    "client", "event", connection=1, user="alice", event="token:move", ack_id=number, text="[1]"
                )
                journal.add("server", "ack", connection=1, user="alice", event="token:move", ack_id=number, text="[]")
            journal.add("client", "event", connection=1, user="alice", event="last")

        tap.do(flood)
        until(chrome, lambda: "last" in names(chrome))
        rows, everything = chrome.execute_script(
            "return [document.querySelectorAll('#messages li').length, document.querySelectorAll('*').length]"
        )
        assert rows <= 40
        assert everything < 600
        one(chrome, "#messages").send_keys(Keys.HOME)
        until(chrome, lambda: one(chrome, "#messages [aria-selected=true]").is_displayed())
        assert len(names(chrome)) <= 40
        if most == 1_000:
            assert "older ones are no longer kept" in text(chrome, "#count")
        chrome.get("about:blank")


def test_the_end_of_the_tap_is_said(chrome: Chrome) -> None:
    """And what was seen stays."""
    with watched() as tap:
        tap.request("token:move", "[]")
        chrome.get(tap.page.url)
        until(chrome, lambda: len(names(chrome)) == 2)
    until(chrome, lambda: text(chrome, "#link").startswith("The tap has ended."))
    assert names(chrome) == ["token:move", "ack token:move"]
    assert not one(chrome, "#recording").is_displayed()
    chrome.get("about:blank")


def busy(tap: Watched) -> None:
    """Have something of each kind pass."""
    tap.do(lambda journal: journal.add("client", "attempt", text="refused by the tap"))
    tap.request("token:move", '[{"x":1}]', ack_id=1)
    tap.request("chat-message", "[]", '[{"success":false,"code":"NOT_JOINED"}]', connection=2, user="bob", ack_id=2)
    tap.do(lambda journal: journal.add("server", "event", connection=1, user="alice", event="token:move", text="[]"))
    tap.do(lambda journal: journal.add("client", "event", connection=1, user="alice", event="open", ack_id=9))
    tap.do(lambda journal: journal.add("tap", "act", event="cut", text="fin"))
    tap.do(lambda journal: journal.add("server", "close", connection=1, user="alice", text="it was cut"))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1400])
def test_every_text_can_be_read(opened: Opens, tap: Watched, dark: bool, width: int) -> None:
    """A contrast of 4.5 to 1 at least, in the light and in the dark; and nothing sticks out sideways."""
    busy(tap)
    chrome = opened(width=width, dark=dark)
    until(chrome, lambda: EARLY in text(chrome, "#broken"))
    chrome.execute_script("for (const box of document.querySelectorAll('details')) box.open = true")
    chrome.execute_script(f"document.querySelectorAll('{ROWS}')[3].click()")
    until(chrome, lambda: text(chrome, "#payload") == "[]")
    looked_at, too_faint = chrome.execute_script(CONTRAST)
    assert looked_at > 60
    assert too_faint == []
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    small = [e.text for e in chrome.find_elements(By.CSS_SELECTOR, "button, .button, summary") if e.size["height"] < 32]
    assert [name for name in small if name] == []


def test_a_screen_reader_finds_what_there_is(opened: Opens, tap: Watched) -> None:
    """Headings in order, landmarks, a name for whatever can be used, and a sentence for each message."""
    busy(tap)
    chrome = opened()
    until(chrome, lambda: len(names(chrome)) == 9)
    chrome.execute_cdp_cmd("Accessibility.enable", {})
    nodes = [n for n in chrome.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"] if not n["ignored"]]
    found = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes]
    roles = {role for role, _ in found}
    assert {"main", "search", "heading", "searchbox", "combobox", "listbox", "status", "button"} <= roles
    usable = ("button", "link", "searchbox", "combobox", "listbox", "DisclosureTriangle")
    assert [role for role, name in found if role in usable and not name.strip()] == []
    messages = [name.partition(" s, ")[2] for role, name in found if role == "option" and " s, " in name]
    assert messages == [
        "no login: tries to connect, refused",
        "alice, connection 1: token:move, accepted",
        "server to alice, connection 1: ack token:move, accepted",
        "bob, connection 2: chat-message, failed",
        "server to bob, connection 2: ack chat-message, failed",
        "server to alice, connection 1: token:move",
        "alice, connection 1: open, not answered yet",
        "director: cut",
        "server to alice, connection 1: ends the connection",
    ]
    levels = chrome.execute_script("return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(now <= before + 1 for before, now in itertools.pairwise(levels))
