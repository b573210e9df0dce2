"""From a provider's key to a figure: web server, worker and the outside world are processes of their own, asked over HTTP."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from carbon_site.management.commands.up import is_live, uvicorn
from carbon_site.tasks import QUEUE
from connections.models import ProviderConnection
from projects.models import Organization
from tests import make
from tests.machine import free_port
from tests.sandbox import Sandbox
from tests.site.workers import environment, eventually, process, queue

PATIENCE = 60  # seconds, for what takes a few

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(django_db_setup: None, sandbox: Sandbox) -> Iterator[str]:
    """The web server, as `up` starts it, on the database and the Redis of the tests."""
    port = free_port()
    with process(*uvicorn(port), **sandbox.environment, LOG_LEVEL="WARNING"):
        eventually(lambda: is_live(port), PATIENCE)
        yield f"http://127.0.0.1:{port}/api/v1/"


@contextmanager
def worker(sandbox: Sandbox) -> Iterator[None]:
    with (
        process("-m", "tests.site.worker_process", **sandbox.environment, LOG_LEVEL="WARNING"),
        queue() as redis,
    ):
        eventually(lambda: redis.exists(f"{QUEUE}:health-check"), PATIENCE)
        yield


@pytest.fixture
def api(acme: Organization, web: str) -> Iterator[httpx.Client]:
    """A program of the organisation's."""
    key = make.api_key(acme).secret
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


@pytest.fixture
def source(acme: Organization, sandbox: Sandbox) -> ProviderConnection:
    """A connection that has a day to read."""
    yesterday = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    return make.connection(make.project(acme), api_key=sandbox.key("day"), read_from=yesterday)


def summary(api: httpx.Client) -> list[dict[str, Any]]:
    answer = api.get("emissions/summary", params={"range": "90d"}).raise_for_status()
    return list(answer.json()["results"])


def ended(api: httpx.Client, job: str) -> dict[str, Any] | None:
    said = api.get(f"jobs/{job}").raise_for_status().json()
    return said if said["finished_at"] else None


class TestFirstFigure:
    def test_is_there_seconds_after_a_key_is_connected(self, api, sandbox):
        key = {"provider": "openai", "name": "OpenAI", "api_key": sandbox.key("first")}
        with worker(sandbox):
            began = time.monotonic()

            made = api.post("connections", json=key)
            figures = eventually(lambda: summary(api) or time.sleep(0.2), PATIENCE)

            sys.stdout.write(f"The first figure was there after {time.monotonic() - began:.1f} s.\n")
        assert made.status_code == 201
        assert (
            0 < figures[0]["co2e_g"]["low"] < figures[0]["co2e_g"]["central"] < figures[0]["co2e_g"]["high"]
        )


class TestReading:
    def test_that_is_asked_for_twice_is_one_job_and_comes_to_its_end(self, api, source, sandbox):
        asked = [api.post(f"connections/{source.pk}/sync") for _ in range(2)]

        with worker(sandbox):
            job = eventually(lambda: ended(api, asked[0].json()["id"]) or time.sleep(0.2), PATIENCE)

        assert [answer.status_code for answer in asked] == [202, 202]
        assert {answer.json()["id"] for answer in asked} == {job["id"]}
        assert (job["state"], job["result"]["rows"] > 0, len(summary(api))) == ("done", True, 1)

    def test_can_be_started_by_an_operator(self, api, source, sandbox):
        words = ["manage.py", "job", "poll", "--now", datetime.now(UTC).isoformat()]

        command = subprocess.run(
            [sys.executable, *words],
            env=environment(**sandbox.environment),
            stdout=subprocess.PIPE,
            check=False,
        )

        said = json.loads(command.stdout)
        assert (command.returncode, said) == (0, {"job": "poll", "done": 1, "failed": 0})
        assert len(summary(api)) == 1
