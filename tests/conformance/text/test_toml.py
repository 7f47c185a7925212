"""TOML as people write it: what it holds, where that stands, and what is none."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.text import toml

TEXT = '# one\n\na = [\n  1,\n\n  2,\n]\n# between\nb = """\nc = 5\n"""\nc = 1\n[[t]]\nx = 1\n\n[[ t ]]\n[t.y]\nz = 1\n'


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("a",), 3),
        (("b",), 9),
        (("c",), 12),
        (("t", 0, "x"), 14),
        (("t", 1), 16),
        (("t", 1, "y", "z"), 18),
        (("d",), 1),
    ],
)
def test_everything_has_a_line(where: toml.KeyPath, line: int) -> None:
    """The first of its statement, without comments and blank lines before that; what is not there has line 1."""
    assert toml.line_of(TEXT, where) == line


def test_each_table_of_an_array_has_a_line() -> None:
    """Spaces in the brackets are allowed; other tables are none of them."""
    assert toml.lines_of_tables(TEXT, "t") == [13, 16]


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb\n", 2), ('a = """\n\n', 2), ("a = 1\na = 2\n", 2)])
def test_what_is_no_toml(text: str, line: int) -> None:
    """The line is where that shows; the sentence has no line and no column of its own."""
    with pytest.raises(toml.NoToml, match=r"^this is no TOML: ") as fault:
        toml.parse(text)
    assert fault.value.line == line
    assert "at line" not in str(fault.value)
