"""Whatever is sent is answered, or ends the sender's own connection; nobody else notices."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from typing import Any

import aiohttp
import pytest
from tests.reference_server import people
from tests.reference_server.people import PATIENCE, Frames, House, Person, eventually, house

from dungeonlab_reference_server import engine
from dungeonlab_reference_server.settings import Settings

DEEP = "[" * 300 + "]" * 300
TOO_DEEP = "[" * 100_000


@pytest.fixture
async def bob(here: House) -> Person:
    """Return somebody with bad intentions."""
    return await here.person()


async def refusal(frames: Frames, request: str, number: str) -> dict[str, Any]:
    """Send a frame and return the failure envelope it is answered with."""
    await frames.socket.send_str(request)
    (answer,) = json.loads((await frames.until(f"43{number}["))[2 + len(number) :])
    assert answer["success"] is False
    assert isinstance(answer, dict)
    return answer


PAYLOADS = {
    "nothing": '42{n}["chat-message"]',
    "null": '42{n}["chat-message",null]',
    "array": '42{n}["chat-message",[1,2]]',
    "text": '42{n}["chat-message","hi"]',
    "number": '42{n}["chat-message",5]',
    "two": '42{n}["chat-message",{{}},{{}}]',
    "deep": '42{n}["chat-message",{{"sessionId":"s","message":"m","x":' + DEEP + "}}]",
    "too deep": '42{n}["chat-message",' + TOO_DEEP,
    "surrogate": '42{n}["chat-message",{{"sessionId":"s","message":"\\ud800"}}]',
    "surrogate name": '42{n}["\\ud800chat",{{}}]',
    "infinity": '42{n}["token:move",{{"position":{{"x":Infinity,"y":1}}}}]',
    "huge integer": '42{n}["token:move",{{"position":{{"x":' + "9" * 5000 + ',"y":1}}}}]',
    "no array": '42{n}{{"chat-message":1}}',
    "no name": "42{n}[]",
    "name is a number": "42{n}[5,{{}}]",
    "cut off": '42{n}["chat-message",{{"sess',
    "no json": "42{n}hello",
    "megabyte": '42{n}["chat-message",{{"sessionId":"s","message":"' + "x" * 1_100_000 + '"}}]',
}


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_a_broken_request_is_refused(bob: Person, payload: str) -> None:
    """VALIDATION_ERROR, and the connection goes on."""
    frames = await bob.frames()
    assert (await refusal(frames, PAYLOADS[payload].format(n=7), "7"))["code"] == "VALIDATION_ERROR"
    assert (await refusal(frames, '428["chat-message",{}]', "8"))["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_a_broken_request_without_a_callback_is_reported_by_an_error_event(bob: Person, payload: str) -> None:
    """There is never silence."""
    frames = await bob.frames()
    await frames.socket.send_str(PAYLOADS[payload].format(n=""))
    assert "VALIDATION_ERROR" in await frames.until('42["error"')


async def test_the_number_of_a_request_may_be_huge(bob: Person) -> None:
    """An answer carries the very number that was asked for, whatever it is."""
    frames = await bob.frames()
    for number in ("0", "9" * 100):
        await refusal(frames, f'42{number}["chat-message"]', number)


SIZES = pytest.mark.parametrize("size", [900_000, 1_100_000, 3_900_000])


def judge_size(answer: str, size: int) -> None:
    """Below the limit the payload is judged, above it the size is."""
    assert '"code":"VALIDATION_ERROR"' in answer
    assert ("larger than 1000000 bytes" in answer) == (size > 1_000_000)


@SIZES
async def test_what_is_too_large_is_refused_with_a_code(bob: Person, size: int) -> None:
    """VALIDATION_ERROR, by the acknowledgement, and the answer says what was wrong."""
    frames = await bob.frames()
    await frames.socket.send_str('427["chat-message",{"sessionId":"s","message":"' + "x" * size + '"}]')
    judge_size(await frames.until("437["), size)


@SIZES
async def test_what_is_too_large_is_refused_over_polling_too(bob: Person, size: int) -> None:
    """The same code, the same words."""
    url = await polling(bob)
    body = io.BytesIO(b'427["chat-message",{"sessionId":"s","message":"' + b"x" * size + b'"}]')
    async with bob.http.post(url, data=body) as answer:
        assert answer.status == 200
    async with bob.http.get(url) as answer:
        judge_size(await answer.text(), size)


async def test_what_is_far_too_large_ends_the_connection_with_a_code() -> None:
    """WebSocket's own code for it, 1009, over one transport, and HTTP's, 413, over the other."""
    async with house(Settings(largest_message=2000, check_outgoing=True)) as strict:
        bob = await strict.person()
        frames, url = await bob.frames(), await polling(bob)
        await frames.socket.send_str('427["chat-message","' + "x" * 8000 + '"]')
        assert await frames.is_closed() == 1009
        async with bob.http.post(url, data=b"42" + b"x" * 8000) as answer:
            assert answer.status == 413
            assert (await answer.json())["code"] == "TOO_LARGE"


async def test_limits_are_settings() -> None:
    """Another limit on size or depth is another refusal."""
    async with house(Settings(largest_message=2000, deepest_payload=8, check_outgoing=True)) as strict:
        frames = await (await strict.person()).frames()
        nested = '427["chat-message",{"sessionId":"s","message":"m","x":' + "[" * 8 + "]" * 8 + "}]"
        assert "deeper than 8" in (await refusal(frames, nested, "7"))["error"]
        large = '428["chat-message","' + "x" * 2000 + '"]'
        assert "larger than 2000" in (await refusal(frames, large, "8"))["error"]


async def test_binary_data_is_refused_before_it_has_arrived(bob: Person) -> None:
    """The answer does not wait for the attachments; they are thrown away, and text between them is not one of them."""
    frames = await bob.frames()
    hidden = '453-7["token:create",{"token":{"data":{"_placeholder":true,"num":0}}}]'
    assert (await refusal(frames, hidden, "7"))["code"] == "VALIDATION_ERROR"
    await frames.socket.send_bytes(b"one")
    await refusal(frames, '428["chat-message"]', "8")
    await frames.socket.send_bytes(b"two")
    await frames.socket.send_bytes(b"three")
    await refusal(frames, '429["chat-message"]', "9")
    await frames.socket.send_bytes(b"one too many")
    await frames.is_closed()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_client_that_sends_binary_data_goes_on(here: House, transport: str) -> None:
    """A real client's bytes, alone or inside an object, are refused, and the next request is heard."""
    bob = await (await here.person()).connects(transport)
    for payload in (b"x", {"sessionId": b"x", "message": [b"y"]}):
        assert await bob.is_refused("chat-message", payload) == "VALIDATION_ERROR"
    await bob.does("get-user-data", {})


