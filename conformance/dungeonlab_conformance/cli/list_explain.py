"""`list` and `explain`: what is demanded, and how it is judged. Needs no server."""

from __future__ import annotations

import click

from dungeonlab_conformance.cli.options.selection import refuse_vain, selecting


@click.command("list")
@selecting
def list_(
    only: tuple[str, ...],
    without: tuple[str, ...],
    events: tuple[str, ...],
    levels: tuple[str, ...],
    protocol_version: str | None,
) -> None:
    """List the requirements, with level, events and the checks that judge them."""
    from dungeonlab_conformance.runner.selection import Selection
    from dungeonlab_spec import Catalogue
    from dungeonlab_spec.catalogue import PARTS

    catalogue, judges = Catalogue.load(), _judges()
    selection = Selection(only, without, events, tuple(level.upper() for level in levels), protocol_version, PARTS)
    everything = catalogue.requirements.values()
    pairs = [(requirement, event) for requirement in everything for event in catalogue.events_for(requirement)]
    refuse_vain(selection, pairs, "requirement")
    for requirement in everything:
        names = [e.name if e else "" for e in catalogue.events_for(requirement) if selection.takes(requirement, e)]
        if not names:
            continue
        click.echo(f"{requirement.level:<6} {requirement.id}")
        click.echo(f"       {requirement.sentence}")
        if any(names):
            click.echo(f"       for each of {', '.join(names)}")
        click.echo(f"       {', '.join(judges.get(requirement.id, [])) or requirement.untestable}")


@click.command()
@click.argument("requirement_id", metavar="ID")
def explain(requirement_id: str) -> None:
    """Explain one requirement: what it says, where it comes from, how it is checked, what usually goes wrong."""
    from dungeonlab_conformance.checks.registry import all_checks
    from dungeonlab_conformance.text.spelling import did_you_mean
    from dungeonlab_spec import Catalogue

    catalogue = Catalogue.load()
    requirement = catalogue.requirements.get(requirement_id)
    if requirement is None:
        hint = did_you_mean(requirement_id, catalogue.requirements)
        raise click.UsageError(f"there is no requirement {requirement_id!r}; {hint}")
    events = [event.name for event in catalogue.events_for(requirement) if event]
    click.echo(f"{requirement.id}  ({requirement.level}, since protocol {requirement.since})\n")
    click.echo(f"  {requirement.sentence}\n")
    click.echo(f"section   {requirement.section} of the protocol: dungeonlab-conformance docs protocol")
    click.echo(f"source    {requirement.source}")
    if events:
        click.echo(f"events    {', '.join(events)}")
    if requirement.untestable:
        click.echo(f"untested  {requirement.untestable}")
    for check in all_checks():
        if requirement.id in check.requirements:
            click.echo(f"checked   {check.name}: {check.claim}")
    click.echo(f"usually   {requirement.hint}")


def _judges() -> dict[str, list[str]]:
    from dungeonlab_conformance.checks.registry import all_checks

    found: dict[str, list[str]] = {}
    for check in all_checks():
        for requirement in check.requirements:
            found.setdefault(requirement, []).append(check.name)
    return found
