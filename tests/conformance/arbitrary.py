"""Arbitrary values, for what must bear any: JSON and beyond, of any depth, with what no file can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("\x00\x07\x1b\r\n\t\u2028\u202e\ufeff\ufffe\ud800\udfff<>&]\"'`#:[% "), max_size=20),
    st.sampled_from(["::error::x", "\n::error::x", "##[error]x", "]]>", "\x1b]0;x\x07", "x" * 100_000, "\ud83d", ""]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([1, -1]).map(lambda sign: sign * 10**10_000),  # more digits than Python writes out
    st.sampled_from([1e308, float("nan"), float("inf"), float("-inf"), 0, -0.0]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=20), st.builds(object))
KEYS = st.one_of(TEXTS, st.none(), NUMBERS, st.booleans(), st.binary(max_size=4), st.tuples(st.integers()))


def _deep(leaf: Any, levels: int, kind: Callable[[Any], Any]) -> Any:
    for _ in range(levels):
        leaf = kind(leaf)
    return leaf


DEEP = st.builds(
    _deep,
    LEAVES,
    st.sampled_from([1, 10, 199, 200, 201, 990, 5_000, 50_000]),
    st.sampled_from([lambda v: [v], lambda v: {"a": v}, lambda v: (v, 1), lambda v: {"\ud800": [v]}]),
)
VALUES = st.one_of(
    DEEP,
    st.recursive(
        LEAVES,
        lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
        max_leaves=20,
    ),
)


def quickly(examples: int) -> settings:
    """Return settings for so many examples: the same ones each time, and no complaint of a busy machine."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
