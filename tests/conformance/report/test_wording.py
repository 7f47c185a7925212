"""Words that all reports share: the command that repeats a failure, and text made fit to be shown."""

from __future__ import annotations

import shlex
import tracemalloc
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.arbitrary import VALUES, quickly
from tests.conformance.report.runs import ECHO, NASTY, failing, played_run

from dungeonlab_conformance.record.arguments import LONGEST, LONGEST_NAME, Arguments, arguments, body, leaves, name
from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.report.content.wording import acts_lines, finding_lines, repeat, spoken
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Finding, scene_name
from dungeonlab_conformance.runner.selection import Selection, in_vain, judgeable, scenes
from dungeonlab_conformance.text.printable import one_line, printable, shortened
from dungeonlab_spec import Catalogue
from dungeonlab_spec.catalogue import PARTS


def selected(command: str) -> dict[str, set[str]]:
    """Return what a command would judge, by scene."""
    words = shlex.split(command)
    only = tuple(words[i + 1] for i, word in enumerate(words) if word == "--only")
    events = tuple(words[i + 1] for i, word in enumerate(words) if word == "--event")
    found = scenes(Selection(only=only, events=events), Catalogue.load())
    return {scene.name: set(scene.wanted) for scene in found}


def test_a_failure_is_repeated_by_its_id_and_event() -> None:
    """Nothing else is judged again."""
    verdict = failing(ECHO, "token:move")
    command = repeat(verdict, Run("url", options=RunOptions(url="url", transport="polling")))
    assert command == f"dungeonlab-conformance run url --transport polling --only {ECHO} --event token:move"
    assert selected(command) == {"the_sender_hears_nothing[token:move]": {ECHO}}


@pytest.mark.parametrize(
    ("requirement", "event", "found"),
    [
        ("broadcasts/valid-payload", "token:create", ("the_sender_hears_nothing", "token:move", (ECHO,))),
        ("broadcasts/valid-payload", "token:move", ("an_outsider_is_not_admitted", None, ("join/outsider-refused",))),
        ("names/kebab-case", None, ("the_sender_hears_nothing", "token:move", (ECHO,))),
        ("names/kebab-case", None, ("an_outsider_is_not_admitted", None, ("join/outsider-refused",))),
    ],
)
def test_what_was_seen_in_another_scene_is_repeated_with_that_scene(
    requirement: str, event: str | None, found: tuple[str, str | None, tuple[str, ...]]
) -> None:
    """An invariant convicts wherever it looks; its own scene alone might never show it again."""
    check, played_for, judges = found
    seen = Finding("a", "b", check=check, event=played_for, requirements=judges)
    again = selected(repeat(failing(requirement, event, seen), Run("url")))
    assert scene_name(check, played_for) in again
    assert requirement in set().union(*again.values())


def test_a_scene_of_which_nothing_is_known_is_no_error() -> None:
    """A result of an earlier version may not say what else its scenes judged."""
    verdict = failing(ECHO, "token:move", Finding("a", "b", check="long_gone", event="token:move"))
    assert repeat(verdict, Run("url")).endswith(f"--only {ECHO} --event token:move")


def test_a_command_is_safe_to_paste() -> None:
    """What a hostile result puts into it stays one word of the shell."""
    verdict = failing(ECHO, NASTY)
    assert shlex.split(repeat(verdict, Run("url")))[-1] == NASTY


def test_a_finding_reads_line_by_line() -> None:
    """What was sent, what was expected and where, what came, then who did what; an arrow leads to what convicts."""
    lines = (
        TranscriptLine(1.5, "alice", "sends", "chat-message", '{"a": 1}'),
        TranscriptLine(2.5, "alice", "hears", "chat-message", '{"a": 1}'),
    )
    finding = Finding("silence", "an echo", "$.code", "scene", transcript=lines, convicting=1, sent=lines[0])
    assert list(finding_lines(finding)) == [
        'sent: chat-message {"a": 1}',
        "expected at $.code: silence",
        "got: an echo",
        "transcript of scene (milliseconds, actor):",
        '        1.5  alice sends chat-message {"a": 1}',
        '  ►     2.5  alice hears chat-message {"a": 1}',
    ]
    assert failing(ECHO, "token:move").title == f"{ECHO} [token:move]"
    assert spoken(lines[0], 4) == 'alice sends chat-message {"a…'


