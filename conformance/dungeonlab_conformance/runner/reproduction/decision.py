"""What shows whether the fault of a finding is there: read from the finding's own facts. Pure.

A finding names a message that convicts, a place in it, or a connection that did not hear something. Where none of these
says what to look at, nothing is decided.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dungeonlab_conformance.record.arguments import arguments, quoted
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.diagnostics.turns import answers
from dungeonlab_conformance.runner.reproduction.statements import ABSENT, Irreproducible, Path
from dungeonlab_conformance.text.tree import deeper_than

Kind = Literal[
    "accepted",  # the request is to be accepted
    "refused",  # the request is to be refused
    "answered",  # the request is to be answered
    "said",  # the answer at `place`, or the delivery, is not to be what it was
    "value",  # the value at `path` of the message at `place` is not to be what it was, or to be one of `right`
    "members",  # that value is to be the list of `right`, in any order; the game master may be in it, too
    "agreement",  # that value is to be what another message has, at `other`
    "acknowledged",  # that value is to be what the answer to the request says, which comes later
    "alive",  # the server is to go on answering
    "heard",  # `listener` is to hear the broadcast of the request, `times` times if that is said
    "silent",  # the delivery at `place` is not to come
    "open",  # the connection of `listener` is to stay open
    "connected",  # the connection at `place` is to be accepted
    "unconnected",  # the connection at `place` is to be refused
]
SPOKEN = ("is answered", "hears")
_KEY = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_SILENCE = re.compile(r"\bnot to\b|\bnothing\b|\bno invalid\b|\bnot be\b")
_ACCEPTED = re.compile(r"to be (accepted|admitted)( again)?$|to succeed$|still to be possible|to be in the room still")
_REFUSED = re.compile(r"(?<!not )to be refused")
_NOTHING = ("None", "missing", "nothing")
_UNANSWERED = re.compile(r"was not answered|no answer|nothing")
_CODES = re.compile(r"[A-Z]+(?:_[A-Z]+)*(?: or [A-Z]+(?:_[A-Z]+)*)*")
_AGREES = re.compile(r"(.+?),? as (?:stored|acknowledged)", re.DOTALL)
_QUOTED = re.compile(
    r"^(?:\d+ characters: |[\w' ]*'s id (?='))|(?<='), which he claimed$"
)  # what stands around a value
_LONGEST = 2_000  # characters of a value that is read back
_NAMED_CODES = re.compile(r"([A-Z]+(?:_[A-Z]+)+(?: or [A-Z]+(?:_[A-Z]+)+)*): ")
_MEMBERS = "the members as they are now, "
_DEEPEST = 100  # levels of a payload


@dataclass(frozen=True, slots=True)
class Decision:
    """What to look at, and where the transcript ends for it: `place` is a line's, `request` that of what was sent."""

    kind: Kind
    place: int
    request: int | None = None
    said: int | None = None  # where the message stands whose value is looked at, if not at `place`
    path: Path = ()
    right: tuple[Any, ...] = ()
    listener: str = ""
    times: int | None = None
    other: tuple[int, Path] | None = None
    event: str = ""  # what is to be heard, if not the broadcast of the request


def decision(finding: Finding, names: Mapping[str, str] | None = None) -> Decision:
    """Return what shows whether the fault of a finding is there. Raises `Irreproducible`.

    `names` are the server's own for requests, by the protocol's.
    """
    found = next(_readings(finding, names or {}), None)
    if found is None:
        raise Irreproducible(
            f"what was found cannot be decided by a single message: expected {finding.expected}; got {finding.got}"
        )
    return found


def payload(line: TranscriptLine) -> list[Any]:
    """Return the arguments of a line. Raises `Irreproducible` for one of a result that somebody has edited."""
    try:
        args = list(arguments(line.body))
    except (ValueError, RecursionError):
        args = None
    if args is None or deeper_than(args, _DEEPEST):
        raise Irreproducible(f"what {line.actor} {line.act} {line.event} cannot be read back from the result")
    return args


def parsed(path: str) -> Path | None:
    """Return the keys of a path such as `$.data.ids[0]`; None if it is none."""
    keys = [found[1] if found[1] is not None else int(found[2]) for found in _KEY.finditer(path)]
    return tuple(keys) if path == "$" + "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys) else None


def at(body: Any, path: Path) -> Any:
    """Return what stands at a path, or `ABSENT`."""
    for key in path:
        there = isinstance(body, dict) and key in body
        if not there and not (isinstance(body, list) and isinstance(key, int) and key < len(body)):
            return ABSENT
        body = body[key]
    return body


