"""Looking through nested values."""

from __future__ import annotations

from dungeonlab_conformance.text.tree import names, replaced, with_texts

VALUE = {"a": [1, {"b": "x", "c": None}], "d": "y"}


def test_replacing_leaves_the_first_value_as_it_was() -> None:
    """At a key, at a number, and the whole."""
    assert replaced(VALUE, ("a", 1, "b"), 7) == {"a": [1, {"b": 7, "c": None}], "d": "y"}
    assert replaced(VALUE, ("a", 0), []) == {"a": [[], {"b": "x", "c": None}], "d": "y"}
    assert replaced(VALUE, (), 7) == 7
    assert VALUE == {"a": [1, {"b": "x", "c": None}], "d": "y"}


def test_each_text_is_changed_and_nothing_else() -> None:
    """The keys that lead to it are known; tuples become lists, as JSON has them."""
    changed = with_texts((VALUE, 1.5), lambda text, at: f"{text} {at}")
    assert changed == [{"a": [1, {"b": "x (0, 'a', 1, 'b')", "c": None}], "d": "y (0, 'd')"}, 1.5]


def test_names_of_properties() -> None:
    """At any depth, deeper than Python recurses too."""
    deep: object = VALUE
    for _ in range(5000):
        deep = [deep]
    assert sorted(names(deep)) == ["a", "b", "c", "d"]
