"""The worker as a process: what becomes of its jobs when it, or Redis, ends."""

from contextlib import ExitStack

import pytest
from arq.worker import check_health

from carbon_site.embedded import redis_server
from carbon_site.embedded.folders import socket_folder
from carbon_site.worker import WorkerSettings
from tests.engine import temporary_state
from tests.site import sample_tasks
from tests.site.workers import eventually, process, queue, told, work

WORKER = ("-m", "tests.site.worker_process")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),  # ARQ closes Redis so
]


def words() -> list[str]:
    return [fact["word"] for fact in told()]


class TestWorkerProcess:
    def test_finishes_its_jobs_and_ends_when_it_is_told_to(self, acme):
        sample_tasks.slow.delay(acme.pk, 1)
        with process(*WORKER) as worker:
            eventually(told)

            worker.terminate()
            sample_tasks.slow.apply_async((acme.pk, 0), task_id="slow:next")
            status = worker.wait(timeout=60)

        with queue() as redis:
            assert redis.zrange("carbon", 0, -1) == ["slow:next"]
        assert (status, words()) == (0, ["begun", "ended"])

    def test_leaves_its_jobs_to_another_when_it_is_killed(self, acme):
        task = sample_tasks.slow.delay(acme.pk, 1)
        with process(*WORKER) as worker:
            eventually(told)
            worker.kill()

        with queue() as redis:
            waits = redis.ttl(f"arq:in-progress:{task.id}")
            redis.delete(f"arq:in-progress:{task.id}")  # as if that time had passed
        work()

        assert 0 < waits <= 55
        assert words() == ["begun", "begun", "ended"]

    def test_lives_on_when_redis_is_restarted(self, acme, settings):
        with temporary_state() as state, ExitStack() as worker:
            socket_folder(state).mkdir()
            settings.REDIS_URL = redis_server.address(state)
            with redis_server.server(state, durable=True):
                sample_tasks.slow.delay(acme.pk, 1)
                worker.enter_context(process(*WORKER))
                eventually(told)

            with redis_server.server(state, durable=True):
                sample_tasks.note.delay(acme.pk, "afterwards")
                eventually(lambda: len(told()) == 3)
                found = words()
                worker.close()

        assert sorted(found) == ["afterwards", "begun", "ended"]

    def test_works_on_the_queue_that_is_named_and_tells_arq_s_check_that_it_is_well(self, acme):
        sample_tasks.note.apply_async((acme.pk, "letter"), queue="letters")
        sample_tasks.note.apply_async((acme.pk, "other"), task_id="other")

        with process(*WORKER, "--queue", "letters"):
            eventually(told)
            checks = [
                check_health({**vars(WorkerSettings), "queue_name": name}) for name in ("letters", "carbon")
            ]

        with queue() as redis:
            assert redis.zrange("carbon", 0, -1) == ["other"]
        assert (words(), checks) == (["letter"], [0, 1])

    def test_has_a_connection_for_each_thread(self, acme):
        for _ in range(12):
            sample_tasks.hold.delay(acme.pk, 12)

        with process(*WORKER, WORKER_MAX_JOBS="12", DATABASE_POOL="2"):
            eventually(lambda: len(told()) == 12)

        assert words() == ["held"] * 12
