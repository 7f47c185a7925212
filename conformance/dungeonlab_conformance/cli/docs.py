"""`docs`: the protocol's text and the guides, as installed with the suite. Needs no server and no network."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def docs(name: str | None) -> None:
    """Print the document NAME, such as protocol or target-file; without it, list what there is and where."""
    from dungeonlab_conformance.cli.documents import documents, folder, read, title

    if name is not None:
        try:
            click.echo(read(name), nl=False)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        return
    known = documents()
    width = max(map(len, known))
    for short, file in known.items():
        click.echo(f"{short:<{width}}  {title(file)}")
    click.echo(f"\nThese files, and the worked example, are in {folder()}")
