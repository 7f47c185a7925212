"""Reads an earlier run back: from a result, or from a stream, even one that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.results.to_json import from_json, to_json
from dungeonlab_conformance.text import files
from dungeonlab_conformance.text.printable import one_line, shortened
from dungeonlab_spec import Catalogue

_LONGEST = 300  # characters of what is wrong with a file
_CUT_OFF = "the stream of this run ends before the run did"


def load(file: Path) -> Run:
    """Return the run that `--json` or `--ndjson` wrote. Raises `ValueError` with one sentence if there is none."""
    text = files.read(file)
    try:
        return from_json(_stream(text) if text.startswith('{"line":') else files.from_json(text))
    except RecursionError:
        reason = "no result of this suite: it is nested too deeply"
    except KeyError as error:
        reason = f"no result of this suite: it lacks {error}"
    except (ValueError, AttributeError, TypeError) as error:  # lists for texts, and texts for dicts
        reason = str(error) if str(error).startswith("no result") else f"no result of this suite: {error}"
    raise ValueError(f"{files.shown(file)} is {one_line(shortened(reason, _LONGEST))}")


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
    if not kinds["summary"]:
        return made | {"fault": _CUT_OFF, "exitCode": 3}
    [summary] = kinds["summary"]
    reason = summary.pop("reason")
    del summary["complete"]
    if summary["exitCode"] is None:  # the suite itself did not come to an end
        summary |= {"ownFault": reason, "exitCode": 4}
    return made | summary
