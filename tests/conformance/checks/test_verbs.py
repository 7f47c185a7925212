"""What a verb may do to a verdict can be read from its name, in all that scenes act with and in their own helpers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SUITE = Path(__file__).resolve().parents[3] / "conformance" / "dungeonlab_conformance"
FILES = sorted(
    [
        *(file for folder in ("checks", "stage", "payloads") for file in (SUITE / folder).glob("*.py")),
        *(SUITE / "clients" / f"{name}.py" for name in ("actor", "connection", "receiver", "sender", "http/users")),
        *(SUITE / "clients" / "raw").glob("*.py"),
    ]
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def verbs(file: Path) -> Iterator[Function]:
    """Yield the functions and methods of a file but the scenes themselves, which convict as what they are."""
    tree = ast.parse(file.read_text("utf-8"))
    classes = (found for found in tree.body if isinstance(found, ast.ClassDef))
    for body in [tree.body, *(found.body for found in classes)]:
        for found in body:
            if isinstance(found, Function) and not any(map(is_registering, found.decorator_list)):
                yield found


def is_registering(decorator: ast.expr) -> bool:
    """Whether a decorator makes a scene of a function."""
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "check"


def named(node: ast.expr | None) -> str:
    """Return the last part of the name that an expression is, or calls; empty if it is neither."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def says_must(name: str) -> bool:
    """Whether a name says that what it does can convict."""
    return "must" in name.split("_")


def convicts(node: ast.AST) -> bool:
    """Whether code raises `Broken`, or what `unlike` makes, or uses a verb that may, and nothing catches it."""
    if isinstance(node, ast.Raise) and named(node.exc).lower() in ("broken", "unlike"):
        return True
    if isinstance(node, ast.ExceptHandler) and catches_broken(node):
        return any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body) or any(
            map(convicts, node.body)
        )
    if isinstance(node, ast.Attribute | ast.Name) and says_must(named(node)):
        return True
    if isinstance(node, ast.Call) and named(node.func).lstrip("_").startswith(("judge", "provoke")):
        return False  # which awaits what it is given, and records what that raises
    if isinstance(node, ast.Try) and any(catches_broken(handler) for handler in node.handlers):
        return any(map(convicts, [*node.handlers, *node.orelse, *node.finalbody]))
    return any(map(convicts, ast.iter_child_nodes(node)))


def catches_broken(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes `Broken`, alone or among others."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(named(kind) == "Broken" for kind in kinds)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SUITE)))
def test_a_verb_convicts_if_and_only_if_its_name_says_must(file: Path) -> None:
    """One with `must` in its name raises `Broken`, or uses one that does; a plain one or a `try_` does neither."""
    for verb in verbs(file):
        assert any(map(convicts, verb.body)) == says_must(verb.name), verb.name


def test_the_law_sees_what_it_is_about() -> None:
    """Bare and behind a `try`; and not what is caught, or handed to the stage to be recorded."""
    for code, guilty in (
        ("raise Broken('a', 'b')", True),
        ("await bob.must_hear(request)", True),
        ("await asyncio.gather(*map(bob.must_hear, requests))", True),
        ("try:\n    await bob.must_hear(request)\nexcept Gone:\n    pass", True),
        ("try:\n    await bob.hear(request)\nexcept Gone:\n    raise Broken('a', 'b') from None", True),
        ("try:\n    await bob.must_hear(request)\nexcept Broken:\n    pass", False),
        ("try:\n    await bob.must_hear(request)\nexcept Broken:\n    raise", True),
        ("try:\n    await bob.must_hear(request)\nexcept Broken:\n    raise Unjudged('a') from None", False),
        ("await stage.judge(name, bob.must_hear(request))", False),
        ("await stage.provoke(name, bob.must_hear(request))", False),
        ("await bob.hear(request)", False),
    ):
        assert any(map(convicts, ast.parse(code).body)) is guilty, code
