"""Writes pages, schemas and types that are made from the protocol's data: `python tools/generate_docs.py [--check]`.

`--check` writes nothing, and exits with 1 if a page is not what the data would make of it. A further page is
a further entry in PAGES.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dungeonlab_conformance.exports import json_schema, npm
from dungeonlab_conformance.exports.asyncapi import asyncapi
from dungeonlab_conformance.exports.python import python
from dungeonlab_conformance.exports.typescript import typescript
from dungeonlab_conformance.target import adapter
from dungeonlab_conformance.target.file.rules import RECIPES
from dungeonlab_conformance.target.file.schema import schema as target_schema
from dungeonlab_conformance.text.documents import PROTOCOL, anchors
from dungeonlab_conformance.text.files import to_json
from dungeonlab_spec import Catalogue, Requirement
from dungeonlab_spec.catalogue import resolve

ROOT = Path(__file__).resolve().parent.parent
SPEC = "spec/dungeonlab_spec"
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

TARGET_FILE = """\
`dungeonlab-target.toml` says where a server is, which accounts log in, and how game sessions are made on it. `run`
and `probe` read it from the working directory, or take `--target FILE`. A server with the HTTP API of the protocol's
section 16 needs no file: its URL is enough.

| Given | Judged |
|---|---|
| neither a URL nor `--target`, and the working directory has the file | the server of that file |
| neither, and there is no file | the bundled reference server, named as such; `--require-target` refuses it |
| `--target FILE` | the server of that file |
| a URL and `--target FILE` | the server at that URL, with everything else as the file says |
| a URL alone | the server at that URL, by section 16; a file in the working directory is **not used** |

In the last case a line on standard error says that the file is not used, since it may hold secrets of another server.
The same rules hold in pytest for `--dungeonlab-url` and `--dungeonlab-target`; `pytest dungeonlab-target.toml` names
the file, and makes every verdict a pytest item. An empty URL, such as that of a secret which is not set, is always
wrong usage.

`dungeonlab-conformance init` writes a file with an example of every section. `dungeonlab-conformance probe` tries
everything that a run needs, step by step, and says what to change. `dungeonlab-conformance export target-schema`
prints the JSON Schema of the file, for editors.

**Secrets.** In a text, `${NAME}` stands for an environment variable and `${NAME:-default}` for one that may be
missing; `$$` is one dollar. The suite replaces secrets by `***` in everything that it prints or writes: values from
the environment, passwords, cookies, and all that a login captures, if they have at least four characters. It also
hides `user:password@` in URLs, and headers whose name says that they hold a key. Scheme, host and port of
`server.url` stay readable.

**One check at a time.** Accounts of `[actors]` and ready-made sessions are used by one check at a time, so the checks
run one after the other. Where the suite makes its own accounts (`[register]`), many checks run side by side.

**What a run leaves behind.** Everything that a run makes carries the run's name, such as `conformance-3f9a1c` for a
session and `alice-3f9a1c-0` for an account. It is deleted at the end, also after Ctrl-C. What cannot be deleted is
listed apart from the verdicts, and does not count against the server.

