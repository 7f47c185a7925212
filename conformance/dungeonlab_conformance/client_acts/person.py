"""A person with a client: the bundled server in a prepared world, watched until the person has seen enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from dungeonlab_conformance.client_acts.faults import accounted
from dungeonlab_conformance.client_acts.performance import World, has_joined, world
from dungeonlab_conformance.client_acts.player import NOWHERE
from dungeonlab_conformance.client_acts.processes.directed_server import directed_server
from dungeonlab_conformance.record.tapped.journal import MOST, TapJournal
from dungeonlab_conformance.results.errors import TargetFault
from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.stage.accounts import AccountPool
from dungeonlab_conformance.stage.provisioning import Provisioner
from dungeonlab_conformance.tap.page.live_page import LivePage
from dungeonlab_conformance.tap.recording import Recording
from dungeonlab_conformance.tap.verdicts import Judging
from dungeonlab_conformance.tap.watch import keep_judging
from dungeonlab_conformance.target.identity import Account
from dungeonlab_conformance.target.roles import ROLES
from dungeonlab_conformance.target.target import Target

PASSWORD = "open-sesame"  # of every user: the server is reached from this machine alone, and forgets them at its end
PAUSE = 8.0  # seconds between two rounds of what the others in the room do


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person needs to know: where the server is, as whom to log in, and what there is."""

    url: str
    users: tuple[str, ...]
    session: str
    encounter: str
    token: str
    page: str  # the address of the live page


class PersonWatcher:
    """Watches a person's clients for some seconds, or until it is cancelled, and fills in a run.

    `recording` is what it writes meanwhile, if a file is named; `most` is how many packets are remembered.
    """

    def __init__(
        self,
        run: Run,
        *,
        seconds: float | None,
        port: int,
        server_options: Sequence[str] = (),
        record: Path | None = None,
        most: int = MOST,
        on_ready: Callable[[Invitation], None],
    ) -> None:
        self.target = Target(NOWHERE, accounts={name: Account(name, PASSWORD) for name in ROLES})
        self.run = run
        self.journal = TapJournal(most, directed=True, redact=self.target.secrets.redact)
        self.recording = Recording(record, self.journal)
        self._judging = Judging(self.journal)
        self._on_ready = on_ready
        self._seconds, self._port = seconds, port
        self._server_options = server_options
        self._provisioner = Provisioner(self.target)

    async def play(self) -> Run:
        """Watch, and return what was seen; what goes wrong is in the run. To be cancelled ends it in the usual way.

        Raises `OSError` if the port cannot be had.
        """
        untaken: OSError | None = None
        with accounted(self.run, self.target.secrets):
            try:
                with ExitStack() as written:  # until the tap has ended, which closes connections
                    async with AsyncExitStack() as stack:
                        await self._watch(stack, written)
            except asyncio.CancelledError:
                self.run.interrupted = not self.run.scenes
            except OSError as error:
                untaken = error
            finally:
                await self._provisioner.close()
        if untaken is not None:
            raise untaken
        self.settle()
        return self.run

    async def _watch(self, stack: AsyncExitStack, written: ExitStack) -> None:
        server = await stack.enter_async_context(directed_server(*self._server_options))
        self.target.url = server.url
        await _register(server.url)
        pool = AccountPool(0, self._provisioner)
        here = await stack.enter_async_context(world(server, pool, self.journal, "alice", "carol", port=self._port))
        page = LivePage(self.journal, subject="your clients and the bundled server", director=here.director)
        written.enter_context(self.recording)
        await stack.enter_async_context(page)
        self.run.scenes = 1
        self._on_ready(_invitation(here, page.url))
        for_ever = (self._have_others_act(here), keep_judging(self._judging))
        tasks = [asyncio.create_task(each) for each in for_ever]
        for task in tasks:
            stack.callback(task.cancel)
        done, _ = await asyncio.wait(tasks, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # which raises: neither ends by itself

    async def _have_others_act(self, here: World) -> None:
        """Have the others act as soon as somebody has joined."""
        joined = asyncio.Event()
        self.journal.listeners.append(lambda packet: joined.set() if has_joined(packet) else None)
        await joined.wait()
        await here.others.go_on(PAUSE)

    def settle(self) -> None:
        """Judge the rest of what was seen."""
        if not self.run.verdicts:
            self._judging.fill(self.run)


def _invitation(here: World, page: str) -> Invitation:
    users = tuple(who.variables["username"] for who in here.users)
    return Invitation(here.url, users, here.stage.session, here.others.encounter, here.others.token, page)


async def _register(url: str) -> None:
    """Make the users, by names that are easy to type."""
    async with aiohttp.ClientSession(url) as http:
        for name in ROLES:
            async with http.post("/api/auth/register", json={"username": name, "password": PASSWORD}) as answer:
                if answer.status != 201:
                    raise TargetFault(f"the bundled server did not make the user {name}: {answer.status}")
