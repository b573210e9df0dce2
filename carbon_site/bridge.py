"""Django's WSGI handler behind an ASGI server.

A plain answer crosses threads once. A stream stays on one thread, because Django ties database connections to threads: it
waits for the socket, and stops when the client leaves or stalls. Whatever happens, the response is closed on its thread,
which gives the connection back to the pool and ends a COPY that was running.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import structlog

from carbon_site.api import CONTENT_TYPE, InternalError, problem_document
from carbon_site.problems import Problem
from carbon_site.requests import BodyTooLarge

Handler = Callable[..., Any]  # a WSGI handler that returns Django's responses
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)
PIECE = 64 << 10  # bytes of a stream that are sent at once
IN_MEMORY = 1 << 20  # bytes of a request's body; a larger one is a temporary file
WHOLE = 2 << 20  # bytes of a stream that is answered whole, if it says how long it is


class TooManyStreams(Problem):
    """As many large answers as may run at once are running."""

    status = 503

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


class ClientLeft(Exception):
    """There is nobody to answer."""


class Bridge:
    """An ASGI application that runs `handler` on threads that stay.

    `max_body` is in bytes; `stall` is how many seconds a client may leave a stream unread.
    """

    def __init__(self, handler: Handler, *, threads: int, max_body: int, stall: float = 60) -> None:
        self.handler, self.max_body, self.stall = handler, max_body, stall
        self.threads = ThreadPoolExecutor(threads, "web")
        self.streams = threading.BoundedSemaphore(max(1, threads // 2))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        with suppress(ClientLeft), SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            for message in await self.answer(Exchange(self, scope, body, send), receive):
                await send(message)

    async def answer(self, exchange: "Exchange", receive: Receive) -> list[Message]:
        """What is left to send when the threads are done with it. Raises ClientLeft."""
        try:
            await exchange.read(receive)
            return await self.run(exchange, receive)
        except ClientLeft:
            raise
        except Exception as error:
            if exchange.started:
                raise  # the server cuts the connection, so that a part never looks whole
            return exchange.refusal(error)

    async def run(self, exchange: "Exchange", receive: Receive) -> list[Message]:
        watcher = asyncio.create_task(exchange.watch(receive))
        try:
            return await exchange.loop.run_in_executor(self.threads, copy_context().run, exchange.run)
        finally:
            exchange.left.set()  # also where this task was cancelled: the thread must not go on alone
            watcher.cancel()

    def close(self) -> None:
        """Start nothing more. What runs goes on to its end."""
        self.threads.shutdown(wait=False, cancel_futures=True)


@dataclass
class Exchange:
    """One request and its answer. `run` and what it calls are for a thread, the rest is for the event loop."""

    bridge: Bridge
    scope: Message
    body: IO[bytes]
    send: Send
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    left: threading.Event = field(default_factory=threading.Event)
    head: Message = field(default_factory=dict)
    started: bool = False

    async def read(self, receive: Receive) -> None:
        """The whole body. Raises BodyTooLarge as soon as that is known, ClientLeft if the body breaks off."""
        self._limit(int(dict(self.scope["headers"]).get(b"content-length", 0)))
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            self.body.write(message.get("body", b""))
            self._limit(self.body.tell())
            more = message.get("more_body", False)

    def _limit(self, length: int) -> None:
        if length > self.bridge.max_body:
            raise BodyTooLarge(f"At most {self.bridge.max_body} bytes.")

    async def watch(self, receive: Receive) -> None:
        """Note when the client leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    def run(self) -> list[Message]:
        """Call the handler, and answer with what is left to send. Raises TooManyStreams and ClientLeft."""
        self.give_up_if_left()  # while it waited for a thread
        response = self.bridge.handler(environ(self.scope, self.body), self.start_response)
        try:
            if self.scope["method"] == "HEAD":
                return [self.head, part(b"", more=False)]
            if holds_a_thread(response):
                return self.stream(response)
            return [self.head, part(b"".join(response), more=False)]
        finally:
            response.close()

    def start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.head = {"type": "http.response.start", "status": int(status[:3]), "headers": pairs}

    def stream(self, response: Iterable[bytes]) -> list[Message]:
        """Send all of it but its end. Raises TooManyStreams and ClientLeft."""
        if not self.bridge.streams.acquire(blocking=False):
            raise TooManyStreams("Try again in a few seconds.")
        try:
            pieces = self.gather(response)
            first = next(pieces)  # before the head: what fails until here is still answered with a problem
            for message in chain([self.head, part(first)], map(part, pieces)):
                self.put(message)
            return [part(b"", more=False)]
        finally:
            self.bridge.streams.release()

    def gather(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes in pieces worth sending; at least one, and the last may be small or empty."""
        piece = bytearray()
        for chunk in chunks:
            self.give_up_if_left()
            piece += chunk
            if len(piece) >= PIECE:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    def give_up_if_left(self) -> None:
        if self.left.is_set():
            raise ClientLeft

    def put(self, message: Message) -> None:
        """Send, and wait until the socket has taken it. Raises ClientLeft, also when it takes too long."""
        self.give_up_if_left()
        self.started = True
        sending = asyncio.run_coroutine_threadsafe(self.send(message), self.loop)
        try:
            sending.result(self.bridge.stall)
        except TimeoutError:
            sending.cancel()
            log.warning("stream.stalled", path=self.scope["path"], seconds=self.bridge.stall)
            raise ClientLeft from None

    def refusal(self, error: Exception) -> list[Message]:
        """The answer where there is none of Django's: a problem document."""
        path = self.scope["path"]
        if not isinstance(error, Problem):
            log.error("request.failed", path=path, exc_info=error)
            error = InternalError("It was logged.")
        document = json.dumps(problem_document(error, path)).encode()
        headers = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(document)), **error.headers}
        self.start_response(str(error.status), list(headers.items()))
        return [self.head, part(document, more=False)]


def holds_a_thread(response: Any) -> bool:
    """Must a thread send it piece by piece, waiting for the client?

    Not a file that says it is short (an asset, a PDF): it is sent whole, and none is refused. Any other stream counts from
    before its first row on, because an export that computes for minutes holds its thread all the while.
    """
    return response.streaming and int(response.headers.get("Content-Length", WHOLE + 1)) > WHOLE


def part(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def environ(scope: Message, body: IO[bytes]) -> dict[str, Any]:
    """The request as PEP 3333 has it, where bytes are latin-1 strings. The length of the body is what was read of it."""
    length = body.tell()
    body.seek(0)
    (server, port), (client, _) = scope["server"] or ("", ""), scope["client"] or ("", "")
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    return variables(scope["headers"]) | {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": path.removeprefix(scope["root_path"]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "CONTENT_LENGTH": str(length),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def variables(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as WSGI names them; what comes twice is joined. `X_Forwarded_For` would pose as `X-Forwarded-For`: left out."""
    found: dict[str, str] = {}
    for name, value in headers:
        if b"_" in name:
            continue
        word, text = name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
        key = word if word in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{word}"
        joint = "; " if word == "COOKIE" else ","
        found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found
