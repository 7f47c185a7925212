"""Who does not read holds up who sends, through a tap as without it; and an https server is served to http clients."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from dungeonlab_conformance.record.tapped.journal import TapJournal
from dungeonlab_conformance.tap.tap import Tap

_MUCH = 64 << 20  # bytes; far more than the buffers of two connections hold


async def test_who_does_not_read_holds_up_who_sends() -> None:
    """A client that reads nothing stops a server that sends without end, before the tap has taken all of it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        listening.setblocking(False)
        client.setblocking(False)
        async with Tap(f"http://127.0.0.1:{listening.getsockname()[1]}", TapJournal()) as tap:
            await loop.sock_connect(client, ("127.0.0.1", urlsplit(tap.url).port))
            accepted, _ = await loop.sock_accept(listening)
            with accepted:
                accepted.setblocking(False)
                taken = 0
                while taken < _MUCH:
                    try:
                        async with asyncio.timeout(0.5):
                            await loop.sock_sendall(accepted, bytes(1 << 20))
                    except TimeoutError:
                        break
                    taken += 1 << 20
    assert taken < _MUCH
