"""The client for a browser: a small front end in TypeScript, built by Vite with the package as npm installs it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.client_programs.programs import FOLDER
from tests.npm_package import install, pack


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A copy of the front end in a folder of its own, beside which its packages are found."""

    folder: Path

    @classmethod
    def set_up(cls, project: Path) -> FrontEnd:
        """Copy the front end into a project's folder, and install the packed package and its other packages."""
        installed = install(pack(project), project)
        for found in (FOLDER / "node_modules").iterdir():
            if not found.name.startswith("."):
                (installed.parent / found.name).symlink_to(found)
        shutil.copytree(FOLDER / "in_browser", project / "front-end")
        return cls(project / "front-end")

    def objections(self) -> str:
        """Return what the compiler says of its types; nothing if it has no objection."""
        return self._run("typescript/bin/tsc", "--project", ".").stdout

    def build(self) -> Path:
        """Build it, and return the folder that a web server serves."""
        done = self._run("vite/bin/vite.js", "build", "--logLevel", "warn")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.folder / "dist"

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["node", str(self.folder.parent / "node_modules" / program), *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=180)


@contextmanager
def served_page() -> Iterator[str]:
    """Build the page and serve it while the block runs; yields its address, from which browsers come."""
    with tempfile.TemporaryDirectory() as folder, served(FrontEnd.set_up(Path(folder)).build()) as address:
        yield address


@contextmanager
def served(page: Path) -> Iterator[str]:
    """Serve the folder of a page, under a strict policy, while the block runs; yields its address."""

    class Pages(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(page))

        def end_headers(self) -> None:
            policy = "default-src 'self'; connect-src http://127.0.0.1:* ws://127.0.0.1:*"
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def browser() -> str | None:
    """Return the browser that is there."""
    return shutil.which("chromium") or shutil.which("google-chrome")
