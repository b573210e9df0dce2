"""Streams through the bridge: their memory, their clients, their number."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from django.db import connection

from carbon_site.bridge import Message
from tests.site import bridge_app, bridge_servers
from tests.site.bridge_app import stage
from tests.site.bridge_servers import Here, ask, client, rest, wire
from tests.site.workers import eventually

CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"
GET = "GET {} HTTP/1.1\nHost: localhost"


@pytest.fixture(scope="module")
def server() -> Iterator[Here]:
    with bridge_servers.here() as server:
        yield server


@pytest.fixture
def here(server: Here) -> Iterator[Here]:
    with stage.act():
        yield server


@pytest.fixture(scope="module")
def apart() -> Iterator[tuple[int, psutil.Process]]:
    """A server whose memory can be measured, after its first answer."""
    with bridge_servers.apart("tests.site.bridge_app:application") as (port, process):
        ask(port, "/echo")
        yield port, psutil.Process(process.pid)


class TestMemory:
    def test_holds_little_of_a_large_stream(self, apart):
        port, process = apart
        before, most, length = process.memory_info().rss, 0, 0

        with client(port) as connection:
            connection.request("GET", "/stream/250")
            answer = connection.getresponse()
            while data := answer.read(1 << 20):
                length += len(data)
                most = max(most, process.memory_info().rss)

        assert length == 250 << 20
        assert most - before < 32 << 20

    def test_holds_little_of_a_body_without_end(self, apart):
        port, process = apart
        before = process.memory_info().rss

        with wire(port, "POST /echo HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked") as bare:
            for _ in range(1600):  # 100 MB
                bare.sendall(CHUNK)
            said = bare.recv(1000)

        assert said.startswith(b"HTTP/1.1 413 ")
        assert process.memory_info().rss - before < 32 << 20


class TestStream:
    def test_is_not_begun_for_head(self, here):
        status, _, body = ask(here.port, "/breaks/0", "HEAD")

        assert (status, body) == (200, b"")

    def test_that_breaks_never_looks_whole(self, here, caplog):
        with pytest.raises(http.client.IncompleteRead):
            ask(here.port, "/breaks/5")

        assert "the rest is lost" in caplog.text

    def test_ends_when_the_client_leaves(self, here):
        with wire(here.port, GET.format("/stream/100000")) as bare:
            bare.recv(1000)

        assert stage.closed.wait(60)

    def test_ends_when_the_client_stalls(self, here):
        with wire(here.port, GET.format("/stream/100000")) as bare:
            ended = stage.closed.wait(60)
            received = rest(bare)

        assert ended
        assert received.startswith(b"HTTP/1.1 200 ")
        assert not received.endswith(b"0\r\n\r\n")

    def test_ends_when_the_server_gives_up_on_it(self):
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/stream/100000",
            "raw_path": b"/stream/100000",
            "query_string": b"",
            "root_path": "",
            "headers": [],
            "client": None,
            "server": None,
        }
        asked: list[Message] = [{"type": "http.request"}]

        async def receive() -> Message:
            return asked.pop() if asked else await asyncio.Future()

        async def give_up() -> bool:
            begun = asyncio.Event()

            async def send(message: Message) -> None:
                begun.set()

            answering = asyncio.create_task(bridge_app.served(scope, receive, send))
            await begun.wait()
            answering.cancel()
            return await asyncio.to_thread(stage.closed.wait, 60)

        with stage.act():
            ended = asyncio.run(give_up())

        assert ended


class TestNumberOfStreams:
    def test_is_at_most_half_of_the_threads(self, here):
        with two_held(here.port):
            status, headers, document = ask(here.port, "/stream/1")

        assert (status, headers["Retry-After"]) == (503, "5")
        assert json.loads(document)["type"].endswith("/problems/too-many-streams")

    def test_leaves_room_for_files_that_are_short(self, here):
        with two_held(here.port):
            files = [ask(here.port, "/file") for _ in range(3)]

        assert [(status, len(body)) for status, _, body in files] == [(200, 1 << 20)] * 3

    def test_counts_only_those_that_run(self, here):
        lengths = [len(ask(here.port, "/stream/3")[2]) for _ in range(5)]

        assert lengths == [3 << 20] * 5


@contextmanager
def two_held(port: int) -> Iterator[None]:
    """Two streams that have begun and wait for the curtain, as many as four threads allow."""
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(wire(port, GET.format("/held-stream"))).recv(1000)
        yield


@pytest.mark.django_db(transaction=True)
class TestExport:
    def test_leaves_no_query_running_and_no_connection_lent_when_its_client_is_lost(self, here):
        connection.ensure_connection()  # it is lent too
        lent_before = lent()

        with wire(here.port, GET.format("/copy")) as bare:
            bare.recv(1000)
            running = copies()

        eventually(lambda: copies() == 0)
        eventually(lambda: lent() <= lent_before)  # one of before may have been on its way back
        assert running == 1


def copies() -> int:
    """How many COPYs the database is at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY (%'"
        )
        return cursor.fetchone()[0]


def lent() -> int:
    """How many connections of the pool are in use."""
    stats = connection.pool.get_stats()  # type: ignore[attr-defined]
    return stats["pool_size"] - stats["pool_available"]