async def test_attachments_are_not_kept(here: House, bob: Person) -> None:
    """Billions may be announced: nothing of them is remembered but how many are to come."""
    frames = await bob.frames()
    await refusal(frames, '459999999999-7["chat-message",{"_placeholder":true,"num":0}]', "7")
    for _ in range(3):
        await frames.socket.send_bytes(b"x" * 500_000)
    await refusal(frames, '428["chat-message"]', "8")
    assert list(here.pipeline.sockets._attachments.values()) == [9_999_999_996]
    await frames.socket.close()
    await eventually(lambda: not here.pipeline.sockets._attachments)


FATAL = ["", "x", "9", "4", "47", "4x", "44", '442["a"]', "b!!", "3[[[[", "4[[[[", '42/admin,1["chat-message"]', "4²"]


@pytest.mark.parametrize("frame", FATAL)
async def test_a_hostile_frame_ends_its_own_connection(here: House, bob: Person, frame: str) -> None:
    """The sender's WebSocket is closed, nothing of the connection is left, and others do not notice."""
    other = await bob.connects()
    frames = await bob.frames()
    await frames.socket.send_str(frame)
    await frames.is_closed()
    await eventually(lambda: len(here.pipeline.users) == len(here.pipeline.sockets.eio.sockets) == 1)
    await other.does("get-user-data", {})


