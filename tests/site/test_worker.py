"""The engine: what a worker does with a call."""

import asyncio
import threading

import pytest
import structlog

from carbon_site.ids import decode
from carbon_site.models import TaskFailure
from carbon_site.tasks import Task, registry
from carbon_site.worker import DEATHS, WorkerSettings, functions
from tests import make
from tests.site import sample_tasks
from tests.site.workers import end, queue, told, work, worker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),  # ARQ closes Redis so
]


class TestRun:
    def test_sees_the_rows_of_the_organisation_in_the_first_argument(self, acme):
        make.project(acme, "Ours")
        make.project(make.organization("other"), "Theirs")
        sample_tasks.note.delay(acme.pk)
        sample_tasks.note.apply_async(kwargs={"organization_id": acme.pk})

        work()

        assert [fact["projects"] for fact in told()] == [["Default", "Ours"]] * 2

    def test_sees_nobody_s_rows_without_one(self):
        sample_tasks.tick.delay()

        work()

        assert told()[0]["wall"] == ""

    def test_knows_the_request_that_asked_for_it(self, acme):
        with structlog.contextvars.bound_contextvars(request_id="req-1"):
            task = sample_tasks.note.delay(acme.pk)

        work()

        assert (told()[0]["request"], told()[0]["id"]) == ("req-1", task.id)

    def test_has_a_thread_for_each_job(self, acme):
        together = threading.Barrier(WorkerSettings.max_jobs, timeout=40)
        meet = Task(run=lambda: together.wait(), name="meet")
        for _ in range(WorkerSettings.max_jobs):
            meet.delay()

        done = work(functions=functions([meet]))

        assert (done.jobs_complete, done.jobs_failed) == (WorkerSettings.max_jobs, 0)

    def test_is_on_the_loop_where_the_function_is_a_coroutine_function(self, acme):
        sample_tasks.on_the_loop.delay(acme.pk)

        work()

        assert told() == [{"thread": "MainThread", "running": True}]

    def test_comes_back_to_its_own_connection_from_asynchronous_code(self, acme):
        sample_tasks.ask_outside.delay(acme.pk)

        work()

        assert set(told()[0].values()) == {str(decode(acme.pk))}

    def test_waits_until_it_is_due(self, acme):
        sample_tasks.note.apply_async((acme.pk, "later"), countdown=0.3)
        sample_tasks.note.apply_async((acme.pk, "now"))

        work()

        assert [fact["word"] for fact in told()] == ["now", "later"]

    def test_does_not_begin_after_it_has_expired(self, acme):
        sample_tasks.note.apply_async((acme.pk,), countdown=0.2, expires=0.1)

        done = work()

        assert (told(), done.jobs_failed) == ([], 1)

    def test_is_only_for_the_worker_of_its_queue(self, acme):
        sample_tasks.note.apply_async((acme.pk, "letter"), queue="letters")
        sample_tasks.note.apply_async((acme.pk, "other"))

        work(queue_name="letters")

        assert [fact["word"] for fact in told()] == ["letter"]

    def test_leaves_its_id_to_the_next_call(self, acme):
        for word in ("first", "second"):
            sample_tasks.note.apply_async((acme.pk, word), task_id="note:1")
            work()

        assert [fact["word"] for fact in told()] == ["first", "second"]

    def test_is_refused_by_a_worker_that_does_not_know_it(self, caplog):
        Task(run=print, name="sample.from_a_newer_release").apply_async(task_id="new:1")

        done = work()

        assert done.jobs_failed == 1
        assert "job new:1, function 'sample.from_a_newer_release' not found" in caplog.text


class TestRetries:
    @pytest.mark.parametrize("task", [sample_tasks.stumble, sample_tasks.stumble_by_itself])
    def test_go_on_until_it_succeeds(self, acme, task):
        task.delay(acme.pk, 2)

        done = work()

        assert [fact["retries"] for fact in told()] == [0, 1, 2]
        assert (done.jobs_complete, done.jobs_failed) == (1, 0)

    def test_end_with_the_error_itself(self, acme):
        sample_tasks.stumble.delay(acme.pk, 9)

        work()

        assert [fact["retries"] for fact in told()] == [0, 1, 2]
        assert TaskFailure.objects.get().attempt == 3
        assert TaskFailure.objects.get().error.startswith("Hiccup: ")


