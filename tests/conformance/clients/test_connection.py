"""A connection to a server that sends what no server should: observed, and never a failure of the suite's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from tests.conformance.scripted_server import ENTERED, OPEN, over_websocket, serving

from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.engine_io import Closed
from dungeonlab_conformance.clients.obstacles import Unreadable
from dungeonlab_conformance.clients.raw.tcp import TcpConnection
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Gone, TargetFault, Unjudged
from dungeonlab_conformance.target.identity import Identity
from dungeonlab_conformance.target.limits import Capacity, Limits
from dungeonlab_conformance.target.target import Target

QUESTION = "get-user-data"


def actor(url: str, **options: Any) -> Actor:
    return Actor("alice", None, Target(url, limits=Limits(0.3), **options), Journal())


def question() -> Request:
    return Request(QUESTION, ({},), None, None)


HARMLESS = [
    '43999[{"success":true}]',  # an answer that nobody asked for
    "43" + "9" * 10_000 + "[]",
    '42[5,{"sessionId":"s"}]',
    "42[null]",
    '42["chat-message",{"sessionId":"\\ud800"}]',
    '42["chat-message",' + "[" * 50_000 + "]" * 50_000 + "]",
    '42["chat-message",{"a":1e999}]',
    '42{"a":1}',
    '42["chat-mess',
    "4",
    "",
    "7",
    "0{}",
    "44{}",
    '40{"sid":"again"}',
    "41/elsewhere,",
    '42/elsewhere,["chat-message",{}]',
    b"bytes that belong to nothing",
    '451-["x",{"_placeholder":true,"num":5}]',
    '459999999-["x"]',
    '4512["x",{"_placeholder":true,"num":0}]',
]


@pytest.mark.parametrize("frame", HARMLESS, ids=lambda frame: repr(frame[:24]))
async def test_odd_frames_are_observed_and_the_connection_goes_on(frame: str | bytes) -> None:
    """A request is answered behind each of them."""
    async with serving(over_websocket(frame)) as url:
        alice = actor(url)
        await alice.connect()
        assert (await alice.try_send(question())).accepted
        assert alice.failure is None
        assert all(isinstance(seen.event, str) for seen in alice.journal.observations)
        await alice.close()


@pytest.mark.parametrize(
    "frame", ['430[{"a":', "430" + "[" * 50_000 + "]" * 50_000, '430[{"a":NaN}]', "430[" + "1," * 60_000 + "1]"]
)
async def test_an_answer_that_cannot_be_read_is_one(frame: str) -> None:
    """It says neither yes nor no; that is a matter of the request that it answers."""
    async with serving(over_websocket(frame)) as url:
        alice = actor(url)
        await alice.connect()
        with pytest.raises(Unreadable):
            await alice.try_send(question())
        assert alice.failure is None
        await alice.close()


async def test_a_second_answer_is_observed_on_every_connection() -> None:
    """It is written down as what it is, by any request."""
    async with serving(over_websocket("430[{}]")) as url:
        alice = actor(url)
        await alice.connect()
        await alice.try_send(question())
        await alice.fence()
        assert {seen.event for seen in alice.journal.observations if seen.act == "is answered again"} == {QUESTION}
        await alice.close()


@pytest.mark.parametrize("opening", ["", "hello", "0", "0null", b"\x00", "40", "0" + "{" * 5_000])
async def test_a_handshake_that_cannot_be_read_leaves_nothing_to_judge(opening: str | bytes) -> None:
    """Unjudged, of one kind or another."""
    async with serving(over_websocket(opening=opening)) as url:
        alice = actor(url)
        with pytest.raises(Unjudged):
            await alice.connect()
        assert alice.failure is None


@pytest.mark.parametrize("opening", [OPEN.replace('"s1"', "null"), '0{"sid":5,"pingInterval":-1,"pingTimeout":"x"}'])
async def test_over_websocket_little_of_the_handshake_is_needed(opening: str) -> None:
    """Browsers connect to such servers too."""
    async with serving(over_websocket(opening=opening)) as url:
        alice = actor(url)
        await alice.connect()
        assert (await alice.try_send(question())).accepted
        await alice.close()


@pytest.mark.parametrize("reason", ['44{"message":"no","data":{"code":"UNAUTHENTICATED"}}', "44", "44[1]"])
async def test_a_refusal_is_one_whatever_it_says(reason: str) -> None:
    """CONNECT_ERROR with any payload that can be read."""
    async with serving(over_websocket(entered=reason)) as url:
        with pytest.raises(Refused):
            await actor(url).connect()


@pytest.mark.parametrize("end", ["41", "1"])
async def test_after_the_end_nothing_more_is_heard(end: str) -> None:
    """An event behind DISCONNECT or CLOSE reaches nobody; the request is not answered."""
    async with serving(over_websocket(end, '42["chat-message",{}]')) as url:
        alice = actor(url)
        await alice.connect()
        pending = await alice._ask(question())
        assert await alice._in_time(pending, question()) is None
        assert alice.closed
        assert not alice.journal.heard()
        await alice.close()


async def test_what_cannot_be_sent_any_more_is_known_to_be_so_for_a_close_that_was_observed() -> None:
    """An end that shows in sending first is not raised before it stands in the record."""
    async with serving(over_websocket()) as url:
        alice = actor(url)
        await alice.connect()
        line = alice._line
        assert line

        async def send(*_: object) -> None:
            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(line.close()))
            raise Closed("the server closed the connection")

        line.send = send  # type: ignore[method-assign]
        with pytest.raises(Gone):
            await alice.try_send(question())
        assert "is closed" in {seen.act for seen in alice.journal.observations}
        await alice.close()


async def test_the_offset_of_recovered_connections_is_no_argument() -> None:
    """Where the server gave a pid, the text behind an event's arguments belongs to Socket.IO; elsewhere it is one."""
    frame = '42["chat-message",{"sessionId":"s"},"offset-1"]'
    for entered, count in (('40{"sid":"a","pid":"b"}', 1), ('40{"sid":"a"}', 2)):
        async with serving(over_websocket(frame, entered=entered)) as url:
            alice = actor(url)
            await alice.connect()
            await alice.try_send(question())
            assert [len(seen.args) for seen in alice.journal.heard()] == [count]
            assert alice.target.recovers is (count == 1)
            await alice.close()


