"""A recording as a text in a result, without anything that is secret; and read back, from anybody.

Secrets that a server sent are found as long as they can be seen, and kept as what they are and where they stood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dungeonlab_conformance.invariants.breaches import SecretsSent, secrets_sent
from dungeonlab_conformance.record.archive.packed import packed, unpacked
from dungeonlab_conformance.record.archive.placeholders import Placeholders
from dungeonlab_conformance.record.archive.read import (
    Damaged,
    Payloads,
    cells,
    column,
    flag,
    journal_of,
    mapping,
    maybe,
    seconds,
    sequence,
    text,
    whole,
)
from dungeonlab_conformance.record.archive.write import Shelf, journal_to_json
from dungeonlab_conformance.record.secrets.leaks import Leak, Ours
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.runner.evaluation import RecordedScene, Recording
from dungeonlab_conformance.runner.recheck.trials import Trial
from dungeonlab_conformance.target.dialect.argument_templates import Args
from dungeonlab_conformance.target.dialect.translation import AnswerByEvent, Dialect, Shape

FORMAT = 1
NOT_KEPT = "the result holds no recording of the run, which is {}; so it cannot be checked again"
_MOST_HIDDEN, _LONGEST_HIDDEN = 10_000, 300  # placeholders that are listed, and characters of each


def packed_recording(recording: Recording, known: Secrets) -> str:
    """Return a recording as a text that JSON can hold, without what is `known` to be secret.

    Raises `TooLarge` for one that is larger than a result may hold.
    """
    hiding = Placeholders(known)
    shelf = Shelf(hiding)
    return _packed(_recording_to_json(recording, shelf), hiding, shelf)


def packed_trials(trials: Sequence[Trial], known: Secrets) -> str:
    """Return the trials of a search in the same way. Raises `TooLarge`."""
    hiding = Placeholders(known)
    shelf = Shelf(hiding)
    rows = [[*trial.key, trial.counted, _recording_to_json(trial.recording, shelf)] for trial in trials]
    return _packed({"trials": rows}, hiding, shelf)


def _packed(document: Mapping[str, Any], hiding: Placeholders, shelf: Shelf) -> str:
    hidden = [shelf.text(placeholder[:_LONGEST_HIDDEN]) for placeholder in [*hiding.used][:_MOST_HIDDEN]]
    return packed({"format": FORMAT, **document, "hidden": hidden, "payloads": shelf.payloads})


def _recording_to_json(recording: Recording, shelf: Shelf) -> dict[str, Any]:
    scenes = [
        [scene.check, scene.event, list(scene.requirements), journal_to_json(scene.journal, shelf)]
        for scene in recording.scenes
    ]
    return {
        "scenes": scenes,
        "secrets": _secrets(recording, shelf),
        "dialect": shelf.number([_dialect_to_json(recording.dialect)]) if recording.dialect else None,
        "patience": recording.patience,
        "gaps": [[gone, None if math.isinf(back) else back] for gone, back in recording.gaps],
        "unplayed": list(recording.unplayed),
    }


def _secrets(recording: Recording, shelf: Shelf) -> Sequence[Any]:
    """Return the secrets that a server sent: the observation's number, path, and what it is."""
    ours = recording.secrets
    observations = (seen for scene in recording.scenes for seen in scene.journal.observations)
    if isinstance(ours, Ours):
        found = ((seen.number, leak) for seen in observations for leak in secrets_sent(seen, ours))
    else:
        found = ((number, leak) for number, leaks in ours.items() for leak in leaks)
    return [[number, shelf.text(leak.path), shelf.text(leak.what)] for number, leak in found]


def unpacked_recording(written: str) -> tuple[Recording, frozenset[str]]:
    """Return a recording, and what stands in it for secrets, or the beginning of that. Raises `Damaged`."""
    document, payloads = _opened(written)
    return _recording_of(document, payloads), _hidden(document)


def unpacked_trials(written: str) -> tuple[list[Trial], frozenset[str]]:
    """Return the trials of a search, and what stands in them for secrets. Raises `Damaged`."""
    document, payloads = _opened(written)
    trials = []
    for row in column(document, "trials"):
        requirement, event, counted, found = cells(row, 4)
        recording = _recording_of(mapping(found, "a trial"), payloads)
        trials.append(Trial(_key([requirement, event]), flag(counted), recording))
    return trials, _hidden(document)


def _opened(written: str) -> tuple[Mapping[str, object], Payloads]:
    document = mapping(unpacked(written), "it")
    if document.get("format") != FORMAT:
        raise Damaged(f"it is of another format than {FORMAT}")
    return document, Payloads(document.get("payloads"))


