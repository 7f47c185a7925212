"""Writes the pages that are made from the protocol's data: `python tools/generate_docs.py [--check]`.

`--check` writes nothing, and exits with 1 if a page is not what the data would make of it. A further page is
a further entry in PAGES.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dungeonlab_spec import Catalogue, Requirement
from dungeonlab_spec.catalogue import resolve

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = "spec/protocol.md"
MEASURED = "docs/measured"  # written by tools/measure.py
NOTICE = "<!-- Made by tools/generate_docs.py; do not edit. -->"
AUDIENCES = {
    "room-except-sender": "the room, but for the connection that caused it",
    "sender-only": "the connection that caused it",
    "removed-connection": "the connection taken out",
    None: "nobody",
}
ORIGINS = (
    "Where it comes from: *seed*, the document the protocol grew out of ([line by line](seed-coverage.md));",
    "*derived*, what the seed means nothing without; *extension*, what was added to it.",
)


def events() -> str:
    """Return the page of events: what each carries, who hears it, how it is refused."""
    catalogue = Catalogue.load()
    rows = (
        (
            f"`{event.name}`" + (" (optional)" if event.optional else ""),
            {"both": "client and server"}.get(event.sender, event.sender),
            event.scope,
            _fields(event.request),
            _fields(event.ack, "data"),
            _fields(event.emission),
            AUDIENCES[event.audience],
            ", ".join(f"`{code}`" for code in event.refusals) or "-",
            event.origin,
        )
        for event in catalogue
    )
    head = (
        "Event", "Sent by", "Scope", "Request", "Acknowledged `data`", "Sent by the server", "Who hears it",
        "Refusals", "Origin",
    )  # fmt: skip
    return "\n".join(
        [
            NOTICE,
            "# Events",
            "",
            f"Protocol {catalogue.version}, over Socket.IO at `{catalogue.path}`. A question mark: the property",
            f"is optional. The rules behind this table are in [the protocol](../{PROTOCOL}).",
            "",
            *ORIGINS,
            "",
            *_table(head, rows),
            "",
            *_summaries(catalogue),
        ]
    )


def requirements() -> str:
    """Return the page of requirements, area by area."""
    catalogue = Catalogue.load()
    sections = _sections()
    areas: dict[str, list[Requirement]] = {}
    for requirement in catalogue.requirements.values():
        areas.setdefault(requirement.area, []).append(requirement)
    count = len(catalogue.requirements)
    untestable = sum(r.untestable is not None for r in catalogue.requirements.values())
    lines = [
        NOTICE,
        "# Requirements",
        "",
        f"{count} requirements of protocol {catalogue.version}; {untestable} of them are not judged by this",
        "suite, for the reason given. *Judged for* lists the events for which one is judged one by one.",
        "",
        *ORIGINS,
    ]
    for area, rows in areas.items():
        head = ("Id", "Level", "Section", "Requirement", "Source", "Judged for", "Since")
        lines += [
            "",
            f"## {area}",
            "",
            *_table(head, (_requirement(row, sections, catalogue) for row in rows)),
        ]
    return "\n".join([*lines, ""])


def readme() -> str:
    """Return the README with what was measured put between its markers: ``<!-- measured NAME -->``."""
    return re.sub(
        r"(<!-- measured ([a-z]+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}```\n{(ROOT / MEASURED / f'{found[2]}.txt').read_text('utf-8')}```\n{found[3]}",
        (ROOT / "README.md").read_text("utf-8"),
        flags=re.DOTALL,
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/events.md": events,
    "docs/requirements.md": requirements,
    "README.md": readme,
}


def _requirement(row: Requirement, sections: Mapping[str, str], catalogue: Catalogue) -> tuple[str, ...]:
    judged = [f"`{event.name}`" for event in catalogue.events_for(row) if event is not None]
    sentence = row.sentence + (f" *Not judged: {row.untestable}.*" if row.untestable else "")
    each = "once" if row.each is None else ", ".join(judged)
    return f"`{row.id}`", row.level, sections[row.section], sentence, row.source, each, row.since


def _summaries(catalogue: Catalogue) -> Iterable[str]:
    yield from ("## What each is for", "")
    yield from (f"- `{event.name}`: {event.summary}" for event in catalogue)
    yield ""


def _fields(reference: str | None, under: str | None = None) -> str:
    """Return the properties of a definition, or of one of its objects, in a phrase."""
    if reference is None:
        return "-"
    schema: Any = resolve(reference)[0]
    if under is not None:
        schema = schema["properties"][under]
    required = schema.get("required", ())
    return ", ".join(f"`{name}`" + ("" if name in required else "?") for name in schema["properties"])


def _sections() -> Mapping[str, str]:
    """Return a link to each section of the protocol by its number."""
    found = re.findall(r"^## ((\d+)\. .+)$", (ROOT / PROTOCOL).read_text("utf-8"), re.MULTILINE)
    return {number: f"[{number}](../{PROTOCOL}#{_anchor(title)})" for title, number in found}


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def stale(root: Path = ROOT) -> list[str]:
    """Return the pages under `root` that differ from what the data makes of them."""
    return [
        name
        for name, make in PAGES.items()
        if not (root / name).is_file() or (root / name).read_text("utf-8") != make()
    ]


def write(root: Path = ROOT) -> None:
    """Write every page under `root`."""
    for name, make in PAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(make(), "utf-8")


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` only compare them; return the exit code."""
    if arguments == ["--check"]:
        if names := stale():
            print(f"Out of date: {', '.join(names)}; run python tools/generate_docs.py.", file=sys.stderr)
            return 1
        return 0
    if arguments:
        print("usage: python tools/generate_docs.py [--check]", file=sys.stderr)
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
