"""On which lines of a JSON text values stand."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from itertools import islice

from dungeonlab_spec.pointer import keys

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++')


def lines(text: str, pointers: Collection[str]) -> dict[str, int]:
    """Return the line, from 1, of the value at each pointer; of one that is missing, that of what it would stand in.

    `text` is JSON. It is gone through once, for as many pointers as there are.
    """
    wanted = {pointer: keys(pointer) for pointer in pointers}
    found = _starts(text, {path[:length] for path in wanted.values() for length in range(len(path) + 1)})
    return {
        pointer: next(line for length in range(len(path), -1, -1) if (line := found.get(path[:length])))
        for pointer, path in wanted.items()
    }


def _starts(text: str, wanted: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Return the lines on which the values at some paths begin; no path is looked for below the deepest one."""
    found: dict[tuple[str, ...], int] = {}
    deepest = max(map(len, wanted))
    around: list[int | str] = []  # for each container the item's number, or the name's token
    line, counted, is_name = 1, 0, False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if is_name and sign != "}":
            around[-1], is_name = sign, False
        elif sign in "}]":
            around.pop()
            is_name = False
        elif sign == ",":
            item = around[-1]
            around[-1], is_name = (item + 1, False) if isinstance(item, int) else (item, True)
        elif sign != ":":
            if len(around) <= deepest and (path := tuple(map(_key, islice(around, deepest)))) in wanted:
                line, counted = line + text.count("\n", counted, token.start()), token.start()
                found[path] = line
            if sign in "{[":
                around.append("" if sign == "{" else 0)
                is_name = sign == "{"
    return found


def _key(step: int | str) -> str:
    return str(json.loads(step)) if isinstance(step, str) else str(step)
