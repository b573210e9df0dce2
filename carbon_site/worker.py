"""The worker: what runs when, and how a task is run. `python -m carbon_site.worker` works on the queue and keeps the schedule."""

import asyncio
import inspect
import logging
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from traceback import format_exception
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

import django
import structlog
from arq import Retry, cron, func
from arq.connections import RedisSettings
from arq.cron import CronJob
from arq.typing import WorkerCoroutine
from arq.worker import Function, Worker
from asgiref.sync import sync_to_async
from redis import exceptions
from redis.asyncio import retry
from redis.backoff import ExponentialBackoff

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "carbon_site.settings")
django.setup()

from django.conf import settings
from django.db import close_old_connections, connection, connections

from carbon_site.checks import insist
from carbon_site.logs import redact, redact_value
from carbon_site.models import TaskFailure
from carbon_site.tasks import QUEUE, WIRE, Request, Task, registry
from projects import tenancy

# Every recurring job there is, in UTC: {"hour": 1, "minute": 30}.
SCHEDULE: dict[str, dict[str, int]] = {
    "telemetry.poll_usage": {"minute": 5},
    "billing.close_periods": {"minute": 35},
    "receipts.settle_periods": {"minute": 40},
    "audit.build_monthly_packs": {"minute": 50},
}

TIMEOUT = 45  # seconds; all tasks have the same, as a killed worker's jobs wait for the longest one there is
DEATHS = 2  # how many workers may die of a job before it is given up; its row waits for the next sweep
REDIS_AWAY = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
Call = tuple[list[Any], dict[str, Any]]  # arguments by place and by name
P = ParamSpec("P")
R = TypeVar("R")
log = structlog.get_logger("carbon_site.worker")  # also where this is `__main__`