def _readings(finding: Finding, names: Mapping[str, str]) -> Iterator[Decision]:
    """Yield what a finding may be decided by, the most telling first."""
    yield from _broadcast(finding, names)
    yield from _of_a_play(finding)
    yield from _of_a_connection(finding)
    place = _convicting(finding)
    line = finding.transcript[place] if place is not None else None
    if place is not None and line is not None and line.act == "hears" and not finding.path:
        kind: Kind = "silent" if _SILENCE.search(finding.expected) else "said"
        yield Decision(kind, place)
    request = _request(finding, place)
    if request is not None and not finding.path:
        end = place if place is not None else request
        if _ACCEPTED.search(finding.expected) or finding.expected.endswith("to be accepted"):
            yield Decision("accepted", end, request)
        if _REFUSED.search(finding.expected):
            yield Decision("refused", end, request)
        if finding.expected.endswith("to be answered") and _UNANSWERED.search(finding.got):
            yield Decision("answered", end, request)
        if place is not None and line is not None and line.act == "is answered":
            yield Decision("said", place, request)
    yield from _value(finding, place)


def _broadcast(finding: Finding, names: Mapping[str, str]) -> Iterator[Decision]:
    """Read `bob to hear alice's chat-message`, or `... once`."""
    count = re.match(r"(\d+) deliveries", finding.got)
    if not (count or finding.got.startswith("nothing")):
        return
    actors = {line.actor for line in finding.transcript}
    for listener in actors:
        for sender in actors:
            found = re.fullmatch(re.escape(f"{listener} to hear {sender}'s ") + r"(\S+)( once)?", finding.expected)
            event = found and names.get(found[1], found[1])
            requests = [
                place
                for place, line in enumerate(finding.transcript[: _end(finding)])
                if line.act in ("sends", "tells") and (line.actor, line.event) == (sender, event)
            ]
            if requests:
                request = _same_request(finding, requests)
                last = answers(finding.transcript).get(request, request)
                yield Decision("heard", last, request, listener=listener, times=1 if count else None)


def _of_a_play(finding: Finding) -> Iterator[Decision]:
    """Read what is said of silence and of versions in a play: what convicts is the request, or its answer."""
    place = finding.convicting
    if place is None or not 0 <= place < len(finding.transcript):
        return
    line = finding.transcript[place]
    if line.act in ("sends", "tells") and finding.got.startswith("none"):
        if finding.expected.startswith(f"an answer to {line.actor}'s {line.event}"):
            yield Decision("answered", place, place)
        if finding.expected.startswith(f"an error event for {line.actor}'s {line.event}"):
            yield Decision("heard", place, place, listener=line.actor, event="error")
    if line.act in SPOKEN and line.connection and not finding.path:
        request = _asked(finding, place)
        if codes := _NAMED_CODES.match(finding.expected):
            yield Decision("value", place, request, path=("code",), right=tuple(codes[1].split(" or ")))
        version = re.fullmatch(r"version (\d{1,9})", finding.expected)
        for path, value in everything(next(iter(payload(line)), None)) if version else ():
            if path[-1:] == ("version",) and str(value) == finding.got:
                yield Decision("value", place, request, path=path, right=(int(version[1]),) if version else ())
    if line.act == "connects" and finding.got == "the connection was accepted":
        yield Decision("unconnected", place)


def _same_request(finding: Finding, places: list[int]) -> int:
    """Return the request that the finding names as `sent`, if it is among these; else the last one."""
    sent = finding.sent
    same = [p for p in places if sent and finding.transcript[p].body == sent.body]
    return (same or places)[-1]


def _of_a_connection(finding: Finding) -> Iterator[Decision]:
    sends = [place for place, line in enumerate(finding.transcript) if line.act in ("sends", "tells")]
    if finding.expected.startswith("the server to go on answering") and sends:
        yield Decision("alive", sends[-1])
    stays = re.match(r"(.+?)'s connection to stay open", finding.expected)
    if stays and finding.got == "it was closed":
        yield Decision("open", len(finding.transcript) - 1, listener=stays[1])
    attempts = [place for place, line in enumerate(finding.transcript) if line.act in ("connects", "is refused")]
    if not attempts:
        return
    last = finding.transcript[attempts[-1]]
    unknown = finding.cast.get(last.actor, last.actor) is None and "claim" not in finding.expected
    if finding.got == "it was accepted" and last.act == "connects" and (unknown or payload(last)):
        yield Decision("unconnected", attempts[-1])
    accepted = re.search(r"connection to be accepted$|to be served over \w+$|to be let in$", finding.expected)
    if accepted and last.act == "is refused":
        yield Decision("connected", attempts[-1])


