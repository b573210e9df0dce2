"""What runs when, and the settings of the worker that runs it."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from arq.cron import CronJob
from arq.worker import Worker

from carbon_site.sweeps import Sweep
from carbon_site.worker import SCHEDULE, TIMEOUT, redis_settings, ticks
from projects import tenancy
from tests import make
from tests.site import sample_tasks
from tests.site.workers import end, queue, told, work, worker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),  # ARQ closes Redis so
]


@pytest.fixture
def in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as place:
        place.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


def idle(schedule: list[CronJob]) -> Worker:
    async def made() -> Worker:  # ARQ makes a loop where there is none, and leaves it open
        return worker(cron_jobs=schedule)

    return asyncio.run(made())


class TestSchedule:
    def test_has_a_task_for_each_tick(self):
        assert {cron.name for cron in ticks(SCHEDULE)} == {f"cron:{name}" for name in SCHEDULE}

    def test_refuses_a_task_that_there_is_not(self):
        with pytest.raises(KeyError):
            ticks({"sample.misspelt": {"minute": 5}})

    def test_is_in_utc_wherever_the_machine_is(self, in_india):
        here = idle(ticks({"sample.tick": {"hour": 1, "minute": 30}}))

        here.cron_jobs[0].calculate_next(datetime.now(here.timezone))

        assert f"{here.cron_jobs[0].next_run.astimezone(UTC):%H:%M}" == "01:30"

    def test_runs_each_tick_once_however_many_workers_there_are(self):
        async def work_for_two_ticks() -> None:
            both = [worker(cron_jobs=ticks({"sample.tick": {"second": set(range(60))}})) for _ in range(2)]
            running = [asyncio.create_task(one.async_run()) for one in both]
            while len(told()) < 2:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # would the other worker run one of them, too?
            await asyncio.gather(*map(end, both, running))

        asyncio.run(work_for_two_ticks())

        ids = [fact["id"] for fact in told()]
        assert len(ids) == len(set(ids)) >= 2
        assert all(name.startswith("cron:sample.tick:") for name in ids)

    def test_finds_what_a_lost_nudge_was_about(self, acme, settings):
        project = make.project(acme)
        redis_url, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/redis.sock"
        sample_tasks.archive.delay(acme.pk, project.pk)
        settings.REDIS_URL = redis_url

        sample_tasks.archive_projects.delay()
        work()

        with tenancy.organization(acme.pk):
            project.refresh_from_db()
        assert project.archived_at is not None


class TestSweep:
    def test_queues_a_step_for_each_row_that_is_due_once(self, acme):
        projects = [make.project(acme, name) for name in ("One", "Two")]
        sweep = Sweep("archive", sample_tasks.unarchived, sample_tasks.archive)

        for _ in range(2):
            sweep.enqueue(make.NOW)

        with queue() as redis:
            assert redis.zrange("carbon", 0, -1) == sorted(f"archive:{project.pk}" for project in projects)


class TestSettings:
    def test_give_every_task_the_same_short_timeout(self):
        here = idle(ticks({"sample.tick": {"minute": 5}}))

        timeouts = {function.timeout_s for function in here.functions.values()}
        assert timeouts == {here.job_timeout_s} == {TIMEOUT}
        assert here.in_progress_timeout_s == 55

    def test_keep_no_result(self):
        here = idle(ticks({"sample.tick": {"minute": 5}}))

        assert here.keep_result_s == 0
        assert not any(function.keep_result_s for function in here.functions.values())

    def test_read_a_socket_s_address(self):
        assert redis_settings("unix:///run/redis.sock").unix_socket_path == "/run/redis.sock"

    def test_read_a_password_with_signs_in_it(self):
        plain = redis_settings("rediss://app:p%40ss%23@cache:6380/2")

        assert (plain.host, plain.port, plain.database, plain.ssl) == ("cache", 6380, 2, True)
        assert (plain.username, plain.password) == ("app", "p@ss#")
