"""All rules, applied to what was seen: what became of each requirement for clients, as judgements and as verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dungeonlab_conformance.client_rules.index import PacketIndex
from dungeonlab_conformance.client_rules.registry import Breaks, Holds, Rule, Unclear, all_rules
from dungeonlab_conformance.client_rules.transcript import finding
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.packet import TappedPacket
from dungeonlab_conformance.results.verdict import Outcome, Verdict
from dungeonlab_spec import Catalogue

FINDINGS = 3  # that are kept of one requirement, as of a server's

_EXITED = DirectorAct.EXITED
State = Literal["held", "broken", "not seen"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one requirement.

    `packet` is the one that showed it first: it held, or it was broken. `reason` says of what was not seen what to let
    a client do. `breaks` are the first few ways in which it was broken, of `times` in all.
    """

    requirement: str
    state: State
    rule: Rule
    packet: TappedPacket | None = None
    reason: str = ""
    breaks: tuple[Breaks, ...] = ()
    times: int = 0


def judgements(packets: Iterable[TappedPacket], version: str | None = None) -> list[Judgement]:
    """Judge what clients kept and broke, for each requirement of a version of the protocol, in the catalogue's order.

    `packets` are a journal, or a part of it without gaps, of any number of clients. Raises nothing, whatever they hold.
    """
    index = PacketIndex(packets)
    rules = {rule.requirement: rule for rule in all_rules()}
    wanted = (r for r in Catalogue.load().requirements.values() if r.side == "client" and r.id in rules)
    return [_judged(rules[r.id], index) for r in wanted if version is None or r.holds_in(version)]


def judge_clients(packets: Sequence[TappedPacket], version: str | None = None) -> list[Verdict]:
    """Return a verdict for each requirement for clients, with the packets around what broke it; as `judgements`."""
    return [_verdict(judgement, packets) for judgement in judgements(packets, version)]


def caveat(packets: Iterable[TappedPacket], verdicts: Iterable[Verdict]) -> str:
    """Say in which acts a program ended with an error, or froze, that no finding is about; nothing if in none."""
    found = [finding for verdict in verdicts for finding in verdict.findings if finding.convicting is not None]
    shown = [(each.event, each.transcript[each.convicting or 0].event) for each in found]
    act, said = "", {_EXITED: dict[str, None](), DirectorAct.FROZE: dict[str, None]()}
    for packet in (each for each in packets if each.kind == "act"):
        if packet.event == DirectorAct.BEGIN:
            act = packet.text
            continue
        explained = any(event == act and end.startswith(packet.event) for event, end in shown)
        if packet.event in said and packet.text != "0" and not explained:
            said[DirectorAct(packet.event)][act] = None
    ends = (("ended with an error", said[_EXITED]), ("froze", said[DirectorAct.FROZE]))
    where = [f"{what} in {', '.join(filter(None, acts)) or 'the recording'}" for what, acts in ends if acts]
    return f"its program {', and '.join(where)}" if where else ""


def _judged(rule: Rule, index: PacketIndex) -> Judgement:
    held: TappedPacket | None = None
    why = ""
    broken: list[Breaks] = []
    times = 0
    for evidence in rule.judge(index):
        match evidence:
            case Breaks():
                times += 1
                if len(broken) < FINDINGS:
                    broken.append(evidence)
            case Holds(packet):
                held = held or packet
            case Unclear(reason):
                why = why or reason
    if broken:
        return Judgement(rule.requirement, "broken", rule, broken[0].packets[-1], "", tuple(broken), times)
    if held is not None:
        return Judgement(rule.requirement, "held", rule, held)
    return Judgement(rule.requirement, "not seen", rule, None, why or f"not seen: {rule.to_see}")


def _verdict(judgement: Judgement, packets: Sequence[TappedPacket]) -> Verdict:
    level = Catalogue.load().requirements[judgement.requirement].level
    outcome = Outcome.PASS if judgement.state == "held" else Outcome.UNJUDGED
    name = judgement.rule.name
    verdict = Verdict(judgement.requirement, None, level, outcome, judgement.reason, check=name)
    for breaks in judgement.breaks:
        verdict.convict(finding(breaks, packets, name, judgement.requirement))
    return verdict