**HTTP.** The suite follows no redirects, on any transport, so that no secret is sent to another host. It ignores the
proxies of the environment (`HTTP_PROXY`). It reads at most 4 MB of an answer. It keeps cookies as browsers do: it
sends each back unchanged, a newer value replaces an older one, and a cookie for another domain, or for a path that
does not cover the Socket.IO path, is not sent there. It sends secure cookies over plain HTTP too, as browsers do to
localhost. If the server limits requests (429, or 503 with `Retry-After`), the suite waits, up to 90 s for one
request, and then runs one check at a time. With `--wait SECONDS` it waits for a server that is starting.
"""
VARIABLES = """\
The texts of a request can name variables in braces. There are no expressions. `{actor}` is the role, `{run}` the name
of the run, `{user}` the server's id of the sender, `{member}` and `{member-name}` are the id and the username of the
user whom the request is about, and `{label}` is a name that the suite makes up for what is opened. Besides the
variables of the table, a request knows what earlier requests of its section captured. All sections but `[register]` and
`[login]` know what the login captured. Sections about a session know what `[session.open]` captured. The server's id of
an account, `user`, must be captured once: by `[register]`, by `[login]` or by `[whoami]`.
"""


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
    clients = sum(r.side == "client" for r in catalogue.requirements.values())
    lines = [
        NOTICE,
        "# Requirements",
        "",
        f"{count} requirements of protocol {catalogue.version}. {clients} of them, in the area `client`, are for",
        "clients, and the others for servers. *Judged for* lists the events for which one is judged one by one.",
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


def target_file() -> str:
    """Return the page of the target file: what may stand in it, section by section, from its schema."""
    schema = target_schema()
    sections = {name: _definition(section) for name, section in schema["properties"].items()}
    lines = [
        NOTICE,
        "# The target file",
        "",
        TARGET_FILE,
        "",
        "## Sections",
        "",
        *_table(("Section", "What it is for"), ((f"`{_head(n, s)}`", s["description"]) for n, s in sections.items())),
    ]
    for name, section in sections.items():
        lines += _target_section(name, section)
    request, actor = (schema["$defs"][name] for name in ("Request", "Actor"))
    lines += ["", "## A request", "", request["description"], "", *_keys(request), "", "## An account", ""]
    lines += [actor["description"], "", *_keys(actor), "", "## Variables", "", VARIABLES]
    rows = (
        (f"`[{name}]`", ", ".join(f"`{{{v}}}`" for v in known), f"`{must}`" if must else "")
        for name, (known, must) in RECIPES.items()
    )
    lines += [*_table(("Section", "Variables", "Must capture"), rows), "", *_adapter()]
    return "\n".join([*lines, ""])


def _definition(schema: Any) -> Any:
    """Return what a part of the target file's schema refers to, with its own description if it has one."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**target_schema()["$defs"][name], **schema} if name else schema


def _target_section(name: str, section: Any) -> Iterable[str]:
    """Yield a section with keys of its own, and those below it."""
    inner = _definition(section.get("items", section))
    if "properties" not in inner:
        return
    yield from ("", f"## `{_head(name, section)}`", "", section["description"], "", *_keys(inner))
    for key, below in ((key, _definition(below)) for key, below in inner["properties"].items()):
        if "properties" in below:
            yield from ("", f"### `[{name}.{key}]`", "", below["description"], "", *_keys(below))
        elif "propertyNames" in below and name == "dialect":
            names = ", ".join(f"`{each}`" for each in below["propertyNames"].get("enum", ()))
            keys = f"Its keys are {names}." if names else "Its keys are the server's own."
            yield from ("", f"### `[{name}.{key}]`", "", below["description"], "", keys)
            inner = _definition(below["additionalProperties"])
            yield from ("", *_keys(inner)) if "properties" in inner else ()


def _head(name: str, section: Any) -> str:
    if section.get("type") == "string":
        return name
    return f"[[{name}]]" if section.get("type") == "array" else f"[{name}]"


def _keys(schema: Any) -> Iterable[str]:
    required, keys = schema.get("required", ()), {key: _definition(what) for key, what in schema["properties"].items()}
    rows = (
        (f"`{key}`" + (" (required)" if key in required else ""), _value(what), _default(what), what["description"])
        for key, what in keys.items()
    )
    return _table(("Key", "Value", "Default", "Meaning"), rows)


def _value(schema: Any) -> str:
    """Name the kind of a value as TOML has it."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "oneOf" in schema:
        of_requests = "$ref" in schema["oneOf"][0]
        return "a [request](#a-request), or several" if of_requests else "number, or list"
    kinds = {"string": "text", "array": "list", "object": "table", "boolean": "`true` or `false`", "number": "number"}
    return kinds.get(schema.get("type", ""), "anything")


def _default(schema: Any) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _adapter() -> Iterable[str]:
    """Yield the adapter's interface as its docstrings have it."""
    yield from ("## An adapter", "", *(inspect.getdoc(adapter) or "").splitlines(), "")
    for name, method in vars(adapter.Adapter).items():
        if name.startswith("_"):
            continue
        arguments = ", ".join(list(inspect.signature(method).parameters)[1:])
        said = " ".join((inspect.getdoc(method) or "").split())
        kind = "async def" if inspect.iscoroutinefunction(method) else "def"
        yield f"- `{kind} {name}({arguments})`: {said}"


def readme() -> str:
    """Return the README with what was measured put between its markers: ``<!-- measured NAME -->``."""
    return re.sub(
        r"(<!-- measured ([a-z-]+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}```\n{(ROOT / MEASURED / f'{found[2]}.txt').read_text('utf-8')}```\n{found[3]}",
        (ROOT / "README.md").read_text("utf-8"),
        flags=re.DOTALL,
    )