def test_what_a_play_shows_begins_with_its_acts() -> None:
    """The last twenty, with their numbers, and how many come before them; then how often it was seen."""
    [finding] = played_run().verdicts[0].findings
    opening, *acts, often, expected = list(finding_lines(finding))[:23]
    assert (opening, often, expected) == ("… 4 earlier acts", "seen 10 of 10 times", "expected: nothing")
    assert (acts[0], acts[-1]) == ("  5  alice chat-message in here, 5", " 24  alice chat-message in here, 24")
    assert len(acts) == 20
    assert [line.split()[0] for line in acts_lines(finding, None)] == [str(number) for number in range(1, 25)]


def test_nothing_invisible_is_left() -> None:
    """Controls, marks that reorder a line and lone surrogates are shown as what they are."""
    shown = printable("".join(map(chr, range(0x3000))) + "\ud800\ufeff")
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left <= {"\n", "\t", *map(chr, (0xAD, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x180E))}
    assert one_line("a\n\tb\x7f\u202e") == "a␊␉b␡U+202E"
    assert (shortened("abcdef", 4), shortened("abcd", 4)) == ("abc…", "abcd")


@pytest.mark.parametrize(
    "args",
    [(), ({},), (None,), ("a", 1, [2.5, True]), ("\ud800 and \U0001f409",), (b"\x00\xff",), ({"deep": [b"x"]},)],
)
def test_arguments_can_be_read_back(args: tuple[object, ...]) -> None:
    """What a transcript keeps is what was sent, bytes and lone surrogates too."""
    text, cut = body(args)
    assert (arguments(text), cut) == (list(args), False)
    text.encode()


def test_arguments_that_are_too_long_say_so() -> None:
    """What is cut is marked, and so is what JSON cannot hold."""
    text, cut = body(("x" * 100_000,))
    assert cut
    assert len(text) < 70_000
    assert body((object(),)) == ('"(object)"', True)


def test_arguments_read_as_json_in_a_message() -> None:
    """A finding shows what a server sent as it was sent, not as Python writes it."""
    assert f"{Arguments(({'success': True}, None))}" == '{"success": true}, null'
    assert f"{Arguments()}" == "no argument"


@quickly(150)
@given(st.lists(VALUES, max_size=3), st.sampled_from([0, 1, 100, LONGEST]))
def test_any_arguments_have_a_text(args: list[object], longest: int) -> None:
    """Whatever a server sent, however deep or long: text that a file can hold, bounded, and JSON if nothing is cut."""
    text, cut = body(args, longest=longest)
    text.encode()
    assert len(text) <= longest + 1
    assert f"{Arguments(args)}"
    assert len(name(args)) <= LONGEST_NAME + 1
    if not cut:
        arguments(text)


def test_a_huge_payload_costs_no_more_than_what_is_kept() -> None:
    """Of 200 MB of text, of ten million items and of 100,000 levels a page at most is copied."""
    text: str = "x" * 200_000_000
    levels: list[Any] = []
    for _ in range(100_000):
        levels = [levels]
    items = [0] * 10_000_000
    tracemalloc.start()
    try:
        kept = [body((value,), longest=1000) for value in (text, items, levels, {"a": items, "b": text})]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
        while levels:  # one by one, or Python itself would recurse
            levels = levels[0]
    assert all(cut for _, cut in kept)


def test_of_a_huge_payload_no_more_than_a_million_values_is_looked_through() -> None:
    """A mark in a message that no protocol needs is not worth all of the memory."""
    assert len(Arguments(([0] * 3_000_000,)).numbers) == 1
    assert sum(1 for _ in leaves([0] * 3_000_000)) < 1 << 20


def test_every_printed_command_selects_with_every_word_of_it() -> None:
    """A finding may be on any requirement, in any scene: the command that repeats it is never refused."""
    catalogue = Catalogue.load()
    offered = judgeable(catalogue)
    kinds = {(r.each, r.part): (r.id, event.name if event else None) for r, event in offered}
    for scene in {s.check.name: s for s in scenes(Selection(parts=PARTS), catalogue)}.values():  # its last event
        for requirement, event in kinds.values():
            played_for = scene.event.name if scene.event else None
            seen = Finding("a", "b", None, scene.check.name, played_for, tuple(sorted(scene.wanted)))
            words = shlex.split(repeat(failing(requirement, event, seen), Run("url")))
            only = tuple(words[i + 1] for i, word in enumerate(words) if word == "--only")
            events = tuple(words[i + 1] for i, word in enumerate(words) if word == "--event")
            assert not in_vain(Selection(only=only, events=events, parts=PARTS), catalogue, offered), words
