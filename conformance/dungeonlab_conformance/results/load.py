"""Reads an earlier run back: from a result or a stream of this version or an earlier one, even if it was cut off.

What is no result does not fit the JSON Schema (2020-12) in `result.schema.json`.
"""

from __future__ import annotations

import json
import shlex
from functools import cache
from importlib.resources import files as resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.to_json import FORMAT, to_json
from dungeonlab_conformance.results.verdict import Finding, Outcome, Verdict, VerdictKey
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened
from dungeonlab_spec import Catalogue

_FIELDS = {  # of a Run, and where they stand in the document
    **{name: name for name in ("suite", "protocol", "began", "claim", "fault", "interrupted", "seconds")},
    **{name: name for name in ("scenes", "concurrency", "stale", "leftovers", "notes")},
    "fail_on": "failOn",
    "own_fault": "ownFault",
    "bundled": "bundled",
}
_LONGEST = 300  # characters of what is wrong with a file
_MOST_VALUES = 4_000_000  # in a file; no result has a million
_CUT_OFF = "the stream of this run ends before the run did"


@cache
def schema() -> dict[str, Any]:
    """Return the schema of what `to_json` makes."""
    document: dict[str, Any] = json.loads((resources(__package__) / "result.schema.json").read_text())
    return document


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def problem(document: Any) -> str | None:
    """Return in one sentence where a document does not fit the schema, or None if it does."""
    found = next(_validator().iter_errors(document), None)
    return found and f"at {found.json_path}, {found.message[:200]}"


class NoResult(ValueError):  # noqa: N818 - reads as a sentence where it is raised
    """A document is no result of this suite; the message is the end of a sentence."""


def load_run(file: Path) -> Run:
    """Return the run that `--json` or `--ndjson` wrote. Raises `ValueError` with one sentence if there is none."""
    return load_document(file)[0]


def load_document(file: Path) -> tuple[Run, dict[str, Any]]:
    """Return the run that was written, and the document from which it was read. Raises `ValueError` as `load_run`."""
    text = files.read(file)
    if not text.strip():
        raise ValueError(f"{files.shown(file)} is no result of this suite: it is empty, since its run was ended before")
    if text.startswith('{"recording"'):
        said = "is a recording of a tap and no result; `report` judges it, and writes a result with --json"
        piped = "is a recording of a tap that comes through a pipe; `report` judges one that is in a file"
        raise ValueError(f"{files.shown(file)} {said if file.is_file() else piped}")
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        raise ValueError(f"{files.shown(file)} is no result of this suite: it holds more than {_MOST_VALUES:,} values")
    try:
        document = _stream(text) if text.startswith('{"line":') else files.from_json(text)
        return from_json(document), document
    except RecursionError:
        reason = "no result of this suite: it is nested too deeply"
    except MemoryError:
        reason = "not read: that takes more memory than there is"
    except KeyError as error:
        reason = f"no result of this suite: it lacks {error}"
    except NoResult as error:
        reason = str(error)
    except (ValueError, AttributeError, TypeError) as error:  # lists for texts, and texts for dicts
        reason = f"no result of this suite: {error}"
    raise ValueError(f"{files.shown(file)} is {one_line(shortened(reason, _LONGEST))}")


