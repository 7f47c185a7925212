"""What usually is behind a finding: where its author looks first. By the kind of finding, else by the requirement."""

from __future__ import annotations

import json

from dungeonlab_conformance.report.content.grouping import requirement_of
from dungeonlab_conformance.results.verdict import Finding, Verdict
from dungeonlab_spec.validation import EXTRA, MISSING

_MISSING = "The property is undefined, which JSON leaves out."
_MISNAMED = "The property goes by another name; names are those of the schema, letter by letter."
_EXTRA = "The record is sent as it is stored, with properties that only the server needs."
_UNANSWERED = "The handler ends without calling its callback here, or an exception ends it before."
_REFUSED = "A rule of the server's own is stricter than the protocol; the answer says which."
_ABOUT_REFUSALS = ("-accepted", "-admitted", "-allowed", "-reached")  # how ids end whose hints say why one is refused
_OWN_HINTS = ("tokens/defaults-filled", "direct/no-secrets", "payloads/unknown-properties-ignored")


def usual_cause(verdict: Verdict) -> str:
    """Return what usually is behind the first finding of a verdict; what breaks its requirement where it has none."""
    generic = requirement_of(verdict.requirement).hint
    return (_by_kind(verdict.requirement, verdict.findings[0]) if verdict.findings else None) or generic


def _by_kind(requirement: str, finding: Finding) -> str | None:
    """Return what is behind a finding of its kind; None where that says less than the requirement's own hint."""
    if requirement not in _OWN_HINTS:
        if finding.got.startswith(MISSING) and finding.path:
            return _MISNAMED if finding.got != MISSING else _MISSING
        if finding.expected == EXTRA:
            return _EXTRA
    if _is_unanswered(finding) and not requirement.startswith("acks/"):
        return _UNANSWERED
    return _REFUSED if _is_refused(finding) and not requirement.endswith(_ABOUT_REFUSALS) else None


def _is_unanswered(finding: Finding) -> bool:
    """Whether what was sent had no answer by the time that the fault was found, and nothing that came convicts."""
    sent = finding.sent
    return (
        sent is not None
        and sent.act == "sends"
        and sent.connection != 0  # bare frames are not answered as such
        and finding.convicting is None
        and not any(
            line.act == "is answered" and (line.connection, line.event) == (sent.connection, sent.event)
            for line in finding.transcript
            if line.at >= sent.at
        )
    )


def _is_refused(finding: Finding) -> bool:
    """Whether a refusal convicts as a whole: an acceptance was due."""
    place = finding.convicting
    if place is None or place >= len(finding.transcript) or finding.path:
        return False
    line = finding.transcript[place]
    if line.act != "is answered":
        return False
    try:
        answer = json.loads(line.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("success") is False
