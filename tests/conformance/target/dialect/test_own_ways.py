"""A server that differs from the protocol in all that a target file can say is judged by its file, without Python."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
from tests.conformance.target.file.servers import command
from tests.false_alarms.link import Link, Network
from tests.other_stacks.judge import is_required, served, why_not

from dungeonlab_spec import Catalogue

FILE = Path(__file__).resolve().parents[3] / "other_stacks" / "own_ways.toml"
REQUESTS = [event.name for event in Catalogue.load().requests()]
BROADCASTS = [event.name for event in Catalogue.load() if event.is_broadcast]
TOKENS = [name for name in BROADCASTS if name.startswith("token:")]
OTHERS = [name for name in REQUESTS if name not in TOKENS]

ANSWERS = ("acks/every-token-operation-answers", "acks/every-other-request-answers")

Key = tuple[str, str | None]
BROKEN: set[Key] = {
    # names
    *(("acks/every-token-operation-answers", event) for event in TOKENS),  # which events answer besides
    *(("acks/every-other-request-answers", event) for event in OTHERS),
    *(("rooms/every-other-member-hears-once", event) for event in BROADCASTS),
    *(("acks/failure-without-callback-emits-error", event) for event in REQUESTS),
    # arguments and properties
    ("payloads/extra-arguments", "join-session"),
    ("payloads/extra-arguments", "chat-message"),
    ("payloads/text", "leave-session"),
    ("payloads/valid-accepted", "token:create"),
    *(("acks/failure-shape", event) for event in OTHERS if event != "join-session"),  # and codes
    *(("broadcasts/valid-payload", event) for event in BROADCASTS),
    ("broadcasts/server-events-valid", None),
    # the answer comes without a callback as well
    *(("rooms/sender-hears-nothing", event) for event in TOKENS),
    # membership
    ("join/outsider-refused", None),
}
# Where nobody is refused, what a refusal leaves behind cannot be seen, nor whether a false claim makes a difference.
OUT_OF_REACH: set[Key] = {
    ("join/refused-join-subscribes-nothing", None),
    ("join/refused-join-enrols-nobody", None),
    ("join/failed-switch-changes-nothing", None),
    ("join/removed-member-refused", None),
    ("acks/code-names-the-cause", "join-session"),
    *(
        ("auth/identity-comes-from-the-cookie", event)
        for event in REQUESTS
        if event not in ("join-session", "leave-session", "get-user-data")
    ),
}
# What cannot be said in the dialect.
SKIPPED: set[Key] = {
    ("auth/identity-comes-from-the-cookie", "leave-session"),
    *(("payloads/very-deep", event) for event in ("join-session", "leave-session")),
    *(("payloads/unknown-properties-ignored", event) for event in ("join-session", "leave-session")),
}


def known(rows: set[Key]) -> Iterator[str]:
    for requirement, event in sorted(rows, key=str):
        about = f'event = "{event}"\n' if event else ""
        yield f'[[known]]\nid = "{requirement}"\n{about}reason = "Its own ways."\n'


@contextmanager
def before(port: int) -> Iterator[int]:
    """Put a network before a port on which some connections are slower than others; yields the port at its far end.

    An event that answers one connection reaches others before that, or after it.
    """
    opened, done = Queue[int](), Event()
    thread = Thread(target=lambda: asyncio.run(_open(port, opened, done)))
    thread.start()
    try:
        yield opened.get(timeout=60)
    finally:
        done.set()
        thread.join()


async def _open(port: int, opened: Queue[int], done: Event) -> None:
    opened.put(await Network(Link(jitter=0.005)).before(port))
    await asyncio.to_thread(done.wait)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on the peer in which its failures are known, and which succeeds."""
    missing = why_not()
    if missing and not is_required():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("own-ways")
    (folder / "dungeonlab-target.toml").write_text(FILE.read_text("utf-8"), "utf-8")
    (folder / "known-failures.toml").write_text("\n".join(known(BROKEN | OUT_OF_REACH)), "utf-8")
    words = ("run", "--json", "r.json", "--known-failures", "known-failures.toml")
    with served("own_ways.mjs") as url, before(int(url.rpartition(":")[2])) as port:
        ran = command(*words, folder=folder, PEER_URL=f"http://127.0.0.1:{port}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def verdicts(folder: Path) -> list[dict[str, Any]]:
    """Return the verdicts of that run."""
    found: list[dict[str, Any]] = json.loads((folder / "r.json").read_text("utf-8"))["verdicts"]
    return found


def test_it_breaks_its_deviations_and_nothing_else(verdicts: list[dict[str, Any]]) -> None:
    """Whatever it does not do otherwise holds, or is said to be out of reach."""
    found: dict[str, set[Key]] = defaultdict(set)
    for row in verdicts:
        found[row["outcome"]].add((row["requirement"], row["event"]))
    assert found["fail"] == BROKEN
    assert found["unjudged"] == OUT_OF_REACH
    assert found["skipped"] == SKIPPED
    assert found.keys() == {"fail", "unjudged", "skipped", "pass", "note"}
    assert len(found["pass"]) > 380


def test_each_deviation_is_reported_once(verdicts: list[dict[str, Any]]) -> None:
    """With what it is called, how it is answered or what stands in its place; an echo is none that a file says."""
    for row in verdicts:
        got = [finding["got"] for finding in row["findings"]]
        if row["requirement"] in ANSWERS and row["event"] in (*TOKENS, "join-session"):
            assert len(got) == 2, row
            assert got[1].startswith(("an event is the answer: token", "an event is the answer: sessionJoined"))
        elif row["requirement"] != "rooms/sender-hears-nothing":
            assert len(got) <= 1, row
    said = {finding["got"] for row in verdicts for finding in row["findings"]}
    assert {"joinSession", "chatMessage", "createToken", "tokenCreated", "encounter:error"} <= said


def test_its_verdicts_follow_from_what_was_recorded(folder: Path) -> None:
    """The dialect is in the recording, and each difference of it is found again."""
    done = command("recheck", "r.json", folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "broken by what was recorded: 0" not in done.stdout