@pytest.mark.parametrize("frame", ["2", "6", "0", "430[]", "461-[]", "45"])
async def test_a_useless_frame_is_harmless(bob: Person, frame: str) -> None:
    """What asks for nothing is taken or ends the connection; the server lives."""
    frames = await bob.frames()
    await frames.socket.send_str(frame)
    await (await bob.connects()).does("get-user-data", {})


async def test_a_request_before_the_namespace_ends_the_connection(here: House, bob: Person) -> None:
    """Nobody is there yet to whom an answer could go."""
    async with bob.http.ws_connect("/socket.io/?EIO=4&transport=websocket") as opened:
        await opened.send_str('427["chat-message",{}]')
        await Frames(opened).is_closed()
    await eventually(lambda: not here.pipeline.sockets.eio.sockets)


async def test_a_second_connect_and_other_namespaces_are_refused(bob: Person) -> None:
    """Each is refused so, and the connection that is there goes on."""
    frames = await bob.frames()
    await frames.socket.send_str("40")
    assert "message" in json.loads((await frames.until("44"))[2:])
    await frames.socket.send_str("40/admin,")
    assert "message" in json.loads((await frames.until("44/admin,"))[9:])
    await refusal(frames, '427["chat-message"]', "7")


# -- polling -----------------------------------------------------------------------------------------


async def polling(person: Person) -> str:
    """Shake hands over polling and enter the namespace; returns the URL of that connection."""
    url = "/socket.io/?EIO=4&transport=polling"
    async with person.http.get(url) as answer:
        url += f"&sid={json.loads((await answer.text())[1:])['sid']}"
    async with person.http.post(url, data="40") as answer:
        assert answer.status == 200
    async with person.http.get(url) as answer:
        assert (await answer.text()).startswith("40")
    return url


@pytest.mark.parametrize("body", [b"", b"\xff", b"x", b"42[]\x1e", b"b!!!", b"d=42[]", b"4[[[[", b"47"])
async def test_a_hostile_upload_is_answered(here: House, bob: Person, body: bytes) -> None:
    """400 in JSON, though nobody polls, and the connection is over."""
    url = await polling(bob)
    async with asyncio.timeout(PATIENCE):
        async with bob.http.post(url, data=body) as answer:
            assert answer.status == 400
            assert set(await answer.json()) == {"error", "code"}
    await eventually(lambda: not here.pipeline.users)


async def test_many_packets_in_one_upload_are_all_answered(bob: Person) -> None:
    """A client that was busy sends what has gathered at once."""
    url = await polling(bob)
    body = "\x1e".join(f'42{n}["chat-message"]' for n in range(200))
    async with bob.http.post(url, data=body) as answer:
        assert answer.status == 200
    seen = ""
    while seen.count("VALIDATION_ERROR") < 200:
        async with bob.http.get(url) as answer:
            seen += await answer.text()


async def test_an_upload_in_pieces_is_read_whole(bob: Person) -> None:
    """Also one that does not say how long it is."""
    url = await polling(bob)

    async def pieces() -> Any:
        for piece in (b'427["chat-', b'message"]'):
            yield piece
            await asyncio.sleep(0.01)

    async with bob.http.post(url, data=pieces()) as answer:
        assert answer.status == 200
    async with bob.http.get(url) as answer:
        assert "VALIDATION_ERROR" in await answer.text()


async def test_handshakes_that_are_none(here: House, bob: Person) -> None:
    """Old protocols, unknown transports, unknown connections, and a WebSocket that is none, leave nothing behind."""
    for query, headers in (
        ("EIO=3&transport=polling", {}),
        ("EIO=4&transport=pigeon", {}),
        ("EIO=4&transport=polling&sid=nobody", {}),
        ("EIO=4&transport=websocket", {}),
        ("EIO=4&transport=websocket", {"Connection": "Upgrade", "Upgrade": "websocket"}),
    ):
        async with bob.http.get(f"/socket.io/?{query}", headers=headers) as answer:
            assert answer.status == 400, query
    assert not [s for s in here.pipeline.sockets.eio.sockets.values() if not s.closed]


