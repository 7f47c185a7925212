"""Text from a server made fit to be shown: nothing invisible, nothing that reorders a line. Escapes no markup."""

from __future__ import annotations

import re

# What the runner of GitHub Actions takes for a command: `::` where a line begins, the older `##[` anywhere in it.
_COMMAND = re.compile(r"(?:(?<=\n)|(?<=\r)|\A)([^\S\r\n]*:)(?=:)|(##)(?=\[)")
_LONGEST = 500  # characters of an exception's message
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """Return the text with controls as their pictures (U+2400...), and others that cannot be seen as ``U+202E``."""
    return _UNSHOWN.sub(lambda match: _picture(ord(match[0])), text)


def escaped(json_text: str) -> str:
    """Return a JSON text that holds the same, with what `printable` would replace as JSON escapes it."""
    return _UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text)


def one_line(text: str) -> str:
    """Return the printable text with its line breaks and tabs as pictures too."""
    return printable(text).replace("\n", "\u240a").replace("\t", "\u2409")


def without_commands(text: str) -> str:
    """Return a text in which nothing is a workflow command to GitHub Actions; a space comes between its signs."""
    return _COMMAND.sub(r"\1\2 ", text)


def shortened(text: str, longest: int) -> str:
    """Return at most `longest` characters; an ellipsis stands for the rest."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def sentence_of(error: BaseException) -> str:
    """Return an exception's kind and message in one line, even if it has none, or one that raises."""
    try:
        said = str(error)
    except Exception:  # whatever somebody else's exception does when it is asked
        said = ""
    kind = type(error).__name__
    return one_line(shortened(f"{kind}: {said}" if said.strip() else kind, _LONGEST))


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"U+{code:04X}"
