"""`manage.py up`: what it refuses, how it ends, and how it comes back after kill -9."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from arq.connections import ArqRedis

from carbon_site.ids import new_id
from carbon_site.tasks import QUEUE, WIRE
from tests.engine import ADDRESSES, temporary_state
from tests.faults.processes import Up, lives, until
from tests.machine import free_port

FAILURES = "SELECT FROM carbon_site_taskfailure WHERE task_id = 'interrupted'"
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with temporary_state() as folder:
        up = Up(folder / "state", free_port())
        up.start()
        yield up
        up.process.send_signal(SIGTERM)
        up.process.wait()


def owner(up: Up) -> psycopg.Connection:
    return psycopg.connect(address(up, "owner"), autocommit=True)


def queue(up: Up) -> redis.Redis:
    return redis.Redis.from_url(address(up, "redis"))


def address(up: Up, name: str) -> str:
    return str(json.loads((up.state / "services.json").read_text())[name])


def health(up: Up) -> dict[str, Any]:
    with closing(HTTPConnection("127.0.0.1", up.port)) as connection:
        connection.request("GET", "/health")
        return dict(json.load(connection.getresponse()))


def enqueue(up: Up, task_id: str, *, in_seconds: float) -> None:
    """A call of a real task. It fails, as there is no such row, and the failure is kept: so one sees that it ran."""
    arguments = [new_id("org"), new_id("job")]

    async def enqueue() -> None:
        async with ArqRedis(unix_socket_path=urlsplit(address(up, "redis")).path, **WIRE) as queue:
            await queue.enqueue_job(
                "telemetry.sync", arguments, _job_id=task_id, _queue_name=QUEUE, _defer_by=in_seconds
            )

    asyncio.run(enqueue())


class TestUp:
    def test_serves(self, up: Up) -> None:
        until(lambda: health(up)["status"] == "pass")  # the worker says first that it lives

        assert f"http://localhost:{up.port}/api/docs/" in up.said
        assert address(up, "site") == f"http://localhost:{up.port}"  # of which other commands speak, too

    def test_refuses_a_state_folder_in_use(self, up: Up) -> None:
        second = Up(up.state, up.port)
        second.output = up.output.with_suffix(".second")

        status, said = second.begin().end()

        assert (status, said) == (
            1,
            f"Another `up` runs on {up.state}. Stop it first, or set CARBON_STATE_DIR.\n",
        )

    def test_refuses_a_port_in_use(self, up: Up, tmp_path: Path) -> None:
        status, said = Up(tmp_path / "state", up.port).begin().end()

        assert (status, said.count("\n")) == (1, 1)
        assert said.startswith(f"Port {up.port} cannot be used")
        assert "--port" in said

    def test_embeds_nothing_that_is_configured(self, tmp_path: Path) -> None:
        elsewhere = Up(tmp_path / "state", free_port())

        elsewhere.start(**{name: os.environ[name] for name in ADDRESSES})
        elsewhere.process.send_signal(SIGTERM)
        status, _ = elsewhere.end()

        assert (status, [path.name for path in elsewhere.state.iterdir()]) == (0, ["up.lock"])


class TestUpAfterKill9:
    @pytest.mark.parametrize("victim", ["up", "web", "PostgreSQL", "Redis"])
    def test_ends_whole_and_comes_back_with_rows_and_jobs(self, up: Up, victim: str) -> None:
        with owner(up) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (victim text)")
            connection.execute("INSERT INTO kept VALUES (%s)", [victim])
        enqueue(up, victim, in_seconds=3600)
        family = up.family

        up.kill(victim)
        status, said = up.end()
        up.start()

        assert (status, f"\n{victim} ended by itself (SIGKILL)" in said) in [(1, True), (-9, False)]
        assert not any(map(lives, family))
        with owner(up) as connection, queue(up) as redis:
            assert connection.execute("SELECT FROM kept WHERE victim = %s", [victim]).rowcount == 1
            assert redis.zscore(QUEUE, victim)

    def test_runs_a_killed_workers_job_again(self, up: Up) -> None:
        with closing(owner(up)) as holder:
            holder.execute("BEGIN; LOCK TABLE projects_job")
            enqueue(up, "interrupted", in_seconds=0)
            with owner(up) as onlooker, queue(up) as redis:
                until(lambda: onlooker.execute(WAITING).rowcount > 0)
                redis.persist("arq:in-progress:interrupted")  # only `up` can let go of it
            family = up.family

            up.kill("worker")
            status, said = up.end()
        up.start()

        assert (status, "\nworker ended by itself (SIGKILL)" in said) == (1, True)
        assert not any(map(lives, family))
        with owner(up) as connection:
            until(lambda: connection.execute(FAILURES).rowcount == 1)


class TestUpAfterSignals:
    def test_stops_everything_once_and_succeeds(self, up: Up) -> None:
        family = up.family

        up.process.send_signal(SIGINT)
        up.process.send_signal(SIGTERM)
        status, said = up.end()

        assert (status, said.count("Stopping.")) == (0, 1)
        assert not any(map(lives, family))
        assert not (up.state / "services.json").exists()
