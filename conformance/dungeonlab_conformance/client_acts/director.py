"""The director: makes happen to the clients of some users what clients must cope with. Each method is one such thing.

The bundled server does what concerns requests and connections, so that ids and order stay right on both transports.
The tap does what concerns the wire. Each is noted in the journal before it happens. The methods return a sentence on
what they did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from dungeonlab_conformance.client_acts.others import Others
from dungeonlab_conformance.client_acts.processes.directed_server import DirectedServer
from dungeonlab_conformance.record.tapped.acts import DirectorAct
from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.results.errors import Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.tap.link import Cut
from dungeonlab_conformance.tap.tap import Tap
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_spec import Catalogue

CODE = "INTERNAL_ERROR"  # any request may be refused with it, and it is no reason to leave
STRANGE = ("x-bench:hello", "user-waved", "token:whistle")  # events of no version; some look like what there is
BARE, ODD = "x-bench:bell", "x-bench:note"  # such events without an argument, and with several that are no objects
PICTURE, _PICTURE_SIZE = "x-bench:picture", 64  # such an event with binary data, of so many bytes
_DOORS = ("join-session", "leave-session")


class Director:
    """Makes things happen to the clients of `audience`, who belong to the session of a stage and come through a tap."""

    def __init__(
        self,
        server: DirectedServer,
        tap: Tap,
        journal: TapJournal,
        stage: Stage,
        others: Others,
        audience: Collection[Identity],
    ) -> None:
        self._server = server
        self._tap = tap
        self._journal = journal
        self._stage = stage
        self._others = others
        self._audience = audience

    @property
    def acts(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """What a person may have happen, by name, in the order of the buttons for it."""
        return {
            "refuse-next": self.refuse_next,
            "refuse-join": self.refuse_join,
            "error-event": self.error_event,
            "strange-event": self.strange_event,
            "answer-late": self.answer_late,
            "answer-at-once": self.answer_at_once,
            "cut-off": self.cut_off,
            "go-away": self.go_away,
            "disconnect": self.disconnect,
            "throw-out": self.throw_out,
            "take-in": self.take_in,
            "log-out": self.log_out,
        }

    # -- answers -------------------------------------------------------------------------------------

    async def refuse_next(self, code: str = CODE) -> str:
        """Refuse the next request, unless it joins or leaves."""
        self._note(DirectorAct.REFUSE, code)
        await self._order("refuse_next", code)
        return f"The next request is refused with {code}."

    async def refuse_each(self, code: str, *, with_error_event: bool = False) -> None:
        """Refuse the next request of each kind that has a callback, unless it joins or leaves."""
        self._note(DirectorAct.REFUSE, code)
        if with_error_event:
            self._note(DirectorAct.ERROR_EVENT)
        for event in Catalogue.load().requests():
            if code in event.refusals and event.name not in _DOORS:
                more = {"event": event.name, "with_error_event": with_error_event, "answered": True}
                await self._order("refuse_next", code, **more)

    async def refuse_join(self, code: str = CODE) -> str:
        """Refuse the next request to join a session."""
        self._note(DirectorAct.REFUSE, code)
        await self._order("refuse_next", code, event="join-session")
        return f"The next request to join is refused with {code}."

    async def error_event(self, code: str = CODE) -> str:
        """Refuse the next request that has a callback, with an error event beside the acknowledgement."""
        self._note(DirectorAct.REFUSE, code)
        self._note(DirectorAct.ERROR_EVENT)
        await self._order("refuse_next", code, with_error_event=True, answered=True)
        return f"The next request is refused with {code}, and an error event comes besides."

    async def answer_late(self, seconds: float = 2.0) -> str:
        """Hold every acknowledgement back for two seconds from now on."""
        self._note(DirectorAct.SLOW, f"{seconds:g}")
        await self._order("delay", seconds or None)
        return f"Answers come {seconds:g} seconds late from now on."

    async def answer_at_once(self) -> str:
        """Hold no acknowledgement back any more."""
        await self.answer_late(0.0)
        return "Answers come at once again."

    # -- events --------------------------------------------------------------------------------------

    async def strange_event(self) -> str:
        """Send events that no version of the protocol knows."""
        payload = {"sessionId": self._stage.session, "userId": "somebody", "timestamp": "2026-01-01T00:00:00.000Z"}
        events: dict[str, tuple[object, ...]] = dict.fromkeys(STRANGE, (payload,))
        events |= {BARE: (), ODD: ("a note", None, [1])}
        for name, arguments in events.items():
            self._note(DirectorAct.UNKNOWN_EVENT, name)
            await self._order("emit", name, *arguments)
        self._note(DirectorAct.UNKNOWN_EVENT, PICTURE)
        await self._order("emit_binary", PICTURE, _PICTURE_SIZE)
        return f"{', '.join((*events, PICTURE))} were sent."

    async def come_and_go(self, reason: str) -> None:
        """Have somebody else go, in the way of that reason, and come back."""
        self._note(DirectorAct.PRESENCE, reason)
        await self._others.come_and_go(reason)

    # -- connections ---------------------------------------------------------------------------------

    async def cut_off(self, how: Cut = "fin") -> str:
        """End every connection, as a broken network does."""
        await self._cut(how)
        return "Every connection was cut off."

    async def go_away(self, seconds: float = 10.0) -> str:
        """Be away for ten seconds: connections end, and new ones are refused."""
        self._note(DirectorAct.AWAY, f"{seconds:g}")
        self._tap.refuse(seconds)
        asyncio.get_running_loop().call_later(seconds, self._note, DirectorAct.BACK)
        await self._cut("fin")
        return f"Nobody can connect for {seconds:g} seconds."

    async def disconnect(self) -> str:
        """Disconnect by a packet that says so, as some servers do after a refusal."""
        self._note(DirectorAct.DISCONNECT)
        await self._order("end_user")
        return "Every connection was ended by the server."

    async def _cut(self, how: Cut) -> None:
        for connection in self._open_connections():
            self._note(DirectorAct.CUT, how, connection)
            await self._tap.cut(connection, how)
        if how != "silence":  # whose session ends on both sides as soon as no ping is answered
            await self._order("end_connections")

    def _open_connections(self) -> list[int]:
        there = dict.fromkeys(packet.connection for packet in self._journal.packets if packet.kind == "open")
        gone = {packet.connection for packet in self._journal.packets if packet.kind == "close"}
        return [connection for connection in there if connection not in gone]

    # -- memberships and logins ----------------------------------------------------------------------

    async def throw_out(self) -> str:
        """End every membership of the session, as a game master does."""
        self._note(DirectorAct.REMOVE)
        for who in self._audience:
            with suppress(Unjudged):  # is no member any more
                await self._stage.games.revoke(self._stage.game, who)
        return "Nobody is a member any more; they cannot join until they are taken in again."

    async def take_in(self) -> str:
        """Make everybody a member of the session again."""
        for who in self._audience:
            await self._stage.games.take_in(self._stage.game, who)
        return "Everybody is a member again."

    async def log_out(self) -> str:
        """Let every cookie die, and end the connections: who comes back with it is refused as UNAUTHENTICATED."""
        self._note(DirectorAct.LOG_OUT)
        await self._order("end_login", as_if_cut=True)
        return "Every cookie is worthless, and every connection was ended; only a new login helps."

    async def _order(self, name: str, *arguments: object, **options: object) -> None:
        for who in self._audience:
            await self._server.order(name, who.user, *arguments, **options)

    def _note(self, act: DirectorAct, text: str = "", connection: int = 0) -> None:
        self._journal.add("tap", "act", event=act, text=text, connection=connection)
