"""The reference server answers as its description says: schemathesis finds nothing, with all its checks."""

from __future__ import annotations

from pathlib import Path

from tests.described import agrees
from tests.reference_server.people import House


async def test_schemathesis_finds_nothing_with_a_login(here: House, tmp_path: Path) -> None:
    """Edge cases, generated and chained requests: no answer is a surprise."""
    (cookie,) = (await here.person()).http.cookie_jar
    assert "10/11" in await agrees(here.url, tmp_path, cookie=(cookie.key, cookie.value))


async def test_schemathesis_finds_nothing_without_a_login(here: House, tmp_path: Path) -> None:
    """Every operation, by somebody whose cookies are all made up."""
    assert "11/11" in await agrees(here.url, tmp_path)
