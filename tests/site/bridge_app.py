"""Django views with which to try the bridge, behind Django's own handler; `application` serves them from a process of their own."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "carbon_site.settings")

import django
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

django.setup()

from carbon_site.bridge import Bridge, Message, Receive, Send

MEGABYTE = b"x" * (1 << 20)
caller: ContextVar[str] = ContextVar("caller", default="nobody")


class Stage:
    """What views and tests of one process tell each other."""

    def __init__(self) -> None:
        self.seen: list[str] = []  # what reached a view
        self.threads: set[str] = set()  # that ran one
        self.meeting = threading.Barrier(4)
        self.curtain = threading.Event()  # held views go on when it is set
        self.closed = threading.Event()  # a stream was closed

    @contextmanager
    def act(self) -> Iterator[None]:
        """Forget what was; and in the end let go what is held."""
        self.seen.clear()
        self.threads.clear()
        self.curtain.clear()
        self.closed.clear()
        try:
            yield
        finally:
            self.curtain.set()


stage = Stage()


def echo(request: HttpRequest, word: str = "") -> HttpResponse:
    """All that arrived."""
    stage.seen.append(request.META["QUERY_STRING"])
    stage.threads.add(threading.current_thread().name)
    answer = {name: value for name, value in request.META.items() if isinstance(value, str)}
    digest = hashlib.sha256(request.body).hexdigest()
    more = {"path": request.path, "scheme": request.scheme, "word": word, "cookies": request.COOKIES}
    return JsonResponse(
        answer | more | {"length": len(request.body), "digest": digest, "caller": caller.get()}
    )


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def meet(request: HttpRequest) -> HttpResponse:
    """Answers only if four are here at once."""
    stage.threads.add(threading.current_thread().name)
    stage.meeting.wait(60)
    return HttpResponse("met")


def held(request: HttpRequest) -> HttpResponse:
    stage.seen.append("held")
    stage.curtain.wait(60)
    return HttpResponse("let go")


def stream(request: HttpRequest, megabytes: int) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        try:
            for _ in range(megabytes):
                yield MEGABYTE
        finally:
            stage.closed.set()

    return StreamingHttpResponse(chunks())


def held_stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield MEGABYTE
        stage.curtain.wait(60)
        yield b"the end"

    return StreamingHttpResponse(chunks())


def breaks(request: HttpRequest, megabytes: int) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for _ in range(megabytes):
            yield MEGABYTE
        raise LookupError("the rest is lost")

    return StreamingHttpResponse(chunks())


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(BytesIO(MEGABYTE))


def copy(request: HttpRequest) -> StreamingHttpResponse:
    """An export that would take hours."""

    def rows() -> Iterator[bytes]:
        statement = "COPY (SELECT repeat('x', 1000), generate_series(1, 1000000000)) TO STDOUT"
        with connection.cursor() as cursor, cursor.copy(statement) as rows:
            yield from map(bytes, rows)

    return StreamingHttpResponse(rows())


urlpatterns = [
    path("echo", echo),
    path("echo/<str:word>", echo),
    path("cookies", cookies),
    path("meet", meet),
    path("held", held),
    path("stream/<int:megabytes>", stream),
    path("held-stream", held_stream),
    path("breaks/<int:megabytes>", breaks),
    path("file", file),
    path("copy", copy),
]


class Handler(WSGIHandler):
    """Django's, with these views and no middleware; `/broken` breaks the handler itself."""

    @override_settings(MIDDLEWARE=[])
    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async)

    def get_response(self, request: Any) -> Any:
        if request.path == "/broken":
            raise LookupError("the handler is broken")
        request.urlconf = __name__
        return super().get_response(request)


def bridge(stall: float = 60) -> Bridge:
    return Bridge(Handler(), threads=4, max_body=3 << 20, stall=stall)


served = bridge()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await served(scope, receive, send)
