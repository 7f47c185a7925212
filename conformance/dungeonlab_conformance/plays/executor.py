"""Carries a play out on a stage. What happens is in the stage's journal; what it means, the model says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.payloads.invalid import forbidden_by
from dungeonlab_conformance.payloads.kinds import NAMES, payload_of
from dungeonlab_conformance.payloads.refused import unknown_id
from dungeonlab_conformance.payloads.requests import needed_ids
from dungeonlab_conformance.plays.acts import HERE, NOWHERE, THERE, Act, Play
from dungeonlab_conformance.plays.arrangements import Arrangements
from dungeonlab_conformance.record.acknowledgement import Acknowledgement
from dungeonlab_conformance.record.arguments import Arguments
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Missing, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.tokens import created_id
from dungeonlab_spec import Catalogue

_SIGNS = ("is answered", "hears", "connects", "is refused", "is answered again", "is sent", "cannot read")
_READS = 12  # tokens that are looked at when the play is over
_PACE = 0.002  # seconds between two looks at what is still to come
_SILENT = 3  # acts in a row upon which a server sent nothing: it is given up then
_LATE = 3  # acts after which deliveries did not come in time, and are waited for no longer than a moment
_IN_VAIN = 16  # such acts in all plays of a run


class Executor:
    """One play on one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._judge = stage.follow()
        self._arrangements = Arrangements(stage)
        self._tabs: dict[str, Actor] = {}
        self._tokens: dict[str, str] = {}  # the ids of those that were created, by their slots
        self._homes: dict[str, tuple[str, str]] = {}  # session and encounter slots in which each was created
        self._late = 0
        self._over = ""  # why the play cannot go on
        self._silent = 0  # acts in a row upon which nothing came

    async def carry_out(self, play: Play) -> None:
        """Do all that a play says, as far as it is possible, and look at everything afterwards.

        Raises `Missing` if the target offers no stage for it, `TargetFault` if nobody can be logged in, and `Unjudged`
        if the stage cannot be set or the server says nothing any more.
        """
        await self._arrangements.prepare([*play.acts, Act("connect", "bob")])
        for group in _together(play.acts):
            await self._do_together(group)
            if self._silent >= (_SILENT if self.stage.target.limits.has_answered else 1):
                self._over = "the server answers nothing, of whatever is sent to it"
            if self._over:
                raise Unjudged(f"{self._over}; the play ends with that")
        await self._read_everything()
        if self._judge.owed():
            await self._settle()
        for tab in self._tabs.values():
            await self._fence(tab)

    async def _do_together(self, group: Sequence[Act]) -> None:
        if len(group) == 1:
            await self._do(group[0])
        else:
            await asyncio.gather(*map(self._do, group))
        await self._settle()

    async def _settle(self) -> None:
        """Wait until everybody has heard what must be heard; not for long, once it was often waited for in vain."""
        loop, limits, known = asyncio.get_running_loop(), self.stage.target.limits, self.stage.target.workarounds
        patient = self._late < _LATE and known.waited_in_vain < _IN_VAIN
        until = loop.time() + (limits.answer if patient else limits.moment)
        while self._judge.owed():
            if loop.time() >= until:
                self._late += 1
                known.waited_in_vain += 1
                break
            await asyncio.sleep(_PACE)
        else:
            return
        names = {tab.connection for tab, _ in self._judge.owed()}  # a round trip shows that it has not come
        await asyncio.gather(*(self._fence(tab) for tab in self._tabs.values() if tab.connection in names))

    async def _do(self, act: Act) -> None:
        before = self.stage.journal.observations[-1].number
        try:
            match act.does:
                case "connect" | "connect with the old cookie":
                    await self._connect(act, before)
                case "send":
                    await self._send(act, before)
                case "disconnect" | "cut":
                    if (tab := self._tabs.get(act.tab)) is not None and not tab.closed:
                        await (tab.disconnect_cleanly() if act.does == "disconnect" else tab.disconnect())
                        self._did(act, before)
                case _:
                    await self._arrange(act)
                    self._did(act, before)
        except (Missing, Refused):
            return  # the act is impossible here, or the model has noted what was refused
        except Unjudged:
            self._late += 1  # what became of it remains open
            self._silent += 1
        if self._came_since(before):
            self._silent = 0

    async def _arrange(self, act: Act) -> None:
        """Do something over HTTP; the play ends with it if it is not known whether it was done."""
        try:
            await self._arrangements.carry_out(act)
        except (Missing, Refused):
            raise
        except Unjudged as failed:
            self._over = str(failed)
            raise
        for name, tab in self._tabs.items():
            tab.logged_out = tab.identity is not self._arrangements.login(_role(name))

    def _did(self, act: Act, before: int) -> None:
        """Note that an act was done, or is about to be, after an observation."""
        self.stage.acts.append((before, str(act)))

    def _came_since(self, number: int) -> bool:
        """Whether anything came from the server since an observation."""
        since = itertools.takewhile(lambda seen: seen.number > number, reversed(self.stage.journal.observations))
        return any(seen.act in _SIGNS for seen in since)

    # -- tabs ------------------------------------------------------------------------------------------

    async def _connect(self, act: Act, before: int) -> None:
        old = act.does != "connect"
        login = self._arrangements.ended_login(act.role) if old else self._arrangements.login(act.role)
        tab = self._tabs.get(act.tab)
        if login is None or (tab is not None and not tab.closed and not old):
            return
        name = f"{act.tab} with the old cookie" if old else act.tab
        opened = await self.stage.actor(act.role, called=name, identity=login)
        if old:
            self.stage.journal.write(name, opened.connection, "arranges", "handshake", ({"cookie": "logged out"},))
        self._did(act, before)
        await opened.connect(transport=act.transport or None)
        if not old:
            self._tabs[act.tab] = opened

    async def _tab(self, name: str) -> Actor | None:
        """Return the connection of a tab; connected again, and in the room again, if the server has ended it."""
        tab = self._tabs.get(name)
        if tab is None:
            return None
        if tab.closed:
            stay = tab.stay
            if stay is None or stay.why != "closed" or tab.identity is not self._arrangements.login(_role(name)):
                return None
            await tab.reconnect()
        return tab

    async def _fence(self, tab: Actor) -> None:
        if not tab.closed:
            try:
                await tab.fence()
            except Unjudged:
                self._late += 1

    # -- requests --------------------------------------------------------------------------------------

    async def _send(self, act: Act, before: int) -> None:
        tab = await self._tab(act.tab)
        request = self._request(act)
        if tab is None or request is None:
            return
        self._did(act, before)
        if not act.callback:
            await tab.send_without_callback(request)
            await self._fence(tab)
            if act.event == "token:create":
                self._note_token(act, request)
            return
        try:
            answer = await tab.try_get_answer(request, hurried=True)
        except Unjudged:
            if act.event == "token:create":
                self._note_token(act, request)
            raise
        if act.event == "token:create" and answer.accepted:
            self._note_token(act, request, answer)

    def _note_token(self, act: Act, request: Request, answer: Acknowledgement | None = None) -> None:
        if not act.token:
            return
        try:
            made = created_id(answer or Acknowledgement(request, Arguments()), self.stage.journal)
        except Unjudged:
            return
        self._tokens[act.token] = made
        self._homes[act.token] = act.session, act.encounter

    def _request(self, act: Act) -> Request | None:
        """Return the request that an act sends; None if there is nothing of what it is about."""
        ids = self._ids(act)
        if ids is None:
            return None
        try:
            request = payload_of(act.event, act.payload, ids, action=act.action, twist=act.twist)
        except (ValueError, KeyError):
            return None
        if not request.legal:
            request = replace(request, requirement=forbidden_by(act.payload))
        if act.twist:
            named = act.twist.rpartition(" ")[2] in NAMES
            blamed = "payloads/any-id-is-an-id" if named else "payloads/ids-compared-exactly"
            request = replace(request, requirement=blamed)
        return request

    def _ids(self, act: Act) -> dict[str, str] | None:
        found: dict[str, str] = {}
        game = self._arrangements.game(act.session)
        if act.session == NOWHERE:
            found["sessionId"] = unknown_id("session")
        elif game is None:
            return None
        else:
            found["sessionId"] = game.session
        if act.user == NOWHERE:
            found["userId"] = unknown_id("user")
        elif act.user:
            user = self._arrangements.known(act.user)
            if user is None:
                return None
            found["userId"] = user.user
        if (other := self._arrangements.known("alice" if act.role != "alice" else "bob")) is not None:
            found["claimedId"] = other.user
        needed = needed_ids(Catalogue.load()[act.action or act.event])
        encounter = self._encounter(act) if "encounterId" in needed else unknown_id("encounter")
        token = self._token(act) if "tokenId" in needed else unknown_id("token")
        if encounter is None or token is None:
            return None
        return {**found, "encounterId": encounter, "tokenId": token}

    def _encounter(self, act: Act) -> str | None:
        slot = act.encounter
        if act.token and act.event != "token:create" and not slot:
            slot = self._homes.get(act.token, (act.session, slot))[1]
        if slot == "nowhere":
            return unknown_id("encounter")
        game = self._arrangements.game(act.session) or self._arrangements.game(HERE)
        if slot == "other":
            game, slot = self._arrangements.other(act.session), ""
        opened = game.encounters if game is not None else []
        place = int(slot) - 1 if slot.isdigit() and slot != "0" else 0
        return opened[place] if place < len(opened) else None

    def _token(self, act: Act) -> str | None:
        if act.token == "nowhere" or act.event == "token:create" or not act.token:
            return unknown_id("token")
        return self._tokens.get(act.token)

    # -- looking ---------------------------------------------------------------------------------------

    async def _read_everything(self) -> None:
        """Have a bystander, and a tab that was there all the time, look at all that can be looked at."""
        bystander = "bob/9"
        await self._do(Act("connect", bystander))
        for session in (HERE, THERE):
            if self._arrangements.game(session) is not None:
                await self._do(Act("send", bystander, event="join-session", session=session))
                await self._read_tokens(bystander, session)
        for role in ("alice", "carol", "dave", "mallory"):
            await self._do(Act("send", bystander, event="get-user-data", user=role))

    async def _read_tokens(self, tab: str, session: str) -> None:
        homes = [slot for slot, (home, _) in self._homes.items() if home == session]
        for slot in homes[-_READS:]:
            await self._do(Act("send", tab, event="token:update", session=session, token=slot, payload="with:shown"))
            question = Act("send", tab, event="validate-action", session=session, token=slot, action="token:move")
            await self._do(question)
        await self._settle()


def _role(tab: str) -> str:
    return tab.partition("/")[0]


def _together(acts: Iterable[Act]) -> Iterator[list[Act]]:
    """Yield the acts in groups of those that begin without waiting for each other."""
    group: list[Act] = []
    for act in acts:
        if group and not act.together:
            yield group
            group = []
        group.append(act)
    if group:
        yield group