def architecture() -> str:
    """Return ARCHITECTURE.md with the folders of the suite, each with the first line of its docstring."""
    suite = ROOT / "conformance" / "dungeonlab_conformance"
    packages = sorted(file for file in suite.rglob("__init__.py") if file.parent != suite)
    rows = ((f"`{file.parent.relative_to(suite)}/`", _claim(file)) for file in packages)
    table = "\n".join(_table(("Folder", "Holds"), rows))
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    return re.sub(
        r"(<!-- folders -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL
    )


def _claim(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`")


def fault_detection() -> str:
    """Return the matrix of requirements and faulty servers, read in both directions."""
    sys.path.append(str(ROOT))  # the faulty servers are tests, and not installed
    from tests.mutants.fault import all_faults

    catalogue, faults = Catalogue.load(), all_faults().values()
    demanded = [r for r in catalogue.requirements.values() if r.level != "MAY" and r.side == "server"]
    by = {r.id: [fault.name for fault in faults if r.id in fault.breaks] for r in demanded}
    head = ("Server", "Its fault", "Breaks", "May break besides")
    servers = (
        (
            f"`{fault.name}`",
            fault.claim,
            ", ".join(f"`{name}`" for name in sorted(fault.breaks)),
            "; ".join(f"`{name}`: {reason}" for name, reason in fault.also.items()) or "-",
        )
        for fault in faults
    )
    lines = [
        NOTICE,
        "# Fault detection",
        "",
        f"{len(faults)} faulty servers, each the reference server with one fault, show that the suite finds faults:",
        f"they break {sum(map(bool, by.values()))} of the {len(demanded)} requirements that are a MUST or a SHOULD and",
        "can be judged. The tests prove that the whole suite finds in each server just what is said here.",
        "",
        "## Requirements and the servers that break them",
        "",
        *_table(("Requirement", "Level", "Broken by"), (_broken_by(r, by[r.id]) for r in demanded)),
        "",
        "## The faulty servers",
        "",
        *_table(head, servers),
    ]
    return "\n".join([*lines, ""])


def _measured(page: str) -> str:
    """Return a page that says what faults were found when that was measured last."""
    sys.path.append(str(ROOT))  # the page is about tests, which are not installed
    from tools.fault_pages import CONTENTS

    found = json.loads((ROOT / MEASURED / f"{page}.json").read_text("utf-8"))
    return "\n".join([NOTICE, *CONTENTS[page](found, _table), ""])


def _broken_by(requirement: Requirement, names: Iterable[str]) -> tuple[str, ...]:
    return f"`{requirement.id}`", requirement.level, ", ".join(f"`{name}`" for name in names) or "nobody yet"


def schemas() -> Mapping[str, Callable[[], str]]:
    """Return the schema files by their paths, made of the definitions beside them."""
    return {f"{SPEC}/schemas/{name}": partial(to_json, schema) for name, schema in json_schema.files().items()}


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/events.md": events,
    "docs/requirements.md": requirements,
    "docs/target-file.md": target_file,
    "docs/fault-detection.md": fault_detection,
    "docs/fault-sets.md": partial(_measured, "fault-sets"),
    "docs/fault-plays.md": partial(_measured, "plays"),
    "docs/client-faults.md": partial(_measured, "client-faults"),
    "README.md": readme,
    "ARCHITECTURE.md": architecture,
    f"{SPEC}/asyncapi.json": lambda: to_json(asyncapi()),
    f"{SPEC}/messages.schema.json": lambda: to_json(json_schema.bundle()),
    **schemas(),
    "spec/npm/src/payloads.json": partial(to_json, npm.payloads()),
    "spec/npm/src/protocol.d.ts": typescript,
    "tests/conformance/exports/uses/protocol.py": python,
}


def _requirement(row: Requirement, sections: Mapping[str, str], catalogue: Catalogue) -> tuple[str, ...]:
    judged = [f"`{event.name}`" for event in catalogue.events_for(row) if event is not None]
    each = "once" if row.each is None else ", ".join(judged)
    each += f", with `--{row.part}`" if row.part else ""
    return f"`{row.id}`", row.level, sections[row.section], row.sentence, row.source, each, row.since


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
    found = anchors((ROOT / PROTOCOL).read_text("utf-8"))
    return {number: f"[{number}](../{PROTOCOL}#{anchor})" for number, anchor in found.items()}


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
