"""An adapter is somebody else's code: whatever it raises or returns, the target cannot be tested, and that is all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.command import command, unused_port

from dungeonlab_conformance.adapter import Adapter
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.target.limits import Limits
from dungeonlab_conformance.target.target import Target

FILE = '[server]\nurl = "http://127.0.0.1:{port}"\n'
HEAD = "import sys\nfrom dungeonlab_conformance.adapter import Adapter\n"


class Rude(Exception):  # noqa: N818
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text for you")


RAISED = [RuntimeError("x"), Rude(), SystemExit(0), KeyboardInterrupt(), BaseException("b"), asyncio.CancelledError()]
WRONG: list[Any] = [
    None,
    7,
    b"id",
    "",
    [],
    {},
    {"session": 7},
    {"session": "s", 1: "a"},
    {"session": "s", "x": b"y"},
    {"a": "b"},
]


@pytest.fixture
async def provisioner() -> AsyncIterator[Callable[..., Provisioner]]:
    """Return what makes the provisioner of a target whose adapter does this."""
    made: list[Provisioner] = []

    def make(**acts: Any) -> Provisioner:
        adapter = type("Made", (Adapter,), acts)
        made.append(Provisioner(Target(f"http://127.0.0.1:{unused_port()}", adapter=adapter, limits=Limits(0.01))))
        return made[-1]

    yield make
    for there in made:
        await there.close()


def raising(error: BaseException) -> Any:
    async def act(*_: object) -> None:
        raise error

    return act


def returning(found: Any) -> Any:
    async def act(*_: object) -> Any:
        return found

    return act


async def greet(self: Adapter, identity: Any, account: Any) -> None:
    identity.user, identity.cookies = "u", {"a": "b"}


@pytest.mark.parametrize("error", RAISED, ids=lambda e: type(e).__name__)
async def test_whatever_a_method_raises_the_stage_could_not_be_set(
    provisioner: Callable[..., Provisioner], error: BaseException
) -> None:
    """Also what would end the process, and what says that somebody cancelled it, which nobody did."""
    there = provisioner(log_in=greet, open_session=raising(error))
    gamemaster = await there.log_in("gamemaster", 0)
    with pytest.raises(Unjudged, match=f"the adapter's open_session raised {type(error).__name__}"):
        await there.open_session(gamemaster, "label")
    there = provisioner(log_in=raising(error))
    with pytest.raises(TargetFault, match=r"gamemaster could not be logged in: .*the adapter's log_in raised"):
        await there.log_in("gamemaster", 0)


@pytest.mark.parametrize("error", RAISED, ids=lambda e: type(e).__name__)
async def test_an_adapter_that_cannot_be_made(provisioner: Callable[..., Provisioner], error: BaseException) -> None:
    """There is no target then; and nothing has been raised before somebody asks for it."""

    def refuse(self: Adapter, target: Target) -> None:
        raise error

    there = provisioner(__init__=refuse, log_in=greet)
    assert there.offers("login")
    with pytest.raises(TargetFault, match=f"its __init__ raised {type(error).__name__}"):
        await there.log_in("gamemaster", 0)


@pytest.mark.parametrize("found", WRONG, ids=repr)
async def test_what_is_no_session(provisioner: Callable[..., Provisioner], found: Any) -> None:
    """A dict of texts with the session's id, and nothing else."""
    there = provisioner(log_in=greet, open_session=returning(found))
    with pytest.raises(Unjudged, match=r"the adapter's open_session (returned|left)"):
        await there.open_session(await there.log_in("gamemaster", 0), "label")


@pytest.mark.parametrize("found", [None, 7, b"e", "", {"encounter": "e"}], ids=repr)
async def test_what_is_no_encounter(provisioner: Callable[..., Provisioner], found: Any) -> None:
    """A text that is not empty."""
    there = provisioner(log_in=greet, open_encounter=returning(found))
    with pytest.raises(Unjudged, match="the adapter's open_encounter returned"):
        await there.open_encounter(await there.log_in("gamemaster", 0), "s", "label", {})


async def test_a_coroutine_that_nobody_awaited(provisioner: Callable[..., Provisioner]) -> None:
    """It is named, and closed."""
    there = provisioner(log_in=greet, open_encounter=lambda *_: returning(returning("e")())())
    with pytest.raises(Unjudged, match="returned a coroutine, and should return the encounter's id, a text; await it"):
        await there.open_encounter(await there.log_in("gamemaster", 0), "s", "label", {})