def adapt(task: Task, limit: float = TIMEOUT - 1) -> WorkerCoroutine:
    """The task as ARQ calls it. `limit` is in seconds and a little less than ARQ's own, so that running late is kept as a failure."""

    async def attempt(
        ctx: dict[Any, Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        request = Request(ctx["job_id"], ctx["job_try"] - 1, called_directly=False)
        call: Call = (list(args), dict(kwargs or {}))
        known = {"request_id": request_id} if request_id else {}
        with structlog.contextvars.bound_contextvars(task=task.name, task_id=request.id, **known):
            try:
                async with asyncio.timeout(limit):
                    await run(ctx["threads"], task, request, call)
            except Retry as again:
                log.warning("task.retries", attempt=ctx["job_try"], error=repr(again.__cause__))
                raise
            except Exception as error:
                await in_thread(ctx["threads"], keep, task, request, call, request_id, error)
                raise
            log.info("task.done", attempt=ctx["job_try"])

    return attempt


async def run(threads: ThreadPoolExecutor, task: Task, request: Request, call: Call) -> None:
    """A function in a thread; a coroutine function here on the loop, where there is no database."""
    if inspect.iscoroutinefunction(task.run):
        with task.attempt(request):
            await task.run(*task.bound, *call[0], **call[1])
    else:
        await in_thread(threads, run_in_thread, task, request, call)


async def in_thread(
    threads: ThreadPoolExecutor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    # asgiref's way and not the loop's: `async_to_sync` in the thread comes back to this loop, and ends when the time is up.
    return await sync_to_async(function, thread_sensitive=False, executor=threads)(*args, **kwargs)


def run_in_thread(task: Task, request: Request, call: Call) -> None:
    """Run a task on a clean connection, which sees the rows of the organisation in the task's first argument."""
    args, kwargs = call
    close_old_connections()
    try:
        with task.attempt(request):
            if organization_id := args[0] if args else kwargs.get("organization_id"):
                tenancy.enter_organization(organization_id)
            task.run(*task.bound, *args, **kwargs)
    finally:
        close_old_connections()  # back to the pool, which makes it forget the organisation


def keep(task: Task, request: Request, call: Call, request_id: str | None, error: Exception) -> None:
    """Tell of a failure for good: a line in the log, and a row."""
    words = redact(f"{type(error).__name__}: {error}")
    log.error("task.failed", attempt=request.retries + 1, error=words)
    try:
        TaskFailure.objects.create(
            name=task.name,
            task_id=str(request.id),
            arguments=redact_value(call),
            error=words,
            traceback=redact("".join(format_exception(error))),
            attempt=request.retries + 1,
            request_id=request_id,
        )
    except Exception:  # whatever it is, it must not stand before the failure itself
        log.exception("task.failure_not_kept")
    finally:
        close_old_connections()


def functions(tasks: Iterable[Task], limit: float = TIMEOUT - 1) -> list[Function]:
    """The tasks, for ARQ."""
    return [
        func(adapt(task, limit), name=task.name, timeout=TIMEOUT, max_tries=tries(task)) for task in tasks
    ]


def ticks(schedule: Mapping[str, Mapping[str, Any]]) -> list[CronJob]:
    """The schedule, for ARQ: each tick runs once, however many workers there are. Raises KeyError for an unknown task."""
    tasks = {name: registry[name] for name in schedule}
    return [
        cron(adapt(task), name=f"cron:{name}", timeout=TIMEOUT, max_tries=tries(task), **schedule[name])
        for name, task in tasks.items()
    ]


def tries(task: Task) -> int:
    return 1 + task.max_retries + DEATHS


class SteadyWorker(Worker):
    """ARQ's worker, but a connection to Redis that breaks does not end it, whatever it was just asking."""

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except (*REDIS_AWAY, exceptions.WatchError) as error:  # that is: away while a key was watched
            log.warning("worker.redis_away", error=repr(error))
            await asyncio.sleep(1)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        try:
            await super().start_jobs(job_ids)
        except (*REDIS_AWAY, exceptions.WatchError):
            self._release_sem_dec_counter_on_complete()  # the place that was taken for the job in question
            raise


def redis_settings(url: str) -> RedisSettings:
    """With patience: a job that ends while Redis is away for half a minute is done, and not done again."""
    plain = RedisSettings.from_dsn(url)
    return replace(
        plain,
        password=plain.password and unquote(plain.password),
        retry=retry.Retry(ExponentialBackoff(cap=1, base=0.05), 30),
        retry_on_error=list(REDIS_AWAY),
        retry_on_timeout=True,
    )


async def start(ctx: dict[Any, Any]) -> None:
    ctx["threads"] = ThreadPoolExecutor(settings.WORKER_MAX_JOBS, "job")
    log.info("worker.started", tasks=sorted(registry))


async def stop(ctx: dict[Any, Any]) -> None:
    ctx["threads"].shutdown()
    log.info("worker.stopped")


class WorkerSettings:
    """Flat: ARQ does not see what is inherited. `arq --check carbon_site.worker.WorkerSettings` asks after a worker's health."""

    functions = functions(registry.values())
    cron_jobs = ticks(SCHEDULE)
    queue_name = QUEUE
    redis_settings = redis_settings(settings.REDIS_URL)
    job_serializer = WIRE["job_serializer"]
    job_deserializer = WIRE["job_deserializer"]
    on_startup = start
    on_shutdown = stop
    max_jobs = settings.WORKER_MAX_JOBS
    poll_delay = 0.05
    job_timeout = TIMEOUT
    job_completion_wait = 30  # after SIGTERM; the container's stop grace is longer
    keep_result = 0  # else an id could not be used again; what someone waits for is a row
    health_check_interval = 30
    timezone = UTC


def make_worker(**changes: Any) -> SteadyWorker:
    """A worker with these settings, but for the `changes`."""
    plain = {name: value for name, value in vars(WorkerSettings).items() if not name.startswith("_")}
    return SteadyWorker(**plain | changes)


def main() -> None:
    parser = ArgumentParser(prog="python -m carbon_site.worker", description=__doc__)
    parser.add_argument(
        "--queue", default=QUEUE, help="work on this queue; the default one keeps the schedule"
    )
    queue = parser.parse_args().queue
    insist()
    logging.getLogger("arq").setLevel(logging.WARNING)  # how each job went is a line of ours
    pool = connections.settings["default"]["OPTIONS"]["pool"]
    pool["max_size"] = settings.WORKER_MAX_JOBS  # one for each thread
    make_worker(queue_name=queue, cron_jobs=ticks(SCHEDULE if queue == QUEUE else {})).run()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's connections have it


if __name__ == "__main__":
    main()
