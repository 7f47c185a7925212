"""`list` and `explain`: what is demanded of servers and of clients, and how it is judged. Needs neither."""

from __future__ import annotations

import click

from dungeonlab_conformance.cli.options.selection import refuse_vain, selecting


@click.command("list")
@click.option("side", "--for", type=click.Choice(["server", "client"]), help="Only what is demanded of these.")
@selecting
def list_(
    side: str | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    events: tuple[str, ...],
    levels: tuple[str, ...],
    protocol_version: str | None,
) -> None:
    """List the requirements, with level, events and the checks and rules that judge them."""
    from dungeonlab_conformance.runner.selection import Selection
    from dungeonlab_spec import Catalogue
    from dungeonlab_spec.catalogue import PARTS

    catalogue, judges = Catalogue.load(), _judges()
    selection = Selection(only, without, events, tuple(level.upper() for level in levels), protocol_version, PARTS)
    everything = [row for row in catalogue.requirements.values() if side in (None, row.side)]
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
        click.echo(f"       {', '.join(judges[requirement.id])}")


@click.command()
@click.argument("requirement_id", metavar="ID")
def explain(requirement_id: str) -> None:
    """Explain one requirement: what it says, where it comes from, how it is checked, what usually goes wrong."""
    from dungeonlab_conformance.checks.registry import all_checks
    from dungeonlab_conformance.client_rules.registry import all_rules
    from dungeonlab_conformance.results.run import JUDGED_BY
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
    if requirement.side == "client":
        click.echo(f"for       {JUDGED_BY['client'].removeprefix('for ')}")
    for check in all_checks():
        if requirement.id in check.requirements:
            click.echo(f"checked   {check.name}: {check.claim}")
    for rule in all_rules():
        if requirement.id == rule.requirement:
            click.echo(f"checked   {rule.name}: {rule.claim}")
            click.echo(f"to see    {rule.to_see}")
    click.echo(f"usually   {requirement.hint}")


def _judges() -> dict[str, list[str]]:
    from dungeonlab_conformance.checks.registry import all_checks
    from dungeonlab_conformance.client_rules.registry import all_rules

    found = {rule.requirement: [rule.name] for rule in all_rules()}
    for check in all_checks():
        for requirement in check.requirements:
            found.setdefault(requirement, []).append(check.name)
    return found
