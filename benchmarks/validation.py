"""Measures how long judging one payload takes, beside jsonschema alone.

Run `python -m benchmarks.validation`. Times depend on the machine; the ratios much less.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

from dungeonlab_spec import accepts, validate
from dungeonlab_spec.catalogue import Catalogue, examples
from dungeonlab_spec.validation import explainer

EVENT = "token:create"
ROUNDS = 5  # the best of them counts: the others were disturbed
SECONDS = 0.2  # about how long a round takes


def microseconds(judge: Callable[[], object]) -> float:
    """Return the time of one call in µs."""
    timer = timeit.Timer(judge)
    once = timer.timeit(number=10) / 10
    number = max(1, int(SECONDS / once))
    return min(timer.repeat(repeat=ROUNDS, number=number)) / number * 1e6


def main() -> None:
    """Print a row for each way to judge the payload."""
    payload = examples(EVENT, "valid")["full"]
    reference = Catalogue.load()[EVENT].request
    assert reference is not None
    alone = explainer(reference)
    ways: dict[str, Callable[[], object]] = {
        "jsonschema alone": lambda: alone.is_valid(payload),
        "accepts()": lambda: accepts(reference, payload),
        "validate()": lambda: validate(EVENT, payload, "request"),
    }
    took = {name: microseconds(judge) for name, judge in ways.items()}
    print(f"one valid {EVENT} of {len(json.dumps(payload))} bytes")
    for name, time in took.items():
        print(f"{name:<18}{time:>8.1f} µs   {took['jsonschema alone'] / time:>6.1f} times as fast")


if __name__ == "__main__":
    main()
