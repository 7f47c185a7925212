"""A finding in words, the same in every report that is text."""

from __future__ import annotations

from collections.abc import Iterator

from dungeonlab_conformance.verdict import Finding, Verdict


def title(verdict: Verdict) -> str:
    """Return the requirement's id, with its event."""
    return f"{verdict.requirement} [{verdict.event}]" if verdict.event else verdict.requirement


def repeat(verdict: Verdict, target: str) -> str:
    """Return the command that judges exactly this verdict again."""
    event = f" --event {verdict.event}" if verdict.event else ""
    return f"dungeonlab-conformance run {target} --only {verdict.requirement}{event}"


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield expected, got and transcript, one line each."""
    where = f" at {finding.path}" if finding.path else ""
    yield f"expected{where}: {finding.expected}"
    yield f"got: {finding.got}"
    yield f"transcript of {finding.scene} (milliseconds, actor):"
    for line in finding.transcript:
        yield f"  {line.at:9.1f}  {line.actor} {line.act} {line.event} {line.body}".rstrip()
