"""Folders that an export writes: made, renewed, and never those of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conformance.command import command

from dungeonlab_conformance.exports.examples import INDEX, examples
from dungeonlab_conformance.exports.folder import Foreign, write
from dungeonlab_conformance.exports.json_schema import KNOWN_BY, files
from dungeonlab_spec.catalogue import DATA
from dungeonlab_spec.payloads import payloads
from dungeonlab_spec.validation import accepts

TEXTS = {"chat-message/valid/request.minimal.json": "{}\n", INDEX: '{"kind": "dungeonlab-examples", "examples": []}\n'}


def test_examples_come_back_as_they_are(tmp_path: Path) -> None:
    """Every one is there, byte for byte, and is what its row of the index says; each time the same."""
    done = command("export", "examples", "all", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads((tmp_path / "all" / INDEX).read_text("utf-8"))["examples"]
    files_there = [file for file in (tmp_path / "all").rglob("*") if file.is_file()]
    assert {str(f.relative_to(tmp_path / "all")): f.read_text("utf-8") for f in files_there} == examples()
    assert {str(f.relative_to(tmp_path / "all")) for f in files_there} == {row["file"] for row in rows} | {INDEX}
    assert len(rows) == sum(len(p.examples(kind)) for p in payloads() for kind in ("valid", "invalid"))
    references = {payload.stem: payload.reference for payload in payloads()}
    for row in rows:
        text = (tmp_path / "all" / row["file"]).read_text("utf-8")
        assert text == (DATA / "examples" / row["file"]).read_text("utf-8")
        assert row["valid"] is not bool(row.get("wrong"))
        if row["direction"] != "ack":
            assert accepts(references[row["schema"].removesuffix(".json")], json.loads(text)) is row["valid"]


def test_schema_files_are_written_into_a_folder(tmp_path: Path) -> None:
    """The same as in the package; and once more over themselves."""
    for _ in range(2):
        done = command("export", "json-schema", "--each", "schemas", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert {file.name for file in (tmp_path / "schemas").iterdir()} == files().keys()
    for file in (tmp_path / "schemas").iterdir():
        assert file.read_text("utf-8") == (DATA / "schemas" / file.name).read_text("utf-8")


def test_the_bundle_is_written_to_a_file(tmp_path: Path) -> None:
    """Or to standard output: the same text."""
    assert command("export", "json-schema", "all.json", cwd=tmp_path).returncode == 0
    text = (tmp_path / "all.json").read_text("utf-8")
    assert text == command("export", "json-schema").stdout == (DATA / "messages.schema.json").read_text("utf-8")


@pytest.mark.parametrize("there", ["notes.txt", INDEX, "chat-message/valid/request.minimal.json"])
def test_a_folder_of_others_is_left_alone(tmp_path: Path, there: str) -> None:
    """Even if what it holds is called like something of an export; with --force it is."""
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text('{"kind": 5}', "utf-8")
    with pytest.raises(Foreign, match="holds other files"):
        write(TEXTS, tmp_path, INDEX)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / there]
    write(TEXTS, tmp_path, INDEX, force=True)
    assert (tmp_path / INDEX).read_text("utf-8") == TEXTS[INDEX]
    assert (tmp_path / there).exists()


def test_an_example_that_is_no_more_is_removed(tmp_path: Path) -> None:
    """Of those that the index names; what somebody has added stays, and nothing outside is touched."""
    write(TEXTS, tmp_path / "all", INDEX)
    old, own, outside = (tmp_path / name for name in ("all/error/valid/emission.old.json", "all/mine.json", "o.json"))
    old.parent.mkdir(parents=True)
    for file in (old, own, outside):
        file.write_text("{}", "utf-8")
    rows = [{"file": "error/valid/emission.old.json"}, {"file": "../o.json"}, {"file": 5}, "x", {}]
    index = {"kind": "dungeonlab-examples", "examples": rows}
    (tmp_path / "all" / INDEX).write_text(json.dumps(index), "utf-8")
    write(TEXTS, tmp_path / "all", INDEX)
    assert [file.exists() for file in (old, own, outside)] == [False, True, True]


def test_an_interrupted_export_can_be_repeated(tmp_path: Path) -> None:
    """What was written of it is known as such, however little it is."""
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        write({"file": "", "file/below": "", **TEXTS}, tmp_path, INDEX)
    write(TEXTS, tmp_path, INDEX)
    assert all((tmp_path / name).read_text("utf-8") == text for name, text in TEXTS.items())


def test_a_newer_version_of_the_protocol_renews_a_folder(tmp_path: Path) -> None:
    """An id is known again though it holds a version."""
    write({KNOWN_BY: '{"$id": "urn:dungeonlab:0.9:failure-ack"}'}, tmp_path, KNOWN_BY)
    write({KNOWN_BY: '{"$id": "urn:dungeonlab:1.0:failure-ack"}'}, tmp_path, KNOWN_BY)
    with pytest.raises(Foreign):
        write({KNOWN_BY: '{"$id": "urn:other:1.0:failure-ack"}'}, tmp_path, KNOWN_BY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("examples file", "'file' is a file"),
        ("json-schema --each file/below", "cannot be written: Not a directory"),
        ("examples -", "it is standard output, which takes no folder"),
        ("json-schema --each .", "holds other files; name an empty folder, or write into it all the same with --force"),
        ("json-schema --force", "--force is for --each"),
        ("json-schema a.json --each b", "name one of them"),
        ("asyncapi none/a.json", "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_wrong_usage(tmp_path: Path, words: str, said: str) -> None:
    """One sentence, and nothing is written."""
    (tmp_path / "file").write_text("mine", "utf-8")
    done = command("export", *words.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
