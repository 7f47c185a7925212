"""How long the judge waits for a server that is slow, and right."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.serving import Variant, served

from dungeonlab_conformance.results.run import RunOptions
from dungeonlab_conformance.results.verdict import Outcome
from dungeonlab_conformance.runner.runner import Runner
from dungeonlab_conformance.runner.selection import Selection, scenes
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Payload
from dungeonlab_reference_server.settings import Settings
from dungeonlab_reference_server.store import Store
from dungeonlab_spec import Catalogue

LIMITS = Limits(0.2)


class Pauses(Pipeline):
    """Of many requests by one connection, every seventy-fifth is waited for far longer than an answer may take."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__(store, settings)
        self.asked: Counter[str] = Counter()

    async def perform(self, connection: str, name: str, args: Sequence[Any]) -> Payload:
        self.asked[connection] += 1
        if self.asked[connection] % 75 == 0:
            await asyncio.sleep(2.5 * LIMITS.answer)
        return await super().perform(connection, name, args)


async def test_silence_that_ends_again_and_again_is_no_silence() -> None:
    """Only a server that sends nothing for long, while it answers others, has left requests unanswered."""
    with served(Variant(pipeline=Pauses)) as url:
        picked = scenes(Selection(only=("acks/many-at-once-are-answered",)), Catalogue.load())
        target = Target(url, limits=LIMITS)
        run = await Runner(target, picked, target.new_run(RunOptions(concurrency=1))).play()
    assert {v.outcome for v in run.verdicts} == {Outcome.PASS}
