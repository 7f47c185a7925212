"""`docs`: the protocol's text and the guides, as installed with the suite. Needs no server and no network."""

from __future__ import annotations

from pathlib import Path

import click

from dungeonlab_conformance.text.documents import folder
from dungeonlab_conformance.text.spelling import did_you_mean


@click.command()
@click.argument("name", required=False)
def docs(name: str | None) -> None:
    """Print the document NAME, such as protocol or target-file; without it, list what there is and where."""
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


def documents() -> dict[str, Path]:
    """Return every document by its name: the file's, without the ending."""
    found = [folder() / "README.md", folder() / "spec" / "protocol.md", *sorted((folder() / "docs").glob("*.md"))]
    return {file.stem.lower(): file for file in found}


def read(name: str) -> str:
    """Return a document's text. Raises `ValueError` with one sentence if there is none of that name."""
    known = documents()
    file = known.get(name.lower().removesuffix(".md").rpartition("/")[2])
    if file is None:
        hint = did_you_mean(name, known, f"there is {', '.join(known)}")
        raise ValueError(f"there is no document {name!r}; {hint}")
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}); install the suite again") from None


def title(file: Path) -> str:
    """Return a document's first heading."""
    with file.open(encoding="utf-8") as lines:
        return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), file.stem)
