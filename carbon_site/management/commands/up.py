"""Everything on one machine: what is not configured from outside, the web server and one worker, until Ctrl-C."""

import json
import os
import signal
import socket
import sys
import time
from argparse import BooleanOptionalAction
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NoReturn

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from carbon_site.embedded import Child, Unable, child, claim, services

HOST = "127.0.0.1"
GRACE = 10  # seconds for requests that are being answered
JOBS_GRACE = 40  # seconds; longer than the worker itself waits for its jobs


class Command(BaseCommand):
    help = "Starts the services that are not configured from outside, migrates, and serves until Ctrl-C."
    requires_system_checks: list[str] = []  # `migrate`, web and worker check

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--demo",
            action=BooleanOptionalAction,
            default=False,
            help="with the sandbox and its organisation",
        )

    def handle(self, *, port: int, demo: bool, **_: Any) -> None:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, leave)
        os.environ.setdefault("PUBLIC_BASE_URL", f"http://localhost:{port}")
        try:
            with ExitStack() as stack:
                servers, ours = start(stack, port, demo)
                print(places(port), flush=True)
                if demo:
                    with python("demo", "manage.py", "demo") as demonstration:
                        demonstration.finish()
                watch(servers, ours)
        except Unable as error:
            raise SystemExit(str(error)) from error


def start(stack: ExitStack, port: int, demo: bool) -> tuple[list[Child], list[Child]]:
    """The embedded servers, and what needs them. Each after what it needs; the stack stops them in reverse. Raises Unable."""
    stack.enter_context(claim(settings.STATE_DIR))
    insist_free(port)
    world = [sandbox(stack)] if demo else []
    configured = os.environ.get
    running = stack.enter_context(
        services(
            settings.STATE_DIR,
            database=not configured("DATABASE_URL"),
            redis=not configured("REDIS_URL"),
            also={"site": os.environ["PUBLIC_BASE_URL"]} | (addresses_of(world[0]) if world else {}),
        )
    )
    with python("migrate", "manage.py", "migrate", "--no-input", "--verbosity", "0") as migration:
        migration.finish()
    if "redis" in running.addresses:
        release_jobs(running.addresses["redis"])
    worker = stack.enter_context(python("worker", "-m", "carbon_site.worker", patience=JOBS_GRACE))
    web = stack.enter_context(python("web", *uvicorn(port), patience=GRACE + 5))
    web.wait_until(lambda: is_live(port))
    return [*world, *running.children], [worker, web]


def sandbox(stack: ExitStack) -> Child:
    """The outside world in a box. What it says, its address first, stands in its log."""
    log = settings.STATE_DIR / "sandbox.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "carbon_site.sandbox", "--state", settings.STATE_DIR / "sandbox.json"]
    running = stack.enter_context(child("sandbox", command, cwd=settings.BASE_DIR, log=log))
    running.wait_until(lambda: log.exists() and "\n" in log.read_text())
    return running


def addresses_of(world: Child) -> dict[str, str]:
    """Where the sandbox plays whom, by the names under which settings look for it."""
    said = json.loads((world.log or Path()).read_text().splitlines()[0])["environment"]
    names = {"openai": "OPENAI_BASE_URL", "clerk": "CLERK_ISSUER", "parties": "CLERK_AUTHORIZED_PARTIES"}
    return {name: said[variable] for name, variable in names.items()}


def python(name: str, *arguments: str, patience: float = 15) -> AbstractContextManager[Child]:
    """Python on our code, as a child that writes to this console."""
    return child(name, [sys.executable, *arguments], cwd=settings.BASE_DIR, patience=patience)


def uvicorn(port: int) -> list[str]:
    return [
        *("-m", "uvicorn", "carbon_site.asgi:application", "--host", HOST, "--port", str(port)),
        *("--timeout-graceful-shutdown", str(GRACE)),  # else it waits for a stalled client for ever
        *("--no-proxy-headers", "--no-server-header"),  # whom to believe about addresses is TRUSTED_PROXIES
        *("--no-access-log", "--log-level", "warning", "--ws", "none"),
    ]


def leave(*_: object) -> NoReturn:
    """Ctrl-C or SIGTERM: stop everything in its order, once."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    print("\nStopping.", flush=True)
    raise SystemExit(0)


def insist_free(port: int) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        raise Unable(f"Port {port} cannot be used ({error}). Choose another with --port.") from error


def release_jobs(address: str) -> None:
    """Take the jobs of a killed worker off its hands: no other worker knows this Redis, and they would wait for a minute."""
    with redis.Redis.from_url(address) as connection:
        for key in connection.scan_iter("arq:in-progress:*"):
            connection.delete(key)


def is_live(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def watch(servers: Sequence[Child], ours: Sequence[Child]) -> NoReturn:
    """Until a signal comes. Raises Unable when one of them ends by itself."""
    while True:
        try:
            insist_alive(servers)
        except Unable:
            for each in ours:
                each.process.kill()  # an orderly end would wait for the server that is gone
            raise
        insist_alive(ours)
        time.sleep(0.2)


def insist_alive(children: Sequence[Child]) -> None:
    for each in children:
        each.insist_alive()


def places(port: int) -> str:
    url, state = f"http://localhost:{port}", settings.STATE_DIR
    return f"""
  API        {url}/api/v1/me
  Reference  {url}/api/docs/
  Staff      {url}/admin/
  Health     {url}/health
  State      {state}
  Logs       {state}/postgresql.log, {state}/redis.log; web and worker write here

Ctrl-C stops everything.
"""