def _end(finding: Finding) -> int:
    return len(finding.transcript) if finding.convicting is None else finding.convicting + 1


def _convicting(finding: Finding) -> int | None:
    """Return where the message stands that convicts: the one that is named, or the last that says what came."""
    place, lines = finding.convicting, finding.transcript
    if place is not None and 0 <= place < len(lines):
        return place if lines[place].act in SPOKEN and lines[place].connection else None
    path = parsed(finding.path or "")
    if not path:
        return None
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if line.act in SPOKEN and line.connection and not line.cut:
            body = next(iter(payload(line)), None)
            value = at(body, path)
            near = isinstance(at(body, path[:-1]), dict) and len(path) > 1
            if _is_what_came(finding, value) if value is not ABSENT else near and finding.got in _NOTHING:
                return number
    return None


def _is_what_came(finding: Finding, value: Any) -> bool:
    """Whether a finding says that a value came."""
    got = finding.got
    return got.startswith("also ") or got == quoted(value) or _literal(_QUOTED.sub("", got)) == value


def _request(finding: Finding, place: int | None) -> int | None:
    """Return where the request stands: that of the answer at a place, or the one that the finding names."""
    if place is not None and finding.transcript[place].act == "is answered":
        return _asked(finding, place)
    sent = finding.sent
    if sent is None or not sent.connection:
        return None
    wanted = (sent.connection, sent.event, sent.body)
    places = [
        place
        for place, line in enumerate(finding.transcript)
        if line.act == "sends" and (line.connection, line.event, line.body) == wanted
    ]
    return places[-1] if places else None


def _value(finding: Finding, place: int | None) -> Iterator[Decision]:
    path = parsed(finding.path or "")
    if place is None or path is None:
        return
    request = _asked(finding, place)
    if agrees := _AGREES.fullmatch(finding.expected):
        other = _other(finding, place, path, agrees[1])
        right = _literal(agrees[1])
        if other is not None:
            yield Decision("agreement", max(place, other[0]), request, path=path, other=other, said=place)
        elif finding.expected.endswith("as acknowledged") and (asked := _request(finding, place)) is not None:
            yield Decision("acknowledged", place, asked, path=path)
        elif isinstance(right, str | int | float | bool) and finding.convicting == place:
            yield Decision("value", place, request, path=path, right=(right,))
        return
    if finding.expected.startswith(_MEMBERS):
        listed = _literal(finding.expected.removeprefix(_MEMBERS))
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            yield Decision("members", place, request, path=path, right=tuple(listed))
    if (there := _there(finding, place, path)) is not None:
        yield Decision("value", place, request, path=there, right=_right(finding))


def _there(finding: Finding, place: int, path: Path) -> Path | None:
    """Return where in a message the value stands that came; None if it is not to be found.

    What others hear holds under its own path what a request asked for under another one, which the finding names.
    """
    body = next(iter(payload(finding.transcript[place])), None)
    if at(body, path) is not ABSENT or finding.got in _NOTHING:
        return path
    named = ((where, value) for where, value in everything(body) if where[-1:] == path[-1:])
    return next((where for where, value in named if _is_what_came(finding, value)), None)


def _other(finding: Finding, place: int, path: Path, wanted: str) -> tuple[int, Path] | None:
    """Return where another message has a value under the same name that is shown so: the last one that does."""
    for number in range(len(finding.transcript) - 1, -1, -1):
        line = finding.transcript[number]
        if number != place and line.act in SPOKEN and line.connection and not line.cut:
            for where, value in everything(next(iter(payload(line)), None)):
                if where and path and where[-1] == path[-1] and quoted(value) == wanted:
                    return number, where
    return None


def everything(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield all that a value holds, itself included, with the path that leads there."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from everything(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from everything(inner, (*path, number))


def _right(finding: Finding) -> tuple[Any, ...]:
    """Return the values that a finding expects, if it says just them: one as Python writes it, or some codes."""
    if finding.got.startswith("also "):
        return (ABSENT,)
    if _CODES.fullmatch(finding.expected):
        return tuple(finding.expected.split(" or "))
    found = _literal(_QUOTED.sub("", finding.expected))
    return (found,) if isinstance(found, str | int | float | bool) else ()


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text) if len(text) < _LONGEST else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _asked(finding: Finding, answer: int) -> int | None:
    return next((request for request, place in answers(finding.transcript).items() if place == answer), None)