async def test_a_stay_ends_with_the_answer_and_not_when_it_is_looked_at() -> None:
    """An event right behind the answer to `leave-session`, in one piece with it, was heard by one who had left."""

    async def leaky(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(OPEN)
        async for message in socket:
            if message.data == "40":
                await socket.send_str(ENTERED)
            elif message.data.startswith("42"):
                number = message.data[2 : message.data.index("[")]
                answer = f'43{number}[{{"success":true,"data":{{"sessionId":"s"}}}}]'
                pieces = [answer, '42["chat-message",{"sessionId":"s"}]'] * ("leave" in message.data) or [answer]
                await asyncio.gather(*map(socket.send_str, pieces))
        return socket

    async with serving(leaky) as url:
        alice = actor(url)
        await alice.connect()
        await alice.join("s")
        await alice.try_send(Request("leave-session", ({"sessionId": "s"},), None, "s"))
        await alice.try_observe(lambda seen: seen.act == "hears")
        [stay], [heard] = alice.journal.rooms.stays, alice.journal.heard()
        assert stay.acked_at is not None
        assert stay.left_at is not None
        assert stay.acked_at < stay.left_at < heard.at
        await alice.close()


async def test_a_servers_own_events_are_not_kept_without_end() -> None:
    """A thousand of one name, and a thousand names: about a hundred of each are kept, and the rest goes by."""
    frames = ['42["x-tick",{}]'] * 1_000 + [f'42["x-{number}",{{}}]' for number in range(1_000)]
    async with serving(over_websocket(*frames)) as url:
        alice = actor(url)
        await alice.connect()
        assert (await alice.try_send(question())).accepted
        assert 100 <= len(alice.journal.heard()) <= 250
        await alice.close()


async def test_nor_by_all_connections_of_a_run() -> None:
    """Two thousand of one name are kept by all of them together, and a hundred names; the rest goes by."""
    capacity = Capacity()
    assert [capacity.takes_own("x-tick") for _ in range(3_000)].count(True) == 2_000
    assert [capacity.takes_own(f"x-{number}") for number in range(300)].count(True) == 99


async def test_binary_data_of_its_own_takes_no_room_when_it_is_gone() -> None:
    """Each is three times as large as all that is kept of what goes by; the connection stays open."""
    picture = ('451-["x-picture",{"_placeholder":true,"num":0}]', bytes(3_000))
    async with serving(over_websocket(*picture * 1_000)) as url:
        alice = actor(url, capacity=Capacity(1_000_000))
        await alice.connect()
        assert (await alice.try_send(question())).accepted
        assert not alice.closed
        await alice.close()


async def test_what_a_run_keeps_has_an_end() -> None:
    """Once that is reached, the connection is closed; every request, and every new connection, says why."""
    async with serving(over_websocket(*['42["chat-message",{}]'] * 1_000)) as url:
        alice = actor(url, capacity=Capacity(1_000_000))
        await alice.connect()
        with pytest.raises(TargetFault, match="without end"):
            await alice.try_send(question())
        assert len(alice.journal.observations) < 1_000
        with pytest.raises(TargetFault, match="without end"):
            await actor(url, capacity=alice.target.capacity).connect()
        await alice.close()


async def test_of_other_scenes_broadcasts_no_more_are_kept_than_show_something() -> None:
    """Five thousand broadcasts of a session that this scene does not know: some go by; all of its own are kept."""
    foreign, own = (f'42["chat-message",{{"sessionId":"{each}"}}]' for each in ("of another scene", "s"))
    async with serving(over_websocket(*[foreign] * 5_000, *[own] * 3_000)) as url:
        alice = actor(url)
        alice.journal.rooms.opened("s", {"alice"})
        await alice.connect()
        assert (await alice.try_send(question())).accepted
        kept = [seen.args[0]["sessionId"] for seen in alice.journal.heard()]
        assert 1_000 <= kept.count("of another scene") <= 2_500
        assert kept.count("s") == 3_000
        await alice.close()


async def test_a_message_too_large_closes_the_connection() -> None:
    """More than four megabytes are not read, and that is what ended it, not the server."""
    async with serving(over_websocket('42["x","' + "a" * 5_000_000 + '"]')) as url:
        alice = actor(url)
        await alice.connect()
        with pytest.raises(Unjudged, match=r"was closed before get-user-data was answered: .* more than 4 MB"):
            await alice.try_send(question())
        assert alice.failure is None
        await alice.close()


async def test_an_event_of_the_servers_own_may_be_deeper_than_what_is_read() -> None:
    """It shows nothing, unlike one that is no JSON, or an event of the protocol that nobody asked to be so deep."""
    deep, long = "[" * 900 + "]" * 900, "9" * 5_000
    own = [f'42["x-tree",{deep}]', f'42["x-tree",{{"n":{long}}}]', f'42["x-list",[{"0," * 60_000}0]]']
    async with serving(over_websocket(*own, '42["x-tree",{"n":NaN}]', f'42["chat-message",{deep}]')) as url:
        alice = actor(url)
        await alice.connect()
        await alice.try_send(question())
        unread = [seen.event for seen in alice.journal.observations if seen.act == "cannot read"]
        assert unread == ["a packet: NaN is no JSON", "a packet: nested more than 600 levels deep"]
        await alice.close()


async def test_a_redirect_is_not_followed() -> None:
    """Not by polling and not by WebSocket; the other host is never asked."""
    asked: list[str] = []

    async def other(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=OPEN)

    async with serving(other) as elsewhere:

        async def moved(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(elsewhere + request.path_qs)

        async with serving(moved) as url:
            for transport in ("websocket", "polling"):
                with pytest.raises((Unjudged, TargetFault)):
                    await actor(url, transport=transport).connect()
    assert asked == []


@pytest.mark.parametrize("value", [chr(0xDCFF), chr(0xD800)])
def test_a_cookie_that_is_no_text_goes_back_over_tcp_all_the_same(value: str) -> None:
    """Bytes that are no UTF-8 as they came, and what no server can have sent in some way."""
    identity = Identity("alice", "a", {"sid": value})
    head = TcpConnection(Target("http://127.0.0.1:1"), identity).upgrade()
    assert b"Cookie: sid=" + (b"\xff" if value == "\udcff" else b"?") in head


async def test_who_is_logged_out_does_not_come_back() -> None:
    """The cookie is dead: that it is refused shows nothing."""
    actor = Actor("alice", None, Target("http://127.0.0.1:9"), Journal())
    actor.logged_out = True
    with pytest.raises(Gone, match="alice's login was ended"):
        await actor.reconnect()


@pytest.mark.parametrize(
    ("claims", "named"),
    [({"userId": "carol", "user": {"id": "carol"}}, ["carol"]), ({"userId": "c\r\nX: y"}, []), ({}, []), (None, [])],
)
async def test_a_claim_is_made_in_headers_too(claims: dict[str, Any] | None, named: list[str]) -> None:
    """Where there is none, or one that is no header, nobody is named."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.extend(request.headers.getall("X-Forwarded-User", []))
        raise web.HTTPForbidden

    async with serving(handle) as url:
        with pytest.raises(Refused):
            await actor(url).connect(claims=claims)
    assert list(dict.fromkeys(seen)) == named