class TestDeadWorkers:
    """ARQ counts a try when it begins, so a worker's death costs one."""

    @pytest.mark.parametrize(("deaths", "runs"), [(DEATHS, 1), (DEATHS + 1, 0)])
    def test_leave_a_task_without_retries_to_others_twice(self, acme, deaths, runs):
        once = Task(run=sample_tasks.note.run, name="sample.note", bind=True, max_retries=0)
        once.apply_async((acme.pk,), task_id="note:1")
        with queue() as redis:
            redis.set("arq:retry:note:1", deaths)

        work(functions=functions([once]))

        assert len(told()) == runs


class TestBrokenConnection:
    def test_ends_no_worker_and_takes_no_job_s_place(self, acme, caplog):
        with queue() as redis:
            redis.set("arq:in-progress:note:1", 1)  # another worker's, so that this one asks again and again
        sample_tasks.note.apply_async((acme.pk,), task_id="note:1")

        places_taken = asyncio.run(break_connections(caplog))

        assert places_taken == 0
        assert len(told()) == 1


async def break_connections(caplog: pytest.LogCaptureFixture) -> int:
    """Cut a worker's connection until it was twice within a question; then let it work. How many places were taken?"""
    here = worker(poll_delay=0.001)
    running = asyncio.create_task(here.async_run())
    with queue() as redis:
        while caplog.text.count("WatchError") < 2 and not running.done():
            redis.client_kill_filter(_type="normal")
            await asyncio.sleep(0.003)
        places_taken = here.job_counter
        redis.delete("arq:in-progress:note:1")
    while not told() and not running.done():
        await asyncio.sleep(0.05)
    await end(here, running)
    return places_taken


class TestFailure:
    def test_is_kept_with_what_was_asked(self, acme):
        with structlog.contextvars.bound_contextvars(request_id="req-1"):
            sample_tasks.break_statement.apply_async((acme.pk,), task_id="break:1")

        work()

        kept = TaskFailure.objects.get()
        assert (kept.name, kept.task_id, kept.attempt) == ("sample.break_statement", "break:1", 1)
        assert (kept.arguments, kept.request_id) == ([[acme.pk], {}], "req-1")
        assert kept.error == "DataError: division by zero"
        assert "in break_statement" in kept.traceback

    def test_is_kept_and_logged_without_secrets(self, acme, caplog):
        sample_tasks.stumble.delay(acme.pk, 9)

        work()

        kept = TaskFailure.objects.get()
        assert "sk-proj-[hidden]" in kept.error
        assert "abcdefghijklmnop" not in kept.error + kept.traceback
        assert "task.failed" in caplog.text

    def test_undoes_the_task_s_transaction_and_leaves_a_clean_connection(self, acme):
        make.project(acme, "Ours")
        sample_tasks.break_statement.delay(acme.pk)
        sample_tasks.tick.apply_async(countdown=0.1)
        sample_tasks.note.apply_async((acme.pk,), countdown=0.2)

        work(max_jobs=1)

        assert [fact.get("wall") for fact in told()] == ["", None]
        assert told()[1]["projects"] == ["Default", "Ours"]

    def test_of_a_task_that_takes_too_long_is_kept(self, acme):
        sample_tasks.never_ends.delay(acme.pk)

        done = work(functions=functions(registry.values(), limit=0.1))

        assert done.jobs_failed == 1
        assert TaskFailure.objects.get().error == "TimeoutError: "

    def test_of_a_task_that_waits_too_long_outside_ends_that_wait(self, acme):
        sample_tasks.ask_for_ever.delay(acme.pk)

        work(functions=functions(registry.values(), limit=0.1))

        assert TaskFailure.objects.get().error == "TimeoutError: "
        assert told() == [{"word": "stopped"}]

    def test_leaves_its_id_to_the_next_call(self, acme):
        for _ in range(2):
            sample_tasks.break_statement.apply_async((acme.pk,), task_id="break:1")
            work()

        assert TaskFailure.objects.count() == 2
