"""The browser of the tests of pages: started, made wide or narrow, light or dark, and asked what can be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

SWITCHES = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars
"""

# Which texts of a page are too faint: how many were looked at, and those whose contrast is below 4.5 to 1.
CONTRAST = """
const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const rgb = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n.slice(0, 3), n[3] ?? 1]; };
const ground = (e) => { for (; e; e = e.parentElement) { const [c, a] = rgb(getComputedStyle(e).backgroundColor);
  if (a > 0.99) return c; } return [255, 255, 255]; };
const found = [];
let seen = 0;
for (const e of document.querySelectorAll("body *:not(script):not(style)")) {
  if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  const [one, two] = [rgb(getComputedStyle(e).color)[0], ground(e)].map(light);
  const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  seen += 1;
  const what = `${e.tagName} ${e.className}: ${e.textContent.slice(0, 40)}`;
  if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${what}`);
}
return [seen, [...new Set(found)]];
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """Run Chromium while the block runs; without it the tests that need it are skipped, but not where CI is set."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not browser or not driver:
        why = "Chromium and its driver are missing: apt-get install chromium chromium-driver"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    assert browser is not None
    options = Options()
    options.binary_location = browser
    for switch in (*SWITCHES.split(), f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # what it leaves behind goes with it
        service = Service(driver, env=os.environ | {"TMPDIR": scratch})
        with Chrome(options=options, service=service) as started:
            yield started


def emulate(chrome: Chrome, *, width: int, dark: bool) -> None:
    """Make the window as wide as a desktop's or a phone's, and the system light or dark, and calm."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    calm = {"name": "prefers-reduced-motion", "value": "reduce"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, calm]})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