def _hidden(document: Mapping[str, object]) -> frozenset[str]:
    return frozenset(text(each)[:_LONGEST_HIDDEN] for each in column(document, "hidden")[:_MOST_HIDDEN]) - {""}


def _recording_of(document: Mapping[str, object], payloads: Payloads) -> Recording:
    scenes = []
    for row in column(document, "scenes"):
        check, event, requirements, journal = cells(row, 4)
        names = tuple(map(text, sequence(requirements, "requirements")))
        scenes.append(RecordedScene(text(check), maybe(text, event), names, journal_of(journal, payloads)))
    number = document.get("dialect")
    dialect = Dialect() if number is None else _dialect_of(payloads.arguments(number))
    patience, gaps = seconds(document.get("patience")), list(map(_gap, column(document, "gaps")))
    unplayed = [_key(row) for row in column(document, "unplayed")]
    return Recording(scenes, _secrets_sent(column(document, "secrets")), dialect, patience, gaps, unplayed)


def _secrets_sent(rows: Sequence[object]) -> SecretsSent:
    found: dict[int, list[Leak]] = {}
    for row in rows:
        number, path, what = cells(row, 3)
        found.setdefault(whole(number), []).append(Leak(text(path), text(what)))
    return found


def _gap(row: object) -> tuple[float, float]:
    gone, back = cells(row, 2)
    return seconds(gone), math.inf if back is None else seconds(back)


def _key(row: object) -> VerdictKey:
    requirement, event = cells(row, 2)
    return VerdictKey(text(requirement), maybe(text, event))


# -- the dialect -------------------------------------------------------------------------------------


def _dialect_to_json(dialect: Dialect) -> dict[str, Any]:
    """Return what a dialect says; of an adapter's code, only that there is some."""
    return {
        "events": dict(dialect.events),
        "broadcasts": dict(dialect.broadcasts),
        "arguments": {event: list(template) for event, template in dialect.arguments.items()},
        "requests": {event: _shape_to_json(shape) for event, shape in dialect.requests.items()},
        "answers": {
            event: [how.success, how.failure] if isinstance(how, AnswerByEvent) else None
            for event, how in dialect.answers.items()
        },
        "ack": _shape_to_json(dialect.ack),
        "data": {event: _shape_to_json(shape) for event, shape in dialect.data.items()},
        "top": dialect.data_at_top_level,
        "codes": dict(dialect.codes),
        "emissions": {event: _shape_to_json(shape) for event, shape in dialect.emissions.items()},
        "guessed": sorted(dialect.guessed),
        "code": dialect.code is not None,
    }


def _shape_to_json(shape: Shape) -> list[Any]:
    return [dict(shape.rename), list(shape.arguments)]


def _dialect_of(args: Sequence[Any]) -> Dialect:
    [only] = cells(list(args), 1)
    sheet = mapping(only, "the dialect")

    def texts(name: str) -> Mapping[str, str]:
        return {key: text(value) for key, value in mapping(sheet.get(name), name).items()}

    def shapes(name: str) -> Mapping[str, Shape]:
        return {key: _shape_of(value) for key, value in mapping(sheet.get(name), name).items()}

    templates = mapping(sheet.get("arguments"), "arguments")
    return Dialect(
        events=texts("events"),
        broadcasts=texts("broadcasts"),
        arguments={event: _template(found) for event, found in templates.items()},
        requests=shapes("requests"),
        answers={event: _answer_of(how) for event, how in mapping(sheet.get("answers"), "answers").items()},
        ack=_shape_of(sheet.get("ack")),
        data=shapes("data"),
        data_at_top_level=flag(sheet.get("top")),
        codes=texts("codes"),
        emissions=shapes("emissions"),
        guessed=frozenset(map(text, column(sheet, "guessed"))),
        code=_not_kept if flag(sheet.get("code")) else None,
    )


def _template(found: object) -> Sequence[Any]:
    template = sequence(found, "a template")
    if not template:
        raise Damaged("a template is empty")
    return template


def _shape_of(found: object) -> Shape:
    rename, arguments = cells(found, 2)
    names = {key: text(value) for key, value in mapping(rename, "names").items()}
    return Shape(names, sequence(arguments, "a template"))


def _answer_of(found: object) -> Any:
    return "none" if found is None else AnswerByEvent(*map(text, cells(found, 2)))


def _not_kept(_: str, __: str, args: Args) -> Args:
    """Stand for an adapter's code, which is in no recording."""
    return args