async def test_a_method_that_is_not_async(provisioner: Callable[..., Provisioner]) -> None:
    """Whatever it returns, there is nothing to wait for."""
    there = provisioner(log_in=lambda *_: None)
    with pytest.raises(TargetFault, match="log_in is no coroutine; define it with async def"):
        await there.log_in("gamemaster", 0)


@pytest.mark.parametrize(
    "left",
    [
        {"user": 7},
        {"user": b"u"},
        {"cookies": None},
        {"cookies": [("a", "b")]},
        {"cookies": {"a": 1}},
        {"variables": {}},
        {"variables": None},
        {"variables": {"username": "a", "n": 1}},
    ],
    ids=repr,
)
async def test_an_identity_that_is_left_in_disorder(
    provisioner: Callable[..., Provisioner], left: dict[str, Any]
) -> None:
    """An id, cookies or variables that are no texts would only be noticed where nobody knows whose they are."""

    async def log_in(self: Adapter, identity: Any, account: Any) -> None:
        identity.user = "u"
        for name, value in left.items():
            setattr(identity, name, value)

    with pytest.raises(TargetFault, match=r"the adapter's log_in (returned|left)"):
        await provisioner(log_in=log_in).log_in("gamemaster", 0)


async def test_an_adapter_that_hangs(provisioner: Callable[..., Provisioner]) -> None:
    """It is waited for, and then said so."""

    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TargetFault, match=r"the adapter's log_in took longer than"):
        await provisioner(log_in=wait).log_in("gamemaster", 0)


async def test_who_cancels_the_run_cancels_the_adapter(provisioner: Callable[..., Provisioner]) -> None:
    """Only a cancellation that nobody asked for is the adapter's doing."""
    began = asyncio.Event()

    async def wait(*_: object) -> None:
        began.set()
        await asyncio.Event().wait()

    there = provisioner(log_in=wait)
    there.target.limits.scale = 100
    task = asyncio.create_task(there.log_in("gamemaster", 0))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("raise RuntimeError('x')", 3, "mine cannot be imported: RuntimeError: x"),
        ("sys.exit(0)", 3, "mine cannot be imported: SystemExit"),
        ("raise KeyboardInterrupt", 3, "mine cannot be imported: KeyboardInterrupt"),
        ("import no_such_module", 3, "mine cannot be imported: ModuleNotFoundError"),
        ("class My(Adapter", 3, "mine cannot be imported: SyntaxError"),
        ("My = None", 2, "mine has no My"),
        ("My = 7", 2, "is no class derived from"),
    ],
)
def test_an_adapter_that_cannot_be_imported(tmp_path: Path, code: str, exit_code: int, said: str) -> None:
    """One sentence with file and line; 3 if its own code fails, 2 if the file names what is not there."""
    (tmp_path / "mine.py").write_text(HEAD + code + "\n", "utf-8")
    (tmp_path / "t.toml").write_text('adapter = "mine:My"\n' + FILE.format(port=unused_port()), "utf-8")
    done = command("run", "--target", "t.toml", cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (exit_code, False), done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: t.toml:1: ")
    assert said in done.stderr


@pytest.mark.parametrize("code", ["sys.exit(0)", "raise KeyboardInterrupt", "return 7 / 0"])
@pytest.mark.parametrize("method", ["def __init__(self, target)", "async def log_in(self, identity, account)"])
def test_a_run_with_an_adapter_that_fails(tmp_path: Path, reference_url: str, method: str, code: str) -> None:
    """Exit code 3, a sentence that names the adapter, and a result."""
    (tmp_path / "mine.py").write_text(f"{HEAD}class My(Adapter):\n    {method}:\n        {code}\n", "utf-8")
    sessions = (
        '[actors.gamemaster]\nuser = "g"\n[[static-session]]\nid = "s"\nmembers = []\ngamemaster = "gamemaster"\n'
    )
    file = f'adapter = "mine:My"\n[server]\nurl = "{reference_url}"\n{sessions}'
    if "log_in" not in method:
        file += '[login]\npath = "/x"\n'
    (tmp_path / "t.toml").write_text(file, "utf-8")
    words = ("--only", "chat", "--timeout", "0.2", "--json", "r.json")
    done = command("run", "--target", "t.toml", *words, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (3, False), done.stdout + done.stderr
    if "log_in" in method:
        assert "the adapter's log_in raised" in done.stdout
    assert (tmp_path / "r.json").exists()
