"""Servers that answer with whatever bytes a test gives, well-formed or not, and record what they were asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[[str], Iterable[bytes]]  # from the first line of a request to the pieces of what it is answered


@dataclass
class BytesServer:
    """A server on loopback: `url` is where, `asked` the head of each request, as text."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def bytes_server(
    answer: Answer, *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[BytesServer]:
    """Serve while the block runs. Each answer is sent piece by piece, as fast as it is taken; then the line is cut."""
    made = BytesServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            made.asked.append(head)
            for piece in answer(head.split("\r\n")[0]):
                writer.write(piece)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=context)
    made.url = f"{'https' if context else 'http'}://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


def http(status: str, body: bytes = b"", *headers: str) -> list[bytes]:
    """Return one whole HTTP answer, with its length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return ["\r\n".join(lines).encode("latin-1") + body]
