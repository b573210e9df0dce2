"""Asks one address over and over, from keep-alive clients, and prints how many answers came in a second.

python -m tests.bench.load PORT PATH TOKEN CLIENTS SECONDS. A process of its own, that does as little as it can.
"""

import asyncio
import re
import sys
import time

HOST = "127.0.0.1"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


async def client(port: int, request: bytes, end: float) -> int:
    """The number of answers until the end. Raises RuntimeError for any but a 200."""
    reader, writer = await asyncio.open_connection(HOST, port)
    answers = 0
    while time.monotonic() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        await reader.readexactly(int(length[1]))
        answers += 1
    writer.close()
    await writer.wait_closed()
    return answers


async def load(port: int, path: str, token: str, clients: int, seconds: float) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    began = time.monotonic()
    counts = await asyncio.gather(*(client(port, request, began + seconds) for _ in range(clients)))
    return sum(counts) / (time.monotonic() - began)


if __name__ == "__main__":
    port, path, token, clients, seconds = sys.argv[1:]
    sys.stdout.write(str(asyncio.run(load(int(port), path, token, int(clients), float(seconds)))))