# -- upgrades ----------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an upgrade a tenth of a second."""
    monkeypatch.setattr(engine, "_UPGRADE", 0.1)


@pytest.mark.parametrize("frames", [[], ["2probe"], ["hello"], ["2probe", "42[]"], ["5"]])
@pytest.mark.parametrize("goes", [True, False])
async def test_a_half_open_upgrade_leaves_polling_alone(
    here: House, bob: Person, frames: list[str], goes: bool, hasty: None
) -> None:
    """A WebSocket that begins to take over and goes, or falls silent, costs no message."""
    url = await polling(bob)
    async with bob.http.ws_connect(url.replace("=polling", "=websocket"), max_msg_size=0) as opened:
        for frame in frames:
            await opened.send_str(frame)
        if goes:
            await opened.close()
        else:
            await Frames(opened).is_closed()
    await eventually(lambda: not any(s.upgrading for s in here.pipeline.sockets.eio.sockets.values()))
    async with bob.http.post(url, data='427["get-user-data",{}]') as answer:
        assert answer.status == 200
    seen = ""
    while '437[{"success":true' not in seen:
        async with bob.http.get(url) as answer:
            assert answer.status == 200
            seen += await answer.text()


async def test_an_upgrade_takes_over(bob: Person) -> None:
    """Then polling is over, and the WebSocket goes on where it ended."""
    url = await polling(bob)
    async with bob.http.ws_connect(url.replace("=polling", "=websocket")) as opened:
        frames = Frames(opened)
        await opened.send_str("2probe")
        await frames.until("3probe")
        async with bob.http.get(url) as answer:
            assert await answer.text() == "6"
        await opened.send_str("5")
        await opened.send_str('427["get-user-data",{}]')
        assert "true" in await frames.until("437[")
        async with bob.http.get(url) as answer:
            assert answer.status == 400


async def test_a_client_that_does_not_read_is_let_go(here: House, bob: Person) -> None:
    """What cannot be written for longer than a ping may take ends the connection."""
    here.pipeline.sockets.eio.ping_timeout = 0.2
    session = await here.table(bob)
    talker = await bob.joins(session)
    host, _, port = here.url.removeprefix("http://").partition(":")
    (cookie,) = bob.http.cookie_jar
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=2**12)
    writer.write(
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Cookie: {cookie.key}={cookie.value}\r\n\r\n".encode()
    )
    for frame in (b"40", b'427["join-session",{"sessionId":"%s"}]' % session.encode()):
        writer.write(bytes((0x81, 0x80 | len(frame))) + b"\0\0\0\0" + frame)
    await eventually(lambda: len(here.pipeline.seats) == 2)
    encounter = await bob.asks("POST", f"/api/game-sessions/{session}/encounters", {"name": "x"}, expect=201)
    token = people.draft(data={"x": "x" * 900_000})
    for _ in range(12):
        await talker.does("token:create", {"sessionId": session, "encounterId": encounter["id"], "token": token})
    await eventually(lambda: len(here.pipeline.seats) == 1)
    writer.close()
    del reader


async def test_connections_leave_nothing_behind(here: House, bob: Person) -> None:
    """When all have gone, by whatever way, the server remembers none."""
    session = await here.table(bob)
    await (await bob.joins(session)).leave()
    async with bob.http.post(await polling(bob), data="1") as answer:
        assert answer.status == 200
    frames = await bob.frames()
    frames.socket._response.connection.transport.abort()  # type: ignore[union-attr]
    path = "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession(here.url) as stranger, stranger.ws_connect(path) as opened:
        await opened.send_str("40")
        await Frames(opened).until("44")
    pipeline = here.pipeline
    await eventually(lambda: not pipeline.users and not pipeline.seats and not pipeline.sockets.environ)
    assert not pipeline.sockets.manager.rooms
    assert not pipeline.sockets.manager.pending_connect
    assert not pipeline.sockets.manager.pending_disconnect