def from_json(document: Any) -> Run:
    """Return the run that was written. Raises `NoResult`."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise NoResult(f"no result of this suite in format {FORMAT}")
    if (found := problem(document)) is not None:
        raise NoResult(f"no result of this suite: {found}")
    run = Run(document["target"])
    for field, name in _FIELDS.items():
        setattr(run, field, document[name])
    run.options = _options(document)
    run.recording = document.get("recording", "")
    run.plays = document.get("plays", "")
    run.caveat = document.get("caveat", "")
    run.side = document.get("side", "server")
    judged: dict[str, list[str]] = {}  # by the name of the scene
    for row in document["verdicts"]:
        judged.setdefault(row["scene"], []).append(row["requirement"])
    run.verdicts = [_verdict(row, judged) for row in document["verdicts"]]
    return run


def _options(document: dict[str, Any]) -> RunOptions:
    """Return the options of a run; a result of an earlier version only has the command that repeats it."""
    if "options" in document:
        given = document["options"].items()
        options: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
        return RunOptions(**options)
    try:
        words = shlex.split(document["again"])[2:]
        named = {word: following for word, following in pairwise([*words, ""]) if word.startswith("--")}
        return RunOptions(
            url=words[0] if words and not words[0].startswith("-") else None,
            target_file=document["targetFile"],
            transport=named.get("--transport"),
            scale=float(named.get("--timeout", 1.0)),
            protocol_version=named.get("--protocol-version"),
            fuzz=int(named["--fuzz"]) if "--fuzz" in named else None,
            seed=int(named["--seed"]) if "--seed" in named else None,
            http="--http" in named,
        )
    except ValueError:  # an open quotation mark, of a result that somebody has edited
        return RunOptions(target_file=document["targetFile"])


def _verdict(row: dict[str, Any], judged: dict[str, list[str]]) -> Verdict:
    known = {name: value for name, value in row.items() if name not in ("sentence", "section", "scene")}
    known["outcome"] = Outcome(row["outcome"])
    known["check"] = row["check"] if "check" in row else _check(row["scene"], row["event"])
    known["waits_for"] = VerdictKey(**row["waits_for"]) if row.get("waits_for") else None
    rows = (found if "check" in found else _completed(found, judged) for found in row["findings"])
    return Verdict(**known | {"findings": [_finding(found) for found in rows]})


def _finding(row: dict[str, Any]) -> Finding:
    facts = {name: value for name, value in row.items() if name != "scene"}
    lines = tuple(TranscriptLine(**line) for line in row["transcript"])
    sent = TranscriptLine(**row["sent"]) if row.get("sent") else None
    lists = {name: tuple(row.get(name, ())) for name in ("requirements", "acts")}
    return Finding(**{**facts, **lists, "transcript": lines, "sent": sent})


def _completed(row: dict[str, Any], judged: dict[str, list[str]]) -> dict[str, Any]:
    """Return a finding of an earlier version, which only named its scene, with the facts that this stands for."""
    check, _, event = row["scene"].partition("[")
    lines = row["transcript"]
    shown = [place for place, line in enumerate(lines) if line["body"] == row["got"]]
    own = [place for place in shown if row["expected"].startswith(lines[place]["actor"])]
    return row | {
        "check": check,
        "event": event.removesuffix("]") or None,
        "requirements": judged.get(row["scene"], ()),
        "convicting": next(iter(own or shown), None),
    }


def _check(scene: str, event: str | None) -> str:
    """Return the check in the name of a scene of an earlier version."""
    return scene.removesuffix(f"[{event}]")


def _stream(text: str) -> dict[str, Any]:
    """Return the result that a stream amounts to; of two verdicts about the same, the later counts."""
    whole = text[: text.rfind("\n") + 1]  # a last line without an end was cut off by force
    rows: list[dict[str, Any]] = [files.from_json(line) for line in whole.splitlines()]
    kinds: dict[str, list[dict[str, Any]]] = {"run": [], "verdict": [], "summary": []}
    for row in rows:
        kinds[row.pop("line")].append(row)
    [head] = kinds["run"]
    del head["scenes"]  # how many there were to be; the result says how many were played
    verdicts = {(row["requirement"], row["event"]): row for row in kinds["verdict"]}
    order = {name: place for place, name in enumerate(Catalogue.load().requirements)}
    rank = sorted(verdicts.values(), key=lambda v: (order.get(v["requirement"], len(order)), v["event"] or ""))
    made = to_json(Run(head["target"], bundled=head["bundled"])) | head | {"verdicts": rank}
    if "options" not in head:
        del made["options"]  # of an earlier version, which only had the command
    if not kinds["summary"]:
        return made | {"fault": _CUT_OFF, "exitCode": 3}
    [summary] = kinds["summary"]
    reason = summary.pop("reason")
    del summary["complete"]
    if summary["exitCode"] is None:  # the suite itself did not come to an end
        summary |= {"ownFault": reason, "exitCode": 4}
    return made | summary
