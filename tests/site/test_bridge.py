"""Requests and plain answers through the bridge, over real sockets."""

import asyncio
import hashlib
import json
import logging
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest

from carbon_site.bridge import Message, environ
from tests.site import bridge_app, bridge_servers
from tests.site.bridge_app import stage
from tests.site.bridge_servers import CONTINUE, Here, apart, ask, client, echoed, rest, wire
from tests.site.workers import eventually

TOO_MUCH = bytes((3 << 20) + 1)


@pytest.fixture(scope="module")
def server() -> Iterator[Here]:
    with bridge_servers.here() as server:
        yield server


@pytest.fixture
def here(server: Here) -> Iterator[Here]:
    with stage.act():
        yield server


class TestRequest:
    def test_has_its_path_as_utf_8(self, here):
        said = echoed(here.port, "/echo/caf%C3%A9%20%E2%82%AC")

        assert (said["word"], said["path"]) == ("café €", "/echo/café €")

    def test_keeps_a_path_that_is_not_utf_8(self, here):
        assert echoed(here.port, "/echo/%FF")["path"] == "/echo/%FF"

    def test_has_its_query_untouched(self, here):
        assert echoed(here.port, "/echo?a=%C3%A9&b=1+2")["QUERY_STRING"] == "a=%C3%A9&b=1+2"

    def test_knows_both_ends(self, here):
        said = echoed(here.port)

        ends = (said["REMOTE_ADDR"], said["SERVER_NAME"], said["SERVER_PORT"])
        assert ends == ("127.0.0.1", "127.0.0.1", str(here.port))
        assert (said["SERVER_PROTOCOL"], said["scheme"]) == ("HTTP/1.1", "http")

    def test_may_come_under_a_prefix_and_from_nowhere(self):
        scope = {
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "root_path": "/carbon",
            "raw_path": b"/carbon/echo",
            "query_string": b"",
            "headers": [],
            "client": None,
            "server": ("/run/web.sock", None),
        }

        said = environ(scope, BytesIO())

        assert (said["SCRIPT_NAME"], said["PATH_INFO"]) == ("/carbon", "/echo")
        assert (said["REMOTE_ADDR"], said["SERVER_PORT"], said["wsgi.url_scheme"]) == ("", "", "https")

    def test_has_headers_but_no_impostors(self, here):
        said = echoed(here.port, headers={"X-Real": "yes", "X_Forwarded_For": "6.6.6.6", "X_Real": "no"})

        assert said["HTTP_X_REAL"] == "yes"
        assert "HTTP_X_FORWARDED_FOR" not in said

    def test_joins_what_comes_twice(self, here):
        with client(here.port) as connection:
            connection.putrequest("GET", "/echo")
            for word in ("one", "two"):
                connection.putheader("X-Forwarded-For", word)
                connection.putheader("Cookie", f"{word}=yes")
            connection.endheaders()
            said = json.load(connection.getresponse())

        assert said["HTTP_X_FORWARDED_FOR"] == "one,two"
        assert said["cookies"] == {"one": "yes", "two": "yes"}

    def test_sees_context_variables_of_outside(self, here):
        assert echoed(here.port)["caller"] == "somebody"


