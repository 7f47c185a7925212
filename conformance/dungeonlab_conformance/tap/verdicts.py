"""What became of the requirements that a tap can judge: of clients by the rules for them, of the server by invariants.

A tap may run for hours, and remembers the newest packets only. So they are judged whenever there are many new ones,
together with those before them; what was broken once stays broken, and what was seen to hold stays seen.

A server that does what a director says is not judged.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dungeonlab_conformance.client_rules.judgement import caveat, judge_clients
from dungeonlab_conformance.client_rules.registry import Breaks
from dungeonlab_conformance.client_rules.transcript import finding
from dungeonlab_conformance.invariants.tapped.breaches import tapped_breaches
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.record.tapped.side_by_side import JournalOfActs
from dungeonlab_conformance.results.claim import conclude
from dungeonlab_conformance.results.run import Run, RunOptions
from dungeonlab_conformance.results.verdict import Outcome, Verdict, VerdictKey
from dungeonlab_conformance.text.printable import shortened
from dungeonlab_spec import Catalogue

MOST = 20_000  # packets that are judged at a time, which takes about four seconds, a quarter of them once more
_FINDINGS = 5  # of one verdict
_CAVEAT = 300  # characters
_RANK = {Outcome.UNJUDGED: 0, Outcome.PASS: 1}  # all others are graver


def judge_server(packets: Sequence[TappedPacket]) -> list[Verdict]:
    """Return a verdict for each requirement that a server broke, for each event; of what held, nothing is known."""
    found: dict[VerdictKey, Verdict] = {}
    for breach in tapped_breaches(packets):
        key = VerdictKey(breach.requirement, breach.event)
        if key not in found:
            level = Catalogue.load().requirements[key.requirement].level
            found[key] = Verdict(key.requirement, key.event, level, Outcome.UNJUDGED, check="tap")
        if len(found[key].findings) < _FINDINGS:
            breaks = Breaks(breach.broken.expected, breach.broken.got, breach.packets, breach.broken.path)
            found[key].convict(finding(breaks, packets, "tap", breach.requirement))
    return list(found.values())


class Judging:
    """Judges what stands in a journal, again and again. `verdicts` are those on clients, and what servers broke."""

    def __init__(self, journal: TapJournal, most: int = MOST) -> None:
        self.seen: Counter[str] = Counter()  # packets, by their sender and kind
        self._journal, self._most = journal, most
        self._new = self._new_text = 0  # packets, and characters in them
        self._last = 0.0
        self._known: dict[VerdictKey, Verdict] = {}
        self._turn = threading.Lock()  # what judges in a thread may still do so when the rest is judged
        journal.listeners.append(self._count)

    @property
    def verdicts(self) -> list[Verdict]:
        """What became of each requirement, as far as was judged."""
        return list(self._known.values())

    @property
    def is_due(self) -> bool:
        """Whether there are so many new packets that some might soon be dropped before they were judged."""
        journal = self._journal
        if isinstance(journal, JournalOfActs):
            return False  # they are judged together, when all are over
        is_much = 4 * self._new >= 3 * self._most or 2 * self._new >= journal.most
        return is_much or 2 * self._new_text >= journal.most_text

    def pending(self) -> tuple[TappedPacket, ...]:
        """Return what is to be judged now; what comes from now on is new."""
        if isinstance(self._journal, JournalOfActs):
            return tuple(self._journal.in_a_row())
        packets, wanted = self._journal.packets, max(self._most, self._new + self._most // 4)
        self._new = self._new_text = 0
        return tuple(itertools.islice(packets, max(0, len(packets) - wanted), None))

    def judge(self, packets: Sequence[TappedPacket]) -> None:
        """Judge packets that were pending; may be called in a thread of its own."""
        of_server = () if self._journal.directed else judge_server(packets)
        found = (*judge_clients(packets), *of_server)
        with self._turn:
            for verdict in found:
                before = self._known.get(verdict.key)
                if before is None or _rank(verdict) > _rank(before):
                    self._known[verdict.key] = verdict

    def fill(self, run: Run) -> None:
        """Judge the rest, and write what was found into a run."""
        self.judge(self.pending())
        run.verdicts, run.seconds = self.verdicts, run.seconds or self._last
        run.notes += self._notes()

    def _notes(self) -> Iterator[str]:
        seen = self.seen
        yield (
            f"connections seen: {seen['client handshake']}; messages of clients: {seen['client event']}; answers to "
            f"them: {seen['server ack']}; other events of the server: {seen['server event']}"
        )
        if unread := seen["client unreadable"] + seen["server unreadable"]:
            yield f"directions of connections that were carried, and not read to their end: {unread}"
        if attempts := seen["client attempt"]:
            yield f"connections that the server, or the tap, did not accept: {attempts}"

    def _count(self, packet: TappedPacket) -> None:
        self._new += 1
        self._new_text += len(packet.text)
        self._last = packet.at
        self.seen[f"{packet.sender} {packet.kind}"] += 1


def _rank(verdict: Verdict) -> int:
    return _RANK.get(verdict.outcome, 2)


def run_of(subject: str, words: Sequence[str]) -> Run:
    """Return the run that judges the clients of a server, by this command line."""
    return Run(f"the clients of {subject}", scenes=1, options=RunOptions(clients=tuple(words)), side="client")


def judged(subject: str, packets: Iterable[TappedPacket], words: Sequence[str], *, directed: bool = False) -> Run:
    """Return what became of a recording; `directed` as in a journal."""
    coming = iter(packets)
    opening = next(coming, None)
    of_acts = opening is not None and opening.act > 0
    journal = JournalOfActs() if of_acts else TapJournal(directed=directed)
    judging, run = Judging(journal), run_of(subject, words)
    for packet in itertools.chain((opening,) if opening else (), coming):
        journal.keep(packet)
        if judging.is_due:
            judging.judge(judging.pending())
    judging.fill(run)
    run.caveat = shortened(caveat(judging.pending(), run.verdicts), _CAVEAT)
    return conclude(run)
