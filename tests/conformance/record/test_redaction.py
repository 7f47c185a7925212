"""Secrets are not seen, in any form."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import quickly

from dungeonlab_conformance.record.secrets.redaction import Secrets

VALUE = "a b/c\"d\\e&ü<'>%41\\n"


def hiding(*values: str) -> Secrets:
    """Return secrets with these values."""
    secrets = Secrets()
    for value in values:
        secrets.add(value)
    return secrets


def in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def percent(value: str) -> str:
    return quote(value, safe="")


def lower(value: str) -> str:
    return "".join(f"%{byte:02x}" for byte in value.encode())


def decimal(value: str) -> str:
    return "".join(f"&#{ord(c)};" for c in value)


def hexadecimal(value: str) -> str:
    return "".join(f"&#x{ord(c):X};" for c in value)


def utf16(value: str) -> str:
    raw = value.encode("utf-16-be")
    return "".join(f"\\u{raw[i]:02X}{raw[i + 1]:02x}" for i in range(0, len(raw), 2))


FORMS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    quote_plus,
    percent,
    lower,
    in_json,
    lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    utf16,
    lambda v: repr(v)[1:-1],
    lambda v: ascii(v)[1:-1],
    html.escape,
    decimal,
    hexadecimal,
    lambda v: v.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;"),
    lambda v: percent(percent(v)),
    lambda v: html.escape(in_json(v)),
    lambda v: in_json(in_json(v)),
    lambda v: percent(html.escape(v)),
)


@pytest.mark.parametrize("form", [lambda v: v.encode().hex(), lambda v: v.encode().hex().upper()])
def test_hexadecimal_is_hidden(form: Callable[[str], str]) -> None:
    """A server that dumps the bytes of a header shows its secret as well."""
    assert hiding(VALUE).redact(f"before {form(VALUE)} after") == "before *** after"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_hidden(form: Callable[[str], str]) -> None:
    """As it is, in a URL, in HTML, in JSON, as Python writes it, and one in another."""
    assert hiding(VALUE).redact(f"before {form(VALUE)} after") == "before *** after"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("behind", range(4))
def test_base64_is_hidden_wherever_it_begins(encode: Callable[[bytes], bytes], before: int, behind: int) -> None:
    """Alone, padded or not, and inside of something longer, such as ``user:password`` of a Basic header."""
    secret = "correct horse?>ü"
    text = encode(b"u" * before + secret.encode() + b"z" * behind).decode()
    shown = hiding(secret).redact(text)
    assert "***" in shown
    assert len(shown.replace("***", "")) <= 2 * 4 + 2, shown  # the neighbours and what stands for both
    if not before and not behind:
        assert shown == "***"
        assert hiding(secret).redact(text.rstrip("=")) == "***"


@quickly(200)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=30),
    form=st.sampled_from(FORMS),
    around=st.sampled_from(["", "x", " ", '"', "ä"]),
)
def test_any_value_is_hidden_in_any_form(value: str, form: Callable[[str], str], around: str) -> None:
    """What is left shows no more of it than a few characters at an edge that an escape makes doubtful."""
    shown = hiding(value).redact(f"{around}{form(value)}{around}")
    assert "***" in shown
    assert form(value) not in shown.replace("***", "")


@quickly(200)
@given(st.text(), st.lists(st.text(min_size=1), max_size=5))
def test_no_text_and_no_secret_makes_it_raise(text: str, values: list[str]) -> None:
    """Lone surrogates, controls, half escapes: whatever it is, no secret of four characters or more is left."""
    secrets = hiding(*values)
    shown = secrets.redact(text)
    for value in values:
        if len(value) >= 4 and "*" not in value:
            assert value not in shown


@pytest.mark.parametrize("form", FORMS)
def test_half_a_secret_is_hidden_where_a_text_was_cut(form: Callable[[str], str]) -> None:
    """Each text that is cut ends in an ellipsis; at most three characters before it may be seen, and half an escape."""
    secrets, whole = hiding(VALUE), form(VALUE)
    for length in range(len(form(VALUE[:4])), len(whole)):
        shown = secrets.redact(f"got {whole[:length]}…")
        assert shown.startswith("got ***"), whole[:length]
        assert len(shown) < len("got ***") + 14, whole[:length]


@pytest.mark.parametrize("longest", range(60))
def test_no_cut_shows_the_beginning_of_a_secret(longest: int) -> None:
    """A text is cut only after what is secret was hidden, also if that begins before the cut and ends behind it."""
    secret = "tr0ub4dor&3-and-more"
    shown = hiding(secret).shortened(f"0123456789 {secret} and so on, for longer than anything wanted", longest)
    assert not any(secret[:n] in shown for n in range(3, len(secret)))
    assert shown.startswith("0123456789 "[:longest])
    assert len(shown) <= longest + len("***…")


def test_more_than_half_of_a_secret_is_as_good_as_all_of_it() -> None:
    """Servers shorten what they quote, and say so with whatever they like."""
    assert hiding("0123456789abcdef").redact("token 0123456789 [truncated]") == "token *** [truncated]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@host/x", "http://***@host/x"),
        ("https://a:b@c@host", "https://***@host"),
        ("postgres://u@db:5432/x and //k:v@cache", "postgres://***@db:5432/x and //***@cache"),
        ("http://host/a@b and mail@host", "http://host/a@b and mail@host"),
    ],
)
def test_the_credentials_of_a_url_are_never_seen(text: str, shown: str) -> None:
    """Whosever they are and however short."""
    assert Secrets().redact(text) == shown


def test_the_longer_one_comes_first() -> None:
    """A secret that begins with another one leaves no tail."""
    assert hiding("secret", "secret-and-more").redact("secret-and-more, secret") == "***, ***"


def test_of_many_that_begin_alike_each_is_found() -> None:
    """Web tokens all begin with the same forty characters."""
    tokens = [f"eyJhbGciOiJIUzI1NiJ9.{number:04}" + "ab" * (number % 7) for number in range(300)]
    secrets = hiding(*tokens)
    assert secrets.redact(" ".join(tokens)) == " ".join(["***"] * 300)


def test_what_is_too_short_stays() -> None:
    """Three characters would hide half of everything; nothing at all would hide between all letters."""
    assert hiding("", "a", "abc").redact("abc and a") == "abc and a"


@pytest.mark.parametrize("text", ["hello, ", "eyJh.", "eyJh…", "%41", "&#x26;", "\\", "//a@", "/"])
def test_a_big_text_takes_no_more_than_its_size(text: str) -> None:
    """Ten times the text takes ten times the time or so, whatever it repeats and however many secrets there are."""
    secrets = hiding(*(f"eyJhbGci.{number:06x}" for number in range(2000)))

    def seconds(size: int) -> float:
        began = time.process_time()
        secrets.redact((text * size)[:size])
        return time.process_time() - began

    seconds(100)  # so that nothing is done for the first time
    assert seconds(100_000) < 40 * seconds(10_000) + 0.5


def test_long_secrets_are_hidden_whole_and_fast() -> None:
    """A server may make its cookies 60 kB of one letter, and send texts that are like their beginning for long."""
    secrets = hiding("a" * 60_000 + "X")
    assert secrets.redact(f"<{'a' * 60_000}X>") == "<***>"
    began = time.process_time()
    secrets.redact(("a" * 29_000 + "c") * 3)
    secrets.redact(("a" * 120 + "c") * 200)
    assert time.process_time() - began < 2


@given(st.text("ab", min_size=513, max_size=3_000))
def test_of_a_long_secret_no_piece_is_left(value: str) -> None:
    """Alone, and in the middle of something else; one asterisk more or less makes no difference."""
    assert hiding(value).redact(f"<{value}>").strip("*") in ("<***>", "<>")
