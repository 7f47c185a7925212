"""Secrets are not seen, in any form."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from dungeonlab_conformance.redaction import Secrets

VALUE = 'a b/c"d\\e&ü'


@pytest.mark.parametrize(
    "form",
    [
        str,
        quote,
        quote_plus,
        lambda v: quote(v, safe=""),
        json.dumps,
        lambda v: json.dumps(v, ensure_ascii=False),
        repr,
        ascii,
    ],
)
def test_every_form_is_hidden(form: object) -> None:
    """As it is, in a URL, in JSON, and as Python writes it."""
    secrets = Secrets()
    secrets.add(VALUE)
    text = form(VALUE)  # type: ignore[operator]
    assert secrets.redact(f"before {text} after").strip("'\"").replace("'***'", "***").replace('"***"', "***") == (
        "before *** after"
    )


def test_the_longer_one_comes_first() -> None:
    """A secret that begins with another one leaves no tail."""
    secrets = Secrets()
    secrets.add("secret")
    secrets.add("secret-and-more")
    assert secrets.redact("secret-and-more, secret") == "***, ***"


def test_what_is_too_short_stays() -> None:
    """Three characters would hide half of everything; nothing at all would hide between all letters."""
    secrets = Secrets()
    for value in ("", "a", "abc"):
        secrets.add(value)
    assert secrets.redact("abc and a") == "abc and a"
