"""The package for npm in a front end: it type-checks, builds into a page that makes no code of text, and behaves.

With `CLIENTS=all` in the environment the page plays every act, over each transport.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client_programs.faults import BROWSER, TRANSPORTS
from tests.client_programs.front_end import FrontEnd, browser, served
from tests.client_programs.judge import Trial, broken, held, judge_by_command, judge_side_by_side
from tests.client_programs.programs import is_required, why_not
from tests.npm_package import missing
from tests.other_stacks.judge import served as served_peer
from tests.other_stacks.judge import why_not as why_no_peer

ALL = os.environ.get("CLIENTS") == "all"
MISSING = missing() or why_not() or why_no_peer()
if MISSING and is_required():
    pytest.fail(f"the front end is required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> FrontEnd:
    """Return a copy of the front end, beside its packages."""
    return FrontEnd.set_up(tmp_path_factory.mktemp("front-end"))


@pytest.fixture(scope="module")
def page(front_end: FrontEnd) -> Path:
    """Return the folder of the page that is built of it."""
    return front_end.build()


def test_a_front_end_uses_the_types(front_end: FrontEnd) -> None:
    """What it sends is checked: a misspelt property is refused, and nothing else is."""
    wrong = front_end.folder / "src" / "wrong.ts"
    wrong.write_text(
        'import type { Payloads } from "dungeonlab-protocol";\n'
        'export const said: Payloads["chat-message"]["request"] = { sessionId: "s", mesage: "Hello" };\n',
        "utf-8",
    )
    objections = front_end.objections()
    wrong.unlink()
    assert re.findall(r"^(\S+)\(\d+,\d+\): error TS(\d+)", objections, re.MULTILINE) == [("src/wrong.ts", "2561")]


def test_the_page_holds_the_validators(page: Path) -> None:
    """No file of it needs `eval`."""
    [script] = page.rglob("*.js")
    code = script.read_text("utf-8")
    assert "no such property" in code
    assert "dungeonlab-protocol" not in (page / "index.html").read_text("utf-8")
    assert not re.search(r"\beval\(|\bnew Function\b", code)


@pytest.mark.parametrize("transport", TRANSPORTS if ALL else ["upgrade"])
def test_nothing_is_found_in_a_page_in_a_browser(page: Path, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from another origin, under a strict policy; it is cut off, and comes back.

    Whether it had something to say meanwhile, so that its joining again is judged, depends on how fast the browser is.
    """
    with _in_a_browser(page, monkeypatch) as address:
        options = ("--origin", address, "--concurrency", "4")
        run = judge_by_command(BROWSER, transport, acts=() if ALL else ("cut-off/fin",), options=options)
    assert (broken(run), run.fault) == (set(), None)
    assert {"client/connects-with-the-cookie", "client/connects-again"} <= held(run)


def test_nothing_is_found_in_it_before_a_server_of_another_stack(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled server is not the only one that pages play in front of."""
    acts = ("ordinary", "moved-on", "removed") if ALL else ("moved-on",)
    with _in_a_browser(page, monkeypatch) as address, served_peer("server.mjs", "--origin", address) as url:
        [found] = judge_side_by_side([Trial(BROWSER, acts)], url).values()
    assert found.broken == set(), (*found.why, found.printed)
    assert "client/joins-before-it-sends" in found.held, found.printed


@contextmanager
def _in_a_browser(page: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the page, and name it to the program that opens it; yields its address."""
    program = browser()
    if program is None:
        why = "Chromium is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with served(page) as address:
        monkeypatch.setenv("PAGE", address)
        monkeypatch.setenv("BROWSER", program)
        yield address
