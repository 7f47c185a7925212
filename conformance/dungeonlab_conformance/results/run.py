"""With what options a run is made, and what it came to. Only data, and what follows from it."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import PurePath

from dungeonlab_conformance.results.exit_codes import EXIT_SUITE, exit_code
from dungeonlab_conformance.results.verdict import Verdict
from dungeonlab_conformance.text.system import shortage
from dungeonlab_spec import Catalogue, Level, Side

JUDGED_BY: dict[Side, str] = {  # the ends of sentences on why a run does not judge a requirement
    "client": "for clients, which the commands `client` and `tap` judge",
    "server": "for servers, which the command `run` judges",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of the command line that a run depends on, by their names there; none is secret.

    `url` is None for that of the target's file, or for the bundled server. `scale` is that of every time limit. `only`,
    `without`, `events` and `levels` are the selection. `fuzz` is how many payloads to generate, if any, and `seed` from
    what. `plays` says whether the covering plays are played, None if the selection says it. `concurrency` is None for
    as much as the link allows; `time_limit` is in seconds, and `restart_wait` too, None if a server that dies ends the
    run, or the target's file says. `search` is what makes it a search, as words of its command line; a run has none.
    `clients` are all words of the command line that judged clients, but the program's name.
    """

    url: str | None = None
    target_file: str | None = None
    transport: str | None = None
    scale: float = 1.0
    protocol_version: str | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    fuzz: int | None = None
    seed: int | None = None
    http: bool = False
    concurrency: int | None = None
    fail_fast: bool = False
    time_limit: float = 600.0
    restart_wait: float | None = None
    plays: bool | None = None
    search: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that judges the same in the same way; to that of a run, a selection can be added."""
        if self.clients:
            return shlex.join(["dungeonlab-conformance", *self.clients])
        valued = {
            "--target": self.target_file,
            "--transport": self.transport,
            "--timeout": None if self.scale == 1 else f"{self.scale:g}",
            "--protocol-version": self.protocol_version,
            "--fuzz": self.fuzz,
            "--seed": self.seed,
            "--restart-wait": None if self.restart_wait is None else f"{self.restart_wait:g}",
        }
        words = ["dungeonlab-conformance", "search" if self.search else "run", *([self.url] if self.url else [])]
        words += [word for name, value in valued.items() if value is not None for word in (name, str(value))]
        plays = {None: [], True: ["--plays"], False: ["--no-plays"]}[self.plays]
        return shlex.join([*words, *(["--http"] if self.http else []), *plays, *self.search])


@dataclass(slots=True)
class Run:
    """What a run came to.

    `target` is the name of the server that was judged, its URL unless it is the bundled one; `bundled` whether it was
    the suite's own reference server. If `side` is "client", clients were judged, and `target` names them. `fault` says
    in one sentence why it ended early, if it did; `own_fault` what the suite itself failed at; `notes` what should be
    known of the target, and breaks nothing; `plays` what was played besides scenes, or by a search; `stale` what the
    list of known failures has wrong; `claim` what may be said of the target, if anything, and
    `caveat` what may not be left out beside that. `began` is when, in RFC 3339;
    `options` are those it was made with, and `recording` is what its verdicts can be computed from again, packed, if it
    was to be kept.
    """

    target: str
    verdicts: list[Verdict] = field(default_factory=list)
    scenes: int = 0
    seconds: float = 0.0
    concurrency: int = 1
    fault: str | None = None
    own_fault: str = ""
    interrupted: bool = False
    leftovers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plays: str = ""
    protocol: str = field(default_factory=lambda: Catalogue.load().version)
    fail_on: Level = "MUST"
    stale: list[str] = field(default_factory=list)
    claim: str = ""
    caveat: str = ""
    dialect: bool = False  # whether the server was judged in a dialect of its own
    began: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    options: RunOptions = field(default_factory=RunOptions)
    suite: str = field(default_factory=lambda: version("dungeonlab-conformance"))
    bundled: bool = False
    recording: str = field(default="", compare=False)
    side: Side = "server"

    @property
    def target_file(self) -> str | None:
        """The file that described the server, if any."""
        return self.options.target_file

    @property
    def watched(self) -> bool:
        """Whether clients and their server were watched, as `tap` does: what came was judged, of both."""
        return self.options.clients[:1] in (("tap",), ("report",))

    @property
    def again(self) -> str:
        """The command that repeats the run, without its selection."""
        return self.options.command

    @property
    def subject(self) -> str:
        """What was judged, for the first and the last line of a report: the server, and the file that described it."""
        return f"{self.target} ({PurePath(self.target_file).name})" if self.target_file else self.target

    def end_by(self, fault: BaseException, hide: Callable[[str], str]) -> None:
        """Note why the run ended early, if it is not the server's fault; `hide` hides the secrets in what that says."""
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        if lacking := shortage(fault):
            self.fault = lacking
        else:
            self.own_fault = hide(f"{type(fault).__name__}: {fault}")

    @property
    def exit_code(self) -> int:
        """How the process should end."""
        if self.own_fault:
            return EXIT_SUITE
        return exit_code(
            self.verdicts,
            interrupted=self.interrupted,
            fault=self.fault,
            fail_on=self.fail_on,
            stale=bool(self.stale),
            watched=self.watched,
        )
