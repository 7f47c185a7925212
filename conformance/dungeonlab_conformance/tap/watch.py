"""A tap in front of a server for as long as somebody wants: shown on a page, recorded and judged meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress

from dungeonlab_conformance.tap.page.live_page import LivePage
from dungeonlab_conformance.tap.recording import Recording
from dungeonlab_conformance.tap.tap import Tap
from dungeonlab_conformance.tap.verdicts import Judging

_LOOK = 1.0  # seconds between two looks at what is to be judged
_SWITCH = 0.0005  # seconds after which what judges lets go, so that it holds up nobody who talks


async def watch(
    tap: Tap,
    judging: Judging,
    recording: Recording,
    *,
    seconds: float | None,
    on_ready: Callable[[str], None],
    on_progress: Callable[[], None],
) -> None:
    """Carry what comes to a tap for some seconds, or until cancelled, and judge it in between.

    `on_ready` is called with the live page's address when clients can connect, `on_progress` about each second. Raises
    `OSError` if the tap cannot listen.
    """
    with ExitStack() as written:  # until the tap has ended: the connections that this closes belong to the recording
        async with tap:
            written.enter_context(recording)  # not before the tap listens: where it cannot, an earlier file stays
            async with LivePage(tap.journal, subject=f"clients and the server at {tap.upstream}") as page:
                on_ready(page.url)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await keep_judging(judging, on_progress)


async def keep_judging(judging: Judging, on_progress: Callable[[], None] = lambda: None) -> None:
    """Judge what comes to a journal before it is dropped, for ever; `on_progress` is called about each second."""
    sys.setswitchinterval(_SWITCH)
    while True:
        await asyncio.sleep(_LOOK)
        on_progress()
        if judging.is_due:
            await asyncio.to_thread(judging.judge, judging.pending())