class TestBody:
    def test_may_come_in_chunks(self, here):
        said = echoed(here.port, method="POST", body=iter([b"one ", b"and ", b"two"]))

        assert said["digest"] == hashlib.sha256(b"one and two").hexdigest()
        assert (said["length"], said["CONTENT_LENGTH"]) == (11, "11")

    def test_may_be_larger_than_what_is_kept_in_memory(self, here):
        body = bytes(range(256)) * 6000

        said = echoed(here.port, method="PUT", body=body)

        assert (said["length"], said["digest"]) == (len(body), hashlib.sha256(body).hexdigest())

    def test_is_asked_for_when_the_client_waits(self, here):
        with wire(here.port, f"POST /echo HTTP/1.1\nContent-Length: 2\n{CONTINUE}") as bare:
            said = bare.recv(1000)
            bare.sendall(b"hi")
            answer = rest(bare)

        assert said == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert b'"length": 2' in answer

    def test_is_refused_by_its_length_before_it_is_sent(self, here):
        with wire(here.port, f"POST /echo HTTP/1.1\nContent-Length: {len(TOO_MUCH)}\n{CONTINUE}") as bare:
            said = rest(bare)

        assert said.startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize("body", [TOO_MUCH, [TOO_MUCH]], ids=["with its length", "in chunks"])
    def test_is_refused_with_a_problem(self, here, body):
        status, headers, document = ask(here.port, "/echo", "POST", body=body)

        assert (status, headers["Content-Type"]) == (413, "application/problem+json")
        problem = json.loads(document)
        assert problem["type"].endswith("/problems/body-too-large")
        assert (problem["title"], problem["status"], problem["detail"]) == (
            "The body of the request is too large",
            413,
            "At most 3145728 bytes.",
        )

    def test_that_was_refused_leaves_the_connection_in_order(self, here):
        with client(here.port) as connection:
            connection.request("POST", "/echo", body=TOO_MUCH * 3)
            refused = connection.getresponse()
            refused.read()
            connection.request("GET", "/echo")
            answer = connection.getresponse()
            answer.read()

        assert (refused.status, answer.status) == (413, 200)

    def test_that_breaks_off_reaches_no_view(self, here):
        with wire(here.port, "POST /echo HTTP/1.1\nHost: localhost\nContent-Length: 100", b"half of it"):
            eventually(lambda: here.state.tasks)

        eventually(lambda: not here.state.tasks)
        assert stage.seen == []


class TestAnswer:
    def test_has_each_cookie(self, here):
        _, headers, body = ask(here.port, "/cookies")

        assert headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
        assert body == b"two"

    def test_to_head_has_no_body(self, here):
        with client(here.port) as connection:
            connection.request("HEAD", "/cookies")
            head = connection.getresponse()
            head.read()
            connection.request("GET", "/cookies")
            whole = connection.getresponse().read()

        assert (head.status, len(head.headers.get_all("Set-Cookie"))) == (200, 2)
        assert whole == b"two"

    def test_comes_from_threads_side_by_side_that_stay(self, here):
        with ThreadPoolExecutor(4) as clients:
            met = list(clients.map(lambda _: ask(here.port, "/meet")[2], range(12)))

        assert met == [b"met"] * 12
        assert stage.threads == {"web_0", "web_1", "web_2", "web_3"}

    @pytest.mark.parametrize("target", ["/broken", "/breaks/0"])
    def test_to_what_fails_is_a_problem_and_a_line_in_the_log(self, here, target, caplog):
        status, headers, document = ask(here.port, target)

        assert (status, headers["Content-Type"]) == (500, "application/problem+json")
        assert json.loads(document)["type"].endswith("/problems/internal-error")
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert [error.name for error in errors] == ["carbon_site.bridge"]
        assert "LookupError" in caplog.text

    def test_is_not_worked_for_when_the_client_left_the_queue(self, here):
        with ThreadPoolExecutor(4) as clients:
            held = [clients.submit(ask, here.port, "/held") for _ in range(4)]
            eventually(lambda: len(stage.seen) == 4)
            with wire(here.port, "GET /echo?impatient HTTP/1.1\nHost: localhost"):
                eventually(lambda: len(here.state.tasks) == 5)
            eventually(lambda: len(here.state.connections) == 4)
            ask(here.port, "/echo", "POST", body=TOO_MUCH)  # a round of the event loop, without a thread
            stage.curtain.set()

        assert [answer.result()[2] for answer in held] == [b"let go"] * 4
        assert ask(here.port, "/echo?patient")[0] == 200
        assert stage.seen == ["held"] * 4 + ["patient"]

    def test_to_a_websocket_is_no(self):
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(bridge_app.served({"type": "websocket"}, None, send))

        assert sent == [{"type": "websocket.close"}]


class TestProject:
    def test_answers_what_is_in_flight_and_ends_in_order(self):
        with apart("carbon_site.asgi:application") as (port, process):
            with wire(port, f"GET /readyz HTTP/1.1\nContent-Length: 2\n{CONTINUE}") as bare:
                bare.recv(1000)  # it is in the bridge's hands, but for its body
                process.send_signal(signal.SIGTERM)
                assert any("Shutting down" in line for line in process.stderr)
                bare.sendall(b"hi")
                answer = rest(bare)
            _, said = process.communicate(timeout=60)

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert "Application shutdown complete." in said
        assert (process.returncode, "Traceback" in said) == (-signal.SIGTERM, False)
