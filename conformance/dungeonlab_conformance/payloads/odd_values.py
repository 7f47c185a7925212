"""Values that every server can keep and that careless code changes, each with one trick, by what the trick is.

What two servers may read differently, such as a NUL or an integer above 2^53, is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LARGEST = 2**53 - 1  # of integers that every JSON parser keeps; RFC 7493, section 2.2

# Behind a mark in a chat message, or in the name of a token.
TEXTS: Mapping[str, str] = {
    "markup": "<b>bold</b>",
    "entity": "&amp;",
    "apostrophe": "it's",
    "quotation-mark": '"so"',
    "backslash": "C:\\new",
    "percent-code": "50%25",
    "format": "%s",
    "braces": "{0}",
    "dollar": "$&",
    "line-break": "one\ntwo",
    "carriage-return": "one\r\ntwo",
    "tab": "one\ttwo",
    "space-at-the-end": "end ",
    "two-spaces": "one  two",
    "wide-space": "one\u3000two",
    "line-separator": "one\u2028two",
    "combining": "e\u0301",
    "composed": "\u00e9",
    "four-bytes": "\N{DRAGON}",
    "joined": "\N{WOMAN}\u200d\N{WOMAN}",
    "right-to-left": "\u05d0\u200f",
    "full-width": "\uff21",
    "sharp-s": "\u00df",
    "link": "https://example.org/?a=1&b=2",
    "emoticon": ":-)",
    "__proto__": "__proto__",
}
# In front of the mark.
TEXTS_BEFORE: Mapping[str, str] = {
    "space-at-the-beginning": " ",
    "command": "/roll ",
    "at-sign": "@alice ",
    "byte-order-mark": "\ufeffx",
    "number-first": "007 ",
    "colon-first": ":x ",
}

# What a token's `data` holds.
DATA: Mapping[str, Any] = {
    "empty": {},
    "null": {"hp": None},
    "null-in-list": {"list": [None]},
    "empty-list": {"list": []},
    "empty-object": {"object": {}},
    "nested-empty": {"list": [[], [{}]], "object": {"inner": {}}},
    "nested": {"a": {"b": {"c": {"d": [{"e": [1, [2, [3]]]}]}}}},
    "false": {"alive": False},
    "zero": {"hp": 0},
    "empty-text": {"note": ""},
    "2^31": {"n": 2**31},
    "2^32": {"n": 2**32},
    "2^53-1": {"n": LARGEST},
    "-2^31": {"n": -(2**31) - 1},
    "negative": {"n": -1},
    "fraction": {"n": 0.1},
    "small-fraction": {"n": 1e-7},
    "dots": {"a.b": 1},
    "dollars": {"$set": {"hp": 1}},
    "brackets": {"a[b]": 1},
    "space-in-key": {" a ": 1},
    "capital-key": {"Hp": 1, "hp": 2},
    "composed-key": {"\u00e9": 1, "e\u0301": 2},
    "long-key": {"k" * 300: 1},
    "__proto__": {"__proto__": {"hp": 1}},
    "constructor": {"constructor": {"prototype": {"hp": 1}}},
    "toString": {"toString": "x"},
    "own-names": {"id": "x", "version": 7, "name": "y", "data": {"data": 1}},
    "number-keys": {"10": 1, "9": 2},
    "number-as-text": {"n": "007"},
    "boolean-as-text": {"b": "true"},
    "null-as-text": {"b": "null"},
    "time": {"at": "2020-02-30T00:00:00+02:00"},
    "same-twice": {"list": [2, 1, 2]},
    "mixed-list": {"list": [1, "1", True, None, {}]},
    "long-list": {"list": list(range(120))},
    "many-keys": {f"key{n}": n for n in range(120)},
    "markup": {"t": "<i>&lt;</i>"},
    "percent": {"t": "100%25"},
    "combining": {"t": "e\u0301"},
    "composed": {"t": "\u00e9"},
    "four-bytes": {"t": "\N{DRAGON}"},
    "line-break": {"t": "one\ntwo"},
    "spaces": {"t": "  x  "},
    "5-kB": {"t": "x" * 5_000},
    "9-kB": {"t": "x" * 9_000},
    "15-kB": {"list": ["y" * 99] * 145},
    "half-surrogate": {"t": "\ud800"},
}

# What a position holds besides the rest; `x` may be raised so that it stays one of its own.
POSITIONS: Mapping[str, Mapping[str, float]] = {
    "x-2^31": {"x": 2**31},
    "x-2^32": {"x": 2**32},
    "x-2^53": {"x": 2**53 - 2**24},
    "y-2^31": {"y": 2**31},
    "y-2^53": {"y": LARGEST},
    "y-zero": {"y": 0},
    "elevation-zero": {"elevation": 0},
    "elevation-negative": {"elevation": -5},
    "elevation-fraction": {"elevation": 0.1},
    "elevation-2^31": {"elevation": 2**31},
}

# What a draft of a token has besides the rest.
DRAFTS: Mapping[str, Mapping[str, Any]] = {
    "hidden": {"isVisible": False},
    "shown": {"isVisible": True},
    "player": {"isPlayerControlled": True},
    "no-conditions": {"conditions": []},
    "same-condition-twice": {"conditions": [{"name": "prone"}, {"name": "prone"}]},
    "condition-without-end": {"conditions": [{"name": "prone", "source": ""}]},
    "condition-of-a-moment": {"conditions": [{"name": "prone", "duration": 0.5}]},
    "many-conditions": {"conditions": [{"name": f"c{n}", "duration": n} for n in range(25)]},
    "address-of-another-kind": {"imageUrl": "ftp://example.org/A%2fb"},
    "server-fields": {"id": "no-id", "encounterId": "no-id", "createdBy": "no-id", "updatedBy": "no-id", "version": 77},
    "fixed-fields": {"position": {"x": 7, "y": 7}, "isPlayerControlled": True, "conditions": [{"name": "odd"}]},
}
# What an update has besides the name; it changes the first three of these.
UPDATES = ("hidden", "shown", "address-of-another-kind", "server-fields", "fixed-fields")
