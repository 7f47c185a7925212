"""A process that has imported the command line and forks for each command: nearly all that a command costs is imports.

`run` asks it from a test. The fork gets the arguments, folder, environment and streams of the command, and then runs
``python -m dungeonlab_conformance`` to its end. Each process that runs tests has its own zygote, which ends with it.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

_PACKAGE = "dungeonlab_conformance"
_LEFT_OUT = ("pytest_plugin", "__main__", "http.fuzzer")  # not imported by the command line, or only with --fuzz
_MESSAGE = 16  # bytes of what a zygote answers: the process id of a fork, then how it ended


def run(
    words: Sequence[str], folder: Path | None, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; raises `subprocess.TimeoutExpired`, as `subprocess.run` does."""
    zygote = _zygote()
    what = {"words": list(words), "folder": str(folder or Path.cwd()), "environment": dict(environment)}
    with _text() as request, _text() as out, _text() as err:
        json.dump(what, request)
        request.seek(0)
        socket.send_fds(zygote, [b"!"], [request.fileno(), out.fileno(), err.fileno()])
        pid = _received(zygote)
        zygote.settimeout(seconds)
        try:
            code = _received(zygote)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            zygote.settimeout(None)
            _received(zygote)
            raise subprocess.TimeoutExpired(list(words), seconds) from None
        finally:
            zygote.settimeout(None)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), code, out.read(), err.read())


def _text() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


@cache
def _zygote() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", __name__]
        process = subprocess.Popen(command, stdin=theirs.fileno(), cwd=Path(__file__).parents[2])
    atexit.register(_end, ours, process)
    return ours


def _end(ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
    ours.close()  # nobody holds the other end of its socket any more, which ends the zygote
    process.wait()


def _received(zygote: socket.socket) -> int:
    answer = zygote.recv(_MESSAGE)
    if not answer:
        raise RuntimeError("the process that forks for commands has gone")
    return int(answer)


def _become_command() -> None:
    """Return in a fork that is to be a command; in the zygote, never. The zygote ends when nobody can ask any more."""
    asked = socket.socket(fileno=0)
    while True:
        message, streams, *_ = socket.recv_fds(asked, 1, 3)
        if not message:
            sys.exit()
        if pid := os.fork():
            for stream in streams:
                os.close(stream)
            asked.send(str(pid).encode())
            asked.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
            continue
        asked.detach()
        _take_over(*streams)
        return


def _take_over(request: int, out: int, err: int) -> None:
    with os.fdopen(request, "rb") as text:
        what = json.load(text)
    for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(what["environment"])
    os.chdir(what["folder"])
    sys.path[0] = what["folder"]  # as with -m
    sys.argv = [_PACKAGE, *what["words"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _import_all() -> None:
    package = importlib.import_module(_PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{_PACKAGE}."):
        if not module.name.endswith(_LEFT_OUT):
            importlib.import_module(module.name)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _import_all()
    _become_command()
    runpy.run_module(_PACKAGE, run_name="__main__", alter_sys=True)
