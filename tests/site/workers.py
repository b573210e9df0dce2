"""Workers for the tests: in this process until the queue is empty, or as a process of their own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from arq.worker import Worker
from django.conf import settings

from carbon_site.tasks import registry
from carbon_site.worker import functions, make_worker
from tests.conftest import NAME
from tests.site.sample_tasks import TOLD


def queue() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True)


def told() -> list[dict[str, Any]]:
    """What tasks have told so far, in their order."""
    with queue() as client:
        return [json.loads(words) for words in client.lrange(TOLD, 0, -1)]


def worker(**changes: Any) -> Worker:
    """The product's worker, with every task that this process knows."""
    plain = {"functions": functions(registry.values()), "cron_jobs": [], "handle_signals": False}
    return make_worker(**plain | changes)


def work(**changes: Any) -> Worker:
    """Work until the queue is empty, then tell how it went."""

    async def until_idle() -> Worker:
        here = worker(burst=True, **changes)
        await here.async_run()
        await here.close()
        return here

    return asyncio.run(until_idle())


async def end(here: Worker, running: "asyncio.Task[None]") -> None:
    """As on SIGTERM: no new jobs, and those that run may finish. Raises what ended the worker before, if anything did."""
    here.handle_sig_wait_for_completion(signal.SIGTERM)
    with suppress(asyncio.CancelledError):
        await running
    await here.close()


def environment(**changes: str) -> dict[str, str]:
    """For a process that shares this test's database and Redis."""
    database = urlsplit(settings.DATABASE_URL)._replace(path=f"/{NAME}").geturl()
    services = {"DATABASE_URL": database, "DATABASE_OWNER_URL": database, "REDIS_URL": settings.REDIS_URL}
    return os.environ | services | {"WORKER_MAX_JOBS": "4"} | changes


@contextmanager
def process(*command: str, **changes: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`python COMMAND`, killed at the end of the block if it still runs."""
    with subprocess.Popen([sys.executable, *command], env=environment(**changes)) as child:
        try:
            yield child
        finally:
            child.kill()


def eventually(happened: Callable[[], Any], within: float = 60) -> Any:
    """Wait until it is so, and answer with it. Fails after `within` seconds."""
    end = time.monotonic() + within
    while not (found := happened()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
