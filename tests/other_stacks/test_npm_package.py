"""The package for npm, packed and installed as its users have it: what is in it, its types, and what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dungeonlab_conformance.payloads.invalid import EXAMPLE_IDS
from dungeonlab_conformance.payloads.kinds import kinds_of, payload_of
from dungeonlab_spec import Catalogue, validate
from dungeonlab_spec.payloads import Payload, payloads
from tests.npm_package import PACKAGE, compiled, install, missing, pack
from tests.other_stacks.altered import altered
from tests.other_stacks.judge import is_required

MISSING = missing()
if MISSING and is_required():
    pytest.fail(f"the tools of JavaScript are required here, but {MISSING}", pytrace=False)

pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"SKIPPED, NOT PASSED: {MISSING}")
HERE = Path(__file__).parent
GUIDE = (HERE.parents[1] / "docs" / "exports.md").read_text("utf-8")
EVERY = 1 if os.environ.get("EXAMPLES") else 4  # which of the altered payloads are tried: every fourth
NO_CODE = "--disallow-code-generation-from-strings"  # what a strict content security policy is to a browser
_LARGEST = 3000  # characters of an example that is altered
_TYPED = """\
import { assertValid, InvalidPayload, validate, type ServerToClientEvents, type Violation } from "dungeonlab-protocol";

export const found: readonly Violation[] = validate("token:move", {}).concat(validate("error", {}, "emission"));
export const heard: Partial<ServerToClientEvents> = { "user-left": ({ reason }) => console.log(reason.length) };
export function read(request: unknown, answer: unknown): string {
  assertValid("chat-message", request);
  assertValid("get-user-data", answer, "ack");
  return answer.success ? answer.data.user.username + request.message : answer.code;
}
export const isInvalid = (error: unknown) => error instanceof InvalidPayload && error.violations[0]?.path.length;
validate("tokenMove", {}); // 2345
validate("error", {}); // 2345
validate("join-session", {}, "emission"); // 2345
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that npm would publish."""
    return pack(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the package among those of a project."""
    return install(archive, tmp_path_factory.mktemp("project"))


def test_the_package_is_small_and_holds_what_users_need(archive: Path) -> None:
    """Below 60 kB; the code in two forms with its types, and nothing that would run, or be fetched, on installing."""
    assert archive.stat().st_size < 60_000
    with tarfile.open(archive) as content:
        files = {member.name.removeprefix("package/"): content.extractfile(member) for member in content.getmembers()}
        texts = {name: file.read().decode() for name, file in files.items() if file}
    built = {f"dist/index.{ending}" for ending in ("js", "cjs", "d.ts", "d.cts")}
    assert texts.keys() == {"package.json", "README.md", "LICENSE"} | built
    described = json.loads(texts["package.json"])
    assert (described["license"], described["sideEffects"], described["private"]) == ("MIT", False, True)
    assert not {"dependencies", "peerDependencies", "optionalDependencies"} & described.keys()
    assert not {"preinstall", "install", "postinstall", "prepare"} & described["scripts"].keys()
    assert not re.search(
        r"\beval\b|\bFunction\(|\brequire\(|\bimport\(", texts["dist/index.js"] + texts["dist/index.cjs"]
    )


def test_the_version_is_that_of_the_project() -> None:
    """One release is one version, in whatever language it comes."""
    described = json.loads((PACKAGE / "package.json").read_text("utf-8"))
    [version] = re.findall(
        r'^version = "(.+)"$', (PACKAGE.parents[1] / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert described["version"] == version


def test_types_are_found_by_modules_of_either_kind(installed: Path) -> None:
    """`tsc --strict` finds them in an ES module and in CommonJS, and objects to events and directions that are not.

    The example of the package's README compiles as well.
    """
    project = installed.parents[1]
    for ending in ("mts", "cts"):
        (project / f"use.{ending}").write_text(_TYPED, "utf-8")
    [example] = re.findall(
        r"^```ts\n(.*?)^```$", (installed / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (project / "example.mts").write_text(example, "utf-8")
    said = compiled(project, "use.mts", "use.cts", "example.mts")
    expected = {
        (f"use.{ending}", number, code[1])
        for ending in ("mts", "cts")
        for number, line in enumerate(_TYPED.splitlines(), 1)
        if (code := re.search(r"// (\d+)$", line))
    }
    refused = re.findall(r"^([\w.]+)\((\d+),\d+\): error TS(\d+)", said, re.MULTILINE)
    assert {(file, int(line), code) for file, line, code in refused} == expected, said


def test_odd_values_and_wrong_calls_are_explained(installed: Path) -> None:
    """What only JavaScript has is refused in a sentence, and nothing is too deep, long or wide."""
    node(installed, "package_values.mjs")


def test_the_sentences_are_those_of_the_specification(installed: Path) -> None:
    """For every example, valid or not, and for many altered ones, both say the same, at the same path and pointer."""
    cases = [case for payload in payloads() if payload.event for case in cases_of(payload, payload.event.name)]
    ours = [[[v.path, v.pointer, v.expected, v.got] for v in validate(*_in_order(case))] for case in cases]
    said = node(installed / "dist" / "index.js", "sentences.mjs", "".join(f"{json.dumps(case)}\n" for case in cases))
    theirs = [json.loads(line) for line in said.split("\n") if line]
    assert len(theirs) == len(ours) > 2000
    assert [(c, o, t) for c, o, t in zip(cases, ours, theirs, strict=True) if o != t] == []
    assert sum(map(bool, ours)) > 1500
    assert sum(not found for found in ours) > 500


def test_the_guide_is_right_about_the_package(archive: Path, installed: Path) -> None:
    """Its unit tests pass, and its size is as stated."""
    project = installed.parents[1]
    [tests] = re.findall(r"^```javascript\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (project / "client.test.mjs").write_text(tests, "utf-8")
    command = ["node", NO_CODE, "--test", "client.test.mjs"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
    assert re.search(r"pass 2\b", done.stdout)
    [kilobytes] = re.findall(r"compiled ahead: (\d+) kB", GUIDE)
    assert int(kilobytes) == pytest.approx(archive.stat().st_size / 1000, abs=2)


def test_every_event_can_be_validated(installed: Path) -> None:
    """The package knows the catalogue: each event, in each direction in which it travels."""
    data: Any = json.loads((PACKAGE / "src" / "payloads.json").read_text("utf-8"))
    assert data["events"].keys() == Catalogue.load().events.keys()
    assert data["protocol"] == Catalogue.load().version


def cases_of(payload: Payload, event: str) -> Iterator[tuple[str, str, Any]]:
    """Yield an event, a direction and a payload: examples, the largest valid one altered, and each kind of request."""
    valid, invalid = (list(payload.examples(kind).values()) for kind in ("valid", "invalid"))
    largest = max(valid, key=lambda example: len(text) if len(text := json.dumps(example)) < _LARGEST else 0)
    for found in (*valid, *invalid, *list(altered(largest))[::EVERY]):
        yield event, payload.direction, found
    if payload.direction == "request":
        made = (payload_of(event, kind, EXAMPLE_IDS) for kind in kinds_of(event))
        yield from ((event, "request", *request.args) for request in made if len(request.args) == 1)


def _in_order(case: tuple[str, str, Any]) -> tuple[str, Any, Any]:
    event, direction, payload = case
    return event, payload, direction


def node(package: Path, program: str, given: str = "") -> str:
    """Run a program of this folder with the package, in an engine that makes no code of text; return what it prints."""
    command = ["node", NO_CODE, str(HERE / program), str(package)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout
