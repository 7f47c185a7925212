"""The file of a reproduction: what it is about, the play, and below that what it stands on."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files as resources
from typing import Any

from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.reproduction.languages import LANGUAGES, Language
from dungeonlab_conformance.runner.reproduction.plan import plan, variables
from dungeonlab_conformance.runner.reproduction.script import statements
from dungeonlab_conformance.runner.reproduction.statements import (
    Answers,
    Arranges,
    Connects,
    Decides,
    Ends,
    Enrols,
    Hears,
    Irreproducible,
    Learns,
    Marks,
    Sends,
    Statement,
    Variable,
)
from dungeonlab_conformance.target.target import Target
from dungeonlab_conformance.text.printable import one_line, shortened

_COPIED = "-- copied from here on"
_LONGEST = 400  # characters of what was expected or got, in a comment
NEEDS = {
    "python": 'pip install "python-socketio[asyncio_client]"',
    "javascript": "npm install socket.io-client",
}
RUNS = {"python": "python", "javascript": "node"}


def reproduction(
    title: str, finding: Finding, target: Target, language: str, file: str, *, at_once: bool = False
) -> str:
    """Return the text of a file that shows a finding by itself. Raises `Irreproducible`.

    `target` is one in which `${NAME}` stands for what its file takes from the environment. `file` is how the command
    that runs the result is to name it, `at_once` as for replaying.
    """
    played = joined(statements(finding, target.dialect, at_once=at_once))
    played = [_usual(step, target.transport) for step in played]
    server = {"what": one_line(title), "expected": one_line(shortened(finding.expected, _LONGEST))}
    server |= plan(target, finding, played)
    written = LANGUAGES[language]
    head = [f"{written.comment} {line}".rstrip() for line in _head(title, finding, language, file, server)]
    make = {"python": _python, "javascript": _javascript}[language]
    return "\n".join([*head, "", make(written, server, played)])


def joined(played: list[Statement]) -> list[Statement]:
    """Return statements in which a request whose answer is awaited at once is one statement, and not two."""
    decided = {
        arg.name for step in played if isinstance(step, Decides) for arg in step.args if isinstance(arg, Variable)
    }
    found: list[Statement] = []
    for step in played:
        last = found[-1] if found else None
        if (
            isinstance(step, Answers)
            and isinstance(last, Sends)
            and last.variable == step.pending
            and step.pending not in decided
        ):
            found[-1] = replace(last, how="prepare" if step.accepted else "request", variable=step.variable)
        else:
            found.append(step)
    return _renumbered(found)


def _usual(step: Statement, transport: str) -> Statement:
    """Return a statement that does not name the transport that is used anyway."""
    return replace(step, transport="") if isinstance(step, Connects) and step.transport == transport else step


def _renumbered(played: list[Statement]) -> list[Statement]:
    """Return statements in which the requests that are still pending have numbers in the order in which they are."""
    names = list(dict.fromkeys(step.variable for step in played if isinstance(step, Sends) and step.how == "ask"))
    new: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"_\d+$", "", name)
        count = sum(re.sub(r"_\d+$", "", other) == plain for other in new) + 1
        new[name] = plain if count == 1 else f"{plain}_{count}"
    return [_renamed(step, new) for step in played]


def _renamed(step: Statement, names: Mapping[str, str]) -> Statement:
    match step:
        case Sends() if step.how == "ask":
            return replace(step, variable=names[step.variable])
        case Answers():
            return replace(step, pending=names[step.pending])
        case Decides():
            args = [Variable(names.get(a.name, a.name)) if isinstance(a, Variable) else a for a in step.args]
            return replace(step, args=tuple(args))
    return step


def _head(title: str, finding: Finding, language: str, file: str, server: dict[str, Any]) -> Iterator[str]:
    """Yield what a reader needs to know first."""
    yield one_line(title)
    yield ""
    yield from textwrap.wrap(f"expected: {server['expected']}", 96, subsequent_indent="  ")
    yield from textwrap.wrap(f"got: {one_line(shortened(finding.got, _LONGEST))}", 96, subsequent_indent="  ")
    yield ""
    yield "Exit code: 1 while the fault is there, 0 when it is mended, 2 if the stage could not be set."
    yield ""
    yield f"    {NEEDS[language]}"
    yield f"    {RUNS[language]} {one_line(file)} {'[URL]' if server['url'] else 'URL'}"
    if names := variables(server):
        yield ""
        yield from textwrap.wrap(f"From the environment: {', '.join(names)}.", 96)


def _body(written: Language, played: list[Statement]) -> Iterator[str]:
    """Yield the lines of a play."""
    for step in played:
        yield from _statement(written, step)


def _statement(written: Language, step: Statement) -> Iterator[str]:
    indent = len(written.step)
    match step:
        case Connects():
            args: list[Any] = [step.actor, "" if step.account == step.actor else step.account]
            args += [step.transport, step.headers]
            while args[-1] in ("", {}):
                args.pop()
            verb = "try_old_cookie" if step.old_cookie else "try_connect" if step.may_fail else "connect"
            function = f"stage.{written.name(verb)}"
            yield _line(written, step.variable, function, args)
        case Sends():
            yield _line(written, step.variable, f"{written.name(step.connection)}.{step.how}", [step.event, *step.args])
        case Answers():
            args = [True] if step.accepted else []
            yield _line(written, step.variable, f"{written.name(step.pending)}.answer", args)
        case Hears():
            verb = written.name("hear" if step.variable else "may_hear")
            yield _line(written, step.variable, f"{written.name(step.connection)}.{verb}", [step.event])
        case Learns():
            found = written.call(written.name("the_id"), [Variable(step.variable), *step.path], indent)
            yield f"{written.step}{written.item('ids', step.id.name)} = {found}{written.end}"
        case Ends():
            yield _line(written, "", f"{written.name(step.connection)}.disconnect", [])
        case Enrols():
            yield _line(written, "", "stage.enrol", [step.account])
        case Arranges():
            yield _arranged(written, step)
        case Marks():
            heard = f"{written.name(step.connection)}.heard"
            count = f"len({heard})" if written.comment == "#" else f"{heard}.length"
            yield f"{written.step}{written.declared(step.variable)}{count}{written.end}"
        case Decides():
            before = f"{written.step}return await "
            call = written.call(written.name(step.function), list(step.args), indent, before)
            yield f"{before}{call}{written.end}"


def _arranged(written: Language, step: Arranges) -> str:
    args = [part for part in (step.account, step.session) if part]
    args = args[:1] if args == [step.account, "session"] else args
    before = f"{written.item('ids', step.id.name)} = await " if step.id else "await "
    call = written.call(f"stage.{written.name(step.does)}", args, len(written.step), before)
    return f"{written.step}{before}{call}{written.end}"


def _line(written: Language, variable: str, function: str, args: list[Any]) -> str:
    before = f"{written.declared(written.name(variable))}await " if variable else "await "
    call = written.call(function, args, len(written.step), before)
    return f"{written.step}{before}{call}{written.end}"


def _python(written: Language, server: dict[str, Any], played: list[Statement]) -> str:
    parts = [(resources(__package__) / name).read_text("utf-8") for name in ("python_client.py", "python_stage.py")]
    play = "\n".join(_body(written, played))
    return "\n".join(
        [
            "from __future__ import annotations",
            "",
            *_imports(parts),
            "",
            f"SERVER = {written.value(server)}",
            "",
            "",
            "async def play(stage: Stage) -> tuple[bool, str]:",
            '    """Play the messages; return whether the fault is there, and what came."""',
            "    ids = stage.ids",
            play,
            "",
            "",
            "# -- what the play stands on: nothing of it is about this finding --------------------------",
            "",
            *(part.partition(f"# {_COPIED}\n")[2].strip() + "\n\n" for part in parts),
            'if __name__ == "__main__":',
            "    raise SystemExit(run(SERVER, play))",
            "",
        ]
    )


def _imports(parts: list[str]) -> list[str]:
    """Return what the parts import of libraries, each once, those of the language first."""
    found = {
        ast.unparse(node)
        for part in parts
        for node in ast.parse(part).body
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and "." not in (node.module or ""))
    }
    found |= {"from collections.abc import Awaitable, Callable", "from urllib.parse import quote, urlsplit"}
    found |= {"from html.parser import HTMLParser", "from http.cookies import SimpleCookie", "from typing import Any"}
    found = {line for line in found if "__future__" not in line and "TYPE_CHECKING" not in line}
    others = sorted(line for line in found if line in ("import aiohttp", "import socketio"))
    own = sorted(found - set(others), key=lambda line: (line.startswith("from"), line))
    return [
        *own,
        "",
        "try:",
        *(f"    {line}" for line in others),
        "except ImportError as missing:",
        f"    print(f'undecided: {{missing}}; {NEEDS['python']}')",
        "    raise SystemExit(2) from None",
    ]


def _javascript(written: Language, server: dict[str, Any], played: list[Statement]) -> str:
    part = (resources(__package__) / "runtime.mjs").read_text("utf-8")
    imports, _, rest = part.partition(f"// {_COPIED}\n")
    if isinstance(server["verify"], str):
        raise Irreproducible("Node.js takes certificate authorities from NODE_EXTRA_CA_CERTS only; write it in Python")
    return "\n".join(
        [
            *(line for line in imports.splitlines() if line.startswith("import ")),
            "",
            f"const SERVER = {written.value(server)};",
            "",
            "/** Play the messages; return whether the fault is there, and what came. */",
            "async function play(stage) {",
            "  const ids = stage.ids;",
            "\n".join(_body(written, played)),
            "}",
            "",
            "// -- what the play stands on: nothing of it is about this finding --------------------------",
            "",
            rest.strip(),
            "",
            "process.exit(await run(SERVER, play));",
            "",
        ]
    )
