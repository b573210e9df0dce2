"""Servers that run the bridge, in this process or in their own, and clients of them."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from carbon_site.bridge import Message, Receive, Send
from tests.site import bridge_app

CONTINUE = "Host: localhost\nConnection: close\nExpect: 100-continue"


class Here:
    """A server in a thread of this process; a stream may stall for two seconds."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        self.bridge = bridge_app.bridge(stall=2)
        config = uvicorn.Config(self, log_config=None, access_log=False, proxy_headers=False, lifespan="off")
        self.server = uvicorn.Server(config)
        self.state = self.server.server_state
        self.thread = threading.Thread(target=self.server.run, args=([listener],))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        bridge_app.caller.set("somebody")
        await self.bridge(scope, receive, send)


@contextmanager
def here() -> Iterator[Here]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Here(listener)
        server.thread.start()
        try:
            yield server
        finally:
            server.server.should_exit = True
            server.thread.join()
            server.bridge.close()


@contextmanager
def apart(application: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A server as production runs it. Its port takes requests at once: the socket is made here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = [f"--fd={listener.fileno()}", "--no-access-log", "--timeout-graceful-shutdown=5"]
        command = [sys.executable, "-m", "uvicorn", application, *options]
        with subprocess.Popen(
            command, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield listener.getsockname()[1], process
            finally:
                process.kill()


@contextmanager
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def ask(port: int, target: str, method: str = "GET", **options: Any) -> tuple[int, Any, bytes]:
    """One request on a connection of its own: status, headers, body."""
    with client(port) as connection:
        connection.request(method, target, **options)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def echoed(port: int, target: str = "/echo", method: str = "GET", **options: Any) -> Any:
    return json.loads(ask(port, target, method, **options)[2])


@contextmanager
def wire(port: int, head: str, body: bytes = b"") -> Iterator[socket.socket]:
    """A bare connection on which a request was begun; it takes little at a time."""
    with socket.socket() as bare:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
        bare.settimeout(60)
        bare.connect(("127.0.0.1", port))
        bare.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        yield bare


def rest(bare: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = bytearray()
    while data := bare.recv(1 << 20):
        received += data
    return bytes(received)
