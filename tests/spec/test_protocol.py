"""The prose says every requirement where the data says it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dungeonlab_spec import Catalogue, Requirement
from dungeonlab_spec.catalogue import definitions

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = Catalogue.load()
PROSE = (ROOT / "spec" / "protocol.md").read_text("utf-8")
IN_CODE_FONT = re.compile(r"`([a-z]+/[a-z0-9]+(?:-[a-z0-9]+)*)`")


def sections() -> dict[str, str]:
    """Return the text of each numbered section."""
    parts = re.split(r"^## (\d+)\. ", PROSE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_sections_are_numbered_without_a_gap() -> None:
    """The sections run from 1 to 16."""
    assert list(sections()) == [str(number) for number in range(1, 17)]


@pytest.mark.parametrize("requirement", CATALOGUE.requirements.values(), ids=lambda r: r.id)
def test_a_requirement_is_said_in_its_section(requirement: Requirement) -> None:
    """Its id stands in the section that requirements.json names, once, and in no other."""
    said = [
        number for number, text in sections().items() for id_ in IN_CODE_FONT.findall(text) if id_ == requirement.id
    ]
    assert said == [requirement.section]


def test_the_prose_names_no_requirement_that_is_none() -> None:
    """Whatever looks like an id is one. The introduction may show one as an example."""
    assert set(IN_CODE_FONT.findall(PROSE)) <= CATALOGUE.requirements.keys()


def test_every_event_is_reported() -> None:
    """No event of the catalogue is missing from the prose."""
    assert not [event.name for event in CATALOGUE if f"`{event.name}`" not in PROSE]


def test_every_code_is_reported() -> None:
    """No error code is missing from the section on errors."""
    codes = definitions()["identifiers.json"]["$defs"]["ErrorCode"]["enum"]
    assert not [code for code in codes if f"| `{code}` |" not in sections()["7"]]


def test_the_version_is_the_catalogues() -> None:
    """The prose and the data are of one version."""
    assert f"Version {CATALOGUE.version}." in PROSE


def test_it_can_be_read_in_one_sitting() -> None:
    """The protocol stays short."""
    assert len(PROSE.splitlines()) <= 450


def test_the_seed_coverage_names_only_requirements() -> None:
    """Each row names existing requirements, or says why it cannot be tested."""
    page = (ROOT / "docs" / "seed-coverage.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    for row in rows:
        kept_by = row.split(" | ")[-1]
        ids = IN_CODE_FONT.findall(kept_by)
        assert set(ids) <= CATALOGUE.requirements.keys(), row
        assert ids or kept_by.startswith("not testable: "), row


def test_each_requirement_of_the_seed_is_in_its_coverage() -> None:
    """What claims the seed as its source is found among the seed's statements."""
    page = (ROOT / "docs" / "seed-coverage.md").read_text("utf-8")
    sourced = {r.id for r in CATALOGUE.requirements.values() if r.source.startswith("seed: ")}
    assert sourced <= set(IN_CODE_FONT.findall(page))


def test_each_source_is_a_section_of_the_seed() -> None:
    """A requirement names a section of the seed that the coverage lists."""
    page = (ROOT / "docs" / "seed-coverage.md").read_text("utf-8")
    listed = set(re.findall(r"^\| ([^|]+?) \| ", page, re.MULTILINE))
    named = {r.source.removeprefix("seed: ") for r in CATALOGUE.requirements.values() if r.source.startswith("seed: ")}
    assert named <= listed
